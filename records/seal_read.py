"""Heads, signatures and the last proof, as readers see them: read-only, one short question at a time."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..bus.errors import BadKey
from ..identity.box_key import verify
from .read import LedgerReader
from .rows import as_json
from .seal_heads import FILE as _FILE
from .seal_heads import PUBLIC_FILE as PUBLIC_FILE
from .seal_heads import Head, head_of

HEADS_FILE = _FILE
KEEP = "audit.verify"
CONTEXT = b"okng signature 1\n"
MOST = 1000
SHORT_DIGITS = 12
"""So many digits of a recipe's digest were signed once: such a signature is shown as what it is, and counts no more."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One electronic signature."""

    n: int
    at: str
    who: str
    full_name: str
    """As it was then."""
    meaning: str
    """authored, reviewed, approved, released."""
    kind: str
    """model, recipe, report."""
    name: str
    digest: str
    """SHA-256 of what was signed, 64 hex digits; of recipes signed long ago the first 12 of them."""
    reason: str
    place: str
    secret: str
    """pin, password: what was given again."""
    box: str
    """The box's signature over the rest, base64; empty: it had no key."""

    @property
    def whole(self) -> bool:
        """It is bound to all of the content and not to the first digits of its digest alone."""
        return len(self.digest) == 2 * 32

    def holds(self, public_pem: str) -> bool:
        """True when the box of that key wrote just this."""
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("n", "box")}
        try:
            return verify(public_pem, CONTEXT + as_json(said).encode(), base64.b64decode(self.box, validate=True))
        except (BadKey, binascii.Error):
            return False


@dataclass(frozen=True, slots=True)
class SealReader:
    """Asks the ledger of one store. May be shared by threads. Every question may raise BadLedger."""

    store: Path
    _reader: LedgerReader = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reader", LedgerReader(self.store))

    def _all(self, sql: str, values: Mapping[str, object] | Iterable[object] = ()) -> list[dict[str, Any]]:
        with self._reader.asking() as ask:
            return list(ask(sql, values if isinstance(values, Mapping) else list(values)))

    def head(self) -> Head | None:
        """The newest signed head; None: there is none yet."""
        found = self._all("select body, signature, key from head order by n desc limit 1")
        return next(
            (head_of({**one, "body": json.loads(one["body"])}) for one in found),
            None,
        )

    def signatures(self, kind: str, *, digest: str = "", name: str = "") -> list[Signature]:
        """Signatures of a kind, oldest first. digest, name: only of that content, of the record so called."""
        found = self._all(
            "select * from signature where kind = ? and (? = '' or digest = ?) and (? = '' or name = ?)"
            " order by n limit ?",
            [kind, digest, digest, name, name, MOST],
        )
        return [Signature(**row) for row in found]

    def all_signatures(self) -> list[Signature]:
        """Every one, newest first."""
        return [Signature(**row) for row in self._all("select * from signature order by n desc limit ?", [MOST])]

    def proof(self) -> tuple[str, dict[str, Any]] | None:
        """When the last proof was finished, and what it found; None: there was none."""
        found = self._all("select body, at from keep where name = ?", [KEEP])
        return (str(found[0]["at"]), json.loads(found[0]["body"])) if found else None

    def public_pem(self) -> str:
        """The box's public key; empty: it has none yet."""
        try:
            return (self.store / PUBLIC_FILE).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return ""


def short_of(digest: str) -> str:
    """What of a recipe's digest was signed once."""
    return digest[:SHORT_DIGITS]


def missing(signatures: Iterable[Signature], required: Iterable[str], besides: str = "") -> list[str]:
    """Meanings that nobody has signed yet, by persons who may. besides: who puts it in place approves nothing of it.

    A signature over the first digits alone is none: two contents may share those.
    """
    there = {one.meaning for one in signatures if one.whole and (one.meaning != "approved" or one.who != besides)}
    return [meaning for meaning in required if meaning not in there]
