"""The gallery: filtered, marked, exported; and the page of one part."""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, Route, expect

from okng.bus.part import Outcome
from okng.records.parcel import MOST_PARTS, parcel
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.options import WebOptions
from okng.webui.part_way import way_of
from okng.webui.watch import Watch

PATIENCE_MS = 20_000


@pytest.fixture
def client(people: Any, client_on: Callable[..., FlaskClient]) -> Iterator[FlaskClient]:
    with client_on(Watch(people.run_dir, ("top",), WebOptions()), sign_ins_a_minute=1000) as made:
        yield made


def cards(client: FlaskClient, query: str) -> list[int]:
    page = client.get(f"/rejects/?{query}").get_data(as_text=True)
    return [int(piece.split('"')[0]) for piece in page.split('data-seq="')[1:]]


def test_each_filter_finds_its_parts(people: Any, client: FlaskClient) -> None:
    for score in (4.2, 4.4, 7.0, 12.0):
        people.judge(Outcome.NG, score=score)
    people.judge(Outcome.OK)
    assert cards(client, "near=near") == [2, 1]
    assert cards(client, "near=above") == [3]
    assert cards(client, "near=far&show=ng") == [4]
    assert cards(client, "kind=anomaly") == [4, 3, 2, 1]
    assert cards(client, "kind=dent") == []
    assert cards(client, "span=hour") == [4, 3, 2, 1]
    assert cards(client, "show=ok") == [5]
    assert cards(client, "since=2999-01-01") == []
    assert cards(client, "lot=nothing") == []
    people.ask("part.reviewed", {"seqs": [1, 4]}, "op")
    assert cards(client, "open=1") == [3, 2]
    assert cards(client, "open=1&near=near") == [2]
    for bad in ("near=x", "span=x", "show=x"):
        assert client.get(f"/rejects/?{bad}").status_code == 404
    page = client.get("/rejects/?open=1&near=near").get_data(as_text=True)
    assert "Filter&nbsp;(2)" in page


def test_a_lot_is_the_parts_between_its_beginning_and_its_end(people: Any, client: FlaskClient) -> None:
    people.judge(Outcome.NG)
    people.ask("journal.add", {"stream": "lot", "key": "A7", "event": "begun", "body": {"lot": "A7"}}, "")
    people.judge(Outcome.NG)
    people.ask("journal.add", {"stream": "lot", "key": "A7", "event": "ended", "body": {"lot": ""}}, "")
    people.judge(Outcome.NG)
    assert ">A7<" in client.get("/rejects/").get_data(as_text=True)
    assert cards(client, "lot=A7") == [2]


def test_marking_needs_the_right_and_is_written_down(people: Any, client: FlaskClient, sign_in: Any) -> None:
    people.judge(Outcome.NG)
    assert client.post("/rejects/reviewed", json={"seqs": [1]}).status_code == 401
    sign_in(client, "op")
    no_marks: list[Any] = [{}, {"seqs": []}, {"seqs": ["1"]}, {"seqs": [True]}, {"seqs": list(range(MOST_PARTS + 1))}]
    for bad in no_marks:
        assert client.post("/rejects/reviewed", json=bad).status_code == 400
    assert client.post("/rejects/reviewed", json={"seqs": [1]}).json["done"]  # type: ignore[index]
    assert PeopleReader(people.store).reviewed([1])[1].who == "op"
    refused = client.post("/rejects/reviewed", json={"seqs": [77]}).json
    assert refused is not None
    assert not refused["done"]


def test_export_holds_pictures_and_table_and_stands_in_the_audit_trail(
    people: Any, client: FlaskClient, sign_in: Any
) -> None:
    people.judge(Outcome.NG, serial="=SUM(A1)")
    people.judge(Outcome.UNJUDGED, with_picture=False)
    sign_in(client, "op")
    assert client.get("/rejects/export.zip?seqs=1").status_code == 403
    sign_in(client, "lead")
    for wrong in ("", "x", "1,,2", ",".join("1" * (MOST_PARTS + 1)) + ",a", "9" * 40):
        assert client.get(f"/rejects/export.zip?seqs={wrong}").status_code == 400
    assert client.get("/rejects/export.zip?seqs=99").status_code == 404
    answer = client.get("/rejects/export.zip?seqs=1,2,1")
    made = zipfile.ZipFile(io.BytesIO(answer.data))
    assert made.testzip() is None
    row = LedgerReader(people.store).row(1)
    assert row is not None
    assert made.read("pictures/1_1_top.png") == (people.store / str(row.picture)).read_bytes()
    lines = list(csv.DictReader(io.StringIO(made.read("parts.csv").decode("utf-8-sig"))))
    assert [line["seq"] for line in lines] == ["1", "2"]
    assert lines[0]["serial"] == "'=SUM(A1)", "a spreadsheet must not take it for a formula"
    trail = PeopleReader(people.store).audit_page(limit=3)
    assert any("parts exported" in one.what and one.who == "lead" for one in trail)


