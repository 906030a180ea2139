"""The Run screen: what it counts balances, picture and words are of one part, and stopping takes two steps."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.asks import Ask
from okng.bus.errors import Refused
from okng.bus.messages import Counters
from okng.bus.part import Outcome
from okng.records.people_read import PeopleReader
from okng.webui.board import MINUTE_NS, Board
from okng.webui.options import WebOptions
from okng.webui.payload import counters_payload
from okng.webui.watch import Watch

from .engineer import owner

PATIENCE_MS = 20_000


@pytest.fixture
def client(people: Any, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(Watch(people.run_dir, ("top",), WebOptions()), sign_ins_a_minute=1000)


class Shift:
    """Answers for the shift process; `asked` holds what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.refusal = ""

    def answer(self, ask: Ask) -> dict[str, Any]:
        if self.refusal:
            raise Refused(self.refusal)
        return {}


@pytest.fixture
def shift(people: Any) -> Iterator[Shift]:
    made = Shift()
    with owner(people.run_dir, "shift", dict.fromkeys(("inspection.stop", "inspection.start"), made.answer)) as asked:
        made.asked = asked
        yield made


COUNTED = Counters(100, 80, 6, 4, 3, 1, 2, 18, 18, 0, 0, 3, challenge=5, bypass=3)


@pytest.mark.parametrize(
    ("counters", "balanced"),
    [
        (COUNTED, True),
        (replace(COUNTED, challenge=4), False),
        (replace(COUNTED, bypass=0), False),
        (replace(COUNTED, ordered=10), False),
    ],
)
def test_the_counters_balance_with_test_parts_and_bypass(feed: Any, counters: Counters, balanced: bool) -> None:
    board = Board()
    line_state = feed.StationState("s", "e", "READY", True, (), 0, True, (), feed.JOB, counters, 1)
    board.take(line_state, 1)
    said = counters_payload(board, 0, "2026-01-01", True)
    assert said["balanced"] is balanced
    assert said["rejected"] == counters.ng + counters.unjudged
    shown = sum(said[word] for word in ("ok", "rejected", "challenge", "bypass", "in_flight"))
    assert shown == said["triggers"] or not balanced  # what stands on the screen adds up
    assert (said["yield"], said["consecutive_ng"]) == (80 / 90, 3)


def test_rate_and_pareto_are_of_their_span(feed: Any, line: Any) -> None:
    board = Board()

    def state(ok: int, ng: int) -> Any:
        counters = replace(feed.NOTHING, triggers=ok + ng, ok=ok, ng=ng, ordered=ng)
        return feed.StationState("s", "e", "READY", True, (), 0, True, (), feed.JOB, counters, 1)

    board.take(state(0, 0), 0)
    board.take(state(6, 0), MINUTE_NS)
    assert counters_payload(board, 1, "", True)["rate"] is None, "no minute was seen whole"
    board.take(state(16, 2), 2 * MINUTE_NS)
    assert counters_payload(board, 3, "", True)["rate"] == pytest.approx((6 + 12) / 2)
    for _ in range(3):
        board.take(line.judge(Outcome.NG), 2 * MINUTE_NS)
    assert counters_payload(board, 2, "", True)["pareto"] == [["anomaly", "plate", 3]]
    assert counters_payload(board, 62, "", True)["pareto"] == [], "what is older than the trend is forgotten"


def test_stopping_takes_the_right_and_stands_in_the_trail(
    people: Any, client: FlaskClient, shift: Shift, sign_in: Callable[..., None]
) -> None:
    assert client.post("/inspection", json={"do": "stop"}).status_code == 401
    assert 'href="/sign-in?next=' in client.get("/").get_data(as_text=True).split('id="key-stop"')[1][:80]
    sign_in(client, "admin")
    assert client.post("/inspection", json={"do": "stop"}).status_code == 403
    sign_in(client, "op")
    assert client.post("/inspection", json={"do": "explode"}).status_code == 400
    assert client.post("/inspection", json={"do": "stop"}).json["done"]  # type: ignore[index]
    assert client.post("/inspection", json={"do": "mended"}).json["done"]  # type: ignore[index]
    assert [(ask.name, ask.who, ask.body) for ask in shift.asked] == [
        ("inspection.stop", "op", {}),
        ("inspection.start", "op", {"maintenance": True}),
    ]
    trail = [one.what for one in PeopleReader(people.store).audit_page(limit=4)]
    assert trail == ["inspection.start done", "inspection.start asked", "inspection.stop done", "inspection.stop asked"]
    shift.refusal = "the inspection is not stopped by a person"
    refused = client.post("/inspection", json={"do": "start"}).json
    assert refused is not None
    assert (refused["done"], refused["silent"]) == (False, False)


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_stop_by_finger_is_done_when_the_line_says_so(
    page: Page, people: Any, serve: Any, sign_in: Any, shift: Shift
) -> None:
    line, server = people, serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.url, wait_until="domcontentloaded")
    page.locator("#key-stop").tap()
    expect(page).to_have_url(f"{server.url}/sign-in?next=/")
    sign_in(page, "op", server.url)
    page.goto(server.url, wait_until="domcontentloaded")
    line.judge(Outcome.NG)
    expect(page.locator("#verdict")).to_have_attribute("data-part", str(line.part))
    stop, frequent = page.locator("#key-stop").bounding_box(), page.locator("#key-zoom").bounding_box()
    assert stop is not None
    assert frequent is not None
    assert stop["x"] - frequent["x"] - frequent["width"] >= 50 - 0.5, "10 mm from what is often touched"
    page.locator("#key-stop").tap()
    expect(page.locator("#ask-stop")).to_be_visible()
    assert shift.asked == [], "the key alone stops nothing"
    page.locator("[data-do=stop]").tap()
    expect(page.locator("#stop-told")).to_contain_text("waiting")
    expect(page.locator("#stop-dialog")).to_have_attribute("open", "")
    for _ in range(100):  # the trail is written first
        if shift.asked:
            break
        page.wait_for_timeout(50)
    assert [ask.name for ask in shift.asked] == ["inspection.stop"]


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_picture_overlay_and_verdict_always_carry_one_part_number(page: Page, people: Any, serve: Any) -> None:
    line, server = people, serve(people.run_dir, hold_ng_s=0.2)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.url, wait_until="domcontentloaded")
    expect(page.locator("#clock")).not_to_have_text("--:--:--")
    page.evaluate(
        """() => {
          window.mixed = []; window.seen = new Set();
          const look = () => {
            const canvas = document.getElementById('canvas').dataset;
            const part = document.getElementById('verdict').dataset.part;
            if (canvas.part && canvas.part !== part) window.mixed.push([canvas.part, part]);
            if (canvas.overlay && canvas.overlay !== part) window.mixed.push([canvas.overlay, part]);
            if (part) window.seen.add(part);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    for number in range(24):
        line.judge(Outcome.NG if number % 3 == 0 else Outcome.OK)
        page.wait_for_timeout(120)
    page.wait_for_timeout(500)
    assert page.evaluate("window.mixed") == []
    assert page.evaluate("window.seen.size") >= 6
