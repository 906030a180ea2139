import io
import json
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from okng.simline import present as present_room
from okng.simline.pictures import BadPictures, View, decode, fill, find_view, main, open_looks
from okng.simline.plan import Plan, parse_plan
from okng.simline.present import present
from okng.simline.scene import BadScene, Scene


def folder_of(
    where: Path,
    sizes: list[tuple[int, int]],
    colour: bool = False,
    tests: tuple[tuple[str, int], ...] = (("good", 3), ("crack", 2)),
) -> Path:
    rng = np.random.default_rng(1)
    for part, label, wanted in [("train", "good", sizes), *(("test", each, sizes[:1] * n) for each, n in tests)]:
        (where / part / label).mkdir(parents=True)
        for at, size in enumerate(wanted):
            picture = rng.integers(0, 255, (size[1], size[0], 3) if colour else (size[1], size[0]), np.uint8)
            cv2.imwrite(str(where / part / label / f"{at:03}.png"), picture)
    return where


def folder_plan(make_plan: Callable[..., dict[str, Any]], where: Path, **over: Any) -> Plan:
    return parse_plan(make_plan(source={"kind": "folder", "folder": str(where)}, **over))


def test_equal_pictures_are_shown_as_they_are(tmp_path: Path, make_plan: Callable[..., dict[str, Any]]) -> None:
    where = folder_of(tmp_path / "f", [(100, 80)] * 3)
    assert find_view(where) == View(100, 80, False)
    looks = open_looks(folder_plan(make_plan, where, count=None, width=None, height=None))
    assert len(looks) == 5
    seen = {looks.look(at).name: looks.picture(at) for at in range(5)}
    assert sorted(seen) == [
        "test/crack/000.png",
        "test/crack/001.png",
        "test/good/000.png",
        "test/good/001.png",
        "test/good/002.png",
    ]
    for name, picture in seen.items():
        assert np.array_equal(picture, decode(where / name, False))


def test_various_pictures_fill_the_median_view(tmp_path: Path, make_plan: Callable[..., dict[str, Any]]) -> None:
    where = folder_of(tmp_path / "f", [(265, 375), (123, 286), (596, 260)])
    assert find_view(where) == View(272, 288, False)
    looks = open_looks(folder_plan(make_plan, where, count=None, width=None, height=None))
    assert {looks.picture(at).shape for at in range(len(looks))} == {(288, 272)}


def test_a_large_picture_is_capped_and_keeps_its_shape(tmp_path: Path) -> None:
    assert find_view(folder_of(tmp_path / "f", [(2560, 1920)], tests=())) == View(1280, 960, False)


def test_colour_is_found_and_comes_as_rgb(tmp_path: Path) -> None:
    where = folder_of(tmp_path / "f", [(64, 48)], colour=True)
    assert find_view(where).colour
    path = where / "train" / "good" / "000.png"
    raw = cv2.imread(str(path))
    assert raw is not None
    assert np.array_equal(decode(path, True), raw[..., ::-1])


def test_grey_saved_as_colour_is_grey(tmp_path: Path) -> None:
    where = tmp_path / "f" / "train" / "good"
    where.mkdir(parents=True)
    cv2.imwrite(str(where / "0.png"), np.full((32, 32, 3), 7, np.uint8))
    assert not find_view(tmp_path / "f").colour


def test_the_order_is_the_seed_s_and_every_picture_comes_before_any_again(
    tmp_path: Path, make_plan: Callable[..., dict[str, Any]]
) -> None:
    where = folder_of(tmp_path / "f", [(32, 32)])

    def names(**over: Any) -> list[str]:
        looks = open_looks(folder_plan(make_plan, where, **over))
        return [looks.look(at).name for at in range(len(looks))]

    first = names(count=12, seed=4)
    assert first == names(count=12, seed=4) != names(count=12, seed=5)
    assert len(set(first[:5])) == len(set(first[5:10])) == 5


def test_teaching_shows_the_goods_in_order(tmp_path: Path, make_plan: Callable[..., dict[str, Any]]) -> None:
    where = folder_of(tmp_path / "f", [(32, 32)] * 4)
    looks = open_looks(folder_plan(make_plan, where, count=None), teach=True)
    assert [looks.look(at).name for at in range(len(looks))] == [f"train/good/{at:03}.png" for at in range(4)]


def test_rendered_parts_differ_between_teaching_and_line(make_plan: Callable[..., dict[str, Any]]) -> None:
    plan = parse_plan(make_plan(count=6))
    line, taught = open_looks(plan), open_looks(plan, teach=True)
    assert len(line) == 6
    assert len({line.look(at).name for at in range(6)}) == 4, "the pool holds four"
    assert {taught.look(at).label for at in range(len(taught))} == {"good"}
    assert not {line.look(at).name for at in range(6)} & {taught.look(at).name for at in range(len(taught))}


