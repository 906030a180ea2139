"""What a channel says to a box, and what the box makes of it."""

import contextlib
import dataclasses
import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata
from tuf.ngclient import Updater

from okng.bus.channel import Publisher, records_state_address
from okng.bus.clock_floor import build_utc
from okng.bus.errors import BadKey, StoreLost
from okng.bus.messages import Health, RecordsState
from okng.fleet.channel_client import Channels
from okng.fleet.channel_clock import LedgerClock, moment_of
from okng.fleet.channel_counter import FileCounter
from okng.fleet.channel_format import BadChannel, OpenForm, RingForm
from okng.fleet.channel_offer import Ring
from okng.fleet.channel_repository import Repository
from okng.fleet.rings import FolderShelf, OnlineKeys, Rings, signed_by
from okng.tests.fleet.channel_kit import BOX, LINE, RECIPE, Box, Fleet, Watch, fetch_from, made_up, new_key
from okng.tests.fleet.test_channel_attacks import force

PLAN = f"{RECIPE}/champion"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet.begun(tmp_path / "published", Watch())


@pytest.fixture
def box(tmp_path: Path, fleet: Fleet) -> Box:
    return Box(tmp_path / "box", fleet)


def test_an_empty_channel_offers_nothing(box: Box) -> None:
    assert box.channels.standing().why == "nothing was trusted yet"
    found = box.channels.refresh()
    assert (found.offers, found.ticket, found.expired, found.why) == ((), None, False, "")


def test_an_offer_says_all_that_was_signed(fleet: Fleet, box: Box) -> None:
    plan = [RingForm(ring="pilot", shadow_parts=10, canary_parts=20, max_error_pct=1.5), RingForm(ring="rest")]
    fleet.publish("a")
    bundle = made_up("b")
    fleet.repository.publish(bundle, LINE, RECIPE, "champion", plan, "me", fleet.targets, {"reject_cusum": 12.0})
    fleet.rings.refresh()
    found = box.offer()
    assert (found.line, found.recipe, found.role, found.seq) == (LINE, RECIPE, "champion", 2)
    assert (found.bundle, found.previous) == (bundle.digest, made_up("a").digest)
    assert found.plan == (Ring("pilot", 10, 20, 1.5), Ring("rest", 5000, 20_000, 5.0))
    assert found.ring == found.plan[0]
    assert found.rules == {"reject_cusum": 12.0}
    assert found.manifest.sha256 == bundle.digest
    assert found.manifest.size == len(bundle.manifest)
    assert not found.ring_open, "what was open was number 1"
    again = box.channels.standing()
    assert again.offers == (found,), "remembered whole, over a restart"


def test_numbers_count_over_both_roles(fleet: Fleet, box: Box) -> None:
    assert [fleet.publish("a"), fleet.publish("b", "challenger"), fleet.publish("b")] == [1, 2, 3]
    assert (box.offer("challenger").seq, box.offer("champion").seq) == (2, 3)
    assert box.floor.said == {f"{LINE}/{PLAN}": 3, f"{LINE}/{RECIPE}/challenger": 2}


def test_who_is_in_no_ring_is_offered_nothing(fleet: Fleet, tmp_path: Path) -> None:
    fleet.publish("a", open_for=BOX)
    other = Box(tmp_path / "other", fleet, box="box2")
    assert (other.offer().ring_of_this_box, other.offer().takes) == ("", False)


