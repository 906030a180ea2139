"""The document of the API names every operation there is, and what is answered is what it says."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest
from sqlalchemy.orm import Session

from okng.cloud.database import writing
from okng.cloud.rights import RIGHTS
from okng.cloud.spec import Shape

from . import pages_room as room
from . import pages_scene
from .rig import Rig

NOT_DOCUMENTED = {
    "/v1/openapi.json": "the document itself",
    "/v1/": "says where the document is",
    "/v1/channel/metadata/{name}": "a file of the channel as it was signed: its format is the channel's",
    "/v1/channel/targets/{name}": "a file of the channel as it was signed: its format is the channel's",
    "/v1/bundles/{digest}/{name}": "a file of a bundle, as it was signed",
    "/v1/blobs/put/{sha256}": "a signed address of the folder store, given out by /v1/blobs alone",
    "/v1/blobs/part/{sha256}": "a signed address of the folder store, given out by /v1/blobs alone",
    "/v1/blobs/get/{sha256}": "a signed address of the folder store, given out with samples alone",
}
BOX, PLAN = "press-3-0a1b2c3d", "/v1/rollouts/line7/cap/challenger/1"
LOOKS = (
    *("/v1/boxes", "/v1/boxes?level=trouble&sort=owed&retired=1&limit=3", "/v1/boxes?q=press&line=&page=2&limit=5"),
    *(f"/v1/boxes/press-{n}-0a1b2c3d" for n in (1, 3, 4, 5, 6, 9)),
    *(f"/v1/yield?by={by}" for by in ("recipe", "box", "hour", "day", "tool")),
    *(
        "/v1/yield?line=nowhere",
        "/v1/drift",
        "/v1/drift?figure=focus&line=line8&span=24h",
        "/v1/drift?figure=angle_deg",
    ),
    *("/v1/deeds", "/v1/deeds?limit=1", "/v1/deeds?q=ring&before=3"),
    *("/v1/samples?limit=3", "/v1/samples?pictures=any&outcome=ng&limit=5", "/v1/samples?label=defect&queued=1"),
    *("/v1/trace?serial=SN0000*", "/v1/trace?lot=L-2026-48&limit=3", f"/v1/trace?part={BOX}/1/1", "/v1/trace?serial=x"),
    *("/v1/causes", "/v1/causes?kind=scratch&limit=3", "/v1/causes?line=nowhere"),
    *("/v1/review/queue?limit=50", "/v1/review/queue?why=disagreement", "/v1/review/queue?why=uncertain&line=line7"),
    *("/v1/rollouts", "/v1/rollouts?line=line7&over=1", "/v1/rollouts?line=line8"),
    *("/v1/boxes/odd", "/v1/boxes?line=line9&sort=drift", "/v1/samples?box=odd&pictures=any", "/v1/trace?part=odd/1/1"),
    *("/v1/drift?box=odd", "/v1/causes?box=odd&kind=scratch", "/v1/yield?box=odd&by=box"),
    *("/v1/lines/line7/rings", "/v1/lines/a/b/rings"),
)
"""Addresses of the made-up fleet that answer 200."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A filled service on SQLite, with what the pages' one lacks: an answer of every kind."""
    with pages_scene.filled(tmp_path_factory.mktemp("document"), ada="admin") as made:
        with writing(made.service.engine) as db:
            label = {"what": "label", "part_epoch": 1, "who": "otto", "at": "2026-11-27T08:00:00Z", "n": 1, "seq": 1}
            odd(db)
            room.add_events(db, BOX, "labels", [label | {"truth": "defect", "defect": "scratch"}])
        yield made


