"""Is the rest of the box ready? Heartbeats and what the processes say of themselves, in words for an electrician."""

from dataclasses import dataclass, replace

from ..bus.clock import SECOND
from ..bus.heartbeat import TURN_LIMIT_NS, Beat
from ..bus.ladder import ChallengerState
from ..bus.messages import CameraState, Health, InspectState, Job

CHANGE_TURN_NS = 5 * SECOND
"""While a camera is set up for another job its loop may take this long for one turn. READY is off all the time."""
STATE_LIMIT_NS = 3 * SECOND
"""Cameras and inspect say their state every 500 ms; without one for this long it is not believed."""
SWAP_SAID_NS = SECOND
"""After a swap of models inspect may speak of the model before for so long: its state comes every 500 ms."""
_HEALTH = {
    Health.STARTING: "is starting",
    Health.LOST: "is lost",
    Health.FAULT: "has a fault",
    Health.READY: "is ready",
}


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the box can say for itself now."""

    blockers: tuple[str, ...]
    """Why a trigger must not be accepted; empty: nothing against it."""
    moving: tuple[str, ...]
    """Processes whose heartbeat moves."""
    moves: bool
    """All of them move: the PLC's heartbeat may go on."""


class Watch:
    """What the cameras and inspect last said."""

    def __init__(self, cameras: tuple[str, ...], number: int, job: Job) -> None:
        """number, job: the active one."""
        self._cameras = cameras
        self._pids: dict[str, int] = {}
        self._camera_states: dict[str, tuple[CameraState, int]] = {}
        self._inspect_state: tuple[InspectState, int] | None = None
        self._challenger: tuple[ChallengerState, int] | None = None
        self._before: list[tuple[Job, int]] = []
        self.follow(number, job)

    def follow(self, number: int, job: Job) -> None:
        """Go by another job: who is set up for the one before is not ready."""
        self._number, self._job = number, job
        self._before.clear()
        # One inference may take longer than the usual turn of a loop, but never longer than a part has.
        self._inspect_turn_ns = max(TURN_LIMIT_NS, job.deadline_ns)

    def swap(self, job: Job, since_ns: int) -> None:
        """Go by another model of the same job: inspect may still say the one before for a moment."""
        self._before = [each for each in self._before if each[1] > since_ns] + [(self._job, since_ns + SWAP_SAID_NS)]
        self._job = job

    def goes_by(self, number: int, job: Job) -> bool:
        """True when this is the job that the others are held against."""
        return (number, job) == (self._number, self._job)

    def differs_in_model(self, number: int, job: Job) -> bool:
        """True for the same job judged by another model."""
        return number == self._number and replace(job, model=self._job.model) == self._job != job

    def camera(self, state: CameraState, now_ns: int) -> None:
        """Take what a camera says."""
        self._camera_states[state.camera] = state, now_ns

    def inspect(self, state: InspectState, now_ns: int) -> None:
        """Take what inspect says."""
        self._inspect_state = state, now_ns

    def challenger(self, state: ChallengerState, now_ns: int) -> None:
        """Take what inspect says of the models it has at hand."""
        self._challenger = state, now_ns

    def at_hand(self, job: Job, now_ns: int) -> tuple[tuple[str, ...], str]:
        """Models that inspect could judge this very job by at once, and why it is not known (empty: it is)."""
        words = self._inspect_words(now_ns)
        if words:
            return (), words
        known = self._challenger
        if known is None or now_ns - known[1] >= STATE_LIMIT_NS:
            return (), "it has not said what it has at hand"
        if known[0].revision != job.revision:
            return (), f"it speaks of revision {known[0].revision or 'none'}"
        return known[0].at_hand, ""

    def look(self, beats: dict[str, Beat], now_ns: int, *, changing: bool = False) -> Readiness:
        """Judge by the heartbeats of this moment. changing: a job change is under way, READY is off for it."""
        self._forget_the_dead(beats)
        blockers: list[str] = []
        moving = []
        for camera in self._cameras:
            name = f"camera-{camera}"
            beat = beats.get(name)
            is_slow = (changing or self._is_changing(camera)) and beat is not None and beat.health is not Health.LOST
            limit_ns = CHANGE_TURN_NS if is_slow else TURN_LIMIT_NS
            silence = self._silence(f"camera {camera}", beat, now_ns, limit_ns)
            if not silence:
                moving.append(name)
                silence = self._camera_words(camera, now_ns)
            if silence:
                blockers.append(silence)
        limit_ns = max(self._inspect_turn_ns, CHANGE_TURN_NS) if changing else self._inspect_turn_ns
        silence = self._silence("inspect", beats.get("inspect"), now_ns, limit_ns)
        if not silence:
            moving.append("inspect")
            silence = self._inspect_words(now_ns)
        if silence:
            blockers.append(silence)
        return Readiness(tuple(blockers), (*moving, "io"), len(moving) == len(self._cameras) + 1)

    def _forget_the_dead(self, beats: dict[str, Beat]) -> None:
        """What a process said before it was started again is not believed of the new one."""
        for name, beat in beats.items():
            known = self._pids.get(name)
            self._pids[name] = beat.pid
            if known in (None, beat.pid):
                continue
            self._camera_states.pop(name.removeprefix("camera-"), None)
            if name == "inspect":
                self._inspect_state = self._challenger = None

    def _is_set_up(self, state: CameraState) -> bool:
        return (state.job_number, state.revision) == (self._number, self._job.revision)

    def _is_changing(self, camera: str) -> bool:
        """It said that it is set up for another job than this, so it is about to be changed."""
        known = self._camera_states.get(camera)
        return known is not None and known[0].job_number != 0 and not self._is_set_up(known[0])

    def _silence(self, who: str, beat: Beat | None, now_ns: int, turn_limit_ns: int) -> str:
        if beat is None:
            return f"{who} does not answer: its process has not started"
        if beat.has_moved(now_ns, self._job.deadline_ns, turn_limit_ns):
            return ""
        if beat.health is Health.LOST:
            return f"{who} does not answer: its process has ended"
        if now_ns - beat.turned_ns < turn_limit_ns:
            return f"{who} is stuck: work waits longer than a part may take"
        return f"{who} does not answer: no sign of life from its process"

    def _camera_words(self, camera: str, now_ns: int) -> str:
        known = self._camera_states.get(camera)
        if known is None or now_ns - known[1] >= STATE_LIMIT_NS:
            return f"camera {camera}: its process runs, but says nothing yet"
        state = known[0]
        if state.health is Health.READY and not self._is_set_up(state):
            found = f"job {state.job_number} revision {state.revision}" if state.job_number else "no job"
            return f"camera {camera} is set up for {found}, expected job {self._number} revision {self._job.revision}"
        if state.health is Health.READY:
            return ""
        return f"camera {camera} {_HEALTH[state.health]}" + (f": {state.detail}" if state.detail else "")

    def _inspect_words(self, now_ns: int) -> str:
        if self._inspect_state is None or now_ns - self._inspect_state[1] >= STATE_LIMIT_NS:
            return "inspect: its process runs, but says nothing yet"
        state = self._inspect_state[0]
        if state.health is not Health.READY:
            return f"inspect {_HEALTH[state.health]}" + (f": {state.detail}" if state.detail else "")
        before = any(state.job == job and now_ns < until_ns for job, until_ns in self._before)
        if state.job != self._job and not before:
            return f"inspect has another job than io: {_job(state.job)}, expected {_job(self._job)}"
        return ""


def _job(job: Job) -> str:
    return f"{job.recipe} {job.revision} with model {job.model[:12]}, {job.deadline_ns // 1_000_000} ms"
