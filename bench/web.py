"""The screens on a running simulated line: how late, how heavy, and whether the line notices.

    .venv/bin/python bench/web.py [--seconds 20] [--json bench/web.json]

1 a browser on Run: from the verdict on the bus to the word on the screen
2 a browser on Confirm: from the tap on a label to the changed page; each label is taken back, so that none runs out
3 four viewers of the live picture at 15 a second: what the web process takes of a core, and its memory
4 twenty viewers: streams are capped, ordinary requests are answered
5 the line's latency from trigger to verdict with nobody looking and with the page hammered, in turns, as a ratio

It prints its table, writes JSON, and adds its lines to bench/RESULTS.md. All processes share this machine's cores.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

from okng.bench.line import machine
from okng.bus.channel import Subscriber, inspect_addresses
from okng.bus.clock import MS, utc_now
from okng.bus.part import Verdict
from okng.settings import read_settings
from okng.tests.webui.conftest import ARGS, CHROMIUM
from okng.tests.webui.screenshots import running
from okng.tests.webui.studio import sign_in

HERE = Path(__file__).parent


def percentiles(values: list[float]) -> dict[str, float]:
    """p50, p95, max and how many."""
    if not values:
        raise SystemExit("nothing was measured")
    ordered = sorted(values)
    p50, p95 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95))
    return {"p50": p50, "p95": p95, "max": ordered[-1], "n": len(ordered)}


@contextlib.contextmanager
def running_line(out: Path, rate: float) -> Iterator[tuple[str, Path]]:
    """A demonstration with its page; yields the page's address and the run folder."""
    with running(out, 20, "--rate", str(rate)) as url:
        yield url, read_settings(out / "okng.toml").box.run_dir


def get(host: str, path: str) -> int:
    """One request on a connection of its own; return the status once all of the answer is there."""
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class Ears:
    """Notes when each verdict came by, on the wall clock, and how long it took."""

    def __init__(self, run_dir: Path) -> None:
        self.at: dict[int, float] = {}
        self.latency_ms: list[float] = []
        self._stop = threading.Event()
        self._run_dir = run_dir
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with Subscriber(inspect_addresses(self._run_dir), (Verdict,)) as ears:
            while not self._stop.is_set():
                verdict = ears.receive(100)
                if verdict is not None:
                    # By when it was made, not by when this thread got to it.
                    self.at[verdict.part] = time.time() - (time.monotonic_ns() - verdict.done_ns) / 1e9
                    self.latency_ms.append((verdict.done_ns - verdict.triggered_at_ns) / MS)

    def close(self) -> None:
        """Stop listening."""
        self._stop.set()
        self._thread.join()


WATCH_PART = """() => {
  window.seen = {};
  const note = () => {
    const part = (document.getElementById("caption-part").textContent.match(/\\d+/) || [])[0];
    if (part && !(part in window.seen) && document.getElementById("verdict-word").textContent !== "–")
      requestAnimationFrame(() => { window.seen[part] ??= (performance.timeOrigin + performance.now()) / 1000; });
  };
  const all = {subtree: true, childList: true, characterData: true};
  new MutationObserver(note).observe(document.getElementById("run"), all);
}"""


WATCH_TAP = """() => {
  window.tapped = window.changed = 0;
  const tapped = () => { window.tapped = performance.now(); };
  document.addEventListener("pointerdown", tapped, {once: true, capture: true});
  const changed = () => { if (window.tapped && !window.changed) window.changed = performance.now(); };
  const all = {subtree: true, childList: true, characterData: true, attributes: true};
  new MutationObserver(changed).observe(document.querySelector("main"), all);
}"""


def verdict_to_screen(browser: Browser, url: str, run_dir: Path, seconds: float) -> dict[str, float]:
    """From the verdict to the frame in which its part number and word are drawn, ms."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(url + "/", wait_until="commit")
    page.locator("#verdict-word").wait_for()
    page.wait_for_timeout(2000)
    ears = Ears(run_dir)
    page.evaluate(WATCH_PART)
    page.wait_for_timeout(seconds * 1000)
    seen = page.evaluate("window.seen")
    ears.close()
    page.close()
    return percentiles([1000 * (at - ears.at[int(part)]) for part, at in seen.items() if int(part) in ears.at])


def tap_to_dom(browser: Browser, url: str, taps: int) -> dict[str, float]:
    """From the touch on a label tile to the changed page, ms. The label goes to the ledger meanwhile."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, has_touch=True)
    page = context.new_page()
    sign_in(page, url, "operator")
    page.goto(url + "/confirm", wait_until="commit")
    took: list[float] = []
    for _ in range(taps):
        tile = page.locator("[data-truth=good]:enabled").first
        tile.wait_for()
        page.wait_for_timeout(600)  # the screen takes no tap on a picture nobody has seen yet
        page.evaluate(WATCH_TAP)
        tile.tap()
        page.wait_for_function("() => window.changed > 0", timeout=5000)
        took.append(page.evaluate("window.changed - window.tapped"))
        page.wait_for_timeout(400)
        page.locator("#undo:enabled").tap()
    context.close()
    return percentiles(took)


