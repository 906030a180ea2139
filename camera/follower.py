"""Which job a camera has to be set up for: io's orders, held against what the recipe on this disk says."""

from collections.abc import Callable

from ..bus.errors import Refused
from ..bus.messages import JobOrder, JobPhase
from .profiles import Setup

ReadSetup = Callable[[int], Setup]
"""Reads the setup of a job afresh. Refused: there is no such job, or its recipe is wrong."""
_Asked = tuple[str, int, JobPhase, int, str]


class Follower:
    """Follows the orders of io for one camera. It only says what is to be done; the process does it."""

    def __init__(self, setup: Setup, read: ReadSetup | None) -> None:
        """setup: what the camera is set up for now. read: None where there are no jobs."""
        self.setup = setup
        self._read = read
        self._refused: tuple[_Asked, str] | None = None

    def next_setup(self, order: JobOrder) -> Setup | None:
        """What the camera has to be set up for, and is not yet; None: nothing is to be done.

        Refused: it cannot be, with the reason. The same order again is refused without another try.
        """
        number, job = order.number, order.job
        if order.phase is JobPhase.PREPARE and order.next_job is not None:
            number, job = order.next_number, order.next_job
        if (number, job.revision) == (self.setup.number, self.setup.revision):
            return None
        asked = order.epoch, order.change, order.phase, number, job.revision
        if self._refused is not None and self._refused[0] == asked:
            raise Refused(self._refused[1])
        try:
            return self._setup_of(number, job.revision)
        except Refused as error:
            self.refuse(order, str(error))
            raise

    def refuse(self, order: JobOrder, reason: str) -> None:
        """Remember that this order cannot be followed."""
        prepares = order.phase is JobPhase.PREPARE and order.next_job is not None
        number = order.next_number if prepares else order.number
        revision = order.next_job.revision if prepares and order.next_job is not None else order.job.revision
        self._refused = (order.epoch, order.change, order.phase, number, revision), reason

    def _setup_of(self, number: int, revision: str) -> Setup:
        if self._read is None:
            raise Refused("this camera process was started without a table of jobs")
        found = self._read(number)
        if found.revision != revision:
            raise Refused(
                f"the recipe of job {number} reads as revision {found.revision} here, io reads {revision}: "
                "it was changed meanwhile, ask again"
            )
        return found
