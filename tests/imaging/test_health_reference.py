"""The file of a commissioned view: read as it was written, and refused by name where anything in it is wrong."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from okng.bench.health_cases import Scene
from okng.bus.errors import BadRecipe
from okng.imaging.commission import commission
from okng.imaging.health import Measurer
from okng.imaging.measures import SCALARS
from okng.imaging.picture import Picture
from okng.imaging.reference import Reference, read_reference

SEED = 32


@pytest.fixture(scope="module")
def reference() -> Reference:
    return commission(Scene(SEED).commissioning(6), made_at="2026-01-02T03:04:05Z")


@pytest.fixture(scope="module")
def part() -> Picture:
    return Scene(SEED).part(3)


def test_the_reference_is_read_as_it_was_written(tmp_path: Path, reference: Reference, part: Picture) -> None:
    path = tmp_path / "health.npz"
    reference.write(path)
    assert [each.name for each in tmp_path.iterdir()] == ["health.npz"]
    found = read_reference(path)
    assert found.typical == reference.typical
    assert (found.made_at, found.pictures) == ("2026-01-02T03:04:05Z", 6)
    was, now = Measurer(reference).measure(part), Measurer(found).measure(part)
    assert [getattr(was, name) for name in SCALARS] == [getattr(now, name) for name in SCALARS]
    assert np.array_equal(was.local, now.local)


def rewritten(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Write the file again with another header."""
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    header = json.loads(arrays["header"].tobytes())
    change(header)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(path, **arrays)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("okng_health", 2, "format 2: expected 1"),
        ("width_px", 800, r"light of \(30, 40\) float32: expected \(30, 50\) float32"),
        ("pictures", 0, r"pictures = 0: expected 2\.\.65535"),
        ("cell_px", "x", "cell_px = 'x'"),
        ("focus_box", [0, 0, 641, 10], "focus_box: .* inside the picture of 640x480"),
        ("focus", -1, "focus = -1: expected a number above 0"),
        ("noise_texture", [], "noise_texture: 0 entries"),
        ("patches", [[0, 0, 1]], "textures of .*: expected"),
        ("typical", {}, "typical: expected brightness, contrast"),
        ("strength", None, "strength = None"),
    ],
)
def test_a_file_that_is_not_right_says_what_is_wrong(
    tmp_path: Path, reference: Reference, key: str, value: object, words: str
) -> None:
    path = tmp_path / "health.npz"
    reference.write(path)
    rewritten(path, lambda header: header.__setitem__(key, value))
    with pytest.raises(BadRecipe, match=words):
        read_reference(path)
    if key != "okng_health":
        rewritten(path, lambda header: header.pop(key))
        with pytest.raises(BadRecipe, match=f"{key}: missing"):
            read_reference(path)


def test_a_file_that_is_no_reference_is_refused(tmp_path: Path, reference: Reference) -> None:
    path = tmp_path / "health.npz"
    with pytest.raises(BadRecipe, match="cannot be read: No such file"):
        read_reference(path)
    for content in (b"", b"not a zip", b"PK\x03\x04 torn"):
        path.write_bytes(content)
        with pytest.raises(BadRecipe, match="expected the file of a commissioned view"):
            read_reference(path)
    reference.write(path)
    whole = path.read_bytes()
    for cut in range(0, len(whole), len(whole) // 9):
        path.write_bytes(whole[:cut])
        with pytest.raises(BadRecipe):
            read_reference(path)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("light.npy", b"")
    with pytest.raises(BadRecipe, match="expected the file of a commissioned view"):
        read_reference(path)
    np.savez(path, header=np.array([{"a": 1}], object), light=np.zeros(1))
    with pytest.raises(BadRecipe, match="expected the file of a commissioned view"):
        read_reference(path)


def test_flipped_bytes_are_refused_or_harmless(tmp_path: Path, reference: Reference) -> None:
    path = tmp_path / "health.npz"
    reference.write(path)
    whole = path.read_bytes()
    dice = np.random.default_rng(7)
    refused = 0
    for _ in range(400):
        torn = bytearray(whole)
        # Half of them in the zip's own tables at both ends.
        ends = [int(dice.integers(200)), len(whole) - 1 - int(dice.integers(400)), *dice.integers(len(whole), size=2)]
        torn[int(dice.choice(ends))] = int(dice.integers(256))
        path.write_bytes(bytes(torn))
        try:
            read_reference(path)
        except BadRecipe:
            refused += 1
    assert refused > 200