@dataclass
class Viewer:
    """One that asks for every next picture, as a page does, and holds an event stream."""

    host: str
    pictures: int = 0
    refused: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until told to stop."""
        stream = http.client.HTTPConnection(self.host, timeout=10)
        with contextlib.suppress(OSError):
            stream.request("GET", "/events")
            answer = stream.getresponse()
            self.refused += answer.status == 503
            threading.Thread(target=self._drain, args=(answer,), daemon=True).start()
        after = 0
        connection = http.client.HTTPConnection(self.host, timeout=10)
        while not self.stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection.request("GET", f"/frame.jpg?after={after}")
                picture = connection.getresponse()
                picture.read()
                if picture.status == 200:
                    after = int(picture.headers["X-Frame"])
                    self.pictures += 1
                elif "Retry-After" in picture.headers:
                    self.stop.wait(0.5)
        connection.close()
        stream.close()

    def _drain(self, answer: http.client.HTTPResponse) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while not self.stop.is_set() and answer.read1(4096):
                pass


@contextlib.contextmanager
def viewing(host: str, viewers: int) -> Iterator[list[Viewer]]:
    """So many viewers at once."""
    made = [Viewer(host) for _ in range(viewers)]
    threads = [threading.Thread(target=viewer.run, daemon=True) for viewer in made]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        for viewer in made:
            viewer.stop.set()
        for thread in threads:
            thread.join(5)


def web_processes(port: int) -> list[psutil.Process]:
    """The web process and its worker."""
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr[1] == port and connection.status == psutil.CONN_LISTEN:
            found = psutil.Process(connection.pid)
            while found.parent() is not None and "web" in found.parent().cmdline():
                found = found.parent()
            return [found, *found.children(recursive=True)]
    raise SystemExit("the web process is not found")


def weight(url: str, viewers: int, seconds: float) -> dict[str, Any]:
    """CPU of the web process in percent of a core, memory in MB, and pictures a second for each viewer."""
    host = url.removeprefix("http://")
    processes = web_processes(int(host.partition(":")[2]))
    with viewing(host, viewers) as made:
        time.sleep(2)
        begun, used = time.monotonic(), _cpu_s(processes)
        counted = [viewer.pictures for viewer in made]
        time.sleep(seconds)
        took = time.monotonic() - begun
        cpu = 100 * (_cpu_s(processes) - used) / took
        rates = [(viewer.pictures - before) / took for viewer, before in zip(made, counted, strict=True)]
    memory = sum(process.memory_info().rss for process in processes) / 1e6
    worker = max(process.memory_info().rss for process in processes) / 1e6
    return {
        "cpu_percent": cpu,
        "rss_mb": memory,
        "worker_rss_mb": worker,
        "pictures_per_s": statistics.mean(rates or [0]),
    }


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def crowd(url: str, seconds: float) -> dict[str, Any]:
    """Twenty viewers: how many streams were refused, and how long an ordinary page takes meanwhile."""
    host = url.removeprefix("http://")
    took: list[float] = []
    codes: set[int] = set()
    with viewing(host, 20) as made:
        time.sleep(2)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            codes.add(get(host, "/menu"))
            took.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.1)
        refused = sum(viewer.refused for viewer in made)
    return {"refused_streams": refused, "codes": sorted(codes), "page_ms": percentiles(took)}


@contextlib.contextmanager
def hammering(host: str) -> Iterator[list[int]]:
    """Pages asked for as fast as they come, and four viewers; yields a list that holds the number of answers after.

    By a process that yields to the line: the hammer is no part of the box, and would itself take the line's cores.
    """
    answered: list[int] = []
    command = ["nice", "-n", "19", sys.executable, str(HERE / "web.py"), "--hammer", host]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield answered
    finally:
        said, _ = process.communicate("", timeout=60)
        answered.append(int(said))


def hammer(host: str, threads: int = 8) -> int:
    """Until the standard input ends; return how many requests were answered."""
    stop, answered = threading.Event(), [0] * threads
    paths = itertools.cycle(("/", "/rejects/", "/menu", "/film.json", "/api/v1/line", "/image", "/help", "/trends"))

    def work(number: int) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                get(host, next(paths))
                answered[number] += 1

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(threads)]
    with viewing(host, 4):
        for worker in workers:
            worker.start()
        sys.stdin.read()
        stop.set()
        for worker in workers:
            worker.join(15)
    return sum(answered)


def latency(run_dir: Path, seconds: float) -> list[float]:
    """Trigger to verdict, ms, of all parts of a span."""
    ears = Ears(run_dir)
    time.sleep(seconds)
    ears.close()
    return ears.latency_ms


def unmoved(url: str, run_dir: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """The line's latency with nobody looking and with the page hammered, in turns."""
    host = url.removeprefix("http://")
    quiet: list[float] = []
    loud: list[float] = []
    requests = 0
    for _ in range(rounds):
        quiet += latency(run_dir, seconds)
        with hammering(host) as answered:
            time.sleep(3)
            loud += latency(run_dir, seconds)
        requests += sum(answered)
    alone, under = percentiles(quiet), percentiles(loud)
    ratio = {name: under[name] / alone[name] for name in ("p50", "p95")}
    return {"quiet_ms": alone, "hammered_ms": under, "ratio": ratio, "requests": requests}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=5.0, help="parts a second")
    parser.add_argument("--taps", type=int, default=20)
    parser.add_argument("--json", type=Path, default=HERE / "web.json")
    parser.add_argument("--out", type=Path, default=Path("bench-out/web"))
    parser.add_argument("--hammer", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hammer:
        print(hammer(options.hammer))
        return
    result: dict[str, Any] = {"at": utc_now(), "machine": machine()}
    with running_line(options.out, options.rate) as (url, run_dir), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        result["verdict_to_screen_ms"] = verdict_to_screen(browser, url, run_dir, options.seconds)
        result["tap_to_dom_ms"] = tap_to_dom(browser, url, options.taps)
        browser.close()
        result["nobody"] = weight(url, 0, options.seconds / 2)
        result["four_viewers"] = weight(url, 4, options.seconds)
        result["twenty_viewers"] = crowd(url, options.seconds / 2)
        result["line"] = unmoved(url, run_dir, options.seconds / 2, 3)
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    text = markdown(result)
    print(text)
    with (HERE / "RESULTS.md").open("a", encoding="utf-8") as results:
        results.write(text)


def markdown(result: dict[str, Any]) -> str:
    """Return the lines for RESULTS.md."""
    on, four, crowded, line = (result[name] for name in ("machine", "four_viewers", "twenty_viewers", "line"))
    shown, tapped, page = result["verdict_to_screen_ms"], result["tap_to_dom_ms"], crowded["page_ms"]
    return "\n".join(
        [
            f"\n## Screens on a running line, {result['at'][:10]}\n",
            f"{on['cores']} cores of {on['cpu']}, load {on['load_at_start']:.1f} at the start; line, web process and "
            "browser (software drawing) share them.\n",
            "| what | p50 | p95 | max | aim |",
            "|---|---|---|---|---|",
            f"| verdict to screen, ms (n {shown['n']}) | {shown['p50']:.0f} | {shown['p95']:.0f} | {shown['max']:.0f} "
            "| p95 <= 300 |",
            f"| tap on a label to changed page, ms (n {tapped['n']}) | {tapped['p50']:.0f} "
            f"| {tapped['p95']:.0f} | {tapped['max']:.0f} | p95 <= 200 |",
            f"| a page while 20 view, ms | {page['p50']:.0f} | {page['p95']:.0f} | {page['max']:.0f} | answered |\n",
            f"Web process with four viewers: {four['cpu_percent']:.1f} % of a core (aim 15), {four['rss_mb']:.0f} MB "
            f"with its parent, {four['worker_rss_mb']:.0f} MB the worker (aim 300), {four['pictures_per_s']:.1f} "
            f"pictures/s each; with nobody {result['nobody']['cpu_percent']:.1f} %. Of 20 viewers "
            f"{crowded['refused_streams']} were refused a stream.",
            f"Trigger to verdict while the page is hammered ({line['requests']} requests) over nobody looking, in "
            f"turns: p50 {line['ratio']['p50']:.2f}, p95 {line['ratio']['p95']:.2f}.\n",
        ]
    )


if __name__ == "__main__":
    main()
