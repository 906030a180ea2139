"""Counters that balance at every moment: triggers = ok + ng + unjudged + challenge + bypass + in flight."""

from dataclasses import dataclass, fields
from operator import attrgetter, sub

from ..bus.messages import Counters
from ..bus.part import Why


@dataclass(slots=True)
class Sums:
    """What is added up. `unjudged` holds the late and the missed ones."""

    triggers: int = 0
    ok: int = 0
    ng: int = 0
    unjudged: int = 0
    late: int = 0
    missed: int = 0
    confirmed: int = 0
    unconfirmed: int = 0
    challenge: int = 0
    bypass: int = 0


_values = attrgetter(*(field.name for field in fields(Sums)))


class Tally:
    """The sums of one run of io, and what the PLC sees of them since its last COUNTER_RESET."""

    def __init__(self) -> None:
        self._all = Sums()
        self._base = Sums()
        self.stale = 0
        """Verdicts that were late, foreign or of a part that was not open."""
        self.consecutive_ng = 0

    def trigger(self, *, missed: bool) -> None:
        """A rising edge. A missed one is closed by `decide` and `receipt` like any other."""
        self._all.triggers += 1
        self._all.missed += missed

    def decide(self, why: Why) -> None:
        """A disposition was frozen."""
        if why is Why.OK:
            self._all.ok += 1
            self.consecutive_ng = 0
        elif why is Why.NG:
            self._all.ng += 1
            self.consecutive_ng += 1
        elif why is Why.CHALLENGE:
            self._all.challenge += 1
        elif why is Why.BYPASS:
            self._all.bypass += 1
        else:
            self._all.unjudged += 1
            self._all.late += why is Why.LATE

    def receipt(self, *, confirmed: bool) -> None:
        """A reject was acknowledged, or never will be."""
        if confirmed:
            self._all.confirmed += 1
        else:
            self._all.unconfirmed += 1

    def reset(self) -> None:
        """Begin the PLC's counters anew; parts in flight stay in them."""
        at = {f.name: getattr(self._all, f.name) for f in fields(Sums)}
        at["triggers"] -= self.in_flight
        self._base = Sums(**at)

    @property
    def in_flight(self) -> int:
        """Triggers without a disposition yet."""
        a = self._all
        return a.triggers - a.ok - a.ng - a.unjudged - a.challenge - a.bypass

    def shown(self) -> Sums:
        """What the register map counts, which knows OK, NG and UNJUDGED only.

        Test parts are NG there and those of a bypass UNJUDGED: it is what the PLC was told, so its own sums add up.
        """
        sums = Sums(*map(sub, _values(self._all), _values(self._base)))
        sums.ng += sums.challenge
        sums.unjudged += sums.bypass
        return sums

    def counters(self) -> Counters:
        """The totals of this run of io."""
        a = self._all
        return Counters(
            triggers=a.triggers,
            ok=a.ok,
            ng=a.ng,
            unjudged=a.unjudged,
            late=a.late,
            missed=a.missed,
            in_flight=self.in_flight,
            ordered=a.ng + a.unjudged + a.challenge + a.bypass,
            confirmed=a.confirmed,
            unconfirmed=a.unconfirmed,
            stale_verdicts=self.stale,
            consecutive_ng=self.consecutive_ng,
            challenge=a.challenge,
            bypass=a.bypass,
        )
