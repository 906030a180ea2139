"""Alarms: every kind has its words in both languages, band and page say what to do, acts go to the shift room."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.clock import utc_now
from okng.bus.shift import Alarm, AlarmState
from okng.records.people_read import PeopleReader
from okng.shift.catalogue import KINDS
from okng.webui import catalogue
from okng.webui.alarm_words import EVENTS, KIND_WORDS, PRIORITIES, STATES, localized_shift, told
from okng.webui.watch import Watch

from .page_checks import clipped_texts, small_targets
from .shift_room import shift_beside, shown

PATIENCE_MS = 20_000
FILL = re.compile(r"%\((\w+)\)s")


def alarm(key: str, state: str = "unacknowledged", **given: Any) -> Alarm:
    kind = KINDS[key.partition(":")[0]]
    fill = {name: "7" for name in kind.fills} | given.pop("fill", {})
    words = (kind.what % fill, kind.why % fill, kind.todo % fill)
    more = {"active": True, "since": utc_now(), **given}
    active, since = more.pop("active"), more.pop("since")
    where = (kind.priority, AlarmState(state), active, kind.latched, since)
    return Alarm(key, kind.name, *where, *words, fill, **more)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_says_what_why_and_what_to_do_in_both_languages(kind: Any) -> None:
    assert KIND_WORDS[kind.name] == (kind.what, kind.why, kind.todo), "the twin differs from shift.catalogue"
    chinese = {message.id: message.string for message in catalogue.read("zh_Hans_CN") if message.id}
    for sentence in KIND_WORDS[kind.name]:
        assert chinese[sentence]
        assert sorted(FILL.findall(sentence)) == sorted(FILL.findall(str(chinese[sentence])))
    fill = {name: "7" for name in kind.fills}
    found = told(kind.name, fill, lambda text: str(chinese.get(text) or text))
    assert found is not None
    assert "%" not in found.what.replace("7 %", "")
    assert found.what != kind.what


def test_no_twin_is_left_of_a_kind_that_is_gone_and_every_state_has_a_word() -> None:
    assert set(KIND_WORDS) == set(KINDS)
    assert set(STATES) == {*map(str, AlarmState), "normal"}
    assert {kind.priority for kind in KINDS.values()} <= set(PRIORITIES)
    assert "raised" in EVENTS


def test_what_shift_leaves_out_and_an_unknown_kind_break_no_page() -> None:
    found = told("camera.lost", {}, str)
    assert found is not None
    assert "?" in found.what
    assert told("kind.of.tomorrow", {}, str) is None
    payload = {
        "known": True,
        "alarms": [{"kind": "kind.of.tomorrow", "fill": {}, "what": "as it came", "priority": 9}],
        "challenge": {"detail": ""},
        "change": {"detail": ""},
    }
    assert localized_shift(payload, str)["alarms"][0]["what"] == "as it came"
    assert localized_shift({"known": False}, str) == {"known": False}


@pytest.fixture
def client(people: Any, watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch)


page_with = partial(shown, path="/alarms/", times=200)


def test_looking_needs_nobody_and_acting_leads_to_the_sign_in(client: FlaskClient, people: Any) -> None:
    people.alarms = (alarm("plc.lost"), alarm("camera.lost:top", "returned", active=False))
    page = page_with(client, "The PLC does not answer")
    assert page.index("The PLC does not answer") < page.index("Camera 7 is lost")
    assert "Check whether the PLC runs" in page
    assert "It is over by itself" in page  # the camera: nothing is to be checked any more
    people.alarms = (alarm("reject.unconfirmed", "returned", active=False, fill={"part": "12"}),)
    assert "find part 12" in page_with(client, "A reject was not confirmed")  # somebody has to make sure of it
    people.alarms = (alarm("plc.lost"),)
    page = page_with(client, "The PLC does not answer")
    assert "/sign-in?next=/alarms" in page
    assert client.post("/alarms/ack", data={"key": "plc.lost"}).status_code == 401
    assert client.get("/alarms/?tab=elsewhere").status_code == 404


def test_rights_are_looked_at_for_each_act(client: FlaskClient, people: Any, sign_in: Any) -> None:
    people.alarms = (alarm("plc.lost"),)
    sign_in(client, "op")
    page_with(client, 'name="key" value="plc.lost"')
    given = {"key": "plc.lost", "minutes": "5"}
    assert client.post("/alarms/shelve", data=given).status_code == 403
    assert client.post("/alarms/service", data={"key": "plc.lost", "out": "yes", "reason": "x"}).status_code == 403
    sign_in(client, "lead")
    assert client.post("/alarms/service", data={"key": "plc.lost", "out": "yes"}).status_code == 400  # no reason
    assert client.post("/alarms/shelve", data={"key": "plc.lost"}).status_code == 400  # no time


def test_a_silent_shift_is_no_answer_and_never_done(client: FlaskClient, people: Any, sign_in: Any) -> None:
    people.alarms = (alarm("plc.lost"),)
    sign_in(client, "op")
    answer = client.post("/alarms/ack", data={"key": "plc.lost"}, headers={"Accept": "application/json"})
    assert answer.json == {"done": False, "detail": "No answer from shift: it may or may not be done"}
    answer = client.post("/alarms/ack", data={"key": "plc.lost"})
    assert "No answer from shift" in client.get(answer.headers["Location"]).get_data(as_text=True)
    people.dead.add("shift")
    page_with(client, "Alarms are not being kept")


def test_acts_reach_the_shift_room_and_are_journaled(client: FlaskClient, people: Any, sign_in: Any) -> None:
    line = people
    with shift_beside(line) as room:
        line.counters = replace(line.counters, consecutive_ng=7)
        room.until(lambda state: any(one.key == "ng.consecutive" for one in state.alarms), "no alarm came")
        page_with(client, "7 bad parts in a row")
        sign_in(client, "lead")
        client.post("/alarms/ack", data={"key": "ng.consecutive"})
        state = room.until(lambda state: state.alarms[0].state is AlarmState.ACKNOWLEDGED, "not acknowledged")
        assert state.alarms[0].active  # acknowledging never clears
        assert state.alarms[0].who == "lead"
        client.post("/alarms/shelve", data={"key": "ng.consecutive", "minutes": "10"})
        room.until(lambda state: state.alarms[0].state is AlarmState.SHELVED, "not shelved")
        page_with(client, "shelved", path="/alarms/?tab=quiet")
        assert "End shelving now" in client.get("/alarms/one?key=ng.consecutive").get_data(as_text=True)
        client.post("/alarms/unshelve", data={"key": "ng.consecutive"})
        given = {"key": "ng.consecutive", "out": "yes", "reason": "sensor is being repaired"}
        client.post("/alarms/service", data=given)
        room.until(lambda state: state.alarms[0].state is AlarmState.OUT_OF_SERVICE, "not out of service")
        client.post("/alarms/service", data={"key": "ng.consecutive", "out": "no"})
        room.until(lambda state: state.alarms[0].state is AlarmState.UNACKNOWLEDGED, "not back")
        answer = client.post("/alarms/reset", data={"key": "ng.consecutive"}, headers={"Accept": "application/json"})
        assert answer.json is not None
        assert not answer.json["done"]  # it is not latched
    history = page_with(client, "taken out of service", path="/alarms/?tab=history")
    assert "7 bad parts in a row" in history
    assert ">lead<" in history
    rows = PeopleReader(line.store).journal("alarm", key="ng.consecutive")
    assert [row.who for row in rows if row.event == "acknowledged"] == ["lead"]


@pytest.fixture
def screen(page: Page, plant: tuple[Any, Any]) -> Iterator[Page]:
    line, _ = plant
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_default_timeout(PATIENCE_MS)
    yield page
    line.alarms, line.reasons = (), ()
    line.dead.discard("shift")
    assert wrong == []


def opened(page: Page, server: Any, path: str, language: str = "en") -> None:
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    page.goto(server.url + path, wait_until="domcontentloaded")
    expect(page.locator("#clock")).not_to_have_text("--:--:--")


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_the_band_comes_with_an_alarm_and_no_key_moves(screen: Page, plant: Any) -> None:
    line, server = plant
    opened(screen, server, "/")
    expect(screen.locator("#band")).to_be_hidden()
    places = {key: screen.locator(key).bounding_box() for key in ("#key-overlay", ".nav-run")}
    line.alarms = (alarm("reject.unconfirmed", fill={"part": "1203"}), alarm("drift:top"), alarm("plc.lost", "shelved"))
    expect(screen.locator("#band")).to_be_visible()
    expect(screen.locator("#band-what")).to_have_text("A reject was not confirmed")
    expect(screen.locator("#band-todo")).to_contain_text("find part 1203")
    expect(screen.locator("#band-count")).to_have_text("2")
    expect(screen.locator("#band-age")).to_contain_text("for ")
    assert {key: screen.locator(key).bounding_box() for key in places} == places
    height = screen.locator("#band").evaluate("e => e.getBoundingClientRect().height")
    assert 104 <= height <= 106
    blinking = "s => getComputedStyle(document.querySelector(s)).animationName"
    assert screen.evaluate(blinking, "#band-icon") == "band-blink"
    for words in ("#band-what", "#band-todo", ".band"):
        assert screen.evaluate(blinking, words) == "none"
    line.alarms = (alarm("plc.lost", "returned", active=False),)
    expect(screen.locator("#band-todo")).to_contain_text("over by itself")
    expect(screen.locator("#band")).to_have_attribute("data-kind", "2")
    line.alarms = (alarm("reject.unconfirmed", "acknowledged"),)
    expect(screen.locator("#band-ack")).to_be_hidden()
    expect(screen.locator("#band")).to_have_attribute("data-waits", "no")
    line.alarms = (alarm("drift:top", "acknowledged"),)
    expect(screen.locator("#band")).to_be_hidden()  # a low one that was seen costs no picture


@pytest.mark.ui
@pytest.mark.timeout(120)
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)], ids=["panel", "monitor"])
def test_no_alarm_is_too_long_for_the_band(screen: Page, plant: Any, language: str, size: tuple[int, int]) -> None:
    line, server = plant
    screen.set_viewport_size({"width": size[0], "height": size[1]})
    opened(screen, server, "/help", language)
    for kind in KINDS.values():
        most = len(kind.todo) > 90  # two lines of what to do: with and without a third one
        for reasons in (("camera top is lost: no device SN0000",), *([()] if most else [])):
            line.alarms, line.reasons = (alarm(kind.name, fill={"detail": "its process does not move"}),), reasons
            expect(screen.locator("#band")).to_have_attribute("data-kind", str(kind.priority))
            expect(screen.locator("#band-line")).to_be_visible(visible=bool(reasons))
            chosen = told(kind.name, line.alarms[0].fill, str)
            if language == "en" and chosen:
                expect(screen.locator("#band-what")).to_have_text(chosen.what)
            cut = screen.evaluate(
                """() => ['.band-what', '.band-todo', '.band-line', '.band-text'].filter(s => {
                const e = document.querySelector(s), p = document.querySelector('.band');
                return e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 8
                  || e.getBoundingClientRect().height > p.clientHeight; })"""
            )
            assert cut == [], (kind.name, reasons)


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_a_silent_shift_leaves_the_reasons_of_the_line(screen: Page, plant: Any) -> None:
    line, server = plant
    opened(screen, server, "/")
    line.dead.add("shift")
    expect(screen.locator("#band-what")).to_have_text("Alarms are not being kept", timeout=PATIENCE_MS)
    line.reasons = ("camera top is lost: no device SN0000",)
    expect(screen.locator("#band-what")).to_have_text("Camera top is disconnected")
    expect(screen.locator("#band-line")).to_have_text("Alarms are not being kept")
    line.dead.discard("shift")
    expect(screen.locator("#band-line")).to_be_hidden()


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_one_touch_acknowledges_from_any_screen(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    line = people
    with shift_beside(line) as room:
        server = serve(line.run_dir)
        page.set_default_timeout(PATIENCE_MS)
        line.counters = replace(line.counters, consecutive_ng=7)
        opened(page, server, "/")
        page.locator("#band-ack").tap()
        page.wait_for_url("**/sign-in?next=*")
        sign_in(page, "op", server.url)
        opened(page, server, "/alarms/")
        expect(page.locator(".alarm.waits")).to_have_count(1)
        assert small_targets(page, 20, 5.0) == []
        assert clipped_texts(page) == []
        page.locator("#band-ack").tap()
        room.until(lambda state: state.alarms[0].state is AlarmState.ACKNOWLEDGED, "not acknowledged")
        expect(page.locator(".alarm.waits")).to_have_count(0)
        expect(page.locator('.alarm[data-key="ng.consecutive"]')).to_contain_text("acknowledged · op")
