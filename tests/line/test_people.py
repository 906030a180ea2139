"""A day of people on a running simulated line, by their fingers: from a box nobody may sign in to, to the report.

The line is the demonstration's: real processes, a simulated camera behind real GenTL, a PLC over real Modbus. Each
person does their work on the screens, as on a panel of 1280x800; what they did is looked for in the ledger afterwards.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.settings import read_settings

from ..webui.conftest import ARGS, CHROMIUM, free_port

there = Path(CHROMIUM).exists() or os.environ.get("CI") == "true"
pytestmark = [
    pytest.mark.line,
    pytest.mark.ui,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not there, reason=f"needs Debian's chromium ({CHROMIUM})"),
]
PINS = {"ada": "4444", "otto": "1111", "lea": "2222", "emil": "3333"}
ROLES = {"otto": "operator", "lea": "lead", "emil": "engineer"}


@dataclass
class Box:
    """A running line and its panel."""

    url: str
    out: Path
    process: "subprocess.Popen[bytes]"

    @property
    def store(self) -> Path:
        return read_settings(self.out / "okng.toml").records.store

    @property
    def people(self) -> PeopleReader:
        return PeopleReader(self.store)

    def line(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/api/v1/line", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def alarms(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/api/v1/alarms", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["alarms"]
            return found

    def judged(self) -> int:
        try:
            counters = self.line()["counters"]
        except OSError:
            return 0
        return 0 if counters is None else int(counters["ok"] + counters["ng"])

    def until(self, made: Any, what: str, seconds: float = 60) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := made():
                return found
            assert self.process.poll() is None, "the line ended"
            time.sleep(0.2)
        log = (self.out / "okng.log").read_text(encoding="utf-8")[-3000:]
        raise AssertionError(f"not seen within {seconds} s: {what}\n{log}")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A new box: the line runs, nobody may sign in yet."""
    folder = tmp_path_factory.mktemp("people")
    port = free_port()
    command = [sys.executable, "-m", "okng", "demo", "--no-people", "--out", str(folder / "out")]
    command += ["--port", str(port), "--rate", "3", "--size", "128"]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        made = Box(f"http://127.0.0.1:{port}", folder / "out", process)
        try:
            made.until(lambda: made.judged() >= 10, "ten parts judged", 240)
            yield made
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield made
        made.close()


@pytest.fixture
def panel(box: Box, chromium: Browser) -> Iterator[Page]:
    """The touchscreen; whatever a script complains of on it is a failure."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, has_touch=True, locale="en-US")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith((box.url, "data:", "blob:")) else complaints.append(r.url))
    yield page
    context.close()
    assert not complaints


def go(page: Page, box: Box, path: str) -> None:
    page.goto(box.url + path, wait_until="domcontentloaded")
    page.wait_for_load_state("domcontentloaded")


def sign_in(page: Page, box: Box, name: str, to: str = "/") -> None:
    """By touching one's name and PIN."""
    go(page, box, f"/sign-in?next={to}")
    page.locator(f".who-tile[href*='who={name}']").tap()
    for digit in PINS[name]:
        page.locator(f'[data-digit="{digit}"]').tap()
    page.locator(".pad-key.go").tap()
    expect(page.locator("body")).to_have_attribute("data-user", name)


def test_first_boot_makes_the_administrator_who_makes_the_others(box: Box, panel: Page) -> None:
    go(panel, box, "/")
    expect(panel.locator("#state-word")).to_have_text("INSPECTING", timeout=20_000)
    go(panel, box, "/sign-in")
    for field, value in {
        "name": "ada",
        "full_name": "Ada",
        "password": "long-enough-1",
        "again": "long-enough-1",
    }.items():
        panel.locator(f"#{field}").fill(value)
    panel.locator("#pin").fill(PINS["ada"])
    panel.get_by_role("button", name="Begin").tap()
    expect(panel.locator("body")).to_have_attribute("data-user", "ada")
    for name, role in ROLES.items():
        go(panel, box, "/admin/users")
        panel.get_by_role("link", name="New user").tap()
        panel.locator("#name").fill(name)
        panel.locator("#full_name").fill(name.capitalize())
        panel.locator("#role").select_option(role)
        panel.locator("#pin").fill(PINS[name])
        if role == "engineer":
            panel.locator("#password").fill("long-enough-3")
        panel.get_by_role("button", name="Save").tap()
        expect(panel.locator("main")).to_contain_text(name)
    assert {one.name: one.role for one in box.people.people()} == {**ROLES, "ada": "administrator"}
    assert box.people.audit_check() == []


