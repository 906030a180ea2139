"""What a box was taught counts on that box, and nowhere else."""

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from okng.bus.errors import BadBundle, BadKey
from okng.fleet.channel_fetch import fetch_bundle
from okng.fleet.channel_format import BadChannel
from okng.fleet.channel_own import OwnWord
from okng.fleet.signing import sign, verify
from okng.models.bundle import open_bundle
from okng.tests.fleet.channel_kit import PlainFloor
from okng.tests.fleet.signers import Signing
from okng.tests.fleet.test_activate import make

pytest.importorskip("model_signing", reason="needs the extra [sign]")


@pytest.fixture
def own(tmp_path: Path) -> OwnWord:
    made = OwnWord(tmp_path / "own", "box1", PlainFloor())
    made.prepare()
    return made


@pytest.fixture
def taught(tmp_path: Path) -> Path:
    make(tmp_path / "taught")
    (tmp_path / "bundles").mkdir()
    return tmp_path / "taught"


def test_a_box_offers_itself_what_it_was_taught(own: OwnWord, taught: Path, tmp_path: Path) -> None:
    offer = own.offer(taught, tmp_path / "bundles", "cap", (0, 500), "ann", "new supplier, shadow waived")
    assert offer.takes
    assert (offer.local, offer.seq, offer.channel) == (True, 1, "own/cap/challenger")
    assert offer.ring is not None
    assert (offer.ring.shadow_parts, offer.ring.canary_parts) == (0, 500)
    assert (offer.approved_by, offer.reason) == ("ann", "new supplier, shadow waived")
    assert own.offers() == (offer,)
    folder = tmp_path / "bundles" / offer.bundle
    assert own.check(folder, offer.bundle).name == "CN=box box1"
    assert open_bundle(folder, offer.bundle).signed
    assert not open_bundle(taught).signed, "what lies in the workshop is as it was"
    again = own.offer(taught, tmp_path / "bundles", "cap", (100, 500), "ann", "once more")
    assert (again.seq, own.offers()) == (2, (again,))
    own.withdraw("cap")
    assert own.offers() == ()


def test_key_and_certificate_are_made_once(own: OwnWord) -> None:
    before = own.certificate.read_bytes()
    assert own.prepare() == own.certificate
    assert own.certificate.read_bytes() == before
    assert (own.certificate.parent / "own.key").stat().st_mode & 0o077 == 0


def test_it_is_a_stranger_elsewhere(own: OwnWord, taught: Path, tmp_path: Path) -> None:
    offer = own.offer(taught, tmp_path / "bundles", "cap", (0, 0), "ann", "r")
    folder = tmp_path / "bundles" / offer.bundle
    other = OwnWord(tmp_path / "other", "box2", PlainFloor())
    other.prepare()
    with pytest.raises(BadBundle, match="does not hold"):
        other.check(folder, offer.bundle)
    plant = Signing(tmp_path, "plant-root")
    with pytest.raises(BadBundle, match="does not hold"):
        verify(folder, (plant.certificate,))
    shutil.copytree(own.certificate.parent / "offers", other.certificate.parent / "offers")
    with pytest.raises(BadChannel, match="not signed by this box"):
        other.offers()
    thief = OwnWord(own.certificate.parent, "box2", PlainFloor())
    for ask in (thief.offers, thief.prepare, lambda: thief.check(folder, offer.bundle)):
        with pytest.raises(BadKey, match="expected urn:okng:box:box2"):
            ask()
    with pytest.raises(BadChannel, match="not signed for by the channel"):
        fetch_bundle(offer, tmp_path / "elsewhere", lambda path, start: iter(()), (plant.certificate,))


def test_whom_the_box_vouches_for_is_not_the_box(own: OwnWord, taught: Path) -> None:
    """Its key makes a certificate for somebody else: still not its own word."""
    folder = own.certificate.parent
    issuer = Signing.__new__(Signing)
    issuer.name = "box box1"
    key = load_pem_private_key((folder / "own.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer.private = key
    friend = Signing(folder, "friend", issuer)
    sign(taught, friend.key, friend.certificate, (own.certificate,))
    with pytest.raises(BadBundle):
        own.check(taught, open_bundle(taught).digest)


@pytest.mark.parametrize("key", ["bundle", "seq", "shadow_parts", "scope", "approved_by"])
def test_an_offer_that_was_touched_is_refused(own: OwnWord, taught: Path, tmp_path: Path, key: str) -> None:
    own.offer(taught, tmp_path / "bundles", "cap", (5, 5), "ann", "r")
    path = own.certificate.parent / "offers/cap.json"
    said = json.loads(path.read_bytes())
    said["said"][key] = {"bundle": "0" * 64, "seq": 9, "shadow_parts": 0, "scope": "box2"}.get(key, "mallory")
    path.write_text(json.dumps(said))
    with pytest.raises(BadChannel, match="not signed by this box"):
        own.offers()


def test_an_older_offer_does_not_come_back(own: OwnWord, taught: Path, tmp_path: Path) -> None:
    own.offer(taught, tmp_path / "bundles", "cap", (5, 5), "ann", "r")
    path = own.certificate.parent / "offers/cap.json"
    old = path.read_bytes()
    own.offer(taught, tmp_path / "bundles", "cap", (5, 5), "ann", "r")
    path.write_bytes(old)
    assert "lies below 2" in own.offers()[0].refused
    path.rename(path.with_name("bottle.json"))
    with pytest.raises(BadChannel, match="is of box box1, recipe cap"):
        own.offers()
