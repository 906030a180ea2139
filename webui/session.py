"""Who is signed in at a browser: a signed cookie that holds a name, and what this process remembers of it.

Plain Flask sessions, not flask-login: besides loading a person by its name, nothing of flask-login would be used. Its
"remember me" must not be here, its fresh logins and its session protection by user agent are no substitute for what is:
the place (panel or elsewhere), the last touch on the monotonic clock, and the person's generation in the ledger.

A cookie alone is never enough to stay signed in: `sign out` ends it here, and a later touch known here overrules the
one in an older copy of it. A reboot ends all of them; a restart of the web process ends none.
"""

import contextlib
import logging
import os
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, g, request, session
from flask.sessions import SecureCookieSessionInterface

from ..bus.clock import SECOND, boot_id, now_ns
from ..bus.credential import is_credential
from ..bus.errors import BadLedger, BadSettings
from ..identity.tls_home import TlsHome
from ..records.people_read import PeopleReader, Person
from .options import WebOptions
from .tls import is_loopback

log = logging.getLogger(__name__)
COOKIE = "okng-session"
LONGEST_NS = 16 * 3600 * SECOND
"""A session ends after this long whatever is touched: longer than any shift."""
REMEMBERED = 1000
"""Sessions whose last touch, or end, is remembered here."""
TOUCH_EVERY_NS = 5 * SECOND
"""The cookie is written anew at most this often."""
KEY_BYTES = 32
_OURS = ("who", "sid", "generation", "boot", "start", "touch", "panel")


