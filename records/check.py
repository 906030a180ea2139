"""The balance of a ledger: every trigger has exactly one record, only OK passed, and all sums agree.

It reads tables, not promises: a row that was added, removed or edited by hand is found and named.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bus.errors import BadLedger
from ..bus.part import Delivery
from .audit import audit_problems
from .figures_check import figure_problems
from .questions import OWN_RECORD, PART, QUESTIONS
from .read import OUTCOMES, Ask, LedgerReader
from .rows import sha256
from .salvage import put_aside, unsettled

_NAMED = 20
"""Parts named for each kind of problem; of more only the number is said."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the ledger comes to."""

    triggers: int
    ok: int
    ng: int
    unjudged: int
    late: int
    missed: int
    ordered: int
    """Rejects ordered; must be ng + unjudged + challenge + bypass."""
    confirmed: int
    """Of ordered: the PLC acknowledged them, in time or late."""
    unconfirmed: int
    """Of ordered: never acknowledged."""
    recovered: int
    """Of unjudged: io died with them open."""
    open: int
    """Triggers without a record: parts on their way while the line runs, a fault once it has stopped."""
    pictures: int
    """Rows whose picture is kept."""
    epochs: int
    """Runs of io."""
    problems: list[str] = field(default_factory=list)
    """What does not balance, parts named; empty when all does."""
    challenge: int = 0
    """Test parts: in none of ok, ng, unjudged."""
    bypass: int = 0
    """Parts during a bypass: in none of ok, ng, unjudged."""
    views: int = 0
    """Pictures kept of other views than the deciding one."""

    @property
    def balanced(self) -> bool:
        """True when nothing is wrong."""
        return not self.problems


def check(store: Path, *, full: bool = False) -> Balance:
    """Prove the ledger of a store, or say what is wrong with it. BadLedger: it cannot be read.

    full: hash every kept picture; otherwise it is only looked for.
    """
    reader = LedgerReader(store)
    problems: list[str] = []
    with reader.asking() as ask:
        broken = [next(iter(row.values())) for row in ask("pragma integrity_check(5)")]
        if broken != ["ok"]:
            problems += [f"the file is damaged: {text}" for text in broken]
        sums = _sums(ask)
        for text, sql in QUESTIONS:
            problems += _named(text, ask(sql))
        problems += _unequal(sums)
        for epoch in list(ask("select * from epoch order by n")):
            problems += _against_io(ask, epoch)
        problems += _outbox(ask)
        problems += _streams(ask)
        problems += figure_problems(ask)
        problems += audit_problems(
            [(row["n"], row["body"], row["hash"]) for row in ask("select * from audit order by n")]
        )
        (made,) = ask("select after_damage, made_at from meta")
        if made["after_damage"] and not put_aside(store):
            problems.append(f"the ledger before {made['made_at']} was damaged, and what was put aside is gone")
        problems += unsettled(store)
    problems += _pictures(reader, full=full)
    return Balance(**sums, problems=problems)


def _sums(ask: Ask) -> dict[str, int]:
    (parts,) = ask(
        f"select {OUTCOMES},"
        " total(why = 'late') as late, total(missed) as missed, total(action = 'REJECT') as ordered,"
        " total(action = 'REJECT' and delivery != ?) as confirmed,"
        " total(action = 'REJECT' and delivery = ?) as unconfirmed, total(recovered) as recovered,"
        " total(picture_kept) as pictures from part",
        [Delivery.UNCONFIRMED.value, Delivery.UNCONFIRMED.value],
    )
    (others,) = ask(
        "select (select count(*) from trigger) as triggers, (select count(*) from epoch) as epochs,"
        f" (select count(*) from trigger t where not exists ({OWN_RECORD})) as open,"
        " (select count(*) from view where picture_kept) as views"
    )
    return {name: int(value) for name, value in {**parts, **others}.items()}


def _named(text: str, found: Iterator[dict[str, Any]]) -> list[str]:
    places = [f"{row['part']} (epoch {row['epoch']})" for row in found]
    if not places:
        return []
    more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
    return [f"{len(places)} {text}: part {', '.join(places[:_NAMED])}{more}"]


def _unequal(sums: dict[str, int]) -> list[str]:
    rejected = sums["ng"] + sums["unjudged"] + sums["challenge"] + sums["bypass"]
    named = f"NG {sums['ng']} + UNJUDGED {sums['unjudged']}"
    named += "".join(f" + {name} {sums[name]}" for name in ("challenge", "bypass") if sums[name])
    found = []
    if sums["triggers"] != sums["ok"] + rejected:
        found.append(f"triggers {sums['triggers']} are not OK {sums['ok']} + {named}")
    if sums["ordered"] != rejected:
        found.append(f"rejects ordered {sums['ordered']} are not {named}")
    if sums["confirmed"] + sums["unconfirmed"] != sums["ordered"]:
        found.append(
            f"confirmed {sums['confirmed']} + unconfirmed {sums['unconfirmed']} are not ordered {sums['ordered']}"
        )
    return found


_COUNTED = (
    *("triggers", "ok", "ng", "unjudged", "challenge", "bypass"),
    *("late", "missed", "ordered", "confirmed", "unconfirmed"),
)


