"""How far the service has come with what this box owes it: one small file, replaced whole, durable when it is said.

    {"box", "epochs": {stream: {epoch: acked}}, "pictures": {priority: part_seq},
     "halted": {"stream/epoch": {"seq", "why", "at", "asks"}}}

Records reads it too: what is not in it is not given up before its time (`records/owed.py`). The file may be behind the
service by what was under way when the box died, never before it: so everything is sent at least once, and the service
keeps it once.
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bus.errors import StoreLost
from ..bus.outside import parsed_json, read_bounded
from ..records.durable import make_folder, sync_folder, write_synced

log = logging.getLogger(__name__)
FILE = "uplink.json"
MOST_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class Halt:
    """One stream stands still until a person says go on."""

    seq: int
    """Number at which it came to stand."""
    why: str
    """For people."""
    at: str
    """UTC."""
    asks: bool = False
    """The service stands too: it is asked now and then whether a person there has said go on."""


@dataclass(slots=True)
class Cursor:
    """What the file says. One thread writes it."""

    file: Path
    box: str
    """Id that the service gave this box."""
    epochs: dict[str, dict[int, int]] = field(default_factory=dict)
    """Last number the service has, by stream and epoch."""
    pictures: dict[int, int] = field(default_factory=dict)
    """Last part whose pictures the service has, by priority. Parts have one number in all epochs of a box."""
    halted: dict[str, Halt] = field(default_factory=dict)
    """Streams that stand still, by `stream/epoch`."""

    @classmethod
    def load(cls, folder: Path, box: str) -> "Cursor":
        """What was written last for that box; empty where the file is missing, damaged or another box's.

        An empty one is no harm: the service says how far it has come. StoreLost: our own disk does not answer.
        """
        file = folder / FILE
        try:
            said = parsed_json(read_bounded(file, MOST_BYTES))
            return _read(file, box, said) if said["box"] == box else cls(file, box)
        except FileNotFoundError:
            return cls(file, box)
        except OSError as error:
            raise StoreLost(f"{file}: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s is not readable (%s): the service is asked how far it has come", file, error)
            return cls(file, box)

    def acked(self, stream: str, epoch: int) -> int:
        """Last number of that stream that the service has, as far as we know."""
        return self.epochs.get(stream, {}).get(epoch, 0)

    def set_acked(self, stream: str, epoch: int, seq: int) -> None:
        """The service has them up to seq. Durable when this returns. StoreLost."""
        self.epochs.setdefault(stream, {})[epoch] = seq
        self.write()

    def set_pictures(self, priority: int, part_seq: int) -> None:
        """The pictures of that priority are there up to that part. Durable when this returns. StoreLost."""
        self.pictures[priority] = part_seq
        self.write()

    def halt(self, stream: str, epoch: int, halt: Halt) -> None:
        """That stream stands still, also after a restart. StoreLost."""
        self.halted[halt_name(stream, epoch)] = halt
        self.write()

    def go_on(self, stream: str, epoch: int) -> bool:
        """It goes on, by a person's word; False: it did not stand. StoreLost."""
        if self.halted.pop(halt_name(stream, epoch), None) is None:
            return False
        self.write()
        return True

    def write(self) -> None:
        """Replace the file. StoreLost: our own disk is full or gone; what is in memory holds all the same."""
        waiting = self.file.with_name(self.file.name + ".tmp")
        try:
            make_folder(self.file.parent)
            write_synced(waiting, json.dumps(self._said(), sort_keys=True).encode())
            waiting.rename(self.file)
            sync_folder(self.file.parent)
        except OSError as error:
            raise StoreLost(f"{self.file}: cannot be written: {error.strerror or error}") from error

    def _said(self) -> dict[str, Any]:
        return {
            "box": self.box,
            "epochs": {
                stream: {str(epoch): seq for epoch, seq in sorted(epochs.items())}
                for stream, epochs in self.epochs.items()
            },
            "pictures": {str(priority): seq for priority, seq in sorted(self.pictures.items())},
            "halted": {
                name: {"seq": halt.seq, "why": halt.why, "at": halt.at, "asks": halt.asks}
                for name, halt in self.halted.items()
            },
        }


def halt_name(stream: str, epoch: int) -> str:
    """How a stream that stands is called in the file and by people."""
    return f"{stream}/{epoch}"


def _read(file: Path, box: str, said: Any) -> Cursor:
    """ValueError, TypeError, KeyError, AttributeError: it is not as we wrote it."""
    return Cursor(
        file,
        box,
        {
            str(stream): {int(epoch): _number(seq) for epoch, seq in epochs.items()}
            for stream, epochs in said["epochs"].items()
        },
        {int(priority): _number(seq) for priority, seq in said["pictures"].items()},
        {
            str(name): Halt(_number(one["seq"]), str(one["why"]), str(one["at"]), bool(one["asks"]))
            for name, one in said["halted"].items()
        },
    )


def _number(said: object) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or said < 0:
        raise ValueError(f"{said!r}: expected a number")
    return said