def test_rings_open_in_the_order_that_was_signed(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    plan = [RingForm(ring="pilot"), RingForm(ring="rest")]
    fleet.repository.publish(made_up("a"), LINE, RECIPE, "champion", plan, "me", fleet.targets)
    rings, late = fleet.rings, Box(tmp_path / "late", fleet, box="box2")
    with pytest.raises(BadChannel, match="has no members"):
        rings.open_ring(LINE, RECIPE, "champion", 1, "pilot")
    rings.members(LINE, {"pilot": [BOX], "rest": ["box2"], "apart": ["box3"]})
    for ring, seq, words in (
        ("rest", 1, "'pilot' comes first"),
        ("apart", 1, "the signed plan has pilot, rest"),
        ("pilot", 2, "number 1 is"),
    ):
        with pytest.raises(BadChannel, match=words):
            rings.open_ring(LINE, RECIPE, "champion", seq, ring)
    rings.open_ring(LINE, RECIPE, "champion", 1, "pilot")
    assert (box.offer().takes, late.offer().takes) == (True, False)
    rings.open_ring(LINE, RECIPE, "champion", 1, "rest")
    assert (box.offer().takes, late.offer().takes) == (True, True)
    assert rings.show(LINE).open == {PLAN: OpenForm(seq=1, rings=("pilot", "rest"))}
    rings.halt(LINE, "a plan alone", PLAN)
    assert (box.offer().takes, box.offer().halted) == (False, True)
    with pytest.raises(BadChannel, match="is halted"):
        rings.open_ring(LINE, RECIPE, "champion", 1, "rest")
    rings.resume(LINE, PLAN)
    assert box.offer().takes
    with pytest.raises(BadChannel, match="two rings"):
        rings.members(LINE, {"pilot": [BOX], "rest": [BOX]})
    with pytest.raises(BadChannel, match="no open ring"):
        rings.halt(LINE, "x", "other/champion")


def test_a_halt_is_heard_and_taken_back(fleet: Fleet, box: Box) -> None:
    fleet.publish("a")
    fleet.rings.halt(LINE, "too many rejects")
    assert not box.offer().takes
    fleet.rings.resume(LINE)
    assert box.offer().takes
    assert fleet.rings.show(LINE).reason == ""


def test_no_way_there_leaves_what_was(fleet: Fleet, box: Box) -> None:
    fleet.publish("a")
    box.offer()
    away = fleet.folder.rename(fleet.folder.with_name("away"))
    with pytest.raises(StoreLost):
        box.channels.refresh()
    assert box.channels.standing().offers[0].takes
    away.rename(fleet.folder)
    assert box.offer().takes


def test_memory_that_is_spoilt_is_memory_that_is_gone(fleet: Fleet, box: Box) -> None:
    fleet.publish("a")
    box.offer()
    for path in [*box.folder.rglob("*.json")]:
        if path.is_file() and not path.is_symlink():
            path.write_bytes(b"\xff" * 100)
    assert box.channels.standing().offers == ()
    assert box.offer().takes


def test_what_another_box_or_line_was_told_is_not_for_this_one(fleet: Fleet, box: Box, tmp_path: Path) -> None:
    """Enrolled anew, or moved to another line: nothing is taken from memory."""
    fleet.publish("a")
    assert box.offer().takes
    renamed = Box(box.folder, fleet, box="box2")
    assert renamed.channels.standing().offers == ()
    assert not renamed.offer().takes
    moved = Channels(box.folder, fleet.root, ["line8"], "box2", fetch_from(fleet.folder), box.floor, fleet.watch)
    assert moved.standing().offers == ()


class TestTickets:
    @pytest.fixture
    def down(self, fleet: Fleet, box: Box) -> Box:
        """A box at number 2, and a ticket back to what number 1 was."""
        fleet.publish("a")
        fleet.publish("b")
        assert box.offer().seq == 2
        channel = f"{LINE}/{PLAN}"
        said = fleet.repository.ticket(BOX, channel, made_up("a").digest, "dark cells", "me", fleet.targets)
        assert (said.n, said.from_seq) == (1, 2)
        fleet.rings.refresh()
        return box

    def test_it_leads_down_once(self, fleet: Fleet, down: Box) -> None:
        ticket = down.channels.refresh().ticket
        assert ticket is not None
        assert (ticket.to_bundle, ticket.reason, ticket.from_seq) == (made_up("a").digest, "dark cells", 2)
        assert ticket.manifest.sha256 == made_up("a").digest
        down.channels.use(ticket)
        found = down.channels.refresh()
        assert found.ticket is None
        assert "number 2 lies below 3" in found.offers[0].refused, "the number it led down from is burnt"
        assert fleet.publish("c") == 3
        assert down.offer().takes

    def test_it_is_for_one_box(self, fleet: Fleet, down: Box, tmp_path: Path) -> None:
        other = Box(tmp_path / "other", fleet, box="box2")
        other.channels.refresh()
        assert other.channels.refresh().ticket is None

    def test_it_runs_out(self, fleet: Fleet, down: Box) -> None:
        fleet.watch.pass_by(days=6)
        fleet.rings.refresh()
        assert down.channels.refresh().ticket is not None
        fleet.watch.pass_by(days=1, seconds=1)
        assert down.channels.standing().ticket is None
        assert down.channels.refresh().ticket is None

    def test_it_holds_only_from_where_the_box_is(self, fleet: Fleet, down: Box) -> None:
        fleet.publish("c")
        down.channels.refresh()
        assert down.channels.refresh().ticket is None

    def test_a_doubtful_clock_makes_none_hold(self, fleet: Fleet, down: Box) -> None:
        down.channels.refresh()
        fleet.watch.doubt = "the battery is dead"
        assert down.channels.refresh().ticket is None

    def test_a_box_that_cannot_burn_it_does_not_use_it(self, down: Box, monkeypatch: pytest.MonkeyPatch) -> None:
        ticket = down.channels.refresh().ticket
        assert ticket is not None

        def lost(channel: str, seq: int) -> None:
            raise StoreLost("records is away")

        monkeypatch.setattr(down.floor, "raise_to", lost)
        with pytest.raises(StoreLost):
            down.channels.use(ticket)

    def test_what_it_may_say(self, fleet: Fleet, down: Box) -> None:
        ticket = functools.partial(fleet.repository.ticket, reason="r", approved_by="me", signer=fleet.targets)
        for box, channel, to, days, words in (
            (BOX, f"{LINE}/{PLAN}", made_up("zzz").digest, 7, "never published"),
            (BOX, f"{LINE}/none/champion", made_up("a").digest, 7, "is not published"),
            (BOX, f"{LINE}/{PLAN}", made_up("a").digest, 31, "at most 30"),
            ("../box", f"{LINE}/{PLAN}", made_up("a").digest, 7, "expected letters"),
        ):
            with pytest.raises(BadChannel, match=words):
                ticket(box, channel, to, days=days)
        fleet.watch.pass_by(days=8)
        assert ticket(BOX, f"{LINE}/{PLAN}", made_up("a").digest).n == 2
        assert ticket(BOX, f"{LINE}/{PLAN}", made_up("a").digest).n == 3
        assert [one.n for one in fleet.repository.tickets()] == [1, 2, 3][1:], "what ran out leaves the list"


class TestClock:
    def test_one_that_others_doubt(self, fleet: Fleet, box: Box) -> None:
        fleet.publish("a")
        assert box.offer().takes
        fleet.watch.doubt = "the clock was set ahead by 5 h"
        found = box.channels.refresh()
        assert (found.expired, found.why) == (True, "the clock was set ahead by 5 h")
        assert not found.offers[0].takes
        fleet.rings.halt(LINE, "stop")
        assert box.channels.refresh().offers[0].halted, "a halt is heard all the same"
        fleet.watch.doubt = ""
        assert not box.channels.refresh().expired

    def test_one_that_stands_before_what_the_box_has_seen(self, fleet: Fleet, box: Box) -> None:
        """Put back, it would make what has run out fresh again."""
        fleet.publish("a")
        assert box.offer().takes
        fleet.watch.pass_by(days=-300)
        found = box.channels.refresh()
        assert found.expired
        assert "the channel was read at 2027-01-01 12:00Z" in found.why
        fleet.watch.pass_by(days=300)
        assert box.offer().takes

    def test_one_far_ahead_makes_everything_run_out(self, fleet: Fleet, box: Box) -> None:
        fleet.publish("a")
        assert box.offer().takes
        fleet.watch.pass_by(days=4000)
        assert box.channels.refresh().expired
        fleet.watch.pass_by(days=-4000)
        assert box.offer().takes, "it believed nothing while it was ahead"

    def test_one_that_records_doubts(self) -> None:
        run = Path(tempfile.mkdtemp(prefix="okc", dir="/tmp"))
        said = RecordsState(Health.READY, "", 50.0, "kept", clock="the clock was set ahead by 5 h")
        with contextlib.closing(LedgerClock(run)) as clock, Publisher(records_state_address(run)) as records:
            assert clock().doubt == ""
            end = time.monotonic() + 20
            while not clock().doubt and time.monotonic() < end:
                records.send(said)
                time.sleep(0.02)
            assert clock().doubt == "the clock was set ahead by 5 h"
            while clock().doubt and time.monotonic() < end:
                records.send(dataclasses.replace(said, clock=""))
                time.sleep(0.02)
            assert clock().doubt == ""
        shutil.rmtree(run)

    def test_one_before_the_build(self) -> None:
        found = moment_of(datetime(1970, 1, 1, tzinfo=UTC), "")
        assert found.at == build_utc()
        assert "okng was built" in found.doubt
        assert moment_of(build_utc() + timedelta(days=1), "").doubt == ""


class TestKeys:
    def test_a_box_follows_every_change_of_keys(self, fleet: Fleet, tmp_path: Path) -> None:
        """From the root that was pinned in the beginning, also where it was away for all of it."""
        fleet.publish("a")
        near = Box(tmp_path / "near", fleet)
        assert near.offer().takes
        first = fleet.root
        new, targets, online = [new_key() for _ in range(3)], new_key(), OnlineKeys(new_key(), new_key(), new_key())
        fleet.repository.rotate(fleet.roots[:2], new_roots=new)
        fleet.roots = new
        keys = {"timestamp": online.timestamp.public_key, "snapshot": online.snapshot.public_key}
        fleet.repository.rotate(new[1:], new_keys={**keys, "targets": targets.public_key}, targets=targets)
        fleet.targets = targets
        with pytest.raises(BadKey, match=r"timestamp\.pem"):
            fleet.rings.refresh()
        fleet.online = dataclasses.replace(online, rings=fleet.online.rings)
        assert fleet.rings.refresh()
        assert near.offer().takes
        fleet.repository.renew(targets, online.rings.public_key)
        fleet.online = online
        assert fleet.rings.refresh()
        assert near.offer().takes
        assert fleet.publish("b") == 2
        assert fleet.root == first
        assert (near.offer().seq, Box(tmp_path / "far", fleet).offer().seq) == (2, 2)

    def test_the_old_keys_are_worth_nothing_then(self, fleet: Fleet) -> None:
        old, targets = fleet.targets, new_key()
        fleet.repository.rotate(fleet.roots[:2], new_keys={"targets": targets.public_key}, targets=targets)
        with pytest.raises(BadKey, match="not the key"):
            fleet.repository.renew(old)
        with pytest.raises(BadKey, match="1 of its keys"):
            fleet.repository.rotate([fleet.roots[0], new_key()])
        with pytest.raises(BadKey, match="1 of its keys"):
            fleet.repository.rotate([fleet.roots[0]] * 2)
        with pytest.raises(BadKey, match="expected the new one"):
            fleet.repository.rotate(fleet.roots, new_keys={"targets": new_key().public_key})

    def test_a_change_of_keys_that_was_cut_off_is_made_again(
        self, fleet: Fleet, box: Box, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The new root is there, and nothing that the new key of targets has signed."""
        fleet.publish("a")
        new = new_key()
        keys = {"targets": new.public_key}

        def cut(*given: object, **named: object) -> int:
            raise StoreLost("cut off")

        with monkeypatch.context() as patched:
            patched.setattr(Repository, "_sign", cut)
            with pytest.raises(StoreLost):
                fleet.repository.rotate(fleet.roots[:2], new_keys=keys, targets=new)
        with pytest.raises(BadChannel, match="not signed"):
            fleet.rings.refresh()
        fleet.repository.rotate(fleet.roots[:2], new_keys=keys, targets=new)
        fleet.targets = new
        assert fleet.rings.refresh()
        assert box.offer().takes
        assert fleet.publish("b") == 2

    def test_a_list_that_a_thief_of_the_shelf_put_there_is_not_signed_anew(self, fleet: Fleet, tmp_path: Path) -> None:
        thief = Fleet.begun(tmp_path / "thief", fleet.watch)
        thief.publish("z")
        mine = Repository(FolderShelf(thief.folder), fleet.root, fleet.watch.now)
        with pytest.raises(BadChannel, match="not signed"):
            mine.renew(fleet.targets)
        listed = sorted((thief.folder / "channel/metadata").glob("*.targets.json"))[-1]
        (fleet.folder / "channel/metadata/2.targets.json").write_bytes(listed.read_bytes())
        with pytest.raises(BadChannel, match="not signed"):
            fleet.repository.renew(fleet.targets)
        with pytest.raises(BadChannel, match="not signed"):
            fleet.rings.refresh()
        targets = new_key()
        with pytest.raises(BadChannel, match="not signed"):
            fleet.repository.rotate(fleet.roots, new_keys={"targets": targets.public_key}, targets=targets)

    def test_signatures_are_renewed_before_they_end(self, fleet: Fleet, box: Box) -> None:
        fleet.publish("a")
        for _ in range(90):
            fleet.watch.pass_by(days=1)
            fleet.rings.refresh()
            assert box.offer().takes
        fleet.watch.pass_by(days=300)
        fleet.rings.refresh()
        found = box.channels.refresh()
        assert found.expired, "the targets' year is over: a person has to sign"
        assert box.channels.standing().offers[0].bundle == made_up("a").digest
        fleet.repository.renew(fleet.targets)
        fleet.rings.refresh()
        assert box.offer().takes

    def test_a_halt_goes_out_whatever_has_run_out(self, fleet: Fleet) -> None:
        fleet.publish("a")
        fleet.watch.pass_by(days=500)
        assert fleet.rings.halt(LINE, "stop").halted


class TestService:
    def test_writers_at_once_do_not_undo_each_other(self, fleet: Fleet, box: Box) -> None:
        lines = [f"line{n}" for n in range(6)]

        def write(line: str) -> None:
            rings = Rings(FolderShelf(fleet.folder), fleet.online, fleet.watch.now)
            for n in range(3):
                rings.members(line, {"pilot": [f"{line}-box{n}"]})

        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(write, line) for line in lines]:
                done.result()
        for line in lines:
            assert fleet.rings.show(line).members == {"pilot": (f"{line}-box2",)}
        assert not box.channels.refresh().expired

    def test_dying_anywhere_leaves_a_set_that_is_whole(
        self, fleet: Fleet, tmp_path: Path, die_at: Callable[[int, Callable[[], None]], bool]
    ) -> None:
        fleet.publish("a")
        at, died = 0, True
        while died:
            at += 1
            died = die_at(at, lambda: (fleet.rings.halt(LINE, "stop"), None)[1])
            found = Box(tmp_path / f"box{at}", fleet).offer()
            said = fleet.rings.show(LINE)
            assert found.halted == said.halted
            fleet.rings.resume(LINE)
        assert at > 8

    def test_a_list_without_the_services_keys_is_taken_up(self, fleet: Fleet, box: Box) -> None:
        fleet.publish("a")
        fleet.publish("b", refresh=False, open_for="")
        assert box.offer().seq == 1
        assert fleet.rings.refresh()
        assert not fleet.rings.refresh()
        assert box.offer().seq == 2

    def test_a_counter_jumps_no_further_than_people_sign(self, fleet: Fleet, box: Box, tmp_path: Path) -> None:
        box.counter = FileCounter(tmp_path / "counter")
        fleet.publish("a")
        assert box.offer().takes
        assert box.counter.read() == 2
        path = fleet.folder / "channel/metadata/2000.targets.json"
        listed: Any = Metadata.from_file(str(fleet.folder / "channel/metadata/2.targets.json")).signed
        listed.version = 2000
        force(fleet, listed, signed_by(listed, fleet.targets))
        assert path.exists()
        with pytest.raises(BadChannel, match="1998 ahead"):
            box.channels.refresh()
        assert box.counter.read() == 2


@pytest.fixture
def served(fleet: Fleet) -> Iterator[str]:
    """The folder over plain HTTP, as a mirror has it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *said: object) -> None:
            """To nobody."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=fleet.folder)) as server:
        thread = threading.Thread(target=server.serve_forever, name="mirror")
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_stock_client_reads_our_channel(tmp_path: Path, fleet: Fleet, served: str) -> None:
    """TUF's own, with its own way over the net: nothing of ours."""
    fleet.watch.at = datetime.now(UTC)
    fleet.repository.rotate(fleet.roots[:2])
    fleet.publish("a")
    (tmp_path / "metadata").mkdir()
    (tmp_path / "targets").mkdir()
    updater = Updater(
        str(tmp_path / "metadata"),
        f"{served}/channel/metadata/",
        str(tmp_path / "targets"),
        f"{served}/channel/targets/",
        bootstrap=fleet.root,
    )
    updater.refresh()
    bundle = made_up("a").digest
    found = {}
    for path in (f"{LINE}/{PLAN}.json", f"bundles/{bundle}/manifest.json", f"rings/{LINE}.json"):
        info = updater.get_targetinfo(path)
        assert info is not None
        found[path] = Path(updater.download_target(info)).read_bytes()
    assert json.loads(found[f"{LINE}/{PLAN}.json"])["bundle"] == bundle
    assert found[f"bundles/{bundle}/manifest.json"] == made_up("a").manifest
    assert json.loads(found[f"rings/{LINE}.json"])["members"] == {"pilot": [BOX]}


def test_the_service_loads_no_model_and_no_arrays() -> None:
    code = "import sys, okng.fleet.rings; print(sorted({'numpy', 'onnxruntime', 'onnx', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
