"""Administration (19): people, roles, settings, the size of a millimetre, the audit trail, back-up."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.asks import Ask, Objection
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.admin import in_words
from okng.webui.admin_box import lines_changed, sections_of
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.theme import is_night
from okng.webui.watch import Watch

from . import page_checks as checks
from .engineer import owner

SignIn = Callable[..., None]
FAST = WebOptions(sign_ins_a_minute=10_000, api_a_minute=1_000_000)


@pytest.fixture
def client(people: Any, client_class: type[FlaskClient], sign_in: SignIn) -> FlaskClient:
    """The administrator's."""
    watch = Watch(people.run_dir, ("top",), WebOptions())
    app = create_app(FAST, "line 1", watch, LedgerReader(people.store), people.store, people.run_dir)
    app.test_client_class = client_class
    made = app.test_client()
    sign_in(made, "admin")
    return made


@pytest.fixture
def reader(people: Any) -> PeopleReader:
    return PeopleReader(people.store)


def text_of(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def test_a_user_is_made_changed_and_disabled(client: FlaskClient, reader: PeopleReader) -> None:
    given = {"name": "nina", "full_name": "Nina New", "role": "operator", "pin": "2468", "language": "zh"}
    assert client.post("/admin/users/new", data=given).status_code == 303
    assert "Nina New" in text_of(client.get("/admin/users"))
    changed = {"full_name": "Nina Newer", "role": "lead", "disabled": "1", "reason": "left"}
    assert client.post("/admin/users/nina", data=changed).status_code == 303
    person = reader.person("nina")
    assert person is not None
    assert (person.full_name, person.role, person.disabled, person.language) == ("Nina Newer", "lead", True, "zh")
    newest = reader.audit_page(None, 1)[0]
    assert (newest.who, newest.what, newest.why, newest.new["role"]) == ("admin", "user changed", "left", "lead")
    assert "2468" not in str(reader.audit_page(None, 100))


def test_the_last_administrator_stays(client: FlaskClient, reader: PeopleReader) -> None:
    answer = client.post("/admin/users/admin", data={"full_name": "", "role": "", "disabled": "1"})
    assert answer.status_code == 409
    assert "Nobody would be left who may edit users" in text_of(answer)
    rest = {"role": list(reader.roles()), "may:auditor": ["audit.read"]}
    answer = client.post("/admin/roles", data=rest)
    assert answer.status_code == 409
    assert reader.has_keeper()


def test_what_is_refused_says_why_and_keeps_what_was_typed(client: FlaskClient) -> None:
    answer = client.post("/admin/users/new", data={"name": "kurt", "full_name": "Kurt", "role": "lead", "pin": "12"})
    assert answer.status_code == 409
    assert "A PIN has 4 to 8 digits" in text_of(answer)
    assert 'value="Kurt"' in text_of(answer)
    assert client.get("/admin/users/nobody-at-all").status_code == 404


def test_the_matrix_changes_only_what_was_switched(client: FlaskClient, reader: PeopleReader) -> None:
    before = reader.roles()
    form: dict[str, Any] = {"role": list(before), **{f"may:{name}": sorted(has) for name, has in before.items()}}
    form["may:operator"] = [*form["may:operator"], "report.make", "no.such.right"]
    form["reason"] = "they print"
    assert client.post("/admin/roles", data=form).status_code == 303
    after = reader.roles()
    assert after["operator"] == before["operator"] | {"report.make"}
    assert {**after, "operator": None} == {**before, "operator": None}
    lines = [row for row in reader.audit_page(None, 5) if row.what == "role changed"]
    assert len(lines) == 1
    assert client.post("/admin/roles/new", data={"name": "cleaner"}).status_code == 303
    assert reader.roles()["cleaner"] == frozenset()
    assert client.post("/admin/roles/drop", data={"name": "cleaner"}).status_code == 303
    assert client.post("/admin/roles/drop", data={"name": "operator"}).status_code == 409


def test_sign_out_everywhere_voids_the_sessions_of_a_person(client: FlaskClient, sign_in: SignIn) -> None:
    other = client.application.test_client()
    sign_in(other, "op")
    assert client.post("/admin/users/op/sign-out").status_code == 303
    assert other.get("/sign-in/who").get_json()["who"] == ""


def test_the_chain_is_checked_on_the_page_and_a_forged_line_is_found(client: FlaskClient, people: Any) -> None:
    page = text_of(client.get("/admin/audit?check=1"))
    assert "The chain is whole" in page
    assert "first administrator made" in page
    with people._lock:
        db = apsw.Connection(str(people.store / "ledger.db"))
        for trigger in [row[0] for row in db.execute("select name from sqlite_master where type = 'trigger'")]:
            if trigger.startswith("audit"):
                db.execute(f"drop trigger {trigger}")
        db.execute("update audit set body = replace(body, 'operator', 'operater') where n = 3")
        db.close()
    assert "The chain is broken: audit: broken at entry 3" in text_of(client.get("/admin/audit?check=1"))


def test_the_trail_is_found_by_word_and_turned_by_page(client: FlaskClient, people: Any) -> None:
    for number in range(60):
        assert people.ask("audit.add", {"what": f"tried {number}"}).done
    newest = text_of(client.get("/admin/audit"))
    older = re.search(r'href="(/admin/audit\?before=\d+)[^"]*">Older', newest)
    assert older is not None
    assert "tried 0<" in text_of(client.get(older.group(1)))
    found = text_of(client.get("/admin/audit?text=tried 17"))
    assert found.count("tried 17") >= 1
    assert "tried 18" not in found


def test_a_millimetre_is_calibrated_and_served_at_once(client: FlaskClient) -> None:
    assert "--mm: 5px" in text_of(client.get("/theme.css"))
    assert client.post("/admin/display", data={"mm": "5.87"}).status_code == 303
    assert "--mm: 5.87px" in text_of(client.get("/theme.css"))
    for wrong in ("0.1", "nonsense", "nan"):
        assert client.post("/admin/display", data={"mm": wrong}).status_code == 409
    assert "--mm: 5.87px" in text_of(client.get("/theme.css"))


def test_a_back_up_is_begun_and_named(client: FlaskClient, people: Any) -> None:
    answer = client.post("/admin/backup")
    assert answer.status_code == 303
    assert "Back-up begun: backups/ledger-" in text_of(client.get(answer.headers["Location"]))


def test_a_token_is_shown_once(client: FlaskClient) -> None:
    page = text_of(client.post("/admin/programs/token", data={"name": "mes", "right": ["part.review"]}))
    (token,) = re.findall(r"okng_[\w-]{20,}", page)
    again = text_of(client.get("/admin/programs"))
    assert token not in again
    assert "mes" in again
    bearing = client.application.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    assert bearing.get("/api/v1/parts", headers=headers).status_code == 200
    assert bearing.get("/api/v1/people", headers=headers).status_code == 403


class FakeWorkshop:
    """Keeps one text; refuses a port that is no number of a port."""

    def __init__(self) -> None:
        self.changes: list[Any] = []

    def read(self, ask: Ask) -> dict[str, Any]:
        values = {"web": {"port": 8080, "theme": "light", "mqtt_password": "***"}, "camera": {"top": {"fps": 2.5}}}
        return {"text": "[web]\nport = 8080\n", "sha256": "ab", "values": values, "file": "okng.toml", "backups": ["a"]}

    def change(self, ask: Ask) -> dict[str, Any]:
        if any(one["value"] == 0 for one in ask.body.get("changes", [])):
            raise Objection("okng.toml: web.port", {"errors": [{"loc": ["web", "port"], "msg": "at least 1"}]})
        self.changes.append(ask.body)
        return {"sha256": "cd", "restart": ["web"]}


@pytest.fixture
def workshop(people: Any) -> Iterator[FakeWorkshop]:
    made = FakeWorkshop()
    with owner(people.run_dir, "workshop", {"settings.read": made.read, "settings.change": made.change}):
        yield made


def form_of(page: str) -> dict[str, Any]:
    """What a browser would send of the first form with settings."""
    fields: dict[str, Any] = {"place": re.findall(r'name="place" value="([^"]+)"', page)}
    fields["sha256"] = re.findall(r'name="sha256" value="([^"]+)"', page)[0]
    for place in fields["place"]:
        for part in ("kind", "old"):
            (fields[f"{part}:{place}"],) = re.findall(rf'name="{part}:{re.escape(place)}" value="([^"]*)"', page)
        fields[f"new:{place}"] = fields[f"old:{place}"]
    return fields


def test_what_an_address_refused_is_on_the_page_of_programs(client: FlaskClient, people: Any) -> None:
    assert "were refused" not in text_of(client.get("/admin/programs"))
    made = people.ask("webhook.set", {"url": "http://127.0.0.1:9/hook", "events": [], "secret": "shared"})
    letter = {"id": made.body["id"], "event": "journal-7", "why": "it answers 422", "body": {"n": 7}, "reached": 7}
    assert people.ask("webhook.dead", letter).done
    page = text_of(client.get("/admin/programs"))
    assert "Events that were refused" in page
    assert all(word in page for word in ("journal-7", "it answers 422", "http://127.0.0.1:9/hook"))
    told = client.get("/api/v1/webhooks/refused").get_json()["rows"]
    assert [(one["event"], one["body"]) for one in told] == [("journal-7", {"n": 7})]


def test_single_settings_are_changed_and_written_into_the_trail(
    client: FlaskClient, workshop: FakeWorkshop, reader: PeopleReader
) -> None:
    form = form_of(text_of(client.get("/admin/settings")))
    assert form["place"] == ["web|port", "web|theme", "camera.top|fps"]
    answer = client.post("/admin/settings", data={**form, "new:web|port": "8081", "reason": "moved"})
    assert answer.status_code == 303
    change = {"section": "web", "key": "port", "value": 8081}
    assert workshop.changes == [{"changes": [change], "sha256": "ab"}]
    asked = [row for row in reader.audit_page(None, 5) if row.what == "settings.change asked"]
    assert (asked[0].object["changes"], asked[0].why) == ([change], "moved")
    assert "web" in text_of(client.get(answer.headers["Location"]))


def test_settings_that_do_not_fit_are_refused_by_field(client: FlaskClient, workshop: FakeWorkshop) -> None:
    form = form_of(text_of(client.get("/admin/settings")))
    wrong = client.post("/admin/settings", data={**form, "new:web|port": "many"})
    assert wrong.status_code == 409
    assert "[web] port = many: expected a number" in text_of(wrong)
    refused = client.post("/admin/settings", data={**form, "new:web|port": "0"})
    assert refused.status_code == 409
    assert "<b>web.port</b>: at least 1" in text_of(refused)
    assert client.post("/admin/settings", data=form).status_code == 303
    assert workshop.changes == []


def test_the_whole_text_is_written_as_typed(client: FlaskClient, workshop: FakeWorkshop) -> None:
    assert (
        client.post("/admin/settings/text", data={"text": "[web]\r\nport = 1\r\n", "sha256": "ab"}).status_code == 303
    )
    assert workshop.changes == [{"text": "[web]\nport = 1\n", "sha256": "ab"}]


def test_the_trail_tells_which_lines_of_the_whole_text_changed_and_no_secret() -> None:
    old = '[web]\nport = 1\nhost = "a"\n[sync]\napi_token = "old"\n'
    new = '[web]\nport = 2\nhost = "a"\n[sync]\napi_token = "new"\n'
    assert lines_changed(old, new) == ["-port = 1", "+port = 2", "-api_token = …", "+api_token = …"]
    assert lines_changed(old, old) == []
    many = lines_changed("", "\n".join(f"a{n} = {n}" for n in range(100)))
    assert (len(many), many[-1]) == (41, "… 60")


def test_sections_are_flat_and_lists_and_secrets_are_left_out() -> None:
    values = {"web": {"port": 1, "on": True, "names": ["a"], "api_token": "x"}, "a": {"b": {"c": "d"}}}
    assert sections_of(values) == [
        ("web", [("port", "int", "1"), ("on", "bool", "true")]),
        ("a.b", [("c", "str", "d")]),
    ]


def test_a_line_of_the_trail_is_put_in_words() -> None:
    assert in_words({"a": [1, "x"], "b": None, "c": {"d": True}}) == "a: 1, x; c: d: true"
    assert in_words(None) == ""
    assert in_words("x" * 1000).endswith("…")


def test_the_trail_is_read_in_chinese(client: FlaskClient) -> None:
    client.post("/language", data={"language": "zh"})
    page = text_of(client.get("/admin/audit"))
    assert "首位管理员" in page
    assert "user created" not in page


@pytest.mark.parametrize(("hour", "night"), [(19, False), (20, True), (3, True), (6, False)])
def test_night_goes_over_midnight(hour: int, night: bool) -> None:
    assert is_night(WebOptions(), hour) is night
    assert is_night(WebOptions(night_from_h=1, night_to_h=5), hour) is (1 <= hour < 5)


TOKENS = Path(__file__).parents[2] / "webui/static/css/tokens.css"
PAIRS = (
    *(("ink", ground) for ground in ("ground", "panel", "panel-high", "key")),
    *(("ink-soft", ground) for ground in ("ground", "panel", "panel-high")),
    *((f"{name}-ink", name) for name in ("ng", "warn", "advice", "bypass", "key-on")),
    ("picture-ink", "picture-ground"),
)
"""Text on what it stands on."""


def colours(theme: str) -> dict[str, str]:
    text = TOKENS.read_text()
    day, night = text.split(':root[data-theme="night"]')
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", day))
    return {**found, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", night))} if theme == "night" else found


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "night"])
def test_text_is_legible_in_both_themes(theme: str) -> None:
    found = colours(theme)
    weak = [(a, b, contrast(found[a], found[b])) for a, b in PAIRS if contrast(found[a], found[b]) < 4.5]
    assert weak == []
    assert contrast(found["focus"], found["panel-high"]) >= 3
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


PAGES = ("users", "users/op", "users/new", "roles", "settings", "display", "audit?check=1", "programs")


@pytest.mark.ui
@pytest.mark.timeout(180)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_tab_fits_and_takes_a_finger(
    language: str, page: Page, people: Any, serve: Any, sign_in: SignIn, workshop: FakeWorkshop
) -> None:
    server = serve(people.run_dir, sign_ins_a_minute=1000)
    bad: list[str] = []
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        sign_in(page, "admin", server.url)
        page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
        for tab in PAGES:
            page.goto(f"{server.url}/admin/{tab}", wait_until="domcontentloaded")
            expect(page.locator("#clock")).not_to_have_text("--:--:--")
            found = [*checks.clipped_texts(page), *checks.small_targets(page, 15, 5.0)]
            if width == 1280:
                found += checks.axe_problems(page)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append("scrolls sideways")
            bad += [f"{tab} {width}: {one}" for one in found]
    assert bad == [], "\n".join(bad)
