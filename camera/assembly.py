"""Pictures from above to below: the frames of a line scan or a burst, grabbed one after another into one slot.

A picture is `profile.frames` frames in a row, each complete. One that is missing, incomplete, repeated or of another
size spoils the picture it belongs to, and no other: the rest of that picture is thrown away, and the next one begins
with its own first frame. Which frame is the first is told by the frame numbers, counted from one that began a picture;
skipped numbers are counted, too, so a lost frame shifts nothing. In free run any frame may be the first.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from .profiles import Profile
from .source import CameraHealth, Grab


class Grabbing(Protocol):
    """What is needed of a camera here; as FrameSource."""

    def grab(self, into: memoryview, timeout_ns: int) -> Grab | None:
        """Copy the next complete frame."""

    def health(self) -> CameraHealth:
        """Counts so far."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture, or what became of it."""

    grab: Grab | None
    """Of the whole picture: number, moment and trigger count of its first frame, `gap` in whole pictures. None: it has
    none of its own, its first frame is missing."""
    fault: str = ""
    """Why it is none: `gap`, `incomplete`, or what the check said. Empty: it lies whole in the slot."""


class Assembly:
    """Puts the pictures of one stream epoch together. One thread."""

    def __init__(
        self, source: Grabbing, profile: Profile, check: Callable[[Grab], str], *, any_number: bool = False
    ) -> None:
        """check: what is wrong with the measures of one frame; empty: nothing.

        any_number: the first frame of the epoch begins a picture whatever its number. False: where the camera is
        fired from outside, a first number above 1 means that frames before it were lost.
        """
        self._source, self._profile, self._check = source, profile, check
        self._free = profile.trigger == "off"
        self._wary = profile.trigger == "hardware" and not any_number
        self._incomplete = source.health().incomplete
        self._reason = "gap"
        """Why frames before the next one are missing."""
        self._base: int | None = None
        """Number of a frame that begins a picture; None: not known, the next frame is taken for one."""
        self._proven = False
        """True: a whole picture has come since, so pictures do begin there."""
        self._first: Grab | None = None
        self._picture = 0
        """Which picture of the epoch is under way, by the frame numbers."""
        self._have = 0
        """Frames of it that lie in the slot."""
        self._rest_of: int | None = None
        """The picture whose other frames are thrown away."""
        self._told = -1
        """The last picture that was handed out with its Grab."""
        self._waiting: deque[Taken] = deque()
        """What one frame has ended: two at most, a picture that is broken off and one that begins without its first."""
        self.lost_track = False
        """True: the frame numbers do not tell any more where a picture begins. The next `fire` or epoch will."""

    @property
    def resting(self) -> bool:
        """True while more frames of a picture that is spoiled may come: the camera would not take a trigger yet."""
        return self._rest_of is not None or (self.lost_track and not self._wary)

    def fire(self) -> None:
        """A trigger is about to be fired, and nothing that was fired before is waited for any more."""
        if self.lost_track:
            self._base = self._rest_of = None
            self.lost_track = False
        elif self._have and self._proven:
            self._rest_of, self._proven = self._picture, False
        elif self._have:
            self._base = self._rest_of = None  # what was taken for a whole picture's first frame was none
        self._have = 0

    def grab(self, into: memoryview, timeout_ns: int) -> Taken | None:
        """Take one frame. Returns the picture it ends or spoils; None: none came in time, or more belong to it.

        into: the slot, the same one until a picture is whole. timeout_ns: above 0. CameraLost.
        """
        if not self._waiting:
            size = self._profile.frame_bytes
            at = self._have * size
            with into[at : at + size] as part:
                grab = self._source.grab(part, timeout_ns)
            if grab is None:
                self._count_incomplete()
            elif grab.repeated:
                self._repeated()
            elif not self.lost_track:
                self._take(grab, into, at)
        return self._waiting.popleft() if self._waiting else None

    def _count_incomplete(self) -> None:
        seen = self._source.health().incomplete
        if seen > self._incomplete:
            self._incomplete = seen
            if self._have:
                self._have += 1
                self._end("incomplete")
            else:
                self._reason = "incomplete"

    def _repeated(self) -> None:
        """The camera has sent a frame again in place of the next: its numbers do not count the frames any more."""
        if self._have:
            self._end("repeated")
        elif not self.lost_track:
            self._waiting.append(Taken(None, "repeated"))
        self.lost_track = not self._free

    def _take(self, grab: Grab, into: memoryview, at: int) -> None:
        frames = self._profile.frames
        if self._have and self._free and grab.gap:
            self._end(self._reason)
        if self._base is None or (self._free and not self._have):
            if self._base is None and self._wary and grab.number > 1:
                self.lost_track = True
                return
            self._base = grab.number - (self._told + 1) * frames
        picture, position = divmod(grab.number - self._base, frames)
        if self._have and (picture, position) != (self._picture, self._have):
            self._end(self._reason)
        reason, self._reason = self._reason, "gap"
        if picture == self._rest_of:
            if position == frames - 1:
                self._rest_of = None
            return
        if position != self._have:
            self._rest_of = picture if position < frames - 1 else None
            self._waiting.append(Taken(None, reason))
            return
        self._lay(grab, picture, into, at)

    def _lay(self, grab: Grab, picture: int, into: memoryview, at: int) -> None:
        """The frame is the next one of its picture, and lies at that place of the slot."""
        size = self._profile.frame_bytes
        if not self._have:
            self._first, self._picture, self._rest_of = grab, picture, None
            if at:  # another picture was broken off by it
                into[:size] = into[at : at + size]
        fault = self._check(grab)
        self._have += 1
        if fault:
            self._end(fault)
        elif self._have == self._profile.frames:
            self._proven = True
            self._end("", grab.received_ns)

    def _end(self, fault: str, received_ns: int | None = None) -> None:
        """The picture under way is whole, or will never be."""
        first, told = self._first, self._told
        if first is None:
            raise RuntimeError("no picture is under way")
        whole = replace(
            first,
            height=self._profile.height,
            size_bytes=0 if fault else self._profile.size_bytes,
            received_ns=received_ns or first.received_ns,
            gap=max(self._picture - told - 1, 0),
        )
        self._waiting.append(Taken(whole, fault))
        self._rest_of = self._picture if fault and self._have < self._profile.frames else None
        self._told, self._have, self._first = self._picture, 0, None
