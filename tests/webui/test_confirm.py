"""Really a defect? Labels are kept with who and when, change nothing that was sent, and can be taken back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.part import Outcome
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.confirm import share
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

PATIENCE_MS = 20_000


@pytest.fixture
def client(people: Any, client_on: Callable[..., FlaskClient], sign_in: Any) -> FlaskClient:
    made = client_on(Watch(people.run_dir, ("top",), WebOptions()), sign_ins_a_minute=1000)
    sign_in(made, "op")
    return made


def label(client: FlaskClient, seq: int, truth: str, **more: Any) -> Any:
    return client.post("/confirm/label", json={"seq": seq, "truth": truth, "id": f"{seq:030x}aa", **more}).json


def test_a_label_is_kept_with_its_person_and_changes_nothing_that_was_sent(people: Any, client: FlaskClient) -> None:
    for outcome in (Outcome.NG, Outcome.OK, Outcome.UNJUDGED, Outcome.NG):
        people.judge(outcome, with_picture=outcome is not Outcome.UNJUDGED)
    before = LedgerReader(people.store).row(1)
    queue = client.get("/confirm/queue.json").json
    assert queue is not None
    assert [item["seq"] for item in queue["items"]] == [1, 4]
    assert (queue["total"], queue["done"]) == (2, 0)
    answer = label(client, 1, "good")
    assert answer["done"]
    assert not answer["silent"]
    (said,) = PeopleReader(people.store).labels([1])
    assert (said.truth, said.who, said.second) == ("good", "op", False)
    assert said.at > "2020"
    assert LedgerReader(people.store).row(1) == before
    again = label(client, 1, "good")
    assert again["n"] == answer["n"], "the same wish under the same id is one label"
    queue = client.get("/confirm/queue.json").json
    assert queue is not None
    assert [item["seq"] for item in queue["items"]] == [4]
    assert (queue["total"], queue["done"], queue["last"]["part"]) == (2, 1, 1)


def test_a_label_is_taken_back_and_the_part_waits_again(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.NG)
    n = label(client, 1, "defect", kind="dent")["n"]
    assert client.post("/confirm/undo", json={"n": n, "id": "c" * 32}).json["done"]  # type: ignore[index]
    assert PeopleReader(people.store).labels([1]) == []
    queue = client.get("/confirm/queue.json").json
    assert queue is not None
    assert [item["seq"] for item in queue["items"]] == [1]
    refused = client.post("/confirm/undo", json={"n": 99, "id": "d" * 32}).json
    assert refused is not None
    assert not refused["done"]
    assert not refused["silent"]


@pytest.mark.parametrize("body", [{}, {"seq": "1", "truth": "good"}, {"seq": 1, "truth": "maybe"}, []])
def test_what_is_no_label_is_refused(client: FlaskClient, body: Any) -> None:
    assert client.post("/confirm/label", json=body).status_code == 400


def test_without_records_the_label_is_said_not_to_be_saved(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.NG)
    with people._lock:  # the ledger's process hears nothing
        people.desk = None
        people.door.serve = lambda desk: 0
    answer = label(client, 1, "good")
    assert (answer["done"], answer["silent"]) == (False, True)


def test_nobody_labels_without_the_right(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.NG)
    client.post("/sign-out")
    assert client.get("/confirm/").status_code == 302
    assert client.post("/confirm/label", json={"seq": 1, "truth": "good"}).status_code == 401
    assert client.get("/confirm/agreement").status_code in (302, 401)


def test_one_asked_for_part_comes_first(people: Any, client: FlaskClient) -> None:
    for _ in range(3):
        people.judge(Outcome.NG)
    assert 'href="/confirm/?seq=3"' in client.get("/rejects/3").get_data(as_text=True)
    page = client.get("/confirm/?seq=3").get_data(as_text=True)
    queue = json.loads(page.split('data-queue="')[1].split('"')[0].replace("&#34;", '"').replace("&#39;", "'"))
    assert [item["seq"] for item in queue["items"]] == [3, 1, 2]
    assert "changes no result" in page


def test_the_lead_sees_shares_with_their_intervals(people: Any, client: FlaskClient, sign_in: Any) -> None:
    for truth in ("good", "defect", "defect", "unsure"):
        people.judge(Outcome.NG)
        label(client, people.part, truth)
    sign_in(client, "lead")
    page = client.get("/confirm/agreement?span=day").get_data(as_text=True)
    assert "33.3 %" in page
    hits, of, percent, low, high = share(1, 3)
    assert (hits, of) == (1, 3)
    assert percent is not None
    assert low < percent < high
    assert share(0, 0)[2] is None


def test_who_opens_a_labelled_part_puts_it_right_and_who_is_given_one_looks_blind(
    people: Any, client: FlaskClient, sign_in: Any
) -> None:
    for _ in range(30):
        people.judge(Outcome.NG)
        label(client, people.part, "good")
    sign_in(client, "lead")
    queue = client.get("/confirm/queue.json").json
    assert queue is not None
    given = [item for item in queue["items"] if item["second"]]
    assert given, "one labelled part in ten comes before a second person"
    assert all("truth" not in item for item in given), "blind: nobody sees what the first person said"
    first = json.loads(
        client.get("/confirm/?seq=2")
        .get_data(as_text=True)
        .split('data-queue="')[1]
        .split('"')[0]
        .replace("&#34;", '"')
    )["items"][0]
    assert (first["seq"], first["second"]) == (2, False)
    assert client.post("/confirm/label", json={"seq": 2, "truth": "defect", "second": False}).json["done"]  # type: ignore[index]
    assert PeopleReader(people.store).label_of([2])[2].truth == "defect"
    seq = given[0]["seq"]
    assert client.post("/confirm/label", json={"seq": seq, "truth": "defect", "second": True}).json["done"]  # type: ignore[index]
    assert PeopleReader(people.store).label_of([seq])[seq].truth == "good", "the second look is never the part's label"


# ---- with a finger


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_six_labels_by_one_hand_with_a_bounce_an_undo_and_a_silent_ledger(
    page: Page, people: Any, serve: Any, sign_in: Any
) -> None:
    line, server = people, serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(PATIENCE_MS)
    for _ in range(8):
        line.judge(Outcome.NG)
    sign_in(page, "op", server.url)
    page.goto(server.url + "/confirm/", wait_until="domcontentloaded")
    confirm = page.locator("#confirm")
    for seq, truth in enumerate(("defect", "good", "unsure"), 1):
        expect(confirm).to_have_attribute("data-seq", str(seq))
        expect(page.locator("#count")).to_have_text(f"{seq} of 8")
        page.wait_for_timeout(400)
        tile = page.locator(f'[data-truth="{truth}"]')
        box = tile.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 140
        tile.tap()
    expect(confirm).to_have_attribute("data-seq", "4")
    page.locator('[data-truth="good"]').tap()  # a glove bounces: nobody has seen this picture yet
    page.wait_for_timeout(300)
    expect(confirm).to_have_attribute("data-seq", "4")
    expect(page.locator("#undo-what")).to_contain_text("Part 3 · Not sure")
    page.locator("#undo").tap()
    expect(confirm).to_have_attribute("data-seq", "3")
    page.wait_for_timeout(400)
    page.locator('[data-truth="defect"]').tap()
    expect(page.locator("#kinds")).to_be_visible()
    page.locator('#kinds [data-kind="dent"]').tap()
    expect(page.locator("#kinds")).to_be_hidden()
    page.wait_for_timeout(500)
    said = PeopleReader(line.store).label_of(range(1, 9))
    assert {seq: (one.truth, one.kind) for seq, one in said.items()} == {
        1: ("defect", ""),
        2: ("good", ""),
        3: ("defect", "dent"),
    }
    # No answer comes: the label is not lost in silence, the part is shown again.
    page.route("**/confirm/label", lambda route: route.abort())
    expect(confirm).to_have_attribute("data-seq", "4")
    page.wait_for_timeout(400)
    page.locator('[data-truth="good"]').tap()
    expect(page.locator("#trouble-text")).to_contain_text("Part 4 not saved: no answer")
    expect(confirm).to_have_attribute("data-seq", "4")
    page.unroute("**/confirm/label")
    page.wait_for_timeout(400)
    page.locator('[data-truth="good"]').tap()
    expect(page.locator("#trouble")).to_be_hidden()
    expect(confirm).to_have_attribute("data-seq", "5")


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_two_taps_from_run_say_what_a_reject_was(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    line, server = people, serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(PATIENCE_MS)
    line.judge(Outcome.NG)
    line.judge(Outcome.NG)
    sign_in(page, "op", server.url)
    page.goto(server.url, wait_until="domcontentloaded")
    page.locator(".film .tile[href]").nth(1).tap()
    expect(page.locator("#confirm")).to_have_attribute("data-seq", "1")
    page.locator("#key-more").tap()
    expect(page.locator("#about")).to_have_attribute("href", "/rejects/1")
    page.locator("#more-close").tap()
    page.locator("#key-more").tap()
    page.locator("#swap").tap()
    page.locator("#more-close").tap()
    left = page.locator('[data-truth="good"]').bounding_box()
    right = page.locator('[data-truth="defect"]').bounding_box()
    assert left is not None
    assert right is not None
    assert left["x"] < right["x"]
    page.wait_for_timeout(500)  # a glove that bounces says nothing
    page.locator('[data-truth="good"]').tap()
    for _ in range(100):
        if [one.truth for one in line_labels(line)] == ["good"]:
            break
        page.wait_for_timeout(50)
    assert [(one.seq, one.truth) for one in line_labels(line)] == [(1, "good")]


def line_labels(line: Any) -> list[Any]:
    return PeopleReader(line.store).labels((1, 2))
