"""What inspect says of itself while a model is loaded again: READY is off until it is back."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from okng.bus.channel import Publisher, Subscriber
from okng.bus.errors import Fault
from okng.bus.heartbeat import Pulse
from okng.bus.ladder import ChallengerState
from okng.bus.messages import Health, InspectState, Job
from okng.bus.ring import RingShelf
from okng.bus.stop import Stop
from okng.inspect.bench import Bench
from okng.inspect.challenger import Challenger
from okng.inspect.inspector import Inspector
from okng.inspect.options import InspectOptions
from okng.inspect.process import _Loop
from okng.inspect.standby import Role

JOB = Job("cap", "0123456789ab", "f" * 64, 10**8)


class Sick:
    """An inspector whose model fails at its third turn; it is back, or lost for good, at its sixth."""

    number, job, provider, alarms, image_limits = 1, JOB, "CPUExecutionProvider", (), ()

    def __init__(self, comes_back: bool) -> None:
        self.turns, self.comes_back = 0, comes_back

    @property
    def trouble(self) -> str:
        return "device lost" if 3 <= self.turns < 6 or (self.turns >= 6 and not self.comes_back) else ""

    def turn(self) -> None:
        self.turns += 1
        if self.turns >= 6 and not self.comes_back:
            raise Fault("the model cannot be loaded again after 3 attempts: device lost")

    def wait_ns(self) -> int:
        return 1_000_000


@pytest.fixture
def role(run_dir: Path) -> Iterator[Role]:
    made = Role(run_dir, ("top",))
    assert made.judges
    yield made
    made.close()


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path


def went(comes_back: bool, role: Role, run_dir: Path) -> tuple[int, list[tuple[Health, str]]]:
    """Turn the loop ten times; return its exit code and what it said, each change once."""
    sick, said = Sick(comes_back), list[tuple[Health, str]]()
    stop = SimpleNamespace(asked=SimpleNamespace(is_set=lambda: sick.turns >= 10))

    def send(message: object) -> None:
        if isinstance(message, ChallengerState):
            return
        assert isinstance(message, InspectState)
        if not said or said[-1] != (message.health, message.detail):
            said.append((message.health, message.detail))

    frames = SimpleNamespace(wait=lambda ms: None, receive=lambda ms: None)
    role.heartbeat.health = Health.READY
    bench = Bench(cast(Inspector, sick), lambda *asked: cast(Inspector, sick))
    loop = _Loop(
        bench,
        InspectOptions(),
        role,
        cast(Publisher, SimpleNamespace(send=send)),
        cast(Subscriber, frames),
        cast(RingShelf, None),
        Challenger(bench, run_dir, 1),
    )
    code: Any = loop.go(cast(Stop, stop))
    return code, said


def test_ready_is_off_until_the_model_is_back(role: Role, run_dir: Path) -> None:
    code, said = went(True, role, run_dir)
    assert code == 0
    assert said == [
        (Health.READY, ""),
        (Health.STARTING, "a model failed and is loaded again: device lost"),
        (Health.READY, ""),
    ]
    assert Pulse(run_dir).beats()["inspect"].health is Health.READY, "the process itself lives"


def test_a_model_that_cannot_be_had_any_more_is_a_fault_and_ends_the_process(role: Role, run_dir: Path) -> None:
    code, said = went(False, role, run_dir)
    assert code == 70
    assert said[-1] == (Health.FAULT, "the model cannot be loaded again after 3 attempts: device lost")
    assert role.heartbeat.health is Health.FAULT
