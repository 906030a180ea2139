"""Pictures go by their hash: what the service has is not sent again, what is large goes in parts and is taken up again.

One after the other: rejects, what a challenger differs on, the uncertain, the sample of OK parts. Nothing of a transfer
is remembered here but that it is done: which parts of a large one lie there already the service says, whoever asks and
how often.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

from ..bus.errors import StoreLost
from .uplink_cursor import Cursor
from .wire import Answer, Wire

log = logging.getLogger(__name__)
PRIORITIES = (0, 3, 1, 2)
"""Rejects, those that a challenger differs on, uncertain ones, the sample of OK parts: in the order of sending."""
AT_ONCE = 32
"""Pictures that are asked about in one request."""
MOST_ASKED = 64
MOST_PARTS = 10_000
MOST_TRIES = 5
"""Of one picture that is answered and not taken."""
_HAVE = {"state": "have"}
_NOT_TAKEN = frozenset((HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY))
_THERE = frozenset((HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.PRECONDITION_FAILED))
"""412: somebody else has put it there in between. It has that name, so it is the same."""


class NotTaken(StoreLost):
    """The service or its store answers, and does not take this picture: it changed, a part is gone, it is too large."""


class Picture(Protocol):
    """One picture as the ledger hands it out."""

    @property
    def part_seq(self) -> int:
        """Number of its part."""

    @property
    def sha256(self) -> str:
        """Of the file."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    @property
    def kind(self) -> str:
        """Picture or crop."""

    @property
    def epoch(self) -> int:
        """Lineage of the part's event."""

    @property
    def camera(self) -> str:
        """Whose it is."""

    @property
    def size(self) -> int:
        """Bytes."""


class Shelf(Protocol):
    """The pictures that leave: `records.outbox_read.OutboxReader`."""

    def pictures_to_send(self, after_part_seq: int, limit: int, priority: int | None = None) -> Sequence[Picture]:
        """Pictures of parts above that number in part order; all pictures of a part come together. BadLedger."""


