"""What a bundle remembers comes back as it went in, and a hostile lesson is refused before it costs memory."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from okng.bus.errors import BadBundle
from okng.models.manifest import MOST_BYTES
from okng.training.store import Remembered, known_digests, most_pictures, packed, unpacked
from okng.training.supervise import Defects

CELLS, CHANNELS = 6, 5
Hostile = Callable[[bytes], bytes]


def remembered(goods: int = 3, defects: int = 2) -> Remembered:
    rng = np.random.default_rng(0)
    known = Defects(
        names=tuple(f"划痕/{at}.png" for at in range(defects)),
        kinds=("scratch",) * defects,
        features=rng.normal(size=(defects, CELLS, CHANNELS)).astype(np.float32),
        cells=np.tile(np.array([1, 0, -1, 0, 0, 0], np.int8), (defects, 1)),
        exact=(True,) * defects,
        digests=tuple(f"d{at}" for at in range(defects)),
    )
    names = tuple(f"a b'\"<{at}>.png" for at in range(goods))
    features = rng.normal(size=(goods, CELLS, CHANNELS)).astype(np.float32)
    return Remembered(features, names, tuple(f"g{at}" for at in range(goods)), known if defects else None)


@pytest.mark.parametrize("defects", [0, 2])
def test_what_is_remembered_comes_back(defects: int, tmp_path: Path) -> None:
    kept = remembered(defects=defects)
    (tmp_path / "lesson.npz").write_bytes(packed(kept))
    back = unpacked(tmp_path, CELLS, CHANNELS)
    assert (back.names, back.digests) == (kept.names, kept.digests)
    assert back.features == pytest.approx(kept.features, abs=2e-3)
    assert known_digests(tmp_path) == {*kept.digests, *(f"d{at}" for at in range(defects))}
    if kept.defects is None:
        assert back.defects is None
    else:
        assert back.defects is not None
        assert back.defects.digests == kept.defects.digests
        assert (back.defects.cells == kept.defects.cells).all()


def _lone(_: bytes) -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


def _with(name: str, value: np.ndarray) -> Hostile:
    def changed(good: bytes) -> bytes:
        with np.load(io.BytesIO(good)) as file:
            arrays = {each: file[each] for each in file.files}
        out = io.BytesIO()
        np.savez(out, **{**arrays, name: value})
        return out.getvalue()

    return changed


def _larger_than_it_is(good: bytes) -> bytes:
    """`names` claims 32 TB and holds 64 bytes."""
    out, header = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<U8", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, header.getvalue() + bytes(64) if name == "names.npy" else old.read(name))
    return out.getvalue()


def _bomb(good: bytes) -> bytes:
    """Half a megabyte that unpacks to more than a bundle's largest file."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("features.npy", "w") as entry,
    ):
        piece = bytes(1 << 22)
        for _ in range(MOST_BYTES // len(piece) + 1):
            entry.write(piece)
    return out.getvalue()


@pytest.mark.parametrize(
    "made",
    [
        lambda good: good[: len(good) // 2],
        lambda good: good[:40] + bytes(60) + good[100:],
        lambda good: b"",
        _lone,
        _bomb,
        _larger_than_it_is,
        _with("features", np.full((3, CELLS, CHANNELS), "x")),
        _with("features", np.zeros((3, CELLS, CHANNELS), complex)),
        _with("features", np.full((3, CELLS, CHANNELS), np.nan, np.float16)),
        _with("names", np.array("x")),
        _with("names", np.array([{}] * 3, object)),
        _with("defect_cells", np.full((2, CELLS), 7, np.int8)),
        _with("defect_digests", np.array(["d0"])),
        _with("more", np.zeros(1)),
    ],
)
def test_a_hostile_lesson_is_refused(made: Hostile, tmp_path: Path) -> None:
    (tmp_path / "lesson.npz").write_bytes(made(packed(remembered())))
    with pytest.raises(BadBundle, match=r"lesson\.npz"):
        unpacked(tmp_path, CELLS, CHANNELS)


@pytest.mark.parametrize("made", [lambda good: good[: len(good) // 2], _lone, _with("digests", np.array([{}], object))])
def test_digests_of_a_hostile_lesson_are_refused(made: Hostile, tmp_path: Path) -> None:
    (tmp_path / "lesson.npz").write_bytes(made(packed(remembered())))
    with pytest.raises(BadBundle, match=r"lesson\.npz"):
        known_digests(tmp_path)


def test_as_many_pictures_as_are_allowed_fit_a_bundle() -> None:
    """At 1024 px a few hundred; at the usual size more than a teaching takes."""
    assert most_pictures(64 * 64, 176) * 64 * 64 * (2 * 176 + 1) < MOST_BYTES
    assert most_pictures(64 * 64, 176) > 300
    assert most_pictures(256, 176) > 2000
