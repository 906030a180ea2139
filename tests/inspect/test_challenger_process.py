"""The real inspection process with a model on trial: swaps at rate, and what is left of it after kill -9."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.carried import deaths
from okng.bus.channel import (
    Publisher,
    Subscriber,
    camera_address,
    inspect_addresses,
    io_address,
    sync_address,
)
from okng.bus.clock import MS, now_ns
from okng.bus.heartbeat import Pulse
from okng.bus.ladder import ChallengerOrder, ChallengerState, Compared, Role
from okng.bus.messages import Health, InspectState, Job, JobOrder, PastModel
from okng.bus.part import Outcome, Verdict
from okng.inspect.job import job_of
from okng.inspect.standby import STANDBY

from .trial_rig import BETWEEN, GOOD, POISON, Rig, poisoned, until

pytestmark = pytest.mark.timeout(120)
_INSPECT = """
import logging, sys
from pathlib import Path
from okng.inspect.options import InspectOptions
from okng.inspect.process import run
from okng.inspect.recipe import read_recipe
logging.basicConfig(level=logging.INFO)
folder = Path(sys.argv[1])
raise SystemExit(run(1, lambda number: read_recipe(folder / "recipe.yaml"), InspectOptions(), ("top",), folder / "run"))
"""


class Box:
    """io, sync and the camera of a box, as far as inspect can tell; what inspect says is heard in a thread."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder)
        self.plain, self.keen = self.rig.bundles["plain"], self.rig.bundles["keen"]
        self.names = {self.plain: "plain", self.keen: "keen"}
        run = self.rig.run_dir
        self.io, self.sync = Publisher(io_address(run)), Publisher(sync_address(run))
        self.camera = Publisher(camera_address(run, "top"))
        self.job: Job = job_of(self.rig.read(), ("top",))
        self.order: JobOrder = self.rig.job_order(self.job, "plain")
        self.trial: ChallengerOrder = self.rig.trial("keen", Role.NONE)
        self.verdicts: dict[int, Verdict] = {}
        self.doubles = 0
        self.states: list[InspectState] = []
        self.trials: list[ChallengerState] = []
        self.compared: list[Compared] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self._end = threading.Event()
        self._ear = threading.Thread(target=self._listen, daemon=True)
        self._ear.start()

    def _listen(self) -> None:
        kinds = (Verdict, InspectState, ChallengerState, Compared)
        with Subscriber(inspect_addresses(self.rig.run_dir), kinds) as ear:
            while not self._end.is_set():
                message = ear.receive(50)
                if isinstance(message, Verdict):
                    self.doubles += message.part in self.verdicts
                    self.verdicts[message.part] = message
                elif isinstance(message, InspectState):
                    self.states.append(message)
                elif isinstance(message, ChallengerState):
                    self.trials.append(message)
                elif isinstance(message, Compared):
                    self.compared.append(message)

    def start(self) -> subprocess.Popen[bytes]:
        self.processes.append(subprocess.Popen([sys.executable, "-c", _INSPECT, str(self.rig.folder)]))
        return self.processes[-1]

    def say(self) -> None:
        """What io and sync repeat."""
        self.io.send(self.order)
        self.sync.send(self.trial)

    def until(self, true: object, seconds: float = 30.0) -> bool:
        def said() -> bool:
            self.say()
            time.sleep(0.01)
            return bool(true())  # type: ignore[operator]

        return until(said, seconds)

    def goes_by(self, job: Job, since: int = 0) -> bool:
        """Inspect has said after so many states that it is ready with that job."""
        return any(each.health is Health.READY and each.job == job for each in self.states[since:])

    def tries(self, name: str, role: Role) -> ChallengerState:
        self.trial = self.rig.trial(name, role)
        number = self.trial.number

        def done() -> bool:
            last = self.trials[-1] if self.trials else None
            return last is not None and last.number == number and (last.ready or bool(last.trouble))

        assert self.until(done)
        return self.trials[-1]

    def swap(self, lead_ns: int = 30 * MS) -> int:
        """The other model judges from a moment on, as io says it; return the moment."""
        since = now_ns() + lead_ns
        old = self.job.model
        self.job = replace(self.job, model=self.keen if old == self.plain else self.plain)
        past = (*self.order.past[-3:], PastModel(old, since))
        self.order = self.rig.job_order(self.job, self.names[self.job.model], since, *past)
        self.say()
        return since

    def part(self, level: int) -> tuple[int, int]:
        """One part; return its number and the moment of its trigger."""
        frame = self.rig.frame(level)
        self.camera.send(frame)
        return frame.part, frame.triggered_at_ns

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)
        self._end.set()
        self._ear.join(5)
        for held in (self.io, self.sync, self.camera):
            held.close()
        self.rig.ring.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.close()


