"""A browser on a running line that takes pictures: who is signed in, in which language, with or without alarms."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from okng.appliance.demo_people import PEOPLE

PANEL, LARGE, PHONE = (1280, 800), (1920, 1080), (412, 915)
SLOW = ("run", "camera", "trends", "image", "timing", "regions")
"""Pages that take a while until all of them is there."""


def sign_in(page: Page, url: str, person: str) -> None:
    """As one of the demonstration's people, on the page itself."""
    page.goto(f"{url}/sign-in?who={person}", wait_until="domcontentloaded")
    for digit in PEOPLE[person][1]:
        page.locator(f'[data-digit="{digit}"]').tap()
    page.locator(".pad-key.go").tap()
    page.wait_for_function(f"() => document.body.dataset.user === '{person}'")


@dataclass
class Studio:
    """A browser on a running line. Pages are kept, one for each person and language."""

    browser: Browser
    url: str
    out: Path
    languages: str
    only: str
    screens: dict[str, tuple[str, str]]
    """Path and group by screen."""
    ng: int = 0
    """Number in the ledger of a bad part to look at."""
    _pages: dict[tuple[str, str], Page] = field(default_factory=dict)

    def page(self, person: str, language: str = "en") -> Page:
        """Where that person is signed in; nobody: an empty name."""
        if (person, language) not in self._pages:
            context = self.browser.new_context(viewport={"width": 1280, "height": 800}, has_touch=True)
            context.add_cookies([{"name": "okng-language", "value": language, "url": self.url}])
            self._pages[person, language] = context.new_page()
        page = self._pages[person, language]
        self._sign_in(page, person)
        return page

    def _sign_in(self, page: Page, person: str) -> None:
        if not person:
            return
        if page.url.startswith(self.url):
            # Also a touch: no picture shows the warning that somebody is to be signed out.
            said = page.evaluate(
                "fetch('/touch', {method: 'POST', headers: {'X-CSRFToken': document.body.dataset.csrf}})"
                ".then(a => a.json()).catch(() => ({who: ''}))"
            )
            if said["who"] == person:
                return
        sign_in(page, self.url, person)

    def shot(
        self,
        name: str,
        path: str,
        person: str = "",
        size: tuple[int, int] = PANEL,
        theme: str = "light",
        tap: str = "",
        until: str = "",
        band: bool = False,
    ) -> None:
        """One picture in each language. tap: first; until: this holds on the page; band: alarms stay as they are."""
        if self.only and name not in self.only.split(","):
            return
        if not band and person:
            self.calm()
        for language in self.languages.split(","):
            page = self.page(person, language)
            page.context.add_cookies([{"name": "okng-theme", "value": theme, "url": self.url}])
            page.set_viewport_size({"width": size[0], "height": size[1]})
            answer = page.goto(self.url + path.format(ng=self.ng), wait_until="domcontentloaded")
            if answer is None or answer.status >= 400:
                raise SystemExit(f"{name}: {path} answers {answer.status if answer else 'nothing'}")
            page.wait_for_load_state("domcontentloaded")
            page.wait_for_timeout(2500 if name.startswith(SLOW) else 900)
            if tap:
                page.locator(tap).tap()
            if until:
                page.wait_for_function(f"() => {until}", polling="raf", timeout=60_000)
            self.take(page, f"{name}-{language}.png")
            page.context.add_cookies([{"name": "okng-theme", "value": "light", "url": self.url}])
            page.set_viewport_size({"width": 1280, "height": 800})

    def take(self, page: Page, name: str) -> None:
        """The picture itself, in 256 colours: a repository carries all of them."""
        with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as shot:
            shot.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(self.out / name, optimize=True)

    def command(self, name: str, body: dict[str, Any], person: str = "lead") -> dict[str, Any]:
        """Ask by the API in that person's name."""
        found: dict[str, Any] = self.page(person).evaluate(
            "([path, body]) => fetch(path, {method: 'POST', body: JSON.stringify(body), headers: {"
            "'Content-Type': 'application/json', 'X-CSRFToken': document.body.dataset.csrf}}).then(a => a.json())",
            [f"/api/v1/commands/{name}", body],
        )
        return found

    def read(self, path: str, person: str = "lead") -> dict[str, Any]:
        """Look by the API."""
        found: dict[str, Any] = self.page(person).evaluate("path => fetch(path).then(a => a.json())", f"/api/v1{path}")
        return found

    def until(self, holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait. SystemExit: in vain."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise SystemExit(f"not seen within {seconds:.0f} s: {what}")
            time.sleep(0.3)

    def calm(self) -> None:
        """See to every alarm, so that no band lies over what is to be shown."""
        for alarm in self.read("/alarms")["alarms"]:
            if alarm["state"] in ("unacknowledged", "returned"):
                self.command("alarm.ack", {"keys": [alarm["key"]]})
            if alarm["latched"] and not alarm["active"]:
                self.command("alarm.reset", {"key": alarm["key"]})

    def close(self) -> None:
        """Give the browser's pages back."""
        for page in self._pages.values():
            page.context.close()
