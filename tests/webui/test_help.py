"""Help: a page for each screen in both languages, of the same build, without a dead link, offline."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.webui.screens import BY_ID, SCREENS
from okng.webui.watch import Watch

from .page_checks import clipped_texts, small_targets

TEMPLATES = Path(__file__).parents[2] / "webui" / "templates" / "help"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def client(watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch)


@pytest.mark.parametrize("screen", BY_ID)
def test_every_screen_has_a_page_of_the_same_build_in_both_languages(screen: str) -> None:
    english, chinese = ((TEMPLATES / code / f"{screen}.html").read_text(encoding="utf-8") for code in ("en", "zh"))
    for tag in ("<h2>", "<dt>", "<dd>", "<p>", "<li>"):
        assert english.count(tag) == chinese.count(tag), tag
    assert english.count("<p>") + english.count("<dt>") + english.count("<li>") >= 9
    assert english.count("<h2>") >= 3
    assert CHINESE.search(chinese)
    assert not CHINESE.search(english)


def test_no_page_is_left_of_a_screen_that_is_gone() -> None:
    for code in ("en", "zh"):
        assert {path.stem for path in (TEMPLATES / code).glob("*.html")} == set(BY_ID)


def test_help_has_no_dead_link_and_asks_nobody_else(client: FlaskClient) -> None:
    start = client.get("/help").get_data(as_text=True)
    for screen in SCREENS:
        if screen.id != "help":
            assert f'href="/help/{screen.id}"' in start
        page = client.get(f"/help/{screen.id}", follow_redirects=True)
        assert page.status_code == 200
        text = page.get_data(as_text=True)
        assert "http://" not in text.replace("http://www.w3.org", "")
        for link in set(re.findall(r'(?:href|src)="(/[^"#]*)', text)):
            answer = client.get(link.replace("&amp;", "&"))
            # Some screens ask who one is first; none may be missing or broken.
            assert answer.status_code in (200, 302, 303, 308), (screen.id, link, answer.status_code)
    assert client.get("/help/nothing").status_code == 404
    assert client.get("/help/menu").headers["Location"] == "/help"


def test_a_picture_is_shown_only_where_there_is_one(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("okng.webui.help.PICTURES", "img/nowhere")
    assert "help-picture" not in client.get("/help/run").get_data(as_text=True)
    monkeypatch.setattr("okng.webui.help._picture", lambda screen, language: "img/favicon.svg")
    assert "help-picture" in client.get("/help/run").get_data(as_text=True)


@pytest.mark.ui
@pytest.mark.timeout(120)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_help_key_opens_the_page_of_the_screen_one_is_on(page: Page, plant: Any, language: str) -> None:
    _, server = plant
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    page.goto(f"{server.url}/alarms/", wait_until="domcontentloaded")
    page.locator(".nav-help").tap()
    page.wait_for_url("**/help/alarms")
    expect(page.locator("h1")).to_contain_text("Alarms" if language == "en" else "报警")
    assert small_targets(page, 20, 5.0) == []
    assert clipped_texts(page) == []
    page.locator(".page-head .key").first.tap()
    page.wait_for_url("**/alarms/")
