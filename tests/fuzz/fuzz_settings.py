"""The settings of the box: TOML that people type, restore and send."""

from okng.bus.errors import BadSettings
from okng.settings import read_settings

from .files import file_of, said_of

_WHOLE = b"""
recipe = "recipe.yaml"
[box]
name = "box7"
[jobs]
2 = "two.yaml"
[camera.top]
producer = "x.cti"
serial = "SIM-1"
[plc]
host = "127.0.0.1"
port = 1502
[records]
store = "store"
[web]
host = "0.0.0.0"
tls_certificate = "a"
tls_key = "b"
[mqtt]
host = "broker"
[opcua]
[sync]
target = "s3://bucket/prefix"
every_s = 1.5
"""


def seeds() -> list[bytes]:
    """A whole one, and pieces that grow."""
    return [
        _WHOLE,
        b'recipe = "r"\n[camera.a]\n[records]\nstore = "s"\n',
        b"a = " + b"[" * 2000,
        b"a." * 500 + b"b = 1",
        b"a=" + b"9" * 5000,
    ]


def one(data: bytes) -> None:
    """Nothing but a complaint in words."""
    try:
        read_settings(file_of("okng.toml", data))
    except BadSettings as error:
        said_of("okng.toml", error)
