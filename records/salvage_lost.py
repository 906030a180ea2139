"""How many parts a damaged ledger has lost, as far as what was read of it can tell. Asked of the staged file."""

import itertools

import apsw

from .bookkeeping import rows
from .rows import unpack_json
from .seal_content import Kind


def links_lost(db: apsw.Connection) -> int | None:
    """Links of the seal that were not found; None: there is no seal to go by."""
    if not rows(db, "select 1 from sqlite_schema where name = 'seal'"):
        return None
    count, first, last = rows(db, "select count(*), min(n), max(n) from seal")[0]
    return int(last) - int(first) + 1 - int(count) if count else None


def jumps(db: apsw.Connection) -> list[int]:
    """Numbers above which the parts of a later file begin, as the trail tells them: what lies before is no loss."""
    found: set[int] = set()
    for (body,) in rows(db, "select body from audit"):
        try:
            told = unpack_json(str(body))
            about = told["object"]
            if told["what"] == "ledger made" and "parts_above" in about:
                found.add(int(about["parts_above"]))
            if told["what"] == "ledger salvaged":
                found.update(map(int, about.get("jumps", ())))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return sorted(found)


def parts_missing(db: apsw.Connection) -> int:
    """Parts that were there and were not found.

    By the seal: every part it names, less those that retention deleted or io took back; of its lost links none is
    taken for more than a gap in the numbers says. Without a seal by the gaps alone, which retention may have made.
    """
    gaps, lost = _gaps(db), links_lost(db)
    if lost is None:
        return gaps
    sql = (
        "select count(*) from seal s where s.kind = :part and not exists (select 1 from part where seq = s.a)"
        " and not exists (select 1 from seal w where w.kind = :withdrawn and w.a = s.a) and coalesce((select r.b from"
        " seal r where r.kind = :retired and r.a <= s.a order by r.a desc limit 1), -1) < s.a"
    )
    kinds = {"part": int(Kind.PART), "withdrawn": int(Kind.WITHDRAWN), "retired": int(Kind.RETIRED)}
    named = int(str(db.execute(sql, kinds).fetchall()[0][0]))
    return named + max(0, min(lost, gaps - named))


def _gaps(db: apsw.Connection) -> int:
    edges, missing = [-(1 << 62), *jumps(db), 1 << 62], 0
    for low, high in itertools.pairwise(edges):
        sql = "select count(*), min(seq), max(seq) from part where seq > ? and seq <= ?"
        count, least, most = rows(db, sql, (low, high))[0]
        missing += int(most) - int(least) + 1 - int(count) if count else 0
    return missing
