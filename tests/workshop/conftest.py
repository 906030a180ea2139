"""A box with a workshop beside a made-up line: real processes, real bus, real ledger, rendered parts."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import ask_once
from okng.bus.part import Outcome
from okng.bus.rights import COMMANDS

from ..webui.feed import Line

REGION = {"name": "plate", "box": [192, 160, 192, 160]}
SETTINGS = """\
# Settings of a test: comments stay.
recipe = "recipes/tile.yaml"

[box]
name = "test"
run_dir = "{run}"  # on a tmpfs

[camera.top]

[plc]
job_number = 3

[records]
store = "{run}/store"

[workshop]
threads = 2
budget_ms = 20.0
"""
RECIPE = {
    "name": "magnetic-tile",
    "deadline_ms": 150,
    "camera": {"width": 640, "height": 480},
    "tools": [{"name": "dark", "kind": "blob", "box": [0, 0, 64, 64], "max_count": 9}],
    "distances": {"eye_to_gate_mm": 700.0},
}


@dataclass
class Shop:
    """The workshop's process and its box."""

    folder: Path
    line: Line
    process: "subprocess.Popen[bytes] | None" = None
    parts: list[int] = field(default_factory=list)

    @property
    def settings(self) -> Path:
        return self.folder / "okng.toml"

    @property
    def own(self) -> Path:
        return self.folder / "workshop"

    def start(self) -> None:
        command = [sys.executable, "-m", "okng", "workshop", "--settings", str(self.settings)]
        self.process = subprocess.Popen(command)
        until = time.monotonic() + 30
        while ask_once(self.folder, "workshop", Ask(new_id(), "work.status", "", ""), 300) is None:
            assert self.process.poll() is None, "the workshop ended"
            assert time.monotonic() < until, "the workshop does not answer"

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(10)

    def ask(self, name: str, body: dict[str, Any] | None = None, who: str = "lea") -> Answer:
        ask = Ask(new_id(), name, who, COMMANDS[name].right, "for the test", body or {})
        answer = ask_once(self.folder, "workshop", ask, 10_000)
        assert answer is not None, f"{name}: no answer"
        return answer

    def done(self, name: str, body: dict[str, Any] | None = None, who: str = "lea") -> dict[str, Any]:
        answer = self.ask(name, body, who)
        assert answer.done, f"{name}: {answer.detail}"
        return answer.body

    def refused(self, name: str, body: dict[str, Any] | None = None, who: str = "lea") -> Answer:
        answer = self.ask(name, body, who)
        assert not answer.done, f"{name} was done"
        return answer

    def work(self, id_: str, timeout_s: float = 50.0) -> dict[str, Any]:
        """Wait for a piece of work; return what `work.status` says of it."""
        until = time.monotonic() + timeout_s
        while True:
            told = self.done("work.status", {"work": id_})
            if told["work"]["state"] in ("done", "failed"):
                return told
            assert time.monotonic() < until, told["work"]
            time.sleep(0.05)

    def result(self, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        told = self.work(self.done(name, body)["work"])
        assert told["work"]["state"] == "done", told["work"]["detail"]
        found: dict[str, Any] = told["result"]
        return found

    def shoot(
        self,
        draft: str,
        role: str,
        outcome: Outcome = Outcome.OK,
        *,
        scratch: tuple[int, int] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Let a part pass and take its picture. scratch: where it has one, also if it is judged OK."""
        self.line.judge(outcome, defect=(230, 220) if outcome is Outcome.NG else scratch)
        until = time.monotonic() + 5
        while True:
            answer = self.ask("draft.shoot", {"draft": draft, "role": role, **more})
            fresh = "no fresh picture" not in answer.detail and "taken already" not in answer.detail
            if answer.done or (fresh or time.monotonic() > until):
                assert answer.done, answer.detail
                return answer.body
            time.sleep(0.01)

    def draft(self, name: str = "tile-new", goods: int = 20, defects: int = 0) -> str:
        """A draft with pictures."""
        id_: str = self.done("draft.new", {"name": name})["draft"]
        self.done("draft.change", {"draft": id_, "regions": [REGION]})
        for _ in range(goods):
            self.shoot(id_, "good")
        for _ in range(defects):
            self.shoot(id_, "defect", Outcome.NG, kind="scratch")
        return id_


@contextlib.contextmanager
def make_shop(cameras: tuple[str, ...] = ("top",)) -> Iterator[Shop]:
    """A workshop beside a made-up line."""
    folder = Path(tempfile.mkdtemp(prefix="oks", dir="/tmp"))
    try:
        (folder / "recipes").mkdir()
        (folder / "recipes" / "tile.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")
        text = SETTINGS.format(run=folder)
        text = text.replace("[camera.top]\n", "".join(f"[camera.{name}]\n" for name in cameras))
        (folder / "okng.toml").write_text(text, encoding="utf-8")
        line = Line(folder, folder / "store", cameras=cameras)
        line.start()
        shop = Shop(folder, line)
        try:
            shop.start()
            yield shop
        finally:
            if shop.process is not None:
                shop.stop()
            line.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def twins() -> Iterator[Shop]:
    """The same with two cameras."""
    with make_shop(("top", "side")) as made:
        yield made


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A workshop without drafts."""
    with make_shop() as made:
        yield made


@pytest.fixture(scope="module")
def taught() -> Iterator[tuple[Shop, str]]:
    """A workshop, and a draft taught in it from twenty goods and four defects; both for all tests of a file."""
    with make_shop() as made:
        id_ = made.draft(goods=20, defects=4)
        made.result("draft.teach", {"draft": id_})
        yield made, id_
