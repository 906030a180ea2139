"""Pictures go straight to a real S3 server by the addresses that the service signs; the box has no key there."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from okng.bus.errors import StoreLost

from ..cloud.engines import Seaweed, seaweed_server
from .box_side import box_side, sha256_of
from .fault_proxy import kind
from .fleet_service import FleetService, fleet_service

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def weed() -> Iterator[Seaweed]:
    """The S3 server."""
    with seaweed_server() as found:
        yield found


@pytest.fixture(scope="module")
def service(weed: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetService]:
    """The service with that store."""
    keys = weed.keys_file(tmp_path_factory.mktemp("keys"))
    lines = f'kind = "s3"\nendpoint = "{weed.endpoint}"\nbucket = "okng"\ncredentials_file = "{keys}"'
    with fleet_service("", lines) as found:
        yield found


def kept(weed: Seaweed, data: bytes) -> bytes:
    found: bytes = weed.client.get_object(Bucket="okng", Key=f"sha256/{sha256_of(data)}")["Body"].read()
    return found


def test_small_and_large_pictures_arrive_whole_and_a_cut_upload_goes_on(service: FleetService, weed: Seaweed) -> None:
    small, large = os.urandom(200_000), os.urandom(9 << 20)
    with box_side(service, leaves="pictures") as box:
        box.enrol()
        box.happen(3, small)
        box.drain()
        assert kept(weed, small) == small
        box.happen(3, large)
        stop = threading.Event()
        uplink = box.uplink(stop)
        sender = uplink._pictures
        real, sent = sender.pace, 0

        def cut(size: int) -> None:
            nonlocal sent
            sent += size
            if sent > (8 << 20) + 300_000 and not stop.is_set():
                raise StoreLost("the link is cut in the second part")
            real(size)

        sender.pace = cut
        uplink.step()
        assert "cut in the second part" in uplink.status.trouble or sent
        end = time.monotonic() + 60
        while "cut" not in uplink.status.trouble:
            assert time.monotonic() < end, uplink.status
            time.sleep(min(uplink.step(), 0.05))
        again = box.uplink()
        counted = 0
        pace = again._pictures.pace

        def counting(size: int) -> None:
            nonlocal counted
            counted += size
            pace(size)

        again._pictures.pace = counting
        box.drain(again)
        assert kept(weed, large) == large
        assert counted < 2 << 20, "the part that lay there already was not sent again"
        assert not [path for path in (box.state / "fleet").iterdir() if "s3" in path.name]


def test_a_store_that_is_gone_holds_up_no_record(service: FleetService, weed: Seaweed) -> None:
    import signal

    with box_side(service, leaves="pictures", timeout_s=2) as box:
        box.enrol()
        service.proxy.fate = kind
        os.killpg(weed.process.pid, signal.SIGSTOP)
        try:
            box.happen(30, lambda part: os.urandom(1000))
            uplink = box.uplink()
            end = time.monotonic() + 40
            while len(service.events(box.box, "records")) < 30 or not uplink.status.trouble:
                assert time.monotonic() < end, uplink.status
                time.sleep(min(uplink.step(), 0.05))
        finally:
            os.killpg(weed.process.pid, signal.SIGCONT)
