"""Loading a model on trial, beside the judge's thread; and which orders concern a job."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from ..bus.carried import MOST_DEATHS, carry, deaths
from ..bus.errors import OkngError
from ..bus.ladder import ChallengerOrder, Role
from .inspector import Inspector

_LOG = logging.getLogger(__name__)


class Loading(threading.Thread):
    """One model on trial being loaded in the place of one of the active job's."""

    def __init__(self, base: Inspector, order: ChallengerOrder, run_dir: Path, give_way: Callable[[], None]) -> None:
        """order: of Role.NONE for one that has judged before and is trusted. give_way: the judge has time to spare."""
        super().__init__(name="trial-loader", daemon=True)
        self.base, self.order, self._run_dir, self._give_way = base, order, run_dir, give_way
        self.made: Inspector | None = None
        self.refusal = ""

    def run(self) -> None:
        """Load; what goes wrong is a refusal."""
        bundle = self.order.bundle
        try:
            if self.order.role is not Role.NONE:
                died = deaths(self._run_dir, bundle)
                if died >= MOST_DEATHS:
                    self.refusal = f"{died} processes have died within ten minutes with it loaded"
                    return
                carry(self._run_dir, bundle)
            self.made = self.base.twin(self.order.replaces, Path(self.order.folder), bundle, self._give_way)
        except OkngError as error:
            self.refusal = str(error)
        except Exception as error:  # noqa: BLE001 - outermost frame of the thread: the model is refused
            _LOG.exception("loading model %.12s", bundle)
            self.refusal = f"it cannot be loaded: {type(error).__name__}: {error}"


def is_for(order: ChallengerOrder, active: Inspector) -> bool:
    """The order is of the job that is judged by."""
    return order.role is not Role.NONE and (order.job, order.recipe) == (active.number, active.job.revision)


def concerns(order: ChallengerOrder, active: Inspector) -> bool:
    """The order is of the job that is judged by, and of a model it has."""
    return is_for(order, active) and order.replaces in active.digests and order.bundle != order.replaces