def test_a_parcel_that_is_full_says_what_it_left_out(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    people.judge(Outcome.NG)
    people.judge(Outcome.NG)
    rows = LedgerReader(people.store).rows(2)
    size = (people.store / str(rows[0].picture)).stat().st_size
    monkeypatch.setattr("okng.records.parcel.MOST_BYTES", size + 10)
    data = b"".join(parcel(rows, lambda held: people.store / str(held.picture), lambda row: ("", "", "")))
    made = zipfile.ZipFile(io.BytesIO(data))
    assert len([name for name in made.namelist() if name.startswith("pictures/")]) == 1
    assert b"left out" in made.read("parts.csv")


def test_detail_tells_the_whole_story_of_a_part(people: Any, client: FlaskClient, sign_in: Any) -> None:
    people.judge(Outcome.NG)
    people.ask("label.set", {"seq": 1, "truth": "defect", "kind": "dent"}, "op")
    people.ask("escape.set", {"seq": 1, "found_at": "packing", "what": "dent"}, "op")
    page = client.get("/rejects/1").get_data(as_text=True)
    for wanted in (
        "Real defect",
        "dent",
        "Packing",
        "verdict <b>",
        "acknowledged <b>",
        "deadline <b>120</b>",
        "op, 20",
    ):
        assert wanted in page, wanted
    assert "Mark reviewed" not in page, "a label is a look"
    sign_in(client, "eng")
    assert "/labelling/1" in client.get("/rejects/1").get_data(as_text=True)


def test_the_way_of_a_part_leaves_out_what_never_was() -> None:
    never = dict.fromkeys(("exposed_ns", "ready_ns", "done_ns", "published_ns", "acked_ns"))
    way = way_of({"triggered_ns": 5, "deadline_ns": 100_000_005, **never}, str)
    assert [step.name for step in way.steps] == ["trigger"]
    assert way.deadline is not None
    assert way.deadline.ms == 100
    late = way_of({**never, "triggered_ns": 5, "deadline_ns": 1_000_005, "published_ns": 2_000_005}, str)
    assert late.over


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_filter_and_marking_by_finger(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    line, server = people, serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(PATIENCE_MS)
    for score in (4.2, 9.0, 12.0):
        line.judge(Outcome.NG, score=score)
    sign_in(page, "op", server.url)
    page.goto(server.url + "/rejects/", wait_until="domcontentloaded")
    expect(page.locator(".card")).to_have_count(3)
    page.locator("#key-filter").tap()
    page.locator(".pick", has_text="far above it").tap()
    page.locator("#filter .go").tap()
    expect(page.locator(".card")).to_have_count(2)
    page.locator("#key-mark").tap()
    page.locator(".card").first.tap()
    expect(page.locator("#marked-count")).to_have_text("1 chosen")
    page.locator("#mark-reviewed").tap()
    expect(page.locator("#marked-told")).to_have_text("Saved")
    page.locator("#mark-end").tap()
    assert set(PeopleReader(line.store).reviewed([1, 2, 3])) == {3}
    page.goto(server.url + "/rejects/2", wait_until="domcontentloaded")
    page.locator("#key-reviewed").tap()
    expect(page.locator("#key-reviewed")).to_have_text("Saved")
    assert set(PeopleReader(line.store).reviewed([1, 2, 3])) == {2, 3}


@pytest.mark.ui
def test_keys_of_a_part_work_before_its_picture_has_come(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    line, server = people, serve(people.run_dir)
    line.judge(Outcome.NG, score=9.0)
    sign_in(page, "op", server.url)
    held: list[Route] = []
    page.route("**/rejects/1/picture/*", lambda route: held.append(route))
    page.goto(server.url + "/rejects/1", wait_until="domcontentloaded")
    page.locator("#key-overlay").tap()
    expect(page.locator("#key-overlay")).to_have_attribute("aria-pressed", "false")
    page.locator("#key-reviewed").tap()
    expect(page.locator("#key-reviewed")).to_have_text("Saved", timeout=PATIENCE_MS)
    expect(page.locator("#canvas")).not_to_have_attribute("data-part", "1")
    assert held, "the picture was not asked for"
    for each in held:
        each.continue_()
    expect(page.locator("#canvas")).to_have_attribute("data-part", "1")
