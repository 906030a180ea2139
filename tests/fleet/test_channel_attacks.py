"""Every attack on a channel is refused, and what the box believed before goes on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata, Targets

from okng.bus.errors import StoreLost
from okng.fleet.channel_counter import FileCounter
from okng.fleet.channel_format import BadChannel
from okng.fleet.channel_offer import Standing
from okng.fleet.rings import OnlineKeys, meta_of, signed_by
from okng.tests.fleet.channel_kit import BOX, LINE, RECIPE, Box, Fleet, Watch, made_up, new_key

POINTER = f"{LINE}/{RECIPE}/champion.json"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    made = Fleet.begun(tmp_path / "published", Watch())
    made.publish("a")
    return made


@pytest.fixture
def box(tmp_path: Path, fleet: Fleet) -> Box:
    made = Box(tmp_path / "box", fleet)
    assert made.offer().takes
    return made


def refused(box: Box, words: str) -> None:
    """The channel is refused, and the box stands where it stood."""
    before = box.channels.standing()
    with pytest.raises(BadChannel, match=words):
        box.channels.refresh()
    assert box.channels.standing() == before
    assert before.offers[0].takes


def newest(fleet: Fleet, role: str) -> Path:
    folder = fleet.folder / "channel/metadata"
    return max(folder.glob(f"*.{role}.json"), key=lambda path: int(path.name.partition(".")[0]))


def test_a_replay_of_everything_is_refused(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    old = fleet.copied(tmp_path / "old")
    fleet.publish("b")
    assert box.offer().seq == 2
    box.fleet = old
    refused(box, "BadVersionNumberError")
    box.fleet = fleet
    assert box.offer().bundle == made_up("b").digest


def test_a_box_that_forgot_tufs_folder_has_its_floor(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    old = fleet.copied(tmp_path / "old")
    fleet.publish("b")
    assert box.offer().seq == 2
    box.fleet = old
    box.forget(ledger=False)
    found = box.offer()
    assert not found.takes
    assert "number 1 lies below 2" in found.refused
    assert "lies below" in box.channels.standing().why


def test_a_box_that_forgot_all_is_shown_what_has_not_run_out(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    """Without a counter this is what remains open, for the seven days of a timestamp; after them it is shut."""
    old = fleet.copied(tmp_path / "old")
    fleet.publish("b")
    assert box.offer().seq == 2
    box.fleet = old
    box.forget(ledger=True)
    assert box.offer().takes
    box.forget(ledger=True)
    fleet.watch.pass_by(days=7, seconds=1)
    assert box.channels.refresh().offers == ()


def test_a_counter_remembers_for_a_box_that_forgot_all(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    box.counter = FileCounter(tmp_path / "counter")
    old = fleet.copied(tmp_path / "old")
    fleet.publish("b")
    assert box.offer().seq == 2
    box.fleet = old
    box.forget(ledger=True)
    with pytest.raises(BadChannel, match="older than number 3"):
        box.channels.refresh()
    assert box.channels.standing() == Standing(expired=True, why="nothing was trusted yet")
    box.fleet = fleet
    assert box.offer().takes


def test_a_frozen_channel_is_seen_after_seven_days(fleet: Fleet, box: Box) -> None:
    fleet.watch.pass_by(days=6, hours=23)
    assert not box.channels.refresh().expired
    fleet.watch.pass_by(hours=2)
    found = box.channels.refresh()
    assert found.expired
    assert "expired" in found.why
    assert [one.bundle for one in found.offers] == [made_up("a").digest], "what runs goes on"
    assert not found.offers[0].takes
    assert box.channels.standing().expired, "also where nobody is asked"
    fleet.rings.refresh()
    assert box.offer().takes


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def test_a_forged_timestamp_is_refused(fleet: Fleet, box: Box) -> None:
    fleet.publish("b")
    path = fleet.folder / "channel/metadata/timestamp.json"
    version = Metadata.from_file(str(path)).signed.version
    edit(path, b'"version":%d' % version, b'"version":%d' % (version + 4))
    refused(box, "UnsignedMetadataError")


def test_a_changed_pointer_is_refused(fleet: Fleet, box: Box) -> None:
    fleet.publish("b")
    for path in (fleet.folder / f"channel/targets/{LINE}/{RECIPE}").iterdir():
        path.write_bytes(path.read_bytes().replace(made_up("b").digest[:8].encode(), b"00000000"))
    refused(box, "LengthOrHashMismatchError|expected")


def test_a_longer_pointer_is_refused(fleet: Fleet, box: Box) -> None:
    fleet.publish("b")
    for path in (fleet.folder / f"channel/targets/{LINE}/{RECIPE}").iterdir():
        path.write_bytes(path.read_bytes() + b" " * (1 << 20))
    refused(box, "exceed")


def test_a_strangers_key_is_refused(fleet: Fleet, box: Box) -> None:
    """He signs a list of targets, and has it published with all of the service's keys."""
    path = newest(fleet, "targets")
    listed: Any = Metadata.from_file(str(path)).signed
    listed.version += 1
    force(fleet, listed, signed_by(listed, new_key()))
    refused(box, "targets|Unsigned")


