"""A bundle comes over a wire that nobody trusts: it is what was signed, or it is not there."""

import dataclasses
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from okng.bus.errors import BadBundle, BadSettings, Refused, StoreLost
from okng.fleet.channel_client import Fetch
from okng.fleet.channel_fetch import check_bundle, fetch_bundle
from okng.fleet.channel_format import BadChannel
from okng.fleet.channel_offer import Offer
from okng.fleet.channel_upload import put_bundle
from okng.fleet.folder_store import FolderStore
from okng.fleet.signing import sign, verify
from okng.fleet.stores import BadObject
from okng.models.bundle import open_bundle
from okng.tests.fleet.channel_kit import Box, Fleet, Watch, fetch_from
from okng.tests.fleet.signers import Signing
from okng.tests.fleet.test_activate import make

pytest.importorskip("model_signing", reason="needs the extra [sign]")


@dataclasses.dataclass
class Wire:
    """Bytes on their way, spoilt where the test wants."""

    way: Fetch
    spoil: Callable[[str, bytes], bytes] = lambda path, data: data
    asked: list[tuple[str, int]] = dataclasses.field(default_factory=list)

    def __call__(self, path: str, start: int) -> Iterator[bytes]:
        self.asked.append((path, start))
        data = self.spoil(path, b"".join(self.way(path, 0)))[start:]
        for at in range(0, len(data), 100):
            yield data[at : at + 100]


