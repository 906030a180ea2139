"""The news: the last word on each topic, for any number of readers. A slow reader skips, nobody waits for it."""

import threading
from collections.abc import Mapping
from typing import Any


class News:
    """Latest payload by topic. Any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._serial = 0
        self._topics: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self._closed = False

    def put(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Replace what was said on the topic."""
        with self._changed:
            self._serial += 1
            self._topics[topic] = (self._serial, payload)
            self._changed.notify_all()

    def latest(self, topic: str) -> Mapping[str, Any] | None:
        """The last word on a topic, None before the first."""
        with self._changed:
            entry = self._topics.get(topic)
            return entry[1] if entry else None

    def since(self, serial: int, timeout_s: float) -> tuple[int, list[tuple[str, Mapping[str, Any]]]]:
        """Wait for news after serial (0: everything). Returns the new serial and (topic, payload) in order.

        An empty list: nothing new in timeout_s, or closed.
        """
        with self._changed:
            if self._serial <= serial and not self._closed:
                self._changed.wait(timeout_s)
            fresh = sorted((at, topic) for topic, (at, _) in self._topics.items() if at > serial)
            return self._serial, [(topic, self._topics[topic][1]) for _, topic in fresh]

    @property
    def closed(self) -> bool:
        """True: nothing more will come."""
        return self._closed

    def close(self) -> None:
        """Wake all readers for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
