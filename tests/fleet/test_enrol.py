"""A box joins: by a code and a fingerprint, with a key of its own; it stays by renewing, and knows who it speaks to."""

import contextlib
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from okng.bus.errors import BadKey, BadSettings, StoreLost
from okng.cloud.authority import read_csr
from okng.fleet.enrol import Enrolment, home_of, wires
from okng.fleet.wire import NotTrusted, Wire
from okng.identity.certificate import key_pem, new_key
from okng.identity.wire_home import WireHome, fingerprint

from ..nth import each_failure, failing
from .box_side import BoxSide, box_side
from .fault_proxy import LOSE_ANSWER, PASS, FaultProxy, kind, seeded
from .fleet_service import FleetService, fleet_service, server_certificate

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def service() -> Iterator[FleetService]:
    """The service on SQLite."""
    with fleet_service("") as found:
        yield found


@pytest.fixture
def box(service: FleetService) -> Iterator[BoxSide]:
    """A box that nobody has let in yet."""
    service.proxy.fate = kind
    with box_side(service) as made:
        yield made
    service.proxy.fate = kind


def joining(box: BoxSide) -> Enrolment:
    home = home_of(box.options, box.state)
    return Enrolment(home, wires(box.options, home), "box", "line1")


def test_a_box_is_let_in_by_its_code_and_fingerprint_with_a_key_that_never_leaves(
    box: BoxSide, service: FleetService
) -> None:
    doing = joining(box)
    assert doing.shown.state == "none"
    shown = doing.begin()
    assert shown.state == "waiting"
    assert 850 <= shown.left_s <= 900
    doing.step()
    assert joining(box).shown.code == shown.code, "a restart in between changes nothing"
    name = service.approve(shown.code, shown.fingerprint)
    again = joining(box)
    again.step()
    assert (again.shown.state, again.shown.box, again.shown.code) == ("enrolled", name, "")
    file = box.state / "fleet" / "box.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in file.parent.iterdir()) == ["box.pem"], "nothing of the request is left"
    assert b"PRIVATE" not in (service.folder / "service.log").read_bytes()


def test_with_a_fifth_of_all_lost_it_is_let_in_all_the_same(box: BoxSide, service: FleetService) -> None:
    service.proxy.fate = seeded(4, 0.2, 0.2)
    doing = joining(box)
    doing._back_off.draw = lambda low, high: 0.0
    for _ in range(50):
        try:
            shown = doing.begin()
            break
        except StoreLost:
            continue
    service.approve(shown.code, shown.fingerprint)
    for _ in range(50):
        doing.step()
        if doing.shown.state == "enrolled":
            break
    assert doing.shown.state == "enrolled"


def test_a_code_that_was_taken_back_opens_nothing(box: BoxSide, service: FleetService) -> None:
    doing = joining(box)
    before = doing.begin()
    assert doing.cancel().state == "none"
    after = doing.begin()
    assert after.fingerprint != before.fingerprint
    with pytest.raises(AssertionError):
        service.approve(before.code, after.fingerprint)
    doing.step()
    assert doing.shown.state == "waiting"


def test_it_renews_by_the_old_certificate_and_a_lost_answer_locks_nobody_out(
    box: BoxSide, service: FleetService
) -> None:
    box.enrol()
    home = home_of(box.options, box.state)
    doing = joining(box)
    before = home.passport()
    assert before is not None
    assert doing.renew() is None, "the service says that it is too early"
    age(service, box.box)
    answers = iter((LOSE_ANSWER, LOSE_ANSWER))
    service.proxy.fate = lambda number, path: next(answers, PASS) if path == "/v1/renew" else PASS
    for _ in range(2):
        with pytest.raises(StoreLost):
            doing.renew()
    found = doing.renew()
    assert found is not None
    assert found.box == before.box
    assert found.sha256 != before.sha256
    box.happen(3)
    box.drain()
    box.is_level()


def age(service: FleetService, box: str) -> None:
    """Two thirds of the certificate's life are over, as the service sees it."""
    import sqlalchemy as sa

    from okng.cloud.database import writing
    from okng.cloud.tables import Box

    with writing(service.engine) as db:
        ends = datetime.now(UTC) + timedelta(days=20)
        db.execute(sa.update(Box).where(Box.id == box).values(cert_ends_at=ends))


def test_what_two_thirds_of_a_life_are(box: BoxSide) -> None:
    box.enrol()
    passport = home_of(box.options, box.state).passport()
    assert passport is not None
    life = passport.ends - passport.begins
    assert not passport.is_due(passport.begins + life * 0.66)
    assert passport.is_due(passport.begins + life * 0.67)
    assert not passport.has_ended(passport.ends - timedelta(seconds=1))
    assert passport.has_ended(passport.ends)


