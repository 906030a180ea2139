import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.rights import COMMANDS
from okng.records.backup import Backups
from okng.records.leaving import Leaving
from okng.records.ledger import Ledger
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.records.tasks import records_desk


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    """tests/records/maker.py: makes entries, verdicts, frames."""
    spec = importlib.util.spec_from_file_location("records_maker", Path(__file__).with_name("maker.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["records_maker"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run folder with a short name: a socket's path holds 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="okr", dir="/tmp"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB of its own."""
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", mount], capture_output=True, check=False)
    if made.returncode:
        missing(f"needs root to mount a small file system: {made.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def missing(reason: str) -> None:
    """Skip at a desk, fail where all must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Room:
    """The desk of records on a ledger of its own, without the process round it."""

    def __init__(self, store: Path, leaving: Leaving | None = None) -> None:
        self.store, self.stuck, self.stumbled = store, "", list[Exception]()
        self.leaving = leaving
        self.people = PeopleReader(store)
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.store, leaving=self.leaving)
        self.backups = Backups(self.ledger, self.store)
        self.desk = records_desk(self.ledger, self.store, lambda: self.stuck, self.stumbled.append, self.backups)

    def restart(self) -> None:
        """As after a kill: nothing but the disk remembers."""
        self.ledger.close()
        self.open()

    def ask(self, command: str, by: str = "", /, *, again: str = "", why: str = "", **body: Any) -> Answer:
        """again: id of an earlier ask, so that this is its repeat."""
        return self.desk.answer(Ask(again or new_id(), command, by, COMMANDS[command].right, why, body))

    def done(self, command: str, by: str = "", /, **body: Any) -> dict[str, Any]:
        answer = self.ask(command, by, **body)
        assert answer.done, answer.detail
        return answer.body

    def refused(self, command: str, by: str = "", /, **body: Any) -> str:
        answer = self.ask(command, by, **body)
        assert not answer.done
        return answer.detail

    def staff(self) -> None:
        """Ann may edit users, Eve is an engineer, Oli and Pia are operators, Lea leads."""
        self.done("account.first", name="ann", password="correct horse")
        for name, role in (("eve", "engineer"), ("oli", "operator"), ("pia", "operator"), ("lea", "lead")):
            self.done("account.create", "ann", name=name, role=role, pin="2580")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with LedgerReader(self.store).asking() as ask:
            return [tuple(row.values()) for row in ask(sql)]

    def trail(self) -> list[str]:
        """What the audit trail says was done, oldest first, without the making of the ledger."""
        return [row.what for row in reversed(self.people.audit_page(limit=1000))][1:]


@pytest.fixture
def new_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Room]]:
    """Makes rooms, as many as are asked for."""
    rooms: list[Room] = []

    def make() -> Room:
        rooms.append(Room(tmp_path_factory.mktemp("store")))
        return rooms[-1]

    yield make
    for one in rooms:
        one.backups.close()
        one.ledger.close()


@pytest.fixture
def room(new_room: Callable[[], Room]) -> Room:
    return new_room()
