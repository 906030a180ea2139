"""What `okng audit verify` does: heads from everywhere, their signatures, the chains, and with `full` every picture."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bus.errors import BadData, BadKey
from ..identity.box_key import fingerprint
from . import schema
from .bookkeeping import rows
from .seal_content import SIGNATURE
from .seal_heads import FILE, Head, heads_in, pem_of, read_heads
from .seal_read import Signature
from .seal_verify import Verified, opened, verify

_KEPT = (
    (
        "select seq, '', picture, picture_sha256 from part where seq > ? and picture_kept and picture is not null"
        " order by seq limit 50",
        "select 1 from part where seq = ? and camera != ? and picture_kept",
    ),
    (
        "select seq, camera, picture, picture_sha256 from view where (seq, camera) > (?, ?) and picture_kept"
        " and picture is not null order by seq, camera limit 50",
        "select 1 from view where seq = ? and camera = ? and picture_kept",
    ),
)
"""The next kept pictures of the deciding views, and of the others; and whether one is kept still."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be verified, and against what."""

    file: Path
    """The ledger, or a backup of one."""
    store: Path | None = None
    """Where its pictures and its own file of heads lie; None: neither is looked at."""
    heads: Sequence[Path] = ()
    """Files of heads that were kept elsewhere."""
    public_pem: str = ""
    """The box's key, taken from elsewhere; empty: each head's own, which proves that nothing was cut or mixed up."""
    full: bool = False
    """Hash every kept picture too."""


def audit_store(asked: Asked, tell: Callable[[float], None] = lambda _: None) -> Verified:
    """Verify. BadLedger, BadData, BadKey: the ledger, a file of heads or the key cannot be read."""
    wanted = fingerprint(asked.public_pem) if asked.public_pem else ""
    with opened(asked.file) as db:
        try:
            kept = heads_in(db)
        except (ValueError, KeyError, TypeError) as error:
            raise BadData(f"{asked.file}: a head in it is none: {error}") from error
    own = asked.store / FILE if asked.store else None
    left_out: list[str] = []
    beside = read_heads(own, left_out.append) if own is not None and own.exists() else []
    given = [head for file in asked.heads for head in read_heads(file, left_out.append)]
    every = {head.line: head for head in (*kept, *beside, *given)}
    good: list[Head] = []
    bad: list[str] = []
    for head in sorted(every.values(), key=lambda one: one.utc):
        try:
            holds = head.holds(asked.public_pem)
        except BadKey:
            holds = False
        if holds:
            good.append(head)
        else:
            by = f" by the key {wanted[:16]}" if wanted else ""
            bad.append(f"the head of {head.utc} was not signed{by}, or was changed")
    found = verify(asked.file, good, tell=tell)
    if asked.full and asked.store is not None:
        for text in _pictures(asked.file, asked.store, tell):
            found.say(text)
    for text in bad:
        found.say(text)
    found.notes += left_out
    keys = [asked.public_pem] if asked.public_pem else [*{pem_of(head.key): None for head in good}]
    for text in _signatures(asked.file, keys):
        found.say(text)
    if len(found.keys) > 1:
        found.notes.append(f"{len(found.keys)} keys signed the heads: {', '.join(key[:16] for key in found.keys)}")
    if found.heads and not given:
        found.notes.append("only heads that lie on this box were compared: those kept elsewhere prove more")
    if not good:
        found.notes.append("no signed head to compare with: that all of it was made anew would not show")
    return found


def ledger_of(path: Path) -> Asked:
    """What a path means: a store, its ledger, or a backup."""
    if path.is_dir():
        return Asked(path / schema.FILE, path)
    return Asked(path, path.parent if path.name == schema.FILE else None)


def _signatures(file: Path, keys: Sequence[str]) -> list[str]:
    """Electronic signatures that none of the box's keys vouches for. Those made without a key are in the seal alone."""
    with opened(file) as db:
        made = [Signature(*row) for row in rows(db, f"select {', '.join(SIGNATURE)} from signature where box != ''")]
    return [
        f"signature {one.n} of {one.who}: the box did not sign this"
        for one in made
        if keys and not any(one.holds(pem) for pem in keys)
    ]


def _pictures(file: Path, store: Path, tell: Callable[[float], None]) -> Iterator[str]:
    """Every kept picture is there, and hashes to what its sealed row says.

    The ledger is asked for some at a time: while one state of it is read for hours, its WAL grows.
    """
    for sql, still in _KEPT:
        after: list[object] = [0, ""][: sql.count("?")]
        while True:
            with opened(file) as db:
                page = rows(db, sql, after)
            if not page:
                break
            after = list(page[-1][: len(after)])
            wrong = [
                (seq, camera, name, said) for seq, camera, name, sha in page if (said := _wrong(store / name, sha))
            ]
            with opened(file) as db:
                # Retention clears the row before it deletes the file.
                wrong = [one for one in wrong if rows(db, still, one[:2])]
            for seq, camera, name, said in wrong:
                yield f"part seq {seq}{f', camera {camera}' if camera else ''}: its picture {name} {said}"
            tell(1.0)


def _wrong(picture: Path, sha256: str) -> str:
    """What is wrong with a picture; empty: nothing."""
    try:
        with picture.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != sha256:
                return "is not the one that was kept"
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""
