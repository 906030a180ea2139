"""What the box owes arrives once, whatever is lost on the way: a real ledger, the real service, TLS between."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from okng.fleet.uplink_cursor import FILE
from okng.fleet.wire import Unwelcome

from ..cloud.engines import lacking
from .box_side import BoxSide, box_side, sha256_of
from .fault_proxy import LOSE_ANSWER, PASS, every_nth, kind, seeded
from .fleet_service import FleetService, on_postgres

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def service() -> Iterator[FleetService]:
    """The service on PostgreSQL."""
    with on_postgres() as found:
        yield found


@pytest.fixture
def box(service: FleetService) -> Iterator[BoxSide]:
    """A box that was let in."""
    with box_side(service) as made:
        service.proxy.fate, service.proxy.down = kind, False
        made.enrol()
        service.proxy.seen.clear()
        yield made
    service.proxy.fate, service.proxy.down = kind, False


def quick(uplink: object) -> None:
    """Back-offs of milliseconds: what is tested is what is sent, not how long one waits for it."""
    for name in ("_service", "_store"):
        getattr(uplink, name).draw = lambda low, high: min(high, 0.02)


def test_a_fifth_of_requests_and_of_answers_lost_costs_nothing(box: BoxSide, service: FleetService) -> None:
    box.happen(3000)
    for n in range(5):
        box.alarm(n)
    service.proxy.fate = seeded(8, 0.2, 0.2)
    uplink = box.uplink()
    quick(uplink)
    box.drain(uplink)
    lost = service.proxy.counts()
    box.is_level()
    assert service.parts(box.box) == 3000
    # 3000 parts in batches of 512 are six; with heads, audit and alarms some more. Of so few some must have been lost.
    assert lost["lose request"] + lost["lose answer"] >= 1
    assert uplink.status.events >= 3000


def test_a_restart_begins_where_the_service_stands_whatever_the_note_says(box: BoxSide, service: FleetService) -> None:
    box.happen(700)
    box.drain()
    for text in (None, "{", '{"box": "other", "epochs": {}, "pictures": {}, "halted": {}}'):
        file = box.state / FILE
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        box.happen(10)
        service.proxy.seen.clear()
        box.drain()
        box.is_level()
    assert service.parts(box.box) == 730


def test_alarms_go_first_and_wait_for_no_full_batch(service: FleetService) -> None:
    with box_side(service, every_s=600) as box:
        box.enrol()
        box.happen(30)
        box.alarm(1)
        service.proxy.seen.clear()
        uplink = box.uplink()
        for _ in range(5):
            uplink.step()
        sent = [one.path.split("/")[3] for one in service.proxy.seen]
        assert sent == ["alarms"], "a batch that is not full waits for more"
        box.happen(600)
        uplink.step()
        uplink.step()
        assert [one.path.split("/")[3] for one in service.proxy.seen] == ["alarms", "records"]


def test_a_known_number_with_other_content_halts_that_stream_alone_until_a_person_says_go_on(
    box: BoxSide, service: FleetService
) -> None:
    box.happen(20)
    box.drain()
    service.change(box.box, "records", 15)
    (box.state / FILE).unlink()
    box.happen(10)
    box.alarm(7)
    uplink = box.uplink()
    quick(uplink)
    end = time.monotonic() + 20
    while not uplink.status.halted:
        assert time.monotonic() < end
        uplink.step()
    assert list(uplink.status.halted) == ["records/1"]
    assert "number 15" in uplink.status.halted["records/1"].why
    for _ in range(20):
        uplink.step()
    assert len(service.events(box.box, "alarms")) == 1
    assert len(service.events(box.box, "records")) == 20
    uplink.go_on("records", 1)
    uplink.step()
    assert uplink.status.halted, "nobody at the service has said so"
    again = box.uplink()
    assert again.status.halted, "it stands after a restart too"
    service.resume(box.box, "records", 1)
    again.go_on("records", 1)
    box.drain(again)
    assert not again.status.halted
    found = service.events(box.box, "records")
    assert [seq for seq, _ in found] == list(range(1, 31))
    assert found[14] == (15, "0" * 64), "what was contested stays as the service has it"


def test_a_revoked_box_says_so_and_keeps_what_it_owes(box: BoxSide, service: FleetService) -> None:
    box.happen(5)
    box.drain()
    service.retire(box.box)
    box.happen(5)
    uplink = box.uplink()
    end = time.monotonic() + 10
    while not uplink.status.refused:
        assert time.monotonic() < end
        uplink.step()
    assert "401" in uplink.status.trouble
    assert uplink.status.owed["records"] == 5
    with pytest.raises(Unwelcome):
        box.uplink()._sender.wire.ask("POST", "/v1/state", b"{}")


def test_the_service_dies_in_the_middle_and_comes_back(box: BoxSide, service: FleetService) -> None:
    box.happen(4000)
    uplink = box.uplink()
    quick(uplink)
    uplink.step()
    uplink.step()
    begun = threading.Thread(target=box.drain, args=(uplink,), daemon=True)
    begun.start()
    time.sleep(0.3)
    service.kill()
    time.sleep(0.5)
    service.start()
    begun.join(60)
    assert not begun.is_alive()
    box.is_level()


def test_pictures_go_by_their_hash_once_and_the_large_ones_are_taken_up_again(service: FleetService) -> None:
    large = os.urandom(9 << 20)
    with box_side(service, leaves="pictures") as box:
        box.enrol()
        box.happen(3, large)  # one reject, 9 MiB: two parts
        box.happen(6, b"the same picture, twice")
        service.proxy.seen.clear()
        cut = 0

        def first_part_then_nothing(number: int, path: str) -> str:
            nonlocal cut
            if path.startswith("/v1/blobs/part") and "n=2" in path and cut < 2:
                cut += 1
                return LOSE_ANSWER if cut == 2 else "lose request"
            return PASS

        service.proxy.fate = first_part_then_nothing
        uplink = box.uplink()
        quick(uplink)
        box.drain(uplink)
        service.proxy.fate = kind
        puts = [one for one in service.proxy.seen if one.method == "PUT" and one.status == 200]
        parts = [one for one in puts if "/blobs/part/" in one.path]
        assert sha256_of(large) in service.blobs()
        assert sum("n=1" in one.path for one in parts) == 1, "the part that was there is not sent again"
        assert cut == 2
        assert sum("/blobs/put/" in one.path for one in puts) == 1, "two parts show the same picture: it goes once"
        asked = len([one for one in service.proxy.seen if one.method == "PUT"])
        (box.state / FILE).unlink()
        box.drain()
        assert len([one for one in service.proxy.seen if one.method == "PUT"]) == asked, "have: nothing is sent"


def test_an_alarm_goes_while_a_large_picture_is_under_way(service: FleetService) -> None:
    with box_side(service, leaves="pictures", kbit_per_s=4000) as box:  # 500 kB a second: a picture takes 4 s
        box.enrol()
        box.happen(3, os.urandom(2_000_000))
        stop = threading.Event()
        uplink = box.uplink(stop)
        service.proxy.seen.clear()

        def go() -> None:
            while not stop.is_set():
                uplink.step()

        runs = threading.Thread(target=go, daemon=True)
        runs.start()
        end = time.monotonic() + 20
        while not any(one.path == "/v1/blobs" for one in service.proxy.seen):
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.7)
        box.alarm(1)
        raised_s = time.monotonic()
        while not any("/alarms/" in one.path for one in service.proxy.seen):
            assert time.monotonic() < end
            time.sleep(0.01)
        took_s = time.monotonic() - raised_s
        done = any(one.method == "PUT" for one in service.proxy.seen)
        while not any(one.method == "PUT" for one in service.proxy.seen):
            assert time.monotonic() < end
            time.sleep(0.05)
        stop.set()
        runs.join(10)
        assert not done, "the alarm arrived before the picture had"
        assert took_s < 3


def test_no_more_leaves_than_the_cap_says(service: FleetService) -> None:
    with box_side(service, kbit_per_s=256) as box:  # 32 kB a second
        box.enrol()
        box.happen(1000)
        service.proxy.arrived.clear()
        begun_s = time.monotonic()
        box.drain(most_s=60)
        took_s = time.monotonic() - begun_s
        sent = sum(size for _, size in service.proxy.arrived)
        box.is_level()
        assert sent <= 32_000 * (took_s + 1.5)
        assert took_s > sent / 32_000 * 0.6, "the cap was never reached"


def test_only_alarms_leave_outside_the_hours(service: FleetService) -> None:
    now = time.localtime()
    shut = f"{(now.tm_hour + 2) % 24:02}:00-{(now.tm_hour + 3) % 24:02}:00"
    with box_side(service, hours=[shut]) as box:
        box.enrol()
        box.happen(600)
        box.alarm(1)
        uplink = box.uplink()
        for _ in range(5):
            uplink.step()
        assert uplink.status.waits_for_hours
        assert len(service.events(box.box, "alarms")) == 1
        assert service.events(box.box, "records") == []


def test_a_full_disk_under_the_note_stops_nothing_and_doubles_nothing(service: FleetService) -> None:
    with box_side(service) as box:
        box.state.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "none", box.state], capture_output=True, check=False
        )
        if made.returncode:
            lacking(f"needs root to mount a small file system: {made.stderr.decode().strip()}")
        try:
            box.enrol()
            box.happen(1400)
            with contextlib.suppress(OSError), (box.state / "ballast").open("wb") as ballast:
                while True:
                    ballast.write(bytes(4096))
                    ballast.flush()
            uplink = box.uplink()
            quick(uplink)
            end = time.monotonic() + 60
            while len(service.events(box.box, "records")) < 1400:
                assert time.monotonic() < end, uplink.status
                uplink.step()
            assert "No space left" in uplink.status.trouble
            assert not (box.state / FILE).exists()
            (box.state / "ballast").unlink()
            box.happen(1)
            box.drain(box.uplink())
            box.is_level()
        finally:
            subprocess.run(["umount", "-l", box.state], check=True)


def test_the_process_killed_at_random_loses_nothing_and_doubles_nothing(service: FleetService) -> None:
    draw = random.Random(20261127)
    with box_side(service, leaves="pictures") as box:
        box.enrol()
        service.proxy.fate = seeded(3, 0.1, 0.1)
        for round_ in range(6):
            box.happen(90, lambda part: b"picture %d" % part * 50)
            box.alarm(round_)
            process = box.start()
            time.sleep(0.6 + draw.random() * 1.5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        service.proxy.fate = kind
        box.start()
        end = time.monotonic() + 60
        wanted = {sha256_of(b"picture %d" % part * 50) for part in range(3, box.parts + 1, 3)}
        while service.parts(box.box) < box.parts or not wanted <= service.blobs():
            assert time.monotonic() < end, (box.folder / "sync.log").read_text()[-3000:]
            time.sleep(0.2)
        said = box.ask("fleet.look").body
        assert said["enrolment"]["state"] == "enrolled"
        box.kill()
        box.is_level()
        assert wanted <= service.blobs()


def test_every_fifth_request_or_answer_lost_for_a_while_of_a_line(box: BoxSide, service: FleetService) -> None:
    service.proxy.down = True
    box.happen(2000)
    uplink = box.uplink()
    quick(uplink)
    for _ in range(3):
        uplink.step()
    assert uplink.status.trouble
    service.proxy.down, service.proxy.fate = False, every_nth(5)
    box.drain(uplink)
    box.is_level()
    assert not uplink.status.trouble