def force(fleet: Fleet, listed: Targets, data: bytes, role: str = "targets") -> None:
    """What a taken-over service does: publish whatever it likes, signed by its own keys."""
    metadata = fleet.folder / "channel/metadata"
    (metadata / f"{listed.version}.{role}.json").write_bytes(data)
    snapshot: Any = Metadata.from_file(str(newest(fleet, "snapshot"))).signed
    snapshot.version += 1
    snapshot.meta[f"{role}.json"] = meta_of(listed, data)
    whole = signed_by(snapshot, fleet.online.snapshot)
    (metadata / f"{snapshot.version}.snapshot.json").write_bytes(whole)
    stamp: Any = Metadata.from_file(str(metadata / "timestamp.json")).signed
    stamp.version += 1
    stamp.snapshot_meta = meta_of(snapshot, whole)
    (metadata / "timestamp.json").write_bytes(signed_by(stamp, fleet.online.timestamp))


def test_sets_are_not_mixed(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    """The newest timestamp over an older list of targets, under the newer one's name and under its own."""
    old = newest(fleet, "targets").read_bytes()
    fleet.publish("b")
    fresh = newest(fleet, "targets")
    kept = fresh.read_bytes()
    fresh.write_bytes(old)
    refused(box, "LengthOrHashMismatchError|BadVersionNumberError")
    fresh.write_bytes(kept)
    listed: Any = Metadata.from_bytes(old).signed
    force(fleet, listed, old)
    refused(box, "BadVersionNumberError")


def test_the_rings_key_signs_rings_alone(fleet: Fleet, box: Box) -> None:
    """A pointer of his, a list that stands in for the targets, and a bundle: none is looked at."""
    rings: Any = Metadata.from_file(str(newest(fleet, "rings"))).signed
    forged = json.loads(next((fleet.folder / f"channel/targets/{LINE}/{RECIPE}").iterdir()).read_bytes())
    forged |= {"bundle": made_up("f").digest, "seq": 9}
    for path, data in (
        (POINTER, json.dumps(forged).encode()),
        (f"{LINE}/{RECIPE}/challenger.json", json.dumps({**forged, "role": "challenger"}).encode()),
        (f"bundles/{made_up('f').digest}/manifest.json", made_up("f").manifest),
        (f"bundles/{made_up('f').digest}/signature.sig", made_up("f").signature),
    ):
        from tuf.api.metadata import TargetFile

        rings.targets[path] = TargetFile.from_data(path, data)
        fleet.shelf.add(f"channel/targets/{path.replace(path.rpartition('/')[2], '')}x", data)
    rings.version += 1
    force(fleet, rings, signed_by(rings, fleet.online.rings), "rings")
    found = box.channels.refresh()
    assert [(one.role, one.bundle, one.seq) for one in found.offers] == [("champion", made_up("a").digest, 1)]
    rings.version += 1
    rings.type = "targets"
    force(fleet, rings, signed_by(rings, fleet.online.rings), "targets")
    with pytest.raises(BadChannel):
        box.channels.refresh()


@pytest.mark.parametrize(("count", "accepted"), [(1, False), (2, True)])
def test_a_root_takes_two_of_three(fleet: Fleet, box: Box, count: int, accepted: bool) -> None:
    """The stranger's root hands everything to keys of his own."""
    root: Any = Metadata.from_bytes(fleet.root).signed
    root.version = 2
    data = signed_by(root, *fleet.roots[:count])
    (fleet.folder / "channel/metadata/2.root.json").write_bytes(data)
    if accepted:
        assert box.offer().takes
    else:
        refused(box, "root was signed by 1/2 keys")


def test_a_root_of_three_strangers_is_refused(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    foreign = Fleet.begun(tmp_path / "foreign", fleet.watch)
    foreign.publish("f")
    shutil.copy(foreign.folder / "channel/metadata/1.root.json", fleet.folder / "channel/metadata/2.root.json")
    refused(box, "root")
    foreign.root = fleet.root
    box.fleet = foreign
    with pytest.raises(BadChannel):
        box.channels.refresh()


def test_no_root_is_no_trust(fleet: Fleet, box: Box) -> None:
    for pinned in (b"", b"{}", fleet.root[:-30], fleet.root.replace(b'"threshold":2', b'"threshold":1', 1)):
        fleet.root = pinned
        with pytest.raises(BadChannel):
            box.channels.refresh()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "rings"])
