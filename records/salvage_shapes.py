"""What a row of each table looks like, and which tables of a damaged ledger are rescued.

A row is believed when its values fit the columns of this okng's schema and what is JSON, a digest or one of few words
is that. A row of an older file is shorter: the columns that came later take their default.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import apsw

from ..bus.part import Action, Delivery, Outcome, Why
from . import schema
from .bookkeeping import rows
from .outgoing import KINDS, STREAMS
from .rows import sha256, unpack_json
from .salvage_pages import Value

RESCUED = (
    *("role", "person", "pepper", "setting", "token", "webhook", "keep", "epoch", "known", "journal"),
    *("part", "trigger", "counter_snapshot", "view", "image_health", "outbox", "label", "review", "drawing", "escape"),
    *("second_factor", "recovery_code", "second_demand", "outgoing", "floor", "dead_letter"),
    *("marked", "study", "study_answer", "signature", "given_up", "rows_gone", "epoch_gone"),
)
"""In this order: people first, and what others refer to before these."""
READ = ("meta", "audit", "seal")
"""Read, but not taken over. The old trail goes into a file beside, for a new one has begun; what the old seal says of a
row tells whether it is just what was written."""
LEFT = frozenset(
    (
        *("counter", "asked", "attempt", "ledger_since", "head", "seal_floor"),  # of the file put aside alone
        *("part_kind", "unreviewed", "picture", "picture_sum", "camera_sum", "run"),  # made anew from what is rescued
        *("tally", "tally_reject", "tally_score", "tally_latency"),
        "sending",  # numbers of the file that came in its place
        *("seal", "seal_floor", "head"),  # a chain of the file that was put aside; its heads lie beside the store
    )
)
_JSON = frozenset(
    (
        *("reasons", "defects", "codes", "placements", "measures", "alarms"),  # lists, of part and image_health
        "rights",
    )
)
_BODIES = frozenset(("journal", "keep", "setting", "study", "drawing"))
"""Tables whose `body` is JSON."""
_WORDS: Mapping[str, frozenset[str]] = {
    "outcome": frozenset(Outcome),
    "action": frozenset(Action),
    "why": frozenset(Why),
    "delivery": frozenset(Delivery),
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SOUND: Mapping[str, Callable[[object], bool]] = {
    "integer": lambda value: isinstance(value, int),
    "real": lambda value: isinstance(value, int | float),
    "text": lambda value: isinstance(value, str) and "\0" not in value,
    "blob": lambda value: isinstance(value, bytes),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    kind: str
    """integer, real, text, blob."""
    required: bool
    default: Value


@dataclass(frozen=True, slots=True)
class Shape:
    """One table as this okng writes it."""

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    stored: tuple[int, ...]
    """Column at each place of a stored row: a table without rowid begins with its key."""
    by_rowid: bool
    rowid_column: int | None
    """Column that is the rowid itself; None: there is none."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(one.name for one in self.columns)

    def row(self, rowid: int, values: Sequence[Value]) -> list[Value] | None:
        """The values by column, or None when this is no such row."""
        if not 1 <= len(values) <= len(self.columns):
            return None
        made: list[Value] = [one.default for one in self.columns]
        for place, value in zip(self.stored, values, strict=False):
            made[place] = value
        if self.rowid_column is not None:
            made[self.rowid_column] = rowid
        for column, value in zip(self.columns, made, strict=True):
            if value is None:
                if column.required:
                    return None
            elif not _SOUND[column.kind](value):
                return None
        return made if self._believed(dict(zip(self.names, made, strict=True))) else None

    def _believed(self, row: Mapping[str, Value]) -> bool:
        try:
            for name, value in row.items():
                if name in _JSON and value is not None:
                    unpack_json(str(value))
        except ValueError:
            return False
        match self.table:
            case "part":
                words = all(row[name] in known for name, known in _WORDS.items())
                digest = row["picture_sha256"] is None or _DIGEST.fullmatch(str(row["picture_sha256"]))
                return words and bool(digest) and bool(_MOMENT.match(str(row["taken_at"])))
            case "trigger":
                return bool(_MOMENT.match(str(row["stored_at"]))) and row["missed"] in (0, 1)
            case "outbox":
                return isinstance(row["body"], bytes) and sha256(row["body"]) == row["sha256"]
            case "outgoing":
                return row["kind"] in KINDS and row["stream"] in STREAMS
            case "seal":
                return isinstance(row["hash"], bytes) and len(row["hash"]) == 32
            case "audit":
                return bool(_DIGEST.fullmatch(str(row["hash"])))
            case table if table in _BODIES:
                try:
                    unpack_json(str(row["body"]))
                except ValueError:
                    return False
        return True


def shapes(wanted: Sequence[str] = (*READ, *RESCUED)) -> dict[str, Shape]:
    """The wanted tables that this okng has."""
    db = apsw.Connection(":memory:")
    try:
        for step in schema.MIGRATIONS:
            db.execute(step)
        known = {str(name): bool(bare) for name, bare in rows(db, "select name, wr from pragma_table_list")}
        return {table: _shape(db, table, without_rowid=known[table]) for table in wanted if table in known}
    finally:
        db.close()


def all_tables() -> set[str]:
    """Every table of the schema."""
    db = apsw.Connection(":memory:")
    try:
        for step in schema.MIGRATIONS:
            db.execute(step)
        return {str(name) for (name,) in rows(db, "select name from sqlite_schema where type = 'table'")}
    finally:
        db.close()


def _shape(db: apsw.Connection, table: str, *, without_rowid: bool) -> Shape:
    found = rows(db, 'select name, lower(type), "notnull", dflt_value, pk from pragma_table_info(?)', (table,))
    columns, key = [], {}
    for place, (name, kind, required, default, pk) in enumerate(found):
        value = rows(db, f"select {default}")[0][0] if default is not None else None
        columns.append(Column(str(name), str(kind), bool(required), value))
        if pk:
            key[int(pk)] = place
    keys = [key[number] for number in sorted(key)]
    alias = keys[0] if not without_rowid and len(keys) == 1 and columns[keys[0]].kind == "integer" else None
    others = [place for place in range(len(columns)) if place not in keys]
    return Shape(
        table,
        tuple(columns),
        tuple(columns[place].name for place in keys),
        (*keys, *others) if without_rowid else tuple(range(len(columns))),
        not without_rowid,
        alias,
    )