def test_a_key_that_systemd_hands_over_is_used_and_written_nowhere(tmp_path: Path) -> None:
    key = new_key()
    given = tmp_path / "okng-fleet-key"
    given.write_bytes(key_pem(key))
    home = WireHome(tmp_path / "fleet", given)
    csr, print_ = home.ask("box")
    assert print_ == fingerprint(key)
    assert read_csr(csr).fingerprint == print_
    assert not (tmp_path / "fleet").exists()


def test_a_certificate_for_another_key_is_not_taken(box: BoxSide, tmp_path: Path) -> None:
    box.enrol()
    chain = (box.state / "fleet" / "box.pem").read_text()
    other = WireHome(tmp_path / "fleet")
    other.ask("other")
    with pytest.raises(BadKey, match="another key"):
        other.install(chain[chain.index("-----BEGIN CERTIFICATE") :])
    assert other.passport() is None


def test_the_certificate_is_old_or_new_whichever_operation_fails(box: BoxSide, tmp_path: Path) -> None:
    box.enrol()
    whole = (box.state / "fleet" / "box.pem").read_bytes()
    chain = whole[whole.index(b"-----BEGIN CERTIFICATE") :].decode()

    for point in range(1, 200):
        folder = tmp_path / str(point)
        folder.mkdir()
        (folder / "requested.key").write_bytes(whole[: whole.index(b"-----BEGIN CERTIFICATE")])
        (folder / "requested.key").chmod(0o600)

    def work(point: int) -> Path:
        with contextlib.suppress(OSError, BadKey):
            WireHome(tmp_path / str(point)).install(chain)
        return tmp_path / str(point)

    def judge(point: int, folder: Path, failed: bool) -> None:
        home = WireHome(folder)
        passport = home.passport()
        assert passport is not None or (folder / "requested.key").exists(), "the key of the request is never lost"
        assert failed or passport is not None
        if passport is None:
            home.install(chain)
        assert (folder / "box.pem").read_bytes() == whole

    with failing():
        assert each_failure(work, judge) > 4


def test_who_is_not_the_pinned_service_is_told_nothing(box: BoxSide, service: FleetService, tmp_path: Path) -> None:
    with Wire(service.proxy.url, service.folder / "boxes.pem", None, 5) as wire, pytest.raises(NotTrusted) as told:
        wire.ask("GET", "/healthz")
    assert "fleet.ca" in str(told.value)
    with pytest.raises(BadSettings, match=r"fleet\.ca"):
        Wire(service.proxy.url, tmp_path / "none.pem", None, 5)


@pytest.mark.parametrize(("begins", "ends", "said"), [(2, 30, "not yet valid"), (-30, -2, "has ended")])
def test_a_clock_that_is_wrong_is_said_plainly(
    service: FleetService, tmp_path: Path, begins: int, ends: int, said: str
) -> None:
    key_file, ca_file = service.folder / "site-ca.key", service.folder / "site-ca.pem"
    from okng.identity.certificate import read_key_pem

    key = read_key_pem(key_file.read_bytes(), "key")
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    now = datetime.now(UTC)
    server_certificate(tmp_path, "server", ca, key, now + timedelta(days=begins), now + timedelta(days=ends))
    proxy = FaultProxy(tmp_path / "none", tmp_path / "server.pem", tmp_path / "server.key", ca_file).start()
    try:
        with Wire(proxy.url, ca_file, None, 5) as wire, pytest.raises(StoreLost) as told:
            wire.ask("GET", "/healthz")
    finally:
        proxy.stop()
    assert said in str(told.value)
    assert "clock" in str(told.value)
    assert str(now.year) in str(told.value)


def test_the_screen_asks_the_process_and_is_shown_the_code_and_its_time(box: BoxSide, service: FleetService) -> None:
    box.start()
    assert box.ask("fleet.look").body["enrolment"]["state"] == "none"
    assert box.ask("fleet.enrol").done
    end = time.monotonic() + 20
    while (shown := box.ask("fleet.look").body["enrolment"])["state"] != "waiting":
        assert time.monotonic() < end, shown
        time.sleep(0.1)
    name = service.approve(shown["code"], shown["fingerprint"])
    while (shown := box.ask("fleet.look").body["enrolment"])["state"] != "enrolled":
        assert time.monotonic() < end, shown
        time.sleep(0.1)
    assert shown["box"] == name
    assert not box.ask("fleet.resume", {"stream": "records", "epoch": 1}).done
    resident_kb = int(
        next(
            line for line in Path(f"/proc/{box.processes[0].pid}/status").read_text().splitlines() if "VmRSS" in line
        ).split()[1]
    )
    assert resident_kb < 300_000
    assert int(Path(f"/proc/{box.processes[0].pid}/stat").read_text().rpartition(")")[2].split()[16]) == 15
