"""Two judges: one speaks, the other one waits and takes over in no time; one of them answers a frame, or none."""

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from okng.appliance.supervisor import Child, Supervisor
from okng.bus.channel import Publisher, Subscriber
from okng.bus.clock import now_ns
from okng.bus.errors import Refused
from okng.bus.heartbeat import Heartbeat, Pulse
from okng.bus.messages import FrameReady, Health, InspectState, Job, JobOrder, JobPhase
from okng.bus.part import Outcome, Verdict
from okng.bus.ring import RingShelf
from okng.bus.stop import Stop
from okng.inspect.bench import Bench
from okng.inspect.challenger import Challenger
from okng.inspect.inspector import Inspector
from okng.inspect.options import InspectOptions
from okng.inspect.process import _Loop, run
from okng.inspect.standby import ASIDE, JUDGE, RUN_DIR, STANDBY, Role
from okng.inspect.standby_seat import Seat

log = logging.getLogger(__name__)
JOB = Job("cap", "0123456789ab", "f" * 64, 10**9)
CAMERAS = ("top", "side")

JUDGES = """
import pathlib, signal, sys, time
from okng.bus.messages import Health
from okng.bus.stop import Stop
from okng.inspect.standby import Role
stop, role = Stop(), Role(pathlib.Path(sys.argv[1]), ("top", "side"))
role.heartbeat.health = Health.READY
while not stop.asked.is_set():
    role.turn()
    role.heartbeat.turn()
    stop.asked.wait(0.01)
print(sys.argv[2], 'judges' if role.judges else 'waits', flush=True)
role.close()
"""


def frame(part: int, ready_ns: int, camera: str = "top") -> FrameReady:
    return FrameReady(
        part=part,
        camera=camera,
        ring="",
        slot=0,
        sequence=0,
        number=part,
        epoch=1,
        width=8,
        height=8,
        pixel_format="Mono8",
        size_bytes=64,
        triggered_at_ns=ready_ns,
        exposed_at_ns=ready_ns,
        device_ns=None,
        received_ns=ready_ns,
        ready_ns=ready_ns,
        taken_at="",
    )


