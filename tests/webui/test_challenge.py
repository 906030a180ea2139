"""The challenge test on the screen: guided part by part, failed with a hold, released with a reason, signed."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.clock import utc_now
from okng.bus.part import Outcome
from okng.bus.shift import ChallengeState, Sample, ShiftState
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.challenge_runs import events, run_of
from okng.webui.samples import as_body, free_id
from okng.webui.watch import Watch

from .page_checks import clipped_texts, small_targets
from .shift_room import shift_beside, shown

PATIENCE_MS = 20_000
OPTIONS = '{"challenge": {"occasions": ["changeover"], "passes": 2}}'
SAMPLES = (Sample("C1", "Scratch", "NG", 1, 3), Sample("G1", "Good part", "OK", 0, 3))


@pytest.fixture
def client(people: Any, watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch)


page_with = partial(shown, path="/challenge/")


def came_off(number: int, state: ShiftState) -> bool:
    """That many passes of the run are done."""
    test = state.challenge
    return test.phase != "running" or sum(one.passes for one in test.samples) >= number


def post(client: FlaskClient, path: str, **data: Any) -> str:
    """The page after it."""
    answer = client.post(f"/challenge/{path}", data=data)
    assert answer.status_code == 303, answer.status_code
    return client.get(answer.headers["Location"]).get_data(as_text=True)


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("off", "No test is asked for"),
        ("passed", "Passed"),
        ("due", "nothing passes until it is done"),
        ("running", "Put C1 through now"),
        ("failed", "The test has failed"),
        ("unsigned", "the line lead has to sign"),
    ],
)
def test_each_phase_says_what_to_do(client: FlaskClient, people: Any, phase: str, words: str) -> None:
    current = "C1" if phase == "running" else ""
    people.challenge = ChallengeState(phase, "interval", utc_now(), SAMPLES, current, 3, utc_now(), "op")
    page_with(client, words)
    page = page_with(client, "Next test due")
    assert ("1/3" if phase == "running" else "3 ×") in page
    assert "/sign-in?next=/challenge/" in page  # looking needs nobody, acting does


def test_nobody_may_act_without_the_right(client: FlaskClient, people: Any, sign_in: Any) -> None:
    people.challenge = ChallengeState("unsigned", "start", "", SAMPLES)
    page_with(client, "the line lead has to sign")
    for path in ("start", "abort", "confirm", "sign", "release", "samples/add"):
        assert client.post(f"/challenge/{path}", data={"removed": "yes", "reason": "x"}).status_code == 401, path
    sign_in(client, "op")
    for path in ("sign", "release", "samples/add", "samples/remove", "samples/photo"):
        assert client.post(f"/challenge/{path}", data={"reason": "x"}).status_code == 403, path
    sign_in(client, "lead")
    assert client.post("/challenge/release", data={}).status_code == 400  # no reason
    assert client.post("/challenge/confirm", data={"removed": "perhaps"}).status_code == 400


def test_a_silent_shift_is_said_and_breaks_nothing(client: FlaskClient, people: Any) -> None:
    people.dead.add("shift")
    page_with(client, "The test cannot be run now")


def test_a_run_is_guided_passed_signed_and_kept(client: FlaskClient, people: Any, sign_in: Any) -> None:
    line = people
    with shift_beside(line, OPTIONS) as room:
        sign_in(client, "lead")
        page_with(client, "No test parts are set")
        assert "set the test parts first" in post(client, "start")
        post(client, "samples/add", name="Scratch", expected="NG")
        room.until(lambda state: len(state.challenge.samples) == 1, "no sample")
        page_with(client, "C1 · Scratch")
        post(client, "samples/add", name="Scratch", other="Ring", expected="OK")
        page_with(client, "C2 · Ring")
        line.judge(Outcome.NG)
        seq = LedgerReader(line.store).rows(limit=1)[0].seq
        assert f'value="{seq}"' in client.get("/challenge/samples/photo?id=C1").get_data(as_text=True)
        post(client, "samples/photo", id="C1", seq=seq)
        state = room.until(lambda state: state.challenge.samples[0].picture, "no photo")
        photo = client.get(f"/challenge/photo/{state.challenge.samples[0].picture}.jpg")
        assert photo.data[:2] == b"\xff\xd8"
        assert client.get(f"/challenge/photo/{'0' * 64}.jpg").status_code == 404

        sign_in(client, "op")
        post(client, "start")
        room.until(lambda state: state.challenge.phase == "running" and line.mode.mode == "challenge", "not running")
        page_with(client, "Put C1 through now")
        for number, outcome in enumerate((Outcome.NG, Outcome.NG, Outcome.OK, Outcome.OK), start=1):
            line.judge(outcome)
            room.until(partial(came_off, number), f"pass {number} did not come off")
        page_with(client, "the line lead has to sign")
        sign_in(client, "lead")
        post(client, "sign")
        room.until(lambda state: state.challenge.phase == "passed", "not passed")
        counters = line.counters
        judged = counters.ok + counters.ng + counters.unjudged
        assert counters.triggers == judged + counters.challenge
        assert counters.challenge == 4
    rows, _ = events(PeopleReader(line.store), None, 10)
    assert [row.event for row in rows] == ["signed", "passed"]
    run = run_of(PeopleReader(line.store), rows[1].n)
    assert run is not None
    assert [one.sample for one in run.passes] == ["C1", "C1", "C2", "C2"]
    assert (run.who, run.signed_by) == ("op", "lead")
    sign_in(client, "op")
    page = client.get(f"/challenge/run/{run.line}").get_data(as_text=True)
    assert "C1 Scratch" in page
    assert "3f2a91c04b1d" in page  # revision, and the model, of the parts that went through
    assert f"/challenge/run/{run.line}" in client.get("/challenge/history").get_data(as_text=True)
    assert client.get("/challenge/run/999999").status_code == 404
    assert client.post(f"/challenge/run/{run.line}/paper").status_code == 403  # an operator makes no reports
    sign_in(client, "lead")
    paper = client.post(f"/challenge/run/{run.line}/paper", headers={"Accept": "application/json"})
    assert "/papers/okng-test" in paper.get_data(as_text=True)


def test_a_failed_run_holds_the_product_until_the_lead_gives_a_reason(
    client: FlaskClient, people: Any, sign_in: Any
) -> None:
    line = people
    with shift_beside(line, OPTIONS) as room:
        sign_in(client, "lead")
        room.until(lambda state: True, "silent")
        page_with(client, "No test parts are set")
        post(client, "samples/add", name="Scratch", expected="NG")
        room.until(lambda state: state.challenge.samples, "no sample")
        for _ in range(3):
            line.judge(Outcome.OK)
        post(client, "start")
        room.until(lambda state: line.mode.mode == "challenge", "not running")
        page_with(client, "Put C1 through now")
        line.judge(Outcome.OK)
        room.until(lambda state: state.challenge.phase == "failed", "not failed")
        page = page_with(client, "The test has failed")
        assert "the defect was not found (part 4)" in page
        assert "on hold" in page
        assert "/rejects/?" in page
        post(client, "release", reason="all parts checked by hand")
        room.until(lambda state: not state.challenge.hold_from, "still held")
    rows, _ = events(PeopleReader(line.store), None, 10)
    assert [row.event for row in rows] == ["hold released", "failed"]
    run = run_of(PeopleReader(line.store), rows[1].n)
    assert run is not None
    assert (run.released_by, run.released_reason) == ("lead", "all parts checked by hand")
    page = client.get(f"/challenge/run/{run.line}").get_data(as_text=True)
    assert "released by lead" in page
    assert "✕ defect not found" in page


def test_ids_of_test_parts_are_taken_once() -> None:
    held = (Sample("C1", "a", "NG", 0, 0), Sample("C3", "b", "OK", 0, 0))
    assert free_id(held) == "C2"
    assert free_id(()) == "C1"
    assert as_body(held)[1] == {"id": "C3", "name": "b", "expected": "OK", "picture": ""}


@pytest.mark.ui
@pytest.mark.timeout(120)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_follows_the_run_by_itself(page: Page, plant: Any, sign_in: Any, language: str) -> None:
    line, server = plant
    page.set_default_timeout(PATIENCE_MS)
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    sign_in(page, "lead", server.url)
    try:
        line.challenge = ChallengeState("off", "", "", SAMPLES)
        page.goto(f"{server.url}/challenge/", wait_until="domcontentloaded")
        expect(page.locator(".test-now")).to_have_attribute("data-phase", "off")
        for phase in ("running", "unsigned", "failed"):
            current, hold = ("C1" if phase == "running" else ""), (utc_now() if phase == "failed" else "")
            line.challenge = ChallengeState(
                phase, "start", "", SAMPLES, current, 1, utc_now(), "op", hold_from=hold, hold_to=hold
            )
            expect(page.locator(".test-now")).to_have_attribute("data-phase", phase)
            assert small_targets(page, 20, 5.0) == []
            assert clipped_texts(page) == []
        # What a person has chosen stays when the page follows the line.
        page.locator(".tile-choice").first.tap()
        line.challenge = replace(line.challenge, detail="C1: passed")
        expect(page.locator(".test-now .big")).to_contain_text("C1: passed")
        assert page.locator(".tile-choice input").first.is_checked()
    finally:
        line.challenge = ChallengeState("off", "", "")