def test_a_missing_or_empty_folder_is_named(tmp_path: Path, make_plan: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(BadPictures, match=r"nowhere.*no such folder.*test/<label>"):
        open_looks(folder_plan(make_plan, tmp_path / "nowhere"))
    (tmp_path / "empty" / "test" / "good").mkdir(parents=True)
    with pytest.raises(BadPictures, match="no pictures in it"):
        open_looks(folder_plan(make_plan, tmp_path / "empty"))


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_a_picture_that_does_not_decode_is_named(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "f" / "train" / "good" / "oops.png"
    bad.parent.mkdir(parents=True)
    bad.write_bytes(content)
    with pytest.raises(BadPictures, match=r"oops\.png: does not decode"):
        find_view(tmp_path / "f")
    with pytest.raises(BadPictures, match=r"oops\.png: does not decode"):
        decode(bad, True)
    assert main([str(tmp_path / "f")]) == 78
    assert "oops.png" in capsys.readouterr().err


def test_fill_leaves_a_fitting_picture_alone() -> None:
    picture = np.zeros((10, 20), np.uint8)
    assert fill(picture, View(20, 10, False)) is picture
    assert fill(picture, View(40, 30, False)).shape == (30, 40)


# -- the scene feed ----------------------------------------------------------------------------------------


def head(path: Path) -> tuple[Any, ...]:
    return struct.unpack_from("<8sIIIIIIqdqQIId", path.read_bytes())


def test_the_scene_is_laid_out_as_the_camera_reads_it(tmp_path: Path) -> None:
    with Scene(tmp_path, "SN0007", 64 * 48 * 3) as scene:
        grey = np.arange(64 * 48, dtype=np.uint32).astype(np.uint8).reshape(48, 64)
        scene.show(grey, 9, origin=1234, px_per_count=0.25, background=33, noise=3, reference_exposure_us=500.0)
        scene.set_encoder(1300)
        magic, version, lock, *rest = head(scene.path)
        assert (magic, version) == (b"OKNGSCEN", 1)
        assert lock % 2 == 0
        assert rest == [64, 48, 64, 0, 1234, 0.25, 1300, 9, 33, 3, 500.0]
        assert scene.path.read_bytes()[4096 : 4096 + grey.size] == grey.tobytes()
        rgb = np.full((48, 64, 3), 5, np.uint8)
        scene.show(rgb, 10)
        assert head(scene.path)[3:7] == (64, 48, 192, 1)
        assert head(scene.path)[2] == lock + 2
    scene.close()


def test_faults_go_to_the_words_the_camera_looks_at(tmp_path: Path) -> None:
    with Scene(tmp_path, "S", 100) as scene:
        for kind, at in (
            ("drop", 128),
            ("incomplete", 132),
            ("freeze", 136),
            ("unplug", 140),
            ("repeat", 144),
            ("late", 148),
        ):
            scene.fault(kind, 7)
            assert struct.unpack_from("<I", scene.path.read_bytes(), at) == (7,)
            assert scene.pending(kind) == 7
        scene.clear_faults()
        assert scene.path.read_bytes()[128:152] == bytes(24)


def test_an_existing_scene_is_kept_in_place_and_only_grows(tmp_path: Path) -> None:
    with Scene(tmp_path, "S", 100) as scene:
        inode = scene.path.stat().st_ino
    with Scene(tmp_path, "S", 5000) as scene:
        assert scene.path.stat().st_ino == inode
        assert scene.path.stat().st_size == 4096 + 5000
    with Scene(tmp_path, "S", 10) as scene:
        assert scene.path.stat().st_size == 4096 + 5000
        with pytest.raises(BadScene, match="100x100 needs 10000 bytes"):
            scene.show(np.zeros((100, 100), np.uint8), 1)
    (tmp_path / "X.scene").write_bytes(b"something else")
    with pytest.raises(BadScene, match="not a scene file"):
        Scene(tmp_path, "X", 10)


def test_line0_reaches_who_listens_and_a_cut_wire_is_no_error(tmp_path: Path) -> None:
    with Scene(tmp_path, "S", 10) as scene:
        assert not scene.pulse_line0()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as camera:
            camera.bind(str(tmp_path / "S.line0"))
            camera.settimeout(2)
            assert scene.pulse_line0()
            assert camera.recv(16)


# -- present -----------------------------------------------------------------------------------------------


def test_present_shows_one_good_part_per_next(
    tmp_path: Path,
    make_plan: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = folder_of(tmp_path / "f", [(32, 32)] * 2)
    looks = open_looks(folder_plan(make_plan, where, count=None, width=None, height=None), teach=True)
    monkeypatch.setattr("sys.stdin", io.StringIO("next\nwhat\nnext\nnext\n"))
    with Scene(tmp_path / "s", "SN0000", 32 * 32) as scene:
        present(looks, scene, 0, 0.0)
        assert scene.path.read_bytes()[4096:] == looks.picture(1).tobytes()
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == {"of": 2, "width": 32, "height": 32, "colour": False}
    assert said[1:] == [{"index": 0}, {"why": "'what': expected next"}, {"index": 1}, {"done": True}]
    assert "good" not in str(said), "no label reaches the product"


def test_present_names_a_bad_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.json").write_text('{"out": 3}')
    assert present_room.main([str(tmp_path / "p.json")]) == 78
    assert "out = 3: expected str" in capsys.readouterr().err
