"""Pictures of several frames: each is of one burst alone, whole and in order, or it is lost; the next is not."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from okng.camera.assembly import Assembly, Taken
from okng.camera.profiles import Profile
from okng.camera.source import CameraHealth, Grab

FRAMES, WIDTH, LINES = 4, 16, 16
SOFTWARE = Profile("Mono8", WIDTH, FRAMES * LINES, frames=FRAMES)
HARDWARE, FREE = replace(SOFTWARE, trigger="hardware"), replace(SOFTWARE, trigger="off")
HEALTH = CameraHealth(0, 0, 0, 0, 0, 1, None, "latch", 0)


@dataclass
class Camera:
    """Sends frames whose pixels say which burst and which frame of it they are."""

    number: int = 0
    incomplete: int = 0
    last: int = 0
    queue: list[tuple[int, int, str]] = field(default_factory=list)
    """Number, pixel, and `ok`, `incomplete`, `repeat` or `small`."""

    def burst(self, burst: int, fates: tuple[str, ...] = ("ok",) * FRAMES) -> None:
        for at, fate in enumerate(fates):
            self.number += fate != "repeat"
            if fate != "drop":
                self.queue.append((self.number, burst * 10 + at, fate))

    def grab(self, into: memoryview, timeout_ns: int) -> Grab | None:
        if not self.queue:
            return None
        number, pixel, fate = self.queue.pop(0)
        if fate == "incomplete":
            self.incomplete += 1
            return None
        assert len(into) == WIDTH * LINES
        into[:] = bytes([pixel]) * len(into)
        gap = number - self.last - 1 if self.last and fate != "repeat" else 0
        self.last = number
        height = LINES if fate != "small" else LINES - 2
        return Grab(
            number=number,
            epoch=1,
            width=WIDTH,
            height=height,
            pixel_format="Mono8",
            size_bytes=WIDTH * height,
            exposed_at_ns=pixel * 1000,
            device_ns=pixel * 1000,
            received_ns=pixel * 1000 + 1,
            taken_at="",
            gap=gap,
            repeated=fate == "repeat",
        )

    def health(self) -> CameraHealth:
        return replace(HEALTH, incomplete=self.incomplete)


def check(grab: Grab) -> str:
    return "repeated" if grab.repeated else "" if grab.height == LINES else "wrong size"


@dataclass
class Bench:
    camera: Camera
    assembly: Assembly
    slot: bytearray = field(default_factory=lambda: bytearray(SOFTWARE.size_bytes))

    def take(self) -> list[tuple[int, str]]:
        """All that comes out of what waits: (burst of the first frame or -1, fault)."""
        found = []
        while self.camera.queue or self.assembly._waiting:
            taken = self.assembly.grab(memoryview(self.slot), 1)
            if taken is not None:
                found.append(self.seen(taken))
        return found

    def seen(self, taken: Taken) -> tuple[int, str]:
        if taken.grab is None:
            return -1, taken.fault
        burst = taken.grab.exposed_at_ns // 10_000
        if not taken.fault:
            assert (taken.grab.height, taken.grab.size_bytes) == (FRAMES * LINES, SOFTWARE.size_bytes)
            first = self.slot[0]
            parts = [self.slot[at * WIDTH * LINES : (at + 1) * WIDTH * LINES] for at in range(FRAMES)]
            assert parts == [bytes([first + at]) * (WIDTH * LINES) for at in range(FRAMES)], "one burst, in order"
        return burst, taken.fault


def bench(profile: Profile, *, any_number: bool = False) -> Bench:
    camera = Camera()
    return Bench(camera, Assembly(camera, profile, check, any_number=any_number))


def test_frames_in_a_row_are_one_picture() -> None:
    for profile in (SOFTWARE, HARDWARE, FREE):
        rig = bench(profile)
        rig.camera.burst(1)
        rig.camera.burst(2)
        assert rig.take() == [(1, ""), (2, "")]


def test_the_picture_is_dated_and_numbered_by_its_first_frame() -> None:
    rig = bench(HARDWARE)
    rig.camera.burst(1)
    rig.take()
    rig.camera.burst(2)
    taken = [rig.assembly.grab(memoryview(rig.slot), 1) for _ in range(FRAMES)][-1]
    assert taken is not None
    assert taken.grab is not None
    assert (taken.grab.number, taken.grab.exposed_at_ns, taken.grab.received_ns) == (5, 20_000, 23_001)
    assert taken.grab.gap == 0


def test_a_frame_lost_inside_costs_its_picture_and_the_next_is_whole() -> None:
    for fate, reason in (("drop", "gap"), ("incomplete", "incomplete"), ("small", "wrong size")):
        for at in range(FRAMES):
            rig = bench(HARDWARE)
            rig.camera.burst(1)
            rig.camera.burst(2, tuple(fate if each == at else "ok" for each in range(FRAMES)))
            rig.camera.burst(3)
            (first, second, third) = rig.take()
            assert (first, third) == ((1, ""), (3, "")), (fate, at)
            assert second[1] == reason, (fate, at)


def test_a_whole_burst_lost_is_a_gap_of_one_picture() -> None:
    rig = bench(HARDWARE)
    rig.camera.burst(1)
    rig.camera.burst(2, ("drop",) * FRAMES)
    rig.camera.burst(3)
    gaps = []
    while rig.camera.queue:
        taken = rig.assembly.grab(memoryview(rig.slot), 1)
        if taken is not None and taken.grab is not None:
            gaps.append(taken.grab.gap)
    assert gaps == [0, 1]


def test_fired_from_here_a_rest_is_never_the_next_pictures() -> None:
    rig = bench(SOFTWARE)
    rig.assembly.fire()
    rig.camera.burst(1, ("drop", "ok", "ok", "ok"))  # the very first frame of the epoch is lost: nobody can know
    assert rig.take() == []
    for burst in (2, 3):
        rig.assembly.fire()
        rig.camera.burst(burst)
        assert rig.take() == [(burst, "")]
    rig.assembly.fire()
    rig.camera.burst(4, ("ok", "ok", "ok", "drop"))
    assert rig.take() == []
    rig.assembly.fire()
    rig.camera.burst(5)
    assert rig.take() == [(5, "")]


def test_a_late_rest_after_the_next_fire_is_thrown_away() -> None:
    rig = bench(SOFTWARE)
    rig.assembly.fire()
    rig.camera.burst(1)
    assert rig.take() == [(1, "")]
    rig.assembly.fire()
    rig.camera.burst(2)
    late = rig.camera.queue.pop()
    assert rig.take() == []
    rig.assembly.fire()
    rig.camera.queue.append(late)
    rig.camera.burst(3)
    assert rig.take() == [(3, "")]


def test_a_repeated_frame_ends_the_track_where_no_fire_restores_it() -> None:
    rig = bench(HARDWARE)
    rig.camera.burst(1)
    rig.camera.burst(2, ("ok", "repeat", "ok", "ok"))
    rig.camera.burst(3)
    assert rig.take() == [(1, ""), (2, "repeated")]
    assert rig.assembly.lost_track
    rig = bench(SOFTWARE)
    for burst, fates in ((1, ("ok",) * FRAMES), (2, ("ok", "repeat", "ok", "ok")), (3, ("ok",) * FRAMES)):
        rig.assembly.fire()
        rig.camera.burst(burst, fates)
        assert rig.take() == [(burst, "repeated" if burst == 2 else "")]


def test_fired_from_outside_a_first_number_above_one_is_not_trusted() -> None:
    rig = bench(HARDWARE)
    rig.camera.burst(1, ("drop", "ok", "ok", "ok"))
    rig.camera.burst(2)
    assert rig.take() == []
    assert rig.assembly.lost_track
    rig = bench(HARDWARE, any_number=True)
    rig.camera.number = 5000
    rig.camera.burst(1)
    assert rig.take() == [(1, "")]


def test_in_free_run_a_picture_begins_anew_after_a_gap() -> None:
    rig = bench(FREE)
    rig.camera.burst(1, ("ok", "ok", "drop", "ok"))
    rig.camera.burst(2, ("ok", "ok", "ok", "drop"))
    found = []
    while rig.camera.queue:
        taken = rig.assembly.grab(memoryview(rig.slot), 1)
        if taken is not None:
            assert taken.grab is not None
            found.append((taken.grab.number, taken.fault))
    assert found == [(1, "gap"), (4, "")]


FATES = st.sampled_from(["ok"] * 12 + ["drop", "incomplete", "small"])
BURSTS = st.lists(st.tuples(FATES, FATES, FATES, FATES), min_size=1, max_size=12)


@given(BURSTS)
@settings(max_examples=300, deadline=None)
def test_from_outside_each_burst_is_whole_or_lost_and_shifts_no_other(bursts: list[tuple[str, ...]]) -> None:
    rig = bench(HARDWARE)
    rig.camera.burst(0)
    for number, fates in enumerate(bursts, 1):
        rig.camera.burst(number, fates)
    found = rig.take()
    whole = [burst for burst, fault in found if not fault]
    assert whole == [0, *(number for number, fates in enumerate(bursts, 1) if set(fates) == {"ok"})]
    assert len([1 for _, fault in found if fault]) <= len(bursts) + 1 - len(whole)


@given(BURSTS)
@settings(max_examples=300, deadline=None)
def test_fired_from_here_each_burst_is_whole_or_lost_and_shifts_no_other(bursts: list[tuple[str, ...]]) -> None:
    rig = bench(SOFTWARE)
    for number, fates in enumerate([("ok",) * FRAMES, *bursts]):
        rig.assembly.fire()
        rig.camera.burst(number, fates)
        found = rig.take()
        if set(fates) == {"ok"}:
            assert found == [(number, "")]
        else:
            assert len(found) <= 1
            assert all(fault for _, fault in found)
