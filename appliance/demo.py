"""`okng demo`: the whole line with no hardware.

Only camera optics, belt, PLC and ejector are simulated, each reached as the real ones are (GenTL, Modbus TCP); every
process of the box is the product's own.

    1 build the simulated camera       3 teach from those pictures          5 judge from outside, compare with labels
    2 photograph the good parts        4 run the line
"""

import json
import logging
import os
import subprocess
import sys
import time
import webbrowser
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from ..bus.channel import Subscriber, io_address
from ..bus.clock import utc_now
from ..bus.errors import BadPicture, BadSettings, OkngError
from ..bus.messages import StationState
from ..bus.part import Record
from ..bus.stop import Stop
from ..fleet.activate import activate
from ..models.box import Box
from ..models.bundle import open_bundle
from ..models.detector import Detector
from ..models.pictures import files_in, read
from ..records.check import check as check_store
from ..records.export import export_jsonl
from ..simline.build import build as build_camera
from ..training.options import TeachOptions
from ..training.taught_report import TeachReport
from ..training.teach import teach
from .balance import balance_json, balance_lines
from .capture import capture
from .commissioning import commissioned
from .demo_people import add_people
from .killer import Killer
from .outcome import Outcome, outcome_table
from .progress import bar, teaching
from .simulation import Presenter, SimulatedLine
from .supervisor import Child, Readiness, Supervisor, box_children, wait_until
from .teaching import told
from .workspace import (
    CAMERA,
    OTHERS,
    RecipeFacts,
    Workspace,
    belt_for,
    free_port,
    make_workspace,
    port_is_free,
    removed,
    seen_size,
    write_plan,
    write_recipe,
    write_settings,
)

log = logging.getLogger(__name__)
DEADLINE_MS = 400
RATE_SHOTS = 31
COARSE_GOODS, COARSE_MARGIN = 60, 1.25
SLOWEST_RATE, FASTEST_RATE = 2.0, 20.0
"""Parts a second that the demonstration chooses by itself."""
BUSY_SHARE = 0.5
"""Of one core that inference may take then."""
ENDLESS = 500_000
"""Parts of a demonstration that people watch: more than a day at five parts a second."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What was asked of `okng demo`; the command's help says what each is."""

    parts: Path | None = None
    headless: bool = False
    json_file: Path | None = None
    count: int | None = None
    rate: float | None = None
    faults: float = 0.0
    varying: bool = False
    kills: int = 0
    size: int = 256
    overkill: float | None = None
    seed: int = 1
    port: int = 8080
    modbus_port: int = 0
    language: str = "en"
    out: Path = Path("demo-out")
    keep_model: bool = False
    bench: bool = False
    cameras: int = 1
    people: bool = True


def demo(options: DemoOptions, console: Console | None = None) -> int:
    """Run it; return 0 if the run balanced and the outside judge found nothing, 1 if not, 130 when broken off early."""
    return Demonstration(options, console or Console()).play()


