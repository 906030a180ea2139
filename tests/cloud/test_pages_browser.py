"""The pages in the real Chromium: nothing is cut off, nothing asks another host, the review is done by the keyboard."""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from okng.cloud.database import reading, writing
from okng.cloud.tables_rollout import LineRings, Review

from ..webui.conftest import ARGS, CHROMIUM, free_port
from ..webui.page_checks import Listener, clipped_texts, doubled_ids, stray_colours
from . import pages_room as room
from . import pages_scene
from .rig import Rig, rig

there = Path(CHROMIUM).exists() or os.environ.get("CI") == "true"
pytestmark = [
    pytest.mark.ui,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not there, reason=f"needs Debian's chromium ({CHROMIUM})"),
]
SCREENS = {
    "fleet": "/",
    "box": "/boxes/press-3-0a1b2c3d",
    "halted": "/boxes/press-5-0a1b2c3d",
    "enrol": "/enrol",
    "yield": "/yield",
    "hours": "/yield?by=hour",
    "drift": "/drift?figure=focus",
    "rollouts": "/rollouts",
    "rings": "/lines/line7/rings",
    "review": "/review",
    "trace": "/trace?serial=SN00001*",
    "causes": "/trace",
    "deeds": "/deeds?check=1",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str]]:
    """The scene, served on loopback."""
    folder, port = tmp_path_factory.mktemp("pages"), free_port()
    url = f"http://127.0.0.1:{port}"
    with rig(pages_scene.with_channel(folder, address=url), folder) as made:
        with writing(made.service.engine) as db:
            room.add_person(db, "ada", "admin")
        pages_scene.build(made)
        server = make_server("127.0.0.1", port, made.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield made, url
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """Chromium, ended with this file: its loop would run on for all tests after."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


def context_of(chrome: Browser, made: Rig, url: str, language: str, size: tuple[int, int]) -> BrowserContext:
    """A window of somebody who is signed in."""
    context = chrome.new_context(viewport={"width": size[0], "height": size[1]}, timezone_id="Europe/Berlin")
    cookie = room.signed_in(made, "ada").get_cookie("okng-fleet", "127.0.0.1", "/")
    assert cookie is not None
    context.add_cookies(
        [
            {"name": "okng-fleet", "value": cookie.value, "url": url},
            {"name": "okng-fleet-language", "value": language, "url": url},
        ]
    )
    return context


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_cuts_a_text_or_asks_elsewhere(
    served: tuple[Rig, str], chrome: Browser, language: str, size: tuple[int, int]
) -> None:
    made, url = served
    context = context_of(chrome, made, url, language, size)
    page = context.new_page()
    heard, bad = Listener(page, url), []
    folder = os.environ.get("OKNG_SCREENSHOTS")
    for name, path in SCREENS.items():
        page.goto(url + path, wait_until="load")
        expect(page.locator("#clock")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        found = heard.take() + clipped_texts(page) + doubled_ids(page)
        found += stray_colours(page) if name in ("fleet", "rollouts") else []
        bad += [f"{name}: {one}" for one in found]
        if folder:
            page.screenshot(path=str(Path(folder) / f"{name}-{language}-{size[0]}.png"))
    context.close()
    assert bad == []


def test_the_review_is_done_by_the_keyboard(served: tuple[Rig, str], chrome: Browser) -> None:
    made, url = served
    context = context_of(chrome, made, url, "en", (1280, 800))
    page = context.new_page()
    heard = Listener(page, url)
    page.goto(url + "/review")
    waits = int(re.findall(r"(\d+) wait for you", page.inner_text("#review"))[0])
    for left, key in ((1, "g"), (2, "d"), (3, "u")):
        part = page.input_value("#review input[name=part]")
        page.keyboard.press(key)
        expect(page.locator("#review")).to_contain_text(f"{waits - left} wait for you")
        assert page.input_value("#review input[name=part]") != part
    page.keyboard.press("z")
    expect(page.locator("#review input[name=part]")).to_have_value(part)
    expect(page.locator("#review")).to_contain_text("Said before")
    assert heard.take() == []
    with reading(made.service.engine) as db:
        assert sorted(one.truth for one in db.query(Review)) == ["defect", "good", "unsure"]
    context.close()


def test_the_red_button_is_one_touch(served: tuple[Rig, str], chrome: Browser) -> None:
    made, url = served
    context = context_of(chrome, made, url, "en", (1280, 800))
    page = context.new_page()
    page.goto(url + "/rollouts")
    page.click("#halt-all")
    expect(page.locator("main")).to_contain_text("All rollouts are halted")
    with reading(made.service.engine) as db:
        rows = db.query(LineRings).all()
        assert len(rows) == 3
        assert all(row.halted for row in rows)
    page.fill("form[action='/rollouts/resume'] input[name=reason]", "it was steam")
    page.click("form[action='/rollouts/resume'] button")
    expect(page.locator("#halt-all")).to_be_visible()
    context.close()


def test_the_page_of_boxes_renews_itself_and_says_when_it_cannot(served: tuple[Rig, str], chrome: Browser) -> None:
    made, url = served
    context = context_of(chrome, made, url, "en", (1280, 800))
    page: Page = context.new_page()
    page.clock.install()
    page.goto(url + "/")
    with writing(made.service.engine) as db:
        room.add_box(db, "fresh", "Fresh from the box", "line9", seen_at=None)
    page.clock.run_for(16_000)
    expect(page.locator("#boxes")).to_contain_text("Fresh from the box")
    context.route("**/*", lambda route: route.abort())
    page.clock.run_for(16_000)
    expect(page.locator("#stale")).to_be_visible()
    told: Any = page.locator("time").first.inner_text()
    assert "UTC" not in told  # written in the viewer's zone
    context.close()
