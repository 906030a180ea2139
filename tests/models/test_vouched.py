"""The signature that is read by hand right before loading: it takes what the library takes, and nothing more."""

import base64
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from okng.bus.errors import BadBundle, BadSettings
from okng.fleet.signing import sign, verify
from okng.models.bundle import Bundle, open_bundle
from okng.tests.fleet.signers import Signing

pytest.importorskip("model_signing", reason="needs the extra [sign]")
MakeBundle = Callable[..., Bundle]


@pytest.fixture
def root(tmp_path: Path) -> Signing:
    return Signing(tmp_path, "plant-root")


@pytest.fixture
def signed(make_bundle: MakeBundle, root: Signing, tmp_path: Path) -> Path:
    folder = make_bundle().folder
    engineer = Signing(tmp_path, "engineer", root)
    sign(folder, engineer.key, engineer.certificate, (root.certificate,))
    return folder


def test_it_agrees_with_the_library(signed: Path, root: Signing, tmp_path: Path) -> None:
    others = (Signing(tmp_path, "other").certificate, root.certificate)
    assert open_bundle(signed, authorities=others).signer == verify(signed, others).name == "CN=engineer"
    assert open_bundle(signed).signer == ""


def refused(folder: Path, *authorities: Path, words: str = "does not hold") -> None:
    with pytest.raises(BadBundle, match=words):
        open_bundle(folder, authorities=authorities)


def test_strangers_and_unsigned_ones_are_refused(signed: Path, root: Signing, tmp_path: Path) -> None:
    refused(signed, Signing(tmp_path, "stranger").certificate, words="no authority of this box vouches for CN=engineer")
    namesake = tmp_path / "namesake"
    namesake.mkdir()
    refused(signed, Signing(namesake, "plant-root").certificate)
    with pytest.raises(BadSettings, match="cannot be read"):
        open_bundle(signed, authorities=(tmp_path / "none.pem",))
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(BadSettings, match="no certificate"):
        open_bundle(signed, authorities=(tmp_path / "bad.pem",))
    (signed / "signature.sig").unlink()
    refused(signed, root.certificate, words="no signature")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Parsed a serial number")
def test_each_bit_of_a_signature_counts(signed: Path, root: Signing) -> None:
    """What is taken all the same has the same statement and signature, and a leaf of the same signed words.

    That is a letter in a field that says nothing, or the count of unused bits before the issuer's signature: where the
    last bit is 0, DER may leave it out.
    """
    path, pick = signed / "signature.sig", random.Random(4)
    whole = path.read_bytes()
    good, taken = essence(whole), 0
    for at in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1 << pick.randrange(7)
        path.write_bytes(spoilt)
        try:
            open_bundle(signed, authorities=(root.certificate,))
        except BadBundle:
            continue
        assert essence(bytes(spoilt)) == good, at
        taken += 1
    assert taken < len(whole) // 4
    path.write_bytes(whole)
    open_bundle(signed, authorities=(root.certificate,))


def essence(data: bytes) -> tuple[bytes, ...]:
    said: Any = json.loads(data)
    envelope = said["dsseEnvelope"]
    leaf = said["verificationMaterial"]["x509CertificateChain"]["certificates"][0]["rawBytes"]
    texts = envelope["payload"], envelope["signatures"][0]["sig"], leaf
    payload, signature, der = (base64.b64decode(text) for text in texts)
    certificate = x509.load_der_x509_certificate(der)
    return payload, signature, certificate.tbs_certificate_bytes, certificate.signature


def test_another_bundles_signature_is_refused(signed: Path, root: Signing, make_bundle: MakeBundle) -> None:
    other = make_bundle(version="2.0.0").folder
    (other / "signature.sig").write_bytes((signed / "signature.sig").read_bytes())
    refused(other, root.certificate, words="is not over this bundle: manifest.json")


SENSELESS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"\xff\x00",
    "a list": b"[]",
    "nested": b"[" * 100_000,
    "no certificate": b'{"verificationMaterial": {"x509CertificateChain": {"certificates": []}}, "dsseEnvelope": {}}',
    "numbers": b'{"verificationMaterial": {"x509CertificateChain": {"certificates": [{"rawBytes": 5}]}}}',
    "null": b"null",
}


@pytest.mark.parametrize("what", SENSELESS)
def test_a_senseless_signature_is_refused(signed: Path, root: Signing, what: str) -> None:
    (signed / "signature.sig").write_bytes(SENSELESS[what])
    refused(signed, root.certificate)


class Chain:
    """Certificates as nobody should make them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def made(
        self,
        name: str,
        issuer: Any = None,
        *,
        ca: bool = False,
        length: int | None = None,
        signs: bool = True,
        days: tuple[int, int] = (-60, 30),
    ) -> Any:
        made = Signing.__new__(Signing)
        made.name, made.private = name, ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        above = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer.name if issuer else name)])
        now = datetime.now(UTC)
        usage = x509.KeyUsage(signs, False, False, False, not signs and not ca, ca, False, False, False)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(above)
            .public_key(made.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=length), critical=True)
            .add_extension(usage, critical=True)
            .sign(issuer.private if issuer else made.private, hashes.SHA256())
        )
        made.certificate, made.key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        made.certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            made.private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made


@pytest.mark.filterwarnings("ignore:The 'warn' method")  # the library's
@pytest.mark.parametrize(
    ("top", "middle", "leaf", "holds"),
    [
        ({}, {}, {}, True),
        ({}, {}, {"days": (-60, -1)}, True),  # it says who, not when
        ({}, {"days": (-60, -1)}, {}, True),
        ({}, {"days": (-10, 30)}, {}, False),
        ({"days": (-200, -100)}, {}, {}, False),
        ({}, {"ca": False}, {}, False),
        ({"length": 0}, {}, {}, False),
        ({"length": 1}, {"length": 0}, {}, True),
        ({}, {}, {"signs": False}, False),
    ],
)
def test_a_chain_holds_here_as_in_the_library(
    make_bundle: MakeBundle,
    tmp_path: Path,
    top: dict[str, Any],
    middle: dict[str, Any],
    leaf: dict[str, Any],
    holds: bool,
) -> None:
    chain = Chain(tmp_path)
    authority = chain.made("authority", **{"ca": True, **top})
    office = chain.made("office", authority, **{"ca": True, **middle})
    person = chain.made("person", office, **leaf)
    folder = make_bundle().folder
    try:
        sign(folder, person.key, person.certificate, (office.certificate, authority.certificate))
    except BadSettings:
        assert not holds
        return
    checks: tuple[Callable[[], str], ...] = (
        lambda: verify(folder, (authority.certificate,)).name,
        lambda: open_bundle(folder, authorities=(authority.certificate,)).signer,
    )
    for check in checks:
        if holds:
            assert check() == "CN=person"
        else:
            with pytest.raises(BadBundle):
                check()
