"""Who reaches what: every route with every role, signing in and out, and what a request has to get past."""

import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.clock import SECOND, now_ns
from okng.bus.errors import BadSettings
from okng.bus.rights import RIGHTS, ROLES
from okng.bus.shift import LineMode, Mode
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.access import LOOK
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.roles import RIGHT_WORDS
from okng.webui.session import read_key
from okng.webui.watch import Watch

from . import page_checks as checks

SignIn = Callable[..., None]
ELSEWHERE = {"REMOTE_ADDR": "192.168.7.9"}
OVER_TLS = {**ELSEWHERE, "wsgi.url_scheme": "https"}
FAST = WebOptions(sign_ins_a_minute=10_000, api_a_minute=1_000_000)


@pytest.fixture
def make(people: Any, watch: Watch, client_class: type[FlaskClient]) -> Callable[..., Flask]:
    def made(options: WebOptions = FAST) -> Flask:
        app = create_app(options, "line 1", watch, LedgerReader(people.store), people.store, people.run_dir)
        app.test_client_class = client_class
        return app

    return made


@pytest.fixture
def app(make: Callable[..., Flask]) -> Flask:
    return make()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def who(client: FlaskClient, **environ: Any) -> str:
    return str(client.get("/sign-in/who", **environ).get_json()["who"])


def cookie_of(answer: Any, name: str = "okng-session") -> str:
    (found,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith(name + "=")]
    return str(found)


def post_over_tls(client: FlaskClient, path: str, **given: str) -> Any:
    token = client.token(OVER_TLS)  # type: ignore[attr-defined]
    headers = {"Referer": "https://localhost/sign-in", "X-CSRFToken": token}
    return client.post(path, data=given, environ_overrides=OVER_TLS, headers=headers)


def test_a_pin_signs_in_and_sign_out_ends_every_copy_of_the_cookie(client: FlaskClient, sign_in: SignIn) -> None:
    assert who(client) == ""
    sign_in(client, "op")
    assert who(client) == "op"
    page = client.get("/").get_data(as_text=True)
    assert "Otto Operator" in page
    copied = client.get_cookie("okng-session")
    assert copied is not None
    assert client.post("/sign-out").status_code == 303
    assert who(client) == ""
    client.set_cookie("okng-session", copied.value)
    assert who(client) == ""


# -- every route --------------------------------------------------------------------------------------------------

SAMPLES = {"int": "1", "float": "1.0", "path": "x", "string": "x", "default": "x", "uuid": "0" * 32}
WAITING = frozenset(("live.frame",))
"""Wait for a picture, seconds long, whoever asks: looked at once, as nobody."""
ENDLESS = frozenset(("live.events", "live.stream", "api.stream"))
ROLE_OF = {"op": "operator", "lead": "lead", "eng": "engineer", "admin": "administrator"}


def address(rule: Any) -> str:
    """A path that the rule takes."""
    path = rule.rule
    for name, converter in rule._converters.items():
        sample = SAMPLES.get(
            type(converter).__name__.removesuffix("Converter").lower().replace("unicode", "string"), "1"
        )
        path = re.sub(rf"<(?:[^<>]*:)?{name}>", sample, path)
    return str(path)


def walk(app: Flask) -> Iterator[tuple[str, Any, str, str]]:
    """(endpoint, right, method, path) of every route."""
    for rule in app.url_map.iter_rules():
        right = getattr(app.view_functions[rule.endpoint], "needs", None)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, right, method, address(rule)


