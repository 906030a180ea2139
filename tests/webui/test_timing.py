"""The Timing screen: the sum stands on the worst seen, a negative one is not saved, a pulse ends with the hand."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from okng.bus.asks import Answer, Ask
from okng.bus.part import Outcome
from okng.records.timing_read import Moments, moments
from okng.tests.webui.engineer import Pages, owner, pages, somebody, trail
from okng.webui import asking
from okng.webui.reckoning import Way, measured, reckon
from okng.webui.timeline import ROW, WIDTH, timeline
from okng.webui.web import Web

WAY = Way(0, 500, 100, 1000, 120, 12, 20, 5)


def part(seq: int, committed: float | None = 60.0, acked: float | None = 75.0, **more: Any) -> Moments:
    given = {"exposed_ms": 2.0, "ready_ms": 8.0, "done_ms": 50.0, "published_ms": committed, "deadline_ms": 120.0}
    return Moments(seq, seq, "OK", "ok", committed_ms=committed, acked_ms=acked, confirmed=None, **{**given, **more})


def test_without_parts_what_is_promised_counts() -> None:
    assert measured([part(1, acked=None), part(2, committed=None, acked=None)]) is None
    sum_ = reckon(WAY, None, 150.0)
    assert (sum_.has_ms, sum_.promised_ms, sum_.left_ms) == (500.0, 270.0, 230.0)
    assert sum_.fits


def test_the_worst_part_decides_and_the_margin_covers_it() -> None:
    found = measured([part(seq) for seq in range(20)] + [part(21, 110.0, 190.0)])
    assert found is not None
    assert (found.parts, found.exact, found.whole_ms, found.answer_ms) == (21, False, 190.0, 80.0)
    sum_ = reckon(WAY, found)
    assert sum_.margin_ms == 80 + 12 + 5
    assert sum_.needs_ms == max(120 + 97, 190 + 17)
    near = reckon(Way(0, 200, 100, 1000, 120, 12, 20, 5), found)
    assert near.left_ms == 200 - 217
    assert not near.fits


def test_a_thousand_parts_make_a_p999() -> None:
    longest = [part(1997, 100.0, 180.0), part(1998, 110.0, 300.0), part(1999, 110.0, 500.0)]
    found = measured([part(seq) for seq in range(1997)] + longest)
    assert found is not None
    assert found.exact
    assert found.whole_ms == 180.0  # of 2000 the third longest


def test_the_camera_delay_takes_off_what_the_trigger_takes() -> None:
    found = measured([part(1, exposed_ms=3.0)])
    assert reckon(Way(100, 500, 100, 1000, 120, 12, 20, 5), found).camera_delay_us == 97_000
    assert reckon(Way(1, 500, 100, 1000, 120, 12, 20, 5), found).camera_delay_us == 0


def test_the_timeline_keeps_its_scale() -> None:
    drawn = timeline([part(2), part(1, None, None)])
    assert [row.y for row in drawn.rows] == [0, ROW]
    assert all(bar.x + bar.w <= WIDTH for row in drawn.rows for bar in row.bars)
    assert [bar.stage for bar in drawn.rows[0].bars] == ["exposed", "ready", "done", "published", "acked"]
    assert timeline([]).rows == ()


class Box:
    """workshop and io."""

    def __init__(self) -> None:
        self.saved: list[Ask] = []
        self.pulses: list[Ask] = []

    def read(self, ask: Ask) -> dict[str, Any]:
        away = {"eye_to_gate_mm": 500.0, "gate_to_confirm_mm": 100.0, "max_speed_mm_s": 600.0, "margin_ms": 150.0}
        camera = {"width": 640, "height": 480, "trigger": "hardware"}
        whole = {"name": "tile", "deadline_ms": 120, "distances": away, "camera": camera}
        return {"job": 3, "revision": "rev-1", "whole": whole, "recipe": whole}

    def save(self, ask: Ask) -> dict[str, Any]:
        self.saved.append(ask)
        return {"revision": "rev-2", "job": 3}

    def look(self, ask: Ask) -> dict[str, Any]:
        return {"signals": [], "forced": [], "outputs": ["NG"], "gates": ["gate-1"], "wire": {}}

    def pulse(self, ask: Ask) -> dict[str, Any]:
        self.pulses.append(ask)
        return {"forced": ["gate-1=1, 1 s left"]}


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def screens(line: Any, run_dir: Path, box: Box) -> Iterator[Pages]:
    for _ in range(3):
        line.judge(Outcome.OK)
    io = {"io.look": box.look, "pulse.hold": box.pulse, "timing.check": lambda ask: {"fits": True, "spare_ms": 5.0}}
    with (
        pages(run_dir, run_dir / "store") as made,
        trail(run_dir),
        owner(run_dir, "workshop", {"recipe.read": box.read, "recipe.timing": box.save}),
        owner(run_dir, "io", io),
    ):
        yield made


GIVEN = {
    "eye_to_camera_mm": 60,
    "eye_to_gate_mm": 500,
    "gate_to_confirm_mm": 100,
    "max_speed_mm_s": 600,
    "deadline_ms": 120,
    "valve_ms": 12,
    "pulse_ms": 20,
    "spare_ms": 5,
    "margin_ms": 150,
    "base": "rev-1",
    "job": 3,
}


def test_a_negative_margin_cannot_be_saved(screens: Pages, box: Box) -> None:
    near = {**GIVEN, "eye_to_gate_mm": 20}
    assert screens.post("/timing/check", near).get_json()["sum"]["fits"] is False
    answer = screens.post("/timing/save", near).get_json()
    assert answer["done"] is False
    assert box.saved == []
    assert screens.post("/timing/save", {**GIVEN, "max_speed_mm_s": 0}).get_json()["done"] is False
    assert screens.post("/timing/save", {**GIVEN, "cameras": ["top"], "reason": "faster"}).get_json()["done"] is True
    (ask,) = box.saved
    assert ask.body["distances"]["eye_to_gate_mm"] == 500
    assert ask.body["distances"]["margin_ms"] >= 17
    assert 0 < ask.body["cameras"]["top"]["trigger_delay_us"] <= 100_000
    assert (ask.body["base"], ask.reason) == ("rev-1", "faster")


def test_who_may_not(screens: Pages) -> None:
    screens.who[0] = somebody("operator")
    assert screens.get("/timing/").status_code == 403
    assert screens.post("/timing/pulse", {"gate": "gate-1"}).status_code == 403


def test_the_parts_of_the_ledger_are_drawn(screens: Pages, run_dir: Path) -> None:
    text = screens.get("/timing/parts").text
    assert text.count("<rect") >= 3
    found = moments(run_dir / "store", 10)
    assert [one.part for one in found] == [3, 2, 1]
    assert all(one.deadline_ms == 120.0 for one in found)


def test_without_io_and_workshop_the_page_stands(line: Any, run_dir: Path) -> None:
    with pages(run_dir, run_dir / "store") as made:
        assert made.get("/timing/").status_code == 200
        answer = made.post("/timing/check", GIVEN).get_json()
    assert answer["sum"]["fits"] is True
    assert answer["io"]["done"] is False


def test_a_pulse_is_in_the_trail_whatever_the_page_calls_it(
    screens: Pages, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    real = asking.note

    def note(web: Web, what: str, about: dict[str, Any], reason: str = "") -> Answer:
        noted.append(what)
        return real(web, what, about, reason)

    monkeypatch.setattr(asking, "note", note)
    for _ in range(3):
        assert screens.post("/timing/pulse", {"gate": "gate-1"}).get_json()["done"] is True
    assert noted == ["pulse.hold asked", "pulse.hold done"], "once, while it goes on"
    assert len(box.pulses) == 3
    time.sleep(1.1)
    screens.post("/timing/pulse", {"gate": "gate-1"})
    assert noted.count("pulse.hold asked") == 2


@pytest.mark.ui
def test_a_pulse_lasts_as_long_as_the_hand(screens: Pages, box: Box, page: Any) -> None:
    page.goto(f"{screens.url}/timing/", wait_until="domcontentloaded")
    page.wait_for_selector("#timing[data-fits=true]")
    expect(page.locator("[data-gate]")).to_have_count(1)
    key = page.locator("[data-gate=gate-1]")
    key.scroll_into_view_if_needed()
    key.hover()
    page.mouse.down()
    page.wait_for_timeout(700)
    page.mouse.up()
    expect(page.locator("#pulse")).to_have_text("Off")
    page.wait_for_timeout(150)
    count = len(box.pulses)
    assert count >= 3
    assert {ask.body["gate"] for ask in box.pulses} == {"gate-1"}
    assert all(ask.body["hold_ms"] <= 500 for ask in box.pulses)
    page.wait_for_timeout(500)
    assert len(box.pulses) == count


@pytest.mark.ui
def test_the_sum_follows_what_is_typed_on_the_pad(screens: Pages, page: Any) -> None:
    page.goto(f"{screens.url}/timing/", wait_until="domcontentloaded")
    page.wait_for_selector("#timing[data-fits=true]")
    page.locator("#tab-3").tap()
    page.locator("#eye_to_gate_mm").tap()
    for digit in "25":
        page.locator(".pad-keys .key", has_text=digit).first.tap()
    page.locator(".pad-keys .go").tap()
    expect(page.locator("#eye_to_gate_mm")).to_have_value("25")
    page.wait_for_selector("#timing[data-fits=false]")
    assert page.locator("#save").is_disabled()