class Demonstration:
    """One demonstration from the empty folder to the table."""

    def __init__(self, options: DemoOptions, console: Console) -> None:
        """BadSettings: the folder holds other things, or a port is in use."""
        self.options, self.console = options, console
        self.begun = time.monotonic()
        if options.port and not port_is_free(options.port):
            raise BadSettings(f"port {options.port} of 127.0.0.1 is in use: end what uses it, or choose another --port")
        if options.modbus_port and not port_is_free(options.modbus_port):
            raise BadSettings(f"port {options.modbus_port} of 127.0.0.1 is in use: choose another --modbus-port")
        self.rate = options.rate or 5.0
        self.belt = belt_for(self.rate, DEADLINE_MS, varying=options.varying)
        self.others = {name: f"SN000{at + 1}" for at, name in enumerate(OTHERS[: options.cameras - 1])}
        """Serial numbers of the further cameras by name."""
        self.cameras = (CAMERA, *self.others)
        self.space = self._workspace()
        self.outcome: Outcome | None = None

    def say(self, text: str) -> None:
        """One line with the time since the start."""
        self.console.print(f"[dim]{time.monotonic() - self.begun:7.1f} s[/dim]  {text}", highlight=False)

    def play(self) -> int:
        """All five steps."""
        os.environ["OKNG_SIM"] = str(self.space.scenes)
        try:
            plan = self._plan()
            producer = build_camera()
            self.say(f"simulated GenICam camera built: {producer.name}")
            write_plan(self.space, plan)
            with Presenter(self.space.plan) as presenter:
                view, colour = presenter.view, presenter.colour
                self.modbus_port = self.options.modbus_port or free_port()
                write_settings(
                    self.space,
                    modbus_port=self.modbus_port,
                    web_port=self.options.port or free_port(),
                    language=self.options.language,
                    producer=producer,
                    bench=self.options.bench,
                    others=self.others,
                )
                name = self.options.parts.resolve().name if self.options.parts else "rendered-parts"
                name = name.lower().replace("_", "-")
                recipe = RecipeFacts(name, view, colour, DEADLINE_MS, others=tuple(self.others))
                write_recipe(self.space, recipe, self.belt)
                teach_s = self._teach(presenter, name)
            self._choose_rate()
            write_recipe(self.space, replace(recipe, health=self._commission(), loose=self._loose()), self.belt)
            self.outcome = self._run({**plan, "belt": self.belt}, teach_s)
        except KeyboardInterrupt:
            self.say("broken off before the line ran")
            return 130
        finally:
            self.space.close()
        self.console.print(outcome_table(self.outcome))
        if self.options.json_file:
            self.options.json_file.write_text(json.dumps(self.outcome.as_json(), indent=2), encoding="utf-8")
            self.say(f"results in {self.options.json_file}")
        return 0 if self.outcome.holds else 1

    def _workspace(self) -> Workspace:
        return make_workspace(self.options.out, keep_model=self.options.keep_model)

    def _plan(self) -> dict[str, Any]:
        """What the simulated line is told."""
        options = self.options
        source: dict[str, Any] = {"kind": "rendered"}
        if options.parts is not None:
            source = {"kind": "folder", "folder": str(options.parts.resolve())}
        count = options.count
        if count is None and not options.headless:
            count = ENDLESS
        if count is None and options.parts is None:
            count = 500
        return {
            "source": source,
            "count": count,
            "seed": options.seed,
            "noise": 2 if options.parts is None else 1,  # real pictures bring their own; 1 keeps two shots apart
            "scan_ms": 2.0 if options.bench else 5.0,
            "faults": {"percent": options.faults},
            "realtime": True,
            "others": list(self.others.values()),
        }

    def _teach(self, presenter: Presenter, name: str) -> float:
        """Photograph the goods with the line's camera process and teach from them; return the seconds of teaching."""
        seconds = self._taught(presenter, name)
        report = activate(self.space.model, self.space.slot)
        self.say(f"model activated: {report.detail}")
        return seconds

    def _commission(self) -> str:
        """Commission what the pictures are compared with from the goods; return its file name, else nothing."""
        try:
            for _ in commissioned(self.space.goods, self.space.health):
                pass
        except BadPicture as error:
            self.say(f"no reference for the pictures' health: {error}")
            return ""
        return self.space.health.name

    def _loose(self) -> float | None:
        """Limit of the further cameras: told from goods in their coarser size, which nobody taught the model."""
        if not self.others:
            return None
        detector = Detector(open_bundle(self.space.slot), "cpu", 1)
        scores = []
        for file in files_in(self.space.goods)[:COARSE_GOODS]:
            picture = read(file)
            size = seen_size((picture.shape[1], picture.shape[0]), 2)
            small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            scores.append(detector.find(small, Box(0, 0, *size)).score)
        return max(detector.bundle.manifest.threshold.value, COARSE_MARGIN * max(scores))

    def _choose_rate(self) -> None:
        """Where nobody asked for a rate: one that this box judges with room to spare, as a commissioning would find."""
        detector = Detector(open_bundle(self.space.slot), "cpu", 1)
        entry = detector.bundle.manifest.input
        cut = np.zeros((1, entry.height, entry.width, entry.channels), np.uint8)
        took_ms = sorted(detector.find_cut(cut).took_ns / 1e6 for _ in range(RATE_SHOTS))
        middle, worst = (each * len(self.cameras) for each in (took_ms[RATE_SHOTS // 2], took_ms[-1]))
        if self.options.rate is None and self.options.headless:
            self.rate = max(SLOWEST_RATE, min(FASTEST_RATE, BUSY_SHARE * 1000 / middle, 1000 / worst))
            self.belt = belt_for(self.rate, DEADLINE_MS, varying=self.options.varying)
        self.say(f"one inference takes {middle:.0f} ms here ({worst:.0f} ms at worst): {self.rate:.1f} parts a second")

    def _taught(self, presenter: Presenter, name: str) -> float:
        if self.options.keep_model and (self.space.model / "manifest.json").exists():
            self.say(f"model of an earlier demo kept: {self.space.model}")
            return 0.0
        removed(self.space.model)
        removed(self.space.goods)
        door = [sys.executable, "-m", "okng", "camera", CAMERA, "--settings", str(self.space.settings)]
        with self.space.log.open("ab") as log_file:
            supervisor = Supervisor([Child(f"camera-{CAMERA}", door)], self.space.run_dir, log_file)
            supervisor.start()
            try:
                ready = Readiness(self.space.run_dir, (f"camera-{CAMERA}",))
                if not wait_until(ready, 30, supervisor):
                    raise OkngError(f"the simulated camera does not start; see {self.space.log}")
                with bar(self.console) as progress:
                    task = progress.add_task("photograph good parts", total=presenter.goods)
                    took = capture(
                        self.space.run_dir,
                        CAMERA,
                        self.space.goods,
                        presenter.next,
                        lambda done: progress.update(task, completed=done),
                    )
            finally:
                supervisor.stop()
        self.say(f"{took} good parts photographed")
        with teaching(self.console) as report:
            made: TeachReport = teach(
                self.space.goods,
                self.space.model,
                TeachOptions(
                    name=name,
                    size_px=self.options.size,
                    heads="usual",
                    threads=2,
                    seed=self.options.seed,
                    # Real sets of goods hold poor ones: a threshold that spares them all lets most defects pass.
                    overkill_percent=self.options.overkill or (1.0 if self.options.parts is None else 5.0),
                ),
                report,
            )
        for line in told(made):
            self.say(line)
        return made.seconds["total"]

    def _run(self, plan: dict[str, Any], teach_s: float) -> Outcome:
        """Run the line until its parts are through or someone says stop; then ask the judge."""
        plan = {**plan, "modbus": {"port": self.modbus_port}}
        write_plan(self.space, plan)
        stop = Stop()
        with self.space.log.open("ab") as log_file:
            children = box_children(self.space.settings, self.cameras, web=bool(self.options.port))
            supervisor = Supervisor(children, self.space.run_dir, log_file)
            supervisor.start()
            try:
                self._show_page()
                self._belt(supervisor, plan, stop)
            finally:
                supervisor.stop()
        return self._judge(teach_s)

    def _show_page(self) -> None:
        if self.options.port:
            self.say(f"operator page on http://127.0.0.1:{self.options.port}")
            if os.environ.get("DISPLAY") and not self.options.headless:
                webbrowser.open(f"http://127.0.0.1:{self.options.port}")
            if not self.options.people:
                self.say("nobody may sign in there yet: the first page makes the first administrator")
                return
            known = add_people(self.space.run_dir, self.space.store)
            self.say(f"who may sign in there, and their PINs: {known}")

    def _belt(self, supervisor: Supervisor, plan: dict[str, Any], stop: Stop) -> None:
        killed = (*(f"camera-{name}" for name in self.cameras), "inspect", "records", "shift", "web")
        running = tuple(child.name for child in supervisor.children)
        total = plan["count"]
        killer = Killer(tuple(n for n in killed if n in running), self.options.kills, total or 1, self.options.seed)
        endless = total == ENDLESS
        ears = Subscriber([io_address(self.space.run_dir)], (Record, StationState))
        told = _Told()
        with SimulatedLine(self.space.plan, self.space.line_log / "line.log") as line, bar(self.console) as progress:
            task = progress.add_task("line", total=None if endless else total)
            while not stop.asked.is_set() and line.running:
                supervisor.watch()
                killer.look(line.parts, supervisor)
                while (message := ears.receive(0)) is not None:
                    self._tell(message, told, endless=endless)
                told.plainly(self, line, terminal=self.console.is_terminal)
                progress.update(
                    task, completed=line.parts, total=None if endless else line.total, description=told.text
                )
                stop.asked.wait(0.05)
            if stop.asked.is_set():
                self.say("stopping")
            line.stop()
            end = time.monotonic() + 3.0  # the last parts are acknowledged and written
            while time.monotonic() < end:
                supervisor.watch()
                time.sleep(0.05)
        ears.close()
        if self.options.kills:
            self.say("kill -9: " + ", ".join(f"{name} {times} times" for name, times in killer.done.items()))
        if line.code not in (0, None):
            raise OkngError(f"the simulated line failed: {line.why or line.code}; see {self.space.line_log}/line.log")

    def _tell(self, message: Record | StationState, told: "_Told", *, endless: bool) -> None:
        if isinstance(message, StationState):
            told.state = message
            return
        if not told.first:
            told.first = True
            self.say(f"first verdict: part {message.trigger.part} {message.disposition.action}")
        if endless:
            self.say(_line_of(message))

    def _judge(self, teach_s: float) -> Outcome:
        balance = check_store(self.space.store, full=True)
        with self.space.ledger_lines.open("w", encoding="utf-8") as out:
            export_jsonl(self.space.store, out)
        for line in balance_lines(balance):
            self.say(line)
        judged = subprocess.run(
            [
                *(sys.executable, "-m", "okng.simline.judge"),
                *(str(self.space.line_log), str(self.space.ledger_lines)),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        if not judged.stdout.strip():
            raise OkngError(f"the outside judge gave no answer: {judged.stderr.strip()}")
        return Outcome.of(self.space, json.loads(judged.stdout), balance_json(balance), teach_s, utc_now())


class _Told:
    """What was said last, so that a log is not flooded and a terminal shows the present."""

    def __init__(self) -> None:
        self.state: StationState | None = None
        self.first = False
        self._next = 0.0

    @property
    def text(self) -> str:
        """Short state for the progress display."""
        if self.state is None:
            return "line: starting"
        c = self.state.counters
        return f"{self.state.state} OK {c.ok} NG {c.ng} UN {c.unjudged}"

    def plainly(self, demo: Demonstration, line: SimulatedLine, *, terminal: bool) -> None:
        """Where there is no terminal to draw on, one line every five seconds."""
        if terminal or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 5.0
        demo.say(f"{line.parts} parts through; {self.text}")


def _line_of(record: Record) -> str:
    verdict, disposition = record.verdict, record.disposition
    colour = {"PASS": "green", "REJECT": "red"}[disposition.action]
    score = f"score {verdict.score:.2f} of {verdict.threshold:.2f}" if verdict else "no verdict"
    ms = (
        f"{(disposition.published_ns - record.trigger.at_ns) / 1e6:.0f} ms"
        if disposition.published_ns is not None
        else "never published"
    )
    word = f"[{colour}]{disposition.action}[/{colour}]"
    return f"part {record.trigger.part:>6}  {word}  because {disposition.why}, {score}, {ms}, {record.receipt.delivery}"


__all__ = ["DemoOptions", "Demonstration", "Workspace", "demo"]
