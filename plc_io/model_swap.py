"""One model takes the place of another between two parts, pure: which of them judges which part.

    sync                                io                                   inspect
    1 writes down what it is about
    2 asks `model.swap` ──────────────► 3 is inspect ready with it?
                                        4 job.model is the new one, for
                                          what is triggered from since_ns
                                        5 JobOrder ────────────────────────► 6 judges each part by the model
                                        7 answers                              of its trigger; keeps both
    8 switches the slot on the disk
    9 writes down that it is done, tells records

`since_ns` lies LEAD_NS ahead, so that inspect knows of it before the first part of the new model is on its way. A part
triggered before it passes by a verdict of the old model only, one after it by one of the new model only. Nothing else
of the job changes, so READY stays, and nobody is asked to be set up anew.

Whoever is killed between two of these steps, one model decides, the same for io and inspect:

- sync before 2: nothing has happened. After 4: io and inspect go by the new model, the slot is the old one. sync,
  started again, reads what it was about, sees in `StationState.job.model` that it is done, and goes on with 8.
- io before 4: nothing has happened. After 4: its open parts are rejected as after every end of io; it reads the slot
  when it starts and says so in its JobOrder, and inspect, which has both at hand, follows. Before 8 that is the old
  model again, and sync begins anew at 2; after 8 it is the new one.
- inspect before 6: it comes up with what the slot says, and hears the order. That says where each bundle of the active
  job lies (`JobOrder.bundles`), so inspect loads what io goes by, whatever the slot says by now. READY is off
  meanwhile, or the standby has the seat. A verdict by the wrong model is dropped as stale, and its part is rejected.
- records: neither io nor inspect asks it; sync tells it again.
- the whole box: all come up with what the slot says.

Back to the last good one goes the same way, with the slot first: 8 before 2. Whoever starts again meanwhile comes up
with the last good one, which is what is wanted; the word that holds is io's, for both. There inspect need not be ready
("wait"): the model that judges must not go on, so READY is off until the other one is loaded.
"""

from dataclasses import dataclass

from ..bus.clock import MS, SECOND
from ..bus.messages import PastModel

LEAD_NS = 50 * MS
"""From the answer to the first part of the new model: inspect has heard the order by then."""
KEPT_NS = SECOND
"""What judged is remembered so long after the deadline of its last part: an edge of a belt may be told late."""
MOST = 8
"""Swaps that may be remembered at once."""


@dataclass(slots=True)
class ModelSwaps:
    """What judged before, as long as it matters. All moments are given by the caller and never go back."""

    since_ns: int = 0
    """From here on the job's own model judges; 0: always."""
    past: tuple[PastModel, ...] = ()
    """The oldest first."""

    def begin(self, old: str, now_ns: int) -> None:
        """The job's model is another one from a moment on that lies a little ahead. old: what it was."""
        self.since_ns = max(now_ns + LEAD_NS, self.since_ns + 1)
        self.past = (*self.past, PastModel(old, self.since_ns))

    def model_at(self, at_ns: int, newest: str) -> str:
        """What judges a part that is triggered at that moment. newest: the job's own model."""
        return next((each.model for each in self.past if at_ns < each.until_ns), newest)

    def forget(self, now_ns: int, deadline_ns: int) -> None:
        """Let go of what no part can be under way of any more."""
        if self.past and now_ns >= self.past[0].until_ns + deadline_ns + KEPT_NS:
            self.past = tuple(each for each in self.past if now_ns < each.until_ns + deadline_ns + KEPT_NS)

    def clear(self) -> None:
        """Another job holds, and no part is under way."""
        self.since_ns, self.past = 0, ()
