"""What people sign of a channel: which bundle is champion or challenger, tickets, and the keys themselves.

root      2 of 3 offline keys, 10 years   names all others
targets   offline, 1 year                 pointers, bundles, tickets; hands `rings/*` to the service's key
rings, snapshot, timestamp                online, with the service (`fleet/rings.py`)

A person who has no online keys puts the new list of targets on the shelf; the service takes it up at its next refresh.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tuf.api.metadata import DelegatedRole, Delegations, Root, Snapshot, TargetFile, Targets, Timestamp

from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey
from .channel_format import (
    RINGS_ROLE,
    ROLES,
    BadChannel,
    PointerForm,
    RingForm,
    TicketForm,
    check_name,
    manifest_path,
    moment,
    parse_pointer,
    parse_ticket,
    pointer_path,
    signature_path,
    text_of,
    ticket_path,
    when,
)
from .channel_published import all_roots, read_published, target_bytes
from .channel_shelf import Shelf, metadata_key, target_key
from .rings import RINGS_DAYS, SNAPSHOT_DAYS, TIMESTAMP_DAYS, OnlineKeys, meta_of, signed_by

ROOT_DAYS, TARGETS_DAYS, TICKET_DAYS, MOST_TICKET_DAYS = 3650, 365, 7, 30
ROOT_KEYS, ROOT_THRESHOLD = 3, 2
_MOST_TARGETS_BYTES = 4 << 20
"""The client takes 5 MB."""
_MOST_TRIES = 10


@dataclass(frozen=True, slots=True)
class Pinning:
    """What ties a bundle to the channel: the bytes that are signed over."""

    digest: str
    manifest: bytes
    signature: bytes


def begin(shelf: Shelf, roots: Sequence[Any], targets: Any, online: OnlineKeys, now: datetime) -> bytes:
    """Begin a channel on an empty shelf; return its first root: what is pinned on every box.

    roots: three signers, all of which sign. BadChannel: there is a channel already.
    """
    if shelf.read(metadata_key("root", 1)) is not None or shelf.read(metadata_key("timestamp")) is not None:
        raise BadChannel("a channel is there already")
    if len({one.public_key.keyid for one in roots}) != ROOT_KEYS:
        raise BadKey(f"root: {len(roots)} keys: expected {ROOT_KEYS} different ones")
    root = Root(expires=_in(now, ROOT_DAYS), consistent_snapshot=True)
    for one in roots:
        root.add_key(one.public_key, "root")
    root.roles["root"].threshold = ROOT_THRESHOLD
    for name, one in (("targets", targets), ("snapshot", online.snapshot), ("timestamp", online.timestamp)):
        root.add_key(one.public_key, name)
    first = signed_by(root, *roots)
    listed = Targets(1, expires=_in(now, TARGETS_DAYS), delegations=_delegations(online.rings.public_key))
    rings = Targets(1, expires=_in(now, RINGS_DAYS))
    snapshot = Snapshot(1, expires=_in(now, SNAPSHOT_DAYS))
    parts = {"root": first, "targets": signed_by(listed, targets), RINGS_ROLE: signed_by(rings, online.rings)}
    snapshot.meta["targets.json"] = meta_of(listed, parts["targets"])
    snapshot.meta[f"{RINGS_ROLE}.json"] = meta_of(rings, parts[RINGS_ROLE])
    parts["snapshot"] = signed_by(snapshot, online.snapshot)
    stamp = Timestamp(1, expires=_in(now, TIMESTAMP_DAYS), snapshot_meta=meta_of(snapshot, parts["snapshot"]))
    for name, data in parts.items():
        if not shelf.add(metadata_key(name, 1), data):
            raise BadChannel(f"{metadata_key(name, 1)}: another one is there already")
    if not shelf.swap(metadata_key("timestamp"), None, signed_by(stamp, online.timestamp)):
        raise BadChannel("another channel was begun here at the same time")
    return first


class Repository:
    """A channel, for those who hold its offline keys."""

    def __init__(self, shelf: Shelf, pinned: bytes, clock: Callable[[], datetime] = believed_now) -> None:
        """pinned: the channel's first root, or a later one, from a place that whoever holds the shelf cannot write to.

        Without it a thief of the shelf could have a list of his own signed anew.
        """
        self._shelf, self._pinned, self._clock = shelf, pinned, clock

    def publish(
        self,
        pinning: Pinning,
        line: str,
        recipe: str,
        role: str,
        plan: Sequence[RingForm],
        approved_by: str,
        signer: Any,
        rules: Mapping[str, float] | None = None,
    ) -> PointerForm:
        """Let a role of a recipe point at a bundle, under the next number; return the pointer.

        The bundle's files must lie on the shelf already. BadChannel: a name or the plan is wrong. BadKey: the signer is
        not the one whom the root names for targets. StoreLost.
        """
        made: list[PointerForm] = []

        def change(listed: Targets) -> None:
            there: dict[str, PointerForm] = {one.role: one for one in self._pointers(listed, line, recipe)}
            before = there.get(role)
            form: dict[str, Any] = {"line": line, "recipe": recipe, "role": role, "bundle": pinning.digest}
            form |= {"seq": max((one.seq for one in there.values()), default=0) + 1}
            form |= {"previous": None if before is None else before.bundle, "plan": list(plan)}
            form |= {"rules": dict(rules or {}), "at": moment(self._clock()), "approved_by": approved_by}
            made[:] = [PointerForm.model_validate(form)]
            self._put(listed, manifest_path(pinning.digest), pinning.manifest)
            self._put(listed, signature_path(pinning.digest), pinning.signature)
            self._put(listed, pointer_path(line, recipe, role), text_of(made[0]))

        self._sign(change, signer)
        return made[0]

    def ticket(
        self,
        box: str,
        channel: str,
        to_bundle: str,
        reason: str,
        approved_by: str,
        signer: Any,
        days: float = TICKET_DAYS,
        from_seq: int | None = None,
    ) -> TicketForm:
        """Let one box go down once, to a bundle that was published before; return the ticket.

        channel: `<line>/<recipe>/<role>`. from_seq: what the box must have trusted last; None: what is published now.
        BadChannel: no such channel or bundle, or a ticket of more than 30 days.
        """
        if not 0 < days <= MOST_TICKET_DAYS:
            raise BadChannel(f"ticket of {days:g} days: expected above 0, at most {MOST_TICKET_DAYS}")
        made: list[TicketForm] = []

        def change(listed: Targets) -> None:
            path = f"{channel}.json"
            if path not in listed.targets:
                raise BadChannel(f"{path}: is not published")
            if manifest_path(to_bundle) not in listed.targets:
                raise BadChannel(f"{manifest_path(to_bundle)}: was never published, or is forgotten")
            pointer = parse_pointer(target_bytes(self._shelf, listed.targets[path]), path)
            own = [int(one.rpartition("/")[2][:-5]) for one in listed.targets if one.startswith(f"tickets/{box}/")]
            form: dict[str, Any] = {"box": check_name(box, "box"), "n": max(own, default=0) + 1, "channel": channel}
            form |= {"from_seq": pointer.seq if from_seq is None else from_seq, "to_bundle": to_bundle}
            form |= {"expires": moment(self._clock() + timedelta(days=days)), "reason": reason}
            made[:] = [TicketForm.model_validate({**form, "approved_by": approved_by})]
            self._put(listed, ticket_path(box, made[0].n), text_of(made[0]))

        self._sign(change, signer)
        return made[0]

    def renew(self, signer: Any, rings_key: Any | None = None) -> int:
        """Sign the same list of targets for another year; return its number. rings_key: the service's new one."""

        def change(listed: Targets) -> None:
            if rings_key is not None:
                listed.delegations = _delegations(rings_key)

        return self._sign(change, signer)

    def rotate(
        self,
        signers: Sequence[Any],
        new_roots: Sequence[Any] | None = None,
        new_keys: Mapping[str, Any] | None = None,
        targets: Any | None = None,
    ) -> bytes:
        """Publish the next root, for another ten years; return it.

        signers: at least two of the old root's. new_roots: three signers that take the place of the old ones. new_keys:
        public keys by role, `targets`, `snapshot`, `timestamp`. targets: signer of the new key, which then signs the
        list of targets anew; needed where that key changes. That list is signed as it lies there: if the old key was in
        other hands, look at it first (`pointers`, `tickets`). Call again what was cut off in between.
        BadKey: too few of the old or new keys sign. BadChannel: others were quicker.
        """
        roots = all_roots(self._shelf, self._pinned)
        old = roots[-1]
        root = copy.deepcopy(old)
        root.version, root.expires = old.version + 1, _in(self._clock(), ROOT_DAYS)
        if new_roots is not None:
            if len({one.public_key.keyid for one in new_roots}) != ROOT_KEYS:
                raise BadKey(f"root: {len(new_roots)} keys: expected {ROOT_KEYS} different ones")
            _replace(root, "root", [one.public_key for one in new_roots])
        for role, key in (new_keys or {}).items():
            _replace(root, role, [key])
        if "targets" in (new_keys or {}) and targets is None:
            raise BadKey("targets: its key changes: expected the new one, to sign what it vouches for")
        sound = [one for one in signers if one.public_key.keyid in old.roles["root"].keyids]
        if (count := len({one.public_key.keyid for one in sound})) < ROOT_THRESHOLD:
            raise BadKey(f"root: {count} of its keys sign: expected {ROOT_THRESHOLD} of {ROOT_KEYS}")
        data = signed_by(root, *_each_once([*sound, *(new_roots or ())]))
        if not self._shelf.add(metadata_key("root", root.version), data):
            raise BadChannel(f"{metadata_key('root', root.version)}: is there already: somebody else signed it")
        if targets is not None:
            self._sign(lambda listed: None, targets, by=roots)
        return data

    def pointers(self, line: str | None = None) -> tuple[PointerForm, ...]:
        """All signed pointers, or those of a line. BadChannel, StoreLost."""
        listed = read_published(self._shelf, self._pinned).targets
        return tuple(one for one in self._pointers(listed) if line in (None, one.line))

    def tickets(self) -> tuple[TicketForm, ...]:
        """All tickets that are signed now. BadChannel, StoreLost."""
        listed = read_published(self._shelf, self._pinned).targets
        paths = sorted(path for path in listed.targets if path.startswith("tickets/"))
        return tuple(parse_ticket(target_bytes(self._shelf, listed.targets[path]), path) for path in paths)

    def _pointers(self, listed: Targets, line: str | None = None, recipe: str | None = None) -> Iterable[PointerForm]:
        for path, entry in sorted(listed.targets.items()):
            parts = path.split("/")
            named = len(parts) == 3 and parts[2].removesuffix(".json") in ROLES
            if named and line in (None, parts[0]) and recipe in (None, parts[1]):
                yield parse_pointer(target_bytes(self._shelf, entry), path)

    def _put(self, listed: Targets, path: str, data: bytes) -> None:
        target = TargetFile.from_data(path, data)
        if not self._shelf.add(target_key(target), data):
            raise BadChannel(f"{target_key(target)}: other bytes lie there")
        listed.targets[path] = target

    def _sign(self, change: Callable[[Targets], None], signer: Any, by: Sequence[Root] = ()) -> int:
        """Change the newest list of targets and put it on the shelf under the next number; return that."""
        for _ in range(_MOST_TRIES):
            now = read_published(self._shelf, self._pinned, by)
            listed = now.targets
            if signer.public_key.keyid not in now.root.roles["targets"].keyids:
                raise BadKey("this is not the key that the channel's root names for targets")
            try:
                change(listed)
            except ValueError as error:
                raise BadChannel(f"cannot be published: {error}") from error
            self._drop_spent(listed)
            listed.version, listed.expires = listed.version + 1, _in(self._clock(), TARGETS_DAYS)
            data = signed_by(listed, signer)
            if len(data) > _MOST_TARGETS_BYTES:
                raise BadChannel(
                    f"targets: {len(data)} bytes: expected at most {_MOST_TARGETS_BYTES}: too many bundles"
                )
            if self._shelf.add(metadata_key("targets", listed.version), data):
                return int(listed.version)
        raise BadChannel(f"targets: others signed {_MOST_TRIES} times in between: try again")

    def _drop_spent(self, listed: Targets) -> None:
        """Tickets that ran out leave the list, all but the newest of a box: its number is what the next counts from."""
        now = self._clock()
        newest: dict[str, int] = {}
        for path in listed.targets:
            if path.startswith("tickets/"):
                _, box, name = path.split("/")
                newest[box] = max(newest.get(box, 0), int(name[:-5]))
        for path in [one for one in listed.targets if one.startswith("tickets/")]:
            form = parse_ticket(target_bytes(self._shelf, listed.targets[path]), path)
            if when(form.expires) < now and form.n != newest[form.box]:
                del listed.targets[path]


def _delegations(key: Any) -> Delegations:
    role = DelegatedRole(RINGS_ROLE, [key.keyid], 1, terminating=True, paths=[f"{RINGS_ROLE}/*"])
    return Delegations({key.keyid: key}, {RINGS_ROLE: role})


def _replace(root: Root, role: str, keys: Sequence[Any]) -> None:
    for keyid in list(root.roles[role].keyids):
        root.revoke_key(keyid, role)
    for key in keys:
        root.add_key(key, role)


def _each_once(signers: Sequence[Any]) -> list[Any]:
    return list({one.public_key.keyid: one for one in signers}.values())


def _in(now: datetime, days: float) -> datetime:
    return now.replace(microsecond=0) + timedelta(days=days)
