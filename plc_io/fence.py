"""Of two judges that speak, the one that took the seat last is believed.

The kernel gives the seat to one process at a time (`inspect/standby_seat.py`), so what comes from an earlier judge is a
message that was on its way when that one died, or the word of one that should be dead.
"""


class Fence:
    """Remembers the latest judge that was heard. `judge_ns` is a moment of CLOCK_MONOTONIC: later means after."""

    def __init__(self) -> None:
        self._judge_ns = 0

    def admits(self, judge_ns: int, now_ns: int) -> bool:
        """True: no later judge has spoken. A later one than before shuts out all earlier ones.

        A seat taken in the future is nobody's: believed, it would shut out every true judge.
        """
        if not self._judge_ns <= judge_ns <= now_ns:
            return False
        self._judge_ns = judge_ns
        return True
