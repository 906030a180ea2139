"""Storage: the page tells what is kept and given up, and sets the rules where one may."""

import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from okng.bus.channel import Publisher, records_state_address
from okng.bus.messages import Health, RecordsState
from okng.bus.part import Outcome
from okng.records.read import LedgerReader
from okng.records.retention_options import RetentionOptions
from okng.records.retention_shelf import put_rules
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

from .engineer import owner

FAST = WebOptions(sign_ins_a_minute=10_000, api_a_minute=1_000_000)
SignIn = Callable[..., None]


@pytest.fixture
def client(people: Any, watch: Watch, client_class: type[FlaskClient], sign_in: SignIn) -> FlaskClient:
    app = create_app(FAST, "line 1", watch, LedgerReader(people.store), people.store, people.run_dir)
    app.test_client_class = client_class
    made = app.test_client()
    sign_in(made, "admin")
    return made


def page(client: FlaskClient) -> str:
    answer = client.get("/admin/storage")
    assert answer.status_code == 200
    return str(answer.get_data(as_text=True))


def tell(said: Publisher, state: RecordsState, client: FlaskClient, text: str) -> None:
    """Say it until the page has heard it."""
    for _ in range(100):
        said.send(state)
        if text in page(client):
            return
        time.sleep(0.05)


def test_it_tells_what_is_kept_and_what_was_given_up(client: FlaskClient, people: Any) -> None:
    people.judge(Outcome.NG)
    people.judge(Outcome.UNJUDGED)
    found = page(client)
    for word in ("rejects", "uncertain parts", "labelled and marked parts", "Not sent yet", "None was made yet"):
        assert word in found
    assert 'name="new:reject_days"' not in found  # nobody answers for the settings: nothing can be set
    with Publisher(records_state_address(people.run_dir)) as said:
        tell(
            said,
            RecordsState(Health.READY, "", 9.0, "shedding", unsent=41, given_up=3),
            client,
            "given up to make room",
        )
        assert ">41<" in page(client)


def test_back_ups_are_counted_and_what_will_go_is_told(client: FlaskClient, people: Any) -> None:
    folder = people.store / "backups"
    folder.mkdir()
    for day in ("20240101", "20250101"):
        (folder / f"ledger-{day}T120000000000Z.db").write_bytes(bytes(2_000_000))
    found = page(client)
    assert "2 in the store, 4.0 MB, the oldest of 2024-01-01" in found
    assert "will be deleted" not in found
    assert ">365<" in found  # how long they are kept
    with Publisher(records_state_address(people.run_dir)) as said:
        state = RecordsState(Health.READY, "", 60.0, "kept", papers=1, papers_days=6)
        tell(said, state, client, "will be deleted, the first in about 6 days")
        assert "1 old back-ups will be deleted, the first in about 6 days" in page(client)


def test_no_pdf_goes_by_its_age_while_the_clock_is_not_believed(client: FlaskClient, people: Any) -> None:
    kept_days = client.application.extensions["okng-press"]._days
    assert kept_days() == 0  # records has not spoken yet
    with Publisher(records_state_address(people.run_dir)) as said:
        for clock, days in (("", 365), ("it stands before the build", 0), ("", 365)):
            said_by = time.monotonic() + 10
            while kept_days() != days and time.monotonic() < said_by:
                said.send(RecordsState(Health.READY, "", 60.0, "kept", clock=clock))
                time.sleep(0.02)
            assert kept_days() == days


def test_the_rules_are_set_as_settings_are(client: FlaskClient, people: Any, tmp_path: Path) -> None:
    values = tomllib.loads("[records.retention]\nreject_days = 100\n")
    known = {"text": "", "sha256": "cd" * 32, "values": values, "file": "okng.toml", "backups": []}
    asked: list[dict[str, Any]] = []

    def change(ask: Any) -> dict[str, Any]:
        asked.append(dict(ask.body))
        return {"sha256": "ef" * 32, "restart": ["records"]}

    with owner(people.run_dir, "workshop", {"settings.read": lambda _: known, "settings.change": change}):
        found = page(client)
        assert 'name="new:reject_days" value="100"' in found
        form = {"sha256": "cd" * 32, "old:reject_days": "100", "new:reject_days": "90", "old:ok_gb": "0"}
        answer = client.post("/admin/storage", data={**form, "new:ok_gb": "2,5", "reason": "full"})
        assert answer.status_code == 303
        assert asked[0]["sha256"] == "cd" * 32
        assert sorted((one["section"], one["key"], one["value"]) for one in asked[0]["changes"]) == [
            ("records.retention", "ok_gb", 2.5),
            ("records.retention", "reject_days", 90),
        ]
        answer = client.post("/admin/storage", data={**form, "new:reject_days": "many"})
        assert answer.status_code == 409
        assert "expected a number" in answer.get_data(as_text=True)
        assert client.post("/admin/storage", data={"old:ok_gb": "1", "new:ok_gb": "1"}).status_code == 303
    assert len(asked) == 1


def test_who_may_see_diagnostics_sees_it_and_may_not_set_it(client: FlaskClient, people: Any, sign_in: SignIn) -> None:
    sign_in(client, "eng")
    rules = RetentionOptions(reject_days=77).model_dump_json()
    with people.ledger.transaction() as db:
        put_rules(db, rules, "2026-11-26T12:00:00.000Z")
    assert ">77<" in page(client)  # what is in force
    assert "/admin/storage" in client.get("/diagnostics/").get_data(as_text=True)
    assert client.post("/admin/storage", data={}).status_code in (302, 303, 403)
    sign_in(client, "op")
    assert client.get("/admin/storage").status_code in (302, 303, 403)
