"""A channel is published in a folder and in a bucket alike, by the doors that people use."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from okng.appliance.channel_door import channel
from okng.bus.errors import BadKey, StoreLost
from okng.fleet.channel_client import Channels, store_fetch
from okng.fleet.channel_fetch import fetch_bundle
from okng.fleet.channel_format import BadChannel
from okng.fleet.channel_repository import begin
from okng.fleet.channel_shelf import FolderShelf, Shelf
from okng.fleet.channel_upload import shelf_of
from okng.fleet.options import SyncOptions
from okng.fleet.rings import OnlineKeys, Rings
from okng.fleet.signing import sign
from okng.tests.fleet.channel_kit import PlainFloor, new_key
from okng.tests.fleet.signers import Signing
from okng.tests.fleet.test_activate import make

pytest.importorskip("model_signing", reason="needs the extra [sign]")


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> SyncOptions:
    """An empty place of each kind."""
    if request.param == "folder":
        (tmp_path / "published").mkdir()
        return SyncOptions(target=str(tmp_path / "published"))
    options: SyncOptions = request.getfixturevalue("s3_options")
    return options


class TestShelf:
    @pytest.fixture
    def shelf(self, place: SyncOptions) -> Shelf:
        return shelf_of(place)[0]

    def test_what_is_there_is_never_written_over(self, shelf: Shelf) -> None:
        assert shelf.read("channel/metadata/1.x.json") is None
        assert shelf.add("channel/metadata/1.x.json", b"one")
        assert shelf.add("channel/metadata/1.x.json", b"one")
        assert not shelf.add("channel/metadata/1.x.json", b"two")
        assert shelf.read("channel/metadata/1.x.json") == b"one"

    def test_a_swap_is_over_what_was_read(self, shelf: Shelf) -> None:
        key = "channel/metadata/timestamp.json"
        assert not shelf.swap(key, b"old", b"new")
        assert shelf.swap(key, None, b"first")
        assert not shelf.swap(key, None, b"second")
        assert not shelf.swap(key, b"other", b"second")
        assert shelf.swap(key, b"first", b"second")
        assert shelf.read(key) == b"second"

    def test_one_of_many_swaps_wins(self, shelf: Shelf) -> None:
        key = "channel/metadata/timestamp.json"
        shelf.swap(key, None, b"0")
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda n: shelf.swap(key, b"0", b"by %d" % n), range(1, 9)))
        assert sum(done) == 1
        assert shelf.read(key) == b"by %d" % (done.index(True) + 1)

    def test_services_at_once_do_not_undo_each_other(self, shelf: Shelf) -> None:
        online = OnlineKeys(new_key(), new_key(), new_key())
        begin(shelf, [new_key() for _ in range(3)], new_key(), online, datetime.now(UTC))
        lines = ["line1", "line2", "line3"]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda line: Rings(shelf, online).members(line, {"pilot": [f"{line}-box"]}), lines))
        for line in lines:
            assert Rings(shelf, online).show(line).members == {"pilot": (f"{line}-box",)}


def test_a_place_that_is_not_mounted_is_not_empty(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path / "none")
    for act in (lambda: shelf.read("x"), lambda: shelf.add("x", b""), lambda: shelf.swap("x", None, b"")):
        with pytest.raises(StoreLost):
            act()


@pytest.fixture
def okng(place: SyncOptions, tmp_path: Path) -> Callable[..., Result]:
    """`okng channel` at the place."""
    (tmp_path / "pass").write_text("correct horse battery\n")
    (tmp_path / "pass").chmod(0o600)
    where = ["--store", place.target]
    if place.is_s3:
        where += ["--endpoint", place.endpoint, "--credentials", str(place.credentials_file)]

    def run(door: str, *arguments: object, **given: object) -> Result:
        told = [door, *where, *map(str, arguments)]
        return CliRunner().invoke(channel, told, catch_exceptions=False, **given)  # type: ignore[arg-type]

    return run


def test_from_the_first_key_to_a_box_and_down_again(
    okng: Callable[..., Result], place: SyncOptions, tmp_path: Path
) -> None:
    """Everything by the doors: begin, publish, rings, halt, ticket, renew, rotate, show; the box reads along."""
    keys, online = tmp_path / "keys", tmp_path / "online"
    assert "begun" in okng("init", "--keys", keys, "--online", online, "--passphrase-file", tmp_path / "pass").output
    assert b"ENCRYPTED" in (keys / "targets.pem").read_bytes()
    with pytest.raises(BadKey, match="never written over"):
        okng("init", "--keys", keys, "--online", online, "--passphrase-file", tmp_path / "pass")
    authority = Signing(tmp_path, "authority")
    leaf = Signing(tmp_path, "leaf", authority)
    digests = []
    for n in (1, 2):
        folder = tmp_path / f"bundle{n}"
        digests.append(make(folder, version=f"1.0.{n}"))
        sign(folder, leaf.key, leaf.certificate, (authority.certificate,))
    people = ["--root", keys / "root.json", "--key", keys / "targets.pem", "--passphrase-file", tmp_path / "pass"]
    publish = [*people, "--ca", authority.certificate, "--line", "line7", "--recipe", "cap", "--role", "champion"]
    publish += ["--ring", "pilot:10:20:2.5", "--ring", "rest", "--rule", "reject_cusum=12", "--by", "A. Person"]
    blobs = shelf_of(place)[1]
    root = (keys / "root.json").read_bytes()
    box = Channels(tmp_path / "box", root, ["line7"], "box1", store_fetch(blobs), PlainFloor())
    assert box.refresh().offers == ()
    said = okng("publish", tmp_path / "bundle1", *publish)
    assert "number 1, rings pilot, rest" in said.output
    assert "next refresh" in said.output
    assert box.refresh().offers == ()
    assert okng("refresh", "--online", online).output == "signed anew\n"
    assert okng("refresh", "--online", online).output == "nothing to do\n"
    assert not box.refresh().offers[0].takes
    okng("members", "--online", online, "line7", "pilot=box1", "rest=box2,box3")
    assert "open pilot" in okng("ring", "--online", online, "line7", "cap", "champion", "pilot", "--seq", 1).output
    offer = box.refresh().offers[0]
    assert offer.takes
    assert (offer.rules, offer.approved_by) == ({"reject_cusum": 12.0}, "A. Person")
    assert offer.ring is not None
    assert (offer.ring.shadow_parts, offer.ring.max_error_pct) == (10, 2.5)
    (tmp_path / "bundles").mkdir()
    fetched = fetch_bundle(offer, tmp_path / "bundles", store_fetch(blobs), (authority.certificate,), 0)
    assert fetched.signer.name == "CN=leaf"
    assert hashlib.sha256((fetched.folder / "manifest.json").read_bytes()).hexdigest() == digests[0]
    assert "HALTED: dark" in okng("halt", "--online", online, "line7", "--reason", "dark").output
    assert box.refresh().offers[0].halted
    okng("resume", "--online", online, "line7")
    assert "boxes see it now" in okng("publish", tmp_path / "bundle2", *publish, "--online", online).output
    assert box.refresh().offers[0].seq == 2
    down = [*people, "--box", "box1", "--channel", "line7/cap/champion", "--to", digests[0], "--reason", "dark"]
    assert "from number 2" in okng("ticket", *down, "--by", "me", "--online", online).output
    ticket = box.refresh().ticket
    assert ticket is not None
    assert ticket.to_bundle == digests[0]
    fetch_bundle(ticket, tmp_path / "bundles", store_fetch(blobs), (authority.certificate,), 0)
    assert "targets: number" in okng("renew", *people, "--online", online).output
    turned = ["--root", keys / "root.json", "--root-key", keys / "root-1.pem", "--root-key", keys / "root-3.pem"]
    out = tmp_path / "root-2.json"
    okng("rotate", *turned, "--passphrase-file", tmp_path / "pass", "--out", out, "--online", online)
    assert not box.refresh().expired
    shown = json.loads(okng("show", "--root", out, "--json").output)
    assert shown["signed"]["root"]["number"] == 2
    assert [one["seq"] for one in shown["pointers"]] == [2]
    assert [one["n"] for one in shown["tickets"]] == [1]
    assert "line7/cap/champion: number 2" in okng("show", "--root", keys / "root.json").output


class TestDoors:
    @pytest.fixture
    def place(self, tmp_path: Path) -> SyncOptions:
        (tmp_path / "published").mkdir()
        return SyncOptions(target=str(tmp_path / "published"))

    def test_a_passphrase_is_asked_for_twice(self, okng: Callable[..., Result], tmp_path: Path) -> None:
        begun = ["--keys", tmp_path / "keys", "--online", tmp_path / "online"]
        asked = okng("init", *begun, input="a long passphrase\na long passphrase\n")
        assert "begun" in asked.output
        assert "a long" not in asked.output
        people = ["--root", tmp_path / "keys/root.json", "--key", tmp_path / "keys/targets.pem"]
        with pytest.raises(BadKey, match="wrong passphrase"):
            okng("renew", *people, input="another passphrase\n")
        assert "targets: number 2" in okng("renew", *people, input="a long passphrase\n").output

    def test_what_is_no_key_is_told(self, okng: Callable[..., Result], tmp_path: Path) -> None:
        begun = ["--keys", tmp_path / "keys", "--online", tmp_path / "online"]
        with pytest.raises(BadKey, match="expected 12 or more"):
            okng("init", *begun, input="short\nshort\n")
        (tmp_path / "pass").chmod(0o644)
        with pytest.raises(BadKey, match="expected 0600"):
            okng("init", *begun, "--passphrase-file", tmp_path / "pass")
        (tmp_path / "pass").chmod(0o600)
        okng("init", *begun, "--passphrase-file", tmp_path / "pass")
        (tmp_path / "online/snapshot.pem").chmod(0o640)
        with pytest.raises(BadKey, match="0640: expected 0600"):
            okng("refresh", "--online", tmp_path / "online")
        (tmp_path / "online/snapshot.pem").chmod(0o600)
        (tmp_path / "online/snapshot.pem").write_bytes((tmp_path / "online/rings.pem").read_bytes())
        with pytest.raises(BadKey, match=r"snapshot\.pem: is not the key"):
            okng("refresh", "--online", tmp_path / "online")

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (["--ring", "pilot:x"], "Invalid value"),
            (["--ring", "a:1:2:3:4"], "expected NAME"),
            (["--ring", "pilot", "--rule", "x"], "expected NAME=VALUE"),
        ],
    )
    def test_what_is_typed_wrong_is_told(
        self, okng: Callable[..., Result], tmp_path: Path, more: list[str], words: str
    ) -> None:
        given = ["--root", "r", "--key", "k", "--ca", "c", "--line", "l", "--recipe", "r", "--by", "me"]
        said = okng("publish", tmp_path, *given, *more)
        assert said.exit_code == 2
        assert words in said.output

    def test_a_channel_is_begun_once(self, okng: Callable[..., Result], tmp_path: Path) -> None:
        first = ["--online", tmp_path / "online", "--passphrase-file", tmp_path / "pass"]
        okng("init", "--keys", tmp_path / "keys", *first)
        again = ["--online", tmp_path / "online2", "--passphrase-file", tmp_path / "pass"]
        with pytest.raises(BadChannel, match="is there already"):
            okng("init", "--keys", tmp_path / "keys2", *again)
