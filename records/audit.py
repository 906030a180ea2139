"""The audit chain: each entry's hash covers the one before it.

hash n = sha256(hash n-1 || body n), hash 0 = 32 zero bytes. The chain shows where it was broken; that all of it was
rewritten only a head kept elsewhere can show.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..bus.clock import boot_id, now_ns, utc_now
from .rows import as_json

START = "00" * 32
"""Hash of entry 0, which does not exist."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is written into the trail."""

    what: str
    about: dict[str, object]
    """What it was done to."""
    who: str = "records"
    why: str = ""
    old: object = None
    """What stood there before; None: nothing, or it is not said."""
    new: object = None


def link(before: tuple[int, str] | None, deed: Deed) -> tuple[int, str, str]:
    """The next entry (number, body, hash) after (number, hash) of the one before; None: it is the first."""
    n, hash_before = before or (0, START)
    more = {"why": deed.why, "old": deed.old, "new": deed.new}
    body = as_json(
        {
            "n": n + 1,
            "at": utc_now(),
            "boot_id": boot_id(),
            "mono_ns": now_ns(),
            "who": deed.who,
            "what": deed.what,
            "object": deed.about,
            **{name: value for name, value in more.items() if value not in (None, "")},
        }
    )
    return n + 1, body, _chained(hash_before, body)


def audit_problems(entries: Iterable[tuple[int, str, str]]) -> list[str]:
    """Where the chain of (number, body, hash) is broken, at most one place; empty: sound."""
    before, expected = START, 1
    for n, body, chained in entries:
        try:
            sound = n == expected and json.loads(body)["n"] == n and _chained(before, body) == chained
        except (ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            return [f"audit: broken at entry {expected}"]
        before, expected = chained, n + 1
    return []


def trail_breaks(entries: Iterable[tuple[int, str, str]]) -> Iterator[str]:
    """Yield every place where the chain is broken, each entry judged by the hash that stands before it."""
    before, expected = START, 1
    for n, body, chained in entries:
        if n != expected:
            yield f"lines {expected}..{n - 1} were removed" if n > expected else f"line {n}: stands twice"
        try:
            named = json.loads(body)["n"] == n
            sound = named and (_chained(before, body) == chained or n != expected)
        except (ValueError, KeyError, TypeError):
            sound = False
        if not sound:
            yield f"line {n}: is not what was written: it, its hash or the line before was changed or moved"
        before, expected = chained, n + 1


def _chained(before: str, body: str) -> str:
    return hashlib.sha256(bytes.fromhex(before) + body.encode()).hexdigest()
