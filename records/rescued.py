"""Events that were rescued from damaged ledgers: streams `NAME@LINEAGE` of the outbox, numbered as they were there."""

from collections.abc import Iterator
from pathlib import Path

from .read import Ask, LedgerReader
from .salvage import unfinished


def rescued_streams(ask: Ask, name: str) -> Iterator[tuple[str, int, int]]:
    """Yield (stream, lineage, highest number) of what was rescued of that stream, by the index."""
    found = f"{name}@"
    while True:
        row = ask.first("select min(stream) as stream from outbox where stream > ? and stream < ?", [found, f"{name}A"])
        if row is None or row["stream"] is None:
            return
        found = str(row["stream"])
        (top,) = ask("select max(seq) as top from outbox where stream = ?", [found])
        _, _, lineage = found.partition("@")
        if lineage.isdigit():
            yield found, int(lineage), int(top["top"])


def streams_to_send(reader: LedgerReader, name: str) -> list[tuple[str, int, int]]:
    """The same, once no rescue is under way any more: until then an earlier event may still come in. BadLedger."""
    if waiting(reader.store):
        return []
    with reader.asking() as ask:
        return list(rescued_streams(ask, name))


def waiting(store: Path) -> bool:
    """True while rows of a damaged ledger are still to come."""
    return bool(unfinished(store))
