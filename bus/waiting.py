"""Waiting at several doors at once."""

from collections.abc import Sequence

import zmq

from .channel import AskDoor, Asker, EntryReceiver, Subscriber


def wait_any(doors: Sequence[AskDoor | Asker | EntryReceiver | Subscriber], timeout_ms: int) -> bool:
    """True as soon as something has come at one of them; False: nothing did within timeout_ms."""
    poller = zmq.Poller()
    for door in doors:
        poller.register(door.socket, zmq.POLLIN)
    return bool(poller.poll(timeout_ms))
