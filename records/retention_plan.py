"""What retention has to do next, pure: which class gives, why, how much, and when a class will have to.

Order: what is older than its days; what is above its quota; then, from the high-water mark of the disk down to the low
one, passed parts, uncertain ones, rejects, test parts. Pictures that a person spoke of go by their own rule alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .retention_options import RetentionOptions
from .schema_keep import CHALLENGE, CLASSES, OK, REJECT, UNCERTAIN

WATER_ORDER = (OK, UNCERTAIN, REJECT, CHALLENGE)
"""What a full disk takes, in this order."""
Why = Literal["age", "quota", "water", "cap"]


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is of one class."""

    pictures: int = 0
    bytes: int = 0
    """Of those that were measured."""
    unmeasured: int = 0
    free: bool = False
    """There is one at least that is owed to nobody."""


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk under the store, bytes."""

    total: int
    free: int

    @property
    def used_percent(self) -> float:
        """How full it is."""
        return 100.0 * (1 - self.free / self.total) if self.total else 0.0

    def over(self, percent: float) -> int:
        """Bytes above that mark; 0: it lies below."""
        return max(0, round(self.total * (1 - percent / 100)) - self.free)


@dataclass(frozen=True, slots=True)
class Wish:
    """Pictures of a class, the oldest first."""

    kind: str
    why: Why
    bytes: int
    """So many have to go, at least; 0: all that are older than their days."""
    owed: bool = False
    """Also those that the cloud has not taken."""


def next_wish(
    stock: Mapping[str, Stock], aged: frozenset[str], disk: Disk, options: RetentionOptions, *, draining: bool
) -> Wish | None:
    """What is to be given up next; None: nothing.

    stock: by class. aged: classes whose oldest picture that is not owed is older than its days. draining: the disk was
    above its high-water mark and has not come down to the low one yet.
    """
    for kind in CLASSES:
        if kind in aged:
            return Wish(kind, "age", 0)
    for kind in CLASSES:
        quota, held = options.quota_of(kind), stock.get(kind, Stock())
        if quota and held.bytes > quota and held.free:
            return Wish(kind, "quota", held.bytes - quota)
    if draining and (over := disk.over(options.low_percent)):
        for kind in WATER_ORDER:
            if stock.get(kind, Stock()).free:
                return Wish(kind, "water", over)
    if over := disk.over(options.hard_cap_percent):
        for kind in WATER_ORDER:
            if stock.get(kind, Stock()).pictures:
                return Wish(kind, "cap", over, owed=True)
    return None


def drains(disk: Disk, options: RetentionOptions, *, draining: bool) -> bool:
    """Whether the disk has to come down to its low-water mark, from the high one on."""
    return disk.used_percent > (options.low_percent if draining else options.high_percent)


@dataclass(frozen=True, slots=True)
class Growth:
    """What comes in, bytes a day."""

    by_class: Mapping[str, float]
    other: float = 0.0
    """The ledger itself."""

    @property
    def all(self) -> float:
        """Of everything."""
        return sum(self.by_class.values()) + self.other


def days_left(
    kind: str, stock: Mapping[str, Stock], disk: Disk, growth: Growth, options: RetentionOptions
) -> float | None:
    """In how many days pictures of a class are given up for want of room; None: never, as things go.

    By its quota, or by the disk once all that goes before it is gone. Its days are no matter here.
    """
    found: list[float] = []
    rate, held = growth.by_class.get(kind, 0.0), stock.get(kind, Stock())
    if (quota := options.quota_of(kind)) and rate > 0:
        found.append(max(0.0, (quota - held.bytes) / rate))
    if kind in WATER_ORDER and growth.all > 0:
        room = disk.total * options.high_percent / 100 - (disk.total - disk.free)
        room += sum(stock.get(one, Stock()).bytes for one in WATER_ORDER[: WATER_ORDER.index(kind)])
        found.append(max(0.0, room / growth.all))
    return min(found) if found else None


def too_soon(
    kind: str, oldest_days: float, stock: Mapping[str, Stock], disk: Disk, growth: Growth, options: RetentionOptions
) -> int | None:
    """In about how many days pictures of a class go before their time; None: not within `warn_days`.

    oldest_days: age of the oldest picture there is. By then it may have had its days anyhow: that is no surprise.
    """
    left = days_left(kind, stock, disk, growth, options)
    if left is None or not options.warn_days or left > options.warn_days or not stock.get(kind, Stock()).pictures:
        return None
    days = options.days_of(kind)
    return round(left) if not days or oldest_days + left < days else None
