"""Folders, COCO, YOLO and Label Studio say the same of the same pictures; what is wrong in them is named."""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from okng.bus.errors import BadData, BadSettings
from okng.models.box import Box
from okng.training.data.dataset import Sample
from okng.training.data.rle import counts_of, from_brush, from_coco, to_brush, to_coco
from okng.training.data.shapes import Boxed
from okng.training.data.sources import SourceOptions, open_dataset, told_apart

SIZE = {"width": 40, "height": 30}


def noise(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (30, 40), np.uint8))
    return path


def by_name(samples: tuple[Sample, ...]) -> dict[str, Sample]:
    return {Path(sample.name).name: sample for sample in samples}


def test_mvtec_folders_give_split_label_and_mask(mvtec: Path) -> None:
    found = open_dataset(mvtec)
    assert found.count() == {("good", "train"): 4, ("good", "test"): 1, ("scratch", "test"): 2}
    assert found.classes == found.kinds == ("scratch",)
    one = next(sample for sample in found.samples if sample.name == "test/scratch/001.png")
    assert one.boxes() == (("scratch", Box(10, 5, 10, 4)),)
    assert one.masks()["scratch"].sum() == 40


def test_masks_may_be_absent(mvtec: Path) -> None:
    for path in (mvtec / "ground_truth/scratch").iterdir():
        path.unlink()
    (mvtec / "ground_truth/scratch").rmdir()
    defect = open_dataset(mvtec).defects[0]
    assert defect.annotations == ()
    assert defect.mask() is None


def test_one_mask_that_lacks_is_said(mvtec: Path) -> None:
    (mvtec / "ground_truth/scratch/001_mask.png").unlink()
    (said,) = open_dataset(mvtec).notes
    assert said.startswith("1 defective pictures have nothing drawn")
    assert "001.png" in said


def test_a_manifest_csv_gives_lots_and_is_checked(mvtec: Path) -> None:
    (mvtec / "manifest.csv").write_text(
        "file,source_path,sha256\ntrain/good/000.png,exp7_num_1.jpg,\ntrain/good/001.png,exp8_num_2.jpg,"
        + "0" * 64
        + "\n"
    )
    with pytest.raises(BadData, match=r"001\.png: changed: sha256 .* the source says 0000"):
        open_dataset(mvtec)
    found = open_dataset(mvtec, SourceOptions(lot_from="(exp[0-9]+)_", leave_out_broken=True))
    assert next(sample.lot for sample in found.samples if sample.name == "train/good/000.png") == "exp7"
    assert "lot: 5 names do not hold '(exp[0-9]+)_'" in found.notes[0]
    assert [one.reason[:7] for one in found.left_out] == ["changed"]


def test_a_rule_without_a_group_is_refused(mvtec: Path) -> None:
    with pytest.raises(BadSettings, match="expected a group"):
        open_dataset(mvtec, SourceOptions(lot_from="exp"))


def test_plain_folders_know_what_others_call_good(tmp_path: Path) -> None:
    noise(tmp_path / "OK/a.png", 1)
    noise(tmp_path / "crack/lot7/b.png", 2)
    found = open_dataset(tmp_path)
    assert [(sample.label, sample.lot, sample.split) for sample in found.samples] == [
        ("good", None, None),
        ("crack", "lot7", None),
    ]


def coco(folder: Path, segmentation: object, **more: object) -> Path:
    noise(folder / "images/a.png", 1)
    noise(folder / "images/b.png", 2)
    mark = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 5, 10, 3], "segmentation": segmentation, **more}
    images = [{"id": 7, "file_name": "a.png", **SIZE}, {"id": 8, "file_name": "b.png", **SIZE}]
    categories = [{"id": 3, "name": "scratch"}, {"id": 5, "name": "stain"}]
    file = folder / "annotations.json"
    file.write_text(json.dumps({"images": images, "annotations": [mark], "categories": categories}))
    return file


SQUARE = Boxed(Box(10, 5, 10, 3)).mask(40, 30)


@pytest.mark.parametrize(
    "segmentation",
    [
        [[10, 5, 20, 5, 20, 8, 10, 8]],
        {"size": [30, 40], "counts": list(counts_of(SQUARE))},
        {"size": [30, 40], "counts": to_coco(SQUARE)},
        [],
    ],
    ids=["polygon", "runs", "compressed", "box"],
)
def test_coco_says_it_in_four_ways(tmp_path: Path, segmentation: object) -> None:
    found = open_dataset(coco(tmp_path, segmentation))
    assert found.classes == ("scratch", "stain")
    a, b = found.samples
    assert (a.label, b.label) == ("scratch", "good")
    assert a.boxes() == (("scratch", Box(10, 5, 10, 3)),)
    assert (a.masks()["scratch"] == SQUARE).all()


