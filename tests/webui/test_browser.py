"""The screens in Debian's Chromium, over a made-up line and the real web process."""

import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from okng.bus.part import Outcome
from okng.records.read import LedgerReader

pytestmark = [pytest.mark.ui, pytest.mark.timeout(120)]
SIZES = {"panel": {"width": 1280, "height": 800}, "monitor": {"width": 1920, "height": 1080}}
PATIENCE_MS = 20_000
CHECKS = """() => {
  const wrong = [];
  const mm = parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--mm'));
  const shown = (e) => e.checkVisibility() && e.getBoundingClientRect().width > 0;
  const name = (e) => `${e.tagName}.${e.className} #${e.id} "${(e.textContent || '').trim().slice(0, 30)}"`;
  for (const e of document.querySelectorAll('button, a, input:not([type=hidden]), select, [role=button]')) {
    if (!shown(e)) continue;
    const box = e.getBoundingClientRect();
    if (Math.min(box.width, box.height) < 20 * mm - 0.5) {
      wrong.push(`small ${box.width.toFixed(0)}x${box.height.toFixed(0)}: ${name(e)}`);
    }
    const rolls = e.closest('.cards, .sheet, .page-body, .help');
    if (!rolls && (box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5)) {
      wrong.push('outside: ' + name(e));
    }
  }
  for (const e of document.querySelectorAll('body *')) {
    if (!shown(e) || e.closest('svg, canvas') || ['STAGE'].includes(e.tagName)) continue;
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (text && parseFloat(getComputedStyle(e).fontSize) < 20) wrong.push('letters below 20 px: ' + name(e));
    if (text && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline') {
      wrong.push(`clipped ${e.scrollWidth} > ${e.clientWidth}: ${name(e)}`);
    }
  }
  const lines = '.verdict-action, .verdict-reason, .band-what, .band-todo, .tile-tag, .view-tag';
  for (const e of document.querySelectorAll(lines + ', .advice-what, .advice-todo')) {
    if (e.scrollWidth > e.clientWidth + 1) wrong.push(`cut ${e.scrollWidth} > ${e.clientWidth}: ${name(e)}`);
    if (e.scrollHeight > e.clientHeight + 8) wrong.push(`cut off below: ${name(e)}`);
  }
  for (const e of document.querySelectorAll('.side, .verdict, .facts, .top, .counters, .filters, .moves, .nav' +
      ', .drift, .charts, .chart, .image-feet')) {
    // What a finger can scroll is not lost.
    const high = e.scrollHeight > e.clientHeight + 2 && !['auto', 'scroll'].includes(getComputedStyle(e).overflowY);
    if (high) wrong.push(`too high ${e.scrollHeight} > ${e.clientHeight}: ${name(e)}`);
    if (e.scrollWidth > e.clientWidth + 2) wrong.push(`too wide ${e.scrollWidth} > ${e.clientWidth}: ${name(e)}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page scrolls sideways');
  return wrong;
}"""


@pytest.fixture
def screen(page: Page, plant: tuple[Any, Any]) -> Iterator[Page]:
    """A page that must not ask anybody else, nor log an error."""
    _, server = plant
    foreign: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda r: None if r.url.startswith((server.url, "blob:", "data:")) else foreign.append(r.url))

    def complain(message: ConsoleMessage) -> None:
        # A page that does not exist is asked for on purpose; the browser logs its 404.
        if message.type in ("error", "warning") and not message.location["url"].endswith("/nowhere"):
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.set_default_timeout(PATIENCE_MS)
    yield page
    assert foreign == []
    assert [text for text in complaints if "ERR_" not in text and "50" not in text] == []


def open_page(page: Page, server: Any, path: str = "/", language: str = "en") -> None:
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    page.goto(server.url + path, wait_until="domcontentloaded")
    # What is judged while nobody watches has no picture, so the page has to be there first.
    expect(page.locator("#clock")).not_to_have_text("--:--:--", timeout=PATIENCE_MS)


def outcome_on_screen(page: Page, outcome: str) -> None:
    expect(page.locator("#verdict")).to_have_attribute("data-outcome", outcome, timeout=PATIENCE_MS)