@dataclass(slots=True)
class PictureSender:
    """Sends pictures. One thread."""

    wire: Wire
    shelf: Shelf
    cursor: Cursor
    pace: Callable[[int], None]
    """Returns when so many bytes may go."""
    between: Callable[[], None]
    """Called between two pieces: what must not wait goes now."""
    enough: Callable[[], bool]
    """Asked after each part: True ends this round, something else goes first."""
    slice_bytes: int
    plain: bool = False
    """`http://` will do."""
    sent: int = 0
    """Pictures whose bytes went."""
    had: int = 0
    """Pictures that the service had."""
    missing: int = 0
    """Pictures that the ledger names and the disk no longer has, or has changed."""
    refused: int = 0
    """Pictures that were given up because they are not taken."""
    _tries: dict[str, int] = field(default_factory=dict)

    def send(self, priority: int) -> bool:
        """Send what comes next of that priority; False: there is nothing.

        StoreLost, Busy, Unwelcome, NotTrusted, BadLedger, BadSettings: what was done is done, call again.
        """
        found = self.shelf.pictures_to_send(self.cursor.pictures.get(priority, 0), AT_ONCE, priority)
        if not found:
            return False
        told = self._asked([picture for picture in found if self._is_whole(picture)])
        went = False
        for at, picture in enumerate(found):
            how = told.get(picture.sha256)
            if how is not None:
                went = self._brought(picture, how) or went
                told[picture.sha256] = _HAVE
            last = at + 1 == len(found)
            if last or (went and found[at + 1].part_seq != picture.part_seq):
                self.cursor.set_pictures(priority, picture.part_seq)
                went = False
                if self.enough():
                    break
            self.between()
        return True

    def _is_whole(self, picture: Picture) -> bool:
        try:
            with picture.path.open("rb") as file:
                whole = hashlib.file_digest(file, "sha256").hexdigest() == picture.sha256
        except OSError:
            whole = False
        if not whole:
            log.warning("part %d: %s is gone or changed; it is not sent", picture.part_seq, picture.path)
            self.missing += 1
        return whole

    def _asked(self, pictures: Sequence[Picture]) -> dict[str, Mapping[str, Any]]:
        """What the service wants of each, by hash."""
        found: dict[str, Mapping[str, Any]] = {}
        for at in range(0, len(pictures), MOST_ASKED):
            found |= self._asked_at_once(pictures[at : at + MOST_ASKED])
        return found

    def _asked_at_once(self, pictures: Sequence[Picture]) -> dict[str, Mapping[str, Any]]:
        blobs = [
            {
                "sha256": one.sha256,
                "size": one.size,
                "kind": one.kind,
                "part_seq": one.part_seq,
                "epoch": one.epoch,
                "camera": one.camera,
            }
            for one in pictures
        ]
        self.pace(200 * len(blobs))
        answer = self.wire.ask_json("POST", "/v1/blobs", {"blobs": blobs})
        if answer.status in _NOT_TAKEN:
            return self._asked_in_halves(pictures, answer)
        if answer.status != HTTPStatus.OK:
            raise StoreLost(f"/v1/blobs: the service answered {answer.status} {answer.body[:200]!r}")
        told = [one for one in answer.json().get("blobs", ()) if isinstance(one, dict)]
        found: dict[str, Mapping[str, Any]] = {}
        for one in told:
            found.setdefault(str(one.get("sha256")), one)
        if lacking := {one.sha256 for one in pictures} - found.keys():
            raise StoreLost(f"/v1/blobs: no word on {len(lacking)} of {len(pictures)} pictures")
        return found

    def _asked_in_halves(self, pictures: Sequence[Picture], answer: Answer) -> dict[str, Mapping[str, Any]]:
        """One of them is not taken, and the answer is for all: the others are not held up by it."""
        if len(pictures) > 1:
            half = len(pictures) // 2
            return self._asked_at_once(pictures[:half]) | self._asked_at_once(pictures[half:])
        (one,) = pictures
        log.warning("picture of part %d is not taken: %d %r", one.part_seq, answer.status, answer.body[:200])
        self.refused += 1
        return {}

    def _brought(self, picture: Picture, how: Mapping[str, Any]) -> bool:
        """True: its bytes went. False: the service had it, or will not have it."""
        try:
            match how.get("state"):
                case "have":
                    self.had += 1
                    return False
                case "put":
                    self._put(picture, str(how["url"]), 0, picture.size, _headers(how))
                    self._done(picture, None, [])
                case "multipart":
                    self._in_parts(picture, how)
                case other:
                    raise StoreLost(f"/v1/blobs: {picture.sha256}: state {other!r}: expected have, put or multipart")
        except NotTaken as error:
            self._tries[picture.sha256] = self._tries.get(picture.sha256, 0) + 1
            if self._tries[picture.sha256] < MOST_TRIES:
                raise
            log.warning("%s: given up after %d tries; the others go on", error, MOST_TRIES)
            self.refused += 1
            return False
        except (KeyError, TypeError, ValueError) as error:
            raise StoreLost(f"/v1/blobs: {picture.sha256}: not as agreed: {error!r}") from error
        self._tries.pop(picture.sha256, None)
        self.sent += 1
        return True

    def _in_parts(self, picture: Picture, how: Mapping[str, Any]) -> None:
        """Those that are not there yet. The service says which are, and signs the addresses anew each time."""
        size, upload = int(how["part_size"]), str(how["upload"])
        if size < 1 or picture.size > size * MOST_PARTS:
            raise StoreLost(f"/v1/blobs: {picture.sha256}: parts of {size} bytes: expected fewer than {MOST_PARTS}")
        etags = {int(one["n"]): str(one["etag"]) for one in how.get("done", ()) if isinstance(one, dict)}
        there = set(etags) | {one for one in how.get("done", ()) if isinstance(one, int)}
        for part in how["parts"]:
            n = int(part["n"])
            if n in there:
                continue
            start = (n - 1) * size
            length = min(size, picture.size - start)
            if length < 1:
                raise StoreLost(f"/v1/blobs: {picture.sha256}: part {n}: beyond its end")
            etag = self._put(picture, str(part["url"]), start, length, _headers(part))
            etags[n] = etag
            self.between()
        self._done(picture, upload, [{"n": n, "etag": etag} for n, etag in sorted(etags.items())])

    def _put(self, picture: Picture, url: str, start: int, length: int, headers: Mapping[str, str]) -> str:
        """Bytes from start on to that address; return the ETag. StoreLost."""
        answer = self.wire.put(url, self._pieces(picture, start, length), length, headers, plain=self.plain)
        if answer.status not in _THERE:
            raise NotTaken(f"picture of part {picture.part_seq}: the store answered {answer.status}")
        return answer.headers.get("etag", "")

    def _pieces(self, picture: Picture, start: int, length: int) -> Iterator[bytes]:
        try:
            with picture.path.open("rb") as file:
                file.seek(start)
                while length and (piece := file.read(min(self.slice_bytes, length))):
                    length -= len(piece)
                    self.pace(len(piece))
                    yield piece
                    self.between()
        except OSError as error:
            raise StoreLost(f"{picture.path}: {error.strerror or error}") from error

    def _done(self, picture: Picture, upload: str | None, parts: Iterable[Mapping[str, Any]]) -> None:
        said = {"sha256": picture.sha256, "upload": upload, "parts": list(parts)}
        answer = self.wire.ask_json("POST", "/v1/blobs/done", said)
        if answer.status != HTTPStatus.OK:
            raise NotTaken(
                f"picture of part {picture.part_seq}: the service does not believe it: {answer.status}"
                f" {answer.body[:200]!r}"
            )


def _headers(how: Mapping[str, Any]) -> dict[str, str]:
    said = how.get("headers") or {}
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}
