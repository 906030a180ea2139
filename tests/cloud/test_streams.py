import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from okng.cloud.database import reading, writing
from okng.cloud.deeds import broken
from okng.cloud.said import MOST_BYTES
from okng.cloud.tables import Alarm, Box, Cursor, Deed, Event, Part

from .rig import JSONL, BoxKey, Rig, canonical, line, part_body, zipped


def parts(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    return [line(seq, "part", part_body(seq, **more)) for seq in range(first, last + 1)]


def say(fleet: Rig, box: BoxKey, lines: list[dict[str, Any]], stream: str = "records", epoch: int = 1) -> Any:
    return fleet.as_box(box).post(f"/v1/streams/{stream}/{epoch}/{lines[0]['seq']}", data=zipped(lines), headers=JSONL)


def count(fleet: Rig, kind: Any) -> int:
    with reading(fleet.service.engine) as db:
        return db.execute(sa.select(sa.func.count()).select_from(kind)).scalar_one()


def test_what_is_said_twice_has_one_effect(fleet: Rig) -> None:
    box = fleet.enrol()
    for lines in (parts(1, 40), parts(1, 40), parts(21, 60), parts(30, 35)):
        answer = say(fleet, box, lines)
        assert answer.status_code == 200, answer.text
    assert answer.get_json() == {"acked": 60}
    assert count(fleet, Event) == count(fleet, Part) == 60
    with reading(fleet.service.engine) as db:
        one = db.get_one(Part, (box.id, 1, 7))
        assert (one.serial, one.disposition, one.outcome, one.score) == ("SN000007", "pass", "OK", 12.5)


def test_a_gap_is_named_and_nothing_is_stored(fleet: Rig) -> None:
    box = fleet.enrol()
    answer = say(fleet, box, parts(5, 9))
    assert (answer.status_code, answer.get_json()["next"]) == (409, 1)
    assert count(fleet, Event) == 0
    say(fleet, box, parts(1, 2))
    assert say(fleet, box, parts(4, 4)).get_json()["next"] == 3


def test_numbers_of_another_epoch_stream_and_box_are_others(fleet: Rig) -> None:
    one, two = fleet.enrol("one"), fleet.enrol("two")
    assert say(fleet, one, parts(1, 3)).status_code == 200
    assert say(fleet, one, parts(1, 3, serial="other"), epoch=2).status_code == 200
    assert say(fleet, two, parts(1, 3, serial="third")).status_code == 200
    assert say(fleet, one, [line(1, "alarm", {"n": 1})], "alarms").status_code == 200
    assert count(fleet, Event) == 10
    assert count(fleet, Part) == 9


def test_other_content_under_a_known_number_halts_the_stream_until_a_person_decides(fleet: Rig) -> None:
    box = fleet.enrol()
    say(fleet, box, parts(1, 10))
    answer = say(fleet, box, parts(8, 12, serial="forged"))
    assert (answer.status_code, answer.get_json()["seq"]) == (422, 8)
    assert say(fleet, box, parts(11, 12)).status_code == 422
    assert count(fleet, Event) == 10
    assert say(fleet, box, [line(1, "alarm", {"n": 1})], "alarms").status_code == 200
    with reading(fleet.service.engine) as db:
        (alarm,) = db.execute(sa.select(Alarm)).scalars()
        assert (alarm.kind, alarm.box, alarm.detail["seq"], alarm.ended_at) == ("stream_halted", box.id, 8, None)

    place = f"/v1/boxes/{box.id}/streams/records/1/resume"
    client = fleet.app.test_client()
    assert client.post(place).status_code == 401
    assert client.post(place, headers=fleet.bearer("look", "enrol")).status_code == 403
    assert client.post(place, headers=fleet.bearer("stream.resume")).get_json() == {"resumed": True}
    assert client.post(place, headers=fleet.bearer("stream.resume")).status_code == 404

    assert say(fleet, box, parts(8, 12, serial="forged")).get_json() == {"acked": 12}
    with reading(fleet.service.engine) as db:
        stored = {seq: serial for seq, serial in db.execute(sa.select(Part.seq, Part.serial).where(Part.seq >= 8))}
        assert stored == {8: "SN000008", 9: "SN000009", 10: "SN000010", 11: "forged", 12: "forged"}
        assert str(db.execute(sa.select(Alarm.ended_by)).scalar_one()).startswith("token:")
        said = list(db.execute(sa.select(Deed.what).order_by(Deed.id)).scalars())
        assert "stream halted" in said
        assert "stream resumed" in said
        assert broken(db) is None
    assert say(fleet, box, parts(12, 13, serial="again")).status_code == 422


def test_a_number_that_had_to_be_dropped_is_no_other_content(fleet: Rig) -> None:
    box = fleet.enrol()
    say(fleet, box, parts(1, 3))
    dropped = [line(seq, "dropped", {"seq_part": seq}) for seq in (2, 3, 4)]
    assert say(fleet, box, dropped).get_json() == {"acked": 4}
    assert count(fleet, Part) == 3
    with reading(fleet.service.engine) as db:
        assert db.get_one(Event, (box.id, "records", 1, 4)).kind == "dropped"
        assert db.get_one(Event, (box.id, "records", 1, 2)).kind == "part"


def test_many_writers_of_one_box_have_one_effect(fleet: Rig) -> None:
    box, other = fleet.enrol(), fleet.enrol("other")

    def act(turn: int) -> set[int]:
        who = other if turn % 4 == 3 else box
        return {say(fleet, who, parts(first, first + 19)).status_code for first in (1, 11, 21, 31)}

    with ThreadPoolExecutor(8) as pool:
        seen = set().union(*pool.map(act, range(16)))
    assert seen <= {200, 409}
    for who in (box, other):
        for first in (1, 21, 31):
            assert say(fleet, who, parts(first, first + 19)).status_code == 200
    assert count(fleet, Event) == count(fleet, Part) == 100
    with reading(fleet.service.engine) as db:
        assert sorted(db.execute(sa.select(Cursor.acked)).scalars()) == [50, 50]


def test_a_part_that_cannot_be_read_does_not_hold_up_the_others(fleet: Rig) -> None:
    box = fleet.enrol()
    lines = parts(1, 4)
    lines[1] = line(2, "part", {"seq": "two"})
    lines[2] = line(3, "part", part_body(1, serial="twice"))
    assert say(fleet, box, lines).get_json() == {"acked": 4}
    with reading(fleet.service.engine) as db:
        assert sorted(db.execute(sa.select(Part.seq)).scalars()) == [1, 4]
        assert db.get_one(Part, (box.id, 1, 1)).serial == "SN000001"
        (alarm,) = db.execute(sa.select(Alarm)).scalars()
        assert "seq = 'two'" in alarm.detail["events"][0]
        assert "told before" in " ".join(alarm.detail["events"]) or len(alarm.detail["events"]) == 1


ODD = part_body(
    1, serial="a\0b", lot="好 ☃ 𝄞", station="x" * 5000, score=1e-300, reasons=["r"] * 300, defects=[{"x": 1e16}]
)


def test_odd_texts_are_stored_and_known_again(fleet: Rig) -> None:
    box = fleet.enrol()
    lines = [line(1, "part", ODD)]
    for _ in range(2):
        assert say(fleet, box, lines).get_json() == {"acked": 1}
    with reading(fleet.service.engine) as db:
        one = db.get_one(Part, (box.id, 1, 1))
        assert (one.serial, one.lot, len(one.station), len(one.reasons)) == ("a\ufffdb", "好 ☃ 𝄞", 100, 100)


def raw(*lines: bytes) -> bytes:
    return gzip.compress(b"\n".join(lines) + b"\n")


GOOD = canonical(line(1, "part", part_body(1)))
DEEP = b'{"a":' * 200 + b"1" + b"}" * 200
DEEPER = b"[" * 100_000 + b"]" * 100_000


def with_body(body: bytes) -> bytes:
    return b'{"seq":1,"kind":"part","at":"2026-11-27T08:00:00Z","sha256":"' + b"0" * 64 + b'","body":' + body + b"}"


REFUSED = [
    (b"", 400, "gzip"),
    (b"not gzip", 400, "gzip"),
    (gzip.compress(GOOD)[:-9], 400, "ends too early"),
    (raw(GOOD) + raw(GOOD), 400, "one gzip member"),
    (gzip.compress(b"\0" * (64 << 20), 9), 413, str(MOST_BYTES)),
    (raw(*[GOOD] * 513), 413, "512 events"),
    (raw(with_body(b'"' + b"a" * (300 << 10) + b'"')), 413, "line 1"),
    (raw(b""), 400, "line 1"),
    (raw(b"[]"), 400, "line 1"),
    (raw(b"{}"), 400, "seq"),
    (raw(b"\xff\xfe"), 400, "UTF-8"),
    (raw(with_body(b"{}")), 400, "sha256"),
    (raw(with_body(b'"text"')), 400, "expected an object"),
    (raw(with_body(b'{"a":NaN}')), 400, "no number"),
    (raw(with_body(b'{"a":1e999}')), 400, "too large"),
    (raw(with_body(b'{"a":"\\ud800"}')), 400, "Unicode"),
    (raw(with_body(DEEP)), 400, "nested too deeply"),
    (raw(with_body(DEEPER)), 400, "line 1"),
    (raw(with_body(b'{"a":' + b"9" * 5000 + b"}")), 400, "line 1"),
    (raw(canonical(line(2, "part", part_body(1)))), 400, "expected 1"),
    (raw(canonical({**line(1, "part", {}), "seq": True})), 400, "seq = True"),
    (raw(canonical(line(1, "alarm", {}))), 400, "'part'"),
    (raw(canonical(line(1, "part", {}, at="2026-11-27T08:00:00+08:00"))), 400, "UTC"),
    (raw(canonical(line(1, "part", {}, at="yesterday"))), 400, "UTC"),
    (raw(canonical({**line(1, "part", {}), "more": 1})), 400, "nothing else"),
    (raw(GOOD, canonical(line(3, "part", part_body(3)))), 400, "line 2"),
]


def test_every_refusal_names_what_was_expected_and_stores_nothing(fleet: Rig) -> None:
    client = fleet.as_box(fleet.enrol())
    for data, code, words in REFUSED:
        answer = client.post("/v1/streams/records/1/1", data=data, headers=JSONL)
        assert answer.status_code == code, (data[:80], answer.text)
        assert words in answer.get_json()["detail"], (words, answer.get_json())
    assert count(fleet, Event) == 0


def test_a_wrong_place_or_kind_of_body_is_refused(fleet: Rig) -> None:
    client, data = fleet.as_box(fleet.enrol()), raw(GOOD)
    for place, headers, code in (
        ("/v1/streams/gossip/1/1", JSONL, 400),
        ("/v1/streams/records/0/1", JSONL, 400),
        (f"/v1/streams/records/{1 << 40}/1", JSONL, 400),
        ("/v1/streams/records/1/0", JSONL, 400),
        (f"/v1/streams/records/1/{1 << 70}", JSONL, 400),
        ("/v1/streams/records/x/1", JSONL, 404),
        ("/v1/streams/records/1/1", {**JSONL, "Content-Type": "text/plain"}, 415),
        ("/v1/streams/records/1/1", {**JSONL, "Content-Encoding": "br"}, 415),
    ):
        answer = client.post(place, data=data, headers=headers)
        assert answer.status_code == code, (place, answer.text)
        assert "expected" in answer.get_json()["detail"] or code == 404
    assert client.post("/v1/streams/records/1/1", data=b"\0" * (3 << 20), headers=JSONL).status_code == 413
    assert count(fleet, Event) == 0


def test_who_is_no_box_says_nothing(fleet: Rig) -> None:
    box = fleet.enrol()
    data = zipped(parts(1, 2))
    plain = fleet.app.test_client()
    assert plain.post("/v1/streams/records/1/1", data=data, headers=JSONL).status_code == 401
    forged = {**JSONL, "X-Client-Cert-SHA256": box.sha256, "okng.peer_sha256": box.sha256}
    assert plain.post("/v1/streams/records/1/1", data=data, headers=forged).status_code == 401
    token = {**JSONL, **fleet.bearer("look", "review", "export", "enrol")}
    assert plain.post("/v1/streams/records/1/1", data=data, headers=token).status_code == 401
    with writing(fleet.service.engine) as db:
        db.get_one(Box, box.id).retired_at = db.get_one(Box, box.id).enrolled_at
    answer = fleet.as_box(box).post("/v1/streams/records/1/1", data=data, headers=JSONL)
    assert answer.status_code == 401
    assert "retired" in answer.get_json()["detail"]


@pytest.mark.usefixtures("one_minute")
def test_too_many_requests_of_one_box_wait_and_the_other_does_not(fleet: Rig) -> None:
    object.__setattr__(fleet.settings.limits, "box_requests_a_minute", 3)
    box, other = fleet.enrol(), fleet.enrol("other")
    answers = [say(fleet, box, parts(1, 1)) for _ in range(8)]
    assert [one.status_code for one in answers] == [200] * 3 + [429] * 5
    late = answers[-1]
    assert 1 <= int(late.headers["Retry-After"]) <= 61
    assert say(fleet, other, parts(1, 1)).status_code == 200


def test_a_body_without_gzip_is_taken_too(fleet: Rig) -> None:
    client = fleet.as_box(fleet.enrol())
    answer = client.post("/v1/streams/records/1/1", data=GOOD, headers={"Content-Type": "application/jsonl"})
    assert json.loads(answer.data) == {"acked": 1}
