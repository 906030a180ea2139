"""What a channel says and the metadata it comes with: pointers, tickets, rings, a published set, what is remembered."""

import contextlib
import json
import logging

from okng.fleet.channel_format import (
    BadChannel,
    OpenForm,
    PointerForm,
    RingForm,
    RingsForm,
    TicketForm,
    parse_pointer,
    parse_rings,
    parse_ticket,
    text_of,
)
from okng.fleet.channel_memory import FILE, Memory
from okng.fleet.channel_published import holds, parsed, read_published
from okng.fleet.channel_shelf import metadata_key

from .files import empty_folder, said_of

logging.getLogger("okng.fleet.channel_memory").setLevel(logging.ERROR)
_DIGEST = "ab" * 32
_ROLES = ("root", "timestamp", "snapshot", "targets", "rings")


class _Shelf:
    """One file under every name."""

    def __init__(self, data: bytes) -> None:
        self._data, self._left = data, 30

    def read(self, key: str) -> bytes | None:
        self._left -= 1
        return self._data if self._left > 0 and key != metadata_key("root", 2) else None

    def add(self, key: str, data: bytes) -> bool:
        return False

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        return False


def seeds() -> list[bytes]:
    """What such files look like."""
    at, plan = "2026-11-27T08:00:00Z", (RingForm(ring="pilot"),)
    pointer = {"line": "l7", "recipe": "cap", "role": "champion", "bundle": _DIGEST, "seq": 3, "plan": plan, "at": at}
    ticket = {"box": "b1", "n": 1, "channel": "l7/cap/champion", "from_seq": 2, "to_bundle": _DIGEST, "expires": at}
    told = {"reason": "r", "approved_by": "me"}
    forms = [
        PointerForm.model_validate({**pointer, "approved_by": "me", "rules": {"a": 1.5}}),
        TicketForm.model_validate({**ticket, **told}),
        RingsForm(line="l7", members={"pilot": ("b1",)}, open={"cap/champion": OpenForm(seq=3, rings=("pilot",))}),
    ]
    key = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": _DIGEST}}
    common = {"spec_version": "1.0.31", "version": 1, "expires": at}
    roles = {name: {"keyids": ["k"], "threshold": 1} for name in _ROLES[:-1]}
    root = {"_type": "root", **common, "keys": {"k": key}, "roles": roles, "consistent_snapshot": True}
    files = {"targets.json": {"version": 1, "length": 10, "hashes": {"sha256": _DIGEST}}, "rings.json": {"version": 1}}
    handed = {"name": "rings", "keyids": ["k"], "threshold": 1, "terminating": True, "paths": ["rings/*"]}
    targets = {"_type": "targets", **common, "targets": {"a/b": {"length": 3, "hashes": {"sha256": _DIGEST}}}}
    targets["delegations"] = {"keys": {"k": key}, "roles": [handed]}
    signed = [
        root,
        {"_type": "timestamp", **common, "meta": {"snapshot.json": {"version": 1}}},
        {"_type": "snapshot", **common, "meta": files},
        targets,
    ]
    metadata = [{"signed": one, "signatures": [{"keyid": "k", "sig": "00"}]} for one in signed]
    remembered = {"box": "b1", "seen": at, "standing": {"offers": [], "fresh_until": at, "targets_version": 1}}
    texts = [json.dumps(one, sort_keys=True, separators=(",", ":")).encode() for one in (*metadata, remembered)]
    return [*(text_of(form) for form in forms), *texts, b"[" * 5000, b'{"a":' * 2000, b"\xff", b'{"seq": 1e999}']


def one(data: bytes) -> None:
    """Each parser refuses in its own words."""
    for parse, path in (
        (parse_pointer, "l7/cap/champion.json"),
        (parse_ticket, "tickets/b1/1.json"),
        (parse_rings, "rings/l7.json"),
    ):
        try:
            parse(data, path)
        except BadChannel as error:
            said_of(path, error)
    from tuf.api.metadata import Root, Snapshot, Targets, Timestamp

    for kind, name in ((Root, "root"), (Timestamp, "timestamp"), (Snapshot, "snapshot"), (Targets, "targets")):
        with contextlib.suppress(BadChannel):
            found = parsed(kind, data, name)
            if isinstance(found, Root):
                holds(found, name, data)
    with contextlib.suppress(BadChannel):
        read_published(_Shelf(data))
    folder = empty_folder("channel")
    (folder / FILE).write_bytes(data)
    Memory(folder, "b1")
