"""What a person may read of the fleet service, by a token: pages of samples, and the pictures they name.

Only HTTP and HTTPS are spoken. The token goes to the service alone: never along with a redirect, nor to the store that
a picture's address names; and in clear only to this very machine.
"""

import http.client
import ipaddress
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from ...bus.errors import BadSettings, Refused, StoreLost
from ...bus.outside import parsed_json

MOST_PAGE = 64 << 20
MOST_PICTURE = 256 << 20
_TRIES = 5
_LONGEST_WAIT_S = 60.0


class BadService(Refused):
    """The service turns us away, or answers what is none of its forms."""


class FleetClient:
    """May be shared by threads."""

    def __init__(
        self,
        service: str,
        token: str,
        ca: Path | None = None,
        *,
        timeout_s: float = 60.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is asked yet.

        service: its address, `https://fleet.example`. token: of a person who may export. ca: PEM of the authority that
        its certificate is under; None: the system's.
        BadSettings: no address, no token, a file that holds no certificate, or http to another machine.
        """
        parts = urlsplit(service)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadSettings(f"service {service!r}: expected https://HOST[:PORT]")
        if parts.scheme == "http" and not _here(parts.hostname):
            raise BadSettings(f"service {service}: expected https: a token is not sent in clear")
        if not token.strip():
            raise BadSettings(f"service {service}: expected a token of a person who may export")
        try:
            context = ssl.create_default_context(cafile=str(ca) if ca else None)
        except OSError as error:
            raise BadSettings(f"{ca}: no certificate of an authority: {error}") from error
        self._base, self._token = service.rstrip("/") + "/", token.strip()
        self._origin = (parts.scheme, parts.netloc)
        self._timeout_s, self._wait = timeout_s, wait
        self._opener = urllib.request.OpenerDirector()
        # Not build_opener: it would open files and FTP too, and go by the environment's proxies.
        for handler in (
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            self._opener.add_handler(handler)

    def samples(self, asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the samples that are asked for, over all pages. asked: since, until, recipe, line, box, label.

        BadService: it turns us away. StoreLost: it does not answer.
        """
        query = {key: value for key, value in asked.items() if value}
        seen: set[str] = set()
        while True:
            address = urljoin(self._base, f"v1/samples?{urlencode(query)}")
            try:
                page = parsed_json(self._get(address, MOST_PAGE))
            except ValueError as error:
                raise BadService(f"{address}: {error}: expected JSON") from error
            if not isinstance(page, dict) or not isinstance(page.get("samples"), list):
                raise BadService(f"{address}: expected samples and next")
            yield from (one for one in page["samples"] if isinstance(one, dict))
            cursor = page.get("next")
            if cursor is None or cursor == "":
                return
            if str(cursor) in seen:
                raise BadService(f"{address}: next = {str(cursor)[:40]!r} came already: its pages go round")
            seen.add(str(cursor))
            query["cursor"] = str(cursor)

    def picture(self, url: str) -> bytes:
        """Return the bytes at an address that a sample names: the service's own path, or elsewhere. Errors as above."""
        return self._get(urljoin(self._base, url), MOST_PICTURE)

    def _get(self, address: str, most: int) -> bytes:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https"):
            raise BadService(f"{address[:200]}: expected http or https")
        request = urllib.request.Request(address, headers={"User-Agent": "okng"})
        if (parts.scheme, parts.netloc) == self._origin:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        shown = address.partition("?")[0]  # a presigned address holds its key in the query
        pause = 1.0
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self._opener.open(request, timeout=self._timeout_s) as answer:
                    data: bytes = answer.read(most + 1)
            except urllib.error.HTTPError as error:
                if error.code in (429, 502, 503, 504) and left:
                    self._wait(min(_after(error, pause), _LONGEST_WAIT_S))
                    pause *= 2
                    continue
                said = f"{shown}: {error.code} {_words(error)}"
                raise (StoreLost if error.code >= 500 or error.code == 429 else BadService)(said) from error
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                    raise BadService(f"{shown}: {error}") from error
                if left:
                    self._wait(pause)
                    pause *= 2
                    continue
                raise StoreLost(f"{shown}: {error}") from error
            if len(data) > most:
                raise BadService(f"{shown}: more than {most} bytes")
            return data
        raise StoreLost(f"{shown}: does not answer")


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _after(error: urllib.error.HTTPError, otherwise: float) -> float:
    said = error.headers.get("Retry-After", "") if error.headers else ""
    return float(said) if said.isdecimal() else otherwise


def _words(error: urllib.error.HTTPError) -> str:
    """What the answer says, in a line: the service's own forms have `detail` and `error`."""
    try:
        text = error.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return str(error.reason)
    try:
        said = json.loads(text)
    except ValueError:
        return str(error.reason)
    words = said.get("detail") or said.get("error") if isinstance(said, dict) else ""
    return str(words or error.reason)[:300]