def test_coco_names_what_is_wrong(tmp_path: Path) -> None:
    file = coco(tmp_path, [])
    (tmp_path / "images/b.png").unlink()
    said = json.loads(file.read_text())
    said["annotations"].append({"id": 2, "image_id": 99, "category_id": 3, "bbox": [0, 0, 1, 1]})
    said["annotations"].append({"id": 4, "image_id": 7, "category_id": 77, "bbox": [0, 0, 1, 1]})
    file.write_text(json.dumps(said))
    with pytest.raises(BadData) as caught:
        open_dataset(file)
    text = str(caught.value)
    assert "b.png: missing" in text
    assert "annotation 2: image_id 99 is none of its images" in text
    assert "annotation 4: category_id 77: expected one of 3, 5" in text
    del said["images"][0]["file_name"]
    file.write_text(json.dumps(said))
    with pytest.raises(BadData, match=r"images\.0\.file_name"):
        open_dataset(file)


def test_sides_of_coco_come_from_the_files(tmp_path: Path) -> None:
    for side in ("train", "valid"):
        coco(tmp_path / side, []).rename(tmp_path / side / "_annotations.coco.json")
    found = open_dataset(tmp_path)
    assert told_apart(tmp_path) == "coco"
    assert [sample.split for sample in found.samples] == ["train", "train", "val", "val"]
    assert found.samples[0].name == "train/images/a.png"


def test_compressed_run_lengths_are_those_of_pycocotools() -> None:
    # rleToString by hand: from the fourth on, the difference to the one two before; each + 48.
    mask = Boxed(Box(1, 1, 3, 2)).mask(5, 4)
    assert counts_of(mask) == (5, 2, 2, 2, 2, 2, 5)
    assert to_coco(mask) == "5220003"
    # -20 takes two groups: 01100 with more to come (48 + 32 + 12), then 11111, the sign (48 + 31).
    assert from_coco("0" + chr(48 + 32 + 26) + "0" + "1" + chr(48 + 32 + 12) + chr(48 + 31), 1, 33).counts == (
        0,
        26,
        1,
        6,
    )
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one = cv2.GaussianBlur(rng.normal(0, 1, (70, 90)), (0, 0), 3) > 0.1 * seed / 20
        assert (from_coco(to_coco(one), 90, 70).mask(90, 70) == one).all()


@pytest.mark.parametrize(("counts", "said"), [("5220", "expected 40x30"), ("~", "letter"), ([5, -5, 1200], "below 0")])
def test_broken_run_lengths_are_refused(counts: str | list[int], said: str) -> None:
    with pytest.raises(BadData, match=said):
        from_coco(counts, 40, 30)


def yolo(folder: Path, line: str) -> Path:
    noise(folder / "images/train/a.png", 1)
    noise(folder / "images/val/b.png", 2)
    (folder / "labels/train").mkdir(parents=True)
    (folder / "labels/train/a.txt").write_text(line + "\n")
    file = folder / "data.yaml"
    file.write_text("path: .\ntrain: images/train\nval: images/val\nnames:\n  0: stain\n  1: scratch\n")
    return file


@pytest.mark.parametrize(
    ("line", "drawn"),
    [
        ("1 0.375 0.216667 0.25 0.1", False),
        ("1 0.25 0.166667 0.5 0.166667 0.5 0.266667 0.25 0.266667", True),
    ],
)
def test_yolo_gives_boxes_and_polygons(tmp_path: Path, line: str, drawn: bool) -> None:
    found = open_dataset(yolo(tmp_path, line).parent)
    assert found.classes == ("stain", "scratch")
    a, b = found.samples
    assert (a.label, a.split, b.label, b.split) == ("scratch", "train", "good", "val")
    assert a.boxes() == (("scratch", Box(10, 5, 10, 3)),)
    assert a.drawn is drawn
    assert (a.masks()["scratch"] == SQUARE).all()
    assert found.notes == ("1 pictures have no text file in labels/: taken as good",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("7 0.5 0.5 0.1 0.1", r"line 1: class 7: expected one of 0, 1"),
        ("1 0.5 0.5 0.1", r"line 1: 3 values: expected 4"),
        ("1 50 50 10 10", r"line 1: value 50\.0: expected shares"),
        ("1 0.5 0.5 nan 0.1", r"line 1: value nan"),
        ("x 0.5 0.5 0.1 0.1", r"line 1: invalid literal"),
    ],
)
def test_yolo_names_the_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        open_dataset(yolo(tmp_path, line))


def studio(folder: Path, *results: Mapping[str, object], image: str = "/data/local-files/?d=plates/a.png") -> Path:
    noise(folder / "plates/a.png", 1)
    whole = [
        {"id": "r1", "original_width": 40, "original_height": 30, "to_name": "image", "from_name": "l", **one}
        for one in results
    ]
    old = {"id": 1, "result": [], "updated_at": "2025-01-01"}
    new = {"id": 2, "result": whole, "updated_at": "2026-01-01"}
    cancelled = {"id": 3, "result": [], "was_cancelled": True, "updated_at": "2026-02-01"}
    file = folder / "export.json"
    file.write_text(json.dumps([{"id": 5, "data": {"image": image}, "annotations": [old, new, cancelled]}]))
    return file


