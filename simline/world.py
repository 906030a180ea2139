"""The world as a process: belt physics in real time, the scene before the camera, the wires to the PLC.

    python -m okng.simline.world PLAN.json WIRES PARENT      started by `line.py`

A real PLC scans on hardware of its own, and a real belt does not wait. Here both share the host's cores with the
box. Two rules keep the simulation honest on a loaded host: the belt's time stands still while the PLC's last whole
scan began more than `hold_ms` ago, and a tick that comes late moves the belt by at most `step_ms`. So a stall of
the host slows the belt and never fakes a part that runs past its gate unasked. What was given up is logged as
`held_ms` and `slowed_ms`. Nothing of this helps the box: its deadlines stay in real time.
"""

import signal
import sys
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .conveyor import Conveyor, Edge, Geometry, Part, Window, lay, steady, varying
from .journal import Journal
from .leash import take_leash
from .pictures import BadPictures, Looks, open_looks
from .plan import SPOILT_KINDS, Plan, read_plan
from .scene import BadScene, Picture, Scene
from .scenes import Scenes
from .wires import State, Wires, Word

AHEAD = 8
"""So many pictures are decoded before their part comes."""
ENDS_WITH_VIEW = ("drop", "incomplete", "freeze", "repeat", "late")
BOUNCE_MM = 0.2
NEAR_NS = 1000
"""A part that is stopped stands so far from the eye."""


