"""A defect was found downstream: the part is found, the report is kept, and it is told apart from what was not done."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.part import Outcome
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

PATIENCE_MS = 20_000


@pytest.fixture
def client(people: Any, client_on: Callable[..., FlaskClient], sign_in: Any) -> FlaskClient:
    made = client_on(Watch(people.run_dir, ("top",), WebOptions()), sign_ins_a_minute=1000)
    sign_in(made, "op")
    return made


def test_parts_are_found_by_time_and_by_number(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.OK, serial="SN-1")
    people.judge(Outcome.NG, serial="SN-2")
    people.judge(Outcome.OK, serial="SN-3")
    page = client.get("/missed/?hours=1&bare=1").get_data(as_text=True)
    assert [part in page for part in ("SN-1", "SN-2", "SN-3")] == [True, False, True]
    page = client.get("/missed/?find=SN-3").get_data(as_text=True)
    assert page.count('class="card"') == 1
    assert "No part with this number" in client.get("/missed/?find=SN-9").get_data(as_text=True)
    assert client.get("/missed/?hours=7").status_code == 404
    kept = {row.serial for row in LedgerReader(people.store).rows(limit=9) if row.outcome == "OK" and row.picture_kept}
    page = client.get("/missed/?hours=1").get_data(as_text=True)
    assert {part for part in ("SN-1", "SN-2", "SN-3") if part in page} == kept
    assert "Also those without a picture" in page
    assert client.get("/missed/?seq=99").status_code == 200


def test_a_report_is_an_escape_in_ledger_and_journal(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.OK)
    wish = {"seq": 1, "what": "dent", "found_at": "packing", "id": "e" * 32}
    assert client.post("/missed/report", json=wish).json["done"]  # type: ignore[index]
    assert client.post("/missed/report", json=wish).json["done"]  # type: ignore[index]
    people_read = PeopleReader(people.store)
    (found,) = people_read.escapes()
    assert (found.seq, found.what, found.found_at, found.who) == (1, "dent", "packing", "op")
    (event,) = people_read.journal("escape")
    assert event.event == "reported"


def test_a_part_that_is_not_in_the_list_is_reported_by_what_was_scanned(people: Any, client: FlaskClient) -> None:
    wish = {"seq": None, "serial": "X-5", "what": "other", "found_at": "customer", "id": "f" * 32}
    assert client.post("/missed/report", json=wish).json["done"]  # type: ignore[index]
    (found,) = PeopleReader(people.store).escapes()
    assert (found.seq, found.serial) == (None, "X-5")


@pytest.mark.parametrize(
    "body", [{}, [], {"what": "dent", "found_at": "moon"}, {"what": "", "found_at": "packing"}, {"seq": "1"}]
)
def test_what_is_no_report_is_refused(client: FlaskClient, body: Any) -> None:
    assert client.post("/missed/report", json=body).status_code == 400


def test_nobody_reports_without_the_right(client: FlaskClient, sign_in: Any) -> None:
    sign_in(client, "admin")
    wish = {"seq": 1, "what": "dent", "found_at": "packing"}
    assert client.post("/missed/report", json=wish).status_code == 403
    assert client.get("/missed/").status_code == 403


def test_without_history_the_report_is_still_possible(people: Any, client: FlaskClient) -> None:
    assert client.get("/missed/").status_code == 200
    (people.store / "ledger.db").rename(people.store / "ledger.db.away")
    page = client.get("/missed/").get_data(as_text=True)
    assert "History unavailable" in page
    assert "not in the list" in page
    (people.store / "ledger.db.away").rename(people.store / "ledger.db")


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_three_touches_and_a_scan_report_a_defect(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    line, server = people, serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(PATIENCE_MS)
    for number in range(3):
        line.judge(Outcome.OK, serial=f"SCANNED-{number}")
    sign_in(page, "op", server.url)
    page.goto(server.url + "/missed/", wait_until="domcontentloaded")
    expect(page.locator(".card")).to_have_count(3)
    page.locator("[data-what=dent]").tap()
    expect(page.locator("#told")).to_contain_text("Choose the part first")
    page.locator("#clock").tap()
    page.keyboard.type("SCANNED-1")
    page.keyboard.press("Enter")
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("body")).to_have_attribute("data-user", "op")
    page.locator("[data-what=dent]").tap()
    page.locator("[data-place=packing]").tap()
    page.locator("#send").tap()
    expect(page.locator("#told")).to_contain_text("Reported")
    (found,) = PeopleReader(line.store).escapes()
    assert (found.seq, found.what) == (2, "dent")
