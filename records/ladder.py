"""What sync has written down of models: each step of the ladder, and the newest that was trusted in a channel."""

from typing import Any

from pydantic import Field

from ..bus.ladder import Rung
from .clerk import Body, Task, Turn
from .outgoing import LADDER, send
from .rows import as_json

_MOST = 64 << 10
"""Letters of the figures of a step."""


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


TASKS: dict[str, Task] = {"ladder.step": step, "ladder.floor": raise_floor}