def odd(db: Session) -> None:
    """A box that never spoke but once, and then strangely."""
    room.add_box(db, "odd", room.HOSTILE, "line9", seen_at=None)
    words = [room.HOSTILE, 7, None, {"process": [], "state": {}, "detail": 7}, {"camera": {}, "state": []}]
    room.tell(db, "odd", health=words, camera=words, drift=words, recipes=[{"recipe": 7, "model": None}, 7], disk=7)
    room.arrive(
        db,
        [
            room.part("odd", 1, datetime.now(UTC), "", score=None, threshold=None, defects=[7, None, {"kind": []}]),
            room.part("odd", 2, datetime.now(UTC), "NG", image=[7, {"focus": "much", "alarms": 7}], reasons=[""]),
        ],
    )
    steps: list[dict[str, Any]] = [
        {"to": "FLY", "bundle": 7},
        {"to": "REFUSED", "bundle": room.CHALLENGER, "recipe": None, "figures": 7},
    ]
    room.add_events(db, "odd", "ladder", steps)
    room.halted_stream(db, "odd", "heads")


@pytest.fixture(scope="module")
def document(scene: Rig) -> dict[str, Any]:
    """As the service gives it."""
    found: dict[str, Any] = scene.app.test_client().get("/v1/openapi.json").get_json()
    return found


def operation_of(document: Mapping[str, Any], path: str, method: str) -> dict[str, Any]:
    """Of an address: the one with the fewest parameters whose words fit."""
    words = path.partition("?")[0]
    for known in sorted(document["paths"], key=lambda one: one.count("{")):
        before, _, after = known.partition("{")
        last = after.rpartition("}")[2]
        if method in document["paths"][known] and (
            words == known or ("{" in known and words.startswith(before) and words.endswith(last or words[-1]))
        ):
            found: dict[str, Any] = document["paths"][known][method]
            return found
    raise AssertionError(f"{path}: not in the document")


def assert_as_documented(document: Mapping[str, Any], path: str, method: str, answer: Any) -> None:
    said = operation_of(document, path, method)["responses"][str(answer.status_code)]["content"]["application/json"]
    schema = said["schema"] | {"components": document["components"]}
    wrong = [f"{one.instance_path}: {one.message}" for one in jsonschema_rs.iter_errors(schema, answer.get_json())]
    assert wrong == [], path


def test_every_operation_is_in_the_document(scene: Rig, document: dict[str, Any]) -> None:
    told = {(path, method.upper()) for path, found in document["paths"].items() for method in found}
    there = set()
    for rule in scene.app.url_map.iter_rules():
        if not rule.rule.startswith("/v1/"):
            continue
        path = re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule)
        there |= {(path, method) for method in rule.methods or () if method not in ("HEAD", "OPTIONS")}
    missing = {(path, method) for path, method in there - told if path not in NOT_DOCUMENTED}
    assert missing == set()
    assert told <= there
    assert not {path for path, _ in told} & set(NOT_DOCUMENTED)
    assert {path for path, _ in there} >= set(NOT_DOCUMENTED), "an exception that is none any more"


def test_an_operation_says_who_may_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, found in document["paths"].items():
        for method, one in found.items():
            text = f"{one['summary']} {one['description']}"
            assert one["tags"], path
            if "people" not in one["tags"] and "box" not in one["tags"]:
                assert any(f"`{right}`" in text for right in RIGHTS), f"{method} {path}: expected its right in words"
            assert {"400", "401", "403", "200"} <= one["responses"].keys(), path
            bare = [word["name"] for word in one["parameters"] if word["in"] == "query" and not word["description"]]
            assert bare == [], f"{method} {path}: expected a description"


def test_no_two_shapes_have_one_name(document: dict[str, Any]) -> None:
    # The document holds them by name: the second would take the place of the first.
    shapes, names = [Shape], set()
    while shapes:
        shape = shapes.pop()
        assert shape.__name__ not in names or not shape.__module__.startswith("okng."), shape
        names.add(shape.__name__)
        shapes += shape.__subclasses__()
    assert {"Problem", "Sample", "Plan"} <= names & document["components"]["schemas"].keys()


@pytest.mark.parametrize("path", LOOKS)
def test_what_is_answered_is_what_the_document_says(scene: Rig, document: dict[str, Any], path: str) -> None:
    answer = scene.app.test_client().get(path, headers=scene.bearer(*RIGHTS))
    assert answer.status_code == 200, answer.text
    assert_as_documented(document, path, "get", answer)


