"""One picture becomes a verdict: the part is found, regions move with it, its code is read, its picture compared."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
import zxingcpp

from okng.bus.clock import now_ns
from okng.bus.errors import BadRecipe
from okng.bus.messages import FrameReady
from okng.bus.part import Outcome, Verdict
from okng.bus.ring import RingShelf, RingWriter
from okng.imaging.commission import commission
from okng.imaging.picture import Picture
from okng.imaging.plan import plan_of
from okng.inspect.inspector import Inspector
from okng.inspect.options import InspectOptions
from okng.inspect.recipe import read_recipe
from okng.models.bundle import write_bundle
from okng.models.pictures import encode_png
from okng.tests.models.conftest import contents, fields, graph

WIDTH, HEIGHT = 480, 360
PATTERN = (140, 90, 200, 160)
REGION = (180, 120, 96, 96)
CODE = (20, 20, 120, 90)
FLAW = (220, 160)
"""Inside the region."""


def part(flaw: bool = False, serial: str = "A-1001") -> Picture:
    """A part on a table: a bracket with holes, a code beside it; nothing above the model's limit but the flaw."""
    rng = np.random.default_rng(3)
    picture = cv2.GaussianBlur(rng.normal(90, 25, (HEIGHT, WIDTH)), (0, 0), 2)
    picture[100:240, 150:330] = np.linspace(110, 150, 180)
    for x, y, radius in ((170, 120, 12), (310, 130, 9), (200, 225, 14), (300, 215, 6)):
        cv2.circle(picture, (x, y), radius, 30.0, -1)
    cv2.line(picture, (160, 180), (320, 110), 60.0, 5)
    if serial:
        code = np.array(zxingcpp.create_barcode(serial, zxingcpp.BarcodeFormat.DataMatrix).to_image(scale=4))
        rows, columns = code.shape
        picture[30 : 30 + rows, 40 : 40 + columns] = code * (180 / 255)
    if flaw:
        cv2.circle(picture, FLAW, 3, 250.0, -1)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def moved(picture: Picture, x: float = 0.0, y: float = 0.0, turn: float = 0.0, seed: int = 1) -> Picture:
    matrix = cv2.getRotationMatrix2D((240, 170), turn, 1.0)
    matrix[:, 2] += np.array([x, y])
    shown = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(np.clip(shown + np.random.default_rng(seed).normal(0, 1.5, shown.shape), 0, 255), np.uint8)


class Bench:
    """An inspector, a ring, and the numbers of its frames."""

    def __init__(
        self,
        folder: Path,
        more: dict[str, Any],
        camera: str = "top",
        cameras: tuple[str, ...] | None = None,
        **section: Any,
    ) -> None:
        """cameras: of the box; None: the one whose pictures these are."""
        write_bundle(folder / "model", contents(graph().SerializeToString()), fields(), replace=True)
        content: dict[str, Any] = {"name": "r", "deadline_ms": 5000, "bundle": "model"}
        content["camera"] = {"width": WIDTH, "height": HEIGHT, **section}
        content |= {"regions": [{"name": "bore", "box": list(REGION)}], **more}
        (folder / "recipe.yaml").write_text(yaml.safe_dump(content))
        active = read_recipe(folder / "recipe.yaml")
        self.inspector = Inspector(1, active, InspectOptions(), cameras or (camera,), folder)
        self.develop = plan_of(active.recipe.section(camera).develop, folder, WIDTH, HEIGHT).write(folder)
        self.ring = RingWriter(folder, camera, 4, WIDTH * HEIGHT)
        self.shelf = RingShelf(folder)
        self.camera, self._parts = camera, itertools.count(1)

    def judge(self, picture: Picture, pixel_format: str = "Mono8") -> Verdict:
        part_, (slot, into) = next(self._parts), self.ring.begin()
        with into:
            into[: picture.size] = picture.tobytes()
        sequence = self.ring.commit(slot, part=part_, number=part_, epoch=1, size=picture.size)
        rows, columns = picture.shape
        at = now_ns()
        ready = FrameReady(
            part=part_,
            camera=self.camera,
            ring=self.ring.name,
            slot=slot,
            sequence=sequence,
            number=part_,
            epoch=1,
            width=columns,
            height=rows,
            pixel_format=pixel_format,
            size_bytes=picture.size,
            triggered_at_ns=at,
            exposed_at_ns=at,
            device_ns=None,
            received_ns=at,
            ready_ns=at,
            taken_at="2026-11-26T00:00:00Z",
            develop=self.develop,
        )
        return self.inspector.verdict(ready, self.shelf)

    def close(self) -> None:
        self.shelf.close()
        self.ring.close()