class World:
    """The line as it physically is. `tick` is called every `tick_ms`."""

    def __init__(self, plan: Plan, looks: Looks, scene: Scene | Scenes, wires: Wires, journal: Journal) -> None:
        """Lay the parts on the belt and look up what will be done to each."""
        belt = plan.belt
        self._plan, self._looks, self._scene, self._wires, self._journal = plan, looks, scene, wires, journal
        rng = np.random.default_rng((plan.seed, 3))
        profile_rng, valve_rng = np.random.default_rng((plan.seed, 4)), np.random.default_rng((plan.seed, 5))
        geometry = Geometry(
            part_length_mm=belt.part_length_mm,
            gate_mm=belt.eye_to_gate_mm,
            confirm_mm=belt.eye_to_gate_mm + belt.gate_to_confirm_mm,
            counts_per_mm=belt.counts_per_mm,
            jet_mm=belt.jet_mm,
            ramp_mm_s2=belt.ramp_mm_s2,
            valve_on_s=belt.valve_on_ms / 1000,
            valve_off_s=belt.valve_off_ms / 1000,
            valve_jitter_s=belt.valve_jitter_ms / 1000,
        )
        places = lay(len(looks), belt.pitch_mm, belt.pitch_mm, belt.pitch_jitter_mm, rng.random)
        self.conveyor = Conveyor(geometry, places, valve_rng.random)
        speed = belt.speed_mm_s
        self._speed = varying(speed, profile_rng.random) if belt.profile == "varying" else steady(speed)
        self._faults = draw_faults(len(looks), plan, np.random.default_rng((plan.seed, 6)))
        self._spoilt = tuple(kind for kind in SPOILT_KINDS if plan.faults.percent and kind in plan.faults.kinds)
        self._decoder = ThreadPoolExecutor(1, "pictures")
        self._ahead: deque[Future[Picture]] = deque()
        self._asked = 0
        self._fetch_ahead()
        self._lines: dict[int, dict[str, object]] = {}
        self._in_view: Part | None = None
        self._exposures = scene.exposures
        self._replug_ns: int | None = None
        self._last_ns: int | None = None
        self._held_ns = self._slowed_ns = 0

    def tick(self, now_ns: int) -> bool:
        """Bring the world up to now. Returns False when the last part is through."""
        wires, last_ns = self._wires, self._last_ns
        self._last_ns = now_ns
        if self._replug_ns is not None and now_ns >= self._replug_ns:
            self._scene.fault("unplug", 0)
            self._replug_ns = None
        step_ns = self._step_ns(now_ns, now_ns - last_ns if last_ns is not None else 0)
        for number, start, end, _ in wires.windows.take():
            self.conveyor.order(Window(number, start, end))
        if step_ns:
            target = self._speed.target(self.conveyor.now_s) if wires[Word.BELT_RUN] else 0.0
            edges = self.conveyor.advance(step_ns / 1e9, target)
            for edge in edges:
                self._see(edge, now_ns)
        self._scene.set_encoder(self.conveyor.encoder)
        wires[Word.ENCODER] = self.conveyor.encoder
        wires[Word.SPEED_UM_S] = round(self.conveyor.speed_mm_s * 1000)
        wires[Word.HELD_US], wires[Word.SLOWED_US] = self._held_ns // 1000, self._slowed_ns // 1000
        return not self.conveyor.finished

    def _step_ns(self, now_ns: int, passed_ns: int) -> int:
        scan_at_ns = self._wires[Word.SCAN_AT_NS]
        if not scan_at_ns:
            return 0
        if now_ns - scan_at_ns > self._plan.hold_ms * 1e6:
            self._held_ns += passed_ns
            return 0
        step_ns = min(passed_ns, round(self._plan.step_ms * 1e6))
        self._slowed_ns += passed_ns - step_ns
        return self._let_in(step_ns) if self._plan.metered else step_ns

    def _let_in(self, step_ns: int) -> int:
        """Shorten a step to what may pass the stop before the eye."""
        room_s = self.conveyor.room_mm(self._wires[Word.PERMIT]) / self._plan.belt.speed_mm_s
        if room_s * 1e9 > step_ns + NEAR_NS:
            return step_ns
        return max(0, round(room_s * 1e9) - NEAR_NS)

    def _see(self, edge: Edge, now_ns: int) -> None:
        wires, part = self._wires, edge.part
        if edge.eye == "eye":
            self._enter_view(part, edge.counts, now_ns)
            wires.eye.put(edge.counts, now_ns)  # the picture is there before anyone can ask for it
            if self._plan.trigger == "line0":
                self._scene.pulse_line0()
            if "double_edge" in self._faults.get(part.index, ()):
                wires.eye.put(edge.counts + self._plan.counts(BOUNCE_MM), now_ns)
            wires[Word.AT_EYE] = part.index + 1
            return
        line = self._lines[part.index]
        if edge.eye == "bin":
            line.update(end="bin", contact_mm=part.contact_mm, contact_counts=part.contact_counts, end_ns=now_ns)
            wires[Word.HIT] += 1
        else:
            line.update(end="outfeed", confirmed=True, end_ns=now_ns)
            wires.confirm.put(edge.counts)
            wires[Word.PASSED] += 1
        if self._in_view is not part:
            self._journal.put(self._lines.pop(part.index))

    def _enter_view(self, part: Part, counts: int, now_ns: int) -> None:
        self._leave_view()
        self._in_view = part
        picture = self._ahead.popleft().result()
        self._fetch_ahead()
        faults = self._faults.get(part.index, ())
        for kind in faults:
            if kind == "unplug":
                self._replug_ns = now_ns + round(self._plan.faults.unplug_ms * 1e6)
            if kind in SPOILT_KINDS:
                self._scene.plan(kind)
            if kind in (*ENDS_WITH_VIEW, "unplug"):
                self._scene.fault(kind, round(self._plan.faults.late_ms * 1000) if kind == "late" else 1)
        look = self._looks.look(part.index)
        self._lines[part.index] = {
            "kind": "part",
            "index": part.index,
            "label": look.label,
            "name": look.name,
            "eye": counts,
            "eye_ns": now_ns,
            "end": "belt",
            "contact_mm": None,
            "contact_counts": None,
            "confirmed": False,
            "faults": list(faults),
            "exposures": 0,
        }
        self._scene.show(
            picture,
            part.index + 1,
            origin=counts,
            px_per_count=self._plan.px_per_mm / self._plan.belt.counts_per_mm,
            noise=self._plan.noise,
            reference_exposure_us=self._plan.reference_exposure_us,
        )

    def _leave_view(self) -> None:
        """Close the book on the part that was before the camera: its one-shot faults must not hit the next."""
        part, self._in_view = self._in_view, None
        if part is None:
            return
        for kind in ENDS_WITH_VIEW:
            self._scene.fault(kind, 0)
        for kind in self._spoilt:
            self._scene.plan(kind, times=0)
        seen = self._scene.exposures
        line = self._lines[part.index]
        line["exposures"] = (seen - self._exposures) & 0xFFFFFFFF
        self._exposures = seen
        if line["end"] != "belt":
            self._journal.put(self._lines.pop(part.index))

    def _fetch_ahead(self) -> None:
        while self._asked < len(self._looks) and len(self._ahead) < AHEAD:
            self._ahead.append(self._decoder.submit(self._looks.picture, self._asked))
            self._asked += 1

    def close(self) -> None:
        """Write what is still on the belt, take all faults back, and say how it went. Raises nothing."""
        self._decoder.shutdown(wait=True, cancel_futures=True)
        self._leave_view()
        self._scene.clear_faults()
        for line in self._lines.values():
            self._journal.put(line)
        self._lines.clear()
        self._journal.put(
            {
                "kind": "end",
                "parts": self._wires[Word.AT_EYE],
                "of": len(self._looks),
                "finished": self.conveyor.finished,
                "belt_s": self.conveyor.now_s,
                "held_ms": self._held_ns / 1e6,
                "slowed_ms": self._slowed_ns / 1e6,
                "line0_missed": self._scene.line0_missed,
            }
        )


