"""The delay of the flash, told from a scan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.imaging.strobe import best_delay


def scan(
    start: float, stop: float, step: float, lit: tuple[float, float], exposure_us: float = 200.0
) -> list[tuple[float, float]]:
    """Brightness at each delay of a flash that must fall into an exposure which begins at lit[0]."""
    begin, end = lit
    made = []
    for number in range(round((stop - start) / step) + 1):
        delay = start + number * step
        overlap = max(0.0, min(delay + end - begin, exposure_us + begin) - max(delay, begin))
        made.append((delay, 12 + 150 * overlap / (end - begin)))
    return made


def test_the_middle_of_the_plateau_is_taken() -> None:
    found = best_delay(scan(0, 400, 10, (100, 150)))
    assert found.found
    assert list(found.plateau_us) == [100, 250]
    assert found.delay_us == 175
    assert "bright from 100 to 250 us" in found.words


@given(st.floats(20, 200), st.floats(30, 100))
def test_the_flash_at_that_delay_lies_in_the_exposure(begin: float, length: float) -> None:
    found = best_delay(scan(0, 600, 10, (begin, begin + length)))
    assert found.found
    assert begin - 10 <= found.delay_us
    assert found.delay_us + length <= begin + 200 + 10


def test_a_lamp_that_does_not_follow_is_said() -> None:
    found = best_delay([(delay, 90.0 + delay % 3) for delay in range(0, 100, 10)])
    assert not found.found
    assert "does not follow the strobe output" in found.words


def test_a_plateau_at_the_edge_and_a_flash_too_short_are_said() -> None:
    assert "begins before the scan" in best_delay(scan(150, 400, 10, (100, 150))).words
    assert "goes on after" in best_delay(scan(0, 200, 10, (100, 150))).words
    assert "shorter than a step" in best_delay([(0, 10), (50, 10), (100, 200), (150, 10)]).words


@pytest.mark.parametrize("bad", [[(0, 1), (1, 2)], [(0, 1), (0, 2), (1, 3)], [(2, 1), (1, 2), (3, 3)]])
def test_a_scan_that_is_none_is_refused(bad: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="delays"):
        best_delay(bad)
