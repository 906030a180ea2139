"""When the lamp must flash: from the brightness seen at each delay to the delay that is safe."""

from collections.abc import Sequence
from dataclasses import dataclass

_LEVEL = 0.95
"""Share of the lamp's light that counts as all of it."""
_DARK = 6.0
"""Grey levels that the lamp must add over the darkest delay to be there at all."""


@dataclass(frozen=True, slots=True)
class StrobeScan:
    """What a scan told."""

    delay_us: float
    """Middle of the plateau: the delay to set."""
    plateau_us: tuple[float, float]
    """First and last delay at which the picture is as bright as it gets."""
    found: bool
    words: str
    """What was seen and what to do."""


def best_delay(measured: Sequence[tuple[float, float]]) -> StrobeScan:
    """Return the delay from (delay_us, mean grey level) of a scan, delays ascending, 3 or more (ValueError).

    The middle of the widest run of delays within 5 % of the brightest is farthest from both edges, so that jitter of
    trigger and lamp changes the picture least.
    """
    if len(measured) < 3:
        raise ValueError(f"{len(measured)} delays: expected 3 or more")
    delays = [delay for delay, _ in measured]
    if delays != sorted(set(delays)):
        raise ValueError("delays: expected them ascending, each once")
    levels = [level for _, level in measured]
    darkest, brightest = min(levels), max(levels)
    if brightest - darkest < _DARK:
        words = (
            f"the picture is as bright at every delay ({darkest:.0f}..{brightest:.0f}): the lamp does not follow the "
            "strobe output, or is always on; look at its cable and its controller's mode"
        )
        return StrobeScan(delays[0], (delays[0], delays[-1]), False, words)
    limit = darkest + _LEVEL * (brightest - darkest)
    first, last = _widest([level >= limit for level in levels])
    low, high = delays[first], delays[last]
    if first == last:
        words = (
            f"only the delay of {low:g} us is bright: the flash is shorter than a step of the scan, or than the "
            "exposure; scan in finer steps or let it burn longer"
        )
    elif first == 0 or last == len(levels) - 1:
        side = "begins before" if first == 0 else "goes on after"
        words = f"the plateau {side} the scan ({low:g}..{high:g} us): scan farther to that side"
    else:
        words = f"bright from {low:g} to {high:g} us"
    return StrobeScan((low + high) / 2, (low, high), True, words)


def _widest(bright: Sequence[bool]) -> tuple[int, int]:
    """First and last index of the longest run of True. One at least is True."""
    best, begun = (0, -1), None
    for at, each in enumerate([*bright, False]):
        if each and begun is None:
            begun = at
        elif not each and begun is not None:
            if at - 1 - begun > best[1] - best[0]:
                best = begun, at - 1
            begun = None
    return best