MakeBench = Callable[..., Bench]
ALIGN = {"golden": "golden.png", "box": list(PATTERN), "search_px": 30, "angle_deg": 6.0}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[MakeBench]:
    made: list[Bench] = []
    (tmp_path / "golden.png").write_bytes(encode_png(part()))

    def make(section: dict[str, Any] | None = None, **more: Any) -> Bench:
        made.append(Bench(tmp_path, more, **(section or {})))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_regions_move_with_the_part(bench: MakeBench) -> None:
    line = bench(align=ALIGN)
    for x, y, turn in ((0, 0, 0), (18, -12, 0), (-22, 15, 4.0)):
        good, bad = line.judge(moved(part(), x, y, turn)), line.judge(moved(part(flaw=True), x, y, turn))
        assert good.outcome is Outcome.OK, good.reasons
        assert bad.outcome is Outcome.NG
        (placement,) = bad.placements
        assert placement.found
        assert abs(placement.angle_deg - turn) < 0.3
        matrix = cv2.getRotationMatrix2D((240, 170), turn, 1.0)
        flaw_x, flaw_y = matrix @ (*FLAW, 1.0) + (x, y)
        defect = bad.defects[0]
        assert defect.x - 14 <= flaw_x <= defect.x + defect.w + 14
        assert defect.y - 14 <= flaw_y <= defect.y + defect.h + 14


def test_without_alignment_a_moved_flaw_is_missed_or_found_where_the_region_stands(bench: MakeBench) -> None:
    line = bench()
    assert line.judge(moved(part(flaw=True))).outcome is Outcome.NG
    assert line.judge(moved(part(flaw=True), x=70)).outcome is Outcome.OK
    assert line.judge(part()).placements == ()


def test_a_part_that_is_not_found_is_unjudged(bench: MakeBench) -> None:
    line = bench(align=ALIGN)
    for picture in (np.full((HEIGHT, WIDTH), 90, np.uint8), moved(part(), x=60)):
        verdict = line.judge(picture)
        assert (verdict.outcome, verdict.reasons) == (Outcome.UNJUDGED, ("part not found in the picture",))
        assert not verdict.placements[0].found


def test_a_region_that_moved_out_of_the_picture_is_unjudged(bench: MakeBench) -> None:
    line = bench(align=ALIGN, regions=[{"name": "bore", "box": list(REGION)}, {"name": "edge", "box": [0, 0, 60, 60]}])
    verdict = line.judge(moved(part(), x=-15))
    assert verdict.outcome is Outcome.UNJUDGED
    assert verdict.reasons == ("region edge lies partly outside the picture",)
    assert line.judge(moved(part(flaw=True), x=-15)).outcome is Outcome.NG


def test_the_code_is_the_parts_serial_number(bench: MakeBench) -> None:
    line = bench(align=ALIGN, codes=[{"name": "dm", "box": list(CODE), "kinds": ["DataMatrix"], "time_ms": 1000}])
    verdict = line.judge(moved(part(serial="A-1002"), x=12, y=9))
    assert verdict.outcome is Outcome.OK, verdict.reasons
    (code,) = verdict.codes
    assert (code.name, code.text, code.kind, code.serial) == ("dm", "A-1002", "DataMatrix", True)


