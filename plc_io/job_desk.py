"""What the io process does for a job change: recipes are read, the number is kept, orders are repeated.

It also knows where the bundles of the active job lie, so that whoever starts again loads what io goes by.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..bus.active_job import keep_job
from ..bus.clock import MS, SECOND
from ..bus.errors import OkngError, Refused
from ..bus.messages import BundleAt, Job, JobOrder

_LOG = logging.getLogger(__name__)
ORDER_NS, ORDER_CHANGING_NS = 250 * MS, 100 * MS
"""So often the order is repeated, and while the job is changed."""
LOOK_NS = 2 * SECOND
"""So often it is looked whether what the job lacked is there now."""


def nothing() -> str:
    """No signature is asked for."""
    return ""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """A job as its recipe says."""

    job: Job
    blockers: tuple[str, ...] = ()
    """Why READY must stay off while this job is active, whatever else is well: its commissioning check."""
    lacks: Callable[[], str] = nothing
    """Why READY must stay off by it now, and may come once that has changed: a signature. May read files."""
    bundles: tuple[BundleAt, ...] = ()
    """Its bundles, as its recipe's links led to them."""


@dataclass(frozen=True, slots=True)
class Place:
    """One bundle takes the place of another in a job."""

    replaces: str
    """Digest of the one before."""
    bundle: str
    """Digest of the one that comes."""
    folder: str
    """Where it lies."""


@dataclass(frozen=True, slots=True)
class JobTable:
    """The jobs of this box, for io."""

    number: int
    """The one to begin with."""
    first: ReadJob
    """The same, read."""
    numbers: frozenset[int]
    """All there are to change to."""
    read: Callable[[int], ReadJob]
    """Reads the recipe of a job afresh; called in a thread. OkngError: it cannot be had."""


class JobDesk:
    """The files and the clock of the job dialogue. One event loop."""

    def __init__(self, table: JobTable | None, run_dir: Path) -> None:
        """table: None where io was started for one job only."""
        self._table, self._run_dir = table, run_dir
        self._ordered: JobOrder | None = None
        self._ordered_ns = 0
        self._reading: set[asyncio.Task[None]] = set()
        self._known: dict[tuple[int, Job], ReadJob] = {}  # the active job and the next
        self._first: tuple[int, Job] | None = None
        self._lacking = ""
        self._looked_ns: int | None = None
        self._looking = False
        if table is not None:
            self._first = table.number, table.first.job
            self._known[self._first] = table.first
            self._lacking = table.first.lacks()

    def is_due(self, order: JobOrder, at_ns: int, *, changing: bool) -> bool:
        """True when the order has to be said, now."""
        every_ns = ORDER_CHANGING_NS if changing else ORDER_NS
        if order == self._ordered and at_ns - self._ordered_ns < every_ns:
            return False
        self._ordered, self._ordered_ns = order, at_ns
        return True

    def blockers(self, number: int, job: Job) -> tuple[str, ...]:
        """Why READY must stay off while this very job is active."""
        read = self._known.get((number, job))
        known = () if read is None else read.blockers
        if not self._lacking or (number, job) != self._first:
            return known
        return (*known, self._lacking)

    def with_bundles(self, order: JobOrder) -> JobOrder:
        """The order, and where the bundles of its job lie."""
        read = self._known.get((order.number, order.job))
        return order if read is None or not read.bundles else replace(order, bundles=read.bundles)

    def check_swap(self, number: int, job: Job, place: Place) -> None:
        """Refused: the job has no bundle of that digest."""
        read = self._known.get((number, job))
        has = [each.digest for each in read.bundles] if read is not None else []
        if has and place.replaces not in has:
            known = ", ".join(digest[:12] for digest in has)
            raise Refused(f"model.swap: replaces = {place.replaces[:12]}: expected a bundle of job {number}: {known}")

    def swapped(self, number: int, old: Job, new: Job, place: Place) -> None:
        """The active job goes by another model: what held of it still holds."""
        read = self._known.pop((number, old), ReadJob(old))
        bundles = tuple(
            replace(each, digest=place.bundle, folder=place.folder) if each.digest == place.replaces else each
            for each in read.bundles
        )
        self._known[number, new] = replace(read, job=new, bundles=bundles)
        if self._first == (number, old):
            self._first = number, new

    def look(self, at_ns: int) -> None:
        """Look in a thread whether what the job lacked that the box came up with is there by now."""
        if not self._lacking or self._looking or (self._looked_ns is not None and at_ns - self._looked_ns < LOOK_NS):
            return
        self._looked_ns, self._looking = at_ns, True
        task = asyncio.get_running_loop().create_task(self._look_again())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def read(self, change: int, number: int, told: Callable[[int, Job | str], None]) -> None:
        """Read the recipe of a job in a thread: a disk that hangs costs the change-over, not the heartbeat.

        told: gets the number of the change-over and the job, or why it cannot be had, in this loop.
        """
        task = asyncio.get_running_loop().create_task(self._read(change, number, told))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def keep(self, number: int) -> str:
        """Write down which job whoever starts again has to come up with; return why it cannot be, empty: it is."""
        try:
            keep_job(self._run_dir, number)
        except OSError as error:
            reason = f"the number of the active job cannot be written: {error}"
            _LOG.error("%s", reason)
            return reason
        return ""

    async def _read(self, change: int, number: int, told: Callable[[int, Job | str], None]) -> None:
        table = self._table
        if table is None:
            told(change, "io was started without a table of jobs")
            return
        try:
            found = await asyncio.to_thread(table.read, number)
        except OkngError as error:
            told(change, str(error))
        except Exception as error:  # noqa: BLE001 - outermost frame of the thread: the change-over is refused
            _LOG.exception("the recipe of job %d", number)
            told(change, f"the recipe of job {number} cannot be read: {error}")
        else:
            self._remember(number, found)
            told(change, found.job)

    async def _look_again(self) -> None:
        try:
            if self._table is not None:
                self._lacking = await asyncio.to_thread(self._table.first.lacks)
        finally:
            self._looking = False

    def _remember(self, number: int, found: ReadJob) -> None:
        """The active job stays known: it may be taken back."""
        ordered = self._ordered
        kept = None if ordered is None else (ordered.number, ordered.job)
        self._known = {key: why for key, why in self._known.items() if key == kept}
        self._known[number, found.job] = found
