"""Something is given back once, whoever comes to it first."""

import threading
from collections.abc import Callable


def once(action: Callable[[], None]) -> Callable[[], None]:
    """Return what does the action at its first call and nothing after. Any thread."""
    first = threading.Lock()

    def act() -> None:
        if first.acquire(blocking=False):
            action()

    return act
