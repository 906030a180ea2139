"""The box's own certificate, the request for a better one, and which chain that comes back is taken."""

import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from okng.bus.errors import BadKey
from okng.identity import tls_home
from okng.identity.certificate import FLOOR, described, new_key, own_certificate
from okng.identity.chain import checked_chain
from okng.identity.tls_home import TlsHome, own_names

from ..plc_io.conftest import lacking

NOW = datetime(2026, 12, 1, tzinfo=UTC)
YEAR = timedelta(days=365)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TlsHome:
    monkeypatch.setattr(socket, "gethostname", lambda: "box7")
    return TlsHome(tmp_path / "tls", "10.1.2.3")


class Authority:
    """The plant's: a root and one between it and the boxes."""

    def __init__(self) -> None:
        self.root_key, self.key = new_key(), new_key()
        self.root = self._made("Plant root", self.root_key, None, self.root_key, ca=True)
        self.between = self._made("Plant boxes", self.key, self.root, self.root_key, ca=True)

    def _made(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        by: x509.Certificate | None,
        signs: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(by.subject if by else subject)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(FLOOR - YEAR).not_valid_after(FLOOR + 9 * YEAR)
        return builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True).sign(
            signs, SHA256()
        )

    def answer(
        self,
        csr: bytes,
        *,
        begins: datetime = FLOOR,
        ends: datetime = FLOOR + 8 * YEAR,
        names: list[str] | None = None,
        use: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> bytes:
        asked = x509.load_pem_x509_csr(csr)
        held: x509.ExtensionType = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if names is not None:
            held = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = x509.CertificateBuilder().subject_name(asked.subject).issuer_name(self.between.subject)
        builder = builder.public_key(asked.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(begins).not_valid_after(ends).add_extension(held, critical=False)
        made = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False).sign(self.key, SHA256())
        return made.public_bytes(Encoding.PEM)

    @property
    def above(self) -> bytes:
        return self.between.public_bytes(Encoding.PEM)

    @property
    def top(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)


def test_the_first_start_makes_a_pair_of_its_own_and_the_next_keeps_it(home: TlsHome) -> None:
    first = home.load_or_make()
    assert first.own
    assert {"box7", "box7.local", "10.1.2.3"} <= set(first.names)
    assert home.load_or_make() == first
    assert stat.S_IMODE(home.served.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(home.served)
    assert home.renew().fingerprint != first.fingerprint


@pytest.mark.parametrize("now", [datetime(1970, 1, 1, tzinfo=UTC), NOW, datetime(2029, 5, 5, tzinfo=UTC)])
def test_whatever_the_clock_says_a_right_one_finds_it_in_time(now: datetime) -> None:
    made = described(own_certificate(new_key(), ["box7"], now))
    assert made.begins <= max(now, FLOOR) < made.ends
    assert made.ends - made.begins < timedelta(days=3653)
    assert made.ends_soon(made.ends - timedelta(days=29))
    assert not made.ends_soon(made.ends - timedelta(days=31))
    # Judged no earlier than this program.
    assert made.days_left(datetime(1970, 1, 1, tzinfo=UTC)) == made.days_left(FLOOR)


def test_openssl_reads_certificate_and_request(home: TlsHome) -> None:
    lacking("openssl")
    home.load_or_make()
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-text"]
    told = subprocess.run(command, input=home.served.read_bytes(), capture_output=True, check=True).stdout.decode()
    assert home.look().fingerprint in told
    assert "DNS:box7" in told
    assert "IP Address:10.1.2.3" in told
    assert "prime256v1" in told
    asked = home.ask(["vision.plant"])
    command = ["openssl", "req", "-verify", "-noout", "-text"]
    told = subprocess.run(command, input=asked, capture_output=True, check=True).stdout.decode()
    assert "DNS:vision.plant" in told


def test_the_answer_to_a_request_is_served_with_its_chain(home: TlsHome) -> None:
    own, authority = home.load_or_make(), Authority()
    answer = authority.answer(home.ask())
    assert home.look() == own  # a request changes nothing of what is served
    taken = home.install(answer + authority.above)
    assert not taken.own
    assert "Plant boxes" in taken.issuer
    assert home.look() == taken
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(home.served)
    assert home.asked() is None
    again = authority.answer(home.ask(["vision.plant"]), names=["vision.plant"])
    assert home.install(again + authority.above + authority.top).names == ("vision.plant",)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda a, csr, _: a.above + a.answer(csr), "begins with another certificate"),
        (lambda a, _, other: a.answer(other) + a.above, "not made out to a key of this box"),
        (lambda a, csr, _: a.answer(csr) + a.top, "did not issue certificate 1"),
        (
            lambda a, csr, _: a.answer(csr, ends=FLOOR + timedelta(days=1)) + a.above,
            "certificate 1 ended at 2026-11-02",
        ),
        (lambda a, csr, _: a.answer(csr, begins=NOW + YEAR, ends=NOW + 2 * YEAR) + a.above, "is the clock right"),
        (lambda a, csr, _: a.answer(csr, names=["another.plant"]) + a.above, "made out to another.plant: expected one"),
        (lambda a, csr, _: a.answer(csr, use=ExtendedKeyUsageOID.CLIENT_AUTH) + a.above, "not for servers"),
        (lambda a, csr, _: a.answer(csr) + a.answer(csr), "did not issue"),
        (lambda *_: b"", "no certificates in PEM"),
        (lambda *_: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificates in PEM"),
        (lambda a, *_: a.above * 9, "at most 8 certificates"),
        (lambda *_: b"x" * 70_000, "expected at most 65536 bytes"),
    ],
)
def test_what_does_not_fit_is_not_taken_and_says_why(
    home: TlsHome, made: Callable[[Authority, bytes, bytes], bytes], said: str
) -> None:
    home.load_or_make()
    authority, other = Authority(), TlsHome(home.folder.parent / "other")
    other.load_or_make()
    before = home.served.read_bytes()
    chain = made(authority, home.ask(), other.ask())
    keys = [home._key(home.folder / tls_home.REQUESTED), home._key(home.served)]
    with pytest.raises(BadKey, match=said):
        checked_chain(chain, keys, home.names, NOW)
    if "ended" not in said and "clock" not in said:
        with pytest.raises(BadKey, match=said):
            home.install(chain)
    assert home.served.read_bytes() == before


