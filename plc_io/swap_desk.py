"""What sync asks of io for a model that takes another one's place: looked at here, done by the station."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..bus.asks import Ask, Handler
from ..bus.clock import now_ns
from ..bus.errors import Refused
from ..bus.messages import Job
from .belt_station import BeltStation
from .job_desk import JobDesk, Place
from .station import Station

_DIGITS = frozenset("0123456789abcdef")
_MOST = 4000


@dataclass(frozen=True, slots=True)
class AtHand:
    """What inspect could judge by from one part to the next."""

    models: tuple[str, ...]
    why_not: str
    """Why it is not known, for people; empty: it is."""


def swap_handler(
    station: Station | BeltStation,
    desk: JobDesk,
    at_hand: Callable[[Job, int], AtHand],
    told: Callable[[int, bool], None],
) -> Handler:
    """Answer `model.swap`: {"job", "recipe", "from_model", "to_model", "folder"}.

    recipe: its revision. from_model, to_model: `Job.model` before and after. folder: where the new bundle lies. Where
    the job has several bundles, also "replaces" and "bundle", the digests of the old one and the new one. "wait": true
    where the model that judges must not go on: inspect need not be ready, READY is off until it is.
    at_hand: what inspect has ready for a job, now. told: the order goes out before the asker has its answer; whether
    inspect is ready.
    """

    def swap(ask: Ask) -> dict[str, Any]:
        number = ask.body.get("job")
        if isinstance(number, bool) or not isinstance(number, int):
            raise Refused(f"model.swap: job = {number!r}: expected a number")
        old, new = _digest(ask, "from_model", ""), _digest(ask, "to_model", "")
        place = Place(_digest(ask, "replaces", old), _digest(ask, "bundle", new), _text(ask, "folder"))
        revision, at = _text(ask, "recipe"), now_ns()
        job, ready, wait = station.job, True, ask.body.get("wait", False)
        if not isinstance(wait, bool):
            raise Refused(f"model.swap: wait = {str(wait)[:80]!r}: expected true or false")
        if number != station.job_number:
            raise Refused(f"model.swap: job {number}: expected {station.job_number}, which is active")
        if job.model != new:
            desk.check_swap(number, job, place)
            found = at_hand(job, at)
            ready = new in found.models
            if not ready and not wait:
                has = ", ".join(f"{each[:12]}" for each in found.models) or "nothing"
                why = found.why_not or f"it has {has} at hand for this job"
                raise Refused(f"model.swap: inspect is not ready with model {new[:12]}: {why}")
        refusal = station.swap_model(revision, old, new, at)
        if refusal:
            raise Refused(f"model.swap: {refusal}")
        if station.job is not job:
            desk.swapped(number, job, station.job, place)
            told(at, ready)
        return {"since_ns": station.jobs.swaps.since_ns, "from_model": old, "to_model": new}

    return swap


def _text(ask: Ask, name: str) -> str:
    value = ask.body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _MOST:
        raise Refused(f"{ask.name}: {name} = {str(value)[:80]!r}: expected text")
    return value


def _digest(ask: Ask, name: str, default: str) -> str:
    value = ask.body.get(name, default)
    if not isinstance(value, str) or len(value) != 64 or not _DIGITS.issuperset(value):
        raise Refused(f"{ask.name}: {name} = {str(value)[:80]!r}: expected a digest of 64 hex digits")
    return value
