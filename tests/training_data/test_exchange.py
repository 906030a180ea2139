"""A set goes to another's format and back: what is lost is told, and what is not told is not lost.

The foreign formats are also read and written by others: pycocotools and Label Studio's own converter, in an environment
of their own.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okng.models.box import Box
from okng.training.data.beside import NAME
from okng.training.data.dataset import Annotation, Dataset, PartId, Sample
from okng.training.data.export import export
from okng.training.data.intake import Naming
from okng.training.data.label_studio import read_label_studio
from okng.training.data.losses import FORMATS, Format
from okng.training.data.rle import counts_of, from_brush, from_coco, to_brush, to_coco
from okng.training.data.shapes import Boxed, Mask, MaskFile, Polygons, RunLengths, Shape, box_of
from okng.training.data.sources import open_dataset

from ..training.mlflow_server import tool

WIDTH, HEIGHT = 40, 30


def mark(kind: str, shape: Shape) -> Annotation:
    box = shape.box(WIDTH, HEIGHT) if isinstance(shape, Polygons) else box_of(shape.mask(WIDTH, HEIGHT))
    assert box is not None
    return Annotation(kind, box, shape)


def runs(*boxes: Box) -> RunLengths:
    whole = np.zeros((HEIGHT, WIDTH), bool)
    for box in boxes:
        whole |= Boxed(box).mask(WIDTH, HEIGHT)
    return RunLengths(counts_of(whole), WIDTH, HEIGHT)


def ring() -> RunLengths:
    """A mask with a hole."""
    whole = Boxed(Box(4, 4, 12, 10)).mask(WIDTH, HEIGHT) & ~Boxed(Box(8, 7, 3, 3)).mask(WIDTH, HEIGHT)
    return RunLengths(counts_of(whole), WIDTH, HEIGHT)


TRIANGLE = Polygons((((2.0, 2.0), (9.0, 2.0), (2.0, 9.0)),))
TWO = Polygons((((2.0, 2.0), (9.0, 2.0), (2.0, 9.0)), ((20.0, 20.0), (28.0, 20.0), (28.0, 27.0), (20.0, 27.0))))
CASES: dict[str, tuple[Annotation, ...]] = {
    "mask": (mark("dent", runs(Box(5, 6, 7, 8))),),
    "outline": (mark("dent", TRIANGLE),),
    "outlines": (mark("dent", TWO),),
    "hole": (mark("dent", ring()),),
    "pieces": (mark("dent", runs(Box(2, 2, 5, 5), Box(20, 20, 6, 4))),),
    "box": (Annotation("dent", Box(5, 6, 7, 8)),),
    "wide box": (Annotation("dent", Box(1, 2, 20, 20), runs(Box(5, 6, 7, 8))),),
    "two apart": (mark("dent", runs(Box(2, 2, 9, 9))), mark("scratch", runs(Box(25, 20, 4, 3)))),
    "two in each other's box": (mark("dent", ring()), mark("scratch", runs(Box(9, 8, 1, 1)))),
    "two over": (mark("dent", runs(Box(2, 2, 9, 9))), mark("scratch", runs(Box(6, 6, 9, 9)))),
    "box and mask": (mark("dent", runs(Box(2, 2, 9, 9))), Annotation("scratch", Box(25, 20, 4, 3))),
    "smaller label": (mark("scratch", runs(Box(2, 2, 15, 9))), mark("dent", runs(Box(25, 20, 4, 3)))),
}
"""What is drawn on the one defective picture, whose label is `dent`."""


def whole(mvtec: Path, marks: tuple[Annotation, ...]) -> Dataset:
    """Goods and one defect, with all that can be known of a part."""
    found = open_dataset(mvtec)
    goods = [
        replace(one, split=("train", "val", "test")[at % 3], said_by=("file", "operator", "verdict")[at % 3])
        for at, one in enumerate(found.goods)
    ]
    bare = replace(goods[-1], split=None)
    seen = PartId("box7", 2, 4711)
    defect = replace(found.defects[0], label="dent", annotations=marks, part="A77", lot="L3", serial="A77", seen=seen)
    defect = replace(defect, split="test", said_by="operator")
    return Dataset((*goods[:-1], bare, defect), "test", ("dent", "scratch"))


def told(one: Annotation) -> tuple[str, Box, str]:
    shape = {MaskFile: "mask", RunLengths: "mask", Polygons: "outline"}.get(type(one.shape), "box")
    return one.kind, one.box, f"{shape} {len(one.shape.outlines)}" if isinstance(one.shape, Polygons) else shape


KNOWN = ("name", "label", "split", "part", "lot", "serial", "seen", "said_by", "width", "height", "channels")


def changed(before: Dataset, after: Dataset) -> list[str]:
    """What came back otherwise, by a comparison of this test's own."""
    said = [] if before.classes == after.classes else [f"classes {after.classes}"]
    back = {one.sha256: one for one in after.samples}
    assert set(back) == {one.sha256 for one in before.samples}
    for old in before.samples:
        new = back[old.sha256]
        pairs = {name: (getattr(old, name), getattr(new, name)) for name in KNOWN}
        said += [f"{name}: {one} -> {other}" for name, (one, other) in pairs.items() if one != other]
        if sorted(map(str, map(told, old.annotations))) != sorted(map(str, map(told, new.annotations))):
            said.append(f"marks: {old.annotations} -> {new.annotations}")
        if not same_pixels(old, new):
            said.append("pixels")
    return said


