"""The sums equal the rows: each table of sums is made again from the parts and compared."""

from .read import Ask
from .schema_figures import TALLIES

_NAMED = 3


def figure_problems(ask: Ask) -> list[str]:
    """What the sums say other than the parts, a few places named; empty: they are one truth."""
    found = []
    gone = str((ask.first("select max(until) as until from rows_gone") or {})["until"] or "")
    for tally in TALLIES:
        columns = ", ".join((*tally.keys, *tally.sums))
        moment = next(iter(tally.keys))
        # Sums from before retention deleted rows stay as they are: nothing is left to make them from again.
        after = f" where {moment} >= substr('{gone}', 1, length({moment}))" if gone else ""
        held, must = f"select {columns} from {tally.name}{after}", f"select * from ({tally.grouped()}){after}"
        wrong = [
            dict(list(row.items())[: len(tally.keys)])
            for one, other in ((held, must), (must, held))
            for row in ask(f"select * from ({one}) except select * from ({other}) limit {_NAMED}")
        ]
        if wrong:
            places = sorted({" ".join(str(value) for value in row.values() if value != "") for row in wrong})
            found.append(f"the sums in {tally.name} are not those of the parts: {'; '.join(places[:_NAMED])}")
    return found