def test_verdict_comes_to_the_screen_with_its_picture_and_heat_map(screen: Page, plant: tuple[Any, Any]) -> None:
    line, server = plant
    open_page(screen, server)
    line.judge(Outcome.OK)
    outcome_on_screen(screen, "OK")
    expect(screen.locator("#verdict-word")).to_have_text("OK")
    expect(screen.locator("#verdict-action")).to_have_text("PASS")
    line.judge(Outcome.NG, score=7.12)
    outcome_on_screen(screen, "NG")
    part = str(line.part)
    expect(screen.locator("#verdict")).to_have_attribute("data-part", part)
    expect(screen.locator("#canvas")).to_have_attribute("data-part", part)
    expect(screen.locator("#canvas")).to_have_attribute("data-overlay", part)
    expect(screen.locator("#verdict-action")).to_have_text("REJECT")
    expect(screen.locator("#verdict-reason")).to_contain_text("7.12")
    expect(screen.locator("#score")).to_have_text("7.12")
    expect(screen.locator("#mode")).to_have_text("LAST NG")
    size = screen.locator("#verdict-word").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 120
    # Held so that a person sees why, then live again.
    line.judge(Outcome.OK)
    expect(screen.locator("#mode")).to_have_text("LIVE", timeout=PATIENCE_MS)
    outcome_on_screen(screen, "OK")
    counted = screen.locator("#n-triggers")
    expect(counted).to_have_text(str(line.counters.triggers))
    expect(screen.locator("#balance")).to_contain_text("balances")
    expect(screen.locator("#film a.tile").first).to_have_attribute("href", f"/rejects/part/{part}")
    # The picture is really drawn: neither blank nor one colour.
    drawn = """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let low = 255, high = 0; for (let i = 0; i < d.length; i += 4001 * 4)
        { low = Math.min(low, d[i]); high = Math.max(high, d[i]); } return high - low; }"""
    assert screen.locator("#canvas").evaluate(drawn) > 60
    # A part without a picture is shown as such, not over the picture before.
    line.judge(Outcome.UNJUDGED, with_picture=False)
    outcome_on_screen(screen, "UNJUDGED")
    expect(screen.locator("#picture-empty")).to_be_visible()
    expect(screen.locator("#canvas")).to_have_attribute("data-part", "")


def test_picture_overlay_and_verdict_never_part(screen: Page, plant: tuple[Any, Any]) -> None:
    line, server = plant
    open_page(screen, server)
    screen.evaluate("""() => { window.seen = [];
      const look = () => { const c = document.getElementById('canvas').dataset;
        const v = document.getElementById('verdict').dataset;
        window.seen.push([c.part || '', c.overlay || '', v.part || '',
          document.getElementById('caption-part').textContent]);
        requestAnimationFrame(look); }; look(); }""")
    until = time.monotonic() + 4
    while time.monotonic() < until:
        line.judge(Outcome.NG if line.part % 3 == 0 else Outcome.OK)
        time.sleep(0.06)
    seen = screen.evaluate("window.seen")
    parts = {part for part, *_ in seen if part}
    assert len(parts) >= 3
    for picture, overlay, verdict, caption in seen:
        if picture:
            assert picture == verdict
            assert f"Part {verdict} " in caption
        if overlay:
            assert overlay == picture


def test_touching_the_picture_freezes_it(screen: Page, plant: tuple[Any, Any]) -> None:
    line, server = plant
    open_page(screen, server)
    line.judge(Outcome.OK)
    part = str(line.part)
    expect(screen.locator("#verdict")).to_have_attribute("data-part", part, timeout=PATIENCE_MS)
    screen.locator("#picture").tap()
    expect(screen.locator("#mode")).to_have_text("FROZEN")
    line.judge(Outcome.OK)
    expect(screen.locator("#n-triggers")).to_have_text(str(line.counters.triggers), timeout=PATIENCE_MS)
    expect(screen.locator("#verdict")).to_have_attribute("data-part", part)
    screen.locator("#picture").tap()
    expect(screen.locator("#mode")).to_have_text("LIVE")
    expect(screen.locator("#verdict")).to_have_attribute("data-part", str(line.part), timeout=PATIENCE_MS)
    screen.locator("#key-overlay").tap()
    expect(screen.locator("#key-overlay")).to_have_attribute("aria-pressed", "false")
    expect(screen.locator("#canvas")).to_have_attribute("data-overlay", "")
    line.judge(Outcome.NG)
    outcome_on_screen(screen, "NG")
    screen.locator("#key-zoom").tap()
    expect(screen.locator("#key-zoom")).to_have_text("Whole picture")
    assert scaled(screen, lambda scale: scale > 2)
    screen.locator("#key-zoom").tap()
    assert scaled(screen, lambda scale: scale < 1.01)


