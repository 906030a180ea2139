"""Rejects leave the box: pictures by their content, records in numbered batches, each with exactly one effect.

Sent at least once and stored once: a batch is written down before it is sent, so after a cut the same events travel
under the same key again, and the store already has it. The ledger is only read; how far the store has come is noted in
a file of our own.
"""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..bus.errors import StoreLost
from ..records.durable import sync_folder, write_synced
from ..records.read import Event, LedgerReader
from ..records.rescued import streams_to_send
from .layout import batch_key, batch_range, blob_key, stream_prefix
from .stores import BadObject, BlobStore, file_sha256

log = logging.getLogger(__name__)
STREAM = "rejects"
HEADS = "heads"
"""The signed heads of trail and seal: away from the box they prove what it cannot unsay (`records/seal_heads.py`)."""
MOST_BYTES = 1 << 20
"""Of one batch, unless a single event is larger."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the store has come with one stream of one ledger."""

    box: str
    lineage: int
    acked: int
    """Events up to this number are in the store."""
    planned: int
    """Last event of the batch being sent; equal to acked: none is."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one push came to."""

    events: int = 0
    batches: int = 0
    pictures: int = 0
    """Pictures that were not in the store before."""
    missing: int = 0
    """Pictures that the ledger names and the disk no longer has, or has changed."""
    heads: int = 0
    """Signed heads."""


def push(
    reader: LedgerReader, blobs: BlobStore, state: Path, *, box: str | None = None, batch_events: int = 256
) -> Pushed:
    """Send all signed heads and all rejects the store does not have yet; return when it has them.

    state: folder of our own for the cursor. box: name in the store, None: the ledger's own. Call again after StoreLost:
    it goes on where it was. BadObject: the store holds other content under a batch of ours. BadLedger.
    """
    identity = reader.identity()
    name = box or identity.box
    which = Cursor(name, identity.lineage, 0, 0)
    rejects = _push_stream(reader, blobs, state, STREAM, which, batch_events)
    heads = _push_stream(reader, blobs, state, HEADS, which, batch_events).events
    done = replace(rejects, heads=heads)
    for name in (STREAM, HEADS):
        for stream, lineage, top in streams_to_send(reader, name):
            done = _push_rescued(reader, blobs, state, stream, Cursor(which.box, lineage, 0, top), batch_events, done)
    return done


def _push_rescued(
    reader: LedgerReader, blobs: BlobStore, state: Path, stream: str, old: Cursor, batch_events: int, done: Pushed
) -> Pushed:
    """What was rescued from a damaged ledger and had not been sent from there, under its own lineage and numbers.

    old: of that ledger; `planned` is its last event. Numbers may be missing, so the store is asked for the last one.
    """
    name, _, _ = stream.partition("@")
    file = state / f"push-{stream}.json"
    said = _said(file)
    if said is None or (said.box, said.lineage) != (old.box, old.lineage):
        sent = [batch_range(key) or (0, 0) for key in blobs.keys(stream_prefix(old.box, name, old.lineage))]
        said = replace(old, acked=max((last for _, last in sent), default=0))
    while said.acked < old.planned and (events := _batch(reader, stream, replace(said, planned=0), batch_events)):
        for event in events if name == STREAM else ():
            done = _push_pictures(reader.store, blobs, event, done)
        body = b"".join(event.body + b"\n" for event in events)
        key = batch_key(old.box, name, old.lineage, events[0].seq, events[-1].seq)
        blobs.put_if_absent(key, body, hashlib.sha256(body).hexdigest())
        said = replace(said, acked=events[-1].seq)
        _note(file, said)
        sent_now = len(events) if name == STREAM else 0
        done = replace(done, events=done.events + sent_now, batches=done.batches + 1)
        done = replace(done, heads=done.heads + len(events) - sent_now)
    return done


def _push_stream(
    reader: LedgerReader, blobs: BlobStore, state: Path, stream: str, which: Cursor, batch_events: int
) -> Pushed:
    """Send what one stream of the outbox has. which: the ledger. As `push`."""
    name, file = which.box, state / f"push-{stream}.json"
    cursor = _cursor(file, blobs, name, which.lineage, stream)
    if cursor.acked > (newest := reader.newest_event(stream)):
        raise BadObject(
            f"the store has {cursor.acked} events of box {name}, lineage {cursor.lineage}, the ledger only {newest}:"
            " it is an older copy; start records once, which gives it a new lineage"
        )
    done = Pushed()
    while events := _batch(reader, stream, cursor, batch_events):
        if cursor.planned != events[-1].seq:
            cursor = replace(cursor, planned=events[-1].seq)
            _note(file, cursor)
        for event in events if stream == STREAM else ():
            done = _push_pictures(reader.store, blobs, event, done)
        body = b"".join(event.body + b"\n" for event in events)
        key = batch_key(name, stream, cursor.lineage, events[0].seq, events[-1].seq)
        blobs.put_if_absent(key, body, hashlib.sha256(body).hexdigest())
        cursor = replace(cursor, acked=events[-1].seq)
        _note(file, cursor)
        done = replace(done, events=done.events + len(events), batches=done.batches + 1)
    return done


def _batch(reader: LedgerReader, stream: str, cursor: Cursor, most: int) -> list[Event]:
    """The next events: those of the batch that was being sent, to the last one, or a new batch."""
    if cursor.planned > cursor.acked:
        return reader.events(stream, cursor.acked, cursor.planned - cursor.acked)
    events: list[Event] = []
    size = 0
    for event in reader.events(stream, cursor.acked, most):
        size += len(event.body) + 1
        if events and size > MOST_BYTES:
            break
        events.append(event)
    return events


def _push_pictures(store: Path, blobs: BlobStore, event: Event, done: Pushed) -> Pushed:
    """The picture of the part, and those of its other views."""
    record: dict[str, Any] = json.loads(event.body)
    for held in (record, *record.get("views", ())):
        done = _push_picture(store, blobs, {"part": record["part"], **held}, done)
    return done


def _push_picture(store: Path, blobs: BlobStore, record: dict[str, Any], done: Pushed) -> Pushed:
    if not record["picture_kept"]:
        return done
    picture, sha256 = store / record["picture"], record["picture_sha256"]
    try:
        whole = file_sha256(picture) == sha256
    except OSError:
        whole = False
    if not whole:
        log.warning("part %s: its picture %s is gone or changed; the record goes without it", record["part"], picture)
        return replace(done, missing=done.missing + 1)
    new = blobs.put_if_absent(blob_key(sha256), picture, sha256)
    return replace(done, pictures=done.pictures + new)


def _cursor(file: Path, blobs: BlobStore, box: str, lineage: int, stream: str) -> Cursor:
    said = _said(file)
    if said is not None and (said.box, said.lineage) == (box, lineage):
        return said
    acked = 0
    for key in blobs.keys(stream_prefix(box, stream, lineage)):
        first, last = batch_range(key) or (0, 0)
        if first == acked + 1:
            acked = last
    return Cursor(box, lineage, acked, acked)


def _said(file: Path) -> Cursor | None:
    """How far the store has come by our own note; None: there is none, or it does not read."""
    try:
        return Cursor(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is not readable (%s): the store is asked how far it has come", file, error)
        return None


def _note(file: Path, cursor: Cursor) -> None:
    """Replace the cursor's file, durable when this returns. StoreLost: our own disk is full."""
    waiting = file.with_name(file.name + ".tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_synced(waiting, json.dumps(asdict(cursor)).encode())
        waiting.rename(file)
        sync_folder(file.parent)
    except OSError as error:
        raise StoreLost(f"{file}: {error}") from error
