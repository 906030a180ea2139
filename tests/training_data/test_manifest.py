"""A manifest is the set: it comes back as it was, a changed file is named, and its digest goes by content alone."""

import json
import shutil
from pathlib import Path

import pytest

from okng.bus.errors import BadData
from okng.training.data.manifest import read_manifest, write_manifest
from okng.training.data.sources import SourceOptions, open_dataset


def test_a_set_comes_back_as_it_was(mvtec: Path) -> None:
    before = open_dataset(mvtec)
    write_manifest(before, mvtec / "manifest.json")
    after = open_dataset(mvtec)
    assert after.origin.startswith("manifest ")
    assert after.classes == before.classes
    for old, new in zip(before.samples, after.samples, strict=True):
        assert (old.name, old.sha256, old.label, old.split, old.boxes()) == (
            new.name,
            new.sha256,
            new.label,
            new.split,
            new.boxes(),
        )
        assert new.picture.samefile(old.picture)
        assert {kind: mask.tolist() for kind, mask in old.masks().items()} == {
            kind: mask.tolist() for kind, mask in new.masks().items()
        }


def test_a_set_that_moved_has_the_same_digest(mvtec: Path, tmp_path: Path) -> None:
    here = write_manifest(open_dataset(mvtec), mvtec / "manifest.json")
    away = write_manifest(open_dataset(mvtec), tmp_path / "elsewhere/m.json")
    assert here == away
    shutil.move(mvtec, tmp_path / "moved")
    assert len(read_manifest(tmp_path / "moved/manifest.json").samples) == 7


def test_a_changed_file_is_named(mvtec: Path) -> None:
    file = mvtec / "manifest.json"
    write_manifest(open_dataset(mvtec), file)
    (mvtec / "train/good/002.png").write_bytes((mvtec / "train/good/003.png").read_bytes())
    (mvtec / "ground_truth/scratch/000_mask.png").unlink()
    with pytest.raises(BadData) as caught:
        open_dataset(file)
    assert "train/good/002.png: changed: sha256" in str(caught.value)
    assert "ground_truth/scratch/000_mask.png: missing" in str(caught.value)
    left = open_dataset(file, SourceOptions(leave_out_broken=True))
    assert len(left.samples) == 5
    assert len(left.left_out) == 2


def test_a_label_changed_by_hand_is_seen(mvtec: Path) -> None:
    file = mvtec / "manifest.json"
    write_manifest(open_dataset(mvtec), file)
    file.write_text(file.read_text().replace('"label": "scratch"', '"label": "dent"', 1))
    with pytest.raises(BadData, match="its text was changed by hand"):
        open_dataset(file)


def test_an_unknown_key_is_named(mvtec: Path) -> None:
    file = mvtec / "manifest.json"
    write_manifest(open_dataset(mvtec), file)
    said = json.loads(file.read_text())
    said["samples"][3]["colour"] = "red"
    file.write_text(json.dumps(said))
    with pytest.raises(BadData, match=r"samples\.3\.colour = 'red'"):
        open_dataset(file)