def test_the_operator_sees_confirms_and_acknowledges(box: Box, panel: Page) -> None:
    sign_in(panel, box, "otto")
    box.until(lambda: len(LedgerReader(box.store).rows(limit=3, outcome="NG")) == 3, "three rejects")
    go(panel, box, "/confirm")
    before = {
        row.seq: (row.outcome, row.action, row.score, row.threshold) for row in LedgerReader(box.store).rows(limit=200)
    }
    for truth in ("defect", "good"):
        tile = panel.locator(f"[data-truth={truth}]")
        expect(tile).to_be_enabled(timeout=10_000)
        panel.wait_for_timeout(500)  # a glove that bounces is not taken for a word
        seq = panel.locator("#confirm").get_attribute("data-seq")
        tile.tap()
        box.until(lambda seq=seq: box.people.labels((int(seq or 0),)), f"a label of part {seq}")
    labels = {label.truth for label in box.people.labels_since("")}
    assert labels == {"defect", "good"}
    panel.wait_for_timeout(400)
    panel.locator("#undo").tap()
    box.until(lambda: {label.truth for label in box.people.labels_since("")} == {"defect"}, "one label taken back")
    after = {
        row.seq: (row.outcome, row.action, row.score, row.threshold) for row in LedgerReader(box.store).rows(limit=400)
    }
    assert all(after[seq] == row for seq, row in before.items())  # what was sent stays as it was


def test_a_dead_camera_is_an_alarm_that_says_what_to_do(box: Box, panel: Page) -> None:
    sign_in(panel, box, "otto")
    camera = _pid(box, "camera top")
    os.kill(camera, signal.SIGSTOP)
    try:
        expect(panel.locator("#band")).to_be_visible(timeout=15_000)
        alarm = box.until(lambda: next((a for a in box.alarms() if a["kind"].startswith("camera.")), None), "an alarm")
        assert alarm["state"] == "unacknowledged"
        assert alarm["todo"]
        assert not box.line()["ready"]
    finally:
        with contextlib.suppress(ProcessLookupError):  # the supervisor has ended what did not turn, and started another
            os.kill(camera, signal.SIGCONT)
    go(panel, box, "/alarms")
    panel.locator(f"[data-key='{alarm['key']}'] button").first.tap()
    box.until(
        lambda: all(a["state"] != "unacknowledged" for a in box.alarms() if a["key"] == alarm["key"]), "acknowledged"
    )
    events = {(row.event, row.who) for row in box.people.journal("alarm", key=alarm["key"], limit=50)}
    assert ("acknowledged", "otto") in events
    judged = box.judged()
    box.until(lambda: box.judged() > judged, "the line goes on")


def _pid(box: Box, words: str) -> int:
    """The process of this box whose command holds the words."""
    settings = str(box.out / "okng.toml")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if f"okng {words}" in command and settings in command:
                    return int(entry.name)
    raise AssertionError(f"no process okng {words}")


def test_a_missed_defect_is_an_advisory_within_five_seconds(box: Box, panel: Page) -> None:
    sign_in(panel, box, "otto", "/missed")
    go(panel, box, "/missed?bare=1")
    panel.locator("#cards [data-seq]").first.tap()
    panel.locator("[data-what]").first.tap()
    panel.locator("[data-place]").first.tap()
    panel.locator("#send").tap()
    box.until(lambda: any(a["kind"] == "escape.reported" for a in box.alarms()), "the advisory", 8)
    assert len(box.people.escapes()) == 1


def test_the_lead_teaches_a_product_and_changes_to_it(box: Box, panel: Page) -> None:
    sign_in(panel, box, "lea", "/teach")
    go(panel, box, "/teach")
    begun = time.monotonic()
    panel.get_by_role("link", name="New product").tap()
    panel.locator("[data-word]").first.tap()
    for sign in "26":
        panel.locator(f"[data-sign='{sign}']").tap()
    panel.get_by_role("button", name="Begin").tap()
    panel.locator("#teach").wait_for()
    panel.locator("#next").tap()
    shutter = panel.locator("#shutter")
    count = panel.locator("#count-good")
    for number in range(1, 25):
        expect(shutter).to_be_enabled(timeout=15_000)
        for _ in range(12):  # the same part again is refused: wait for the next one
            shutter.tap()
            panel.wait_for_timeout(450)
            if int(count.get_attribute("data-n") or 0) >= number:
                break
    assert int(count.get_attribute("data-n") or 0) >= 20
    panel.locator("#next").tap()
    panel.locator("#begin").tap()
    panel.wait_for_url(re.compile("scores"), timeout=240_000)
    expect(panel.locator(".teach-chart").first).to_be_visible()
    panel.locator("#next").tap()
    expect(panel.locator("[data-share=overkill] [data-found]")).not_to_be_empty()
    panel.locator("#next").tap()
    panel.locator("#next").tap()
    panel.locator("#begin, #release").first.tap()
    expect(panel.locator(".teach-huge")).to_contain_text("Released as job", timeout=120_000)
    assert time.monotonic() - begun < 600
    number = int(re.findall(r"job (\d+)", panel.locator(".teach-huge").inner_text())[0])

    go(panel, box, "/change-over")
    panel.locator(f"button[name=number][value='{number}']").tap()
    panel.get_by_role("button", name="That is right, go on").tap()
    panel.locator("#lot-field").fill("L-26")
    panel.get_by_role("button", name="Go on").tap()
    panel.get_by_role("button", name="Apply now").tap()
    release = panel.get_by_role("button", name="Release")
    expect(release).to_be_visible(timeout=60_000)
    assert not box.line()["ready"]  # nothing passes before the release
    release.tap()
    box.until(lambda: box.line()["job_number"] == number and box.line()["state"] != "OFFLINE", "the new product runs")
    box.until(lambda: LedgerReader(box.store).rows(limit=1)[0].recipe == box.line()["recipe"], "parts of it")
    assert box.line()["lot"] == "L-26"


