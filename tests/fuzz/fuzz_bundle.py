"""A bundle's manifest, a channel and a signature, as a store hands them over."""

import contextlib
import json

from okng.bus.errors import BadBundle
from okng.bus.outside import parsed_json
from okng.fleet.pull import stands_at
from okng.fleet.signing import _signed
from okng.fleet.stores import BadObject
from okng.models.manifest import parse

from .files import said_of

_DIGEST = "ab" * 32


class _Store:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_from(self, _key: str, start: int) -> list[bytes]:
        return [self._data[start:]]


def seeds() -> list[bytes]:
    """What such files look like."""
    manifest = {
        "format": 1,
        "name": "x",
        "version": "1",
        "check": "0" * 64,
        "files": {"model.onnx": {"sha256": _DIGEST, "size": 3}},
        "input": {"width": 64, "height": 64, "channels": 3},
        "threshold": 0.5,
    }
    channel = {"bundle": _DIGEST, "signature": {"sha256": _DIGEST, "size": 10}}
    envelope = {"dsseEnvelope": {"payload": "eyJwcmVkaWNhdGUiOnsicmVzb3VyY2VzIjpbXX19"}}
    kinds = [manifest, channel, envelope]
    texts = [json.dumps(kind, sort_keys=True, separators=(",", ":")).encode() for kind in kinds]
    return [
        *texts,
        b"[" * 5000,
        b'{"a":' * 2000,
        b'{"files": {"../../x": {}}}',
        b'{"size": 1e999}',
        b"\xff",
        b"9" * 5000,
    ]


def one(data: bytes) -> None:
    """Each parser refuses in its own words."""
    try:
        parse(data, "manifest")
    except BadBundle as error:
        said_of("manifest", error)
    with contextlib.suppress(BadObject):
        stands_at(_Store(data), "line1")  # type: ignore[arg-type]
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):  # as `signing.verify` guards it
        _signed(parsed_json(data))
