"""Pictures of every screen from a running simulated line: `make screenshots` puts them into docs/screens.

    .venv/bin/python tests/webui/screenshots.py [--out FOLDER] [--only run,alarms] [--scenes calm,teach] [--url URL]

The line is the demonstration's, with its people. What one sees is done first as people do it: `scenes.py`.
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

from playwright.sync_api import sync_playwright
from scenes import SCENES, Studio

from okng.webui.screens import SCREENS

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(out: Path, parts: int, *more: str) -> Iterator[str]:
    """A demonstration with its page, once it has judged so many parts."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "okng", "demo", "--out", str(out), "--port", url.rpartition(":")[2], *more]
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f"{out.name}.log").open("w") as log:
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


def page_paths() -> dict[str, str]:
    """Path of each screen, as tests/webui/test_every_page.py walks them."""
    text = (Path(__file__).parent / "test_every_page.py").read_text(encoding="utf-8")
    table = text[text.index("PATHS = {") : text.index("}", text.index("PATHS = {"))]
    return dict(re.findall(r'"([a-z]+)": "([^"]+)"', table))


def main() -> None:
    """Start the line, live in it, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screens")
    parser.add_argument("--line", type=Path, default=ROOT / "demo-out" / "screens")
    parser.add_argument("--only", default="", help="names of pictures, with commas between")
    parser.add_argument("--scenes", default=",".join(SCENES), help="with commas between")
    parser.add_argument("--language", default="en,zh")
    parser.add_argument("--url", default="", help="of a demonstration that runs already")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    groups = {screen.id: screen.group for screen in SCREENS}
    paths = page_paths()
    screens = {name: (path, groups[name]) for name, path in paths.items() if name in groups}
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(
            contextlib.closing(playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS))
        )
        wanted = options.scenes.split(",")
        if "first" in wanted and not options.url:
            with running(options.line.with_name("screens-first"), 8, "--no-people") as url:
                SCENES["first"](Studio(browser, url, options.out, options.language, options.only, screens))
        url = options.url or stack.enter_context(running(options.line, 60))
        studio = Studio(browser, url, options.out, options.language, options.only, screens)
        for name in wanted:
            if name != "first":
                SCENES[name](studio)
        studio.close()


if __name__ == "__main__":
    main()