@pytest.fixture
def silent_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only records answers; nobody waits for the others."""
    from okng.bus.channel import ask_once as real
    from okng.webui import asking

    def asked(run: Any, owner: str, ask: Any, timeout_ms: int = 2000) -> Any:
        return real(run, owner, ask, timeout_ms) if owner == "records" else None

    monkeypatch.setattr(asking, "ask_once", asked)


def test_every_view_says_who_reaches_it(app: Flask) -> None:
    unsaid = [endpoint for endpoint, right, _, _ in walk(app) if right is None or (right and right not in RIGHTS)]
    assert unsaid == []


def test_a_view_that_says_nothing_is_found(app: Flask) -> None:
    app.add_url_rule("/careless", "careless", lambda: "")
    assert [endpoint for endpoint, right, _, _ in walk(app) if right is None] == ["careless"]


def call(client: FlaskClient, method: str, path: str, endpoint: str, **more: Any) -> int:
    answer = client.open(path, method=method, buffered=endpoint not in ENDLESS, **more)
    answer.close()
    return int(answer.status_code)


@pytest.mark.usefixtures("silent_owners")
def test_nobody_reaches_what_needs_a_right(app: Flask, client: FlaskClient) -> None:
    wrong = []
    for endpoint, right, method, path in walk(app):
        code = call(client, method, path, endpoint)
        sound = code < 500 or code == 503
        if right != LOOK:
            sound = code == 401 or (method == "GET" and code == 302)
        if not sound:
            wrong.append((endpoint, method, path, code))
    assert wrong == []


@pytest.mark.usefixtures("silent_owners")
@pytest.mark.parametrize("name", sorted(ROLE_OF))
def test_a_role_reaches_exactly_what_it_may(app: Flask, client: FlaskClient, sign_in: SignIn, name: str) -> None:
    sign_in(client, name)
    rights = ROLES[ROLE_OF[name]]
    wrong = []
    for endpoint, right, method, path in walk(app):
        if endpoint.startswith("access.") or endpoint in WAITING:
            continue
        code = call(client, method, path, endpoint)
        one_of = getattr(app.view_functions[endpoint], "any_of", frozenset((right,)))
        if right and not one_of & rights:
            sound = code == 403
        elif right:
            sound = code not in (401, 403) and (code < 500 or code == 503)
        else:
            sound = code != 401 and (code < 500 or code == 503)
        if not sound:
            wrong.append((endpoint, method, path, code))
    assert wrong == []
    assert who(client) == name


@pytest.mark.usefixtures("silent_owners")
def test_nothing_is_changed_without_the_token_of_the_page(app: Flask, client: FlaskClient, sign_in: SignIn) -> None:
    sign_in(client, "admin")
    let_by = [
        (endpoint, method, path)
        for endpoint, _, method, path in walk(app)
        if method != "GET" and call(client, method, path, endpoint, csrf=False) != 400
    ]
    assert let_by == []
    forged = client.post("/sign-out", headers={"X-CSRFToken": "made up"})
    assert forged.status_code == 400
    assert who(client) == "admin"


def test_every_answer_carries_the_headers(app: Flask, client: FlaskClient) -> None:
    for path in ("/", "/sign-in", "/nowhere", "/theme.css", "/healthz", "/api/v1/", "/sign-in/who"):
        headers = client.get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff"), path
        assert "Strict-Transport-Security" not in headers, path
    assert client.post("/sign-out", csrf=False).headers["X-Frame-Options"] == "DENY"
    secure = client.get("/sign-in", environ_overrides=OVER_TLS)
    assert "Strict-Transport-Security" not in secure.headers  # the box's own certificate, or a proxy's
    app.extensions["okng-tls"] = SimpleNamespace(by_plant=True, certificate=None)
    secure = client.get("/sign-in", environ_overrides=OVER_TLS)
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000"


# -- sessions -----------------------------------------------------------------------------------------------------


def test_the_cookie_is_for_no_script_and_no_other_site(client: FlaskClient) -> None:
    answer = client.post("/sign-in", data={"who": "op", "secret": "1111"})
    cookie = cookie_of(answer)
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    given = {"who": "op", "secret": "password-op", "kind": "password"}
    secure = post_over_tls(client, "/sign-in", **given)
    assert secure.status_code == 303
    assert "Secure" in cookie_of(secure)


def test_signing_in_makes_a_new_session(client: FlaskClient, app: Flask, sign_in: SignIn) -> None:
    """Whoever planted a cookie beforehand holds nothing afterwards."""
    client.get("/sign-in")
    planted = client.get_cookie("okng-session")
    assert planted is not None
    before = client.token()  # type: ignore[attr-defined]
    sign_in(client, "op")
    thief = app.test_client()
    thief.set_cookie("okng-session", planted.value)
    assert who(thief) == ""
    assert client.post("/sign-out", headers={"X-CSRFToken": before}).status_code == 400


def test_without_a_touch_nobody_is_signed_in_any_more(make: Callable[..., Flask], sign_in: SignIn) -> None:
    client = make(WebOptions(idle_min=0.05)).test_client()
    sign_in(client, "op")
    copied = client.get_cookie("okng-session")
    for _ in range(4):
        time.sleep(1)
        assert client.post("/touch").get_json()["who"] == "op"
    for _ in range(16):
        time.sleep(0.25)
        client.get("/")  # looking is no touch: a page reloads by itself too
    assert who(client) == ""
    assert copied is not None
    client.set_cookie("okng-session", copied.value)
    assert who(client) == ""


def test_a_restart_of_the_web_process_signs_nobody_out(
    make: Callable[..., Flask], client: FlaskClient, sign_in: SignIn
) -> None:
    sign_in(client, "lead")
    cookie = client.get_cookie("okng-session")
    assert cookie is not None
    again = make().test_client()
    again.set_cookie("okng-session", cookie.value)
    assert who(again) == "lead"
    again.post("/sign-out")
    for app in (make(), make()):
        copy = app.test_client()
        copy.set_cookie("okng-session", cookie.value)
        assert who(copy) == "", "nor does it bring back who signed out"


def test_sign_out_everywhere_and_disabling_take_effect_at_once(
    client: FlaskClient, people: Any, sign_in: SignIn
) -> None:
    sign_in(client, "op")
    assert people.ask("account.sign_out_all", {"name": "op"}).done
    assert who(client) == ""
    sign_in(client, "op")
    assert people.ask("account.change", {"name": "op", "disabled": True}).done
    assert who(client) == ""
    assert client.post("/sign-in", data={"who": "op", "secret": "1111"}).status_code == 403


def test_rights_are_those_of_the_role_now(client: FlaskClient, people: Any, sign_in: SignIn) -> None:
    sign_in(client, "op")
    assert client.get("/confirm/", headers={"Accept": "text/html"}).status_code == 200
    assert people.ask("role.change", {"name": "operator", "rights": ["alarm.ack"]}).done
    assert client.get("/confirm/", headers={"Accept": "text/html"}).status_code == 403


def test_a_session_of_the_panel_is_worth_nothing_elsewhere(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in(client, "op")
    assert who(client, environ_overrides=OVER_TLS) == ""


def test_while_the_ledger_cannot_be_read_who_is_signed_in_stays_so(
    client: FlaskClient, people: Any, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from okng.bus.errors import BadLedger

    sign_in(client, "op")
    assert who(client) == "op"

    def broken(self: PeopleReader, name: str) -> None:
        raise BadLedger("the disk is gone")

    monkeypatch.setattr(PeopleReader, "person", broken)
    assert who(client) == "op"


@pytest.mark.parametrize(
    "place",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "http:/x", "/\nx"],
)
def test_nobody_is_sent_to_another_site(client: FlaskClient, place: str) -> None:
    answer = client.post("/sign-in", data={"who": "op", "secret": "1111", "next": place})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_one_comes_back_to_the_page_one_wanted(client: FlaskClient) -> None:
    sent = client.get("/regions/", headers={"Accept": "text/html"})
    assert sent.status_code == 302
    assert sent.headers["Location"].startswith("/sign-in?next=/regions/")
    answer = client.post("/sign-in", data={"who": "eng", "secret": "3333", "next": "/rejects/?score=2"})
    assert answer.headers["Location"] == "/rejects/?score=2"


@pytest.mark.parametrize("page", ["/diagnostics/figures", "/rejects/"])
def test_a_piece_of_a_page_is_refused_and_not_led_to_the_sign_in(client: FlaskClient, page: str) -> None:
    over, taken = OVER_TLS if page == "/rejects/" else {}, {"Accept": "text/html"}
    assert client.get(page, environ_overrides=over, headers=taken).status_code == 302
    assert client.get(page, environ_overrides=over, headers={**taken, "X-Piece": "yes"}).status_code == 401


# -- tries --------------------------------------------------------------------------------------------------------


def test_after_five_tries_the_page_says_how_long_it_is_locked(client: FlaskClient) -> None:
    for _ in range(5):
        answer = client.post("/sign-in", data={"who": "op", "secret": "0000"})
        assert answer.status_code == 403
        assert "Name or secret is wrong" in answer.get_data(as_text=True)
    locked = client.post("/sign-in", data={"who": "op", "secret": "1111"})
    assert locked.status_code == 429
    assert re.search(r"Locked after too many tries. Try again in \d+ s", locked.get_data(as_text=True))
    client.post("/language", data={"language": "zh"})
    assert re.search(r"\d+ 秒", client.post("/sign-in", data={"who": "op", "secret": "1111"}).get_data(as_text=True))


def test_one_address_may_try_only_so_often(make: Callable[..., Flask]) -> None:
    client = make(WebOptions(sign_ins_a_minute=3, api_a_minute=2)).test_client()
    codes = [client.post("/sign-in/badge", data={"code": f"wrong-{n}"}).status_code for n in range(4)]
    assert codes == [403, 403, 403, 429]
    assert [client.get("/api/v1/").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/").status_code == 200


def test_a_silent_ledger_is_no_answer_and_signs_nobody_in(client: FlaskClient, people: Any, run_dir: Path) -> None:
    token = client.token()  # type: ignore[attr-defined]
    with people._lock:
        answer = client.post("/sign-in", data={"who": "op", "secret": "1111"}, headers={"X-CSRFToken": token})
    assert answer.status_code == 403
    assert "No answer from records" in answer.get_data(as_text=True)


def test_a_badge_signs_in_and_taken_away_signs_out(make: Callable[..., Flask]) -> None:
    client = make(WebOptions(badge_removed="GONE")).test_client()
    answer = client.post("/sign-in/badge", data={"code": "badge-lead", "next": "/rejects/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/rejects/")
    assert who(client) == "lead"
    client.post("/sign-in/badge", data={"code": "GONE"})
    assert who(client) == ""
    assert client.post("/sign-in/badge", data={"code": "badge-nobody"}).status_code == 403


def test_a_person_changes_their_own_pin(client: FlaskClient, sign_in: SignIn) -> None:
    sign_in(client, "op")
    wrong = {"kind": "pin", "old": "9999", "new": "5678", "again": "5678"}
    assert client.post("/sign-in/own", data=wrong).status_code == 409
    assert client.post("/sign-in/own", data={**wrong, "old": "1111", "again": "5679"}).status_code == 400
    assert client.post("/sign-in/own", data={**wrong, "old": "1111"}).status_code == 303
    assert who(client) == "op"
    client.post("/sign-out")
    assert client.post("/sign-in", data={"who": "op", "secret": "1111"}).status_code == 403
    assert client.post("/sign-in", data={"who": "op", "secret": "5678"}).status_code == 303


def test_the_first_administrator_is_made_once_and_at_the_box(line: Any, client_class: type[FlaskClient]) -> None:
    watch = Watch(line.run_dir, ("top",), WebOptions())
    app = create_app(FAST, "line 1", watch, LedgerReader(line.store), line.store, line.run_dir)
    app.test_client_class = client_class
    client = app.test_client()
    given = {"name": "boss", "password": "long enough", "again": "long enough", "pin": "4321"}
    assert "The first administrator" in client.get("/sign-in").get_data(as_text=True)
    assert client.post("/sign-in/first", data=given, environ_overrides=ELSEWHERE).status_code == 403
    assert client.post("/sign-in/first", data={**given, "again": "another"}).status_code == 400
    assert client.post("/sign-in/first", data=given).status_code == 303
    assert who(client) == "boss"
    client.post("/sign-out")
    assert client.post("/sign-in/first", data={**given, "name": "second"}).status_code == 409


def test_the_answer_to_a_form_that_is_asked_for_again_leads_to_the_menu(client: FlaskClient) -> None:
    answer = client.get("/sign-in/badge")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/menu")


# -- from elsewhere -----------------------------------------------------------------------------------------------


def test_from_elsewhere_nothing_is_shown_to_nobody(client: FlaskClient) -> None:
    assert client.get("/", environ_overrides=ELSEWHERE).status_code == 403
    assert "https" in client.get("/sign-in", environ_overrides=ELSEWHERE).get_data(as_text=True)
    page = client.get("/rejects/", environ_overrides=OVER_TLS, headers={"Accept": "text/html"})
    assert page.status_code == 302
    stream = client.get("/events", environ_overrides=OVER_TLS, headers={"Accept": "text/event-stream"})
    assert stream.status_code == 401
    names = client.get("/sign-in", environ_overrides=OVER_TLS).get_data(as_text=True)
    assert "Otto Operator" not in names
    for headers in ({"X-Forwarded-For": "192.168.7.9"}, {"Host": "rebound.example"}):
        assert client.get("/", headers=headers).status_code == 403
    assert client.get("/", environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"}).status_code == 403, "a proxy"
    for own in ("localhost:8080", "127.0.0.1:8080", "[::1]:8080"):
        assert client.get("/", headers={"Host": own}).status_code == 200


def test_from_elsewhere_it_takes_tls_and_a_password(make: Callable[..., Flask], client: FlaskClient) -> None:
    plain = client.post("/sign-in", data={"who": "op", "secret": "password-op", "kind": "password"},
                        environ_overrides=ELSEWHERE)  # fmt: skip
    assert plain.status_code == 403
    assert post_over_tls(client, "/sign-in", who="op", secret="1111", kind="pin").status_code == 403
    assert post_over_tls(client, "/sign-in", who="op", secret="password-op", kind="password").status_code == 303
    assert client.get("/", environ_overrides=OVER_TLS).status_code == 200
    loose = make(WebOptions(remote_pin=True, remote_look=True)).test_client()
    assert loose.get("/", environ_overrides=OVER_TLS).status_code == 200
    assert post_over_tls(loose, "/sign-in", who="lead", secret="2222", kind="pin").status_code == 303


def test_a_wrong_token_opens_no_page_from_elsewhere(client: FlaskClient) -> None:
    wrong = {"Authorization": "Bearer okng_wrong"}
    for place in (ELSEWHERE, OVER_TLS):
        for path in ("/", "/alarms/", "/rejects/", "/state.json", "/metrics"):
            answer = client.get(path, headers=wrong, environ_overrides=place)
            assert answer.status_code in (302, 401, 403), (path, answer.status_code)
    given = {"who": "op", "secret": "password-op", "kind": "password"}
    assert client.post("/sign-in", data=given, headers=wrong, environ_overrides=ELSEWHERE).status_code == 403


def test_from_elsewhere_the_api_tells_nobody_how_the_line_does(make: Callable[..., Flask], client: FlaskClient) -> None:
    for path in ("/api/v1/line", "/api/v1/alarms"):
        assert client.get(path, environ_overrides=OVER_TLS).status_code == 401
        assert client.get(path).status_code == 200, "at the panel anybody looks"
    assert client.get("/api/v1/openapi.json", environ_overrides=OVER_TLS).status_code == 200
    loose = make(WebOptions(remote_look=True)).test_client()
    assert loose.get("/api/v1/line", environ_overrides=OVER_TLS).status_code == 200


def test_nobody_sends_much(client: FlaskClient, sign_in: SignIn) -> None:
    much = io.BytesIO(b"x" * (100 << 10))
    answer = client.post("/language", data={"language": "zh", "file": (much, "x.bin")})
    assert answer.status_code == 413
    sign_in(client, "op")
    kept = client.post("/language", data={"language": "zh", "file": (io.BytesIO(b"x" * (100 << 10)), "x.bin")})
    assert kept.status_code == 303


# -- the key of the cookies ---------------------------------------------------------------------------------------


def test_the_key_is_our_own_and_stays(tmp_path: Path) -> None:
    place = tmp_path / "web" / "session.key"
    key = read_key(place)
    assert len(key) == 32
    assert place.stat().st_mode & 0o777 == 0o600
    assert read_key(place) == key


def test_a_key_that_others_read_or_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "session.key"
    read_key(place)
    place.chmod(0o640)
    with pytest.raises(BadSettings, match="others may read it"):
        read_key(place)
    place.chmod(0o600)
    place.write_bytes(b"short")
    with pytest.raises(BadSettings, match="5 bytes"):
        read_key(place)
    (tmp_path / "link.key").symlink_to("/dev/zero")
    with pytest.raises(BadSettings, match=r"link\.key"):
        read_key(tmp_path / "link.key")


def test_every_right_has_its_words() -> None:
    assert dict(RIGHT_WORDS) == dict(RIGHTS)


# -- in the browser -----------------------------------------------------------------------------------------------

ui = [pytest.mark.ui, pytest.mark.timeout(120)]
PATIENCE_MS = 15_000


def open_screens(page: Page, url: str) -> list[str]:
    """Addresses of all screens of the menu."""
    page.goto(url + "/menu", wait_until="domcontentloaded")
    page.locator(".menu-keys a").first.wait_for()
    hrefs = page.eval_on_selector_all(".menu-keys a, .nav a", "all => all.map((a) => a.getAttribute('href'))")
    return [str(href) for href in hrefs] + ["/menu", "/sign-in", "/nowhere"]


class TestInTheBrowser:
    pytestmark = ui

    def test_a_pin_is_typed_by_touch_and_no_field_opens_a_keyboard(self, page: Page, plant: Any) -> None:
        _, server = plant
        page.goto(server.url + "/sign-in?who=op", wait_until="domcontentloaded")
        assert page.locator("#secret").get_attribute("inputmode") == "none"
        type_pin(page, "1111")
        expect(page.locator("body")).to_have_attribute("data-user", "op")
        assert "Otto Operator" in page.locator("#user").inner_text()

    def test_a_badge_signs_in_from_every_screen_and_slow_typing_does_not(self, page: Page, plant: Any) -> None:
        _, server = plant
        page.set_default_timeout(PATIENCE_MS)
        page.goto(server.url + "/help", wait_until="domcontentloaded")
        expect(page.locator("#state-word")).not_to_have_text("unknown")
        page.keyboard.type("badge-lead", delay=120)
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        expect(page.locator("body")).to_have_attribute("data-user", "")
        for path in ("/help", "/rejects/", "/change-over/"):  # the last two take scanned codes themselves
            page.goto(server.url + path, wait_until="domcontentloaded")
            expect(page.locator("#state-word")).not_to_have_text("unknown")
            wedge(page, "badge-lead")
            expect(page.locator("body"), path).to_have_attribute("data-user", "lead")
            assert page.url.startswith(server.url + path), path
            page.context.clear_cookies()
        page.goto(server.url + "/help", wait_until="domcontentloaded")
        expect(page.locator("#state-word")).not_to_have_text("unknown")
        wedge(page, "badge-of-nobody")
        expect(page.locator("#wrong")).to_be_visible()

    def test_a_screen_may_take_a_code_and_a_field_keeps_what_is_scanned_into_it(self, page: Page, plant: Any) -> None:
        _, server = plant
        page.set_default_timeout(PATIENCE_MS)
        page.goto(server.url + "/help", wait_until="domcontentloaded")
        expect(page.locator("#state-word")).not_to_have_text("unknown")
        listen = "document.addEventListener('okng:scan', (e) => { window.scanned = e.detail; e.preventDefault(); })"
        page.evaluate(listen)
        wedge(page, "PRODUCT-7")
        assert page.evaluate("window.scanned") == "PRODUCT-7"
        expect(page.locator("body")).to_have_attribute("data-user", "")
        add = "document.querySelector('main').append(Object.assign(document.createElement('input'), {id: 'own'}))"
        page.evaluate(add)
        page.locator("#own").focus()
        wedge(page, "PRODUCT-8")
        assert page.evaluate("window.scanned") == "PRODUCT-7"

    def test_the_magenta_frame_and_forced_outputs_are_on_every_screen(
        self, page: Page, plant: Any, sign_in: SignIn
    ) -> None:
        line, server = plant
        page.set_default_timeout(PATIENCE_MS)
        sign_in(page, "eng", server.url)
        screens = open_screens(page, server.url)
        line.mode = LineMode(Mode.BYPASS, "lead", "sensor broken", now_ns() + 12 * 60 * SECOND)
        line.forced = ("lamp",)
        try:
            for path in screens:
                page.goto(server.url + path, wait_until="domcontentloaded")
                expect(page.locator("#mode-frame"), path).to_be_visible()
                expect(page.locator("#top-mode"), path).to_have_text(re.compile("BYPASS.*1[12] min left"))
                expect(page.locator("#forced-text"), path).to_have_text("Set by hand: lamp")
                box = page.locator("#mode-frame").bounding_box()
                assert box == {"x": 0, "y": 0, "width": 1280, "height": 800}, path
            page.locator(".nav-run").tap()  # the frame is in nobody's way
            expect(page.locator("body")).to_have_class(re.compile("page-run"))
        finally:
            line.mode, line.forced = LineMode(Mode.PRODUCTION, "", "", 0), ()
        expect(page.locator("#mode-frame")).to_be_hidden()
        expect(page.locator("#forced")).to_be_hidden()

    def test_a_silent_shift_process_is_told_and_takes_no_mode_away(self, page: Page, plant: Any) -> None:
        line, server = plant
        page.goto(server.url + "/menu", wait_until="domcontentloaded")
        expect(page.locator("#lot")).to_have_text(line.lot)
        expect(page.locator("#unwatched")).to_be_hidden()
        line.mode = LineMode(Mode.BYPASS, "lead", "", 0)
        line.dead.add("shift")
        try:
            expect(page.locator("#unwatched")).to_be_visible(timeout=PATIENCE_MS)
            expect(page.locator("#mode-frame")).to_be_visible()
        finally:
            line.mode = LineMode(Mode.PRODUCTION, "", "", 0)
            line.dead.discard("shift")
        expect(page.locator("#unwatched")).to_be_hidden(timeout=PATIENCE_MS)

    def test_every_page_says_when_it_is_not_updating(self, page: Page, plant: Any, sign_in: SignIn) -> None:
        _, server = plant
        page.set_default_timeout(PATIENCE_MS)
        sign_in(page, "eng", server.url)
        screens = open_screens(page, server.url)
        page.clock.install()
        for path in screens:
            page.goto(server.url + path, wait_until="domcontentloaded")
            expect(page.locator("#clock"), path).not_to_have_text("--:--:--", timeout=PATIENCE_MS)
            expect(page.locator("#stale"), path).to_be_hidden()
            page.evaluate("dispatchEvent(new Event('pagehide'))")  # gives the stream back, as a hidden page does
            page.clock.fast_forward(3300)
            expect(page.locator("#stale"), path).to_be_visible(timeout=1500)
            expect(page.locator("#stale-title"), path).to_have_text("Display not updating")
        assert len(screens) >= 15

    def test_without_a_touch_the_page_warns_and_then_nobody_is_signed_in(
        self, page: Page, people: Any, serve: Any, sign_in: SignIn
    ) -> None:
        server = serve(people.run_dir, idle_min=0.15)
        page.set_default_timeout(PATIENCE_MS)
        sign_in(page, "op", server.url)
        expect(page.locator("#leaving")).to_be_visible()
        page.touchscreen.tap(640, 300)
        page.wait_for_timeout(3000)
        expect(page.locator("body")).to_have_attribute("data-user", "op")
        expect(page.locator("body")).to_have_attribute("data-user", "", timeout=PATIENCE_MS)
        expect(page.locator("#user")).to_have_text("not signed in")

    def test_night_is_dark_and_stays(self, page: Page, plant: Any) -> None:
        _, server = plant
        page.goto(server.url + "/menu", wait_until="domcontentloaded")
        page.locator('button[name="theme"][value="night"]').tap()
        expect(page.locator("html")).to_have_attribute("data-theme", "night")
        page.goto(server.url + "/", wait_until="domcontentloaded")
        expect(page.locator("html")).to_have_attribute("data-theme", "night")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(29, 33, 37)"

    def test_the_help_key_and_the_question_mark_open_the_page_of_the_screen(self, page: Page, plant: Any) -> None:
        _, server = plant
        page.goto(server.url + "/rejects/", wait_until="domcontentloaded")
        expect(page.locator("#clock")).not_to_have_text("--:--:--")
        page.keyboard.press("?")
        page.wait_for_url(re.compile(r"/help.*rejects"))

    def test_a_phone_scrolls_one_way_only(self, page: Page, plant: Any, sign_in: SignIn) -> None:
        _, server = plant
        sign_in(page, "admin", server.url)
        page.set_viewport_size({"width": 390, "height": 844})
        for path in ("/", "/menu", "/sign-in", "/rejects/", "/admin/", "/admin/users", "/admin/roles"):
            page.goto(server.url + path, wait_until="domcontentloaded")
            page.locator(".nav").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def type_pin(page: Page, pin: str) -> None:
    """Type it by finger, key by key, and go on."""
    for typed, digit in enumerate(pin, 1):
        page.locator(f'[data-digit="{digit}"]').tap()
        expect(page.locator("#secret")).to_have_value(pin[:typed])
    page.locator(".pad-key.go").tap()


def wedge(page: Page, code: str, enter: bool = True) -> None:
    """Type like a reader does: all of it in a few milliseconds."""
    page.evaluate(
        """([code, enter]) => {
          const at = document.activeElement ?? document.body;
          for (const key of [...code, ...(enter ? ['Enter'] : [])]) {
            at.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
          }
        }""",
        [code, enter],
    )


@pytest.mark.ui
@pytest.mark.timeout(120)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_signing_in_takes_a_glove_also_under_an_alarm(
    language: str, page: Page, people: Any, serve: Any, sign_in: SignIn
) -> None:
    server = serve(people.run_dir, sign_ins_a_minute=1000)
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    people.reasons = ("camera top is silent",)
    people.forced = ("lamp",)
    bad: list[str] = []

    def look(path: str) -> None:
        page.goto(server.url + path, wait_until="domcontentloaded")
        expect(page.locator("#clock")).not_to_have_text("--:--:--")
        expect(page.locator("#band"), path).to_be_visible()
        expect(page.locator("#forced"), path).to_be_visible()
        found = [*checks.clipped_texts(page), *checks.small_targets(page, 20, 5.0), *checks.axe_problems(page)]
        below = page.evaluate(
            "[...document.querySelectorAll('.pad-key')].filter((e) => e.getBoundingClientRect().bottom >"
            " document.querySelector('.nav').getBoundingClientRect().top).length"
        )
        bad.extend(f"{path}: {one}" for one in [*found, *([f"{below} keys below the edge"] if below else [])])

    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.context.clear_cookies(name="okng-session")
        for path in ("/sign-in", "/sign-in?who=op", "/sign-in?who=op&by=password"):
            look(path)
        sign_in(page, "op", server.url)
        for path in ("/sign-in", "/sign-in?own=1", "/sign-in?own=1&by=password"):
            look(path)
    assert bad == [], "\n".join(bad)


@pytest.mark.ui
def test_first_boot_makes_the_administrator_on_the_screen(page: Page, line: Any, serve: Any) -> None:
    server = serve(line.run_dir)
    page.goto(server.url + "/sign-in", wait_until="domcontentloaded")
    expect(page.locator("#clock")).not_to_have_text("--:--:--")
    assert [*checks.clipped_texts(page), *checks.small_targets(page, 15, 5.0), *checks.axe_problems(page)] == []
    for field, text in (("#password", "long enough"), ("#again", "long enough"), ("#pin", "4321")):
        page.locator(field).fill(text)
    page.locator(".first button.go").tap()
    expect(page.locator("body")).to_have_attribute("data-user", "admin")