class Sessions:
    """Sessions of one application. Any thread."""

    def __init__(self, options: WebOptions, people: PeopleReader, ended: Path) -> None:
        """ended: file of the sessions that were signed out of, so that a restart brings none of them back."""
        self._options, self._people = options, people
        self._idle_ns = int(options.idle_min * 60 * SECOND)
        self._touched: OrderedDict[str, int] = OrderedDict()
        self._ended_file = ended
        self._ended: OrderedDict[str, None] = OrderedDict.fromkeys(_lines(ended))
        self._known: dict[str, Person] = {}

    def load(self) -> Person | None:
        """Who is signed in by the cookie of this request; a session that is over is taken out of it."""
        name = session.get("who")
        if not name:
            return None
        person = self._of_ledger(str(name)) if self._holds() else None
        if person is None or person.disabled or person.generation != session.get("generation"):
            self._forget()
            return None
        return person

    def begin(self, told: Mapping[str, Any]) -> None:
        """Sign in: told by `account.sign_in`. Whatever the cookie held before is gone, its CSRF token too."""
        session.clear()
        now, sid = now_ns(), secrets.token_hex(16)
        session.update(who=told["name"], sid=sid, generation=int(told["generation"]), boot=boot_id())
        session.update(start=now, touch=now, panel=at_panel(request))
        self._remember(sid, now)
        g.pop("person", None)

    def renew(self, generation: int) -> None:
        """Go on after the person changed their own secret; their other sessions are void."""
        session["generation"] = generation

    def end(self) -> None:
        """Sign out: this cookie and every copy of it is void."""
        if sid := session.get("sid"):
            self._ended[str(sid)] = None
            while len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)
            self._keep_ended()
        self._forget()
        g.person = None

    def touch(self) -> None:
        """A person did something: the idle time begins anew. Call it only while somebody is signed in."""
        now, sid = now_ns(), str(session.get("sid", ""))
        self._remember(sid, now)
        if now - int(session.get("touch", 0)) >= TOUCH_EVERY_NS:
            session["touch"] = now

    def left_s(self) -> int:
        """Seconds until nobody is signed in any more; 0: nobody is."""
        if not session.get("who"):
            return 0
        return max(0, (self._last_touch() + self._idle_ns - now_ns()) // SECOND)

    def _holds(self) -> bool:
        now, sid = now_ns(), str(session.get("sid", ""))
        try:
            start = int(session["start"])
        except (KeyError, TypeError, ValueError):
            return False
        if sid in self._ended or session.get("boot") != boot_id() or not 0 <= now - start < LONGEST_NS:
            return False
        # A cookie that was got by a PIN at the panel is worth nothing elsewhere.
        if bool(session.get("panel")) != at_panel(request):
            return False
        return now - self._last_touch() < self._idle_ns

    def _last_touch(self) -> int:
        return max(int(session.get("touch", 0)), self._touched.get(str(session.get("sid", "")), 0))

    def _remember(self, sid: str, now: int) -> None:
        self._touched[sid] = now
        self._touched.move_to_end(sid)
        while len(self._touched) > REMEMBERED:
            self._touched.popitem(last=False)

    def _keep_ended(self) -> None:
        fresh = self._ended_file.with_suffix(f".{secrets.token_hex(4)}")
        try:
            fresh.write_text("\n".join(list(self._ended)), encoding="ascii")
            fresh.replace(self._ended_file)
        except OSError as error:
            log.warning("who signed out is not kept over a restart: %s", error)
            with contextlib.suppress(OSError):
                fresh.unlink()

    def _forget(self) -> None:
        for name in _OURS:  # the CSRF token stays: a form of this page is then refused for the right reason
            session.pop(name, None)

    def _of_ledger(self, name: str) -> Person | None:
        """The person as the ledger has them; while it cannot be read, as they last were: alarms need somebody."""
        try:
            person = self._people.person(name)
        except BadLedger:
            return self._known.get(name)
        if person is None:
            self._known.pop(name, None)
        else:
            self._known[name] = person
        return person


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        log.warning("who signed out before is not known: %s", error)
        return []


class _Cookies(SecureCookieSessionInterface):
    """`Secure` wherever the request came over TLS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def set_up_cookies(app: Flask, key: bytes) -> None:
    """Let the application sign its session cookies with that key."""
    app.secret_key = key
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.session_interface = _Cookies()


def at_panel(asked: Request) -> bool:
    """True when the request comes from the box itself. Through a proxy it does not, wherever that one is.

    Nor under a name that somebody else's name server may point at this address. HTTP/1.0 is what a proxy speaks that
    was told nothing (nginx) and so names nobody; no browser does.
    """
    forwarded = any(name in asked.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"))
    called = urlsplit("//" + asked.host).hostname or ""
    own_name = called == "localhost" or is_loopback(called)
    by_browser = asked.environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
    return not forwarded and by_browser and own_name and is_loopback(asked.remote_addr or "")


def key_place(options: WebOptions, store: Path) -> Path:
    """Where the key of the cookies is: not in the store, whose group reads it."""
    return options.key_file or store.parent / "web" / "session.key"


def own_folder(options: WebOptions, store: Path) -> Path:
    """What the web process keeps for itself: beside the key of the cookies, unless systemd gives that one."""
    place = key_place(options, store)
    given = os.environ.get("CREDENTIALS_DIRECTORY", "")
    inside = is_credential(place) or (given and place.parent == Path(given))
    return store.parent / "web" if inside else place.parent


def home_of(options: WebOptions, store: Path) -> TlsHome:
    """Where the box's own certificate is: beside the key of the cookies, in the web process's own folder."""
    return TlsHome(own_folder(options, store) / "tls", options.host)


def read_key(path: Path) -> bytes:
    """The key of the cookies; made when there is none. BadSettings: it cannot be, or others may read it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode & 0o777, file.read(4 * KEY_BYTES)
    except OSError as error:
        raise BadSettings(f"[web] key_file = {str(path)!r}: expected a file of our own ({error.strerror})") from error
    if mode & 0o077:
        raise BadSettings(f"[web] key_file = {str(path)!r}: others may read it (mode {mode:o}), expected mode 600")
    if len(key) < KEY_BYTES:
        raise BadSettings(f"[web] key_file = {str(path)!r}: {len(key)} bytes, expected {KEY_BYTES}: remove it")
    return key