@contextmanager
def another(run_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A second process that sits down as the product's does; READY when handed over."""
    process = subprocess.Popen([sys.executable, "-c", JUDGES, str(run_dir), "other"], stdout=subprocess.DEVNULL)
    pulse = Pulse(run_dir)
    try:
        assert until(lambda: any(b.pid == process.pid and b.health is Health.READY for b in pulse.beats().values()))
        yield process
    finally:
        process.kill()
        process.wait()
        pulse.close()


def until(true: Callable[[], object], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def test_the_seat_falls_free_with_the_process_that_held_it_and_never_before(tmp_path: Path) -> None:
    took_ms = []
    for wait_s in (0.0, 0.03, 0.07):
        with another(tmp_path) as judge:
            role = Role(tmp_path, CAMERAS)
            assert not role.judges
            assert not role.turn()
            os.kill(judge.pid, signal.SIGSTOP)  # it hangs: what it holds is still its own
            time.sleep(wait_s)
            assert not role.turn()
            begun_ns = now_ns()
            judge.kill()
            assert until(role.turn)
            took_ms.append((now_ns() - begun_ns) / 1e6)
            beats = Pulse(tmp_path).beats()
            assert (beats[JUDGE].pid, beats[STANDBY].health) == (os.getpid(), Health.LOST)
            assert not role.turn(), "it becomes the judge once"
            role.close()
    log.info("ms from kill -9 to the seat: %s", ", ".join(f"{each:.1f}" for each in took_ms))
    assert max(took_ms) < 500


def test_a_third_judge_is_refused(tmp_path: Path) -> None:
    first, second = Seat(tmp_path, CAMERAS), Seat(tmp_path, CAMERAS)
    with pytest.raises(Refused, match="two judges run there already"):
        Seat(tmp_path, CAMERAS)
    assert (first.desk, second.desk) == (1, 2)
    first.close()
    third = Seat(tmp_path, CAMERAS)
    assert third.desk == 1
    second.close()
    third.close()
    third.close()


def test_what_the_judge_answered_is_not_left_to_the_next_one(tmp_path: Path) -> None:
    first, second = Seat(tmp_path, CAMERAS), Seat(tmp_path, CAMERAS)
    assert first.take()
    assert not second.take()
    begun = now_ns()
    first.answered(frame(1, begun + 1))
    first.answered(frame(1, begun + 3, "side"))
    time.sleep(0.001)
    first.close()
    assert second.take()
    assert second.judge_ns > begun
    left = [second.is_left_to_us(one) for one in (frame(1, begun + 1), frame(2, begun + 2))]
    assert left == [False, True]
    assert not second.is_left_to_us(frame(1, begun + 3, "side"))
    assert second.is_left_to_us(frame(2, begun + 4, "side"))
    second.close()


def test_of_other_cameras_or_another_boot_nothing_old_is_judged_and_all_that_comes_is(tmp_path: Path) -> None:
    first = Seat(tmp_path, CAMERAS)
    first.take()
    first.answered(frame(1, now_ns() + 10**15))  # as a machine says that ran longer before it was started again
    first.close()
    for cameras in (CAMERAS, ("side", "top")):
        before = frame(2, now_ns(), "side")
        time.sleep(0.001)
        seat = Seat(tmp_path, cameras)
        seat.take()
        assert seat.is_left_to_us(before) == (cameras == CAMERAS)
        time.sleep(0.001)
        assert seat.is_left_to_us(frame(3, now_ns()))
        seat.close()


def test_a_judge_whose_seat_was_taken_away_knows_it(tmp_path: Path) -> None:
    seat = Seat(tmp_path, CAMERAS)
    assert seat.take()
    assert not seat.is_gone()
    (tmp_path / "inspect.seat").unlink()
    assert seat.is_gone()
    other = Seat(tmp_path, CAMERAS)
    assert other.take(), "another one sits on a seat of its own now"
    assert seat.is_gone()
    seat.close()
    other.close()


class Plain:
    """An inspector that finds everything good."""

    number, job, provider, alarms, image_limits, trouble = 1, JOB, "CPUExecutionProvider", (), (), ""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.proved = 0
        self.die: Callable[[], None] = lambda: None

    def verdict(self, ready: FrameReady, shelf: object) -> Verdict:
        self.seen.append(ready.part)
        said = ("cap", JOB.revision, JOB.model, ready.camera, ready.triggered_at_ns)
        return Verdict(ready.part, Outcome.OK, (), (), 1.0, 2.0, *said, ready, (), 1, 2)

    def prove(self, between: Callable[[], None]) -> None:
        between()
        self.proved += 1
        self.die()
        between()
        self.proved += 1

    def turn(self) -> None:
        pass

    def wait_ns(self) -> None:
        return None

    def close(self) -> None:
        pass


class Bus:
    """What the loop hears and says."""

    def __init__(self) -> None:
        self.coming: deque[FrameReady | JobOrder] = deque()
        self.said: list[Any] = []

    def wait(self, timeout_ms: int) -> None:
        time.sleep(0.002)

    def receive(self, timeout_ms: int) -> FrameReady | JobOrder | None:
        return self.coming.popleft() if self.coming else None


def ears(bench: Bench, bus: Bus, run_dir: Path) -> tuple[Subscriber, RingShelf, Challenger]:
    """What the loop hears, and what is on trial: nothing."""
    return cast(Subscriber, bus), cast(RingShelf, None), Challenger(bench, run_dir, 1)


def test_the_standby_hears_everything_says_nothing_and_answers_only_what_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okng.inspect.process.REHEARSE_NS", 0)
    judge = Seat(tmp_path, CAMERAS)
    assert judge.take()
    role, bus, made = Role(tmp_path, CAMERAS), Bus(), Plain()
    role.heartbeat.health = Health.READY
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    send = SimpleNamespace(send=bus.said.append)
    loop = _Loop(
        *(bench, InspectOptions(), role),
        cast(Publisher, send),
        *ears(bench, bus, tmp_path),
    )
    turns = iter(range(10_000))
    left: list[int] = []

    def asked() -> bool:
        """Runs before each turn: 3 frames come, the judge answers two of them, dies, and a fourth one comes."""
        turn = next(turns)
        at = now_ns()
        if turn == 1:
            bus.coming += [frame(1, at - 3 * 10**9), frame(2, at - 3), frame(3, at - 2), frame(4, at - 1)]
            judge.answered(frame(3, at - 2))
        if turn == 5:
            assert bus.said == []
            judge.close()
        if turn == 8:
            bus.coming.append(frame(5, at))
        left.append(turn)
        return turn > 12

    assert loop.go(cast(Stop, SimpleNamespace(asked=SimpleNamespace(is_set=asked)))) == 0
    verdicts = [one for one in bus.said if isinstance(one, Verdict)]
    assert [one.part for one in verdicts] == [4, 5]
    assert {one.judge_ns for one in bus.said} == {role.seat.judge_ns}
    states = [one for one in bus.said if isinstance(one, InspectState)]
    assert isinstance(bus.said[0], InspectState), "that the line has its judge is said first"
    assert len(states) >= 5, "and again at each turn"
    assert made.seen[0] == 4, "it rehearsed with the newest frame"
    role.close()


def test_a_standby_that_cannot_have_the_job_of_the_line_ends_and_leaves_the_seat_to_one_that_can(
    tmp_path: Path,
) -> None:
    judge = Seat(tmp_path, CAMERAS)
    judge.take()
    role, bus = Role(tmp_path, CAMERAS), Bus()

    def no_room(number: int, job: Job | None, folders: object) -> Inspector:
        raise MemoryError("no room for it")

    bench = Bench(cast(Inspector, Plain()), no_room)
    bus.coming.append(JobOrder("run", 1, JobPhase.STEADY, 2, replace(JOB, recipe="lid"), 0, None))
    publisher = cast(Publisher, SimpleNamespace(send=bus.said.append))
    loop = _Loop(bench, InspectOptions(), role, publisher, *ears(bench, bus, tmp_path))
    asked = iter(range(2000))
    stop = SimpleNamespace(asked=SimpleNamespace(is_set=lambda: next(asked) > 1000))
    assert loop.go(cast(Stop, stop)) == 70
    assert not role.judges
    assert bus.said == []
    role.close()
    judge.close()


def test_beside_a_judge_that_is_behind_the_standby_takes_no_time_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okng.inspect.process.REHEARSE_NS", 0)
    judge, bus, made = Seat(tmp_path, CAMERAS), Bus(), Plain()
    judge.take()
    role, at = Role(tmp_path, CAMERAS), now_ns()
    bus.coming += [frame(1, at - 2), frame(2, at - 1, "side")]
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    options = InspectOptions.model_construct(golden_every_s=0)
    publisher = cast(Publisher, SimpleNamespace(send=bus.said.append))
    loop = _Loop(bench, options, role, publisher, *ears(bench, bus, tmp_path))
    turns = iter(range(100))

    def asked() -> bool:
        turn = next(turns)
        if turn == 20:
            assert (made.seen, made.proved) == ([], 0)
            judge.answered(frame(1, at - 2))
        return turn > 30

    assert loop.go(cast(Stop, SimpleNamespace(asked=SimpleNamespace(is_set=asked)))) == 0
    assert set(made.seen) == {2}
    assert made.proved > 0
    role.close()
    judge.close()


def test_the_first_rehearsal_is_some_time_after_the_start(tmp_path: Path) -> None:
    judge, bus, made = Seat(tmp_path, CAMERAS), Bus(), Plain()
    judge.take()
    role = Role(tmp_path, CAMERAS)
    bus.coming.append(frame(1, now_ns()))
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    publisher = cast(Publisher, SimpleNamespace(send=bus.said.append))
    loop = _Loop(bench, InspectOptions(), role, publisher, *ears(bench, bus, tmp_path))
    turns = iter(range(100))
    assert loop.go(cast(Stop, SimpleNamespace(asked=SimpleNamespace(is_set=lambda: next(turns) > 20)))) == 0
    assert made.seen == []
    role.close()
    judge.close()


def test_a_judge_whose_model_failed_gives_the_seat_to_a_standby_that_is_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, made, pulse = Role(tmp_path, CAMERAS), Plain(), Pulse(tmp_path)
    made.trouble = "the device is lost"
    went_on: list[bool] = []

    def close() -> None:
        """The failed model is built anew by a thread that takes its time to end."""
        went_on.append(until(lambda: pulse.beats()[JUDGE].pid == other.pid, 5))

    made.close = close  # type: ignore[method-assign]
    turns = iter(range(2000))
    alone, ends = (SimpleNamespace(asked=SimpleNamespace(is_set=lambda m=m: next(turns) > m)) for m in (20, 1500))
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    publisher = cast(Publisher, SimpleNamespace(send=lambda _: None))
    loop = _Loop(bench, InspectOptions(), role, publisher, *ears(bench, Bus(), tmp_path))
    assert loop.go(cast(Stop, alone)) == 0, "where nobody waits it keeps the seat, and builds its model anew"
    with another(tmp_path) as other:
        monkeypatch.setattr("okng.inspect.process.Inspector", lambda *_: made)
        monkeypatch.setattr("okng.inspect.process.Stop", lambda: ends)
        assert run(1, cast(Any, lambda _: None), InspectOptions(), CAMERAS, tmp_path, role) == 70
        assert went_on == [True]
    pulse.close()


def test_a_standby_without_a_fit_model_or_the_job_of_the_line_is_not_called_ready(tmp_path: Path) -> None:
    judge, bus, made, pulse = Seat(tmp_path, CAMERAS), Bus(), Plain(), Pulse(tmp_path)
    judge.take()
    role = Role(tmp_path, CAMERAS)
    role.heartbeat.health = Health.READY
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    publisher = cast(Publisher, SimpleNamespace(send=bus.said.append))
    loop = _Loop(bench, InspectOptions(), role, publisher, *ears(bench, bus, tmp_path))
    turns, said = iter(range(100)), list[Health]()

    def asked() -> bool:
        turn = next(turns)
        said.append(pulse.beats()[STANDBY].health)
        made.trouble = "the device is lost" if turn in range(5, 10) else ""
        if turn == 15:
            bench.lacking = True  # as while the new job of the line is still being loaded
        if turn == 20:
            judge.close()
        return turn > 25

    assert loop.go(cast(Stop, SimpleNamespace(asked=SimpleNamespace(is_set=asked)))) == 0
    assert [said[turn] for turn in (4, 9, 14, 19)] == [Health.READY, Health.STARTING, Health.READY, Health.STARTING]
    assert pulse.beats()[JUDGE].health is Health.READY
    role.close()
    pulse.close()


def test_a_seat_that_was_taken_away_is_nobodys_and_its_standby_ends(tmp_path: Path) -> None:
    judge, bus, made = Seat(tmp_path, CAMERAS), Bus(), Plain()
    judge.take()
    role = Role(tmp_path, CAMERAS)
    (tmp_path / "inspect.seat").unlink()
    judge.close()
    next_one = Seat(tmp_path, CAMERAS)
    assert next_one.take()
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    publisher = cast(Publisher, SimpleNamespace(send=bus.said.append))
    loop = _Loop(bench, InspectOptions(), role, publisher, *ears(bench, bus, tmp_path))
    turns = iter(range(100))
    assert loop.go(cast(Stop, SimpleNamespace(asked=SimpleNamespace(is_set=lambda: next(turns) > 20)))) == 70
    assert not role.judges, "two would judge"
    assert bus.said == []
    role.close()
    next_one.close()


def test_a_proof_of_the_standby_ends_where_the_judge_dies(tmp_path: Path) -> None:
    judge = Seat(tmp_path, CAMERAS)
    judge.take()
    role, bus, made = Role(tmp_path, CAMERAS), Bus(), Plain()
    made.die = judge.close
    role.heartbeat.health = Health.READY
    bench = Bench(cast(Inspector, made), lambda *asked: cast(Inspector, made))
    options = InspectOptions.model_construct(golden_every_s=0)
    publisher = cast(Publisher, SimpleNamespace(send=bus.said.append))
    loop = _Loop(bench, options, role, publisher, *ears(bench, bus, tmp_path))
    asked = iter(range(100))
    stop = SimpleNamespace(asked=SimpleNamespace(is_set=lambda: role.judges or next(asked) > 50))
    assert loop.go(cast(Stop, stop)) == 0
    assert role.judges
    assert made.proved == 1, "the second picture would have cost parts"
    role.close()


def test_who_waits_steps_aside_and_rises_with_the_seat(tmp_path: Path) -> None:
    code = JUDGES.replace("stop.asked.wait(0.01)", "stop.asked.wait(0.01)\n    import os; nice = os.getpriority(0, 0)")
    code = code.replace("role.heartbeat.turn()", "role.heartbeat.turn(done=1 if role.judges else 0)")
    with another(tmp_path) as judge:
        waits = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), "waits"], stdout=subprocess.DEVNULL)
        pulse = Pulse(tmp_path)
        try:
            assert until(lambda: (b := pulse.beats().get(STANDBY)) is not None and b.pid == waits.pid)
            before = os.getpriority(os.PRIO_PROCESS, 0)
            if os.geteuid() == 0:
                assert until(lambda: os.getpriority(os.PRIO_PROCESS, waits.pid) == max(ASIDE, before))
            judge.kill()
            assert until(lambda: pulse.beats()[JUDGE].pid == waits.pid)
            threads = [int(each.name) for each in Path(f"/proc/{waits.pid}/task").iterdir()]
            assert {os.getpriority(os.PRIO_PROCESS, each) for each in threads} == {before}
        finally:
            waits.kill()
            waits.wait()
            pulse.close()


