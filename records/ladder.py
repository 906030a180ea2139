"""What sync has written down of models: steps of the ladder, differing parts, the newest that was trusted in a channel.

A part on which a challenger and the champion differ is told to the fleet once, however often it is asked for: the event
in the stream `ladder` is itself the note that it was told. Of each challenger the first `MOST_DIFFERING` go, then none.
"""

from typing import Any, Literal

from pydantic import Field

from ..bus.ladder import DIFFERS_AT_ONCE, Rung
from .clerk import Body, Task, Turn
from .outgoing import LADDER, send
from .rows import as_json

_MOST = 64 << 10
"""Letters of the figures of a step."""
MOST_DIFFERING = 500
"""Differing parts of one challenger that the fleet is told of. One that differs everywhere says no more with more."""
DIFFERS = "differs"


class Step(Body):
    """`ladder.step`: a bundle went from one rung to another."""

    bundle: str = Field(pattern=r"^[0-9a-f]{64}$")
    recipe: str = Field(max_length=200)
    before: Rung | None = Field(default=None, alias="from")
    """None: it is new here."""
    after: Rung = Field(alias="to")
    reason: str = Field(default="", max_length=2000)
    figures: dict[str, Any] = Field(default_factory=dict)
    """What it goes by: parts, rates, times. Plain data."""


class Floor(Body):
    """`ladder.floor`: the newest sequence that was trusted in a channel."""

    channel: str = Field(min_length=1, max_length=200)
    seq: int = Field(ge=0, le=2**53)


class Differing(Body):
    """One part that both have seen."""

    seq: int = Field(ge=1, le=2**53)
    """In the ledger."""
    role: Literal["shadow", "canary"]
    """Of the challenger."""
    champion: Literal["OK", "NG"]
    """What the champion alone said."""
    challenger: Literal["OK", "NG"]
    champion_score: float = Field(allow_inf_nan=False)
    """Share of its limit."""
    challenger_score: float = Field(allow_inf_nan=False)


class Differs(Body):
    """`ladder.differs`: parts on which a challenger and the champion did not say the same."""

    bundle: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The challenger."""
    champion: str = Field(max_length=64)
    recipe: str = Field(max_length=200)
    parts: list[Differing] = Field(min_length=1, max_length=DIFFERS_AT_ONCE)


def step(turn: Turn) -> dict[str, Any]:
    """Write a step into the trail and number it for the fleet, in one transaction; answer the line of the trail."""
    asked = turn.take(Step)
    if len(as_json(asked.figures)) > _MOST:
        raise ValueError(f"ladder.step: figures: expected at most {_MOST} letters")
    told: dict[str, Any] = {"bundle": asked.bundle, "recipe": asked.recipe, "from": asked.before, "to": asked.after}
    told |= {"reason": asked.reason, "figures": asked.figures}
    turn.audit("ladder", {**told, "at": turn.at})
    (n,) = turn.rows("select max(n) from audit")[0]
    send(turn.db, LADDER, "ladder", n)
    return {"n": n}


def raise_floor(turn: Turn) -> dict[str, Any]:
    """Raise the floor of a channel; it never goes down. Answers where it is now."""
    asked = turn.take(Floor)
    before = turn.rows("select seq from floor where channel = ?", asked.channel)
    if not before or asked.seq > before[0][0]:
        turn.db.execute(
            "insert into floor values (?, ?, ?) on conflict (channel) do update set seq = excluded.seq,"
            " at = excluded.at",
            (asked.channel, asked.seq, turn.at),
        )
        old = before[0][0] if before else None
        turn.audit("ladder floor", {"channel": asked.channel}, old=old, new=asked.seq)
    return {"seq": turn.rows("select seq from floor where channel = ?", asked.channel)[0][0]}


def differs(turn: Turn) -> dict[str, Any]:
    """Number differing parts for the fleet, each once; answer how many of this challenger it is told of by now.

    A part is passed over where it is not in the ledger, or was stored before this box told the fleet anything.
    """
    asked = turn.take(Differs)
    sql = (
        "select ref from outgoing where stream = ? and body is not null and json_extract(body, '$.what') = ?"
        " and json_extract(body, '$.bundle') = ?"
    )
    told = {int(ref) for (ref,) in turn.rows(sql, LADDER, DIFFERS, asked.bundle)}
    for one in asked.parts:
        if one.seq in told or len(told) >= MOST_DIFFERING or one.champion == one.challenger:
            continue
        found = turn.rows(_PART, one.seq)
        if not found or found[0][-1] is None:
            continue
        told.add(one.seq)
        part = dict(zip(("part", "taken_at", "epoch", "part_epoch"), found[0], strict=True))
        whose = {"what": DIFFERS, "bundle": asked.bundle, "champion": asked.champion, "recipe": asked.recipe}
        said = {
            "champion_outcome": one.champion,
            "challenger_outcome": one.challenger,
            "champion_score": one.champion_score,
            "challenger_score": one.challenger_score,
        }
        more = {"seq": one.seq, "role": one.role, "n": len(told), "most": MOST_DIFFERING, "at": turn.at}
        send(turn.db, LADDER, "ladder", one.seq, {**whose, **part, **said, **more})
    return {"told": len(told), "most": MOST_DIFFERING}


_PART = (
    "select p.part, p.taken_at, e.name, (select max(o.epoch) from outgoing o where o.stream = 'records'"
    " and o.ref = p.seq) from part p join epoch e on e.n = p.epoch where p.seq = ?"
)
TASKS: dict[str, Task] = {"ladder.step": step, "ladder.floor": raise_floor, "ladder.differs": differs}
