"""How a box is let into the fleet, and how it stays: it asks, a person at the service types the code on its screen.

    none ──ask──► waiting ──approved──► enrolled ──2/3 of its life──► renewed with the old certificate
                     └──refused, expired──► none

The key is made here and never leaves. What is under way is in a file, so a restart in between changes nothing; the code
is good for one use and some minutes, and only for the key whose fingerprint is shown beside it.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from ..bus.clock import SECOND, boot_id, now_ns, utc_text
from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey, Lost, OkngError, Refused, StoreLost
from ..bus.outside import parsed_json
from ..identity.secret_file import read_secret, remove, write_secret
from ..identity.wire_home import Passport, WireHome
from .fleet_options import FleetOptions
from .pace import BackOff
from .wire import Answer, Busy, Wire

log = logging.getLogger(__name__)
FILE = "enrolment.json"
POLL_S = 3.0
LIFE_S = 900.0
"""Of a code whose end the service does not tell."""
RENEW_EVERY_S = 3600.0
LONGEST_POLL_S = 30.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What is under way, as the file holds it."""

    ask: str
    code: str
    fingerprint: str
    until_ns: int
    """CLOCK_MONOTONIC of this boot."""
    boot: str
    answer: str = ""
    """Empty: none yet; `refused`, `expired`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How the enrolment stands, for the screen."""

    state: str
    """none, asking, waiting, refused, expired, enrolled, ended, doubtful (the certificate does not read)."""
    code: str = ""
    """To be typed at the service; empty: there is none."""
    left_s: int = 0
    """Seconds that the code is good for."""
    fingerprint: str = ""
    """Of the box's key, 64 hex digits."""
    box: str = ""
    """Id that the service gave it."""
    ends: str = ""
    """UTC of the certificate's end."""
    renews: str = ""
    """UTC from when on it is renewed."""
    trouble: str = ""
    """Why it does not go on by itself; empty: it does."""


WireOf = Callable[[bool], Wire]
"""Makes a wire to the service. True: with the box's certificate."""


def wires(options: FleetOptions, home: WireHome) -> WireOf:
    """Wires of a box."""

    def make(known: bool) -> Wire:
        identity = home.identity if known else None
        return Wire(options.service, options.ca, identity, options.timeout_s, key=home.key if known else None)

    return make


