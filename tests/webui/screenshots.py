"""Pictures of every screen from a running simulated line: `make screenshots` puts them into docs/screens.

    .venv/bin/python tests/webui/screenshots.py [--out FOLDER] [--only run,alarms] [--scenes calm,teach] [--url URL]

The line is the demonstration's, with its people. What one sees is done first as people do it: `scenes.py`.
"""

import argparse
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from okng.tests.webui.conftest import ARGS, CHROMIUM, free_port
from okng.tests.webui.scenes import OF_THEIR_OWN, SCENES
from okng.tests.webui.studio import Studio
from okng.tests.webui.test_every_page import PATHS
from okng.webui.screens import SCREENS

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "docs" / "screens"
OF_HELP = {
    "run": "run-ng",
    "challenge": "challenge-running",
    "change": "change-2-compare",
    "teach": "teach-3-pictures",
    "labelling": "label-draw",
}
"""Picture of a screen's help page, where it is not its first."""


@contextlib.contextmanager
def running(out: Path, parts: int, *more: str) -> Iterator[str]:
    """A demonstration with its page, once it has judged so many parts."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "okng", "demo", "--out", str(out), "--port", url.rpartition(":")[2]]
    out.parent.mkdir(parents=True, exist_ok=True)
    with (out.parent / f"{out.name}.log").open("w") as log:
        process = subprocess.Popen([*command, "--rate", "2", "--size", "128", *more], stdout=log, stderr=log)
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


def main() -> None:
    """Start the line, live in it, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=SCREENSHOTS)
    parser.add_argument("--line", type=Path, default=Path(tempfile.gettempdir()) / "okng" / "screens")
    parser.add_argument("--only", default="", help="names of pictures, with commas between")
    parser.add_argument("--scenes", default=",".join(SCENES), help="with commas between")
    parser.add_argument("--language", default="en,zh")
    parser.add_argument("--url", default="", help="of a demonstration that runs already")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    screens = {screen.id: (PATHS[screen.id], screen.group) for screen in SCREENS}
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(
            contextlib.closing(playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, "--hide-scrollbars"]))
        )
        for names, more in _lines(options.scenes.split(",")):
            with contextlib.ExitStack() as line:
                url = options.url or line.enter_context(running(options.line, 6 if more else 60, *more))
                studio = Studio(browser, url, options.out, options.language, options.only, screens)
                for name in names:
                    SCENES[name](studio)
                studio.close()
    if options.out == SCREENSHOTS:
        help_pictures(options.out, ROOT / "webui" / "static" / "img" / "help", options.language)


def help_pictures(shots: Path, out: Path, languages: str) -> None:
    """What the help pages show: the same pictures, small."""
    out.mkdir(parents=True, exist_ok=True)
    for screen in SCREENS:
        for language in languages.split(","):
            shot = shots / f"{OF_HELP.get(screen.id, screen.id)}-{language}.png"
            if screen.id != "help" and shot.is_file():  # its page has a drawing
                with Image.open(shot) as whole:
                    small = whole.convert("RGB").resize((800, 500), Image.Resampling.LANCZOS)
                    small.save(out / f"{screen.id}-{language}.webp", quality=50, method=6)


def _lines(wanted: list[str]) -> list[tuple[list[str], tuple[str, ...]]]:
    """Scenes that share a line, and what is said to it."""
    shared = [name for name in wanted if name not in OF_THEIR_OWN]
    own = [([name], OF_THEIR_OWN[name]) for name in wanted if name in OF_THEIR_OWN]
    return [*([(shared, ())] if shared else []), *own]


if __name__ == "__main__":
    main()
