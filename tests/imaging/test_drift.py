"""Alarms from the middle of many parts: one odd part raises none, and each cause is named by its own signs."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from okng.bench.health_cases import HEIGHT, WIDTH, Scene
from okng.imaging.commission import commission
from okng.imaging.diagnosis import Alarm, Cause
from okng.imaging.drift import Drift, middle
from okng.imaging.health import Measurer
from okng.imaging.health_options import HealthOptions
from okng.imaging.measures import Measures
from okng.imaging.picture import Picture
from okng.imaging.reference import Reference

OPTIONS = HealthOptions(reference="health.npz")
WINDOW = OPTIONS.window


@pytest.fixture(scope="module")
def reference() -> Reference:
    return commission(Scene(41).commissioning(12))


@pytest.fixture(scope="module")
def well(reference: Reference) -> list[Measures]:
    """Healthy parts, enough for two windows."""
    measurer = Measurer(reference)
    return [measurer.measure(Scene(41).part(index)) for index in range(2 * WINDOW)]


def causes(alarms: tuple[Alarm, ...]) -> set[Cause]:
    return {alarm.cause for alarm in alarms}


def changed(part: Measures, figures: Mapping[str, float]) -> Measures:
    values: dict[str, Any] = dict(figures)
    return replace(part, **values)


def run(drift: Drift, parts: list[Measures]) -> list[set[Cause]]:
    return [causes(drift.add(part)) for part in parts]


def test_healthy_parts_raise_nothing(reference: Reference, well: list[Measures]) -> None:
    assert run(Drift(OPTIONS, reference), well * 4) == [set()] * len(well) * 4


def test_one_odd_part_is_no_drift(reference: Reference, well: list[Measures]) -> None:
    odd = replace(well[0], background=0.4, focus=0.1, shift_x_px=30.0, noise_gain=9.0, local=well[0].local - 1)
    for count in (1, 2):
        parts = [*well, *([odd] * count), *well]
        assert run(Drift(OPTIONS, reference), parts) == [set()] * len(parts)


def test_an_alarm_comes_within_two_windows_and_goes_when_it_is_mended(
    reference: Reference, well: list[Measures]
) -> None:
    drift = Drift(OPTIONS, reference)
    dim = [replace(part, background=part.background * 0.8) for part in well]
    said = run(drift, [*well, *dim, *well, *well])
    came = said.index({Cause.LAMP})
    assert len(well) + WINDOW // 2 <= came < len(well) + 2 * WINDOW
    assert said[came : 2 * len(well)] == [{Cause.LAMP}] * (2 * len(well) - came)
    gone = said.index(set(), came)
    assert 2 * len(well) < gone < 2 * len(well) + 3 * WINDOW
    assert said[gone:] == [set()] * len(said[gone:])


def test_a_figure_that_wavers_about_its_limit_raises_one_alarm(reference: Reference, well: list[Measures]) -> None:
    drift = Drift(OPTIONS, reference)
    level = reference.typical["background"].middle
    still = [replace(part, background=level) for part in well[:WINDOW]]
    low, high = ([replace(part, background=level * by) for part in still] for by in (0.92, 0.94))
    said = run(drift, [*still, *low, *low, *((high + low) * 5)])
    came = said.index({Cause.LAMP})
    assert said[came:] == [{Cause.LAMP}] * len(said[came:])


def test_nothing_is_said_before_a_window_is_full(reference: Reference, well: list[Measures]) -> None:
    drift = Drift(OPTIONS, reference)
    dark = [replace(part, background=0.3) for part in well[: WINDOW - 1]]
    assert run(drift, dark) == [set()] * (WINDOW - 1)
    assert drift.alarms == ()


def test_a_window_of_one_alarms_at_once(reference: Reference, well: list[Measures]) -> None:
    drift = Drift(HealthOptions(reference="x", window=1), reference)
    assert drift.add(well[0]) == ()
    assert causes(drift.add(replace(well[1], background=0.5))) == {Cause.LAMP}
    assert run(drift, well[2:4])[-1] == set()


def spot(part: Measures, reference: Reference, depth: float, fixed: bool) -> Measures:
    """Two cells beside each other that lose light: in a corner of the belt, or on the metal between bore and rim."""
    row, column = (2, 3) if fixed else (14, 27)
    assert (reference.fixed[row, column : column + 2] == fixed).all()
    local = part.local.copy()
    local[row, column : column + 2] += depth
    return replace(part, local=local)


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        ({"background": 0.81}, Cause.LAMP, "lamp: brightness 81 % of the commissioned: clean or replace the lamp"),
        ({"background": 1.25}, Cause.LAMP, "lamp: brightness 125 % of the commissioned: set lamp, exposure"),
        ({"slope_x": 0.2}, Cause.LAMP, "lamp: the light's shape changed by"),
        ({"noise_gain": 2.0}, Cause.LAMP, "lamp: noise 2.0 times the commissioned"),
        ({"focus": 0.6, "background_focus": 0.7}, Cause.LENS, "lens: sharpness 60 % of the commissioned"),
        ({"focus": 0.6}, Cause.PRODUCT, "product: sharpness of the parts 60 %"),
        ({"background_focus": 0.5}, Cause.LENS, "lens: sharpness of the background 50 %"),
        ({"part": 0.8}, Cause.PRODUCT, "product: the parts' brightness is 80 % of the commissioned while the backgr"),
        ({"shift_x_px": 5.1, "shift_y_px": -0.2}, Cause.CAMERA_MOVED, "lies 5.1 px to the right and 0.2 px above its"),
        ({"angle_deg": -2.0}, Cause.CAMERA_MOVED, "is turned by -2.0 degrees"),
        ({"position": 0.0}, Cause.CAMERA_MOVED, "100 % of the background's marks are not where they were"),
        ({"shift_x_px": 6.0, "part": 0.7, "focus": 0.7}, Cause.CAMERA_MOVED, "lies 6.0 px to the right"),
        ({"position": 0.2, "focus": 0.4, "background_focus": 0.2}, Cause.LENS, "lens: sharpness 40 %"),
        ({"background": 1.6, "part": 0.7, "saturation": 0.4, "position": 0.3}, Cause.LAMP, "brightness 160 %"),
    ],
)
def test_each_cause_by_its_signs(
    reference: Reference, well: list[Measures], change: dict[str, float], cause: Cause, words: str
) -> None:
    drift = Drift(OPTIONS, reference)
    shares = ("background", "focus", "background_focus", "noise_gain", "part")
    was = {name: reference.typical[name].middle for name in shares}
    flat = [changed(part, was) for part in well]
    change = {name: value * was.get(name, 1.0) for name, value in change.items()}
    for part in flat:
        drift.add(part)
    for part in flat:
        alarms = drift.add(changed(part, change))
    assert causes(alarms) == {cause}
    assert alarms[0].words.startswith(cause.value)
    assert words in alarms[0].words


@pytest.mark.parametrize(
    ("depth", "fixed", "cause"),
    [
        (-0.3, True, Cause.LENS),
        (-0.3, False, Cause.LENS),
        (0.3, True, Cause.LAMP),
        (0.3, False, Cause.PRODUCT),
    ],
)
def test_a_place_that_stays(
    reference: Reference, well: list[Measures], depth: float, fixed: bool, cause: Cause
) -> None:
    drift = Drift(OPTIONS, reference)
    said = run(drift, [*well, *(spot(part, reference, depth, fixed) for part in well)])
    assert said[-1] == {cause}
    assert causes(drift.add(well[0])) == {cause}


def test_a_place_that_wanders_is_the_parts_own(reference: Reference, well: list[Measures]) -> None:
    parts = []
    for at, part in enumerate(well * 2):
        local = part.local.copy()
        local[at % 30, 5:9] -= 0.5
        parts.append(replace(part, local=local))
    assert run(Drift(OPTIONS, reference), parts) == [set()] * len(parts)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("lens covered", Cause.LAMP),
        ("lamp into the lens", Cause.LAMP),
        ("far out of focus", Cause.LENS),
        ("turned away", Cause.CAMERA_MOVED),
        ("pushed aside", Cause.CAMERA_MOVED),
        ("brighter parts", Cause.PRODUCT),
    ],
)
def test_what_is_gross_is_named_alone(reference: Reference, well: list[Measures], kind: str, cause: Cause) -> None:
    measurer, drift = Measurer(reference), Drift(OPTIONS, reference)
    run(drift, well)
    turned = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 10.0, 1.0)
    pushed = np.array([[1.0, 0.0, 60.0], [0.0, 1.0, 40.0]])
    spoil: dict[str, Callable[[Picture], Any]] = {
        "lens covered": lambda p: p // 60,
        "lamp into the lens": lambda p: np.full_like(p, 255),
        "far out of focus": lambda p: cv2.GaussianBlur(p, (0, 0), 5),
        "turned away": lambda p: cv2.warpAffine(p, turned, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT),
        "pushed aside": lambda p: cv2.warpAffine(p, pushed, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT),
        "brighter parts": lambda p: np.where(p > 60, p + (255 - p) // 3, p),
    }
    for index in range(2 * WINDOW):
        alarms = drift.add(measurer.measure(np.asarray(spoil[kind](Scene(41).part(index)), np.uint8)))
    assert causes(alarms) == {cause}


def test_limits_widen_to_how_parts_differ(reference: Reference, well: list[Measures]) -> None:
    """Where the commissioned parts strayed by 20 %, 10 % less in the middle of a window is no drift."""
    loose = replace(reference.typical["background"], spread=0.2)
    unsteady = replace(reference, typical=reference.typical | {"background": loose})
    dim = [replace(part, background=part.background * 0.9) for part in well * 2]
    assert run(Drift(OPTIONS, unsteady), dim)[-1] == set()
    assert run(Drift(OPTIONS, reference), dim)[-1] == {Cause.LAMP}


def test_what_cannot_be_told_raises_nothing(reference: Reference, well: list[Measures]) -> None:
    names = ("part", "background_focus", "noise_gain", "position")
    blank = dict.fromkeys(names, replace(reference.typical["part"], middle=math.nan, spread=math.nan))
    blind = replace(reference, typical=reference.typical | blank, patches=())
    parts = [changed(part, dict.fromkeys(names, math.nan)) for part in well]
    assert run(Drift(OPTIONS, blind), parts) == [set()] * len(parts)
    blurred = [replace(part, focus=0.5) for part in parts]
    assert run(Drift(OPTIONS, blind), blurred)[-1] == {Cause.LENS}
    drift = Drift(OPTIONS, blind)
    assert run(drift, [replace(part, slope_x=0.3) for part in parts])[-1] == {Cause.LAMP}
    assert "no fixed background is in view" in drift.alarms[0].words


def test_the_middle_is_the_mean_of_the_middle_half() -> None:
    assert middle([1.0, 2.0, 3.0, 100.0]) == 2.5
    assert middle([5.0]) == 5.0
    assert math.isnan(middle([1.0, math.nan]))
