"""The streams of the box as sync sends them: numbered without a gap, and the same at each reading. No numpy, no cv2.

What an event says is read from the row it points at. Where that row is gone the number stays, as `dropped`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..bus.errors import BadLedger
from .leaving import DIFFERING, Leaving
from .outgoing import AUDIT, DROPPED, LADDER, RECORDS, STREAMS, line_told
from .part_body import part_bodies
from .read import Ask, LedgerReader
from .rescued import waiting
from .rows import as_json, sha256
from .uplink_note import beside

MOST_EVENTS = 1000
_SCANNED = 2000
"""Parts looked over at once for pictures that leave."""


@dataclass(frozen=True, slots=True)
class StreamHead:
    """One stream under one lineage."""

    name: str
    epoch: int
    newest: int
    """Number of its newest event; 0: none yet."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event as it leaves the box."""

    seq: int
    kind: str
    """part, alarm, audit, ladder, label, head, dropped."""
    at: str
    """UTC of when it happened; empty: not known any more."""
    body: bytes
    """One line of canonical JSON."""
    sha256: str
    """Of the body, 64 hex digits."""


@dataclass(frozen=True, slots=True)
class ToSend:
    """One picture that leaves the box, or what was cut out of one."""

    part_seq: int
    sha256: str
    path: Path
    """Absolute."""
    priority: int
    """0: a reject, 1: uncertain, 2: of the sample of OK parts, 3: a challenger differs on it."""
    kind: Literal["picture", "crop"]
    epoch: int
    """Of the part's own event."""
    camera: str
    size: int
    """Bytes."""


class OutboxReader(LedgerReader):
    """Reads what leaves, by the privacy rule of the box. May be shared by threads."""

    def __init__(self, store: Path, leaving: Leaving | None = None) -> None:
        """leaving: the rule; None: records without pictures."""
        super().__init__(store)
        self._leaving = leaving or Leaving()

    def streams(self) -> tuple[StreamHead, ...]:
        """All streams in the order in which they are sent, of each the older epochs first. BadLedger.

        Nothing where nothing may leave. Epochs before the ledger's own are left out while rows of a damaged file are
        still being rescued: events of theirs may yet come in.
        """
        if not self._leaving.records:
            return ()
        rescuing = waiting(self.store)
        with self.asking() as ask:
            now = {row["stream"]: (row["epoch"], row["next"] - 1) for row in ask("select * from sending")}
            found: list[StreamHead] = []
            for name in STREAMS:
                epoch, newest = now.get(name, (0, 0))
                found += [] if rescuing else [StreamHead(name, *one) for one in older(ask, name, epoch)]
                found.append(StreamHead(name, epoch, newest))
        return tuple(found)

    def outgoing(self, stream: str, after: int, limit: int, epoch: int | None = None) -> list[Outgoing]:
        """Up to limit events (1..1000) with the numbers after + 1, after + 2, ... without a gap. BadLedger.

        epoch: None: the newest. Nothing where nothing may leave.
        """
        if not 1 <= limit <= MOST_EVENTS:
            raise ValueError(f"limit {limit}: expected 1..{MOST_EVENTS}")
        if not self._leaving.records:
            return []
        with self.asking() as ask:
            now = ask.first("select epoch, next - 1 as newest from sending where stream = ?", [stream])
            if now is None:
                return []
            of = int(now["epoch"]) if epoch is None else epoch
            newest = int(now["newest"]) if of == now["epoch"] else top(ask, stream, of)
            sql = "select * from outgoing where stream = ? and epoch = ? and seq > ? order by seq limit ?"
            held = {row["seq"]: row for row in ask(sql, [stream, of, after, limit])}
            try:
                read = _contents(ask, stream, list(held.values()))
            except (ValueError, TypeError, KeyError) as error:
                raise BadLedger(f"{self.path}: stream {stream}: a row is not as okng wrote it: {error}") from error
            last = min(newest, after + limit)
            return [_event(seq, held.get(seq), read.get(seq)) for seq in range(after + 1, last + 1)]

    def pictures_to_send(self, after_part_seq: int, limit: int, priority: int | None = None) -> list[ToSend]:
        """Pictures of parts above that number that the rule lets leave, in part order, about limit of them. BadLedger.

        All pictures of a part come together, so there may be a few more than limit. priority: only those of it; 3:
        those that a challenger differs on and the fleet was told of, whatever else they are. A cut-out is made now,
        where it is not there yet, which takes some 100 ms each; a part whose cut-outs cannot be made (its recipe is not
        known here any more) is left out.
        """
        if not self._leaving.pictures or limit < 1:
            return []
        found: list[ToSend] = []
        after = after_part_seq
        while len(found) < limit:
            with self.asking() as ask:
                parts = list(ask(_KEPT_DIFFERING if priority == DIFFERING else _KEPT, [after, _SCANNED]))
                views = _views(ask, [row["seq"] for row in parts])
            for row in parts:
                after = int(row["seq"])
                level = self._level(row, priority)
                if level is None:
                    continue
                found += self._of_part(row, views.get(after, ()), level)
                if len(found) >= limit:
                    break
            if len(parts) < _SCANNED:
                break
        return found

    def _level(self, row: Mapping[str, Any], priority: int | None) -> int | None:
        """The priority under which a part goes, if that is the wanted one."""
        if priority == DIFFERING:
            return DIFFERING if self._leaving.differing(row) else None
        level = self._leaving.priority(row)
        return level if priority in (None, level) else None

    def _of_part(self, row: Mapping[str, Any], views: Sequence[Mapping[str, Any]], level: int) -> Iterator[ToSend]:
        for one in (row, *views):
            if not one["picture_kept"] or not one["picture"]:
                continue
            path, digest = self.store / str(one["picture"]), str(one["picture_sha256"])
            kind: Literal["picture", "crop"] = "picture"
            if self._leaving.rule == "crops":
                from .crops import crop_of  # only where crops leave: it brings cv2

                made = crop_of(self, row, one, beside(self.store) / "crops")
                if made is None:
                    continue
                path, digest, kind = *made, "crop"
            try:
                size = path.stat().st_size
            except OSError:
                continue  # retention has just taken it
            yield ToSend(row["seq"], digest, path, int(level), kind, row["sent_under"] or 0, one["camera"], size)


