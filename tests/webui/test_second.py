"""The second factor on the screens: turned on at the panel, asked for from elsewhere, demanded, taken off."""

import re
from base64 import b32decode
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.identity.one_time import code_of, step_at
from okng.records import second
from okng.records.read import LedgerReader
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

from . import page_checks as checks

OVER_TLS = {"REMOTE_ADDR": "192.168.7.9", "wsgi.url_scheme": "https"}
FAST = WebOptions(sign_ins_a_minute=10_000, api_a_minute=1_000_000)


@pytest.fixture
def app(people: Any, client_class: type[FlaskClient]) -> Flask:
    watch = Watch(people.run_dir, ("top",), WebOptions())
    made = create_app(FAST, "line 1", watch, LedgerReader(people.store), people.store, people.run_dir)
    made.test_client_class = client_class
    return made


@pytest.fixture
def phone_at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The wall clock by which records looks at codes."""
    at = [1_800_000_000.0]
    monkeypatch.setattr(second, "wall_s", lambda: at[0])
    return at


def text_of(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def over_tls(client: FlaskClient, path: str, **given: str) -> Any:
    token = client.token(OVER_TLS)  # type: ignore[attr-defined]
    headers = {"Referer": "https://localhost/sign-in", "X-CSRFToken": token}
    return client.post(path, data=given, environ_overrides=OVER_TLS, headers=headers)


def who(client: FlaskClient) -> str:
    return str(client.get("/sign-in/who", environ_overrides=OVER_TLS).get_json()["who"])


def turn_on(client: FlaskClient, pin: str, at: float) -> tuple[bytes, list[str]]:
    """As a person does it at the panel; the secret of the phone, and the recovery codes."""
    page = text_of(client.post("/sign-in/second/begin"))
    (typed,) = re.findall(r'id="typed-secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert 'class="qr"' in page
    secret = b32decode(typed.replace(" ", ""))
    answer = client.post("/sign-in/second/confirm", data={"code": code_of(secret, step_at(at)), "secret": pin})
    assert answer.status_code == 200, text_of(answer)
    return secret, re.findall(r"<code[^>]*>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})<", text_of(answer))


def password(client: FlaskClient, name: str = "eng") -> Any:
    return over_tls(client, "/sign-in", who=name, secret=f"password-{name}", kind="password", next="/rejects/")


def ticket_of(answer: Any) -> str:
    (found,) = re.findall(r'name="ticket" value="([^"]+)"', text_of(answer))
    return str(found)


def test_from_elsewhere_the_code_of_the_phone_follows_the_password(
    app: Flask, sign_in: Any, phone_at: list[float]
) -> None:
    panel, far = app.test_client(), app.test_client()
    sign_in(panel, "eng")
    assert "At the panel nothing changes" in text_of(panel.get("/sign-in/second"))
    secret, codes = turn_on(panel, "3333", phone_at[0])
    assert len(codes) == 10
    assert panel.get("/sign-in/who").get_json()["who"] == "eng", "this session goes on"
    assert "Recovery codes left: 10." in text_of(panel.get("/sign-in/second"))
    panel.post("/sign-out")
    sign_in(panel, "eng")
    asked = password(far)
    assert asked.status_code == 200
    assert "The code of your phone" in text_of(asked)
    assert who(far) == ""
    phone_at[0] += 30
    wrong = over_tls(far, "/sign-in/code", ticket=ticket_of(asked), code="000000", next="/rejects/")
    assert wrong.status_code == 403
    assert "Look whether phone and box say the same time" in text_of(wrong)
    assert who(far) == ""
    code = code_of(secret, step_at(phone_at[0]))
    done = over_tls(far, "/sign-in/code", ticket=ticket_of(wrong), code=code, next="/rejects/")
    assert (done.status_code, done.headers["Location"]) == (303, "/rejects/")
    assert who(far) == "eng"
    again = app.test_client()
    replayed = over_tls(again, "/sign-in/code", ticket=ticket_of(password(again)), code=code)
    assert "This code was used already" in text_of(replayed)
    late = over_tls(again, "/sign-in/code", ticket="made up", code=code)
    assert "It took too long: sign in again." in text_of(late)
    away = over_tls(again, "/sign-in/code", ticket=ticket_of(password(again)), code=codes[0], next="//evil.example")
    assert (away.status_code, away.headers["Location"]) == (303, "/")


def test_wrong_codes_lock_as_wrong_passwords_do(app: Flask, sign_in: Any, phone_at: list[float]) -> None:
    panel, far = app.test_client(), app.test_client()
    sign_in(panel, "eng")
    turn_on(panel, "3333", phone_at[0])
    ticket = ticket_of(password(far))
    for _ in range(5):
        assert over_tls(far, "/sign-in/code", ticket=ticket, code="000000").status_code == 403
    locked = over_tls(far, "/sign-in/code", ticket=ticket, code="000000")
    assert locked.status_code == 429
    assert re.search(r"Locked after too many tries. Try again in \d+ s", text_of(locked))
    assert password(far).status_code == 429


def test_what_is_wrong_when_turning_on_is_said_and_the_secret_stays(
    app: Flask, sign_in: Any, phone_at: list[float]
) -> None:
    panel = app.test_client()
    sign_in(panel, "eng")
    first = text_of(panel.post("/sign-in/second/begin"))
    pattern = r'id="typed-secret"[^>]*>([A-Z2-7 ]+)<'
    for given, says in (
        ({"code": "000000", "secret": "3333"}, "The code is wrong"),
        ({"code": "000000", "secret": "9"}, "The PIN is wrong"),
    ):
        answer = panel.post("/sign-in/second/confirm", data=given)
        assert answer.status_code == 409
        assert says in text_of(answer)
        assert re.findall(pattern, text_of(answer)) == re.findall(pattern, first)
    for path in ("begin", "confirm", "codes", "off"):
        assert app.test_client().post(f"/sign-in/second/{path}").status_code == 401
    assert app.test_client().get("/sign-in/second").status_code == 401


def test_new_codes_and_off_take_pin_and_code(app: Flask, sign_in: Any, phone_at: list[float]) -> None:
    panel = app.test_client()
    sign_in(panel, "eng")
    secret, codes = turn_on(panel, "3333", phone_at[0])
    phone_at[0] += 60
    given = {"code": code_of(secret, step_at(phone_at[0])), "secret": "3333"}
    fresh = re.findall(r"<code[^>]*>([a-z2-7-]{19})<", text_of(panel.post("/sign-in/second/codes", data=given)))
    assert len(fresh) == 10
    assert not set(fresh) & set(codes)
    refused = panel.post("/sign-in/second/off", data={"code": codes[0], "secret": "3333"})
    assert refused.status_code == 409
    assert panel.post("/sign-in/second/off", data={"code": fresh[0], "secret": "3333"}).status_code == 303
    assert 'id="second-begin"' in text_of(panel.get("/sign-in/second"))


def test_an_administrator_demands_it_of_a_role_and_takes_it_off(
    app: Flask, people: Any, sign_in: Any, phone_at: list[float]
) -> None:
    admin, panel, far = app.test_client(), app.test_client(), app.test_client()
    sign_in(admin, "admin")
    roles = list(people_roles(people))
    rights = {f"may:{name}": sorted(has) for name, has in people_roles(people).items()}
    mine = admin.post("/admin/roles", data={"role": roles, **rights, "second": ["administrator"]})
    assert mine.status_code == 409
    assert "Turn on your own second factor first" in text_of(mine)
    saved = admin.post("/admin/roles", data={"role": roles, **rights, "second": ["engineer"], "reason": "audit"})
    assert saved.status_code == 303
    assert re.search(
        r'value="engineer" aria-label="[^"]+second factor only" checked', text_of(admin.get("/admin/roles"))
    )
    refused = password(far)
    assert refused.status_code == 403
    assert "turn it on at the panel of the box first" in text_of(refused)
    assert password(app.test_client(), "lead").status_code == 303
    sign_in(panel, "eng")
    assert "without it you do not get in from elsewhere" in text_of(panel.get("/sign-in/second"))
    turn_on(panel, "3333", phone_at[0])
    assert 'id="second-off"' not in text_of(panel.get("/sign-in/second"))
    assert "The code of your phone" in text_of(password(far))
    assert "second factor" in text_of(admin.get("/admin/users"))
    assert 'id="take-off"' in text_of(admin.get("/admin/users/eng"))
    assert admin.post("/admin/users/eng/second", data={"reason": "phone lost"}).status_code == 303
    assert panel.get("/sign-in/who").get_json()["who"] == "", "sessions are void"
    assert 'id="take-off"' not in text_of(admin.get("/admin/users/eng"))
    trail = text_of(admin.get("/admin/audit"))
    assert "phone lost" in trail
    sign_in(panel, "lead")
    assert panel.post("/admin/users/eng/second").status_code == 403


def people_roles(people: Any) -> dict[str, frozenset[str]]:
    from okng.records.people_read import PeopleReader

    return PeopleReader(people.store).roles()


def test_no_secret_is_in_the_trail_or_the_journal_of_the_screens(
    app: Flask, people: Any, sign_in: Any, phone_at: list[float]
) -> None:
    panel = app.test_client()
    sign_in(panel, "eng")
    secret, codes = turn_on(panel, "3333", phone_at[0])
    kept = b"".join(file.read_bytes() for file in Path(people.store).rglob("*") if file.is_file())
    for hidden in (secret, *(code.encode() for code in codes)):
        assert hidden not in kept


@pytest.mark.ui
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_person_turns_it_on_with_fingers(language: str, page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    server = serve(people.run_dir, sign_ins_a_minute=1000)
    sign_in(page, "eng", server.url)
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    bad: list[str] = []

    def looked_at() -> None:
        for width, height in ((1280, 800), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            bad.extend([*checks.clipped_texts(page), *checks.small_targets(page, 15, 5.0)])
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                bad.append(f"{page.url} is wider than {width}")
        page.set_viewport_size({"width": 1280, "height": 800})
        bad.extend([*checks.axe_problems(page), *checks.stray_colours(page), *checks.doubled_ids(page)])

    page.goto(f"{server.url}/sign-in")
    page.locator("#second").click()
    expect(page.locator("#second-begin")).to_be_visible()
    looked_at()
    page.locator("#second-begin").click()
    expect(page.locator(".qr")).to_be_visible()
    box = page.locator(".qr").bounding_box()
    assert box is not None
    assert box["width"] >= 200
    assert box["y"] + box["height"] <= 800, "a phone has to see all of it"
    looked_at()
    secret = b32decode(page.locator("#typed-secret").inner_text().replace(" ", ""))
    page.fill("#code", code_of(secret, step_at(second.wall_s())))
    page.fill("#secret", "3333")
    page.locator(".page-foot .key.go").click()
    expect(page.locator(".codes li")).to_have_count(10)
    looked_at()
    page.locator(".page-foot .key.go").click()
    expect(page.locator("#second-off")).to_be_visible()
    looked_at()
    sign_in(page, "admin", server.url)
    for path in ("users/eng", "roles", "users"):
        page.goto(f"{server.url}/admin/{path}")
        looked_at()
    assert bad == []
