from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from okng.cloud import people, tokens
from okng.cloud.database import reading, writing
from okng.cloud.people import BadPerson
from okng.cloud.rights import RIGHTS, rights_of
from okng.cloud.sign_in import own_path
from okng.cloud.tables import Deed, Person, Token

from .rig import PASSWORD, Rig, csrf_in

TOKENS = "/v1/tokens"


def page(fleet: Rig, client: FlaskClient) -> str:
    return client.get("/sign-in", base_url=fleet.settings.service.url).get_data(as_text=True)


def try_in(fleet: Rig, client: FlaskClient, name: str, password: str, **more: Any) -> Any:
    data = {"name": name, "password": password, "csrf_token": csrf_in(page(fleet, client)), **more}
    base = fleet.settings.service.url
    return client.post("/sign-in", base_url=base, data=data, headers={"Referer": base + "/sign-in"})


def ask(fleet: Rig, client: FlaskClient, path: str = TOKENS) -> int:
    return client.get(path, base_url=fleet.settings.service.url).status_code


def test_a_local_person_comes_in_and_the_cookie_is_kept_from_others(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    client = fleet.app.test_client()
    assert ask(fleet, client) == 401
    answer = try_in(fleet, client, "ada", PASSWORD, next="/v1/tokens")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/v1/tokens")
    cookie = answer.headers["Set-Cookie"]
    for word in ("__Host-okng-fleet=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie
    assert ask(fleet, client) == 200
    assert PASSWORD not in cookie


def test_a_wrong_password_a_closed_and_an_unknown_person_stay_out(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    fleet.person("bob", "admin")
    people.close(fleet.service.engine, "cli:test", "local:bob")
    for name, password in (("ada", "wrong password"), ("bob", PASSWORD), ("eve", PASSWORD), ("", ""), ("ada\0", "x")):
        client = fleet.app.test_client()
        answer = try_in(fleet, client, name, password)
        assert answer.status_code == 401, name
        assert ask(fleet, client) == 401
    with reading(fleet.service.engine) as db:
        failed = db.execute(sa.select(sa.func.count()).where(Deed.what == "sign-in failed")).scalar_one()
        assert failed == 5
        assert PASSWORD not in str(db.execute(sa.select(Deed.detail)).scalars().all())


@pytest.mark.usefixtures("one_minute")
def test_guessing_is_bounded_by_address_and_by_name(fleet: Rig) -> None:
    object.__setattr__(fleet.settings.people, "sign_ins_a_minute", 3)
    fleet.person("ada", "admin")
    codes = [try_in(fleet, fleet.app.test_client(), "ada", f"guess {n} guess").status_code for n in range(8)]
    assert codes == [401] * 3 + [429] * 5


def test_nobody_signs_in_without_the_pages_own_token(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    base = fleet.settings.service.url
    for token, referer in (("", base), ("x" * 40, base), (None, "https://evil.example/")):
        client = fleet.app.test_client()
        right = csrf_in(page(fleet, client))
        data = {"name": "ada", "password": PASSWORD, "csrf_token": right if token is None else token}
        answer = client.post("/sign-in", base_url=base, data=data, headers={"Referer": referer})
        assert answer.status_code == 400
        assert ask(fleet, client) == 401


def test_what_a_session_changes_needs_the_token_and_a_program_needs_none(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    client, base = fleet.signed_in("ada"), fleet.settings.service.url
    body = {"name": "export", "rights": ["export"], "days": 3}
    assert client.post(TOKENS, base_url=base, json=body).status_code == 400
    made = _made(fleet, client, body)
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert fleet.app.test_client().post(TOKENS, headers=bearer, json=body).status_code == 403


def _made(fleet: Rig, client: FlaskClient, body: dict[str, Any]) -> dict[str, str]:
    base = fleet.settings.service.url
    with client.session_transaction(base_url=base) as session:
        assert session["sub"] == "local:ada"
    with fleet.app.test_request_context(base_url=base):
        from flask import session as mine
        from flask_wtf.csrf import generate_csrf

        token = generate_csrf()
        raw = mine["csrf_token"]
    with client.session_transaction(base_url=base) as session:
        session["csrf_token"] = raw
    answer = client.post(TOKENS, base_url=base, json=body, headers={"X-CSRFToken": token, "Referer": base + "/"})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json or {}
    return found


def test_a_session_ends_with_its_person_its_time_and_everywhere_at_once(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    one, two = fleet.signed_in("ada"), fleet.signed_in("ada")
    assert (ask(fleet, one), ask(fleet, two)) == (200, 200)
    with writing(fleet.service.engine) as db:
        people.sign_out_everywhere(db, "local:ada")
    assert (ask(fleet, one), ask(fleet, two)) == (401, 401)

    three = fleet.signed_in("ada")
    base = fleet.settings.service.url
    with three.session_transaction(base_url=base) as session:
        session["at"] -= 13 * 3600 * 1000
    assert ask(fleet, three) == 401

    four = fleet.signed_in("ada")
    with writing(fleet.service.engine) as db:
        db.execute(sa.update(Person).values(roles=["viewer"]))
    assert ask(fleet, four) == 403
    people.close(fleet.service.engine, "cli:test", "local:ada")
    assert ask(fleet, four) == 401


def test_a_cookie_that_was_changed_is_nobodys(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    client, base = fleet.signed_in("ada"), fleet.settings.service.url
    cookie = client.get_cookie("__Host-okng-fleet", domain="127.0.0.1")
    assert cookie is not None
    spoiled = cookie.value[:-3] + ("aaa" if cookie.value[-3:] != "aaa" else "bbb")
    client.set_cookie("__Host-okng-fleet", spoiled, domain="127.0.0.1", secure=True)
    assert client.get(TOKENS, base_url=base).status_code == 401


def test_signing_out_ends_the_session(fleet: Rig) -> None:
    fleet.person("ada", "admin")
    client, base = fleet.signed_in("ada"), fleet.settings.service.url
    with client.session_transaction(base_url=base) as session:
        before = dict(session)
    assert client.post("/sign-out", base_url=base).status_code == 400
    assert ask(fleet, client) == 200
    with fleet.app.test_request_context(base_url=base):
        from flask import session as mine
        from flask_wtf.csrf import generate_csrf

        token, raw = generate_csrf(), mine["csrf_token"]
    with client.session_transaction(base_url=base) as session:
        session["csrf_token"] = raw
    answer = client.post(
        "/sign-out", base_url=base, data={"csrf_token": token, "everywhere": "1"}, headers={"Referer": base + "/"}
    )
    assert answer.status_code == 303
    assert ask(fleet, client) == 401
    stolen = fleet.app.test_client()
    with stolen.session_transaction(base_url=base) as session:
        session.update(before)
    assert ask(fleet, stolen) == 401


def test_a_token_opens_what_it_holds_until_it_ends(fleet: Rig) -> None:
    client = fleet.app.test_client()
    made, secret = tokens.make(fleet.service.engine, "cli:test", "gather", ["token.make"], 1)
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get(TOKENS, headers=bearer).status_code == 200
    assert secret not in client.get(TOKENS, headers=bearer).text
    assert client.get(TOKENS, headers={"Authorization": f"Bearer {secret[:-1]}"}).status_code == 401
    assert client.get(TOKENS, headers={"Authorization": f"Basic {secret}"}).status_code == 401
    with writing(fleet.service.engine) as db:
        db.execute(sa.update(Token).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert client.get(TOKENS, headers=bearer).status_code == 401
    with writing(fleet.service.engine) as db:
        db.execute(sa.update(Token).values(expires_at=datetime.now(UTC) + timedelta(days=1)))
    assert client.get(TOKENS, headers=bearer).status_code == 200
    assert client.post(f"{TOKENS}/{made}/revoke", headers=bearer).json == {"done": True}
    assert client.get(TOKENS, headers=bearer).status_code == 401
    with reading(fleet.service.engine) as db:
        assert db.execute(sa.select(Token.sha256)).scalar_one() != secret


def test_roles_hold_the_rights_of_those_before() -> None:
    sets = [rights_of([role]) for role in ("viewer", "reviewer", "engineer", "admin")]
    assert all(low < high for low, high in pairwise(sets))
    assert sets[-1] == frozenset(RIGHTS)
    assert rights_of([]) == rights_of(["king"]) == frozenset()


def test_people_are_made_in_words_or_not_at_all(fleet: Rig) -> None:
    engine = fleet.service.engine
    for name, roles, password, words in (
        ("Ada!", ["admin"], PASSWORD, "name = 'Ada!'"),
        ("ada", [], PASSWORD, "expected some of viewer"),
        ("ada", ["king"], PASSWORD, "expected some of viewer"),
        ("ada", ["admin"], "short", "5 characters: expected 12"),
    ):
        with pytest.raises(BadPerson, match=words):
            people.add(engine, "cli:test", name, "", roles, password)
    with reading(engine) as db:
        assert db.execute(sa.select(sa.func.count()).select_from(Person)).scalar_one() == 0


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/parts?x=1", "/parts?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_elsewhere_after_the_sign_in(wanted: str, given: str) -> None:
    assert own_path(wanted) == given