_PARTS = (
    "select p.*, (select max(o.epoch) from outgoing o where o.stream = 'records' and o.ref = p.seq) as sent_under"
    " from part p where p.seq > ? and (p.picture_kept or exists"
    " (select 1 from view v where v.seq = p.seq and v.picture_kept))"
)
_KEPT = f"{_PARTS} order by p.seq limit ?"
_KEPT_DIFFERING = (
    f"{_PARTS} and p.seq in (select d.ref from outgoing d where d.stream = 'ladder' and d.body is not null"
    " and json_extract(d.body, '$.what') = 'differs') order by p.seq limit ?"
)


def _views(ask: Ask, seqs: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    sql = "select * from view where seq in (select value from json_each(?)) order by seq, camera"
    for row in ask(sql, [json.dumps(list(seqs))]):
        found.setdefault(row["seq"], []).append(row)
    return found


def older(ask: Ask, stream: str, epoch: int) -> Iterator[tuple[int, int]]:
    """Yield (epoch, newest number) of what the ledger still has of a stream under the epochs before that one."""
    after = 0
    while True:
        row = ask.first(
            "select epoch from outgoing where stream = ? and epoch > ? and epoch < ? order by epoch limit 1",
            [stream, after, epoch],
        )
        if row is None:
            return
        after = int(row["epoch"])
        yield after, top(ask, stream, after)


def top(ask: Ask, stream: str, epoch: int) -> int:
    """The highest number that the ledger has of a stream under an epoch; 0: none."""
    (row,) = ask("select coalesce(max(seq), 0) as top from outgoing where stream = ? and epoch = ?", [stream, epoch])
    return int(row["top"])


def _contents(ask: Ask, stream: str, held: Sequence[Mapping[str, Any]]) -> dict[int, tuple[str, Any]]:
    """Moment and body of these events, by number; of those whose row is gone nothing."""
    found: dict[int, tuple[str, Any]] = {}
    pointing = [row for row in held if row["body"] is None and row["kind"] != DROPPED]
    for row in held:
        if row["body"] is not None and row["kind"] != DROPPED:
            body = json.loads(row["body"])
            found[row["seq"]] = _moment(body), body
    if stream == RECORDS:
        bodies = part_bodies(ask.db, [(row["ref"], bool(row["named"])) for row in pointing])
        there = [(row["seq"], bodies[row["ref"]]) for row in pointing if row["ref"] in bodies]
        return found | {seq: (body["taken_at"], body) for seq, body in there}
    refs = json.dumps([row["ref"] for row in pointing])
    if stream in (AUDIT, LADDER):
        sql = "select n, body, hash from audit where n in (select value from json_each(?))"
        trail = {one["n"]: line_told(one, stream) for one in ask(sql, [refs])}
    else:
        sql = "select * from journal where n in (select value from json_each(?))"
        trail = {one["n"]: (one["at"], _journal(one)) for one in ask(sql, [refs])}
    return found | {row["seq"]: trail[row["ref"]] for row in pointing if row["ref"] in trail}


def _journal(row: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: row[name] for name in ("n", "at", "key", "event", "who")}
    return {**json.loads(row["body"]), **own}


def _moment(body: Mapping[str, Any]) -> str:
    """When what is written out happened."""
    inside = body.get("entry") or body.get("body") or {}
    return str(body.get("at") or body.get("taken_at") or inside.get("at") or inside.get("utc") or "")


def _event(seq: int, row: Mapping[str, Any] | None, said: tuple[str, Any] | None) -> Outgoing:
    if row is None or said is None:
        of_part = row is not None and row["stream"] == RECORDS
        body = as_json({"seq_part": row["ref"] if row is not None and of_part else None}).encode()
        return Outgoing(seq, DROPPED, "", body, sha256(body))
    at, content = said
    body = as_json(content).encode()
    return Outgoing(seq, row["kind"], at, body, sha256(body))
