"""What was counted beside the line, across a restart of sync: figures, differing parts. Losing it costs only time."""

import json
import logging
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..bus.outside import parsed_json
from ..records.durable import replace_synced
from .climb_watch import ChallengerWatch, ChampionWatch, Differing
from .rollback import Figures

log = logging.getLogger(__name__)
FILE = "beside.json"
MOST_BYTES = 32 << 20
_COUNTS = ("parts", "ng", "champion_judged", "champion_ng", "challenger_ng")


def write_notes(folder: Path, challengers: dict[str, ChallengerWatch], champions: dict[str, ChampionWatch]) -> None:
    """Keep the watches by recipe. Never raises: without them they count from nothing."""
    said = {
        "challengers": {name: _challenger(one) for name, one in challengers.items()},
        "champions": {
            name: {
                "bundle": one.bundle,
                "figures": asdict(one.figures),
                "deadline_ms": one.deadline_ms,
                "reject_rate": one.reject_rate,
                "overrides_before": one.overrides_before,
                "since_s": one.since_s,
                "parts": one.parts,
                "ng": one.ng,
            }
            for name, one in champions.items()
        },
    }
    path = folder / FILE
    try:
        replace_synced(path, json.dumps(said).encode())
    except OSError as error:
        log.warning("%s: cannot be kept: %s", path, error)


def read_notes(folder: Path) -> tuple[dict[str, ChallengerWatch], dict[str, ChampionWatch]]:
    """The watches that were kept, by recipe; empty where there are none or they cannot be read."""
    path = folder / FILE
    with suppress(FileNotFoundError):
        try:
            with path.open("rb") as file:
                said = parsed_json(file.read(MOST_BYTES))
            challengers = {str(name): _read_challenger(one) for name, one in said["challengers"].items()}
            champions = {str(name): _read_champion(one) for name, one in said["champions"].items()}
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: cannot be read, counting begins anew: %s", path, error)
        else:
            return challengers, champions
    return {}, {}


def _challenger(one: ChallengerWatch) -> dict[str, Any]:
    return {
        "bundle": one.bundle,
        "champion": one.champion,
        "figures": asdict(one.figures),
        "budget_ms": one.budget_ms,
        "counts": {name: getattr(one, name) for name in _COUNTS},
        "agreed": [list(place) for place in one.agreed],
        # What people have said is asked of the ledger again: the test of who is right begins anew with it.
        "differing": [asdict(part) | {"counted": False} for part in one.differing],
    }


def _read_challenger(said: dict[str, Any]) -> ChallengerWatch:
    counts = {name: int(said["counts"][name]) for name in _COUNTS}
    known = {one.name for one in fields(Differing)}
    return ChallengerWatch(
        str(said["bundle"]),
        str(said["champion"]),
        Figures(**said["figures"]),
        float(said["budget_ms"]),
        **counts,
        agreed={(int(part), int(at_ns)): "" for part, at_ns in said["agreed"]},
        differing=[
            Differing(**{name: value for name, value in one.items() if name in known}) for one in said["differing"]
        ],
    )


def _read_champion(said: dict[str, Any]) -> ChampionWatch:
    return ChampionWatch(**{**said, "figures": Figures(**said["figures"])})
