"""The pages are drawn from what boxes said, by whoever may, and nothing a box says becomes a page's own words."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine

from okng.cloud.access import FOR_BOXES
from okng.cloud.database import reading, writing
from okng.cloud.deeds import broken
from okng.cloud.pages import catalogue
from okng.cloud.pages.mount import NAV, STATIC
from okng.cloud.rights import RIGHTS
from okng.cloud.standing import fleet as read_fleet
from okng.cloud.tables import Box, Cursor, Deed

from . import pages_room as room
from . import pages_scene
from .rig import Rig, csrf_in

PAGES = (
    *(
        "/",
        "/?level=trouble&sort=owed",
        "/boxes/press-3-0a1b2c3d",
        "/yield",
        "/yield?by=hour&line=line7",
        "/drift?figure=focus",
    ),
    *("/rollouts", "/lines/line7/rings", "/review", "/trace", "/trace?serial=SN00001*", "/enrol", "/deeds?check=1"),
)
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SAME = {"OK", "NG"}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A filled service on SQLite; looked at only."""
    with pages_scene.filled(tmp_path_factory.mktemp("scene"), ada="admin", vera="viewer") as made:
        yield made


def get(client: FlaskClient, rig: Rig, path: str, **more: str) -> tuple[int, str]:
    answer = client.get(path, base_url=rig.settings.service.url, headers=more)
    return answer.status_code, answer.get_data(as_text=True)


def send(client: FlaskClient, rig: Rig, path: str, **form: str) -> tuple[int, str]:
    url = rig.settings.service.url
    token = csrf_in(client.get("/", base_url=url).get_data(as_text=True))
    answer = client.post(path, base_url=url, headers={"Referer": url + "/"}, data={"csrf_token": token, **form})
    return answer.status_code, answer.get_data(as_text=True)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_drawn_without_anything_inline(scene: Rig, path: str) -> None:
    client = room.signed_in(scene, "ada")
    status, page = get(client, scene, path)
    assert status == 200
    assert not re.search(r"\sstyle=|<style|\son\w+=\"|<script(?![^>]*\ssrc=)", page)
    outside = re.findall(r"(?:src|href|action)=\"(https?://[^\"]*)", page)
    assert all(link.startswith(scene.settings.service.url + "/") for link in outside)
    assert page.count("<h1") == 1


@pytest.mark.parametrize("path", PAGES)
def test_nobody_sees_a_page_who_is_not_signed_in(scene: Rig, path: str) -> None:
    answer = scene.app.test_client().get(path, base_url=scene.settings.service.url)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in?next=%2F")
    assert get(scene.app.test_client(), scene, path, **{"X-Piece": "boxes"})[0] == 401


def test_a_viewer_is_shown_only_what_they_may(scene: Rig) -> None:
    client = room.signed_in(scene, "vera")
    page = get(client, scene, "/")[1]
    shown = {screen for screen, endpoint, _, _ in NAV if f'href="{path_of(scene, endpoint)}"' in page}
    assert shown == {"fleet", "yield", "drift", "rollouts", "trace"}
    for path in ("/review", "/enrol", "/deeds", "/v1/deeds", "/v1/samples", "/v1/export/parts.csv"):
        assert get(client, scene, path)[0] == 403, path
    assert "halt-all" not in get(client, scene, "/rollouts")[1]
    for path in ("/rollouts/halt", "/rollouts/resume", "/boxes/press-1-0a1b2c3d/retire", "/lines/line7/rings"):
        assert send(client, scene, path, reason="mine")[0] == 403, path
    assert send(client, scene, "/rollouts/line7/cap/challenger/1/open", ring="rest", reason="mine")[0] == 403


def path_of(rig: Rig, endpoint: str) -> str:
    return next(str(rule) for rule in rig.app.url_map.iter_rules() if rule.endpoint == endpoint)


def test_a_change_without_the_token_of_the_session_is_refused(scene: Rig) -> None:
    client = room.signed_in(scene, "ada")
    answer = client.post(
        "/rollouts/halt", base_url=scene.settings.service.url, headers={"Referer": scene.settings.service.url + "/"}
    )
    assert answer.status_code == 400
    assert "CSRF" in answer.get_data(as_text=True)
    assert client.post("/v1/rollouts/halt", base_url=scene.settings.service.url, json={}).status_code == 400


def test_every_view_says_by_which_right_it_is_reached(scene: Rig) -> None:
    known = {*RIGHTS, FOR_BOXES, ""}
    for rule in scene.app.url_map.iter_rules():
        assert getattr(scene.app.view_functions[rule.endpoint], "needs", None) in known, rule


