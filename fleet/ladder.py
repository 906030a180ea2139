"""How a bundle climbs on this box. No I/O, no clock of its own: every step is a function of what is known.

    OFFERED > FETCHED > VERIFIED > LOADED > GOLDEN > SHADOW > CANARY > CHAMPION > RETIRED
       any of the first five > REFUSED            SHADOW, CANARY, CHAMPION > ROLLED_BACK

A step that is not the next one raises NotAStep, whoever wants it, and leaves the ladder as it was. The only other ways:
back to OFFERED from any rung below the top (people look, or another bundle is offered), REFUSED from the top after
crashes, and RETIRED > CHAMPION when the one that followed is taken back. A change of champion is begun and ended: what
lies between is repeated after a stop.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..bus.ladder import Rung
from .ladder_state import (
    BEFORE_THE_LINE,
    CLIMBING,
    NEXT,
    ON_THE_LINE,
    Entry,
    Ladder,
    Needs,
    NotAStep,
    Swap,
)

DAY_S = 86_400
Told = Mapping[str, Any] | None
"""Figures that go into the step."""


def adopt(ladder: Ladder, recipe: str, bundle: str, at: float) -> Ladder:
    """Take what is in place for the champion, once per recipe: the only bundle that did not climb."""
    if ladder.champion(recipe) is not None:
        raise NotAStep(f"recipe {recipe}: it has a champion already")
    entry = Entry(recipe, bundle, Rung.CHAMPION, "", 0, at, reason="found in place")
    known = ladder.entry(recipe, bundle)
    made = ladder.put(entry).noted(at, entry, "" if known is None else str(known.rung), entry.reason)
    return replace(made, last_good={**made.last_good, recipe: bundle}, factory={recipe: bundle, **made.factory})


def offer(
    ladder: Ladder,
    recipe: str,
    bundle: str,
    channel: str,
    seq: int,
    at: float,
    *,
    local: bool = False,
    ticket: bool = False,
) -> Ladder:
    """A bundle is offered. NotAStep: it is locked, below what was trusted, or was here before under this number.

    ticket: a signed way down, so the floor does not hold. Nothing changes for what is climbing or decides already.
    """
    floor = ladder.floors.get(channel, 0)
    if seq < floor and not ticket:
        raise NotAStep(f"{channel}: number {seq} lies below {floor}, which this box has trusted")
    known = ladder.entry(recipe, bundle)
    if known is not None and known.locked:
        raise NotAStep(f"recipe {recipe}: bundle {bundle[:12]} is locked: {known.reason}")
    if known is not None and known.rung is Rung.RETIRED and seq <= known.seq and not ticket:
        raise NotAStep(f"recipe {recipe}: bundle {bundle[:12]} was retired under number {known.seq}")
    made = replace(ladder, floors={**ladder.floors, channel: max(floor, seq)})
    if known is not None and known.rung in (*CLIMBING, Rung.CHAMPION):
        return made.put(replace(known, channel=channel, seq=max(seq, known.seq if known.channel == channel else 0)))
    climbing = made.climber(recipe)
    if climbing is not None:
        made = stand_back(made, recipe, climbing.bundle, f"bundle {bundle[:12]} is offered now", at)
    entry = Entry(recipe, bundle, Rung.OFFERED, channel, seq, at, local=local, ticket=ticket)
    return made.put(entry).noted(at, entry, "" if known is None else str(known.rung), channel)


def missing(ladder: Ladder, entry: Entry, needs: Needs, at: float) -> str:
    """What keeps a bundle from the next rung, of what this box itself can tell, for people; empty: nothing."""
    if ladder.stopped:
        return f"stopped on this box: {ladder.stopped}"
    if entry.locked or entry.held:
        return f"waits for a person: {entry.reason}"
    if entry.rung is Rung.SHADOW and not (entry.waived and entry.local):
        if entry.parts < needs.shadow_parts:
            return f"{entry.parts} of {needs.shadow_parts} parts"
        if entry.ng < needs.shadow_ng and at - entry.since < needs.shadow_days * DAY_S:
            return f"{entry.ng} of {needs.shadow_ng} NG parts, or {needs.shadow_days:g} days"
        if not entry.seen:
            return "a person has to look at the disagreements"
    if entry.rung is Rung.CANARY and entry.parts < needs.canary_parts:
        return f"{entry.parts} of {needs.canary_parts} parts"
    return ""


def rise(ladder: Ladder, recipe: str, bundle: str, to: Rung, needs: Needs, at: float, figures: Told = None) -> Ladder:
    """Go up one rung, up to CANARY. NotAStep: `to` is not the next one, or something is missing."""
    here = ladder.known(recipe, bundle)
    if to is Rung.CHAMPION:
        raise NotAStep(f"bundle {bundle[:12]}: a champion is made by a change of champion alone")
    if here.rung not in CLIMBING or NEXT[here.rung] is not to:
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: {to} is not the next rung")
    other = ladder.climber(recipe)
    if other is not None and other.bundle != bundle:
        raise NotAStep(f"bundle {bundle[:12]}: {other.bundle[:12]} is climbing for recipe {recipe}")
    if lacking := missing(ladder, here, needs, at):
        raise NotAStep(f"bundle {bundle[:12]} stays at {here.rung}: {lacking}")
    return ladder.moved(here, to, at, "", figures)


def begin_swap(ladder: Ladder, recipe: str, bundle: str, needs: Needs, at: float) -> Ladder:
    """Begin to make a canary the champion. NotAStep: it is none, or something is missing."""
    here = ladder.known(recipe, bundle)
    old = ladder.champion(recipe)
    if here.rung is not Rung.CANARY or old is None:
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: only a canary becomes champion")
    if ladder.swap(recipe) is not None:
        raise NotAStep(f"recipe {recipe}: a change of champion is under way")
    if lacking := missing(ladder, here, needs, at):
        raise NotAStep(f"bundle {bundle[:12]} stays at {here.rung}: {lacking}")
    return ladder.swapping(recipe, Swap(recipe, bundle, old.bundle, up=True))


def end_swap(ladder: Ladder, recipe: str, at: float, figures: Told = None) -> Ladder:
    """The line goes by it. NotAStep: none was begun."""
    swap = ladder.swap(recipe)
    if swap is None:
        raise NotAStep(f"recipe {recipe}: no change of champion is under way")
    made = ladder.swapping(recipe, None)
    if not swap.up:  # its entries changed when it was begun
        return made
    made = made.moved(made.known(recipe, swap.back), Rung.RETIRED, at, f"bundle {swap.to[:12]} took over")
    made = made.moved(made.known(recipe, swap.to), Rung.CHAMPION, at, "", figures)
    return replace(made, last_good={**made.last_good, recipe: swap.back})


def drop_swap(ladder: Ladder, recipe: str) -> Ladder:
    """The line did not take the new champion, or did not answer: it stays a canary, and the way back is walked."""
    swap = ladder.swap(recipe)
    if swap is None or not swap.up:
        raise NotAStep(f"recipe {recipe}: no change to a new champion is under way")
    return ladder.swapping(recipe, Swap(recipe, swap.back, swap.to, up=False))


def refuse(ladder: Ladder, recipe: str, bundle: str, reason: str, at: float, figures: Told = None) -> Ladder:
    """It may not run here. Locked until a person unlocks it. Of the champion: with the way back."""
    here = ladder.known(recipe, bundle)
    if here.rung not in (*CLIMBING, Rung.CHAMPION):
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: it cannot be refused")
    return _taken_out(ladder, here, Rung.REFUSED, reason, at, figures)


def roll_back(ladder: Ladder, recipe: str, bundle: str, reason: str, at: float, figures: Told = None) -> Ladder:
    """Take it off the line. Locked until a person unlocks it. Of the champion: with the way back."""
    here = ladder.known(recipe, bundle)
    if here.rung not in (*ON_THE_LINE, Rung.CHAMPION):
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: it is not on the line")
    return _taken_out(ladder, here, Rung.ROLLED_BACK, reason, at, figures)


def stand_back(
    ladder: Ladder, recipe: str, bundle: str, reason: str, at: float, *, hold: bool = False, figures: Told = None
) -> Ladder:
    """Back to the beginning, unlocked. hold: until a person has looked."""
    here = ladder.known(recipe, bundle)
    if here.rung not in CLIMBING:
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: it is not climbing")
    fresh = replace(here, held=hold, waived="", seen="")
    return _way_up_left(ladder, here).moved(fresh, Rung.OFFERED, at, reason, figures)


def hold(ladder: Ladder, recipe: str, bundle: str, reason: str, at: float, figures: Told = None) -> Ladder:
    """It stays where it is, and goes no further until a person has looked."""
    here = ladder.known(recipe, bundle)
    if here.rung not in CLIMBING:
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: it is not climbing")
    held = replace(here, held=True, reason=reason)
    return _way_up_left(ladder, here).put(held).noted(at, held, str(here.rung), reason, figures)


def unlock(ladder: Ladder, recipe: str, bundle: str, who: str, reason: str, at: float) -> Ladder:
    """It may climb again: from where it is held, or from the beginning. NotAStep: it is not locked."""
    here = ladder.known(recipe, bundle)
    if not (here.locked or here.held):
        raise NotAStep(f"bundle {bundle[:12]} is not locked")
    if not reason.strip():
        raise NotAStep("expected a reason")
    if not here.locked and here.rung in ON_THE_LINE:
        freed = replace(here, held=False, reason=reason)
        return ladder.put(freed).noted(at, freed, str(here.rung), reason, who=who)
    fresh = replace(here, locked=False, held=False, waived="", seen="")
    return ladder.moved(fresh, Rung.OFFERED, at, reason, None, who)


def waive(ladder: Ladder, recipe: str, bundle: str, who: str, reason: str, at: float) -> Ladder:
    """Let a bundle taught here leave the shadow before its parts are full. NotAStep: it is none, or no reason."""
    here = ladder.known(recipe, bundle)
    if not here.local:
        raise NotAStep(f"bundle {bundle[:12]} was not taught on this box: its shadow cannot be waived")
    if here.rung not in (*BEFORE_THE_LINE, Rung.SHADOW):
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: there is no shadow before it")
    if not reason.strip():
        raise NotAStep("expected a reason")
    waived = replace(here, waived=reason.strip())
    return ladder.put(waived).noted(at, waived, str(here.rung), f"shadow waived: {waived.waived}", who=who)


def look(ladder: Ladder, recipe: str, bundle: str, who: str, at: float) -> Ladder:
    """A person has looked at the disagreements of a bundle in the shadow."""
    here = ladder.known(recipe, bundle)
    if here.rung is not Rung.SHADOW:
        raise NotAStep(f"bundle {bundle[:12]} stands at {here.rung}: it is not in the shadow")
    seen = replace(here, seen=who)
    return ladder.put(seen).noted(at, seen, str(here.rung), "its disagreements were looked at", who=who)


def stop(ladder: Ladder, reason: str) -> Ladder:
    """The red button of this box; an empty reason lets it go on."""
    return replace(ladder, stopped=reason)


def count(ladder: Ladder, recipe: str, bundle: str, parts: int, ng: int) -> Ladder:
    """More parts were seen on the rung it stands on."""
    here = ladder.known(recipe, bundle)
    return ladder.put(replace(here, parts=here.parts + parts, ng=here.ng + ng))


def _way_up_left(ladder: Ladder, here: Entry) -> Ladder:
    """A way up that was begun and not ended may have reached the line: the way back is walked all the same."""
    swap = ladder.swap(here.recipe)
    if swap is None or not swap.up or swap.to != here.bundle:
        return ladder
    return drop_swap(ladder, here.recipe)


def _taken_out(ladder: Ladder, here: Entry, to: Rung, reason: str, at: float, figures: Told) -> Ladder:
    made = _way_up_left(ladder, here)
    back = ""
    if here.rung is Rung.CHAMPION:
        back = made.way_back(here.recipe)
        if not back:
            raise NotAStep(f"recipe {here.recipe}: there is no bundle to go back to from {here.bundle[:12]}")
        climbing = made.climber(here.recipe)
        if climbing is not None:
            # Whatever was compared with the one that goes says nothing beside the one that comes back.
            made = stand_back(made, here.recipe, climbing.bundle, f"the champion {here.bundle[:12]} went back", at)
    made = made.moved(replace(here, locked=True, held=False, waived="", seen=""), to, at, reason, figures)
    if not back:
        return made
    made = made.moved(made.known(here.recipe, back), Rung.CHAMPION, at, f"taken back to: {reason}")
    made = replace(made, last_good={**made.last_good, here.recipe: back})
    return made.swapping(here.recipe, Swap(here.recipe, back, here.bundle, up=False))
