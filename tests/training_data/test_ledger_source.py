"""Parts of the ledger as a source: what a model said is marked so; what has no picture or verdict is told."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadData
from okng.bus.part import Why
from okng.models.box import Box
from okng.records.ledger import Ledger, Ripe
from okng.records.rows import Kept
from okng.training.data.rle import counts_of
from okng.training.data.sources import SourceOptions, open_dataset, told_apart


def maker() -> ModuleType:
    """tests/records/maker.py: makes entries of triggers and parts."""
    spec = importlib.util.spec_from_file_location("records_maker", Path(__file__).parents[1] / "records/maker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["records_maker"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Twelve parts: each third NG, the tenth too late; the picture of the second was not kept."""
    make, ledger, batch = maker(), Ledger(tmp_path), []
    for part in range(1, 13):
        why = Why.LATE if part == 10 else Why.NG if part % 3 == 0 else Why.OK
        pixels = np.random.default_rng(part).integers(0, 255, (48, 64), np.uint8)
        data = cv2.imencode(".png", pixels)[1].tobytes()
        name = f"pictures/2026/11/23/08/{part}.png"
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        kept = None if part == 2 else Kept(name, hashlib.sha256(data).hexdigest(), 64, 48)
        said = make.verdict(part) if why is Why.LATE else None
        batch.append(Ripe(make.trigger_entry(2 * part - 1, part)))
        batch.append(Ripe(make.record_entry(2 * part, part, why, said=said), kept=kept))
    batch.append(Ripe(make.counters_entry(25, ok=7, ng=4, unjudged=1)))
    ledger.store(batch)
    ledger.close()
    return tmp_path


def test_parts_become_samples(store: Path) -> None:
    assert told_apart(store) == "ledger"
    found = open_dataset(store)
    assert found.count() == {("good", ""): 7 - 1, ("anomaly", ""): 4}
    assert {one.said_by for one in found.samples} == {"verdict"}
    assert found.defects[0].boxes() == (("anomaly", Box(1, 2, 3, 4)),)
    assert {one.lot for one in found.samples} == {"2026-11-23"}
    assert len({one.part for one in found.samples}) == 10
    assert found.notes == (
        "1 parts were UNJUDGED: no label, left aside",
        "1 parts have no kept picture",
        "10 labels are verdicts of a model: let a person look first",
    )


def test_recipe_and_time_choose(store: Path) -> None:
    with pytest.raises(BadData, match="no picture in it that can be used"):
        open_dataset(store, SourceOptions(recipe="other"))
    with pytest.raises(BadData, match="no picture in it that can be used"):
        open_dataset(store, SourceOptions(since="2027"))
    assert len(open_dataset(store, SourceOptions(recipe="cap", since="2026-11-23")).samples) == 10


def test_a_picture_that_is_not_the_one_recorded_is_named(store: Path) -> None:
    pictures = store / "pictures/2026/11/23/08"
    (pictures / "4.png").write_bytes((pictures / "5.png").read_bytes())
    (pictures / "7.png").unlink()
    with pytest.raises(BadData) as caught:
        open_dataset(store)
    assert "4.png: changed: sha256" in str(caught.value)
    assert "7.png: missing" in str(caught.value)


def say(store: Path, table: str, **columns: object) -> None:
    ledger = Ledger(store)
    with ledger.transaction() as db:
        names = ", ".join(columns)
        db.execute(f'insert into "{table}" ({names}) values ({", ".join("?" * len(columns))})', tuple(columns.values()))
    ledger.close()


def label(
    store: Path, seq: int, truth: str, kind: str = "", second: bool = False, undone_at: str | None = None
) -> None:
    say(store, "label", seq=seq, truth=truth, kind=kind, second=second, undone_at=undone_at, who="ann", at="2026")


def test_what_people_say_takes_the_place_of_what_the_model_said(store: Path) -> None:
    label(store, 3, "defect", "dent")
    label(store, 3, "good", second=True)  # a second person's is none of the part
    label(store, 6, "good")
    label(store, 6, "defect", "dent", undone_at="2026")
    label(store, 9, "defect")
    label(store, 10, "good")  # UNJUDGED by the box
    label(store, 4, "unsure")
    label(store, 1, "defect", "scratch")  # passed by the box
    found = open_dataset(store)
    said = {Path(one.name).stem: (one.label, one.said_by) for one in found.samples}
    assert {name: said[name] for name in ("3", "6", "9", "10", "1")} == {
        "3": ("dent", "operator"),
        "6": ("good", "operator"),
        "9": ("anomaly", "operator"),
        "10": ("good", "operator"),
        "1": ("scratch", "operator"),
    }
    assert "4" not in said
    assert said["12"] == ("anomaly", "verdict")
    boxes = {Path(one.name).stem: one.boxes() for one in found.samples}
    assert boxes["3"] == (("dent", Box(1, 2, 3, 4)),)
    assert boxes["6"] == boxes["1"] == ()
    assert found.notes == (
        "1 parts have no kept picture",
        "1 parts nobody could tell: labelled unsure, left aside",
        "5 labels are verdicts of a model: let a person look first",
    )


def test_a_drawing_gives_the_pixels(store: Path) -> None:
    mask = np.zeros((48, 64), bool)
    mask[10:14, 20:30] = True
    counts = [int(count) for count in counts_of(mask)]
    box = {"kind": "dirt", "x": 1, "y": 1, "w": 2, "h": 2}
    body = {"width": 64, "height": 48, "camera": "", "masks": [{"kind": "scratch", "counts": counts}], "boxes": [box]}
    say(store, "drawing", seq=3, who="eve", at="2026", body=json.dumps(body))
    sample = next(one for one in open_dataset(store).samples if one.name.endswith("/3.png"))
    assert (sample.label, sample.said_by) == ("scratch", "operator")
    assert sample.boxes() == (("scratch", Box(20, 10, 10, 4)), ("dirt", Box(1, 1, 2, 2)))
    assert (sample.annotations[0].mask(64, 48) == mask).all()


def test_a_part_found_defective_downstream_is_no_good_one(store: Path) -> None:
    say(store, "escape", seq=1, serial="", found_at="customer", what="leaks", who="ann", at="2026")
    found = open_dataset(store)
    assert all(not one.name.endswith("/1.png") for one in found.samples)
    assert any("found defective downstream" in note for note in found.notes)