def test_pages_of_a_hostile_box_hold_its_words_as_text(fleet: Rig) -> None:
    with writing(fleet.service.engine) as db:
        room.add_person(db, "ada", "admin")
    with writing(fleet.service.engine) as db:
        room.add_box(db, "box1", room.HOSTILE, room.HOSTILE, room.HOSTILE, version=room.HOSTILE[:40])
        room.tell(
            db,
            "box1",
            health=[
                {"process": room.HOSTILE, "state": room.HOSTILE, "detail": room.HOSTILE},
                "no",
                None,
                {"process": []},
            ],
            recipes=[{"recipe": room.HOSTILE, "model": room.HOSTILE}],
            camera="top",
            drift=[room.HOSTILE, {"camera": 7}],
            ladder=[{"recipe": room.HOSTILE, "rung": "REFUSED", "reason": room.HOSTILE}],
            disk=[],
            owed={"records": {"events": 1e300}},
        )
        rows = [
            room.part(
                "box1",
                n,
                room.NOW,
                "NG",
                serial=room.HOSTILE,
                lot=room.HOSTILE,
                recipe=room.HOSTILE,
                shift=room.HOSTILE,
                station=room.HOSTILE,
                camera=room.HOSTILE,
                model=room.HOSTILE,
                reasons=[room.HOSTILE],
                score=4.1,
                image=[{"camera": room.HOSTILE, "focus": 1.0, "alarms": [room.HOSTILE]}],
            )
            for n in range(1, 4)
        ]
        room.arrive(db, rows)
        odd: dict[str, Any] = {room.HOSTILE: room.HOSTILE}
        room.climb(db, "box1", "REFUSED", recipe=room.HOSTILE[:99], reason=room.HOSTILE, **odd)
        room.add_events(
            db,
            "box1",
            "labels",
            [{"what": "label", "seq": 1, "part_epoch": 1, "truth": "good", "who": room.HOSTILE, "n": 1}],
        )
        room.halted_stream(db, "box1", room.HOSTILE[:16])
        room.add_picture(db, "box1", 1, b"bytes")
    client = room.signed_in(fleet, "ada")
    since = "since=2026-11-27T00:00:00Z&until=2026-11-28T00:00:00Z"
    told = 0
    for path in (
        *(
            "/",
            "/boxes/box1",
            f"/yield?{since}&by=recipe",
            f"/yield?{since}&by=camera",
            f"/drift?{since}",
            "/rollouts",
            "/review",
            "/enrol",
        ),
        *(
            f"/trace?{since}",
            "/trace?serial=%3Cscript%3E*",
            "/deeds",
            "/lines/%3Cscript%3Ealert('box')%3C%2Fscript%3E%22'%3E&/rings",
            "/nowhere",
        ),
    ):
        page = get(client, fleet, path)[1]
        assert "<script>alert" not in page, path
        assert "'\"'>" not in page, path
        told += "&lt;script&gt;alert" in page
    assert told >= 9, "the hostile words were not looked at"


