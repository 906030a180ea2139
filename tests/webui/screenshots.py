"""Pictures of every screen from a running simulated line: `make screenshots` puts them into docs/screens.

    .venv/bin/python tests/webui/screenshots.py [--out FOLDER] [--only run,alarms] [--size 1280x800] [--language en,zh]

The line is the demonstration's, with its people; what is done before is done through the screens' own API.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from okng.appliance.demo_people import PEOPLE
from okng.webui.screens import SCREENS

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
PERSON = {"operator": "operator", "lead": "lead", "engineer": "engineer", "administrator": "administrator"}
MORE = {
    "menu": ("/menu", "engineer"),
    "reject": ("/rejects/{ng}", "operator"),
    "bypass": ("/bypass", "lead"),
    "admin-users": ("/admin/users", "administrator"),
    "admin-display": ("/admin/display", "administrator"),
}
"""Pages that are no screen of their own: path and who looks."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(out: Path, parts: int) -> Iterator[str]:
    """A demonstration with its page, once it has judged so many parts."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "okng", "demo", "--out", str(out), "--port", url.rpartition(":")[2]]
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / "screenshots.log").open("w") as log:
        process = subprocess.Popen([*command, "--rate", "4", "--size", "128"], stdout=log, stderr=log)
        try:
            end = time.monotonic() + 240
            while _judged(url) < parts:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"the demonstration does not run: see {log.name}")
                time.sleep(0.5)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _judged(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/api/v1/line", timeout=5) as answer:
            counters = json.load(answer)["counters"]
    except (OSError, ValueError):
        return 0
    return 0 if counters is None else int(counters["ok"]) + int(counters["ng"])


def signed_in(browser: Browser, url: str, person: str, size: tuple[int, int], language: str) -> BrowserContext:
    """A browser in which that person is signed in."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, has_touch=True)
    context.add_cookies([{"name": "okng-language", "value": language, "url": url}])
    page = context.new_page()
    page.goto(f"{url}/sign-in?who={person}", wait_until="commit")
    for digit in PEOPLE[person][1]:
        page.locator(f'[data-digit="{digit}"]').tap()
    page.locator(".pad-key.go").tap()
    page.wait_for_function(f"document.body.dataset.user === '{person}'")
    return context


def command(page: Page, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask by the API in the name of who is signed in on that page."""
    found: dict[str, Any] = page.evaluate(
        "([path, body]) => fetch(path, {method: 'POST', body: JSON.stringify(body), headers: {"
        "'Content-Type': 'application/json', 'X-CSRFToken': document.body.dataset.csrf}}).then(a => a.json())",
        [f"/api/v1/commands/{name}", body],
    )
    return found


def newest_ng(page: Page, most: int = 6) -> list[int]:
    """The last NG parts by their number in the ledger."""
    found: list[dict[str, Any]] = page.evaluate(
        f"fetch('/api/v1/parts?outcome=NG&limit={most}').then(a => a.json()).then(a => a.parts)"
    )
    return [int(part["seq"]) for part in found]


def lived_in(browser: Browser, url: str) -> int:
    """Do what a shift does: a lot, some labels, an escape. Return the seq of an NG part to look at."""
    context = signed_in(browser, url, "lead", (1280, 800), "en")
    page = context.pages[0]
    seqs = newest_ng(page)
    command(page, "lot.set", {"lot": "L-2611-07"})
    for seq, truth in zip(seqs[2:], ("defect", "defect", "good", "unsure"), strict=False):
        command(page, "label.set", {"seq": seq, "truth": truth})
    command(page, "escape.set", {"seq": None, "serial": "", "found_at": "packing", "what": "scratch"})
    context.close()
    return seqs[0]


def shots(browser: Browser, url: str, options: argparse.Namespace, size: tuple[int, int], ng: int) -> None:
    """Take every picture of one size."""
    wanted = set(filter(None, options.only.split(",")))
    rules = {screen.id: (screen.endpoint, PERSON[screen.group]) for screen in SCREENS}
    paths = page_paths()
    tail = "" if size == (1280, 800) else f"-{size[0]}"
    for language in options.language.split(","):
        for person in PEOPLE:
            context = signed_in(browser, url, person, size, language)
            page = context.pages[0]
            places = {name: paths[name] for name, (_, who) in rules.items() if who == person and name in paths}
            places |= {name: path.format(ng=ng) for name, (path, who) in MORE.items() if who == person}
            for name, path in places.items():
                if wanted and name not in wanted:
                    continue
                page.goto(url + path, wait_until="commit")
                page.wait_for_load_state("domcontentloaded")
                page.wait_for_timeout(2500 if name in ("run", "camera", "trends") else 1200)
                page.screenshot(path=options.out / f"{name}-{language}{tail}.png", animations="disabled")
            context.close()


def page_paths() -> dict[str, str]:
    """Path of each screen, as tests/webui/test_every_page.py walks them."""
    text = (Path(__file__).parent / "test_every_page.py").read_text(encoding="utf-8")
    table = text[text.index("PATHS = {") : text.index("}", text.index("PATHS = {"))]
    return dict(re.findall(r'"([a-z]+)": "([^"]+)"', table))


def main() -> None:
    """Start the line, live in it a little, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    parser.add_argument("--line", type=Path, default=ROOT / "demo-out" / "screens")
    parser.add_argument("--only", default="", help="names, with commas between")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--language", default="en,zh")
    parser.add_argument("--url", default="", help="of a demonstration that runs already")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        url = options.url or stack.enter_context(running(options.line, 60))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        ng = lived_in(browser, url)
        for size in options.size.split(","):
            width, height = size.split("x")
            shots(browser, url, options, (int(width), int(height)), ng)
        browser.close()


if __name__ == "__main__":
    main()