def test_the_answers_that_were_looked_at_held_something(scene: Rig) -> None:
    client, headers = scene.app.test_client(), scene.bearer(*RIGHTS)

    def told(path: str) -> Any:
        return client.get(path, headers=headers).get_json()

    boxes = told("/v1/boxes")["boxes"]
    assert {one["level"] for one in boxes} >= {"well", "look", "silent"}
    assert any(one["why"] for one in boxes)
    assert told("/v1/boxes/press-5-0a1b2c3d")["streams"][0]["halted"]
    assert told(f"/v1/boxes/{BOX}")["ladder"][0]["figures"]
    assert told(f"/v1/boxes/{BOX}")["steps"]
    assert told("/v1/yield?by=box")["rows"]
    assert any(one["apart"] is not None for one in told("/v1/drift?figure=focus")["boxes"])
    assert told("/v1/deeds?limit=1")["before"]
    sample = told("/v1/samples?limit=3")
    assert sample["next"]
    assert sample["samples"][0]["pictures"]
    assert told(f"/v1/trace?part={BOX}/1/1")["parts"][0]["labels"]
    assert told("/v1/causes")["causes"]
    assert told("/v1/review/queue?why=disagreement")["parts"][0]["pictures"]
    plan = told("/v1/rollouts?line=line7")["rollouts"][0]
    assert (plan["beside"]["parts"], plan["rings"][0]["boxes"][0]["rung"]) == (22_500 + 3120 + 900, "CHAMPION")


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/boxes?colour=red", "colour"),
        ("/v1/boxes?level=bad", "level"),
        ("/v1/boxes?retired=true", "retired"),
        ("/v1/boxes?line=a&line=b", "line"),
        ("/v1/boxes?limit=1001", "limit"),
        ("/v1/boxes?unknown=", "unknown"),
        ("/v1/yield?by=weather", "by"),
        ("/v1/yield?until=0001-01-01", "until"),
        ("/v1/yield?since=0001-01-01T00:00:00%2B14:00", "since"),
        ("/v1/drift?figure=mood", "figure"),
        ("/v1/deeds?before=0", "before"),
        ("/v1/samples?recipes=cap", "recipes"),
        (f"/v1/samples?cursor=2026-11-27T08:15:04Z|box|1|{10**20}", "cursor"),
        ("/v1/samples?pictures=none", "pictures"),
        ("/v1/export/parts.csv?format=csv", "format"),
        ("/v1/trace?serial=x&colour=red", "colour"),
        (f"/v1/trace?part=box/1/{10**20}", "part"),
        ("/v1/causes?limit=ten", "limit"),
        ("/v1/review/queue?why=boredom", "why"),
        ("/v1/rollouts?over=yes", "over"),
    ],
)
def test_a_word_that_would_be_without_effect_is_named(scene: Rig, document: Any, path: str, named: str) -> None:
    answer = scene.app.test_client().get(path, headers=scene.bearer(*RIGHTS))
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid"
    assert answer.get_json()["detail"].startswith(named), answer.text
    assert_as_documented(document, path, "get", answer)