class Enrolment:
    """Asks, waits, renews. One thread; `shown` may be read from any."""

    def __init__(self, home: WireHome, wire_of: WireOf, name: str, line: str) -> None:
        """name, line: what the box calls itself; the person at the service sees both."""
        self._home, self._wire_of, self._name, self._line = home, wire_of, name, line
        self._back_off = BackOff()
        self._trouble = ""
        self._renewed_s = float("-inf")
        self.shown = self._look()

    # -- what a person wants -----------------------------------------------------------------------------------------

    def begin(self) -> Shown:
        """Ask to be let in; return the code. StoreLost, Busy, NotTrusted, BadSettings, BadKey."""
        csr, fingerprint = self._made_request()
        with self._wire_of(False) as wire:
            said = {"csr": csr, "name": self._name, "line": self._line}
            answer = wire.ask_json("POST", "/v1/enrol/ask", said)
            if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
                raise Refused(f"the service does not take the request: {answer.status} {_words(answer)}")
            told = answer.json()
            left_s = _left_s(told.get("expires_at"), wire.service_time)
        ask, code = told.get("ask"), told.get("code")
        if not isinstance(ask, str) or not isinstance(code, str) or not ask.isascii() or "/" in ask:
            raise StoreLost("the service answered without a code")
        self._keep(Asked(ask, code, fingerprint, now_ns() + int(left_s * SECOND), boot_id()))
        self._trouble = ""
        log.info("asked %s to be let in; key %s", "the fleet service", fingerprint)
        self.shown = self._look()
        return self.shown

    def cancel(self) -> Shown:
        """Nobody waits any more; the key that asked is thrown away. BadKey, StoreLost."""
        try:
            remove(self._home.folder, FILE)
            self._home.forget_request()
        except OSError as error:
            raise StoreLost(f"{self._home.folder}: {error.strerror or error}") from error
        self._trouble = ""
        self.shown = self._look()
        return self.shown

    def say(self, trouble: str) -> None:
        """Why what a person wanted did not come about."""
        self._trouble = trouble
        self.shown = self._look()

    # -- what goes on by itself --------------------------------------------------------------------------------------

    def step(self) -> float:
        """Ask whether somebody has approved, or renew what is due; return seconds to wait. Never raises."""
        now_s = time.monotonic()
        if (waits := self._back_off.wait_s(now_s)) > 0:
            self.shown = self._look()
            return min(waits, POLL_S)
        try:
            waits = self._next(now_s)
            if self._back_off.tries:
                self._trouble = ""
            self._back_off.worked()
        except (OkngError, OSError) as error:
            waits = min(self._back_off.failed(now_s, error.after_s if isinstance(error, Busy) else 0), LONGEST_POLL_S)
            if str(error) != self._trouble:
                log.log(logging.WARNING if isinstance(error, Lost) else logging.ERROR, "enrolment: %s", error)
            self._trouble = str(error)
        self.shown = self._look()
        return waits

    def _next(self, now_s: float) -> float:
        asked = self._asked()
        if asked is not None and not asked.answer:
            self._poll(asked)
            return POLL_S
        passport = self._home.passport()
        if passport is None or passport.has_ended(believed_now()):
            return POLL_S
        if passport.is_due(believed_now()) and now_s - self._renewed_s >= RENEW_EVERY_S:
            self.renew()
            self._renewed_s = now_s
        return POLL_S

    def renew(self) -> Passport | None:
        """Another certificate, asked for with the one in place; None: the service says that it is too early.

        StoreLost, Busy, Unwelcome, BadKey, NotTrusted.
        """
        csr, _ = self._made_request()
        with self._wire_of(True) as wire:
            answer = wire.ask_json("POST", "/v1/renew", {"csr": csr})
        if answer.status == HTTPStatus.CONFLICT:
            return None
        if answer.status != HTTPStatus.OK:
            raise Refused(f"the service does not renew the certificate: {answer.status} {_words(answer)}")
        found = self._install(answer)
        log.info("the certificate is renewed: it ends %s", utc_text(found.ends))
        self.shown = self._look()
        return found

    def _poll(self, asked: Asked) -> None:
        with self._wire_of(False) as wire:
            answer = wire.ask("GET", f"/v1/enrol/{asked.ask}")
        if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            self._keep(replace(asked, code="", answer="expired"))
            return
        if answer.status != HTTPStatus.OK:
            raise StoreLost(f"/v1/enrol: the service answered {answer.status} {_words(answer)}")
        state = answer.json().get("state")
        if state == "approved":
            found = self._install(answer)
            self._forget_ask()
            log.info("this box is let in as %s until %s", found.box, utc_text(found.ends))
        elif state in ("refused", "expired"):
            self._keep(replace(asked, code="", answer=str(state)))
            self._home.forget_request()
        elif state != "waiting":
            raise StoreLost(f"/v1/enrol: the service says {state!r}: expected waiting, approved, refused or expired")

    def _install(self, answer: Answer) -> Passport:
        chain = answer.json().get("certificate")
        if not isinstance(chain, str):
            raise StoreLost("the service answered without a certificate")
        try:
            return self._home.install(chain)
        except OSError as error:
            raise StoreLost(f"{self._home.folder}: {error.strerror or error}") from error

    def _made_request(self) -> tuple[str, str]:
        try:
            return self._home.ask(self._name)
        except OSError as error:
            raise StoreLost(f"{self._home.folder}: {error.strerror or error}") from error

    # -- what is under way -------------------------------------------------------------------------------------------

    def _asked(self) -> Asked | None:
        try:
            return Asked(**parsed_json(read_secret(self._home.folder / FILE)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, BadKey) as error:
            log.warning("%s does not read (%s): nothing is under way", self._home.folder / FILE, error)
            return None

    def _keep(self, asked: Asked) -> None:
        try:
            write_secret(self._home.folder, FILE, json.dumps(asdict(asked)).encode())
        except OSError as error:
            raise StoreLost(f"{self._home.folder}: {error.strerror or error}") from error

    def _forget_ask(self) -> None:
        try:
            remove(self._home.folder, FILE)
        except OSError as error:
            raise StoreLost(f"{self._home.folder}: {error.strerror or error}") from error

    def _look(self) -> Shown:
        asked = self._asked()
        try:
            passport = self._home.passport()
        except (OSError, BadKey) as error:
            return Shown("doubtful", trouble=str(error))
        base = Shown("none", trouble=self._trouble)
        if passport is not None:
            now = datetime.now(UTC)
            ended = passport.has_ended(believed_now())
            trouble = self._trouble
            if passport.begins_later(now):
                trouble = (
                    f"the certificate begins {utc_text(passport.begins)} and this box's clock says {utc_text(now)}:"
                    " the clock is wrong"
                )
            base = Shown(
                "ended" if ended else "enrolled",
                *("", 0, "", passport.box, utc_text(passport.ends), utc_text(passport.renew_at), trouble),
            )
        if asked is None:
            return base
        if asked.answer:
            return base if passport is not None else replace(base, state=asked.answer, fingerprint=asked.fingerprint)
        left_s = (asked.until_ns - now_ns()) // SECOND if asked.boot == boot_id() else 0
        return replace(
            base, state="waiting", code=asked.code, left_s=max(0, int(left_s)), fingerprint=asked.fingerprint
        )


def _left_s(expires_at: object, service_time: datetime | None) -> float:
    """How long the code is good for, by the service's own clock: the box's may be wrong."""
    try:
        ends = datetime.fromisoformat(str(expires_at))
        now = service_time or datetime.now(UTC)
        return min(LIFE_S, max(0.0, (ends - now).total_seconds()))
    except (ValueError, TypeError):
        return LIFE_S


def _words(answer: Answer) -> str:
    try:
        return str(answer.json().get("detail") or answer.json().get("error") or "")[:300]
    except StoreLost:
        return answer.body[:200].decode("utf-8", "replace")


def home_of(options: FleetOptions, state: Path) -> WireHome:
    """Where the box's certificate lies. state: the folder of sync beside the store."""
    return WireHome(state / "fleet", options.key)
