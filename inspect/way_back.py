"""The model before the last swap stays at hand, after a restart too: the line can go back to it within one part."""

import gc
import logging
from pathlib import Path

from ..bus.clock import SECOND
from ..bus.ladder import ChallengerOrder, Role
from .bench import LAST_GOOD_NS, Bench
from .last_good import LastGood, read_last_good, write_last_good
from .memory import lacks_memory
from .trial import Loading

_LOG = logging.getLogger(__name__)
MEMORY_EVERY_NS = 10 * SECOND


class WayBack:
    """What is kept, and what is to be loaded again. One thread."""

    def __init__(self, bench: Bench, run_dir: Path) -> None:
        self._bench, self._run_dir = bench, run_dir
        self._lost = read_last_good(run_dir)  # what a process before this one had at hand
        self._exchanged = bench.exchanged
        self._memory_due_ns = self._until_ns = 0

    def turn(self, at_ns: int) -> None:
        """Write down what judged before the last swap, and let go of it where memory is short."""
        exchanged, active = self._bench.exchanged, self._bench.active
        if exchanged is not self._exchanged:
            self._exchanged = exchanged
            if exchanged is not None:
                old, new = exchanged
                where = (active.number, active.job.revision, new.digest, old.digest, old.folder)
                write_last_good(self._run_dir, LastGood(*where, at_ns + LAST_GOOD_NS))
        if at_ns >= self._memory_due_ns:
            self._memory_due_ns = at_ns + MEMORY_EVERY_NS
            if self._bench.last_good is not None and (why := lacks_memory()):
                self._bench.forget_last_good(why)
                write_last_good(self._run_dir, None)

    def missing(self, at_ns: int) -> ChallengerOrder | None:
        """What is to be loaded again, once, because a process before this one had it at hand; None: nothing."""
        lost, active = self._lost, self._bench.active
        if lost is None or (lost.job, lost.revision) != (active.number, active.job.revision):
            return None
        if lost.replaces not in active.digests:
            return None
        self._lost = None
        if self._bench.last_good is not None or at_ns >= lost.until_ns:
            return None
        if why := lacks_memory():
            _LOG.warning("the model before, %.12s, is not loaded again: %s", lost.bundle, why)
            return None
        _LOG.info("loading the model before, %.12s, to go back to", lost.bundle)
        self._until_ns = lost.until_ns
        return ChallengerOrder(0, lost.job, lost.revision, lost.bundle, lost.folder, lost.replaces, Role.NONE)

    def loaded(self, done: Loading) -> None:
        """Take what was missing."""
        if done.refusal:
            _LOG.error("the model before, %.12s, cannot be loaded again: %s", done.order.bundle, done.refusal)
        elif done.made is not None and done.base is self._bench.active:
            gc.freeze()
            self._bench.keep_last_good(done.made, self._until_ns)
