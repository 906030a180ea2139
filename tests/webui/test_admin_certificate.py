"""Administration, Certificate: what is shown, a request, what came back, and who did it in the trail."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from okng.identity.tls_home import TlsHome
from okng.records.people_read import PeopleReader
from okng.webui.tls import PanelTls
from okng.webui.watch import Watch

from ..identity.test_certificate import Authority

SignIn = Callable[..., None]


@pytest.fixture
def home(people: Any) -> TlsHome:
    made = TlsHome(people.store.parent / "web" / "tls", "0.0.0.0")
    made.load_or_make()
    return made


@pytest.fixture
def admin(client_on: Callable[..., FlaskClient], watch: Watch, home: TlsHome, sign_in: SignIn) -> FlaskClient:
    client = client_on(watch, host="0.0.0.0")
    client.application.extensions["okng-tls"] = PanelTls(home.served, None)
    sign_in(client, "admin")
    return client


def told(people: Any) -> list[str]:
    return [row.what for row in PeopleReader(people.store).audit_page(None, 20, "certificate")]


def test_a_request_goes_out_and_its_answer_is_served(admin: FlaskClient, home: TlsHome, people: Any) -> None:
    own = home.look()
    page = admin.get("/admin/certificate").get_data(as_text=True)
    assert own.fingerprint in page
    assert admin.get("/admin/certificate/request.csr").status_code == 404
    assert admin.post("/admin/certificate/request", data={"name": "vision.plant"}).status_code == 303
    csr = admin.get("/admin/certificate/request.csr").get_data()
    authority = Authority()
    answer = authority.answer(csr, names=["vision.plant"]) + authority.above
    assert admin.post("/admin/certificate/install", data={"chain": answer.decode()}).status_code == 303
    page = admin.get("/admin/certificate").get_data(as_text=True)
    assert home.look().fingerprint in page
    assert "Plant boxes" in page
    assert told(people) == [
        *("certificate.install done", "certificate.install asked"),
        *("certificate.request done", "certificate.request asked"),
    ]
    assert admin.post("/admin/certificate/renew").status_code == 303
    assert home.look().own


def test_what_does_not_fit_is_said_in_words_and_nothing_changes(admin: FlaskClient, home: TlsHome, people: Any) -> None:
    own, authority, other = home.look(), Authority(), TlsHome(home.folder.parent / "other")
    other.load_or_make()
    chain = authority.answer(other.ask()) + authority.above
    sent = admin.post("/admin/certificate/install", data={"file": (io.BytesIO(chain), "chain.pem")})
    assert sent.status_code == 409
    assert "does not belong to a key of this box" in sent.get_data(as_text=True)
    assert admin.post("/admin/certificate/request", data={"name": "a b;c"}).status_code == 409
    assert admin.post("/admin/certificate/install", data={"chain": "x" * 70_000}).status_code == 409
    assert home.look() == own
    assert "certificate.install refused" in told(people)


def test_only_who_edits_the_settings_reaches_it(admin: FlaskClient, home: TlsHome, sign_in: SignIn) -> None:
    own = home.look()
    sign_in(admin, "op")
    for path in ("request", "install", "renew"):
        assert admin.post(f"/admin/certificate/{path}").status_code == 403, path
    assert admin.get("/admin/certificate").status_code == 403
    assert home.look() == own


def test_files_of_the_settings_are_not_touched_here(admin: FlaskClient, home: TlsHome, tmp_path: Any) -> None:
    other = tmp_path / "box.pem"
    other.write_bytes(home.served.read_bytes())
    admin.application.extensions["okng-tls"] = PanelTls(other, None)
    assert "files named under" in admin.get("/admin/certificate").get_data(as_text=True)
    assert admin.post("/admin/certificate/renew").status_code == 409
    admin.application.extensions["okng-tls"] = None
    assert "served on this box alone" in admin.get("/admin/certificate").get_data(as_text=True)