def _against_io(ask: Ask, epoch: dict[str, Any]) -> list[str]:
    """Compare one run of io with what it counted itself."""
    snapshots = list(ask("select * from counter_snapshot where epoch = ?", [epoch["n"]]))
    if not snapshots:
        return []
    (said,) = snapshots
    (parts,) = ask(
        f"select {OUTCOMES},"
        " total(why = 'late') as late, total(missed) as missed, total(action = 'REJECT') as ordered,"
        " total(action = 'REJECT' and delivery != 'unconfirmed') as confirmed,"
        " total(action = 'REJECT' and delivery = 'unconfirmed') as unconfirmed, total(recovered) as recovered"
        " from part where epoch = ?",
        [epoch["n"]],
    )
    (seen,) = ask("select count(*) as triggers from trigger where epoch = ?", [epoch["n"]])
    gone = ask.first("select * from epoch_gone where epoch = ?", [epoch["n"]]) or {}
    found = {name: int(value) + gone.get(name, 0) for name, value in {**parts, **seen}.items()}
    if said["last"]:
        wrong = [name for name in _COUNTED if found[name] != said[name]]
        if said["in_flight"]:
            wrong.append("in_flight")
            found["in_flight"] = 0
    else:
        # The last word of a run that died, or that goes on: parts it had decided on may have lost their record since.
        decided = sum(found[name] for name in ("ok", "ng", "unjudged", "challenge", "bypass"))
        slack = found["recovered"] + found["triggers"] - decided
        wrong = [name for name in ("ok", "ng") if found[name] + slack < said[name]]
        wrong += ["triggers"] if found["triggers"] < said["triggers"] else []
    return [f"epoch {epoch['name']}: {name}: io counted {said[name]}, the ledger has {found[name]}" for name in wrong]


def _outbox(ask: Ask) -> list[str]:
    """Every rejected part has exactly one event, whole and as it was posted."""
    posted: dict[int, int] = {}
    problems = []
    # `rejects@N`: rescued from a damaged ledger of lineage N.
    for row in ask("select seq, body, sha256 from outbox where stream = 'rejects' or stream like 'rejects@%'"):
        body = bytes(row["body"])
        if sha256(body) != row["sha256"]:
            problems.append(f"outbox event {row['seq']}: its content is not what was posted")
            continue
        seq = json.loads(body)["seq"]
        posted[seq] = posted.get(seq, 0) + 1
    unposted = [
        row for row in ask(PART.replace("p.part as part", "p.part as part, p.seq as seq") + "p.action = 'REJECT'")
    ]
    problems += _named("rejected, but not in the outbox", (row for row in unposted if row["seq"] not in posted))
    problems += _named("twice in the outbox", (row for row in unposted if posted.get(row["seq"], 0) > 1))
    return problems


def _streams(ask: Ask) -> list[str]:
    """No stream of the fleet has given out a number that is still to come, or tells of a row that is not there."""
    problems = [
        f"stream {row['stream']}: event {row['seq']}, but {row['next']} is to come"
        for row in ask(
            "select o.stream, max(o.seq) as seq, s.next from outgoing o join sending s"
            " on s.stream = o.stream and s.epoch = o.epoch group by o.stream having max(o.seq) >= s.next"
        )
    ]
    for kind, table, key in (("part", "part", "seq"), ("audit", "audit", "n"), ("alarm", "journal", "n")):
        (found,) = ask(
            "select count(*) as n, min(o.ref) as first from outgoing o where o.kind = ? and o.body is null"
            f" and not exists (select 1 from {table} t where t.{key} = o.ref)",
            [kind],
        )
        if found["n"]:
            problems.append(
                f"{found['n']} events of kind {kind} tell of rows that are gone, the first {found['first']}"
            )
    return problems


_KEPT = (
    "select p.seq as seq, '' as camera, p.part as part, e.name as epoch, p.picture, p.picture_sha256 from part p"
    " join epoch e on e.n = p.epoch where p.seq > ? and p.picture_kept and p.picture is not null"
    " order by p.seq limit 1000",
    "select v.seq as seq, v.camera as camera, p.part as part, e.name as epoch, v.picture, v.picture_sha256 from view v"
    " join part p on p.seq = v.seq join epoch e on e.n = p.epoch"
    " where (v.seq, v.camera) > (?, ?) and v.picture_kept and v.picture is not null"
    " order by v.seq, v.camera limit 1000",
)
"""The next thousand kept pictures of the deciding views, and of the others."""


def _pictures(reader: LedgerReader, *, full: bool) -> list[str]:
    """Every kept picture is there; with full it also hashes to what its row says."""
    missing: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    for sql in _KEPT:
        after: list[object] = [0, ""][: sql.count("?")]
        while True:
            with reader.asking() as ask:
                page = list(ask(sql, after))
            for row in page:
                after = [row["seq"], row["camera"]][: len(after)]
                file = reader.store / row["picture"]
                if not file.is_file():
                    missing.append(row)
                elif full and _digest(file) != row["picture_sha256"]:
                    wrong.append(row)
            if len(page) < 1000:
                break
    return _named("with a kept picture that is not there", iter(missing)) + _named(
        "with a picture that is not the one that was kept", iter(wrong)
    )


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise BadLedger(f"{file}: {error}") from error
