"""How often a secret may be tried: five times, then after growing waits, for each person and for each panel.

A try is counted and on disk before the secret is looked at, so neither a kill nor a power cut forgives one. Waits go
by the monotonic clock; after a reboot they begin anew, so neither setting the clock nor pulling the plug shortens one.
"""

from dataclasses import dataclass

import apsw

from ..bus.clock import SECOND, boot_id, now_ns, utc_now
from ..bus.errors import Refused
from .bookkeeping import rows

FREE = 5
"""Tries without a wait."""
WAITS_S = (30, 60, 120, 300, 900)
"""Before each further try; the last one goes on."""
_MOST_NAMES = 2000
"""Rows of each kind that are kept: names are typed by anybody."""


@dataclass(frozen=True, slots=True)
class Tries:
    """What has been tried since it last succeeded."""

    fails: int
    last_ns: int
    boot: str

    def wait_s(self, at_ns: int, boot: str) -> int:
        """Seconds until the next try is let; 0: now."""
        if self.fails < FREE:
            return 0
        wait_ns = WAITS_S[min(self.fails - FREE, len(WAITS_S) - 1)] * SECOND
        # The monotonic clock begins at the boot: of a try before it only this much is known to have gone by.
        gone_ns = at_ns - self.last_ns if boot == self.boot and at_ns >= self.last_ns else at_ns
        return max(0, -(-(wait_ns - gone_ns) // SECOND))


Key = tuple[str, str]
"""(`person` or `panel`, name)."""


def count_try(db: apsw.Connection, keys: list[Key]) -> None:
    """Count a try against all keys, or none. Refused: one of them is locked, the text says for how long."""
    at_ns, boot = now_ns(), boot_id()
    if wait := max(_tries(db, key).wait_s(at_ns, boot) for key in keys):
        raise Refused(f"locked for {wait} s")
    for kind, name in keys:
        db.execute(
            "insert into attempt values (?, ?, 1, ?, ?, ?) on conflict (kind, name) do update set"
            " fails = fails + 1, last_ns = excluded.last_ns, boot_id = excluded.boot_id, last_at = excluded.last_at",
            (kind, name, at_ns, boot, utc_now()),
        )
        db.execute(
            "delete from attempt where kind = ? and name in"
            " (select name from attempt where kind = ? order by fails desc, last_at desc limit -1 offset ?)",
            (kind, kind, _MOST_NAMES),
        )


def forgive(db: apsw.Connection, keys: list[Key]) -> None:
    """The try succeeded: it and those before it are forgotten."""
    db.executemany("delete from attempt where kind = ? and name = ?", keys)


def take_back(db: apsw.Connection, keys: list[Key]) -> None:
    """The try was right as far as it went, and another secret has to follow: it does not count, those before do."""
    # Nor does the other one wait for it: what was waited for before this try has been waited for.
    db.executemany(
        "update attempt set fails = max(0, fails - 1), last_ns = last_ns - ? where kind = ? and name = ?",
        [(WAITS_S[-1] * SECOND, *key) for key in keys],
    )


def _tries(db: apsw.Connection, key: Key) -> Tries:
    found = rows(db, "select fails, last_ns, boot_id from attempt where kind = ? and name = ?", key)
    return Tries(*found[0]) if found else Tries(0, 0, "")
