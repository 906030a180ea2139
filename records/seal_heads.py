"""Signed heads: how far trail and seal had come at a moment, said by the box. Kept elsewhere they are the proof.

A chain that was made anew as a whole is sound in itself; only a head from before shows it. So each head is kept three
times: in the ledger, in `heads.jsonl` beside it, and in the outbox, which leaves the box.
"""

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from ..bus.clock import utc_now
from ..bus.errors import BadData, BadKey
from ..identity.box_key import BoxKey, fingerprint, verify
from .bookkeeping import post, rows
from .durable import sync_folder
from .outgoing import HEADS, send
from .rows import as_json

FILE = "heads.jsonl"
KEY_FILE, PUBLIC_FILE = "box-key.pem", "box-key.pub.pem"
"""In the store: the private key, its owner's alone, and the public one, for everybody."""
STREAM = "heads"
"""Of the outbox."""
_CONTEXT = b"okng head 1\n"
"""What the box signs elsewhere begins otherwise."""
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """What the box said."""

    box: str
    lineage: int
    utc: str
    why: str
    """daily, sign-in, stop, asked."""
    trail_n: int
    trail_hash: str
    link_n: int
    link_hash: str
    part: int
    """seq of the newest part."""
    signature: str
    """Base64."""
    key: str
    """Public key, base64 of its DER."""

    @property
    def body(self) -> dict[str, Any]:
        """What is signed."""
        return {
            "box": self.box,
            "lineage": self.lineage,
            "utc": self.utc,
            "why": self.why,
            "trail": {"n": self.trail_n, "hash": self.trail_hash},
            "seal": {"n": self.link_n, "hash": self.link_hash, "part": self.part},
        }

    @property
    def line(self) -> str:
        """One line of `heads.jsonl`."""
        return as_json({"body": self.body, "signature": self.signature, "key": self.key})

    @property
    def fingerprint(self) -> str:
        """Of the key it claims. BadKey: it is none."""
        return fingerprint(pem_of(self.key))

    def holds(self, public_pem: str = "") -> bool:
        """True when that key signed it; empty: the key it brings itself. BadKey."""
        try:
            signature = base64.b64decode(self.signature, validate=True)
        except binascii.Error:
            return False
        return verify(public_pem or pem_of(self.key), _CONTEXT + as_json(self.body).encode(), signature)


def sign_head(db: apsw.Connection, key: BoxKey, why: str) -> Head:
    """Sign how far all has come; note it in the ledger and in the outbox. Inside a transaction."""
    ((box, lineage),) = rows(db, "select box, lineage from meta")
    trail_n, trail_hash = (rows(db, "select n, hash from audit order by n desc limit 1") or [(0, "")])[0]
    link_n, link_hash = (rows(db, "select n, hash from seal order by n desc limit 1") or [(0, b"")])[0]
    part = rows(db, "select coalesce(max(seq), 0) from part")[0][0]
    bare = Head(
        box=str(box),
        lineage=int(lineage),
        utc=utc_now(),
        why=why,
        trail_n=int(trail_n),
        trail_hash=str(trail_hash),
        link_n=int(link_n),
        link_hash=bytes(link_hash).hex(),
        part=int(part),
        signature="",
        key="",
    )
    der = "".join(line for line in key.public_pem.splitlines() if not line.startswith("-"))
    signature = key.sign(_CONTEXT + as_json(bare.body).encode())
    head = head_of({"body": bare.body, "signature": base64.b64encode(signature).decode(), "key": der})
    db.execute(
        "insert into head (body, signature, key) values (?, ?, ?)", (as_json(head.body), head.signature, head.key)
    )
    post(db, STREAM, head.line.encode())
    send(db, HEADS, "head", 0, {"body": head.body, "signature": head.signature, "key": head.key})
    return head


def append_head(store: Path, head: Head) -> None:
    """Write a head into the file beside the ledger, durable when this returns. OSError: nothing of it is there."""
    file = store / FILE
    new = not file.exists()
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(handle).st_size
        line = head.line.encode() + b"\n"
        if size and os.pread(handle, 1, size - 1) != b"\n":
            line = b"\n" + line  # a cut of power ended the one before
        try:
            while line:
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        except OSError:
            with suppress(OSError):
                os.ftruncate(handle, size)
            raise
    finally:
        os.close(handle)
    if new:
        sync_folder(store)


def read_heads(file: Path, left_out: Callable[[str], None] = lambda _: None) -> list[Head]:
    """Heads of a file, in order. BadData: it cannot be read, or no line of it is one.

    left_out: is told of lines that are none. A last one that a cut of power ended is left out without a word.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise BadData(f"{file}: more than {_MOST_BYTES >> 20} MB: no file of heads")
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise BadData(f"{file}: cannot be read: {error}") from error
    found: list[Head] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(head_of(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            if number < len(lines):
                wrong.append(f"{file}: line {number}: no head: {error}")
    if wrong and not found:
        raise BadData(wrong[0])
    for text in wrong:
        left_out(text)
    return found


def heads_in(db: apsw.Connection) -> list[Head]:
    """Heads that the ledger itself keeps, in order. ValueError: a row is none."""
    found: Iterable[tuple[str, str, str]] = rows(db, "select body, signature, key from head order by n")
    return [head_of({"body": json.loads(body), "signature": signed, "key": key}) for body, signed, key in found]


def head_of(line: dict[str, Any]) -> Head:
    """A head from its line. ValueError, KeyError, TypeError: it is none."""
    body = line["body"]
    trail, seal = body["trail"], body["seal"]
    return Head(
        str(body["box"]),
        int(body["lineage"]),
        str(body["utc"]),
        str(body["why"]),
        int(trail["n"]),
        str(trail["hash"]),
        int(seal["n"]),
        str(seal["hash"]),
        int(seal["part"]),
        str(line["signature"]),
        str(line["key"]),
    )


def pem_of(der: str) -> str:
    """A public key as PEM. BadKey: it is no base64 of some length."""
    if not der.isascii() or not 40 <= len(der) <= 1000:
        raise BadKey("no public key: expected base64 of its DER")
    return f"-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n"
