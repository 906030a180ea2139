"""Several cameras, serial numbers and image health in Debian's Chromium, over a made-up line of two cameras."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from okng.bus.part import Outcome
from okng.records.read import LedgerReader

from .test_browser import CHECKS, PATIENCE_MS, SIZES, open_page, outcome_on_screen

pytestmark = [pytest.mark.ui, pytest.mark.timeout(120)]
LAMP = (
    "top: lamp: brightness 81 % of the commissioned: clean or replace the lamp, or see why exposure or gain are lower"
)
MOVED = "side: camera moved: the background is turned by +2.0 degrees: put the camera back and tighten it"


@pytest.fixture
def screen(page: Page, twins: tuple[Any, Any]) -> Iterator[Page]:
    """A page that must not ask anybody else, nor log an error; the line is as it was afterwards."""
    line, server = twins
    foreign: list[str] = []
    complaints: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Canvas2D" not in message.text:  # these tests read it back
            complaints.append(message.text)

    page.on("request", lambda r: None if r.url.startswith((server.url, "blob:", "data:")) else foreign.append(r.url))
    page.on("console", complain)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.set_default_timeout(PATIENCE_MS)
    yield page
    line.drift, line.light, line.reasons = (), 1.0, ()
    assert foreign == []
    assert [text for text in complaints if "ERR_" not in text] == []


def drawn(screen: Page) -> list[int]:
    """A coarse print of what the canvas shows."""
    print_of: list[int] = screen.locator("#canvas").evaluate(
        """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, found = [];
        for (let i = 0; i < d.length; i += 40009 * 4) found.push(d[i]); return found; }"""
    )
    return print_of


def test_another_cameras_picture_takes_the_place_of_the_deciding_one(screen: Page, twins: tuple[Any, Any]) -> None:
    line, server = twins
    open_page(screen, server)
    line.judge(Outcome.NG, serial="AX-1")
    outcome_on_screen(screen, "NG")
    keys = screen.locator(".view")
    expect(keys).to_have_count(2, timeout=PATIENCE_MS)
    part = str(line.part)
    expect(screen.locator("#canvas")).to_have_attribute("data-part", part)
    expect(screen.locator("#caption-codes")).to_have_text("SN AX-1")
    expect(keys.nth(0)).to_have_attribute("data-camera", "top")
    expect(keys.nth(0)).to_have_attribute("aria-pressed", "true")
    top = drawn(screen)
    keys.nth(1).tap()
    expect(screen.locator("#mode")).to_have_text("FROZEN")
    expect(keys.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(screen.locator("#caption-part")).to_have_text(f"Part {part} · side")
    assert drawn(screen) != top
    # Parts go on; the frozen one and its other picture stay, also when the server has let go of them.
    for _ in range(12):
        line.judge(Outcome.OK, serial="")
    expect(screen.locator("#n-triggers")).to_have_text(str(line.counters.triggers), timeout=PATIENCE_MS)
    expect(screen.locator("#verdict")).to_have_attribute("data-part", part)
    keys.nth(0).tap()
    expect(keys.nth(0)).to_have_attribute("aria-pressed", "true")
    assert drawn(screen) == top
    keys.nth(1).tap()
    expect(screen.locator("#caption-part")).to_have_text(f"Part {part} · side")
    expect(screen.locator("#picture-empty")).to_be_hidden()
    screen.locator("#key-view").tap()
    expect(screen.locator("#mode")).to_have_text("LIVE")
    expect(screen.locator("#caption-codes")).to_have_text("SN not readable")


def test_a_scanner_finds_a_part_and_the_one_that_bore_its_number_before(screen: Page, twins: tuple[Any, Any]) -> None:
    line, server = twins
    for _ in range(2):
        line.judge(Outcome.NG, serial="SCAN-77")
    first, second = sorted(row.seq for row in LedgerReader(line.store).rows(2, find="SCAN-77"))
    open_page(screen, server, "/rejects/")
    screen.locator("#clock").tap()
    screen.keyboard.type("SCAN-77")
    screen.keyboard.press("Enter")
    expect(screen.locator(".card")).to_have_count(2)
    screen.locator(".card").first.tap()
    expect(screen).to_have_url(re.compile(rf"/rejects/{second}\b"))
    expect(screen.locator(".facts")).to_contain_text("SCAN-77")
    expect(screen.locator(".view")).to_have_count(2)
    top = drawn(screen)
    screen.locator(".view").nth(1).tap()
    expect(screen.locator(".view").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(screen.locator("#canvas")).to_have_attribute("data-overlay", "")
    assert drawn(screen) != top
    screen.get_by_text("read before").last.tap()
    expect(screen).to_have_url(re.compile(rf"/rejects/{first}\b"))


def test_image_page_follows_the_line_and_says_what_has_drifted(screen: Page, twins: tuple[Any, Any]) -> None:
    line, server = twins
    line.judge(Outcome.OK)
    open_page(screen, server, "/image/")
    expect(screen.locator(".chart")).to_have_count(6)
    expect(screen.locator(".drift")).to_contain_text("Nothing has drifted")
    before = screen.locator(".plot-line").nth(1).get_attribute("d")
    line.light, line.drift = 0.8, (LAMP,)
    for _ in range(5):
        line.judge(Outcome.OK)
    expect(screen.locator(".advice-card")).to_have_count(1, timeout=PATIENCE_MS)
    expect(screen.locator(".advice-card")).to_contain_text("Brightness is 81 % of the commissioned")
    expect(screen.locator(".advice-card")).to_contain_text("Clean or replace the lamp")
    expect(screen.locator(".advice-card")).to_contain_text("since 20")
    expect(screen.locator("body")).to_have_attribute("data-drift", "yes")
    expect(screen.locator(".plot-line").nth(1)).not_to_have_attribute("d", str(before), timeout=PATIENCE_MS)
    screen.locator(".image-feet .key").nth(1).tap()
    expect(screen).to_have_url(re.compile("camera=side"))
    open_page(screen, server)
    expect(screen.locator("#advice-what")).to_have_text("Brightness is 81 % of the commissioned")
    line.drift = ()
    expect(screen.locator("#advice")).to_be_hidden(timeout=PATIENCE_MS)


@pytest.mark.parametrize("size", list(SIZES))
def test_pages_of_two_cameras_fit_and_take_a_glove(screen: Page, twins: tuple[Any, Any], size: str) -> None:
    line, server = twins
    screen.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    for _ in range(2):
        line.judge(Outcome.NG, serial="(01)04012345678901(21)A7")
    seq = LedgerReader(line.store).rows(1)[0].seq
    line.drift = (LAMP, MOVED)
    wrong: list[str] = []
    for language in ("en", "zh"):
        open_page(screen, server, "/", language)
        line.judge(Outcome.NG, serial="(01)04012345678901(21)A7")
        outcome_on_screen(screen, "NG")
        expect(screen.locator(".view")).to_have_count(2, timeout=PATIENCE_MS)
        expect(screen.locator("#advice")).to_be_visible()
        wrong += [f"{language} run: {w}" for w in screen.evaluate(CHECKS)]
        line.reasons = ("PLC: TRIG_ENABLE is 0",)
        expect(screen.locator("#band")).to_be_visible()
        wrong += [f"{language} run with alarm: {w}" for w in screen.evaluate(CHECKS)]
        for path in ("/image/", "/image/?camera=side", f"/rejects/{seq}", "/rejects/?find=(01)"):
            open_page(screen, server, path, language)
            wrong += [f"{language} {path} with alarm: {w}" for w in screen.evaluate(CHECKS) if "facts" not in w]
        line.reasons = ()
        expect(screen.locator("#band")).to_be_hidden()
        for path in ("/image/", f"/rejects/{seq}"):
            open_page(screen, server, path, language)
            wrong += [f"{language} {path}: {w}" for w in screen.evaluate(CHECKS)]
    assert wrong == [], "\n".join(wrong)
