"""Overall equipment effectiveness: availability x performance x quality (ISO 22400-2), each with what it is made of.

What is not known is None and is said so; a product with an unknown factor is none.
"""

from dataclasses import dataclass

from ..records.figures_read import Sums
from .downtime import Uptime


@dataclass(frozen=True, slots=True)
class Oee:
    """The factors, 0..1."""

    span_min: int
    active_min: int
    """Minutes in which at least one part came. A line slower than a part a minute reads as standing still."""
    production: int
    ok: int
    ideal_per_min: float
    """Of the settings; 0: not set."""
    uptime: Uptime | None = None
    """When the line was ready; None: nobody noted it, and availability is told from minutes with parts."""

    @property
    def availability(self) -> float | None:
        """Share of the known time in which the line was ready, else of all time in which parts came."""
        if self.uptime is not None:
            return self.uptime.availability
        return min(1.0, self.active_min / self.span_min) if self.span_min > 0 else None

    @property
    def rate_per_min(self) -> float | None:
        """Parts a minute of the time that counts as available."""
        minutes = self.active_min if self.uptime is None else self.uptime.ready_min
        return self.production / minutes if minutes > 0 else None

    @property
    def performance(self) -> float | None:
        """That rate as a share of the ideal one; None: no ideal rate is set. Above 1: it is set too low."""
        rate = self.rate_per_min
        return rate / self.ideal_per_min if self.ideal_per_min > 0 and rate is not None else None

    @property
    def quality(self) -> float | None:
        """Share of production that passed."""
        return self.ok / self.production if self.production else None

    @property
    def oee(self) -> float | None:
        """The product of the three."""
        a, p, q = self.availability, self.performance, self.quality
        return None if a is None or p is None or q is None else a * p * q


def oee_of(sums: Sums, span_min: int, active_min: int, ideal_per_min: float, uptime: Uptime | None = None) -> Oee:
    """The factors of a span. uptime: one of which nothing is known counts as none."""
    known = uptime if uptime is not None and uptime.known_min > 0 else None
    return Oee(span_min, active_min, sums.production, sums.ok, ideal_per_min, known)