def test_a_hundred_swaps_at_rate_and_every_part_is_judged_by_the_model_of_its_trigger(box: Box) -> None:
    box.start()
    assert box.until(lambda: box.goes_by(box.job))
    box.tries("keen", Role.SHADOW)
    expected: dict[int, str] = {}
    models = [(0, box.job.model)]
    for turn in range(400):
        if turn % 4 == 1:
            since = box.swap(lead_ns=30 * MS)
            models.append((since, box.job.model))
        number, at = box.part(BETWEEN)
        expected[number] = next(model for since, model in reversed(models) if at >= since)
        time.sleep(0.012)
    assert until(lambda: len(box.verdicts) == 400), len(box.verdicts)
    found = {number: verdict.model for number, verdict in box.verdicts.items()}
    assert found == expected
    assert set(found.values()) == {box.plain, box.keen}
    for verdict in box.verdicts.values():
        assert verdict.outcome is (Outcome.OK if verdict.model == box.plain else Outcome.NG), verdict.reasons
    assert box.doubles == 0
    assert len(models) == 101
    assert {each.health for each in box.states} == {Health.READY}


def test_after_kill_9_it_judges_by_what_io_goes_by_whatever_the_link_says(box: Box) -> None:
    process = box.start()
    assert box.until(lambda: box.goes_by(box.job))
    box.tries("keen", Role.SHADOW)
    box.swap()
    assert box.until(lambda: box.goes_by(box.job))
    process.kill()
    process.wait(10)
    said = len(box.states)
    box.start()
    assert box.until(lambda: box.goes_by(box.job, said)), "the link still leads to the model before"
    number, _ = box.part(BETWEEN)
    assert until(lambda: number in box.verdicts)
    assert (box.verdicts[number].model, box.verdicts[number].outcome) == (box.keen, Outcome.NG)
    assert box.states[said].job.model == box.plain, "it came up by the link, before it heard the order"
    box.trial = box.rig.trial("keen", Role.NONE)
    assert box.until(lambda: set(box.trials[-1].at_hand) == {box.plain, box.keen}), "the last good one is there again"

    box.rig.link("keen")  # sync has gone on
    box.swap()  # and back, with the link still at the new one
    assert box.until(lambda: box.goes_by(box.job))
    box.processes[-1].kill()
    box.processes[-1].wait(10)
    said = len(box.states)
    box.start()
    assert box.until(lambda: box.goes_by(box.job, said))
    number, _ = box.part(BETWEEN)
    assert until(lambda: number in box.verdicts)
    assert box.verdicts[number].model == box.plain


def test_a_model_on_trial_that_two_processes_died_with_is_not_loaded_by_the_third(box: Box) -> None:
    for died in range(3):
        process = box.start()
        said = len(box.states)
        assert box.until(lambda said=said: box.goes_by(box.job, said))
        state = box.tries("keen", Role.CANARY)
        assert state.ready == (died < 2)
        if died == 2:
            assert state.trouble == "2 processes have died within ten minutes with it loaded"
            assert state.role is Role.NONE
            break
        process.kill()
        process.wait(10)
    number, _ = box.part(BETWEEN)
    assert until(lambda: number in box.verdicts)
    assert box.verdicts[number].outcome is Outcome.OK, "the line goes on by the model it has"


def test_one_that_ends_as_it_is_told_has_not_died_of_its_model(box: Box) -> None:
    process = box.start()
    assert box.until(lambda: box.goes_by(box.job))
    box.tries("keen", Role.SHADOW)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert deaths(box.rig.run_dir, box.keen) == 0
    assert (box.rig.run_dir / "carried.json").exists()


def test_one_that_gives_nan_in_the_shadow_is_dropped_and_no_verdict_differs(box: Box) -> None:
    box.rig.add("poisoned", poisoned())
    box.start()
    assert box.until(lambda: box.goes_by(box.job))
    box.tries("poisoned", Role.SHADOW)
    sent = [box.part(GOOD)[0]]
    while not box.compared and len(sent) < 300:
        time.sleep(0.12)
        sent.append(box.part(GOOD)[0])
    while not any("NaN" in each.trouble for each in box.trials[-3:]) and len(sent) < 400:
        time.sleep(0.12)
        sent.append(box.part(POISON)[0])
    assert until(lambda: len(box.verdicts) == len(sent))
    assert {box.verdicts[number].outcome for number in sent} == {Outcome.OK}
    assert "NaN" in box.trials[-1].trouble
    assert not box.trials[-1].ready


def test_the_standby_has_the_canary_too_and_goes_on_with_both_words(box: Box) -> None:
    judge = box.start()
    assert box.until(lambda: box.goes_by(box.job))
    standby = box.start()
    pulse = Pulse(box.rig.run_dir)

    def stands_by() -> bool:
        beat = pulse.beats().get(STANDBY)
        return beat is not None and beat.pid == standby.pid and beat.health is Health.READY

    assert box.until(stands_by)
    box.tries("keen", Role.CANARY)
    held = box.rig.run_dir / "carried.json"
    assert box.until(lambda: held.read_text(encoding="ascii").count(box.keen) == 2), "both have written it down"
    box.until(lambda: False, 1.0)  # and have loaded it
    seat = box.trials[-1].judge_ns
    judge.kill()
    judge.wait(10)
    said = len(box.trials)
    assert box.until(lambda: any(each.ready and each.judge_ns > seat for each in box.trials[said:]), 5)
    number, _ = box.part(BETWEEN)
    assert until(lambda: number in box.verdicts)
    assert (box.verdicts[number].outcome, box.verdicts[number].model) == (Outcome.NG, box.plain)
    box.swap()
    assert box.until(lambda: box.goes_by(box.job))
    pulse.close()
