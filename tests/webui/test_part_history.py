"""The history of a part on its page and in the API, and from a model back to its parts."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from okng.bus.part import Outcome
from okng.bus.rights import RIGHTS
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk
from okng.webui.watch import Watch

SignIn = Callable[..., None]


@pytest.fixture
def client(people: Any, watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    for outcome in (Outcome.NG, Outcome.OK, Outcome.NG):
        people.judge(outcome)
    return client_on(watch)


@pytest.fixture
def token(people: Any) -> dict[str, str]:
    answer = people.ask("token.make", {"name": "all", "rights": list(RIGHTS)}, who="admin")
    return {"Authorization": f"Bearer {answer.body['token']}"}


def test_the_page_tells_everything_to_who_may_review(client: FlaskClient, people: Any, sign_in: SignIn) -> None:
    assert client.get("/rejects/1/history").status_code in (302, 303)
    sign_in(client, "op")
    text = client.get("/rejects/1/history").get_data(as_text=True)
    for words in ("History of part", "verified", "Its text was not written down then", "acknowledged after", "nobody"):
        assert words in text
    people.judge(Outcome.NG)
    assert "op (panel" in client.get("/rejects/4/history").get_data(as_text=True)
    assert "/rejects/1/history" in client.get("/rejects/1").get_data(as_text=True)
    assert client.get("/rejects/999/history").status_code == 404


def test_of_a_picture_that_was_given_up_the_small_one_is_shown(client: FlaskClient, people: Any) -> None:
    ledger = people.ledger

    def write(do: Any) -> Any:
        with ledger.transaction() as db:
            return do(db)

    later = datetime.now(UTC) + timedelta(days=400)
    retention = Retention(people.store, RetentionOptions(), write, disk=lambda: Disk(100, 90), now=lambda: later)
    while retention.step():
        pass
    text = client.get("/rejects/1").get_data(as_text=True)
    assert "This small picture is what is left" in text
    (url,) = set(re.findall(r"/rejects/1/thumb/[0-9a-f]{64}\.jpg", text))
    small = client.get(url)
    assert (small.status_code, small.mimetype) == (200, "image/jpeg")
    assert url in client.get("/rejects/").get_data(as_text=True)
    assert client.get(url.replace("thumb", "picture").removesuffix(".jpg")).status_code == 404


def test_a_program_asks_for_a_part_and_for_all_of_a_model(client: FlaskClient, token: dict[str, str]) -> None:
    def get(path: str) -> tuple[int, Any]:
        answer = client.get(f"/api/v1/{path}", headers=token)
        return answer.status_code, answer.get_json()

    code, found = get("trace?seq=1")
    assert code == 200
    (one,) = found["parts"]
    assert (one["part"]["seq"], one["pictures"][0]["state"], one["pictures"][0]["sound"]) == (1, "kept", True)
    assert "heat" not in one["part"]
    assert get("trace?seq=999")[0] == 404
    assert get("trace")[0] == 422
    assert get("trace?seq=1&part=2")[0] == 422
    model, recipe = one["part"]["model"], one["part"]["recipe"]
    code, found = get(f"trace/parts?model={model[:12]}&limit=2")
    assert code == 200
    assert (found["sums"]["parts"], len(found["parts"]), found["before"]) == (3, 2, 2)
    code, rest = get(f"trace/parts?recipe={recipe}&before={found['before']}")
    assert [part["seq"] for part in rest["parts"]] == [1]
    assert get("trace/parts?lot=none")[1]["sums"]["parts"] == 0
    assert get("trace/parts?model=ab")[0] == 422
    assert get("trace/parts")[0] == 422
    assert client.get("/api/v1/trace?seq=1").status_code == 401
    assert "trace_back" in client.get("/api/v1/openapi.json").get_data(as_text=True)