def test_each_bit_of_metadata_counts(fleet: Fleet, tmp_path: Path, role: str) -> None:
    """Whatever byte of a file is changed, the box refuses it or believes exactly what was signed."""
    path = fleet.folder / "channel/metadata/timestamp.json" if role == "timestamp" else newest(fleet, role)
    whole = path.read_bytes()
    good = Box(tmp_path / "good", fleet).channels.refresh()
    taken = 0
    for at in range(3, len(whole), max(1, len(whole) // 60)):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1 << (at % 7)
        path.write_bytes(bytes(spoilt))
        box = Box(tmp_path / f"{role}{at}", fleet)
        try:
            found = box.channels.refresh()
        except (BadChannel, StoreLost):
            continue
        assert found == good
        taken += 1
    assert taken < 10
    path.write_bytes(whole)


SENSELESS: dict[str, Callable[[Any], Any]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "not JSON": lambda data: b"\x00\xff" * 50,
    "nested": lambda data: b"[" * 100_000,
    "huge": lambda data: b" " * (6 << 20),
}


@pytest.mark.parametrize("how", SENSELESS)
@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "rings", "root"])
def test_senseless_metadata_is_refused(fleet: Fleet, box: Box, role: str, how: str) -> None:
    fleet.publish("b")
    path = fleet.folder / "channel/metadata/timestamp.json" if role == "timestamp" else newest(fleet, role)
    if role == "root":
        path = path.with_name("2.root.json")
    path.write_bytes(SENSELESS[how](path.read_bytes() if path.exists() else fleet.root))
    with pytest.raises((BadChannel, StoreLost)):
        box.channels.refresh()
    assert box.channels.standing().offers[0].takes


def test_a_taken_over_service_runs_no_foreign_bundle(fleet: Fleet, box: Box) -> None:
    """It holds all three online keys. The worst it can do is to open rings of what a person signed, halt, hold back."""
    assert isinstance(fleet.online, OnlineKeys)
    listed: Any = Metadata.from_file(str(newest(fleet, "targets"))).signed
    for signer in (fleet.online.rings, fleet.online.snapshot, fleet.online.timestamp):
        listed.version += 1
        force(fleet, listed, signed_by(listed, signer))
        with pytest.raises(BadChannel):
            box.channels.refresh()
        (fleet.folder / f"channel/metadata/{listed.version}.targets.json").unlink()
    standing = box.channels.standing()
    assert [one.bundle for one in standing.offers] == [made_up("a").digest]


def test_halting_is_the_worst_of_it(fleet: Fleet, box: Box) -> None:
    fleet.publish("b", open_for="")
    assert not box.offer().takes, "the ring was open for number 1"
    fleet.rings.open_ring(LINE, RECIPE, "champion", 2, "pilot")
    assert box.offer().takes
    fleet.rings.halt(LINE, "by a thief")
    assert box.offer().halted
    assert not box.offer().takes


def test_a_number_is_one_bundle(fleet: Fleet, box: Box) -> None:
    """Even who holds the key of targets does not change what a number means to a box that has seen it."""
    listed: Any = Metadata.from_file(str(newest(fleet, "targets"))).signed
    path = next((fleet.folder / f"channel/targets/{LINE}/{RECIPE}").iterdir())
    form = json.loads(path.read_bytes()) | {"bundle": made_up("z").digest}
    for name, data in (
        (POINTER, json.dumps(form).encode()),
        (f"bundles/{form['bundle']}/manifest.json", made_up("z").manifest),
        (f"bundles/{form['bundle']}/signature.sig", made_up("z").signature),
    ):
        fleet.repository._put(listed, name, data)
    listed.version += 1
    force(fleet, listed, signed_by(listed, fleet.targets))
    assert "number 1 is" in box.offer().refused
    assert box.box == BOX
