"""HTTPS to the fleet service: mutual TLS, one pinned authority, bounded answers, time-outs, and no way to elsewhere.

    StoreLost          no answer, cut off, 5xx, 429: try again; `Busy` says how long to wait at least
    Unwelcome          401, 403: the box is not enrolled, or revoked: a person has to act
    NotTrusted         what answers is not the service that was pinned

The box's certificate is shown to the service alone. Addresses that the service hands out (presigned) are used without
it, and never followed further.
"""

import hashlib
import http.client
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Timeout

from ..bus.errors import BadSettings, Refused, StoreLost
from ..bus.outside import parsed_json
from .wire_tls import NotTrusted as NotTrusted
from .wire_tls import named, pool_of, told, trusting, trusting_stores

MOST_ANSWER = 1 << 20
"""Bytes of an answer that is held in memory."""
CHUNK = 65_536
_CONNECT_S = 10.0
_BUSY = frozenset((HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE))
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))


class Busy(StoreLost):
    """The service asks for a pause."""

    def __init__(self, text: str, after_s: float) -> None:
        """after_s: the least pause, seconds; 0: it names none."""
        super().__init__(text)
        self.after_s = after_s


class Unwelcome(Refused):
    """The service does not know this box's certificate, or knows that it was revoked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> dict[str, Any]:
        """The object that it is. StoreLost: it is none; whatever stands in between may have written it."""
        try:
            said = parsed_json(self.body)
        except ValueError as error:
            raise StoreLost(f"the service answered {self.status} with what is no JSON: {error}") from error
        if not isinstance(said, dict):
            raise StoreLost(f"the service answered {self.status} with a {type(said).__name__}: expected an object")
        return said

    def number(self, name: str) -> int:
        """A whole number of that object, 0 or more. StoreLost: it is not there."""
        found = self.json().get(name)
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise StoreLost(f"the service answered {self.status} with {name} = {found!r}: expected a number")
        return found


class Wire:
    """One box's way to its service. One thread at a time for each of them; connections are kept open."""

    def __init__(
        self, service: str, ca: Path, identity: Path | None, timeout_s: float, *, key: Path | None = None
    ) -> None:
        """Nothing is opened yet. BadSettings: one of the files does not read.

        ca: PEM of the pinned authority. identity: PEM of the box's certificate, with its key unless `key` names one;
        None: the box has none yet.
        """
        self._service = service.rstrip("/")
        self._timeout = Timeout(connect=min(_CONNECT_S, timeout_s), read=timeout_s)
        self._deadline_s = timeout_s * 3
        self._pool = pool_of(trusting(ca, identity, key), 2)
        self._others: urllib3.PoolManager | None = None
        self._ca = ca
        self.service_time: datetime | None = None
        """What the service's clock said in its last answer; None: it has not said."""

    def close(self) -> None:
        """Let the connections go."""
        self._pool.clear()
        if self._others is not None:
            self._others.clear()

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
        most_bytes: int = MOST_ANSWER,
    ) -> Answer:
        """One request to the service. path: from `/v1` on. length: of a body that comes in pieces.

        Any status that is not named above is returned. StoreLost, Busy, Unwelcome, NotTrusted.
        """
        answer = self._ask(self._pool, method, self._service + path, body, headers, length, most_bytes)
        self._note_time(answer)
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Unwelcome(f"{path}: the service refuses this box: {answer.status} {_said(answer)}")
        return answer

    def ask_json(self, method: str, path: str, said: Mapping[str, Any] | None = None) -> Answer:
        """The same with a JSON object."""
        body = None if said is None else json.dumps(said, separators=(",", ":")).encode()
        return self.ask(method, path, body, {"content-type": "application/json"} if body else None)

    def put(self, url: str, pieces: Iterable[bytes], length: int, headers: Mapping[str, str], *, plain: bool) -> Answer:
        """Send bytes to an address that the service handed out, without the box's certificate.

        plain: `http://` will do; else only to this very machine. StoreLost, Busy, NotTrusted, BadSettings.
        """
        split = urlsplit(url)
        if split.scheme not in ("https", "http") or not split.hostname:
            raise StoreLost("the service handed out an address that is none")
        if split.scheme == "http" and not plain and split.hostname not in _LOOPBACK:
            raise BadSettings(
                f"fleet.plain_blobs = false: pictures would go to http://{split.hostname} unencrypted:"
                " expected true where that is meant, or a store with TLS"
            )
        pool = self._pool if url.startswith(f"{self._service}/") else self._stores()
        return self._ask(pool, "PUT", url, pieces, headers, length, MOST_ANSWER)

    def read(self, path: str, start: int = 0, most_bytes: int = 1 << 40) -> Iterator[bytes]:
        """Yield a file of the service from byte `start` on, in pieces of at most 64 KiB.

        FileNotFoundError: 404 (and 403 of a file server). StoreLost: cut off, or longer than most_bytes.
        A redirect to a store is followed once, without the box's certificate.
        """
        headers = {"range": f"bytes={start}-"} if start else {}
        with self._sent(self._pool, "GET", self._service + path, None, headers) as found:
            status, where = found.status, found.headers.get("location")
            if status not in (HTTPStatus.FOUND, HTTPStatus.TEMPORARY_REDIRECT):
                yield from self._pieces(found, path, start, most_bytes)
                return
        split = urlsplit(where or "")
        if split.scheme not in ("https", "http") or not split.hostname:
            raise StoreLost(f"{path}: the service redirects to an address that is none")
        with self._sent(self._stores(), "GET", str(where), None, headers) as found:
            yield from self._pieces(found, path, start, most_bytes)

    def _stores(self) -> urllib3.PoolManager:
        if self._others is None:
            self._others = pool_of(trusting_stores(self._ca), 1)
        return self._others

    def _pieces(self, found: urllib3.BaseHTTPResponse, path: str, start: int, most: int) -> Iterator[bytes]:
        if found.status in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.GONE):
            raise FileNotFoundError(path)
        if found.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return
        if found.status == HTTPStatus.UNAUTHORIZED:
            raise Unwelcome(f"{path}: the service refuses this box")
        if found.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise StoreLost(f"{path}: the service answered {found.status}")
        skip = start if found.status == HTTPStatus.OK else 0  # whoever knows no ranges sends all of it
        taken = 0
        for piece in found.stream(CHUNK, decode_content=False):
            taken += len(piece)
            if taken > most:
                raise StoreLost(f"{path}: longer than {most} bytes")
            kept = piece[skip:] if skip < len(piece) else b""
            skip = max(0, skip - len(piece))
            if kept:
                yield kept

    def _ask(
        self,
        pool: urllib3.PoolManager,
        method: str,
        url: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str] | None,
        length: int | None,
        most: int,
    ) -> Answer:
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        if length is not None:
            sent["content-length"] = str(length)
        until_s = time.monotonic() + self._deadline_s
        with self._sent(pool, method, url, body, sent) as found:
            data = b""
            if not isinstance(body, (bytes, type(None))):
                until_s = time.monotonic() + self._deadline_s  # a paced body takes its time
            while piece := found.read1(CHUNK, decode_content=False):
                data += piece
                if len(data) > most:
                    raise StoreLost(f"{named(url)}: an answer of more than {most} bytes")
                if time.monotonic() > until_s:
                    raise StoreLost(f"{named(url)}: the answer trickles: given up after {self._deadline_s:.0f} s")
            answer = Answer(found.status, {name.lower(): value for name, value in found.headers.items()}, data)
        if answer.status in _BUSY:
            after_s = _after(answer.headers)
            raise Busy(f"{named(url)}: {answer.status} {_said(answer)}: asks for a pause of {after_s:.0f} s", after_s)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise StoreLost(f"{named(url)}: {answer.status} {_said(answer)}")
        if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
            raise StoreLost(f"{named(url)}: {answer.status}: a redirect, which is not followed")
        return answer

    @contextmanager
    def _sent(
        self,
        pool: urllib3.PoolManager,
        method: str,
        url: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str],
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to one request, as far as it was read; whatever breaks is told as `StoreLost` or `NotTrusted`."""
        found = None
        try:
            found = pool.request(
                method,
                url,
                body=body,
                headers={"accept-encoding": "identity", **headers},
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            yield found
            found.drain_conn()
            found.release_conn()
            found = None
        except urllib3.exceptions.HTTPError as error:
            raise told(url, error) from error
        except (http.client.HTTPException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise told(url, error) from error
        finally:
            if found is not None:
                found.close()

    def _note_time(self, answer: Answer) -> None:
        try:
            self.service_time = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            return


def _said(answer: Answer) -> str:
    return answer.body[:200].decode("utf-8", "replace").strip()


def _after(headers: Mapping[str, str]) -> float:
    """Seconds of `Retry-After`, either form."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def sha256_hex(data: bytes) -> str:
    """SHA-256 of some bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
