"""The balance of a ledger, for people and for programs."""

from dataclasses import asdict
from typing import Any

from ..records.check import Balance


def balance_lines(found: Balance) -> list[str]:
    """Return the balance as lines for a person; the last one is the verdict."""
    apart = (("test parts", found.challenge), ("bypass", found.bypass))
    rejected = f"NG {found.ng} + UNJUDGED {found.unjudged}" + "".join(f" + {name} {n}" for name, n in apart if n)
    sums = [
        f"triggers {found.triggers} = OK {found.ok} + {rejected}",
        f"   of UNJUDGED: late {found.late}, missed {found.missed}, closed after a restart of io {found.recovered}",
        f"rejects ordered {found.ordered} = {rejected}",
        f"rejects ordered {found.ordered} = confirmed {found.confirmed} + unconfirmed {found.unconfirmed}",
        f"pictures kept {found.pictures}, of other views {found.views}",
    ]
    return [*sums, *(f"WRONG: {problem}" for problem in found.problems), _verdict(found)]


def _verdict(found: Balance) -> str:
    return "ledger balanced" if found.balanced else f"ledger NOT balanced: {len(found.problems)} problems"


def balance_json(found: Balance) -> dict[str, Any]:
    """Return the balance as a mapping fit for JSON."""
    return {"balanced": found.balanced, **asdict(found)}
