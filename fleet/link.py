"""The way to the service that the threads of sync share: wires by the certificate in place, made anew with it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from ..bus.clock_floor import believed_now
from ..bus.errors import StoreLost
from ..identity.wire_home import Passport, WireHome
from .fleet_options import FleetOptions
from .stores import BadObject
from .wire import Wire


class NotEnrolled(StoreLost):
    """The box has no certificate, or one that has ended: there is nobody to speak as."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who the box is now."""

    passport: Passport
    wire: Wire


class Link:
    """Each thread has a wire of its own. `known` and `fetch` from any thread."""

    def __init__(self, options: FleetOptions, home: WireHome) -> None:
        self.options, self.home = options, home
        self._own = threading.local()

    def known(self) -> Known:
        """This thread's wire, by the certificate that is in place. NotEnrolled, BadSettings, BadKey."""
        try:
            seen = self.home.identity.stat()
            mark = (seen.st_ino, seen.st_mtime_ns)
        except FileNotFoundError:
            raise NotEnrolled("this box is not enrolled") from None
        except OSError as error:
            raise StoreLost(f"{self.home.identity}: {error.strerror or error}") from error
        held: tuple[tuple[int, int], Known] | None = getattr(self._own, "held", None)
        if held is None or held[0] != mark:
            self.drop()
            held = mark, self._made()
            self._own.held = held
        if held[1].passport.has_ended(believed_now()):
            raise NotEnrolled("this box's certificate has ended: it has to be enrolled again")
        return held[1]

    def drop(self) -> None:
        """Let this thread's connections go."""
        held: tuple[tuple[int, int], Known] | None = getattr(self._own, "held", None)
        if held is not None:
            held[1].wire.close()
            self._own.held = None

    def fetch(self, path: str, start: int) -> Iterator[bytes]:
        """Yield a file of the service, `channel/…` or `bundles/…`, from byte `start` on.

        BadObject: it is not there. StoreLost: cut off, or the box is not enrolled.
        """
        wire = self.known().wire
        try:
            yield from wire.read(f"/v1/{path}", start)
        except FileNotFoundError as error:
            raise BadObject(f"{path}: is not there") from error

    def _made(self) -> Known:
        options = self.options
        try:
            passport = self.home.passport()
        except OSError as error:
            raise StoreLost(f"{self.home.identity}: {error.strerror or error}") from error
        if passport is None:
            raise NotEnrolled("this box is not enrolled")
        wire = Wire(options.service, options.ca, self.home.identity, options.timeout_s, key=self.home.key)
        return Known(passport, wire)