@dataclasses.dataclass
class Scene:
    fleet: Fleet
    bundle: Path
    authority: Signing
    offer: Offer
    wire: Wire
    bundles: Path

    def fetch(self, wire: Fetch | None = None, room_bytes: int = 0) -> Path:
        way = wire or self.wire
        return fetch_bundle(self.offer, self.bundles, way, (self.authority.certificate,), room_bytes).folder

    @property
    def here(self) -> list[str]:
        return sorted(path.name for path in self.bundles.iterdir())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A bundle that was made, signed, published, and offered to a box."""
    fleet = Fleet.begun(tmp_path / "published", Watch())
    bundle, authority = tmp_path / "bundle", Signing(tmp_path, "plant-root")
    make(bundle)
    engineer = Signing(tmp_path, "engineer", authority)
    sign(bundle, engineer.key, engineer.certificate, (authority.certificate,))
    pinning, signer = put_bundle(bundle, FolderStore(fleet.folder), (authority.certificate,))
    assert signer.name == "CN=engineer"
    fleet.publish(pinning)
    (tmp_path / "bundles").mkdir()
    offer = Box(tmp_path / "box", fleet).offer()
    return Scene(fleet, bundle, authority, offer, Wire(fetch_from(fleet.folder)), tmp_path / "bundles")


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_published_is_what_arrives(scene: Scene) -> None:
    folder = scene.fetch()
    assert scene.here == [scene.offer.bundle]
    assert files_of(folder) == files_of(scene.bundle)
    assert {path.stat().st_mode & 0o222 for path in folder.rglob("*") if path.is_file()} == {0}, "read-only"
    assert open_bundle(folder, scene.offer.bundle).signed
    asked = len(scene.wire.asked)
    assert scene.fetch() == folder
    assert len(scene.wire.asked) == asked, "what is here is not asked for again"


def refused(scene: Scene, wire: Fetch | None = None) -> None:
    with pytest.raises(Refused):
        scene.fetch(wire)
    assert not [name for name in scene.here if not name.endswith(".partial")], "nothing became visible"


def test_each_byte_on_the_wire_counts(scene: Scene) -> None:
    """Every byte of the manifest and of the signature."""
    pick, prefix = random.Random(8), f"bundles/{scene.offer.bundle}/"
    whole = files_of(scene.bundle)
    with pytest.raises(BadObject):  # the others are here: what is asked for again is what is spoilt
        scene.fetch(
            Wire(scene.wire.way, lambda path, data: data[:-1] if path.endswith("golden/expected.json") else data)
        )
    places = [("manifest.json", at) for at in range(len(whole["manifest.json"]))]
    places += [("signature.sig", at) for at in range(len(whole["signature.sig"]))]
    tried = 0
    for name, at in places:
        spoilt = bytearray(whole[name])
        spoilt[at] ^= 1 << pick.randrange(8)
        wire = Wire(scene.wire.way, lambda path, data, n=name, s=bytes(spoilt): s if path == prefix + n else data)  # type: ignore[misc]
        with pytest.raises((BadObject, BadBundle, BadChannel)):
            scene.fetch(wire)
        tried += 1
    assert tried > 4000
    assert scene.here == [f"{scene.offer.bundle}.partial"]
    scene.fetch()


def test_each_byte_on_the_disk_counts(scene: Scene) -> None:
    """Every byte of the manifest, and 1,000 of the rest chosen by chance."""
    pick, folder = random.Random(9), scene.fetch()
    authorities, digest = (scene.authority.certificate,), scene.offer.bundle
    whole = files_of(folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    places = [("manifest.json", at) for at in range(len(whole["manifest.json"]))]
    others = [
        (name, at) for name, data in whole.items() for at in range(len(data)) if name[-5:] not in ("t.jso", ".sig")
    ]
    places += [
        pick.choice([one for one in others if one[0] not in ("manifest.json", "signature.sig")]) for _ in range(1000)
    ]
    for name, at in places:
        spoilt = bytearray(whole[name])
        spoilt[at] ^= 1 << pick.randrange(8)
        (folder / name).write_bytes(spoilt)
        with pytest.raises(BadBundle):
            check_bundle(folder, digest, authorities)
        (folder / name).write_bytes(whole[name])
    assert check_bundle(folder, digest, authorities).name == "CN=engineer"


def test_the_signature_alone_would_do(scene: Scene) -> None:
    """Without the channel's word on the manifest: model-signing's own is over every byte of it."""
    manifest = scene.bundle / "manifest.json"
    whole = manifest.read_bytes()
    for at in range(0, len(whole), 11):
        manifest.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BadBundle):
            verify(scene.bundle, (scene.authority.certificate,))
    manifest.write_bytes(whole)
    verify(scene.bundle, (scene.authority.certificate,))


TOUCHED: dict[str, Callable[[Path], object]] = {
    "a file more": lambda folder: (folder / "more.py").write_text("more"),
    "a hidden file more": lambda folder: (folder / ".gitattributes").write_text("more"),
    "a file more in a folder": lambda folder: (folder / "golden/model.onnx.data").write_text("more"),
    "a folder more": lambda folder: shutil.copytree(folder / "golden", folder / "x"),
    "a file less": lambda folder: (folder / "golden/a.png").unlink(),
    "no signature": lambda folder: (folder / "signature.sig").unlink(),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "a link": lambda folder: (folder / "golden/a.png").symlink_to(
        (folder / "golden/a.png").rename(folder.parent / "x")
    ),
    "a linked folder": lambda folder: (folder / "golden").symlink_to((folder / "golden").rename(folder.parent / "y")),
}


@pytest.mark.parametrize("what", TOUCHED)
def test_what_lies_here_is_looked_at_again(scene: Scene, what: str) -> None:
    folder = scene.fetch()
    TOUCHED[what](folder)
    with pytest.raises(BadBundle):
        scene.fetch()


def test_a_folder_that_is_a_link_is_refused(scene: Scene) -> None:
    (scene.bundles / scene.offer.bundle).symlink_to(scene.bundle)
    with pytest.raises(BadBundle, match="expected a folder"):
        scene.fetch()
    (scene.bundles / scene.offer.bundle).unlink()
    (scene.bundles / f"{scene.offer.bundle}.partial").symlink_to(scene.bundle)
    with pytest.raises(BadBundle, match="expected a folder"):
        scene.fetch()


def test_leftovers_are_no_part_of_it(scene: Scene) -> None:
    partial = scene.bundles / f"{scene.offer.bundle}.partial"
    (partial / "golden/deep").mkdir(parents=True)
    (partial / "golden/deep/old.png").write_bytes(b"old")
    (partial / "model.onnx.data").write_bytes(b"old")
    (partial / "golden/a.png").symlink_to("/etc/hostname")
    assert files_of(scene.fetch()) == files_of(scene.bundle)


def test_strangers_do_not_vouch(scene: Scene, tmp_path: Path) -> None:
    stranger = Signing(tmp_path, "stranger")
    with pytest.raises(BadBundle, match="does not hold"):
        fetch_bundle(scene.offer, scene.bundles, scene.wire, (stranger.certificate,), 0)
    assert scene.here == []
    with pytest.raises(BadSettings, match="no authority"):
        fetch_bundle(scene.offer, scene.bundles, scene.wire, (), 0)
    with pytest.raises(BadBundle):
        put_bundle(scene.bundle, FolderStore(scene.fleet.folder), (stranger.certificate,))


def test_another_bundles_signature_is_refused(scene: Scene, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make(other, version="9.9.9")
    engineer = Signing(tmp_path, "engineer2", scene.authority)
    sign(other, engineer.key, engineer.certificate, (scene.authority.certificate,))
    data = (other / "signature.sig").read_bytes()
    wire = Wire(scene.wire.way, lambda path, real: data if path.endswith("signature.sig") else real)
    refused(scene, wire)
    (scene.bundle / "signature.sig").write_bytes(data)
    with pytest.raises(BadBundle):
        put_bundle(scene.bundle, FolderStore(scene.fleet.folder), (scene.authority.certificate,))


def test_a_stream_without_end_is_cut(scene: Scene) -> None:
    sent = 0

    def endless(path: str, start: int) -> Iterator[bytes]:
        nonlocal sent
        if not path.endswith("model.onnx"):
            yield from scene.wire.way(path, start)
            return
        while True:
            sent += 1 << 16
            yield b"\0" * (1 << 16)

    refused(scene, endless)
    assert sent <= 1 << 20


def test_a_cut_is_gone_on_from(scene: Scene) -> None:
    def cut(path: str, start: int) -> Iterator[bytes]:
        for n, chunk in enumerate(Wire(scene.wire.way)(path, start)):
            if path.endswith("b.png") and n == 3:
                raise StoreLost("cut off")
            yield chunk

    with pytest.raises(StoreLost, match="cut off"):
        scene.fetch(cut)
    scene.fetch()
    asked = dict(scene.wire.asked)
    assert asked[f"bundles/{scene.offer.bundle}/golden/b.png"] == 300
    assert f"bundles/{scene.offer.bundle}/golden/a.png" not in asked


def test_room_is_asked_for_first(scene: Scene) -> None:
    with pytest.raises(StoreLost, match=r"no room: \d+ MB wanted"):
        scene.fetch(room_bytes=1 << 60)
    asked = {path.rpartition("/")[2] for path, _ in scene.wire.asked}
    assert asked == {"manifest.json", "signature.sig"}, "nothing large was fetched"
    scene.fetch()


def test_dying_anywhere_leaves_all_or_nothing(scene: Scene, die_at: Callable[[int, Callable[[], None]], bool]) -> None:
    for at in range(1, 200):
        shutil.rmtree(scene.bundles)
        scene.bundles.mkdir()
        died = die_at(at, lambda: (scene.fetch(), None)[1])
        for name in scene.here:
            if not name.endswith(".partial"):
                check_bundle(scene.bundles / name, scene.offer.bundle, (scene.authority.certificate,))
        assert files_of(scene.fetch()) == files_of(scene.bundle)
        if not died:
            break
    assert 10 < at < 199
