"""Change-over, lot and bypass on the screen: six steps, the old product in force until the last; a break-off."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.clock import now_ns, utc_now
from okng.bus.shift import ChangeOver, LineMode, Mode
from okng.records.people_read import PeopleReader
from okng.webui.products import Product, differences
from okng.webui.watch import Watch

from .page_checks import clipped_texts, small_targets
from .shift_room import Io, shift_beside, shown

PATIENCE_MS = 20_000
OPTIONS = '{"codes": [{"text": "CAP-", "job": 2, "prefix": true}]}'
OLD = Product(1, "magnetic-tile", "grey", "3f2a", "9f8e", (("exposure", "top", "1200 µs"), ("threshold", "plate", "4")))
NEW = Product(2, "bottle-cap", "blue", "aa11", "1122", (("exposure", "top", "900 µs"), ("threshold", "plate", "")))
BROKEN = Product(3, "washer", "", "", "", trouble="washer.yaml: cannot be read")


@pytest.fixture
def client(people: Any, watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch, lambda: (OLD, NEW, BROKEN))


page_with = partial(shown, path="/change-over/")


def post(client: FlaskClient, path: str, **data: Any) -> str:
    answer = client.post(path, data=data)
    assert answer.status_code == 303, answer.status_code
    return client.get(answer.headers["Location"]).get_data(as_text=True)


def test_what_differs_comes_first() -> None:
    more = Product(4, "x", "", "", "", (*NEW.facts, ("gain", "top", "0 dB")))
    lines = differences(OLD, more)
    assert [(line.kind, line.changed) for line in lines] == [("exposure", True), ("threshold", True), ("gain", True)]
    assert differences(OLD, OLD)[0].changed is False
    assert differences(None, NEW)[0].old == ""


def test_looking_needs_nobody_and_each_act_its_right(client: FlaskClient, people: Any, sign_in: Any) -> None:
    page = page_with(client, "magnetic-tile")
    assert "bottle-cap" in page
    assert "cannot be read" in page
    assert "/sign-in?next=/change-over/" in page
    assert client.get("/change-over/lot").status_code == 302
    for path in ("begin", "step", "abort", "lot"):
        assert client.post(f"/change-over/{path}", data={"number": 2, "step": 2}).status_code == 401, path
    sign_in(client, "op")
    assert client.post("/change-over/begin", data={"number": 2}).status_code == 403
    assert client.post("/bypass/set", data={"minutes": 10, "reason": "x"}).status_code == 403
    sign_in(client, "lead")
    assert client.post("/change-over/begin", data={}).status_code == 400
    assert client.post("/change-over/step", data={"step": 7}).status_code == 400
    for bad in ({"minutes": 10}, {"minutes": 121, "reason": "x"}, {"minutes": 0, "reason": "x"}, {"reason": "x"}):
        assert client.post("/bypass/set", data=bad).status_code == 400, bad


def test_six_steps_by_a_scanned_code(client: FlaskClient, people: Any, sign_in: Any) -> None:
    line = people
    with shift_beside(line, OPTIONS) as room:
        sign_in(client, "lead")
        page_with(client, "Scan the code")
        assert "No product has the code" in post(client, "/change-over/begin", code="TILE-1")
        assert "in force already" in post(client, "/change-over/begin", number=1)
        post(client, "/change-over/begin", code="CAP-0815")
        page = page_with(client, "What changes from magnetic-tile to bottle-cap")
        assert "900 µs" in page
        assert "the model&#39;s own" in page
        assert "at step 2 already" in post(client, "/change-over/step", step=6)  # no step is left out
        post(client, "/change-over/step", step=2)
        page_with(client, "Which lot is made?")
        post(client, "/change-over/step", step=3, lot="L-77")
        page_with(client, "Apply bottle-cap")
        room.refusal = "camera top is lost"
        post(client, "/change-over/step", step=4)
        page = page_with(client, "camera top is lost")
        assert "Apply now" in page  # may be tried again
        assert line.job_number == 1
        room.refusal = ""
        post(client, "/change-over/step", step=4)
        room.until(lambda state: state.change.applied, "not applied")
        assert line.job_number == 2
        post(client, "/change-over/abort")
        room.until(lambda state: state.change.step == 0, "not taken back")
        assert line.job_number == 1
        page_with(client, "Scan the code")
    written = PeopleReader(line.store).journal("change")
    assert {"begun", "step 2 done", "step 3 done", "aborted"} <= {row.event for row in written}
    audited = [row.what for row in PeopleReader(line.store).audit_page(limit=200)]
    assert "change.begin asked" in audited
    assert "change.step done" in audited


def test_a_lot_begins_alone_and_is_audited_with_the_old_one(client: FlaskClient, people: Any, sign_in: Any) -> None:
    line = people
    with shift_beside(line) as room:
        sign_in(client, "op")
        post(client, "/change-over/lot", lot="L-1")
        room.until(lambda state: state.lot == "L-1", "no lot")
        page_with(client, "L-1")
        post(client, "/change-over/lot", lot="L-2\x1d")
        room.until(lambda state: state.lot == "L-2", "no second lot")
    asked = [row for row in PeopleReader(line.store).audit_page(limit=100) if row.what == "lot.set asked"]
    assert asked[0].object["old"] == "L-1"
    assert asked[0].object["new"] == "L-2"


def test_a_bypass_says_that_the_box_passes_nothing_and_ends_at_once(
    client: FlaskClient, people: Any, sign_in: Any
) -> None:
    line = people
    with shift_beside(line) as room:
        assert "the box passes nothing" in page_with(client, "Sign in to declare", path="/bypass/")
        sign_in(client, "lead")
        post(client, "/bypass/set", minutes=30, reason="trial parts", note="10 caps")
        state = room.until(lambda state: state.mode.mode == Mode.BYPASS, "no bypass")
        assert state.mode.reason == "trial parts: 10 caps"
        assert "Ends by itself at" in page_with(client, "Bypass is on", path="/bypass/")
        post(client, "/bypass/end")
        room.until(lambda state: state.mode.mode == Mode.PRODUCTION, "still on")
        assert "no bypass any more" in post(client, "/bypass/end")


def test_a_silent_shift_changes_nothing_and_says_so(client: FlaskClient, people: Any, sign_in: Any) -> None:
    people.dead.add("shift")
    page_with(client, "cannot be changed from here now")
    page_with(client, "cannot be set from here now", path="/bypass/")
    sign_in(client, "lead")
    assert "No answer from shift" in post(client, "/change-over/begin", number=2)


STEPS = [
    ChangeOver(),
    ChangeOver(2, 1, 2, "", "lead", utc_now()),
    ChangeOver(3, 1, 2, "", "lead", utc_now()),
    ChangeOver(4, 1, 2, "L-1", "lead", utc_now(), "job 2 is being made ready"),
    ChangeOver(4, 1, 2, "L-1", "lead", utc_now(), "the golden pictures are being judged", True),
    ChangeOver(5, 1, 2, "L-1", "lead", utc_now(), "", True),
    ChangeOver(6, 1, 2, "L-1", "lead", utc_now(), "", True),
]


@pytest.mark.ui
@pytest.mark.timeout(120)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_step_fits_gloves_and_says_where_one_is(page: Page, plant: Any, sign_in: Any, language: str) -> None:
    line, server = plant
    page.set_default_timeout(PATIENCE_MS)
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    sign_in(page, "lead", server.url)
    page.goto(f"{server.url}/change-over/", wait_until="domcontentloaded")
    try:
        for change in STEPS:
            line.change = change
            expect(page.locator(".steps .now b")).to_have_text(str(change.step or 1))
            assert small_targets(page, 20, 5.0) == []
            assert clipped_texts(page) == []
        line.change, line.mode = ChangeOver(), LineMode(Mode.BYPASS, "lead", "trial parts", now_ns() + 10**12)
        page.goto(f"{server.url}/bypass/", wait_until="domcontentloaded")
        expect(page.locator("[data-until]").first).to_contain_text("16 min")
        assert small_targets(page, 20, 5.0) == []
        assert clipped_texts(page) == []
    finally:
        line.change, line.mode = ChangeOver(), LineMode(Mode.PRODUCTION, "", "", 0)


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_a_scanner_types_wherever_the_focus_is_and_a_lot_is_touched_in(
    page: Page, people: Any, serve: Any, sign_in: Any
) -> None:
    line = people
    with shift_beside(line, OPTIONS) as room:
        server = serve(line.run_dir)
        page.set_default_timeout(PATIENCE_MS)
        sign_in(page, "lead", server.url)
        page.goto(f"{server.url}/change-over/", wait_until="domcontentloaded")
        expect(page.locator("input[data-scan]")).to_be_visible()
        page.evaluate("document.activeElement.blur()")
        scan(page, room)
        page.locator(".page-foot .key.go").tap()
        expect(page.locator("#lot-field")).to_be_visible()
        for key in "77-1":
            page.locator(f'[data-key="{key}"]').tap()
        page.locator('[data-key="back"]').tap()
        page.locator('[data-key="2"]').tap()
        page.locator(".page-foot .key.go").tap()
        room.until(lambda state: state.change.step == 4, "not at step 4")
        assert room.state is not None
        assert room.state.change.lot == "77-2"
        expect(page.locator(".steps .now b")).to_have_text("4")  # the answer to the last touch is there
        page.goto(f"{server.url}/bypass/", wait_until="domcontentloaded")
        page.locator('[data-by="10"]').tap()
        expect(page.locator(".stepper output")).to_have_text("40 min")


def scan(page: Page, room: Io) -> None:
    """A code as a scanner types it, with Enter behind it."""
    page.keyboard.type("CAP-0815", delay=5)
    page.keyboard.press("Enter")
    room.until(lambda state: state.change.step == 2, "the code did not begin a change-over")
    expect(page.locator(".steps .now b")).to_have_text("2")
