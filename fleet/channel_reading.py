"""Verified targets become offers and tickets: what is signed about a bundle, about a ring, about this box."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..models.bundle import MOST_SIGNATURE_BYTES
from ..models.manifest import MOST_MANIFEST_BYTES
from .channel_format import (
    MOST_POINTER_BYTES,
    MOST_TICKET_BYTES,
    ROLES,
    BadChannel,
    RingsForm,
    manifest_path,
    parse_pointer,
    parse_ticket,
    signature_path,
    ticket_path,
)
from .channel_offer import Offer, Pinned, Ring, Ticket

_MOST_TICKETS = 1000


@dataclass(frozen=True, slots=True)
class Trusted:
    """A list of targets that the channel's own keys signed, and how to have the bytes of one."""

    listed: Mapping[str, Any]
    """By path: length and digests."""
    read: Callable[[Any, int], bytes]
    """Verified bytes of an entry, at most so many."""
    box: str

    def pointers(self, line: str) -> list[str]:
        """Paths of a line's pointers."""
        named = re.compile(rf"{re.escape(line)}/[^/]+/({'|'.join(ROLES)})\.json")
        return sorted(path for path in self.listed if named.fullmatch(path))

    def ticket_numbers(self) -> list[int]:
        """Of this box, lowest first."""
        found = (re.fullmatch(rf"tickets/{re.escape(self.box)}/(\d{{1,16}})\.json", path) for path in self.listed)
        return sorted(int(one[1]) for one in found if one)[:_MOST_TICKETS]

    def pinned(self, path: str, most: int) -> Pinned:
        """What is signed about a file. BadChannel: nothing, or more bytes than such a file may have."""
        entry = self.listed.get(path)
        if entry is None or "sha256" not in entry.hashes:
            raise BadChannel(f"{path}: is not signed for, though it is pointed at")
        if entry.length > most:
            raise BadChannel(f"{path}: {entry.length} bytes: expected at most {most}")
        return Pinned(entry.length, entry.hashes["sha256"])

    def bundle(self, digest: str) -> tuple[Pinned, Pinned]:
        """Manifest and signature of a bundle. BadChannel."""
        manifest = self.pinned(manifest_path(digest), MOST_MANIFEST_BYTES)
        if manifest.sha256 != digest:
            raise BadChannel(f"{manifest_path(digest)}: is signed for as {manifest.sha256}")
        return manifest, self.pinned(signature_path(digest), MOST_SIGNATURE_BYTES)


def offer_of(trusted: Trusted, path: str, rings: RingsForm | None) -> Offer:
    """What a pointer and the rings say to this box. BadChannel: the pointer makes no sense."""
    form = parse_pointer(trusted.read(trusted.listed[path], MOST_POINTER_BYTES), path)
    manifest, signature = trusted.bundle(form.bundle)
    ring = "" if rings is None else rings.ring_of(trusted.box)
    gone = None if rings is None else rings.open.get(f"{form.recipe}/{form.role}")
    here = gone if gone is not None and gone.seq == form.seq else None
    plan = tuple(Ring(one.ring, one.shadow_parts, one.canary_parts, one.max_error_pct) for one in form.plan)
    return Offer(
        line=form.line,
        recipe=form.recipe,
        role=form.role,
        bundle=form.bundle,
        seq=form.seq,
        previous=form.previous or "",
        plan=plan,
        manifest=manifest,
        signature=signature,
        rules=dict(form.rules),
        ring_of_this_box=ring,
        # A ring that the signed plan does not have is nobody's to open.
        ring_open=here is not None and ring in here.rings and any(one.name == ring for one in plan),
        halted=(rings is not None and rings.halted) or (here is not None and here.halted),
        approved_by=form.approved_by,
    )


def ticket_of(trusted: Trusted, number: int) -> Ticket:
    """A ticket of this box. BadChannel: it makes no sense."""
    path = ticket_path(trusted.box, number)
    form = parse_ticket(trusted.read(trusted.listed[path], MOST_TICKET_BYTES), path)
    manifest, signature = trusted.bundle(form.to_bundle)
    line, recipe, role = form.channel.split("/")
    return Ticket(
        box=form.box,
        number=form.n,
        line=line,
        recipe=recipe,
        role=role,
        from_seq=form.from_seq,
        to_bundle=form.to_bundle,
        manifest=manifest,
        signature=signature,
        expires=form.expires,
        reason=form.reason,
        approved_by=form.approved_by,
    )
