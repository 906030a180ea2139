"""A part is marked as golden on its page, found by the filter, and taken back; programs do the same."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.part import Outcome
from okng.bus.rights import RIGHTS
from okng.records.people_read import PeopleReader
from okng.webui.watch import Watch


@pytest.fixture
def client(people: Any, watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    for outcome in (Outcome.NG, Outcome.OK):
        people.judge(outcome)
    return client_on(watch)


def text_of(client: FlaskClient, path: str) -> str:
    return client.get(path).get_data(as_text=True)


def test_an_engineer_marks_a_part_and_takes_the_mark_back(client: FlaskClient, people: Any, sign_in: Any) -> None:
    assert client.get("/rejects/1/golden").status_code in (302, 303)
    sign_in(client, "op")
    assert client.get("/rejects/1/golden").status_code == 403
    assert client.post("/rejects/1/golden/set", data={"reason": "limit sample"}).status_code == 403
    assert "/rejects/1/golden" not in text_of(client, "/rejects/1")
    sign_in(client, "eng")
    assert "/rejects/1/golden" in text_of(client, "/rejects/1")
    assert "Mark as golden" in text_of(client, "/rejects/1/golden")
    assert client.get("/rejects/99/golden").status_code == 404
    assert client.post("/rejects/1/golden/set", data={}).status_code == 400
    done = client.post("/rejects/1/golden/set", data={"reason": "limit sample", "note": "of line 2"})
    assert done.status_code == 303
    for page in ("/rejects/1", "/rejects/1/golden", "/rejects/1/history"):
        assert "limit sample: of line 2" in text_of(client, page), page
    assert 'data-seq="1"' in text_of(client, "/rejects/?golden=1")
    assert 'data-seq="2"' not in text_of(client, "/rejects/?golden=1&show=ok")
    twice = client.post("/rejects/1/golden/set", data={"reason": "x"}, follow_redirects=True)
    assert "golden already" in twice.get_data(as_text=True)
    assert client.post("/rejects/1/golden/end", data={"note": "worn"}).status_code == 303
    assert "limit sample" not in text_of(client, "/rejects/1")
    assert 'data-seq="1"' not in text_of(client, "/rejects/?golden=1")
    assert [one.what for one in PeopleReader(people.store).audit_page(limit=2)] == ["golden taken back", "golden set"]


def test_of_a_part_without_a_picture_it_is_said_that_only_the_row_stays(
    client: FlaskClient, people: Any, sign_in: Any
) -> None:
    people.judge(Outcome.UNJUDGED, with_picture=False)
    sign_in(client, "eng")
    assert "only its row stays" in text_of(client, "/rejects/3/golden")
    assert "only its row stays" not in text_of(client, "/rejects/1/golden")


def test_programs_mark_and_list_them(client: FlaskClient, people: Any) -> None:
    made = people.ask("token.make", {"name": "all", "rights": list(RIGHTS)}, who="admin")
    bearer = {"Authorization": f"Bearer {made.body['token']}"}
    command = "/api/v1/commands/golden.set"
    assert client.post(command, json={"seq": 1}, headers=bearer).status_code == 409, "a reason has to be given"
    done = client.post(command, json={"seq": 1, "reason": "limit sample"}, headers=bearer)
    assert done.status_code == 200
    (one,) = client.get("/api/v1/golden", headers=bearer).get_json()["rows"]
    assert (one["seq"], one["who"], one["why"]) == (1, "token all", "limit sample")
    (part,) = client.get("/api/v1/trace?seq=1", headers=bearer).get_json()["parts"]
    assert part["golden"]["why"] == "limit sample"
    ended = client.post("/api/v1/commands/golden.end", json={"seq": 1, "reason": "worn"}, headers=bearer)
    assert ended.status_code == 200
    assert client.get("/api/v1/golden", headers=bearer).get_json()["rows"] == []
    assert client.get("/api/v1/golden").status_code == 401


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_marked_by_finger(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    server = serve(people.run_dir, sign_ins_a_minute=1000)
    page.set_default_timeout(20_000)
    people.judge(Outcome.NG)
    sign_in(page, "eng", server.url)
    page.goto(server.url + "/rejects/1", wait_until="domcontentloaded")
    page.locator(".facts .whole", has_text="golden").tap()
    page.locator(".tile-choice", has_text="limit sample").tap()
    page.get_by_role("button", name="Mark as golden").tap()
    expect(page.locator("h1")).to_contain_text("is golden")
    page.goto(server.url + "/rejects/", wait_until="domcontentloaded")
    page.locator("#key-filter").tap()
    page.locator(".pick", has_text="marked as golden").tap()
    page.locator("#filter .go").tap()
    expect(page.locator(".card")).to_have_count(1)
    page.locator(".card").tap()
    page.locator(".facts .whole.here", has_text="Golden part").tap()
    page.locator("input[name=note]").fill("a better one came")
    page.get_by_role("button", name="Take the mark back").tap()
    expect(page.locator("h1")).to_contain_text("as golden")
    assert PeopleReader(people.store).golden() == []
