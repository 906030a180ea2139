"""Every screen, as the person sees it whose work it is: keys large enough, nothing cut off, all of it translated.

English, Chinese and a pseudo-locale that is 40 % longer; two panels and a phone; axe, and nothing from elsewhere.
"""

import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from okng.bus.part import Outcome
from okng.webui.screens import SCREENS

from . import page_checks as checks

pytestmark = [pytest.mark.ui, pytest.mark.timeout(400)]
SIZES = {"1280x800": (1280, 800, 5.0), "1920x1080": (1920, 1080, 5.55), "phone": (412, 915, 5.0)}
"""Width, height, and pixels a millimetre."""
FIRST = "1280x800"
"""As a page is loaded; the others are turned to."""
PERSON = {"operator": "op", "lead": "lead", "engineer": "eng", "administrator": "admin"}
LEAST_MM = {"operator": 20.0, "lead": 20.0, "engineer": 15.0, "administrator": 15.0}
NAMES = re.compile(
    r"line ?1|magnetic-tile|plate|anomaly|scratch|okng|English|中文|Otto Operator|Lea Lead|Emil Engineer|Ada Admin"
    r"|\b(Otto|Lea|Emil|Ada|Python|Linux)\b"
    r"|CPUExecutionProvider|[0-9a-f]{6,64}|\b(op|lead|eng|admin|top|SN\w*|L-\w+|PDF|CSV|PLC|OEE|NG|OK|UTC|FPS)\b"
)
"""What is data: names, digests, and what is called the same in every language."""


@pytest.fixture(scope="module")
def filled(feed: ModuleType) -> Iterator[Any]:
    """A line with some parts of every kind."""
    with tempfile.TemporaryDirectory(prefix="okw", dir="/tmp") as name:
        folder = Path(name)
        made = feed.Line(folder, folder / "store")
        made.start()
        made.add_people()
        made.lot = "L-77"
        for outcome in (Outcome.OK, Outcome.NG, Outcome.OK, Outcome.UNJUDGED, Outcome.NG, Outcome.OK):
            made.judge(outcome, serial=f"SN{made.part:05d}")
        yield made
        made.close()


@dataclass(frozen=True)
class Look:
    """Who looks at which page, at what size, in which language."""

    page: Page
    listener: checks.Listener
    id: str
    least_mm: float
    """How large its targets are."""

    def turn_to(self, size: str) -> None:
        """Lay the page out anew, as on a panel of that size."""
        width, height, mm = SIZES[size]
        self.page.set_viewport_size({"width": width, "height": height})
        found = self.page.evaluate(
            "async mm => { const root = document.documentElement; root.style.setProperty('--mm', `${mm}px`); "
            "await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))); "
            "return [innerWidth, innerHeight, getComputedStyle(root).getPropertyValue('--mm')]; }",
            mm,
        )
        assert found == [width, height, f"{mm:g}px"]


Visit = Callable[..., Iterator[Look]]


@pytest.fixture
def visit(browser: Browser, filled: Any, serve: Any, sign_in: Callable[..., None]) -> Visit:
    """`visit(language)` yields every page, each as seen by the person whose work it is, at the first of `SIZES`."""

    def go(language: str, theme: str = "light") -> Iterator[Look]:
        width, height, mm = SIZES[FIRST]
        pseudo = {"pseudo": 1} if language == "pseudo" else {}
        server = serve(filled.run_dir, mm=mm, sign_ins_a_minute=1000, alone=1, **pseudo)
        chosen = {"okng-language": "en" if language == "en" else "zh", "okng-theme": theme}
        for group, person in PERSON.items():
            context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True)
            context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in chosen.items()])
            page = context.new_page()
            listener = checks.Listener(page, server.url)
            sign_in(page, person, server.url)
            for name, path in pages_of(group).items():
                page.set_viewport_size({"width": width, "height": height})
                page.goto(server.url + path, wait_until="domcontentloaded")
                page.wait_for_load_state("domcontentloaded")
                page.locator("body:not([data-inspecting=unknown])").wait_for()
                if name == "run":
                    filled.judge(Outcome.NG, serial=f"SN{filled.part:05d}")
                    page.locator("#verdict[data-outcome=NG]").wait_for()
                page.locator(".top-station[title]").wait_for()
                page.wait_for_timeout(100)
                yield Look(page, listener, name, LEAST_MM["operator" if name.startswith("menu") else group])
            context.close()

    return go