def same_pixels(old: Sample, new: Sample) -> bool:
    one, other = old.masks(), new.masks()
    return set(one) == set(other) and all((one[kind] == other[kind]).all() for kind in one)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", FORMATS)
def test_what_comes_back_otherwise_is_told_and_nothing_else_does(
    mvtec: Path, tmp_path: Path, form: Format, case: str
) -> None:
    before = whole(mvtec, CASES[case])
    notes = [note for note in export(before, tmp_path / "out", form) if "no val side" not in note]
    lost = changed(before, open_dataset(tmp_path / "out"))
    assert bool(lost) == bool(notes), f"lost {lost}, told {notes}"


def test_what_is_left_out_of_a_set_is_told_of(mvtec: Path, tmp_path: Path) -> None:
    from okng.training.data.dataset import LeftOut

    before = replace(whole(mvtec, CASES["mask"]), left_out=(LeftOut("a.png", "missing"),))
    assert export(before, tmp_path / "out", "coco") == ("1 pictures that were left out are not named in it",)


@pytest.mark.parametrize("form", FORMATS)
def test_a_label_that_was_corrected_elsewhere_is_a_persons(mvtec: Path, tmp_path: Path, form: Format) -> None:
    """A model called it a dent; in the other program somebody made a scratch of it."""
    before = whole(mvtec, CASES["mask"])
    before = before.with_samples(replace(one, said_by="verdict") if not one.ok else one for one in before.samples)
    export(before, tmp_path / "out", form)
    correct(tmp_path / "out", form)
    after = open_dataset(tmp_path / "out").defects[0]
    assert (after.label, after.said_by) == ("scratch", "file")
    assert (after.part, after.seen) == ("A77", PartId("box7", 2, 4711))


def correct(out: Path, form: Format) -> None:
    if form == "mvtec":
        (out / "test/dent").rename(out / "test/scratch")
        (out / "ground_truth/dent").rename(out / "ground_truth/scratch")
        for name in ("manifest.csv", NAME):
            (out / name).write_text((out / name).read_text().replace("test/dent/", "test/scratch/"))
        return
    if form == "yolo":
        (path,) = [one for one in out.rglob("*.txt") if one.read_text()]
        path.write_text("".join("1" + line[1:] for line in path.read_text().splitlines(keepends=True)))
        return
    path = out / ("annotations/instances_test.json" if form == "coco" else "tasks.json")
    said = json.loads(path.read_text())
    if form == "coco":
        for one in said["annotations"]:
            one["category_id"] = 2
    else:
        for task in said:
            if task["data"].get("serial"):
                result = json.loads(json.dumps(task["predictions"][0]["result"]).replace('"dent"', '"scratch"'))
                task["annotations"] = [{"id": 7, "result": result, "updated_at": "2026"}]
    path.write_text(json.dumps(said))


