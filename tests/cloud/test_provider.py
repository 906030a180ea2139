"""Signing in at an OpenID provider that nobody here wrote: Node's `oidc-provider`."""

import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit, urlunsplit

import pytest
import requests
import sqlalchemy as sa
from flask.testing import FlaskClient

from okng.cloud.database import reading
from okng.cloud.provider import roles_of
from okng.cloud.settings import PeopleOptions
from okng.cloud.tables import Deed, Person

from ..peers.node import start_node
from .rig import Rig, csrf_in, free_port, rig, settings_of

BASE = "https://127.0.0.1:8443"


@dataclass
class At:
    """A provider that runs, and the service that knows it."""

    fleet: Rig
    issuer: str


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[At]:
    port, secret = free_port(), secrets.token_hex(16)
    process = start_node("oidc_provider.mjs", port, f"{BASE}/sign-in/answer", secret)
    assert process.stdout is not None
    watch = threading.Timer(50, process.kill)
    watch.start()
    try:
        for line in process.stdout:
            if line.strip() == "ready":
                break
        else:
            pytest.fail("the provider did not come up")
        folder = tmp_path_factory.mktemp("oidc") / "fleet"
        issuer = f"http://127.0.0.1:{port}"

        def change(text: str) -> str:
            people = f'local = false\nissuer = "{issuer}"\nclient_id = "okng"\nclient_secret_file = "client.secret"\n'
            people += 'roles_claim = "groups"\nroles = { line-admins = "admin", shift = "viewer" }\n'
            return text.replace("local = true\n", people)

        folder.mkdir(parents=True)
        (folder / "client.secret").write_text(secret)
        (folder / "client.secret").chmod(0o600)
        with rig(settings_of(folder, change=change), folder) as fleet:
            yield At(fleet, issuer)
    finally:
        watch.cancel()
        process.kill()
        process.communicate()


def begun(at: At) -> tuple[FlaskClient, str]:
    """A browser that was sent to the provider, and where to."""
    client = at.fleet.app.test_client()
    page = client.get("/sign-in?next=/v1/tokens", base_url=BASE).get_data(as_text=True)
    assert 'name="password"' not in page
    data = {"csrf_token": csrf_in(page), "next": "/v1/tokens"}
    answer = client.post("/sign-in/provider", base_url=BASE, data=data, headers={"Referer": BASE + "/sign-in"})
    assert answer.status_code == 302, answer.text
    return client, answer.headers["Location"]


def at_provider(place: str, name: str) -> str:
    """Sign in there, as a browser would; the address that it sends the browser back to."""
    with requests.Session() as browser:
        for _ in range(12):
            answer = browser.get(place, allow_redirects=False, timeout=20)
            while answer.is_redirect:
                place = urljoin(place, answer.headers["Location"])
                if place.startswith(BASE):
                    return place
                answer = browser.get(place, allow_redirects=False, timeout=20)
            assert answer.status_code == 200, answer.text[:500]
            form = re.search(r'action="([^"]+)"', answer.text)
            assert form is not None, answer.text[:500]
            data = {"login": name, "password": "any"} if 'name="login"' in answer.text else {}
            data["prompt"] = "login" if data else "consent"
            answer = browser.post(urljoin(place, form[1]), data=data, allow_redirects=False, timeout=20)
            place = urljoin(place, answer.headers["Location"])
            if place.startswith(BASE):
                return place
    raise AssertionError("the provider did not send the browser back")


def back(client: FlaskClient, place: str) -> Any:
    return client.get(place.removeprefix(BASE), base_url=BASE)


def changed(place: str, **said: str | None) -> str:
    parts = urlsplit(place)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    query = {name: value for name, value in {**query, **said}.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(query)))


def test_a_person_of_the_plant_comes_in_with_the_roles_of_the_claim(at: At) -> None:
    client, place = begun(at)
    asked = parse_qs(urlsplit(place).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert len(asked["nonce"][0]) >= 16
    assert len(asked["state"][0]) >= 16
    answer = back(client, at_provider(place, "ada+line-admins,other"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/v1/tokens"), answer.text
    assert client.get("/v1/tokens", base_url=BASE).status_code == 200
    with reading(at.fleet.service.engine) as db:
        found = db.get_one(Person, f"{at.issuer}#ada+line-admins,other")
        assert (found.name, found.roles, found.password) == ("Person ada", ["admin"], None)


def test_claims_may_come_by_userinfo(at: At) -> None:
    client, place = begun(at)
    assert back(client, at_provider(place, "u-bob+shift")).status_code == 303
    assert client.get("/v1/tokens", base_url=BASE).status_code == 403


def test_who_has_no_role_stays_out(at: At) -> None:
    client, place = begun(at)
    answer = back(client, at_provider(place, "eve+admin"))
    assert answer.status_code == 403
    assert "no role" in answer.text
    assert client.get("/v1/tokens", base_url=BASE).status_code == 401


def test_an_answer_is_good_once_in_the_browser_that_asked(at: At) -> None:
    client, place = begun(at)
    came = at_provider(place, "mia+line-admins")
    stranger = at.fleet.app.test_client()
    assert back(stranger, came).status_code == 401
    other, _ = begun(at)
    assert back(other, came).status_code == 401
    assert back(client, changed(came, state="x" * 30)).status_code == 401
    assert back(client, changed(came, state=None)).status_code == 401
    assert back(client, came).status_code == 303
    assert back(client, came).status_code == 401
    with reading(at.fleet.service.engine) as db:
        said = db.execute(sa.select(Deed.detail).where(Deed.what == "sign-in failed")).scalars().all()
        assert any("why" in one for one in said)
        assert "code=" not in str(said)


def test_a_code_of_another_sign_in_does_not_pass_for_ones_own(at: At) -> None:
    client, place = begun(at)
    other, elsewhere = begun(at)
    mine, theirs = at_provider(place, "mia+line-admins"), at_provider(elsewhere, "ada+line-admins")
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    assert back(client, changed(mine, code=code)).status_code == 401  # PKCE and nonce are of the other one
    assert other.get("/v1/tokens", base_url=BASE).status_code == 401


def test_a_person_who_turns_back_is_told(at: At) -> None:
    client, place = begun(at)
    state = parse_qs(urlsplit(place).query)["state"][0]
    answer = client.get(f"/sign-in/answer?error=access_denied&state={state}", base_url=BASE)
    assert answer.status_code == 401
    assert "access_denied" in answer.text


def test_a_provider_that_is_away_is_said_so(tmp_path: Path) -> None:
    def change(text: str) -> str:
        return text.replace("local = true", f'issuer = "http://127.0.0.1:{free_port()}"\nclient_id = "okng"')

    with rig(settings_of(tmp_path / "f", change=change), tmp_path / "f") as fleet:
        client = fleet.app.test_client()
        page = client.get("/sign-in", base_url=BASE).get_data(as_text=True)
        data = {"csrf_token": csrf_in(page)}
        answer = client.post("/sign-in/provider", base_url=BASE, data=data, headers={"Referer": BASE + "/"})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("claim", "roles"),
    [
        (["a", "b"], ["admin"]),
        ("a", ["admin"]),
        ("x a", ["admin"]),
        (["A"], []),
        (None, []),
        ({"a": 1}, []),
        ([1, None], []),
    ],
)
def test_words_of_a_claim_become_roles(claim: Any, roles: list[str]) -> None:
    assert roles_of(claim, PeopleOptions(roles={"a": "admin"})) == roles
