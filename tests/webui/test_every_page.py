"""Every screen, as the person sees it whose work it is: keys large enough, nothing cut off, all of it translated.

English, Chinese and a pseudo-locale that is 40 % longer; two panels and a phone; axe, and nothing from elsewhere.
"""

import importlib.util
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from okng.bus.part import Outcome
from okng.webui.screens import SCREENS, Screen

pytestmark = [pytest.mark.ui, pytest.mark.timeout(400)]
SIZES = {"1280x800": (1280, 800, 5.0), "1920x1080": (1920, 1080, 5.55), "phone": (412, 915, 5.0)}
"""Width, height, and pixels a millimetre."""
PERSON = {"operator": "op", "lead": "lead", "engineer": "eng", "administrator": "admin"}
LEAST_MM = {"operator": 20.0, "lead": 20.0, "engineer": 15.0, "administrator": 15.0}
NAMES = re.compile(
    r"line ?1|magnetic-tile|plate|anomaly|scratch|okng|English|中文|Otto Operator|Lea Lead|Emil Engineer|Ada Admin"
    r"|\b(Otto|Lea|Emil|Ada|Python|Linux)\b"
    r"|CPUExecutionProvider|[0-9a-f]{6,64}|\b(op|lead|eng|admin|top|SN\w*|L-\w+|PDF|CSV|PLC|OEE|NG|OK|UTC|FPS)\b"
)
"""What is data: names, digests, and what is called the same in every language."""


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page_checks", Path(__file__).parent / "page_checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["page_checks"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def filled(people: Any) -> Any:
    """A line with some parts of every kind."""
    people.lot = "L-77"
    for outcome in (Outcome.OK, Outcome.NG, Outcome.OK, Outcome.UNJUDGED, Outcome.NG, Outcome.OK):
        people.judge(outcome, serial=f"SN{people.part:05d}")
    return people


@pytest.fixture
def visit(
    browser: Browser, filled: Any, serve: Any, sign_in: Callable[..., None]
) -> Iterator[Callable[[str, str], Iterator[tuple[Screen, Page]]]]:
    """`visit(language, size)` yields every screen with its page, each seen by the person whose work it is."""
    contexts: list[Any] = []

    def go(language: str, size: str) -> Iterator[tuple[Screen, Page]]:
        width, height, mm = SIZES[size]
        pseudo = {"pseudo": 1} if language == "pseudo" else {}
        server = serve(filled.run_dir, mm=mm, sign_ins_a_minute=1000, **pseudo)
        for group, person in PERSON.items():
            context = browser.new_context(viewport={"width": width, "height": height}, has_touch=True)
            contexts.append(context)
            code = "en" if language == "en" else "zh"
            context.add_cookies([{"name": "okng-language", "value": code, "url": server.url}])
            page = context.new_page()
            sign_in(page, person, server.url)
            for screen in SCREENS:
                if screen.group == group and (path := PATHS.get(screen.id)):
                    page.goto(server.url + path, wait_until="commit")
                    page.wait_for_load_state("domcontentloaded")
                    page.wait_for_timeout(350)
                    yield screen, page
            context.close()

    yield go
    for context in contexts:
        context.close()


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
    "admin": "/admin",
    "help": "/help",
    "access": "/sign-in",
}


def test_every_screen_has_its_path() -> None:
    assert set(PATHS) == {screen.id for screen in SCREENS}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "zh", "pseudo"])
def test_every_page_holds(language: str, size: str, visit: Any, checks: ModuleType) -> None:
    bad: list[str] = []
    seen = 0
    listeners: dict[int, Any] = {}
    for screen, page in visit(language, size):
        if id(page) not in listeners:
            listeners[id(page)] = checks.Listener(page, "/".join(page.url.split("/")[:3]))
        seen += 1
        found = [*checks.clipped_texts(page), *checks.doubled_ids(page)]
        if size != "phone":
            found += checks.small_targets(page, LEAST_MM[screen.group], SIZES[size][2])
        if language == "pseudo":
            found += checks.untranslated_texts(page, NAMES)
        if language != "pseudo" and size == "1280x800":
            found += checks.axe_problems(page)
        found += listeners[id(page)].take()
        if page.locator("h1, #verdict-word").count() == 0:
            found.append("has no heading")
        bad += [f"{screen.id}: {one}" for one in found]
    assert seen == len(PATHS)  # none is left out
    assert not bad, f"{len(bad)} on {language} {size}:\n" + "\n".join(bad)


def test_a_page_that_stands_still_says_so_in_both_languages(
    visit: Any, filled: Any, page: Page, serve: Any, sign_in: Callable[..., None]
) -> None:
    """The heartbeat stops: every page greys within three seconds and says that it does not update."""
    server = serve(filled.run_dir, sign_ins_a_minute=1000)
    sign_in(page, "eng", server.url)
    for path in ("/", "/alarms", "/diagnostics"):
        page.goto(server.url + path, wait_until="commit")
        page.wait_for_function("document.body.dataset.inspecting !== 'unknown'")
    server.process.send_signal(19)  # SIGSTOP
    for child in _children(server.process.pid):
        _stop(child)
    begun = time.monotonic()
    page.locator("body.is-stale").wait_for(timeout=8000)
    assert time.monotonic() - begun < 6  # three seconds and a frame, on a machine that is busy
    for child in _children(server.process.pid):
        _go(child)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


def _stop(pid: int) -> None:
    import os
    import signal

    os.kill(pid, signal.SIGSTOP)


def _go(pid: int) -> None:
    import os
    import signal

    os.kill(pid, signal.SIGCONT)