def test_an_empty_word_is_one_that_was_not_said(scene: Rig) -> None:
    client, headers = scene.app.test_client(), scene.bearer(*RIGHTS)
    for path in (
        "/v1/boxes?q=&line=&site=&level=&sort=&page=&limit=&retired=",
        "/v1/samples?span=&since=&until=&outcome=&label=&cursor=&after=&limit=&pictures=&queued=",
        "/v1/trace?serial=&lot=L-2026-48&part=&limit=",
        "/v1/confirmed?after=",
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code == (401 if "confirmed" in path else 200), answer.text


def test_what_is_done_is_answered_as_the_document_says(scene: Rig, document: dict[str, Any]) -> None:
    client, headers = scene.app.test_client(), scene.bearer(*RIGHTS)
    bundle = client.get(f"/v1/boxes/{BOX}", headers=headers).get_json()["ladder"][0]["bundle"]
    members = client.get("/v1/lines/line7/rings", headers=headers).get_json()["members"]
    unlock = {"recipe": "cap", "bundle": bundle, "reason": "the lamp was new"}
    word = {"box": BOX, "epoch": 1, "seq": 1, "truth": "good"}
    for method, path, body, status in (
        ("post", f"/v1/boxes/{BOX}/unlock", unlock | {"reason": ""}, 422),
        ("post", f"/v1/boxes/{BOX}/unlock", unlock | {"why": "the lamp was new"}, 400),
        ("post", f"/v1/boxes/{BOX}/unlock", unlock, 200),
        ("post", "/v1/review", word | {"epoch": True}, 400),
        ("post", "/v1/review", word | {"truth": "nice"}, 422),
        ("post", "/v1/review", word, 200),
        ("post", f"{PLAN}/pause", {"reason": "tea"}, 200),
        ("post", f"{PLAN}/resume", {}, 422),
        ("post", f"{PLAN}/resume", {"reason": "tea was had"}, 200),
        ("post", f"{PLAN}/automatic", None, 200),
        ("post", f"{PLAN}/fly", {}, 404),
        ("post", f"{PLAN}/open", {"rings": "rest"}, 400),
        ("post", "/v1/rollouts/halt", {"reasons": "smoke"}, 400),
        ("post", "/v1/rollouts/halt", None, 200),
        ("post", "/v1/rollouts/resume", None, 400),
        ("post", "/v1/rollouts/resume", {"reason": "no smoke"}, 200),
        ("put", "/v1/lines/line7/rings", {"members": {"pilot": "box"}}, 400),
        ("put", "/v1/lines/line7/rings", {"members": members}, 200),
        ("put", "/v1/lines/line7/rings", {"members": {"pilot": ["nobody"]}}, 422),
    ):
        more: dict[str, Any] = {} if body is None else {"json": body}
        answer = getattr(client, method)(path, headers=headers, **more)
        assert answer.status_code == status, (path, body, answer.text)
        assert_as_documented(document, path, method, answer)
    for kind in ("csv", "jsonl"):
        answer = client.get(f"/v1/export/parts.{kind}?line=line7", headers=headers)
        media = document["paths"]["/v1/export/parts.{kind}"]["get"]["responses"]["200"]["content"]
        assert (answer.status_code, answer.mimetype in media) == (200, True)
        assert "Content-Length" not in answer.headers, "held as a whole before it was sent"


def test_a_box_hears_the_truth_as_the_document_says(scene: Rig, document: dict[str, Any]) -> None:
    key = scene.enrol("press20", "line9")
    with writing(scene.service.engine) as db:
        room.arrive(db, [room.part(key.id, 1, room.NOW)])
        room.add_events(db, key.id, "ladder", [room.differs(1)])
    said = {"box": key.id, "epoch": 1, "seq": 1, "truth": "good"}
    client = scene.app.test_client()
    assert client.post("/v1/review", json=said, headers=scene.bearer("review")).status_code == 200
    answer = scene.as_box(key).get("/v1/confirmed?after=0")
    assert [one["truth"] for one in answer.get_json()["confirmed"]] == ["good"]
    assert_as_documented(document, "/v1/confirmed", "get", answer)
    assert scene.as_box(key).get("/v1/confirmed?since=0").status_code == 400


def test_a_service_without_keys_says_so_as_the_document_says(fleet: Rig, document: dict[str, Any]) -> None:
    client, headers = fleet.app.test_client(), fleet.bearer("look", "rollout.halt", "rollout.open")
    for method, path, body in (
        ("post", "/v1/rollouts/halt", None),
        ("post", "/v1/rollouts/resume", {"reason": "x"}),
        ("post", f"{PLAN}/open", {"ring": "pilot"}),
        ("put", "/v1/lines/line7/rings", {"members": {}}),
    ):
        more: dict[str, Any] = {} if body is None else {"json": body}
        answer = getattr(client, method)(path, headers=headers, **more)
        assert answer.status_code == 409, path
        assert_as_documented(document, path, method, answer)