def test_a_process_steps_aside_before_it_reads_its_settings_and_rises_if_it_is_the_judge(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys\nfrom okng.inspect.standby import Role, aside_at_once\n"
        "mine = aside_at_once(); early = os.getpriority(0, 0)\n"
        "if len(sys.argv) > 2: os.kill(int(sys.argv[2]), 9); __import__('time').sleep(0.3)\n"
        "role = Role(pathlib.Path(sys.argv[1]), ('top', 'side'), mine)\n"
        "print(mine, early, role.judges, os.getpriority(0, 0))\n"
    )
    env = {**os.environ, RUN_DIR: str(tmp_path)}

    def said(*asked: str) -> list[str]:
        command = [sys.executable, "-c", code, str(tmp_path), *asked]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.split()

    mine = str(os.getpriority(os.PRIO_PROCESS, 0))
    low = str(max(ASIDE, int(mine))) if os.geteuid() == 0 else mine
    assert said() == [mine, mine, "True", mine], "nobody judges: no reason to wait"
    with another(tmp_path) as judge:
        assert said() == [mine, low, "False", low]
        assert said(str(judge.pid)) == [mine, low, "True", mine]
    with another(tmp_path) as judge:
        judge.kill()
        judge.wait()
        assert said() == [mine, mine, "True", mine], "in place of one that died: the line waits"