def test_a_bypass_passes_nothing_and_is_seen_on_every_screen(box: Box, panel: Page) -> None:
    sign_in(panel, box, "lea", "/bypass")
    go(panel, box, "/bypass")
    panel.locator("label.tile-choice").first.tap()
    panel.get_by_role("button", name="Declare the bypass").tap()
    box.until(lambda: box.line()["mode"] == "bypass", "the bypass")
    before = box.line()["counters"]["bypass"]
    box.until(lambda: box.line()["counters"]["bypass"] >= before + 3, "three parts of it")
    for path in ("/", "/alarms", "/trends"):
        go(panel, box, path)
        expect(panel.locator("body")).to_have_attribute("data-mode", "bypass", timeout=5000)
    go(panel, box, "/bypass")
    panel.get_by_role("button", name="End the bypass now").tap()
    box.until(lambda: box.line()["mode"] == "production", "the end of it")
    rows = [row for row in LedgerReader(box.store).rows(limit=200) if row.why == "bypass"]
    assert len(rows) >= 3
    assert {row.action for row in rows} == {"REJECT"}


def test_a_challenge_test_counts_apart_and_stands_in_the_journal(box: Box, panel: Page) -> None:
    """The belt's own parts stand in for the test part: they decide whether it passes."""
    sign_in(panel, box, "lea", "/challenge")
    go(panel, box, "/challenge/samples")
    panel.locator("input[name=name]").first.check(force=True)
    panel.get_by_role("button", name="Add", exact=True).tap()
    expect(panel.locator(".alarm-what").first).to_be_visible()
    go(panel, box, "/challenge")
    panel.get_by_role("button", name=re.compile("Start the test|Repeat the test")).tap()
    box.until(lambda: box.line()["counters"]["challenge"] >= 1, "a part of it")
    end = time.monotonic() + 30
    while box.line()["mode"] == "challenge" and time.monotonic() < end:
        time.sleep(0.3)
    go(panel, box, "/challenge")
    stop = panel.get_by_role("button", name="Break off")
    if stop.count():
        stop.first.tap()
    box.until(lambda: box.line()["mode"] == "production", "production again")
    rows = [row for row in LedgerReader(box.store).rows(limit=300) if row.why == "challenge"]
    assert rows
    assert {row.action for row in rows} == {"REJECT"}
    events = {(row.event, row.who) for row in box.people.journal("challenge", limit=100)}
    assert ("started", "lea") in events
    assert {event for event, _ in events} & {"passed", "failed", "aborted"}


def test_the_engineer_sees_focus_timing_and_signals(box: Box, panel: Page) -> None:
    sign_in(panel, box, "emil", "/camera")
    go(panel, box, "/camera")
    expect(panel.locator("main")).to_contain_text("Sharpness")
    for path, word in (
        ("/regions", "Judge"),
        ("/timing", "ms"),
        ("/plc", "TRIGGER"),
        ("/models", "Models"),
        ("/diagnostics", "inspect"),
    ):
        go(panel, box, path)
        expect(panel.locator("main")).to_contain_text(word, timeout=10_000)


def test_the_shift_report_balances_on_paper(box: Box, panel: Page, tmp_path: Path) -> None:
    sign_in(panel, box, "lea", "/report")
    go(panel, box, "/report")
    panel.locator(".paper-order button").tap()
    link = panel.locator("#paper-open")
    expect(link).to_be_visible(timeout=60_000)
    with panel.expect_download() as got:
        link.tap()
    paper = tmp_path / "report.pdf"
    got.value.save_as(paper)
    assert paper.read_bytes()[:5] == b"%PDF-"
    text = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, text=True, check=True).stdout
    figures = {word: int(number) for word, number in re.findall(r"(Triggered|= Passed|\+ Rejected)\s+(\d+)", text)}
    others = [int(n) for n in re.findall(r"\+ (?:Test parts \(challenge\)|During a bypass)\s+(\d+)", text)]
    assert figures["Triggered"] == figures["= Passed"] + figures["+ Rejected"] + sum(others)
    assert sum(others) > 0


def test_at_the_end_all_is_in_the_trail_and_the_ledger_balances(box: Box) -> None:
    assert box.people.audit_check() == []
    for word in ("bypass.set", "change.step", "label", "draft.release"):
        assert any(word in row.what for row in box.people.audit_page(limit=500, text=word)), word
    box.process.send_signal(signal.SIGINT)
    box.process.wait(90)
    settings = str(box.out / "okng.toml")
    command = [sys.executable, "-m", "okng", "ledger", "check", "--settings", settings, "--full"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout.splitlines()[-1:]) == (0, ["ledger balanced"]), check.stdout + check.stderr
