"""From a model, a recipe, a lot or a camera back to all its parts: how many, when, and which, a page at a time.

Parts of one model follow each other, so `run` holds few rows where `part` holds millions: the runs are found by an
index, and their parts by their numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..bus.errors import Refused
from .parts_read import COLUMNS, flat
from .read import Ask, LedgerReader

Kind = Literal["model", "recipe", "lot", "camera"]
MOST = 1000
LEAST_DIGITS = 6
"""Of a digest that is cut short."""


@dataclass(frozen=True, slots=True)
class By:
    """What parts are looked for by."""

    kind: Kind
    name: str
    """Digest of a model (or its beginning), name of a recipe, a lot, a camera."""
    revision: str = ""
    """Of a recipe: only that; empty: all."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What they come to. Of a camera only `parts` is known."""

    parts: int = 0
    ok: int = 0
    ng: int = 0
    unjudged: int = 0
    """With test parts and those of a bypass."""
    first_at: str = ""
    last_at: str = ""
    runs: int = 0
    recipes: tuple[str, ...] = ()
    """`NAME@REVISION`."""
    models: tuple[str, ...] = ()
    lots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Parts, the newest first."""

    parts: list[dict[str, Any]]
    """As `parts_read.parts` gives them."""
    before: int | None
    """`seq` to ask the next page with; None: there is none."""


class BackTracer:
    """Asks the ledger of one store. May be shared by threads. Every question may raise BadLedger."""

    def __init__(self, store: Path) -> None:
        self._reader = LedgerReader(store)

    def sums(self, by: By) -> Sums:
        """How many there are. Refused: a digest of too few digits."""
        with self._reader.asking() as ask:
            if by.kind == "camera":
                found = ask.first("select parts from camera_sum where camera = ?", [by.name])
                return Sums(parts=found["parts"] if found else 0)
            runs = list(_runs(ask, by))
        if not runs:
            return Sums()
        # Of a model only those it judged: parts in between that nobody judged are counted with their lot and recipe.
        bare = sum(run["bare"] for run in runs) if by.kind == "model" else 0
        ok, ng = sum(run["ok"] for run in runs), sum(run["ng"] for run in runs)
        unjudged = sum(run["unjudged"] for run in runs) - bare
        return Sums(
            parts=ok + ng + unjudged,
            ok=ok,
            ng=ng,
            unjudged=unjudged,
            first_at=min(run["first_at"] for run in runs),
            last_at=max(run["last_at"] for run in runs),
            runs=len(runs),
            recipes=_some(f"{run['recipe']}@{run['revision']}" for run in runs if run["revision"]),
            models=_some(run["model"] for run in runs if run["model"]),
            lots=_some(run["lot"] for run in runs if run["lot"]),
        )

    def page(self, by: By, limit: int, before: int | None = None) -> Page:
        """Up to limit parts (1..1000). before: only with a smaller `seq`. Refused: a digest of too few digits."""
        if not 1 <= limit <= MOST:
            raise ValueError(f"limit {limit}: expected 1..{MOST}")
        edge = 2**62 if before is None else before
        with self._reader.asking() as ask:
            walk = _of_camera(ask, by.name, edge, limit) if by.kind == "camera" else _of_runs(ask, by, edge, limit)
            seqs = list(walk)
            held = ", ".join(map(str, seqs[:limit]))
            rows = ask(f"select {', '.join(COLUMNS)} from part where seq in ({held}) order by seq desc") if seqs else ()
            parts = [flat(row) for row in rows]
        return Page(parts, seqs[limit - 1] if len(seqs) > limit else None)


def _some(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))[:100]


def _condition(by: By) -> tuple[str, list[object]]:
    match by.kind:
        case "model":
            if len(by.name) == 64:
                return "model = ?", [by.name]
            if len(by.name) < LEAST_DIGITS:
                raise Refused(f"model {by.name!r}: expected {LEAST_DIGITS} or more digits of its digest")
            return "model >= ? and model < ?", [by.name, by.name + "g"]
        case "recipe" if by.revision:
            return "recipe = ? and revision = ?", [by.name, by.revision]
        case "recipe":
            return "recipe = ?", [by.name]
        case _:
            return "lot != '' and lot = ?", [by.name]


def _runs(ask: Ask, by: By, edge: int = 2**62) -> Iterator[dict[str, Any]]:
    """The runs of it that began below `edge`, the newest first."""
    where, values = _condition(by)
    return ask(f"select * from run where {where} and first_seq < ? order by n desc", [*values, edge])


def _of_runs(ask: Ask, by: By, edge: int, limit: int) -> Iterator[int]:
    """`seq` of up to limit + 1 parts below `edge`."""
    where, values = _condition(by)
    left = limit + 1
    for run in _runs(ask, by, edge):
        sql = f"select seq from part where seq between ? and ? and seq < ? and {where} order by seq desc limit {left}"
        for row in ask(sql, [run["first_seq"], run["last_seq"], edge, *values]):
            left -= 1
            yield int(row["seq"])
        if left <= 0:
            return


def _of_camera(ask: Ask, camera: str, edge: int, limit: int) -> Iterator[int]:
    """The same of a camera, whether it decided or only looked on."""
    sql = (
        f"select seq from (select * from (select seq from part indexed by part_camera where camera != '' and camera = ?"
        f" and seq < ? order by seq desc limit {limit + 1}) union select * from (select seq from view"
        f" indexed by view_camera where camera = ? and seq < ? order by seq desc limit {limit + 1}))"
        f" order by seq desc limit {limit + 1}"
    )
    return (int(row["seq"]) for row in ask(sql, [camera, edge, camera, edge]))
