"""What the camera process says on the bus: frames in the ring, lost parts, its own state; counts that balance."""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..bus.channel import Publisher, camera_address
from ..bus.clock import MS, SECOND, now_ns
from ..bus.messages import CameraState, FrameLost, FrameReady, Health, JobOrder, JobReport
from .profiles import Setup
from .source import CameraHealth, Grab
from .starts import keep_starts, read_starts, starts_file

log = logging.getLogger(__name__)
_STATE_EVERY_NS = 500 * MS
_JOIN_NS = 300 * MS
"""A reader tries again to connect every 20 to 200 ms; before it has, io could hear READY and inspect no picture."""
_LOG_AGAIN_NS = 10 * SECOND
"""The same words are not logged again sooner: a fault that comes and goes is told by the state, not by lines."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A frame that lies whole in a slot of the ring."""

    grab: Grab
    slot: int
    sequence: int
    ready_ns: int
    """When it did."""


_WORDS = 32
"""Different words remembered for that; then it begins anew."""


class Announcer:
    """The camera's voice. One thread."""

    def __init__(self, camera: str, run_dir: Path) -> None:
        """Bind the camera's address. zmq.ZMQError: another process has it."""
        self._camera, self._file = camera, starts_file(run_dir, camera)
        self._publisher = Publisher(camera_address(run_dir, camera))
        self._joined_ns = now_ns() + _JOIN_NS
        before = read_starts(self._file)
        self._starts = replace(before, processes=before.processes + 1)
        self._epochs_before = self._starts.epochs
        self._keep()
        self._said: tuple[Health, str, Setup | None] | None = None
        self._said_ns = 0
        self._logged_ns: dict[tuple[Health, str], int] = {}
        self.setup: Setup | None = None
        """What the camera is set up for; None: nothing yet."""
        self.ring = ""
        """File name of the ring the frames lie in."""
        self.develop = ""
        """File name of how their raw pixels become the picture; empty: as they are."""
        self.triggers = self.delivered = self.incomplete = self.missed = 0
        """Parts: triggers = delivered + incomplete + missed, once nothing is in flight."""
        self.early = self.strays = 0
        """Of missed: triggers the camera did not take. Frames that were nobody's."""

    @property
    def is_lost(self) -> bool:
        """True: the camera is lost, and has been since a process before this, or since `lose`."""
        return self._starts.lost_ns != 0

    @property
    def heard(self) -> bool:
        """False: readers that were there before this process may not have found its address yet."""
        return now_ns() >= self._joined_ns

    def ready(self, part: int, triggered_at_ns: int, laid: Laid) -> None:
        """A picture of that part (0: nobody's) lies in the ring."""
        grab = laid.grab
        self.delivered += part != 0
        self._publisher.send(
            FrameReady(
                part=part,
                camera=self._camera,
                ring=self.ring,
                slot=laid.slot,
                sequence=laid.sequence,
                number=grab.number,
                epoch=self.epoch(grab.epoch),
                width=grab.width,
                height=grab.height,
                pixel_format=grab.pixel_format,
                size_bytes=grab.size_bytes,
                triggered_at_ns=triggered_at_ns,
                exposed_at_ns=grab.exposed_at_ns,
                device_ns=grab.device_ns,
                received_ns=grab.received_ns,
                ready_ns=laid.ready_ns,
                taken_at=grab.taken_at,
                develop=self.develop,
            )
        )

    def lost(self, part: int, triggered_at_ns: int, reason: str) -> None:
        """There will be no picture of that part. Nobody's part (0) is not spoken of."""
        if part == 0:
            return
        if reason == "incomplete":
            self.incomplete += 1
        else:
            self.missed += 1
        self._publisher.send(FrameLost(part, self._camera, triggered_at_ns, reason))

    def state(self, health: Health, detail: str, counts: CameraHealth) -> None:
        """Say how it is: at each change, else every 500 ms."""
        at_ns = now_ns()
        saying = health, detail, self.setup
        if saying == self._said and at_ns - self._said_ns < _STATE_EVERY_NS:
            return
        if (self._said is None or self._said[:2] != (health, detail)) and health is not Health.LOST:
            self._log(health, detail)
        self._said, self._said_ns = saying, at_ns
        self._publisher.send(
            CameraState(
                camera=self._camera,
                health=health,
                epoch=self.epoch(counts.epochs),
                detail=detail,
                delivered=self.delivered,
                incomplete=self.incomplete,
                missed=self.missed,
                gaps=counts.gaps,
                duplicates=counts.duplicates,
                underrun=counts.underrun,
                reconnects=self._starts.processes - 1,
                clock=counts.clock,
                clock_error_ns=counts.clock_error_ns,
                job_number=0 if self.setup is None else self.setup.number,
                revision="" if self.setup is None else self.setup.revision,
                triggers=self.triggers,
                early=self.early,
                strays=self.strays,
                drift_ppm=counts.drift_ppm,
            )
        )

    def _log(self, health: Health, detail: str) -> None:
        """A change for the better or worse, once; a loss is logged by `lose`."""
        at_ns = now_ns()
        if health is Health.READY and self._starts.lost_ns:
            took_s = (at_ns - self._starts.lost_ns) / SECOND
            log.info("camera %s: ready again after %.1f s", self._camera, took_s)
            self._starts = replace(self._starts, lost_ns=0)
            self._keep()
        elif at_ns - self._logged_ns.get((health, detail), -_LOG_AGAIN_NS) >= _LOG_AGAIN_NS:
            self._logged_ns = (self._logged_ns if len(self._logged_ns) < _WORDS else {}) | {(health, detail): at_ns}
            level = logging.WARNING if health is Health.FAULT else logging.INFO
            log.log(level, "camera %s: %s%s", self._camera, health, f": {detail}" if detail else "")

    def lose(self, reason: str) -> None:
        """The camera is gone. Logged once, however many processes try to have it back."""
        if not self._starts.lost_ns:
            log.warning("camera %s lost: %s", self._camera, reason)
            self._starts = replace(self._starts, lost_ns=now_ns())
            self._keep()

    def answer(self, order: JobOrder, refusal: str) -> None:
        """Answer an order of io: the camera is as it asks, or why it cannot be."""
        who = f"camera-{self._camera}"
        self._publisher.send(JobReport(who, order.epoch, order.change, order.phase, refusal))

    def insist(self, health: Health, detail: str, counts: CameraHealth) -> None:
        """Say how it is until readers must have heard it: those of an earlier process may just be coming back."""
        for _ in range(6):
            self._said_ns = 0
            self.state(health, detail, counts)
            time.sleep(0.05)

    def epoch(self, of_source: int) -> int:
        """The epoch on the bus: rises over restarts of the process, too."""
        epoch = self._epochs_before + of_source
        if epoch > self._starts.epochs:
            self._starts = replace(self._starts, epochs=epoch)
            self._keep()
        return epoch

    def close(self) -> None:
        """Let go of the address. Never raises."""
        self._publisher.close()

    def _keep(self) -> None:
        try:
            keep_starts(self._file, self._starts)
        except OSError as error:  # the count is for people and for telling epochs apart, not worth a stop
            log.warning("camera %s: cannot count its start: %s", self._camera, error)
