"""The camera's clock on the host's: offset, drift, what is not known of it, and the clock that was set."""

import random

from hypothesis import given
from hypothesis import strategies as st

from okng.bus.clock import MS, SECOND
from okng.camera.devclock import FEWEST, DeviceClock, Latch, LeastDelay


class Quartz:
    """A device clock that is off by an offset and a drift, asked over a link that takes its time."""

    def __init__(self, offset_ns: int, drift_ppm: float, seed: int = 1) -> None:
        self._offset_ns, self._rate, self._random = offset_ns, 1 + drift_ppm * 1e-6, random.Random(seed)

    def at(self, host_ns: int) -> int:
        return round(host_ns * self._rate) + self._offset_ns

    def latch(self, host_ns: int) -> Latch:
        there_ns, back_ns = (int(4_000 + self._random.expovariate(1 / 3_000)) for _ in range(2))
        return Latch(host_ns, self.at(host_ns + there_ns), host_ns + there_ns + back_ns)


def learned(quartz: Quartz, bursts: int, every_ns: int, start_ns: int = SECOND) -> tuple[DeviceClock, int]:
    clock = DeviceClock()
    for number in range(bursts):
        at_ns = start_ns + number * every_ns
        assert clock.learn([quartz.latch(at_ns + step * 50_000) for step in range(20)])
    return clock, start_ns + (bursts - 1) * every_ns + MS


@given(
    st.integers(-(10**15), 10**15),
    st.floats(-100, 100),
    st.integers(2, 16),
    st.integers(0, 2**30),
)
def test_a_stamp_is_mapped_within_the_stated_uncertainty(offset_ns: int, drift: float, bursts: int, seed: int) -> None:
    quartz = Quartz(offset_ns, drift, seed)
    clock, at_ns = learned(quartz, bursts, 5 * SECOND)
    mapped = clock.to_host(quartz.at(at_ns))
    assert mapped is not None
    assert abs(mapped - at_ns) <= clock.error_ns(at_ns)


@given(st.floats(-100, 100), st.integers(0, 2**30))
def test_the_drift_is_found(drift: float, seed: int) -> None:
    clock, _ = learned(Quartz(7, drift, seed), 12, 10 * SECOND)
    assert abs(clock.drift_ppm - drift) < 0.5


def test_what_is_not_known_grows_with_the_time_since_the_last_question() -> None:
    clock, at_ns = learned(Quartz(0, 3.0), 12, 10 * SECOND)
    errors = [clock.error_ns(at_ns + later) for later in (0, SECOND, 60 * SECOND)]
    assert errors == sorted(errors)
    assert errors[0] < 50_000
    assert errors[2] - errors[0] >= 100_000
    assert DeviceClock().error_ns(at_ns) == 0


@given(st.integers(5 * MS, 10 * SECOND), st.booleans())
def test_a_clock_that_was_set_is_told(step_ns: int, forward: bool) -> None:
    quartz = Quartz(0, 1.0)
    clock, at_ns = learned(quartz, 3, SECOND)
    moved = Quartz(step_ns if forward else -step_ns, 1.0)
    assert not clock.learn([moved.latch(at_ns + SECOND)])
    assert clock.learn([quartz.latch(at_ns + SECOND)])


@given(st.integers(-(10**15), 10**15), st.integers(0, 2**30))
def test_without_a_question_the_fastest_frames_tell(offset_ns: int, seed: int) -> None:
    quartz, rng, delays = Quartz(offset_ns, 5.0), random.Random(seed), LeastDelay()
    for number in range(200):
        ended_ns = (number + 1) * 20 * MS
        received_ns = ended_ns + 8 * MS + int(rng.expovariate(1 / (2 * MS)))
        assert delays.known == (number >= FEWEST)
        assert delays.learn(received_ns, quartz.at(ended_ns))
    mapped = delays.to_host(quartz.at(200 * 20 * MS))
    assert mapped is not None
    late_ns = mapped - 200 * 20 * MS
    assert 7 * MS <= late_ns <= 9 * MS  # late by the transfer, and not by what held a frame up
    assert delays.error_ns < 10 * MS


def test_a_clock_set_either_way_is_told_from_the_frames() -> None:
    for step_ns, frames in ((SECOND, 1), (-SECOND, 16)):
        delays = LeastDelay()
        for number in range(50):
            assert delays.learn(number * 20 * MS + 5 * MS, number * 20 * MS)
        told = [delays.learn(n * 20 * MS + 5 * MS, n * 20 * MS + step_ns) for n in range(50, 50 + frames)]
        assert told[-1] is False
        assert told.count(False) == 1
