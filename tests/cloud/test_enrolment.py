from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from okng.cloud import enrolment
from okng.cloud.access import Asker
from okng.cloud.authority import BadRequest, read_csr
from okng.cloud.database import reading, writing
from okng.cloud.deeds import broken
from okng.cloud.enrolment import Asked, Wait
from okng.cloud.rights import RIGHTS
from okng.cloud.tables import Box, Deed, Enrolment

from .rig import ADMIN, BoxKey, Rig

OTHER = Asker("person:local:bob", "Bob", frozenset(RIGHTS))


def asked(fleet: Rig, key: BoxKey, name: str = "press4", address: str = "10.0.0.1") -> Asked:
    found = enrolment.ask(fleet.service, key.csr(), name, "line1", address)
    assert isinstance(found, Asked)
    return found


def test_what_is_vouched_for_is_the_id_and_nothing_that_was_asked(fleet: Rig) -> None:
    box = fleet.enrol("Press 4 / links")
    one, authority = x509.load_pem_x509_certificates(box.certificate.encode())
    one.verify_directly_issued_by(authority)
    assert box.id.startswith("press-4-links-")
    names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:okng:box:{box.id}"]
    assert one.subject.rfc4514_string() == f"CN={box.id}"
    assert not one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    uses = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    life = one.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=89) < life <= timedelta(days=90, hours=1)
    with reading(fleet.service.engine) as db:
        assert db.get_one(Box, box.id).cert_sha256 == box.sha256
        assert db.execute(sa.select(Deed.what)).scalars().all() == ["box let in"]


def test_a_code_is_used_once_even_by_many_at_once(fleet: Rig) -> None:
    found = asked(fleet, BoxKey())

    def approve(_: int) -> object:
        return enrolment.approve(fleet.service, ADMIN, found.code, found.fingerprint, "x", "", "")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(approve, range(4)))
    assert sum(isinstance(one, str) for one in answers) == 1
    with reading(fleet.service.engine) as db:
        assert db.execute(sa.select(sa.func.count()).select_from(Box)).scalar_one() == 1


def test_a_code_needs_the_fingerprint_that_is_on_the_same_screen(fleet: Rig) -> None:
    one, two = asked(fleet, BoxKey()), asked(fleet, BoxKey())
    assert enrolment.approve(fleet.service, ADMIN, one.code, two.fingerprint, "x", "", "") is None
    state = enrolment.state_of(fleet.service, one.ask)
    assert state is not None
    assert state[0] == "waiting"


