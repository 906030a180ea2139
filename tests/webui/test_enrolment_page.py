"""The Fleet screen: a person lets the box join by a large code and its fingerprint, and is told when it is done.

The line is made up, the process sync and the fleet service are real. OKNG_SHOTS=FOLDER keeps pictures.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ..fleet.box_side import BoxSide, box_side
from ..fleet.fault_proxy import kind
from ..fleet.fleet_service import FleetService, fleet_service

pytestmark = pytest.mark.timeout(240)
SIZES = ((1280, 800), (1920, 1080))


@pytest.fixture(scope="module")
def service() -> Iterator[FleetService]:
    """The fleet service."""
    with fleet_service("") as found:
        yield found


@pytest.fixture
def box(service: FleetService, plant: tuple[Any, Any]) -> Iterator[BoxSide]:
    """The process sync beside the line that the screens are served for."""
    line, _ = plant
    with box_side(service, leaves="records", every_s=1) as made:
        made.run_dir.rmdir()
        made.run_dir.symlink_to(line.run_dir)
        made.start()
        made.ask("fleet.look", wait_s=30)
        yield made
    service.proxy.fate, service.proxy.down = kind, False


def shot(page: Page, name: str) -> None:
    """Keep a picture in both sizes, if somebody wants them; the page must fit either way."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(50)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, (name, width)
        if folder := os.environ.get("OKNG_SHOTS"):
            page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"))


def open_page(browser: Browser, url: str, language: str, sign_in: Callable[..., None]) -> Page:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, has_touch=True)
    context.add_cookies([{"name": "okng-language", "value": language, "url": url}])
    page = context.new_page()
    sign_in(page, "eng", url)
    page.goto(f"{url}/fleet", wait_until="domcontentloaded")
    return page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_person_lets_the_box_join_and_sees_how_it_stands(
    browser: Browser,
    plant: tuple[Any, Any],
    box: BoxSide,
    service: FleetService,
    sign_in: Callable[..., None],
    language: str,
) -> None:
    _, server = plant
    page = open_page(browser, server.url, language, sign_in)
    shot(page, f"none-{language}")
    page.locator("form[action='/fleet/join'] button").tap()
    code = page.locator("#code")
    expect(code).to_be_visible(timeout=15_000)
    expect(code).to_have_text(re.compile(r"^[2-9A-Z]{4}-[2-9A-Z]{4}$"))
    height = code.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
    assert height >= 60, "read across a room"
    typed, print_ = str(code.text_content()), str(page.locator(".fleet-print").text_content()).replace(" ", "")
    shot(page, f"waiting-{language}")
    name = service.approve(typed.lower(), print_)
    expect(page.locator(".fleet-facts")).to_contain_text(name, timeout=15_000)
    shot(page, f"enrolled-{language}")
    service.proxy.down = True
    box.happen(7)
    expect(page.locator(".fleet-owed")).to_be_visible(timeout=20_000)
    words = "does not answer" if language == "en" else "没有应答"
    expect(page.locator("#standing .notice")).to_contain_text(words, timeout=20_000)
    shot(page, f"away-{language}")
    page.context.close()


def test_a_box_that_was_put_out_is_told_so_and_may_join_again(
    browser: Browser, plant: tuple[Any, Any], service: FleetService, sign_in: Callable[..., None]
) -> None:
    line, server = plant
    with box_side(service, every_s=1) as box:
        box.run_dir.rmdir()
        box.run_dir.symlink_to(line.run_dir)
        box.enrol()
        service.retire(box.box)
        box.happen(3)
        box.start()
        page = open_page(browser, server.url, "en", sign_in)
        expect(page.locator("#standing .notice.bad")).to_contain_text("taken out of the fleet", timeout=30_000)
        shot(page, "put-out-en")
        page.locator("form[action='/fleet/join'] button").tap()
        expect(page.locator("#code")).to_be_visible(timeout=15_000)
        page.context.close()


def test_an_operator_does_not_see_it(browser: Browser, plant: tuple[Any, Any], sign_in: Callable[..., None]) -> None:
    _, server = plant
    context = browser.new_context(viewport={"width": 1280, "height": 800}, has_touch=True)
    page = context.new_page()
    sign_in(page, "op", server.url)
    answer = page.goto(f"{server.url}/fleet/")
    assert answer is not None
    assert page.locator("#standing").count() == 0
    context.close()
