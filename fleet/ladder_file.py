"""The ladder on disk: one JSON file, replaced whole. A stop at any point leaves the old ladder or the new one."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..bus.errors import BadLedger, StoreLost
from ..bus.ladder import Rung
from ..bus.outside import parsed_json
from ..records.durable import make_folder, sync_folder, write_synced
from .ladder_state import Entry, Ladder, Step, Swap

FILE = "ladder.json"
FORMAT = 1
MOST_BYTES = 16 << 20


def read_ladder(folder: Path) -> Ladder:
    """The ladder of a box whose bundles lie in `folder`; a fresh one where there is none yet.

    BadLedger: the file is damaged or of another version, or says what must never be; nothing climbs by a guess.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return Ladder()
    except OSError as error:
        raise BadLedger(f"{path}: cannot be read: {error.strerror}") from error
    try:
        said = parsed_json(data)
        if len(data) > MOST_BYTES or said["format"] != FORMAT:
            raise ValueError(f"format {said['format']!r}, {len(data)} bytes: expected format {FORMAT}")
        ladder = _ladder(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadLedger(f"{path}: not a ladder: {error}") from error
    if wrong := ladder.broken():
        raise BadLedger(f"{path}: {'; '.join(wrong)}")
    return ladder


def write_ladder(folder: Path, ladder: Ladder) -> None:
    """Put the ladder on disk, durable when this returns. StoreLost: the disk does not take it; the old one is there."""
    path = folder / FILE
    new = path.with_name(FILE + ".new")
    text = json.dumps({"format": FORMAT, **asdict(ladder)}, sort_keys=True, ensure_ascii=False, indent=1)
    try:
        make_folder(folder)
        write_synced(new, text.encode() + b"\n")
        new.rename(path)
        sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise StoreLost(f"{path}: {error}") from error


def _ladder(said: dict[str, Any]) -> Ladder:
    return Ladder(
        entries=tuple(Entry(**{**one, "rung": Rung(one["rung"])}) for one in said["entries"]),
        floors={str(name): int(seq) for name, seq in said["floors"].items()},
        last_good=dict(said["last_good"]),
        factory=dict(said["factory"]),
        swaps=tuple(Swap(**one) for one in said["swaps"]),
        orders=int(said["orders"]),
        steps=int(said["steps"]),
        unsent=tuple(Step(**one) for one in said["unsent"]),
        stopped=str(said["stopped"]),
    )