def scaled(screen: Page, fits: Callable[[float], bool]) -> bool:
    """True once the picture is drawn at a scale that fits: the transform is set with the browser's next frame."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while time.monotonic() < end:
        if fits(screen.locator("#canvas").evaluate("c => c.getBoundingClientRect().width / c.offsetWidth")):
            return True
        time.sleep(0.02)
    return False


def to_last_ng(screen: Page) -> None:
    """Press the key until the last NG is shown.

    The key toggles. The parts' news come by several sockets, so an NG may still come after the part behind it: then it
    stands as LAST NG by itself for a while, and one press in that very moment leads back to LIVE.
    """
    expect(screen.locator("#mode")).to_have_text("LIVE", timeout=PATIENCE_MS)
    screen.locator("#key-view").tap()
    if not settles(screen, "LAST NG"):
        screen.locator("#key-view").tap()
    expect(screen.locator("#mode")).to_have_text("LAST NG")


def settles(screen: Page, mode: str) -> bool:
    """True when the mode is shown within two seconds and is still half a second later."""
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        if screen.locator("#mode").inner_text() == mode:
            time.sleep(0.5)
            return screen.locator("#mode").inner_text() == mode
        time.sleep(0.05)
    return False


def test_last_ng_comes_from_the_ledger_after_a_restart(screen: Page, plant: tuple[Any, Any]) -> None:
    line, server = plant
    line.judge(Outcome.NG)
    part = str(line.part)
    line.judge(Outcome.OK)
    open_page(screen, server)
    to_last_ng(screen)
    expect(screen.locator("#verdict")).to_have_attribute("data-part", part)
    expect(screen.locator("#canvas")).to_have_attribute("data-part", part)
    screen.locator("#key-view").tap()
    expect(screen.locator("#mode")).to_have_text("LIVE")


@pytest.mark.parametrize("size", list(SIZES))
def test_every_page_fits_and_every_target_takes_a_glove(screen: Page, plant: tuple[Any, Any], size: str) -> None:
    line, server = plant
    screen.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    line.judge(Outcome.UNJUDGED, with_picture=False)
    line.judge(Outcome.NG)
    seqs = {row.outcome: row.seq for row in LedgerReader(line.store).rows(20)}
    wrong: list[str] = []
    for language in ("en", "zh"):
        open_page(screen, server, "/", language)
        for outcome, picture in ((Outcome.OK, True), (Outcome.NG, True), (Outcome.UNJUDGED, False)):
            line.judge(outcome, with_picture=picture)
            outcome_on_screen(screen, outcome)
            expect(screen.locator("#verdict-action")).not_to_have_text("")
            wrong += [f"{language} run {outcome}: {w}" for w in screen.evaluate(CHECKS)]
        line.reasons = ("PLC: TRIG_ENABLE is 0", "PLC: JOB_EXEC is 1, a job change is under way")
        expect(screen.locator("#band")).to_be_visible()
        wrong += [f"{language} alarm: {w}" for w in screen.evaluate(CHECKS)]
        line.reasons = ()
        expect(screen.locator("#band")).to_be_hidden()
        for path in (
            "/rejects/",
            "/image/",
            f"/rejects/{seqs['NG']}",
            f"/rejects/{seqs['UNJUDGED']}",
            "/help",
            "/nowhere",
        ):
            open_page(screen, server, path, language)
            wrong += [f"{language} {path}: {w}" for w in screen.evaluate(CHECKS)]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    ("language", "title", "is_inspecting"),
    [("en", "Display not updating", "The line is inspecting"), ("zh", "画面未更新", "产线正在检测")],
)
def test_frozen_display_says_so(
    screen: Page, plant: tuple[Any, Any], language: str, title: str, is_inspecting: str
) -> None:
    line, server = plant
    open_page(screen, server, "/", language)
    line.judge(Outcome.OK)
    outcome_on_screen(screen, "OK")
    expect(screen.locator("body")).to_have_attribute("data-inspecting", "yes")
    expect(screen.locator("#stale")).to_be_hidden()
    pids = [int(pid) for pid in worker_of(server)]
    for pid in pids:
        send(pid, signal.SIGSTOP)
    try:
        expect(screen.locator("#stale-title")).to_have_text(title, timeout=6000)
        expect(screen.locator("#stale-text")).to_contain_text(is_inspecting)
        dimmed = screen.locator("main").evaluate("e => getComputedStyle(e).filter")
        assert "grayscale(1)" in dimmed
    finally:
        for pid in pids:
            send(pid, signal.SIGCONT)
    expect(screen.locator("#stale")).to_be_hidden(timeout=PATIENCE_MS)
    line.judge(Outcome.OK)
    expect(screen.locator("#verdict")).to_have_attribute("data-part", str(line.part), timeout=PATIENCE_MS)


def worker_of(server: Any) -> list[str]:
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(children, encoding="ascii") as handle:  # noqa: PTH123
        return handle.read().split()


def send(pid: int, number: int) -> None:
    import os

    os.kill(pid, number)


@pytest.mark.parametrize(("language", "what"), [("en", "The inspection does not answer"), ("zh", "检测进程无响应")])
def test_living_web_over_a_dead_inspect_says_not_inspecting(
    screen: Page, plant: tuple[Any, Any], language: str, what: str
) -> None:
    line, server = plant
    open_page(screen, server, "/", language)
    expect(screen.locator("body")).to_have_attribute("data-inspecting", "yes")
    line.dead.add("inspect")
    try:
        expect(screen.locator("#band-what")).to_have_text(what, timeout=PATIENCE_MS)
        expect(screen.locator("body")).to_have_attribute("data-inspecting", "no")
        expect(screen.locator("#state-word")).to_have_text("NOT READY" if language == "en" else "未就绪")
        expect(screen.locator("#stale")).to_be_hidden()
        assert float(screen.locator("#verdict").evaluate("e => getComputedStyle(e).opacity")) < 0.6
    finally:
        line.dead.discard("inspect")
    expect(screen.locator("#band")).to_be_hidden(timeout=PATIENCE_MS)


def test_gallery_scrolls_filters_and_opens(screen: Page, plant: tuple[Any, Any]) -> None:
    line, server = plant
    for _ in range(30):
        line.judge(Outcome.NG)
    newest = LedgerReader(line.store).rows(1)[0]
    open_page(screen, server, "/rejects/")
    cards = screen.locator(".card")
    assert cards.count() >= 24
    box = cards.first.locator(".card-picture").bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 160
    screen.locator("#cards").evaluate("e => e.scrollTo(0, e.scrollHeight)")
    expect(cards.nth(28)).to_be_attached(timeout=PATIENCE_MS)
    screen.get_by_label("Part or serial number").fill(str(newest.part))
    screen.get_by_role("button", name="Find").tap()
    expect(cards).to_have_count(1)
    cards.first.tap()
    expect(screen).to_have_url(re.compile(rf"/rejects/{newest.seq}\b"))
    expect(screen.locator("#canvas")).to_have_attribute("data-overlay", str(newest.part))
    screen.locator("#key-overlay").tap()
    expect(screen.locator("#canvas")).to_have_attribute("data-overlay", "")
    screen.get_by_text("Older").tap()
    expect(screen).to_have_url(re.compile(rf"/rejects/{newest.seq - 1}\b"))
    screen.locator(".nav-menu").tap()
    screen.get_by_role("button", name="中文").tap()
    expect(screen.locator("html")).to_have_attribute("lang", "zh-CN")
    open_page(screen, server, f"/rejects/{newest.seq - 1}", "zh")
    expect(screen.locator(".facts")).to_contain_text("序列号" if newest.serial else "工件")


def test_too_many_screens_say_so(context: BrowserContext, line: Any, serve: Any) -> None:
    server = serve(line.run_dir, max_streams=1)
    first, second = context.new_page(), context.new_page()
    open_page(first, server)
    second.goto(server.url, wait_until="domcontentloaded")
    second.bring_to_front()
    expect(second.locator("#stale-text")).to_contain_text("Too many screens", timeout=PATIENCE_MS)
    first.close()
    expect(second.locator("#stale")).to_be_hidden(timeout=30_000)