def test_a_code_that_is_over_opens_nothing(fleet: Rig) -> None:
    found = asked(fleet, BoxKey())
    with writing(fleet.service.engine) as db:
        db.execute(sa.update(Enrolment).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert enrolment.look(fleet.service, ADMIN, found.code) is None
    state = enrolment.state_of(fleet.service, found.ask)
    assert state is not None
    assert state[0] == "expired"


@pytest.mark.usefixtures("one_minute")
def test_who_guesses_codes_has_to_wait_and_nobody_else_does(fleet: Rig) -> None:
    found = asked(fleet, BoxKey())
    answers = [enrolment.look(fleet.service, ADMIN, f"AAAA-AAA{n}") for n in range(12)]
    assert answers[:5] == [None] * 5
    assert all(isinstance(one, Wait) for one in [*answers[5:], enrolment.look(fleet.service, ADMIN, found.code)])
    assert isinstance(enrolment.look(fleet.service, OTHER, found.code), Enrolment)


def test_right_codes_are_not_counted(fleet: Rig) -> None:
    found = asked(fleet, BoxKey())
    for _ in range(8):
        assert isinstance(enrolment.look(fleet.service, ADMIN, found.code), Enrolment)


@pytest.mark.usefixtures("one_minute")
def test_a_flood_of_asks_is_bounded_by_address_and_in_all(fleet: Rig) -> None:
    object.__setattr__(fleet.settings.limits, "waiting_enrolments", 14)
    key = BoxKey()
    some = [enrolment.ask(fleet.service, key.csr(), "n", "", "10.0.0.9") for _ in range(22)]
    assert sum(isinstance(one, Asked) for one in some) == fleet.settings.limits.enrol_asks_a_minute
    more = [enrolment.ask(fleet.service, key.csr(), "n", "", f"10.0.1.{n}") for n in range(14)]
    assert any(isinstance(one, Wait) for one in more)
    with reading(fleet.service.engine) as db:
        assert db.execute(sa.select(sa.func.count()).select_from(Enrolment)).scalar_one() == 14


def test_a_box_that_is_turned_away_is_told(fleet: Rig) -> None:
    found = asked(fleet, BoxKey())
    assert enrolment.refuse(fleet.service, ADMIN, found.code) is True
    answer = fleet.app.test_client().get(f"/v1/enrol/{found.ask}")
    assert answer.get_json() == {"state": "refused"}
    assert fleet.app.test_client().get("/v1/enrol/unknown").status_code == 404


def due(fleet: Rig, box: BoxKey, days: int) -> None:
    with writing(fleet.service.engine) as db:
        db.execute(sa.update(Box).where(Box.id == box.id).values(cert_ends_at=datetime.now(UTC) + timedelta(days=days)))


def test_a_certificate_is_renewed_in_its_last_third_and_a_lost_answer_costs_nothing(fleet: Rig) -> None:
    box, fresh = fleet.enrol(), BoxKey()
    early = fleet.as_box(box).post("/v1/renew", json={"csr": fresh.csr()})
    assert (early.status_code, "too early" in early.get_json()["detail"]) == (409, True)
    due(fleet, box, 29)
    lost = fleet.as_box(box).post("/v1/renew", json={"csr": fresh.csr()})
    assert lost.status_code == 200
    answer = fleet.as_box(box).post("/v1/renew", json={"csr": fresh.csr()})
    assert answer.status_code == 200
    fresh.id, fresh.certificate = box.id, answer.get_json()["certificate"]
    never = BoxKey(box.key, box.id, lost.get_json()["certificate"])
    state = {"version": "1"}
    assert fleet.as_box(never).post("/v1/state", json=state).status_code == 401
    assert fleet.as_box(box).post("/v1/state", json=state).status_code == 200
    assert fleet.as_box(fresh).post("/v1/state", json=state).status_code == 200
    assert fleet.as_box(box).post("/v1/state", json=state).status_code == 401
    with reading(fleet.service.engine) as db:
        assert db.get_one(Box, box.id).cert_sha256 == fresh.sha256
        assert broken(db) is None


def test_a_retired_box_is_out_everywhere_at_once_and_cannot_renew(fleet: Rig) -> None:
    box, other = fleet.enrol(), fleet.enrol("other")
    due(fleet, box, 10)
    client = fleet.app.test_client()
    place = f"/v1/boxes/{box.id}/retire"
    assert client.post(place, headers=fleet.bearer("enrol")).status_code == 403
    assert client.post(place, headers=fleet.bearer("box.revoke")).get_json() == {"done": True}
    assert client.post(place, headers=fleet.bearer("box.revoke")).status_code == 404
    ways = [
        ("POST", "/v1/renew", {"csr": box.csr()}),
        ("POST", "/v1/state", {"version": "1"}),
        ("POST", "/v1/blobs", {"blobs": []}),
        ("POST", "/v1/blobs/done", {"sha256": "0" * 64}),
        ("POST", "/v1/streams/alarms/1/1", None),
        ("GET", "/v1/channel/metadata/timestamp.json", None),
        ("GET", "/v1/channel/targets/x.json", None),
        ("GET", f"/v1/bundles/{'0' * 64}/manifest.json", None),
    ]
    for method, where, body in ways:
        assert fleet.as_box(box).open(where, method=method, json=body).status_code == 401, where
    assert fleet.as_box(other).post("/v1/state", json={"version": "1"}).status_code == 200


def a_csr(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    made = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM).decode()


def test_only_requests_on_p256_that_prove_their_key_are_taken() -> None:
    good = a_csr(ec.generate_private_key(ec.SECP256R1()))
    assert len(read_csr(good).fingerprint) == 64
    middle = good.splitlines()
    middle[-3] = middle[-3][:10] + ("A" if middle[-3][10] != "A" else "B") + middle[-3][11:]
    for bad, words in (
        ("", "PEM"),
        ("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "PEM"),
        (a_csr(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (a_csr(rsa.generate_private_key(65537, 2048)), "P-256"),
        ("\n".join(middle), "csr"),
        ("x" * 9000, "at most"),
        ("ä", "PEM"),
    ):
        with pytest.raises(BadRequest, match=words):
            read_csr(bad)


def test_state_is_kept_and_answered(fleet: Rig) -> None:
    box = fleet.enrol()
    said = {"version": "1.2.3", "uptime_s": 5, "health": [{"process": "io", "state": "ready", "detail": "a\0b"}]}
    answer = fleet.as_box(box).post("/v1/state", json=said)
    assert answer.status_code == 200, answer.text
    assert set(answer.get_json()) >= {"rings", "unlock", "now"}
    with reading(fleet.service.engine) as db:
        found = db.get_one(Box, box.id)
        assert (found.version, found.state["uptime_s"], found.state["health"][0]["detail"]) == ("1.2.3", 5, "a\ufffdb")
        assert found.seen_at is not None
    for bad in (b"", b"[]", b"{}", b'{"version":1}', b'{"version":"1","x":' + b"[" * 500 + b"]" * 500 + b"}", b"\xff"):
        assert fleet.as_box(box).post("/v1/state", data=bad).status_code == 400
    assert fleet.as_box(box).post("/v1/state", data=b" " * (300 << 10)).status_code == 413