def test_a_judge_that_does_not_move_is_not_waited_for_and_one_that_loads_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("okng.inspect.standby._PATIENCE_NS", 100_000_000)
    seat = Seat(tmp_path, CAMERAS)
    seat.take()
    beat, role = Heartbeat(tmp_path, JUDGE), Role(tmp_path, CAMERAS)
    begun = time.monotonic()
    loads_until = begun + 0.4

    def loads() -> bool:
        if time.monotonic() < loads_until:
            beat.turn()
        return False

    role.wait_for_the_judge(loads)
    assert 0.45 < time.monotonic() - begun < 5
    beat.health = Health.READY
    beat.turn()
    begun = time.monotonic()
    role.wait_for_the_judge()
    assert time.monotonic() - begun < 5
    role.close()
    beat.close()
    seat.close()


def test_the_supervisor_knows_the_two_by_their_roles(tmp_path: Path) -> None:
    command = [sys.executable, "-c", JUDGES, str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        children = [Child(name, [*command, name]) for name in (JUDGE, STANDBY)]
        supervisor, pulse = Supervisor(children, tmp_path, log), Pulse(tmp_path)

        def settled() -> bool:
            supervisor.watch()
            pids = supervisor.pids()
            beats = {name: beat.pid for name, beat in pulse.beats().items() if beat.health is Health.READY}
            return pids == beats and len(pids) == 2

        supervisor.start()
        try:
            dice = random.Random(1)
            for _ in range(3):
                assert until(settled)
                before = supervisor.pids()
                time.sleep(dice.random() / 20)
                os.kill(before[JUDGE], signal.SIGKILL)
                assert until(lambda old=before: pulse.beats()[JUDGE].pid == old[STANDBY])  # type: ignore[misc]
            assert until(settled)
            os.kill(supervisor.pids()[JUDGE], signal.SIGSTOP)  # a watch of names would look at the wrong one
            hung, other = supervisor.pids()[JUDGE], supervisor.pids()[STANDBY]

            def taken_over() -> bool:
                supervisor.watch()
                return pulse.beats()[JUDGE].pid == other

            assert until(taken_over)
            assert hung not in supervisor.pids().values()
            assert until(settled)
        finally:
            supervisor.stop()
            pulse.close()
    said = [line.split() for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()]
    ends = [words[1] for words in said if len(words) == 2 and words[0] in (JUDGE, STANDBY)]
    assert ends == ["waits", "judges"], "the one that waits is stopped first"
