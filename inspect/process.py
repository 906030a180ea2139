"""The inspection process: a frame comes in, a verdict goes out. One thread owns the model.

It knows no PLC and no disk. Dead, slow or confused it costs yield: a part without its verdict is rejected by io.
"""

import gc
import logging
from collections import deque
from pathlib import Path

from ..bus.channel import Publisher, Subscriber, camera_address, inspect_address
from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadBundle
from ..bus.heartbeat import Heartbeat
from ..bus.messages import FrameReady, Health, InspectState, Job
from ..bus.part import Outcome, Verdict
from ..bus.ring import RingShelf
from ..bus.stop import Stop
from ..camera.frame import read_picture
from ..models.box import Box
from ..models.bundle import open_bundle
from ..models.detector import Detector
from ..models.parity import check_golden
from .judge import Judgement, Seen, judge
from .options import InspectOptions
from .recipe import ActiveRecipe, Recipe, Region

log = logging.getLogger(__name__)
STATE_EVERY_NS = 500 * MS
WARM_UP = 5
"""Inferences before READY: the first ones allocate and are several times slower."""
WAITING = 256
"""Frames that may wait; more than that are parts long past their deadline, dropped oldest first."""


class Inspector:
    """Judges one picture at a time by one recipe and one bundle."""

    def __init__(self, active: ActiveRecipe, options: InspectOptions) -> None:
        """Load, warm up and prove the bundle. BadBundle, BadSettings."""
        self.active = active
        self._recipe: Recipe = active.recipe
        self._bundle = open_bundle(active.bundle)
        self._detector = Detector(self._bundle, options.provider, options.threads)
        self.prove()
        camera = active.recipe.camera
        self._boxes = {region.name: _box(region, camera.width, camera.height) for region in active.recipe.regions}
        self._typical_ns = 0
        self.job = Job(
            recipe=active.recipe.name,
            revision=active.revision,
            model=self._bundle.digest,
            deadline_ns=active.recipe.deadline_ms * MS,
        )

    @property
    def provider(self) -> str:
        """Execution provider that really runs."""
        return self._detector.provider

    def prove(self) -> None:
        """Score the golden pictures on this box. BadBundle: not as stored. Doubles as the warm-up."""
        report = check_golden(self._detector)
        if not report.passed:
            raise BadBundle(f"{self.active.bundle}: golden pictures do not score as stored: {report.detail}")

    def verdict(self, ready: FrameReady, shelf: RingShelf) -> Verdict:
        """Judge the part of this frame. Never raises for what is wrong with the picture: that is UNJUDGED."""
        started = now_ns()
        if started + self._typical_ns >= ready.triggered_at_ns + self.job.deadline_ns:
            # Work on a part that cannot be in time any more would only make the next one late too.
            self._typical_ns = self._typical_ns * 7 // 8  # one slow inference must not shut the door for good
            return self._unjudged(ready, started, "too late to be judged")
        camera = self._recipe.camera
        if (ready.width, ready.height) != (camera.width, camera.height):
            found = f"{ready.width}x{ready.height}"
            return self._unjudged(ready, started, f"picture is {found}, not {camera.width}x{camera.height}")
        picture = read_picture(shelf, ready)
        if picture is None:
            return self._unjudged(ready, started, "picture gone from the ring before it was read")
        seen = []
        for region in self._recipe.regions:
            box = self._boxes[region.name]
            findings = self._detector.find(picture, box)
            threshold = self._bundle.manifest.threshold.value if region.threshold is None else region.threshold
            crop = picture[box.y : box.y + box.h : 4, box.x : box.x + box.w : 4]
            place = (box.x, box.y, box.w, box.h)
            light = float(crop.mean())
            seen.append(Seen(region.name, place, findings.score, findings.heat, threshold, light, findings.trouble))
        made = self._made(ready, started, judge(self._recipe, seen))
        self._typical_ns += (made.done_ns - started - self._typical_ns) // 8
        return made

    def _unjudged(self, ready: FrameReady, started: int, reason: str) -> Verdict:
        return self._made(ready, started, Judgement(Outcome.UNJUDGED, (reason,), (), 0.0, 0.0, ()))

    def _made(self, ready: FrameReady, started: int, made: Judgement) -> Verdict:
        return Verdict(
            part=ready.part,
            outcome=made.outcome,
            reasons=made.reasons,
            defects=made.defects,
            score=made.score,
            threshold=made.threshold,
            recipe=self.job.recipe,
            revision=self.job.revision,
            model=self.job.model,
            camera=ready.camera,
            triggered_at_ns=ready.triggered_at_ns,
            frame=ready,
            heat=made.heat,
            started_ns=started,
            done_ns=now_ns(),
        )


def _box(region: Region, width: int, height: int) -> Box:
    return Box(0, 0, width, height) if region.box == "full" else Box(*region.box)


def run(active: ActiveRecipe, options: InspectOptions, cameras: tuple[str, ...], run_dir: Path) -> int:
    """Run until SIGTERM or SIGINT; return the exit code.

    BadBundle or BadSettings before READY if the bundle is damaged, scores otherwise than stored, or the provider is
    missing. A golden picture that scores wrong later is a FAULT: READY drops, and the process ends with code 70.
    """
    stop = Stop()
    heartbeat = Heartbeat(run_dir, "inspect")
    publisher = Publisher(inspect_address(run_dir))
    addresses = [camera_address(run_dir, name) for name in cameras]
    frames = Subscriber(addresses, (FrameReady,))
    shelf = RingShelf(run_dir)
    try:
        inspector = Inspector(active, options)
        gc.collect()
        gc.freeze()  # what the model loaded stays; collecting it over and over costs milliseconds in the path
        log.info("ready: recipe %s, model %.12s on %s", active.recipe.name, inspector.job.model, inspector.provider)
        heartbeat.health = Health.READY
        return _loop(inspector, options, heartbeat, publisher, frames, shelf, stop)
    finally:
        for held in (heartbeat, publisher, frames, shelf):
            held.close()


def _loop(
    inspector: Inspector,
    options: InspectOptions,
    heartbeat: Heartbeat,
    publisher: Publisher,
    frames: Subscriber,
    shelf: RingShelf,
    stop: Stop,
) -> int:
    waiting: deque[FrameReady] = deque(maxlen=WAITING)
    judged, state_due, idle_since = 0, 0, now_ns()
    while not stop.asked.is_set():
        if not waiting and frames.wait(100):
            idle_since = now_ns()
        while (ready := frames.receive(0)) is not None:
            if ready.part:
                waiting.append(ready)
        oldest = waiting[0].ready_ns if waiting else 0
        heartbeat.turn(oldest_ns=oldest)
        if waiting:
            publisher.send(inspector.verdict(waiting.popleft(), shelf))
            judged += 1
            heartbeat.turn(done=1)
        elif now_ns() - idle_since > options.golden_every_s * SECOND:
            try:
                inspector.prove()
            except BadBundle:
                log.exception("a golden picture no longer scores as stored")
                heartbeat.health = Health.FAULT
                publisher.send(_state(inspector, Health.FAULT, judged, "golden picture scores wrong"))
                return 70
            idle_since = now_ns()
        if now_ns() >= state_due:
            state_due = now_ns() + STATE_EVERY_NS
            publisher.send(_state(inspector, Health.READY, judged, ""))
    return 0


def _state(inspector: Inspector, health: Health, judged: int, detail: str) -> InspectState:
    return InspectState(health, inspector.job, inspector.provider, judged, detail)
