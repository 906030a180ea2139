"""One box of the plant with its own simulated line, as a process: python -m okng.tests.scenario.station ORDER.json

It begins, says so on a line of its own, takes orders from standard input (`hold`, `go on`, `end`) and at the end tells
what became of its parts, by the outside judge and by the ledger's own check.
"""

import json
import select
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from okng.appliance.supervisor import box_children
from okng.appliance.workspace import CAMERA, belt_for
from okng.records.check import check
from okng.tests.faults import box as faults_box
from okng.tests.faults.box import DEADLINE_MS, Box
from okng.tests.faults.line import Line, running


@dataclass(frozen=True, slots=True)
class Order:
    """What a station is told when it begins."""

    name: str
    folder: str
    rate: float
    """Parts a second."""
    fleet: dict[str, Any]
    """`[fleet]` of its settings."""


class Station(Box):
    """A box whose settings name a fleet service."""

    def __init__(self, order: Order) -> None:
        super().__init__(Path(order.folder))
        self.belt = belt_for(order.rate, DEADLINE_MS, varying=False)
        text = self.space.settings.read_text(encoding="utf-8")
        text = text.replace('name = "demo"', f'name = "{order.name}"').replace('[sync]\ntarget = "cloud"\n', "")
        text = text.replace("realtime = true", "realtime = false")  # three lines share a desk machine
        text = text.replace("[inspect]\n", "[inspect]\nstandby = false\n").replace(
            "ok_sample_percent = 2.0", "ok_sample_percent = 20.0"
        )
        text += "\n[fleet]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in order.fleet.items())
        self.space.settings.write_text(text, encoding="utf-8")


def _with_sync() -> None:
    """The product's own list of processes, with the one that talks to the fleet, without the screens: nobody looks."""

    def children(settings: Path, cameras: tuple[str, ...], *, standby: bool = False) -> Any:
        return box_children(settings, cameras, web=False, beside=("sync",), standby=standby)

    faults_box.box_children = children  # type: ignore[attr-defined,assignment]


def say(**words: Any) -> None:
    """One line for whoever started this."""
    print(json.dumps(words), flush=True)  # noqa: T201 - the line is what this program is for


def obey(line: Line) -> None:
    """Let the line run until told to end."""
    while True:
        line.rest(0.2)
        if select.select([sys.stdin], [], [], 0)[0]:
            word = sys.stdin.readline().strip()
            if word in ("", "end"):
                return
            line._run.hold(word == "hold")
            say(did=word)


def main() -> None:
    """Begin, obey, tell."""
    order = Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    _with_sync()
    station = Station(order)
    try:
        say(begun=order.name, settings=str(station.space.settings), store=str(station.space.store),
            run_dir=str(station.space.run_dir), model=str(station.space.model), camera=CAMERA)  # fmt: skip
        with running(station, Path(order.folder) / "line", 1, {}) as line:
            say(flows=True)
            obey(line)
            restarts = station.restarts()
        evidence = line.evidence
        assert evidence is not None
        found = check(station.space.store)
        station.rest(3.0)
        say(
            ended=order.name,
            objections=list(evidence.objections),
            problems=list(found.problems),
            open=len(found.open) if not isinstance(found.open, int) else found.open,
            parts=len(evidence.ledger),
            restarts={name: count for name, count in restarts.items() if count},
        )
    finally:
        station.close()


if __name__ == "__main__":
    main()
