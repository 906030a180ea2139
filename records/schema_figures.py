"""Sums over the parts, kept by SQLite itself in the transaction that writes the part: seven days draw at once.

`tally` counts by minute, `tally_reject` the bad parts by class and region, `tally_score` and `tally_latency` by ten
minutes. Each has its columns written once here; the fill of older ledgers, the trigger that adds, the one that takes a
recovered row away again and the check are made from the same words. A part is only ever added, or was `recovered` and
gives way to what io says itself: any other change of a row leaves the sums behind, and `check` says so.
"""

from dataclasses import dataclass

SCORE_BINS = 40
"""Of a score as a share of its limit, 0 to 2; one more for what lies above."""
FINE_MS, FINE, COARSE_MS, COARSE = 1, 256, 16, 64
"""Latency in steps of 1 ms up to 256 ms, then of 16 ms up to 1280 ms; the last bin is what took longer."""

_STRONGEST = (
    "coalesce((select json_extract(d.value, '$.{0}') from json_each({{p}}defects) d"
    " order by json_extract(d.value, '$.score') desc, d.key limit 1), '')"
)
_US = "({p}published_ns - {p}triggered_ns) / 1000"
_SHARE = "cast(round({p}score / {p}threshold * 1000) as integer)"
_GOOD = "({p}verdict = 'OK' and {p}threshold > 0)"


@dataclass(frozen=True, slots=True)
class Tally:
    """One table of sums: what a part is counted under, and what it adds."""

    name: str
    keys: dict[str, str]
    """Column and what it is of a part; `{p}` stands for the part."""
    sums: dict[str, str]
    where: str = "1"
    """Parts that count at all."""
    least: str = ""
    """A column that keeps the smallest, not the sum."""
    most: str = ""

    def grouped(self) -> str:
        """SELECT over all parts that gives what the table must hold."""
        how = {name: "min" if name == self.least else "max" if name == self.most else "sum" for name in self.sums}
        terms = [f"{expression.format(p='')} as {name}" for name, expression in self.keys.items()]
        terms += [f"{how[name]}({expression.format(p='')}) as {name}" for name, expression in self.sums.items()]
        where = self.where.format(p="")
        return f"select {', '.join(terms)} from part where {where} group by {', '.join(map(str, _ordinals(self.keys)))}"

    def sql(self) -> str:
        """Table, what older rows come to, and the two triggers."""
        types = {name: "text" if name not in ("bin",) else "integer" for name in self.keys}
        columns = [f"{name} {types[name]} not null" for name in self.keys]
        columns += [f"{name} integer{'' if name in (self.least, self.most) else ' not null'}" for name in self.sums]
        return (
            f"create table {self.name} ({', '.join(columns)}, primary key ({', '.join(self.keys)})) without rowid;\n"
            f"insert into {self.name} {self.grouped()};\n"
            f"create trigger {self.name}_add after insert on part when {self.where.format(p='new.')} begin\n"
            f"  insert into {self.name} select {self._values('new.')} where true\n"
            f"  on conflict ({', '.join(self.keys)}) do update set {', '.join(map(self._more, self.sums))};\nend;\n"
            f"create trigger {self.name}_take after delete on part when old.recovered = 1 and"
            f" ({self.where.format(p='old.')}) begin\n"
            f"  update {self.name} set {', '.join(self._less())} where {self._same()};\n"
            f"  delete from {self.name} where {self._same()} and {next(iter(self.sums))} = 0;\nend;\n"
        )

    def _values(self, part: str) -> str:
        return ", ".join(one.format(p=part) for one in (*self.keys.values(), *self.sums.values()))

    def _more(self, name: str) -> str:
        if name in (self.least, self.most):
            pick = "min" if name == self.least else "max"
            return f"{name} = {pick}(coalesce({name}, excluded.{name}), coalesce(excluded.{name}, {name}))"
        return f"{name} = {name} + excluded.{name}"

    def _less(self) -> list[str]:
        # A recovered row was never published, so it has no part in the smallest and the largest.
        kept = [(name, one) for name, one in self.sums.items() if name not in (self.least, self.most)]
        return [f"{name} = {name} - {one.format(p='old.')}" for name, one in kept]

    def _same(self) -> str:
        return " and ".join(f"{name} = {one.format(p='old.')}" for name, one in self.keys.items())


def _ordinals(keys: dict[str, str]) -> range:
    return range(1, len(keys) + 1)


def _why(why: str, more: str = "") -> str:
    return f"({{p}}why = '{why}'{more})"


_MADE = {"recipe": "{p}recipe", "revision": "{p}revision", "model": "{p}model", "lot": "{p}lot"}
_TALLY = Tally(
    "tally",
    {"minute": "substr({p}taken_at, 1, 16)", **_MADE},
    {
        "triggered": "1",
        "ok": _why("ok"),
        "ng": _why("ng"),
        "late": _why("late"),
        "lost": _why("lost", " and not {p}missed"),
        "missed": _why("lost", " and {p}missed"),
        "fault": _why("fault"),
        "grouped": _why("group"),
        "challenge": _why("challenge"),
        "bypass": _why("bypass"),
        "ordered": "({p}action = 'REJECT')",
        "confirmed": "({p}action = 'REJECT' and {p}delivery != 'unconfirmed')",
        "not_removed": "({p}action = 'REJECT' and {p}confirmed is not null and not {p}confirmed)",
        "timed": "({p}published_ns is not null)",
        "latency_us": f"coalesce({_US}, 0)",
        "fastest_us": _US,
        "slowest_us": _US,
        "scored": f"coalesce({_GOOD}, 0)",  # good parts with a score; sums in thousandths of the limit
        "score": f"case when {_GOOD} then {_SHARE} else 0 end",
        "score_square": f"case when {_GOOD} then {_SHARE} * {_SHARE} else 0 end",
    },
    least="fastest_us",
    most="slowest_us",
)
_REJECT = Tally(
    "tally_reject",
    {
        "minute": "substr({p}taken_at, 1, 16)",
        "recipe": "{p}recipe",
        "lot": "{p}lot",
        "kind": _STRONGEST.format("kind"),
        "region": _STRONGEST.format("region"),
    },
    {"parts": "1"},
    where="{p}why = 'ng'",
)
_SCORE = Tally(
    "tally_score",
    {
        "ten": "substr({p}taken_at, 1, 15)",
        **_MADE,
        "verdict": "{p}verdict",
        "bin": f"max(0, min({SCORE_BINS}, cast({{p}}score / {{p}}threshold * {SCORE_BINS // 2} as integer)))",
    },
    {"parts": "1"},
    where="{p}verdict is not null and {p}verdict != 'UNJUDGED' and {p}threshold > 0",
)
_LATENCY = Tally(
    "tally_latency",
    {
        "ten": "substr({p}taken_at, 1, 15)",
        "recipe": "{p}recipe",
        "lot": "{p}lot",
        "bin": f"case when {_US} < {FINE * FINE_MS * 1000} then max(0, {_US} / {FINE_MS * 1000})"
        f" else {FINE} + min({COARSE}, ({_US} - {FINE * FINE_MS * 1000}) / {COARSE_MS * 1000}) end",
    },
    {"parts": "1"},
    where="{p}published_ns is not null",
)
TALLIES = (_TALLY, _REJECT, _SCORE, _LATENCY)

FIGURES = (
    "alter table part add column lot text not null default '';  -- as of the trigger; empty: none was set\n"
    + "".join(one.sql() for one in TALLIES)
    + "create index tally_lot on tally (lot) where lot != '';\n"
)
"""The lot of a part, and the sums."""