def test_a_code_that_cannot_be_read_has_its_own_reason(bench: MakeBench) -> None:
    codes = [{"name": "dm", "box": list(CODE), "pattern": r"A-\d{4}", "time_ms": 1000}]
    line = bench(codes=codes)
    blank, other = line.judge(part(serial="")), line.judge(part(serial="B-77"))
    assert (blank.outcome, blank.reasons) == (Outcome.UNJUDGED, ("code dm unreadable",))
    assert (other.outcome, other.reasons) == (Outcome.UNJUDGED, ("code dm does not match",))
    assert line.judge(part(flaw=True, serial="")).outcome is Outcome.NG


def test_a_drifted_picture_is_told_apart_from_the_verdict(bench: MakeBench, tmp_path: Path) -> None:
    goods = [moved(part(), seed=seed) for seed in range(12)]
    commission(goods).write(tmp_path / "health.npz")
    line = bench(health={"reference": "health.npz", "window": 6})
    for seed in range(20, 32):
        verdict = line.judge(moved(part(), seed=seed))
        assert verdict.outcome is Outcome.OK
        assert verdict.image[0].camera == "top"
        assert verdict.image[0].alarms == ()
    assert not line.inspector.alarms
    for seed in range(40, 60):
        dim = np.asarray(moved(part(), seed=seed) * 0.78, np.uint8)
        verdict = line.judge(dim)
        assert verdict.outcome is Outcome.OK, "drift is no verdict"
    assert "lamp" in verdict.image[0].alarms
    words = line.inspector.alarms[0]
    assert words.startswith("top: lamp: ")


def test_regions_lie_in_the_developed_picture(bench: MakeBench) -> None:
    crop = {"develop": {"crop": [100, 60, 320, 240]}}
    x, y, w, h = REGION
    line = bench(section=crop, regions=[{"name": "bore", "box": [x - 100, y - 60, w, h]}])
    verdict = line.judge(part(flaw=True))
    assert verdict.outcome is Outcome.NG
    assert verdict.defects[0].x - 14 <= FLAW[0] - 100 <= verdict.defects[0].x + verdict.defects[0].w + 14
    with pytest.raises(BadRecipe, match="bore reaches to 400,300"):
        bench(section=crop, regions=[{"name": "bore", "box": [300, 200, 100, 100]}])


def test_a_picture_of_another_kind_than_the_model_takes_is_unjudged(bench: MakeBench) -> None:
    line = bench(section={"pixel_format": "BayerRG8"})
    verdict = line.judge(part(), pixel_format="BayerRG8")
    assert verdict.outcome is Outcome.UNJUDGED
    assert "3 channels" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"align": {**ALIGN, "golden": "small.png"}}, r"64x48, expected the developed picture's 480x360"),
        ({"align": {**ALIGN, "golden": "none.png"}}, "none.png: cannot be read"),
        ({"align": {**ALIGN, "box": [0, 0, 480, 361]}}, "lie inside the golden picture"),
        ({"health": {"reference": "golden.png"}}, "golden.png"),
        ({"codes": [{"pattern": "("}]}, "regular expression"),
    ],
)
def test_what_does_not_fit_is_refused_when_the_job_is_loaded(
    bench: MakeBench, tmp_path: Path, more: dict[str, Any], words: str
) -> None:
    (tmp_path / "small.png").write_bytes(encode_png(np.zeros((48, 64), np.uint8)))
    with pytest.raises(BadRecipe, match=words):
        bench(**more)


AROUND_FLAW = {"kind": "ellipse", "box": [FLAW[0] - 26, FLAW[1] - 26, 52, 52]}
ELSEWHERE = {"kind": "rect", "box": [REGION[0] + 60, REGION[1], 30, 30]}


@pytest.mark.parametrize(("place", "outcome"), [(AROUND_FLAW, Outcome.OK), (ELSEWHERE, Outcome.NG)])
def test_what_is_ignored_moves_with_the_part(bench: MakeBench, place: dict[str, Any], outcome: Outcome) -> None:
    region = {"name": "bore", "box": list(REGION), "ignore": [place]}
    line = bench(align=ALIGN, regions=[region])
    for x, y, turn in ((0, 0, 0), (18, -12, 0), (-22, 15, 4.0)):
        verdict = line.judge(moved(part(flaw=True), x, y, turn))
        assert verdict.outcome is outcome, verdict.reasons
