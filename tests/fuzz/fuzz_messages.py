"""Messages of the bus: who may open its sockets is trusted, and still nobody is to be ended by a frame of bytes."""

from okng.bus.channel import MESSAGES, decode, encode
from okng.bus.messages import CameraState, Hold, WebState


def seeds() -> list[bytes]:
    """Some messages, name and body in one."""
    made = [Hold("opcua", True, "x"), WebState("2026-01-01", 3, True)]
    assert CameraState in MESSAGES.values()
    return (
        [b"\0".join(encode(one)) for one in made]
        + [name + b"\0\x80" for name in MESSAGES]
        + [b"Hold\0" + b"\x91" * 3000]
    )


def one(data: bytes) -> None:
    """ValueError, or a message of the kinds there are."""
    name, _, body = data.partition(b"\0")
    try:
        found = decode([name, body])
    except ValueError:
        return
    assert type(found) in MESSAGES.values()
