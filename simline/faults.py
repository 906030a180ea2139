"""What a bad cable can do to one message, and how often it does."""

import json
from dataclasses import dataclass, fields
from enum import StrEnum


class Fault(StrEnum):
    """What a message can meet; each is a field of `Faults` with its probability."""

    DELAY = "delay"
    """It and all behind it come some ms later."""
    STALL = "stall"
    """The direction stands still, long enough for time-outs."""
    SLICE = "slice"
    """It arrives in pieces."""
    RESET = "reset"
    """Both connections end by a reset; the message is lost."""
    HALF_CLOSE = "half_close"
    """Its receiver sees the end of the stream, its sender sees nothing; the other direction goes on."""
    ORPHAN = "orphan"
    """The client sees the end, the server goes on with a connection that is dead: a cable that was pulled."""
    SWALLOW = "swallow"
    """The message is lost without a word, and so is all that follows in its direction."""
    HEADER = "header"
    """One of the first six bytes is another: where Modbus TCP has transaction, protocol and length."""
    SPOT = "spot"
    """One of the bytes named in `spots` is another."""
    ANYWHERE = "anywhere"
    """One byte is another."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How often, as a probability for each message, and how much."""

    seed: int = 0
    delay: float = 0.0
    stall: float = 0.0
    slice: float = 0.0
    reset: float = 0.0
    half_close: float = 0.0
    orphan: float = 0.0
    swallow: float = 0.0
    header: float = 0.0
    spot: float = 0.0
    anywhere: float = 0.0
    delay_ms: tuple[float, float] = (1.0, 5.0)
    stall_ms: tuple[float, float] = (100.0, 600.0)
    orphan_ms: float = 1500.0
    """How long the server is left with a dead connection."""
    spots: tuple[tuple[int, int], ...] = ()
    """(length, offset) of bytes in messages of that length from the server to the client."""

    def __post_init__(self) -> None:
        """Check the probabilities."""
        total = sum(self.of(fault) for fault in Fault)
        if min(self.of(fault) for fault in Fault) < 0 or total > 1:
            raise ValueError(f"faults: probabilities from 0 with a sum up to 1 expected, found a sum of {total}")

    def of(self, fault: Fault) -> float:
        """Probability of one."""
        return float(getattr(self, fault.value))


def read_faults(text: str) -> Faults:
    """Make faults from JSON. ValueError: unknown key, or no JSON."""
    values = json.loads(text)
    unknown = set(values) - {field.name for field in fields(Faults)}
    if unknown:
        raise ValueError(f"faults: unknown {', '.join(sorted(unknown))}")
    for name in ("delay_ms", "stall_ms"):
        if name in values:
            values[name] = tuple(values[name])
    values["spots"] = tuple((int(length), int(offset)) for length, offset in values.get("spots", ()))
    return Faults(**values)
