"""The Ladder page: how far each model has climbed, what it waits for, and what a person may do about it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from okng.bus.ladder import Rung
from okng.bus.part import Outcome
from okng.fleet import ladder as climb
from okng.fleet.ladder_state import Needs
from okng.webui.ladder_words import RUNGS

from .conftest import Serve
from .ladder_room import RECIPE, A, B, C, LadderRoom, body


@pytest.fixture
def room(people: Any) -> Iterator[LadderRoom]:
    made = LadderRoom(people.run_dir)
    yield made
    made.close()


@pytest.fixture
def client(room: LadderRoom, watch: Any, client_on: Callable[..., Any], sign_in: Callable[..., None]) -> Any:
    made = client_on(watch)
    sign_in(made, "eng")
    return made


def test_every_rung_has_a_word() -> None:
    assert set(RUNGS) == {str(one) for one in Rung}


def test_it_shows_who_decides_who_climbs_and_who_was_taken_back(client: Any) -> None:
    page = body(client, "/ladder/")
    for shown in (RECIPE, A[:12], B[:12], C[:12], "3120 / 5000", "3120 of 5000 parts seen.", "187"):
        assert shown in page, shown
    assert "Rejects have risen towards 6 %; before they were 2 %." in page
    assert page.index(A[:12]) < page.index(B[:12]) < page.index(C[:12])


def test_it_speaks_chinese(client: Any) -> None:
    client.set_cookie("okng-language", "zh")
    page = body(client, "/ladder/")
    for shown in ("模型逐级上线", "旁观", "已看 3120 / 5000 件。", "剔除率升至约 6 %；此前为 2 %。"):
        assert shown in page, shown


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("channel: BadVersionNumberError: New timestamp version 5 must be >= 11", "an older state of the models"),
        ("channel: UnsignedMetadataError: rings was signed by 0/1 keys", "is not signed as it must be"),
        ("what was signed has run out at 2027-01-01T00:00:00Z", "What was signed has run out"),
        ("timestamp.json is expired", "What was signed has run out"),
        ("the clock says 2026-01-01 00:00Z, the channel was read at 2026-02-01 00:00Z", "nothing new is taken until"),
    ],
)
def test_what_is_wrong_with_the_channel_is_said_until_it_is_right(
    room: LadderRoom, client: Any, why: str, words: str
) -> None:
    assert "notice warn" not in body(client, "/ladder/")
    room.why = why
    assert words in body(client, "/ladder/")
    room.why = ""
    assert words not in body(client, "/ladder/")


def test_a_locked_model_is_unlocked_with_a_reason_and_by_name(room: LadderRoom, client: Any) -> None:
    path = f"/ladder/{RECIPE}/{C}/unlock"
    answer = client.post(path, data={"reason": " "}, follow_redirects=True)
    assert "Say why." in answer.get_data(as_text=True)
    assert room.rung(C) == "ROLLED_BACK"
    assert client.post(path, data={"reason": "the lamp was broken"}).status_code == 303
    assert room.rung(C) == "OFFERED"
    step = room.ladder.unsent[-1]
    assert (step.who, step.reason) == ("eng", "the lamp was broken")
    assert room.saved == 1


def test_the_red_button_takes_the_new_model_out_and_says_who_and_why(room: LadderRoom, client: Any) -> None:
    client.post("/ladder/stop", data={"on": "yes", "reason": "smoke"})
    assert room.rung(B) == "OFFERED"
    page = body(client, "/ladder/")
    assert "Stopped on this box: no model climbs." in page
    assert "eng: smoke" in page
    client.post("/ladder/stop", data={"on": "no", "reason": "aired"})
    assert not room.ladder.stopped


def test_a_champion_is_taken_back_to_the_last_good_one(room: LadderRoom, client: Any) -> None:
    made = climb.look(climb.count(room.ladder, RECIPE, B, 5000, 200), RECIPE, B, "eng", room.now())
    needs = Needs()
    made = climb.rise(made, RECIPE, B, Rung.CANARY, needs, room.now())
    made = climb.count(made, RECIPE, B, 20_000, 0)
    made = climb.end_swap(climb.begin_swap(made, RECIPE, B, needs, room.now()), RECIPE, room.now())
    room.change(made)
    assert "Take it back now" in body(client, "/ladder/")
    client.post(f"/ladder/{RECIPE}/{B}/back", data={"reason": "it rejects good caps"})
    assert (room.rung(A), room.rung(B)) == ("CHAMPION", "ROLLED_BACK")


def test_only_what_was_taught_here_may_skip_looking_along(room: LadderRoom, client: Any) -> None:
    assert "Skip looking along" not in body(client, "/ladder/")
    answer = client.post(f"/ladder/{RECIPE}/{B}/waive", data={"reason": "please"}, follow_redirects=True)
    assert "was not taught on this box" in answer.get_data(as_text=True)


def test_differing_parts_are_shown_with_what_each_says_and_the_bound_in_words(
    room: LadderRoom, client: Any, people: Any
) -> None:
    path = f"/ladder/{RECIPE}/{B}"
    assert "The two have said the same" in body(client, path)
    assert "nothing is known of what it misses" in body(client, path)
    people.judge(Outcome.NG)
    room.differ(people.part, 1, "NG", "OK", "good")
    room.differ(people.part + 1, 0, "OK", "NG", "defect")
    page = body(client, path)
    assert "it misses at most 100 % of such defects (3 / 1)." in page
    assert 'href="/rejects/1"' in page
    assert "people: a defect" in page
    assert "Reviewers at the fleet" not in page
    room.watch.differing[-1].fleet = "good"  # what people at the line said goes before it
    room.differ(people.part + 3, 0, "OK", "NG")
    room.watch.differing[-1].fleet = "good"
    page = body(client, path)
    assert "Reviewers at the fleet service judged 1 more; there it was wrong on 1." in page
    assert page.count("fleet: good") == 1
    room.differ(people.part + 2, 0, "NG", "OK", "defect")
    assert "It called 1 parts OK that people called defects." in body(client, path)
    assert client.post(f"{path}/seen").status_code == 303
    assert room.ladder.known(RECIPE, B).seen == "eng"
    assert "looked at by eng" in body(client, "/ladder/")


def test_without_sync_it_says_so_and_without_the_right_it_shows_nothing(
    people: Any, watch: Any, client_on: Callable[..., Any], sign_in: Callable[..., None]
) -> None:
    client = client_on(watch)
    assert client.get("/ladder/").status_code in (302, 303, 401, 403)
    sign_in(client, "op")
    assert client.get("/ladder/").status_code == 403
    sign_in(client, "eng")
    assert "No word from the process sync" in body(client, "/ladder/")


@pytest.mark.ui
def test_the_page_looks_again_by_itself_and_leaves_who_types_alone(
    room: LadderRoom, people: Any, serve: Serve, page: Page, sign_in: Callable[..., None]
) -> None:
    server = serve(Path(people.run_dir), sign_ins_a_minute=1000)
    page.set_default_timeout(60_000)  # a browser on a busy machine
    sign_in(page, "eng", server.url)
    page.goto(f"{server.url}/ladder/")
    expect(page.locator(".ladder-climber")).to_contain_text("3120 / 5000")
    room.change(climb.count(room.ladder, RECIPE, B, 5, 0))
    expect(page.locator(".ladder-climber")).to_contain_text("3125 / 5000")
    page.fill("#stop-reason", "smo")
    room.change(climb.count(room.ladder, RECIPE, B, 5, 0))
    page.wait_for_timeout(2500)
    expect(page.locator("#stop-reason")).to_have_value("smo")
    page.locator(".ladder-stop button").click()
    expect(page.locator("body")).to_contain_text("Stopped on this box: no model climbs.")
