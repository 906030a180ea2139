"""Charts, bands and sentences of the Image page, and the page itself, without a browser."""

import math
import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from okng.bus.part import Outcome
from okng.records.image_history import ImageHistory
from okng.records.read import LedgerReader
from okng.records.views import FIGURES
from okng.webui import catalogue
from okng.webui.advice import CAUSES, SEEN, advice
from okng.webui.bands import BARE, bands_of
from okng.webui.charts import HEIGHT, WIDTH, Chart, charts_of
from okng.webui.watch import Watch

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LIMITS: Any = SimpleNamespace(
    camera="top",
    focus_low=0.82,
    brightness=118.0,
    brightness_low=110.0,
    brightness_high=126.0,
    uniformity_high=0.06,
    noise=2.1,
    noise_high=3.4,
    shift_px=3.0,
    angle_deg=1.0,
)
SENTENCES = [
    "lamp: brightness 81 % of the commissioned: clean or replace the lamp, or see why exposure or gain are lower",
    "lamp: brightness 119 % of the commissioned: set lamp, exposure and gain as commissioned, keep other light away",
    "lamp: 12 % more of the picture at the end of the scale: set lamp, exposure and gain as commissioned",
    "lamp: the light's shape changed by 10 % over the picture: align and clean the lamp, keep other light away",
    "lamp: noise 2.1 times the commissioned: gain makes up for light, or camera hot: set the gain as commissioned",
    "lamp: a bright place at 10,20 on the background: keep other light and reflections away",
    "lens: sharpness 60 % of the commissioned: check focus and aperture and tighten them, clean the lens",
    "lens: sharpness of the background 60 % of the commissioned: check focus and aperture and tighten them",
    "lens: a dark spot of 12 px at 100,200 stays over many parts: clean the lens and its window",
    "camera moved: the background lies 5.0 px to the right and 2.1 px below its place: put the camera back",
    "camera moved: the background lies 5.0 px to the left and 2.1 px above its place and is turned by +2.0 degrees: x",
    "camera moved: the background is turned by +2.0 degrees: put the camera back and tighten it",
    "camera moved: 62 % of the background's marks are not where they were: put the camera back and tighten it",
    "camera moved: the background became darker at 1,2 and brighter at 3,4: put the camera back and tighten it",
    "product: the parts' brightness is 80 % of the commissioned while the background keeps its own: check material",
    "product: sharpness of the parts 60 % of the commissioned while the background keeps its own: check height",
    "product: the parts look different at 10,20 while the background keeps its own: check that the right recipe",
    "product: good parts look different to the model in region r7, 0.43 of their spread (limit 0.29): the picture's "
    "health is not commissioned, so check the lamp first; check material and surface",
    "product: good parts look different to the model in region r7, 0.43 of their spread (limit 0.29): check material",
    "model: scores of good parts have risen in region r7 by 0.8 standard deviations, though parts look the same: x",
    "model: scores of good parts have fallen in region r7 by 0.8 standard deviations, though parts look the same: x",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_alarm_has_words_and_advice_in_both_languages(sentence: str) -> None:
    chinese = {m.id: str(m.string) for m in catalogue.read("zh_Hans_CN")}
    english = advice(f"top: {sentence}", str)
    assert (english.camera, english.cause) == ("top", sentence.split(":")[0])
    assert english.todo
    assert "%(" not in english.what
    translated = advice(f"top: {sentence}", lambda text: chinese[text])
    for text in (translated.title, translated.what, translated.todo):
        assert CHINESE.search(text), text
    assert sorted(re.findall(r"[\d.]+", translated.what)) == sorted(re.findall(r"[\d.]+", english.what))


def test_every_known_sentence_is_met_by_one_of_these() -> None:
    met = {next(i for i, one in enumerate(SEEN) if one.pattern.match(s.partition(": ")[2])) for s in SENTENCES}
    assert met == set(range(len(SEEN)))
    assert {sentence.split(":")[0] for sentence in SENTENCES} == CAUSES.keys()


def test_a_sentence_that_is_not_known_is_shown_as_it_came() -> None:
    assert advice("the moon is full", str).what == "the moon is full"
    found = advice("top: lens: fogged: wait an hour", str)
    assert (found.title, found.what, found.todo) == ("Lens", "fogged", "wait an hour")


def test_directions_are_arrows() -> None:
    assert "→ 5.0 px, ↓ 2.1 px" in advice(f"top: {SENTENCES[9]}", str).what
    assert "← 5.0 px, ↑ 2.1 px" in advice(f"top: {SENTENCES[10]}", str).what


def history(**figures: Sequence[float | None]) -> ImageHistory:
    count = len(next(iter(figures.values())))
    columns: dict[str, tuple[float | None, ...]] = {name: (0.0,) * count for name in FIGURES}
    columns.update({name: tuple(values) for name, values in figures.items()})
    parts = tuple(range(1, count + 1))
    return ImageHistory("top", parts, parts, ("2026-11-23T08:00:00.000Z",) * count, columns, ((),) * count, 0)


def chart_of(name: str, found: ImageHistory, limited: bool = True) -> Chart:
    bands = bands_of((LIMITS,))["top"] if limited else None
    return next(chart for chart in charts_of(found, bands) if chart.figure.name == name)


def test_a_value_beyond_its_limit_is_marked_and_lies_outside_the_band() -> None:
    chart = chart_of("brightness", history(brightness=[118.0, 112.0, 90.0, 130.0]))
    assert chart.band is not None
    top, height = chart.band
    spots = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", chart.line)]
    assert [x for x, _ in spots] == pytest.approx([0.0, WIDTH / 3, WIDTH * 2 / 3, WIDTH], abs=0.1)
    assert [top <= y <= top + height for _, y in spots] == [True, True, False, False]
    assert all(0 <= y <= HEIGHT for _, y in spots)
    assert chart.outside.count("M") == 2
    assert (chart.low, chart.high, chart.was) == ("110", "126", "118")


def test_the_large_figure_is_the_median_so_that_one_odd_part_is_no_drift() -> None:
    calm = chart_of("focus", history(focus=[1.0] * 7 + [0.2]))
    assert (calm.now, calm.is_out) == ("100 %", False)
    gone = chart_of("focus", history(focus=[1.0] * 20 + [0.6] * 8))
    assert (gone.now, gone.is_out, gone.low) == ("60 %", True, "82 %")


def test_what_was_not_measured_is_a_gap_and_no_zero() -> None:
    chart = chart_of("noise", history(noise=[2.0, None, 2.0, 2.1]))
    assert [letter for letter in chart.line if letter.isalpha()] == ["M", "M", "L"]
    empty = chart_of("noise", history(noise=[None, None]))
    assert (empty.line, empty.now, empty.is_out) == ("", "", False)
    shift = chart_of("shift", history(shift_x_px=[3.0, None], shift_y_px=[4.0, 1.0]))
    assert (shift.now, shift.is_out) == ("5.0 px", True)


@pytest.mark.parametrize("values", [[0.0], [1.0], [-0.001], [1e9], [-1e9, 1e9], [0.0, 0.0]])
def test_any_value_can_be_drawn(values: list[float | None]) -> None:
    for limited in (True, False):
        for chart in charts_of(
            history(**dict.fromkeys(FIGURES, values)), bands_of((LIMITS,))["top"] if limited else None
        ):
            for number in re.findall(r"-?[\d.]+(?:e[+-]?\d+)?", chart.line):
                assert math.isfinite(float(number))
    assert chart_of("angle", history(angle_deg=[-0.001])).now == "0.00°"


def test_without_limits_there_is_no_band_but_what_any_reference_implies() -> None:
    chart = chart_of("focus", history(focus=[0.5]), limited=False)
    assert (chart.band, chart.low, chart.was, chart.is_out) == (None, "", "100 %", False)
    assert chart.commissioned is not None
    assert chart_of("brightness", history(brightness=[90.0]), limited=False).commissioned is None
    assert BARE.keys() == bands_of((LIMITS,))["top"].keys()


@pytest.fixture
def client(watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch)


def test_a_camera_without_a_reference_says_what_to_do(client: FlaskClient, line: Any) -> None:
    line.judge(Outcome.OK)
    page = client.get("/image/").get_data(as_text=True)
    assert "No reference for camera top" in page
    assert "okng health commission" in page
    assert "plot-line" not in page
    assert client.get("/image/?camera=nobody").status_code == 404


def test_charts_come_from_the_ledger_with_the_time_of_each_alarm(client: FlaskClient, line: Any, watch: Watch) -> None:
    line.measured = True
    line.judge(Outcome.OK)
    line.drift = (f"top: {SENTENCES[0]}",)
    line.judge(Outcome.OK)
    line.judge(Outcome.NG)
    page = ""
    for _ in range(200):
        page = client.get("/image/charts").get_data(as_text=True)
        if "advice-card" in page:
            break
    assert "<html" not in page
    assert page.count("plot-line") == 6
    assert "Brightness is 81 % of the commissioned" in page
    since = LedgerReader(line.store).alarm_since("top", "lamp")
    assert since == LedgerReader(line.store).rows(3)[1].taken_at
    assert "since 20" in page
    client.post("/language", data={"language": "zh"})
    assert "光源" in client.get("/image/").get_data(as_text=True)


def test_what_a_silent_inspect_said_of_the_pictures_is_dropped(line: Any, watch: Watch) -> None:
    line.drift = (f"top: {SENTENCES[0]}",)

    def drift() -> Any:
        return watch.latest_state().get("drift")

    for wanted in ([f"top: {SENTENCES[0]}"], []):
        for _ in range(500):
            if drift() == wanted:
                break
            watch._asked_to_stop.wait(0.02)
        assert drift() == wanted
        line.dead.add("inspect")