BOX = {"x": 25.0, "y": 100 * 5 / 30, "width": 25.0, "height": 10.0, "rotation": 0}
CORNERS = [[25.0, 100 * 5 / 30], [50.0, 100 * 5 / 30], [50.0, 100 * 8 / 30], [25.0, 100 * 8 / 30]]


@pytest.mark.parametrize(
    "result",
    [
        {"type": "rectanglelabels", "value": {**BOX, "rectanglelabels": ["scratch"]}},
        {"type": "polygonlabels", "value": {"points": CORNERS, "polygonlabels": ["scratch"]}},
        {"type": "brushlabels", "value": {"format": "rle", "rle": to_brush(SQUARE), "brushlabels": ["scratch"]}},
    ],
    ids=["box", "polygon", "brush"],
)
def test_label_studio_says_it_in_three_ways(tmp_path: Path, result: dict[str, object]) -> None:
    (one,) = open_dataset(studio(tmp_path, result)).samples
    assert one.label == "scratch"
    assert one.boxes() == (("scratch", Box(10, 5, 10, 3)),)
    assert (one.masks()["scratch"] == SQUARE).all()


def test_label_studio_turns_a_box_about_its_corner(tmp_path: Path) -> None:
    value = {"x": 50.0, "y": 50.0, "width": 25.0, "height": 10.0, "rotation": 90, "rectanglelabels": ["scratch"]}
    (one,) = open_dataset(studio(tmp_path, {"type": "rectanglelabels", "value": value})).samples
    assert one.boxes() == (("scratch", Box(17, 15, 3, 10)),)


def test_label_studio_choices_are_the_label(tmp_path: Path) -> None:
    choice = {"type": "choices", "value": {"choices": ["OK"]}}
    (one,) = open_dataset(studio(tmp_path, choice)).samples
    assert one.ok
    (other,) = open_dataset(studio(tmp_path, {"type": "choices", "value": {"choices": ["dent"]}})).samples
    assert (other.label, other.annotations) == ("dent", ())


def test_form_and_label_may_stand_apart(tmp_path: Path) -> None:
    form = {"type": "rectangle", "value": BOX}
    label = {"type": "labels", "value": {**BOX, "labels": ["scratch"]}}
    (one,) = open_dataset(studio(tmp_path, form, label)).samples
    assert one.boxes() == (("scratch", Box(10, 5, 10, 3)),)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("https://store.example/a/b.png", "task 5: is not local"),
        ("s3://bucket/b.png", "task 5: is not local"),
        ("/data/local-files/?d=plates/zzz.png", r"zzz\.png: missing"),
    ],
)
def test_pictures_of_label_studio_are_local_or_named(tmp_path: Path, image: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        open_dataset(studio(tmp_path, {"type": "choices", "value": {"choices": ["OK"]}}, image=image))


def test_an_upload_is_found_without_its_prefix(tmp_path: Path) -> None:
    choice = {"type": "choices", "value": {"choices": ["OK"]}}
    file = studio(tmp_path, choice, image="/data/upload/3/0a1b2c3d-a.png")
    (one,) = open_dataset(file, SourceOptions(pictures=tmp_path / "plates")).samples
    assert one.name == "a.png"


def test_a_task_nobody_annotated_is_named(tmp_path: Path) -> None:
    file = studio(tmp_path)
    said = json.loads(file.read_text())
    said[0]["annotations"] = []
    file.write_text(json.dumps(said))
    with pytest.raises(BadData, match="task 5: nobody has annotated it"):
        open_dataset(file)


def test_brush_goes_there_and_back() -> None:
    for seed in range(5):
        one = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (60, 80)), (0, 0), 4) > 0
        assert (from_brush(to_brush(one), 80, 60) == one).all()
    packed = to_brush(one)
    with pytest.raises(BadData, match="expected 80x61x4"):
        from_brush(packed, 80, 61)
    with pytest.raises(BadData, match="ends after"):
        from_brush(packed[: len(packed) // 2], 80, 60)


def test_brush_may_hold_single_values() -> None:
    """As label-studio-converter writes a value that stands alone: no repeat, a run of one."""
    header = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    body = (
        "1" + "00" + f"{2:03b}" + f"{0:08b}" + "0" + "00" + "000" + f"{255:08b}" + "1" + "00" + f"{3:03b}" + f"{0:08b}"
    )
    bits = np.array([int(bit) for bit in header + body], np.uint8)
    assert from_brush(np.packbits(bits).tolist(), 2, 1).tolist() == [[True, False]]


def test_nothing_known_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected folders of classes"):
        open_dataset(tmp_path)
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(BadData, match=r"expected data\.yaml, or JSON"):
        open_dataset(tmp_path / "x.json")
    with pytest.raises(BadData, match="there is nothing"):
        open_dataset(tmp_path / "none")