def test_a_box_that_says_strange_things_is_shown_all_the_same(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")
        for strange in (
            {
                "health": "all well",
                "disk": {"free_percent": "much"},
                "owed": True,
                "ladder": {"a": 1},
                "recipes": [None, 7],
                "drift": 3,
            },
            {
                "disk": {"free_percent": 1e14},
                "owed": {"records": None},
                "clock_ok": "yes",
                "camera": [{"name": {}, "state": []}],
            },
        ):
            room.tell(db, "box1", **strange)
            assert read_fleet(db, now=room.NOW).total == 1


def test_the_worst_box_comes_first_and_the_counts_are_of_all(database: Engine) -> None:
    with writing(database) as db:
        for n in range(120):
            room.add_box(db, f"box{n:03}", f"Press {n}", f"line{n % 3}")
            room.tell(
                db,
                f"box{n:03}",
                **({"health": [{"process": "inspect", "state": "fault", "detail": "x"}]} if n == 77 else {}),
            )
        room.add_box(db, "quiet", "Quiet", seen_at=room.NOW - timedelta(minutes=5))
        room.add_box(db, "gone", "Gone", retired_at=room.NOW)
        room.add_box(db, "never", "Never", seen_at=None)
    with reading(database) as db:
        first = read_fleet(db, now=room.NOW)
        assert [one.name for one in first.boxes[:3]] == ["Never", "Quiet", "Press 77"]
        assert first.by_level == {"well": 119, "look": 0, "wrong": 0, "down": 1, "silent": 2}
        assert (first.total, len(first.boxes), first.owed) == (122, 50, 360)
        assert len(read_fleet(db, page=3, now=room.NOW).boxes) == 22
        assert read_fleet(db, "press 77", now=room.NOW).total == 1
        assert read_fleet(db, "50%_", now=room.NOW).total == 0
        assert read_fleet(db, line="line1", now=room.NOW).total == 40
        assert read_fleet(db, level="trouble", now=room.NOW).total == 3
        assert read_fleet(db, level="down", now=room.NOW).total == 1
        assert read_fleet(db, retired=True, now=room.NOW).total == 123


@pytest.mark.usefixtures("one_minute")
def test_a_box_is_let_in_by_the_code_on_its_screen(fleet: Rig) -> None:
    from okng.cloud import enrolment

    from .rig import BoxKey

    with writing(fleet.service.engine) as db:
        room.add_person(db, "ada", "admin")
    client = room.signed_in(fleet, "ada")
    asked = enrolment.ask(fleet.service, BoxKey().csr(), "press <9>", "line9", "127.0.0.1")
    assert isinstance(asked, enrolment.Asked)
    status, page = send(client, fleet, "/enrol/look", code=asked.code.lower())
    assert status == 200
    assert "press &lt;9&gt;" in page
    assert " ".join(asked.fingerprint[at : at + 4] for at in range(0, 64, 4)) in page
    wrong = send(client, fleet, "/enrol/decide", code=asked.code, fingerprint="0" * 64, name="Press 9", do="approve")
    assert wrong[0] == 404
    form = {"code": asked.code, "fingerprint": asked.fingerprint, "line": "line9", "site": "north"}
    assert send(client, fleet, "/enrol/decide", **form, name="", do="approve")[0] == 422
    assert send(client, fleet, "/enrol/decide", **form, name="Press 9", do="approve")[0] == 303
    with reading(fleet.service.engine) as db:
        box = db.query(Box).one()
        assert (box.name, box.line, box.site) == ("Press 9", "line9", "north")
    assert send(client, fleet, "/enrol/look", code=asked.code)[0] == 404
    for _ in range(fleet.settings.limits.wrong_codes_a_minute - 1):  # the used one was the first
        assert send(client, fleet, "/enrol/look", code="AAAA-BBBB")[0] == 404
    assert send(client, fleet, "/enrol/look", code="AAAA-BBBB")[0] == 429
    assert send(client, fleet, "/boxes/" + box.id + "/retire", again="something else")[0] == 422
    assert send(client, fleet, "/boxes/" + box.id + "/retire", again=box.id)[0] == 303
    with reading(fleet.service.engine) as db:
        assert db.query(Box).one().retired_at is not None
        assert [one.what for one in db.query(Deed).order_by(Deed.id) if one.subject == f"box:{box.id}"] == [
            "box let in",
            "box retired",
        ]
        assert broken(db) is None


def test_a_halted_stream_goes_on_by_a_person(fleet: Rig) -> None:
    with writing(fleet.service.engine) as db:
        room.add_person(db, "ada", "admin")
    with writing(fleet.service.engine) as db:
        room.add_box(db, "box1")
        room.halted_stream(db, "box1")
    client = room.signed_in(fleet, "ada")
    assert "Number 17 came with other content" in get(client, fleet, "/boxes/box1")[1]
    assert send(client, fleet, "/boxes/box1/resume", stream="records", epoch="1")[0] == 303
    with reading(fleet.service.engine) as db:
        assert db.get_one(Cursor, ("box1", "records", 1)).halted is None
    assert send(client, fleet, "/boxes/box1/resume", stream="records", epoch="one")[0] == 400


def test_pages_speak_the_language_that_was_chosen(scene: Rig) -> None:
    client = room.signed_in(scene, "ada")
    assert send(client, scene, "/language", language="zh", next="/yield")[0] == 303
    page = get(client, scene, "/yield")[1]
    assert '<html lang="zh-CN">' in page
    assert "不良率" in page
    box = get(client, scene, "/boxes/press-3-0a1b2c3d")[1]
    assert "<td>就绪</td>" in box
    assert "<td>故障</td>" in box
    assert send(client, scene, "/language", language="xx")[0] == 400
    answer = client.post(
        "/language", base_url=scene.settings.service.url, headers={"Referer": scene.settings.service.url + "/"},
        data={"csrf_token": csrf_in(page), "language": "en", "next": "//evil.example/"},
    )  # fmt: skip
    assert answer.headers["Location"] == "/"


def test_chinese_is_complete_and_up_to_date() -> None:
    known = {message.id: message for message in catalogue.read("zh_Hans_CN") if message.id}
    wanted = {message.id for message in catalogue.extracted() if message.id}
    assert len(wanted) > 250
    assert wanted - known.keys() == set(), "run python -m okng.cloud.pages.catalogue, then translate"
    assert known.keys() - wanted == set(), "run python -m okng.cloud.pages.catalogue"
    fields = re.compile(r"%\(\w+\)s|%%")
    for text, message in known.items():
        assert message.string, f"not translated: {text!r}"
        assert not message.fuzzy, text
        assert CHINESE.search(str(message.string)) or text in SAME or "%" in str(text), text
        assert sorted(fields.findall(str(text))) == sorted(fields.findall(str(message.string))), text


def test_looks_are_those_of_the_boxes() -> None:
    screens = Path(catalogue.HERE).parent / "webui" / "static"
    for name in ("css/tokens.css", "img/shapes.svg", "img/favicon.svg"):
        assert (STATIC / name).read_bytes() == (screens / name).read_bytes(), name
    colour = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?)\(|:\s*(?:red|green|blue|black|white|grey|gray)\b")
    assert not colour.findall((STATIC / "css" / "fleet.css").read_text(encoding="utf-8"))


def test_templates_hold_nothing_inline_and_nothing_from_outside() -> None:
    templates = sorted((catalogue.HERE / "templates").glob("*.html"))
    assert len(templates) > 10
    for path in [*templates, *STATIC.rglob("*.js"), *STATIC.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"https?://(?!www\.w3\.org)", text), path
        if path.suffix == ".html":
            assert not re.search(r"\sstyle=|<style|\son\w+=\"|<script(?![^>]*\ssrc=)|\|\s*safe\b", text), path
