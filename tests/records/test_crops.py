"""Where only cut-outs leave the box, nothing but the places round the defects is seen, and no masked pixel at all."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from okng.bus.part import Defect, Outcome, Placement, Why
from okng.records import crops
from okng.records.known import Known, put_known
from okng.records.leaving import Leaving
from okng.records.ledger import Ledger, Ripe
from okng.records.outbox_read import OutboxReader, ToSend
from okng.records.pictures import PictureShelf, picture_path
from okng.records.rows import sha256

W, H = 320, 240
RULE = Leaving("crops", ok_sample_percent=100.0)
RECIPE = """\
name: cap
bundle: current
regions:
- name: cap
  box: [20, 20, 200, 200]
  ignore:
  - {kind: rect, box: [100, 100, 30, 30]}
  - {kind: polygon, points: [[40, 40], [60, 40], [60, 60], [40, 60]]}
"""
Show = Callable[..., list[ToSend]]


@pytest.fixture
def show(tmp_path: Path, maker: ModuleType) -> Iterator[Show]:
    """Stores one part of a white picture and returns what of it leaves."""
    store = tmp_path / "store"
    ledger = Ledger(store, leaving=RULE)
    shelf = PictureShelf(store)
    _, packed = cv2.imencode(".png", np.full((H, W), 200, np.uint8))

    def part(*defects: tuple[int, int, int, int], recipe: str = RECIPE, placements: tuple[Placement, ...] = ()) -> Any:
        if recipe:
            with ledger.transaction() as db:
                put_known(db, [Known("recipe", "0123456789ab", "cap", recipe)], "now")
        found = tuple(Defect("dent", "cap", *box, 7.0) for box in defects)
        said = replace(maker.verdict(1, Outcome.NG), defects=found, placements=placements)
        frame = maker.frame(1)
        kept = shelf.put(picture_path(frame, "png"), packed.tobytes(), W, H)
        shelf.settle()
        ripe = Ripe(maker.record_entry(2, 1, Why.NG, said=said), frame, kept=kept)
        ledger.store([Ripe(maker.trigger_entry(1, 1)), ripe])
        return OutboxReader(store, RULE).pictures_to_send(0, 10)

    yield part
    ledger.close()


def seen(one: ToSend) -> Any:
    picture = cv2.imread(str(one.path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture.shape == (H, W)
    return picture > 0


def test_round_a_defect_and_nowhere_else(show: Show) -> None:
    (one,) = show((150, 150, 10, 12))
    assert (one.kind, one.sha256, one.size) == ("crop", sha256(one.path.read_bytes()), one.path.stat().st_size)
    expected = np.zeros((H, W), bool)
    margin = crops.MARGIN_PX
    expected[150 - margin : 162 + margin, 150 - margin : 160 + margin] = True
    expected[:131, :131] = False  # masked, and the pixels at its edge
    found = seen(one)
    assert found[155, 155]
    assert not (found & ~expected).any()
    assert found.sum() > 0.9 * expected.sum()
    assert one.size < 5000


@pytest.mark.parametrize("defect", [(110, 110, 10, 10), (35, 35, 30, 30)])
def test_no_masked_pixel_leaves_though_a_defect_lies_on_it(show: Show, defect: tuple[int, int, int, int]) -> None:
    (one,) = show(defect)
    found = seen(one)
    assert found.any()
    assert not found[100:130, 100:130].any()
    assert not found[40:60, 40:60].any()


def test_what_is_not_judged_is_not_shown(show: Show) -> None:
    (one,) = show((212, 100, 20, 20))
    assert not seen(one)[:, 220:].any()
    assert not seen(one)[:, :20].any()


def test_masks_go_with_the_part(show: Show) -> None:
    recipe = RECIPE + "align: {golden: g.png, box: [100, 80, 41, 41]}\n"
    lay = Placement("cam0", True, 0.9, 30.0, 10.0, 0.0)
    (one,) = show((150, 130, 10, 10), recipe=recipe, placements=(lay,))
    found = seen(one)
    assert found.any()
    assert not found[110:140, 130:160].any()  # 100..130 moved by 30, 10


def test_masks_turn_with_the_part(show: Show) -> None:
    recipe = RECIPE + "align: {golden: g.png, box: [20, 20, 201, 201]}\n"
    lay = Placement("cam0", True, 0.9, 0.0, 0.0, 90.0)
    (one,) = show((160, 40, 40, 40), (40, 160, 40, 40), recipe=recipe, placements=(lay,))
    # Counter-clockwise about (120, 120) the corner 40..60, 40..60 comes to x 40..60, y 180..200.
    found = seen(one)
    assert not found[180:200, 40:60].any()
    assert found[45:55, 165:175].any()


@pytest.mark.parametrize(
    "why",
    [
        {"recipe": ""},
        {"recipe": "name: [cap"},
        {"recipe": "cap"},
        {"recipe": RECIPE + "align: {golden: g.png, box: [100, 80, 41, 41]}\n"},
        {"recipe": RECIPE + "tools: [{name: gap, box: [1, 2]}]\n"},
    ],
    ids=["unknown", "broken", "no recipe", "not found", "strange"],
)
def test_what_is_not_known_for_sure_is_not_shown(show: Show, why: dict[str, Any]) -> None:
    assert show((150, 150, 10, 10), **why) == []


def test_a_part_without_a_defect_shows_nothing(show: Show) -> None:
    assert show() == []


def test_a_cut_out_is_made_once_and_again_when_it_is_gone(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = show((150, 150, 10, 10))
    reader = OutboxReader(one.path.parent.parent.parent / "store", RULE)
    made = one.path.stat().st_mtime_ns
    assert reader.pictures_to_send(0, 10) == [one]
    assert one.path.stat().st_mtime_ns == made
    one.path.unlink()
    assert reader.pictures_to_send(0, 10) == [one]
    (one.path.parent / f"{'0' * 32}-{'1' * 64}.png").write_bytes(bytes(5000))
    one.path.unlink()
    monkeypatch.setattr(crops, "MOST_BYTES", 5000)
    assert reader.pictures_to_send(0, 10) == [one]
    assert [file.name for file in one.path.parent.glob("*.png")] == [one.path.name]
    assert json.loads(reader.outgoing("records", 0, 1)[0].body).get("picture_sha256") is None