def test_a_wildcard_holds_one_level(home: TlsHome, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority()
    home.load_or_make()
    monkeypatch.setattr(socket, "gethostname", lambda: "box7.plant")
    home.install(authority.answer(home.ask(), names=["*.plant"]) + authority.above)
    with pytest.raises(BadKey, match="expected one of"):
        home.install(authority.answer(home.ask(), names=["*.other"]) + authority.above)


def test_nobody_is_led_elsewhere_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "tls").symlink_to(tmp_path / "etc")
    with pytest.raises(BadKey, match="found a link"):
        TlsHome(tmp_path / "tls").ask()
    assert list((tmp_path / "etc").iterdir()) == []


def test_addresses_of_the_cards_are_found_without_netlink(monkeypatch: pytest.MonkeyPatch) -> None:
    there = own_names()

    def refused() -> list[tuple[int, str]]:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(socket, "if_nameindex", refused)
    assert own_names() == there


def test_a_key_that_others_may_read_is_refused(home: TlsHome) -> None:
    home.load_or_make()
    home.served.chmod(0o640)
    with pytest.raises(BadKey, match="mode 0640: expected 0600"):
        home.look()


def test_a_full_disk_leaves_what_is_served(home: TlsHome, monkeypatch: pytest.MonkeyPatch) -> None:
    before = home.load_or_make()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        home.renew()
    assert home.look() == before
    assert [path.name for path in home.folder.iterdir()] == [tls_home.SERVED]


def test_names_that_are_none_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "box_7")
    assert "box_7" not in own_names("0.0.0.0")
    assert not {"0.0.0.0", "127.0.0.1"} & set(own_names("0.0.0.0"))