def pages_of(group: str) -> dict[str, str]:
    """Name and path of the screens of that group, of their other pages, and of the menu as this person sees it."""
    own = {screen.id: PATHS[screen.id] for screen in SCREENS if screen.group == group}
    return {**own, **MORE[group], f"menu of {group}": "/menu"}


PATHS = {
    "run": "/",
    "rejects": "/rejects/",
    "confirm": "/confirm",
    "missed": "/missed",
    "challenge": "/challenge",
    "change": "/change-over",
    "trends": "/trends",
    "alarms": "/alarms",
    "image": "/image",
    "report": "/report",
    "study": "/study",
    "teach": "/teach",
    "camera": "/camera",
    "regions": "/regions",
    "timing": "/timing",
    "plc": "/plc",
    "models": "/models",
    "labelling": "/labelling",
    "diagnostics": "/diagnostics",
    "fleet": "/fleet",
    "admin": "/admin",
    "help": "/help",
    "access": "/sign-in",
}


MORE = {
    "operator": {
        "part": "/rejects/2",
        "history of a part": "/rejects/2/history",
        "help of run": "/help/run",
        "history": "/alarms?tab=history",
    },
    "lead": {"bypass": "/bypass", "samples": "/challenge/samples", "tests": "/challenge/history"},
    "engineer": {"how models climb": "/ladder/", "drawing": "/labelling/2", "golden": "/rejects/2/golden"},
    "administrator": {
        "users": "/admin/users",
        "user": "/admin/users/op",
        "new user": "/admin/users/new",
        "roles": "/admin/roles",
        "settings": "/admin/settings",
        "certificate": "/admin/certificate",
        "storage": "/admin/storage",
        "display": "/admin/display",
        "programs": "/admin/programs",
        "audit": "/admin/audit",
    },
}
"""Pages that are no screen of their own."""


def test_every_screen_has_its_path() -> None:
    assert set(PATHS) == {screen.id for screen in SCREENS}


def holds(look: Look, language: str, size: str) -> list[str]:
    """What does not hold on the page one is on."""
    page = look.page
    found = [*checks.clipped_texts(page), *checks.doubled_ids(page), *checks.stray_colours(page)]
    found += checks.slow_or_heavy(page, most_js_kb=150, most_paint_ms=10_000)
    if size != "phone":
        found += checks.small_targets(page, look.least_mm, SIZES[size][2])
        if look.id.startswith("menu"):
            found += checks.has_to_be_scrolled(page, ".menu")
    if language == "pseudo":
        found += checks.untranslated_texts(page, NAMES)
    else:
        found += checks.broken_words(page)
        found += checks.axe_problems(page) if size == FIRST else []
    if page.locator("h1").count() == 0:
        found.append("has no heading")
    return found


@pytest.mark.parametrize("language", ["en", "zh", "pseudo"])
def test_every_page_holds_at_every_size(language: str, visit: Visit) -> None:
    assert_holds(visit(language), language, tuple(SIZES))


def test_every_page_holds_at_night(visit: Visit) -> None:
    assert_holds(visit("en", "night"), "en", (FIRST,))


def assert_holds(looks: Iterator[Look], language: str, sizes: tuple[str, ...]) -> None:
    assert sizes[0] == FIRST
    bad: list[str] = []
    seen = 0
    for look in looks:
        for size in sizes:
            if size != FIRST:
                look.turn_to(size)
            found = [*holds(look, language, size), *look.listener.take()]
            bad += [f"{look.id} at {size}: {one}" for one in found]
        seen += 1
    assert seen == sum(len(pages_of(group)) for group in PERSON)  # none is left out
    assert not bad, f"{len(bad)} in {language}:\n" + "\n".join(bad)


def test_a_page_that_stands_still_says_so_in_both_languages(
    filled: Any, page: Page, serve: Any, sign_in: Callable[..., None]
) -> None:
    """The heartbeat stops: every page greys within three seconds and says that it does not update."""
    server = serve(filled.run_dir, sign_ins_a_minute=1000)
    sign_in(page, "eng", server.url)
    for path in ("/", "/alarms", "/diagnostics"):
        page.goto(server.url + path, wait_until="domcontentloaded")
        page.locator("body:not([data-inspecting=unknown])").wait_for()
    stopped = [server.process.pid, *_children(server.process.pid)]
    _tell(stopped, signal.SIGSTOP)
    begun = time.monotonic()
    page.locator("body.is-stale").wait_for(timeout=8000)
    assert time.monotonic() - begun < 6  # three seconds and a frame, on a machine that is busy
    _tell(stopped, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _tell(pids: list[int], what: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, what)
