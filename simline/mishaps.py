"""What a simulated camera can be made to do wrong, and where in its scene file that is planned.

Each kind has one entry of 32 bytes in the head of the scene file, in the order of `Mishap`:

    0 u32 times     how often it is still to happen; FOREVER: until it is taken back
    4 u32 wait      at which occasion from now it happens next, 1 is the next one
    8 u32 every     then at each so many occasions again
    12 u32 done     how often it has happened since it was planned
    16 i64 value    how much of it
"""

import struct
from collections.abc import Iterator
from enum import StrEnum

PLANS_AT, ENTRY_BYTES = 256, 32
FOREVER = 2**32 - 1
_ENTRY = struct.Struct("<IIIIq8x")


class Mishap(StrEnum):
    """What can go wrong. The occasion is a frame, counted at its exposure, unless the text says another one."""

    DROP = "drop"
    """The frame is lost on the wire: its number is skipped."""
    INCOMPLETE = "incomplete"
    """Half of its bytes are missing."""
    FREEZE = "freeze"
    """A new number and stamp, the pixels of the frame before."""
    REPEAT = "repeat"
    """The frame before once more: number, stamp and pixels."""
    LATE = "late"
    """It comes late by value us; the camera takes no trigger meanwhile."""
    HELD = "held"
    """It stays in the camera for value us, which takes triggers meanwhile; the frames after it wait behind it."""
    WRONG_SIZE = "wrong_size"
    """Half as many lines as were asked for."""
    WRONG_FORMAT = "wrong_format"
    """Mono8 instead of what was asked for, BayerRG8 instead of Mono8."""
    BLACK = "black"
    """No light."""
    BRIGHT = "bright"
    """value times as much light."""
    BURST = "burst"
    """value further frames follow that nobody asked for."""
    CLOCK_JUMP = "clock_jump"
    """From this frame on the device's clock is value ns ahead of where it was."""
    UNPLUG = "unplug"
    """The cable is pulled during this exposure; it stays so until `Scene.fault("unplug", 0)`."""
    CRASH = "crash"
    """The camera maker's library ends the process when it should deliver this frame."""
    SLOW = "slow"
    """Occasion: an access to a register. It takes value ms longer."""
    HANG_REGISTER = "hang_register"
    """Occasion: an access to a register. The call never returns."""
    HANG_DELIVERY = "hang_delivery"
    """Occasion: a frame that is fetched. The call never returns."""


KINDS = tuple(Mishap)
DEFAULTS = {
    Mishap.LATE: 100_000,
    Mishap.HELD: 100_000,
    Mishap.BRIGHT: 8,
    Mishap.BURST: 5,
    Mishap.CLOCK_JUMP: 10**12,
    Mishap.SLOW: 50,
}
"""What value is where none is given; 1 for the others."""


def offset_of(kind: Mishap) -> int:
    """Return where its entry begins in the scene file."""
    return PLANS_AT + ENTRY_BYTES * KINDS.index(kind)


def packed(at: int, times: int, every: int, value: int) -> bytes:
    """Return an entry's bytes. ValueError: at or every below 1, times outside 0..FOREVER, a value of over 63 bits."""
    if not 1 <= at < 2**32 or not 1 <= every < 2**32 or not 0 <= times <= FOREVER:
        raise ValueError(f"at = {at}, times = {times}, every = {every}: expected at and every from 1, times from 0")
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"value = {value}: expected -2**63..2**63-1")
    return _ENTRY.pack(times, at, every, 0, value)


def c_lines() -> Iterator[str]:
    """The kinds as a C enumeration, for `genapi.h`."""
    names = ", ".join(f"MISHAP_{kind.name}" for kind in KINDS)
    yield f"enum mishap {{ {names}, MISHAP_KINDS }};"
    yield f"#define PLANS_AT {PLANS_AT}u"
    yield f"#define FOREVER {FOREVER}u"