def test_what_a_model_said_is_a_prediction_in_label_studio(mvtec: Path, tmp_path: Path) -> None:
    before = whole(mvtec, CASES["mask"])
    export(before, tmp_path / "out", "label-studio")
    tasks = json.loads((tmp_path / "out/tasks.json").read_text())
    by_model = [one for one in before.samples if one.said_by == "verdict"]
    assert by_model
    assert sum(bool(task["predictions"]) for task in tasks) == len(by_model)
    assert all(bool(task["predictions"]) != bool(task["annotations"]) for task in tasks)
    reading = read_label_studio(tmp_path / "out/tasks.json", None, Naming())
    assert f"{len(by_model)} labels are predictions of a model: let a person look first" in reading.notes


Peer = Callable[[str, Any], Any]


@pytest.fixture
def peer() -> Peer:
    """Runs a program of others on JSON, in their environment."""

    def run(code: str, given: Any) -> Any:
        head = "import json, sys\nimport numpy as np\ngiven = json.load(sys.stdin)\n"
        done = subprocess.run(
            [tool("python"), "-c", f"{head}{code}\njson.dump(answer, sys.stdout)"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


def random_masks() -> list[Mask]:
    rng = np.random.default_rng(5)
    made = [
        rng.random((int(h), int(w))) < share for h, w, share in ((1, 1, 1.0), (7, 5, 0.5), (30, 40, 0.1), (33, 65, 0.9))
    ]
    blob = np.zeros((200, 300), bool)
    blob[20:150, 30:250] = True
    blob[60:90, 80:200] = False
    return [*made, blob, np.zeros((20, 30), bool), np.ones((20, 30), bool)]


def test_masks_are_those_of_pycocotools(peer: Peer) -> None:
    masks = random_masks()
    theirs = peer(
        """
import pycocotools.mask as M
answer = []
for mask, counts in given:
    mask = np.asfortranarray(np.array(mask, np.uint8))
    h, w = mask.shape
    ours = {"size": [h, w], "counts": counts.encode()}
    rle = M.encode(mask)
    same = bool((M.decode(ours) == mask).all())
    answer.append([rle["counts"].decode(), same, float(M.area(ours)), M.toBbox(ours).tolist()])
""",
        [(mask.astype(int).tolist(), to_coco(mask)) for mask in masks],
    )
    for mask, (counts, same, area, box) in zip(masks, theirs, strict=True):
        height, width = mask.shape
        assert same
        assert counts == to_coco(mask)
        assert (from_coco(counts, width, height).mask(width, height) == mask).all()
        found = box_of(mask)
        assert (area, box) == (mask.sum(), [found.x, found.y, found.w, found.h] if found else [0, 0, 0, 0])


def test_brushes_are_those_of_label_studios_converter(peer: Peer) -> None:
    masks = random_masks()
    theirs = peer(
        """
from label_studio_converter import brush
answer = []
for mask, ours in given:
    mask = np.array(mask, np.uint8) * 255
    back = np.reshape(brush.decode_rle(ours), [*mask.shape, 4])[:, :, 3]
    answer.append([[int(one) for one in brush.mask2rle(mask)], bool((back == mask).all())])
""",
        [(mask.astype(int).tolist(), to_brush(mask)) for mask in masks],
    )
    for mask, (packed, same) in zip(masks, theirs, strict=True):
        assert same
        assert (from_brush(packed, mask.shape[1], mask.shape[0]) == mask).all()


@pytest.mark.parametrize("case", ["mask", "outline", "outlines", "two over"])
def test_pycocotools_reads_what_we_write(mvtec: Path, tmp_path: Path, peer: Peer, case: str) -> None:
    before = whole(mvtec, CASES[case])
    export(before, tmp_path / "out", "coco")
    found = peer(
        """
from pycocotools.coco import COCO
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO(given)
answer = []
for one in coco.dataset["annotations"]:
    answer.append([coco.cats[one["category_id"]]["name"], coco.annToMask(one).tolist()])
""",
        str(tmp_path / "out/annotations/instances_test.json"),
    )
    (defect,) = before.defects
    assert [kind for kind, _ in found] == [one.kind for one in defect.annotations]
    for (_, mask), one in zip(found, defect.annotations, strict=True):
        theirs, ours = np.array(mask, bool), one.mask(WIDTH, HEIGHT)
        if isinstance(one.shape, Polygons):
            # Their rule for pixels on the line is another one; inside and outside are the same.
            assert (theirs ^ ours).sum() <= 2 * (WIDTH + HEIGHT) // 5
        else:
            assert (theirs == ours).all()