def draw_faults(count: int, plan: Plan, rng: np.random.Generator) -> dict[int, tuple[str, ...]]:
    """Return the faults by part index."""
    kinds = plan.faults.kinds
    struck = np.flatnonzero(rng.uniform(0, 100, count) < plan.faults.percent)
    return {int(index): (kinds[int(rng.integers(len(kinds)))],) for index in struck}


def run(plan: Plan, wires: Wires) -> None:
    """Be the world until the last part is through or the parent asks to stop. Raises BadPictures, BadScene."""
    looks = open_looks(plan)
    wires[Word.PARTS] = len(looks)
    tick_ns = round(plan.tick_ms * 1e6)
    with Scenes(Path(plan.scenes), (plan.serial, *plan.others), looks.view.size_bytes) as scene:
        journal = Journal(Path(plan.out) / "world.jsonl")
        world = World(plan, looks, scene, wires, journal)
        try:
            wires[Word.STATE] = State.WAITING
            due_ns = time.monotonic_ns()
            while not wires[Word.STOP] and world.tick(time.monotonic_ns()):
                if wires[Word.BELT_RUN] and wires[Word.STATE] == State.WAITING:
                    wires[Word.STATE] = State.RUNNING
                due_ns += tick_ns
                ahead_ns = due_ns - time.monotonic_ns()
                if ahead_ns > 0:
                    time.sleep(ahead_ns / 1e9)
                else:
                    due_ns -= ahead_ns
        finally:
            world.close()
            journal.close()
        wires[Word.STATE] = State.DONE


def main(arguments: list[str] | None = None) -> int:
    """Run the world of a plan. Returns 78 where its pictures cannot be used."""
    plan_path, wires_path, parent = sys.argv[1:] if arguments is None else arguments
    plan = read_plan(Path(plan_path))
    wires = Wires(Path(wires_path))
    if not take_leash(int(parent), plan.realtime):
        return 1
    signal.signal(signal.SIGTERM, lambda *_: wires.__setitem__(Word.STOP, 1))
    try:
        run(plan, wires)
    except (BadPictures, BadScene) as why:
        sys.stderr.write(f"{why}\n")
        return 78
    finally:
        wires.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
