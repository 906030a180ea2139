"""Models this process is not trusted with yet: were it to die now, it would have died with them (`bus/carried.py`)."""

from pathlib import Path

from ..bus.carried import WINDOW_NS, put_down
from .inspector import Inspector


class Trust:
    """What is written down of this process. One thread; the loader has written it down before it began."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._carried: dict[str, int] = {}  # by digest: until when, once it decides; 0: it does not

    def carries(self, bundle: str) -> None:
        """It was loaded for trial, or the loading came to nothing."""
        self._carried[bundle] = 0

    def turn(self, at_ns: int, active: Inspector, on_trial: Inspector | None) -> None:
        """Strike out what this process has let go of, or has judged by for ten minutes."""
        for bundle, until_ns in list(self._carried.items()):
            if on_trial is not None and bundle in on_trial.digests:
                continue
            decides = bundle in active.digests
            if decides and until_ns == 0:
                self._carried[bundle] = at_ns + WINDOW_NS
            elif not decides or at_ns >= until_ns:
                del self._carried[bundle]
                put_down(self._run_dir, bundle)

    def end(self) -> None:
        """The process ends by its own will: nobody has died of anything."""
        put_down(self._run_dir)
