"""What people say of parts: who may contradict whom, what settles, and what a box is told of it."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from okng.bus.errors import Refused
from okng.cloud import review
from okng.cloud.database import reading, writing
from okng.cloud.pages.box_page import history
from okng.cloud.tables_rollout import Confirmed, Sample

from . import pages_room as room
from .rig import Rig

ADA, BEN, CLEO = (f"person:local:{name}" for name in ("ada", "ben", "cleo"))


@pytest.fixture
def queued(database: Engine) -> Engine:
    """Part 1: the challenger says NG of an OK. 2: overridden. 3: close to its limit. 4: nothing about it."""
    with writing(database) as db:
        for name in ("ada", "ben", "cleo"):
            room.add_person(db, name, "reviewer")
        room.add_box(db, "box1")
        rows = [room.part("box1", n, room.NOW - timedelta(minutes=9 - n)) for n in (1, 2, 3, 4)]
        rows[2]["score"] = 3.9
        room.arrive(db, rows)
        room.add_events(db, "box1", "ladder", [room.differs(1), room.differs(4, challenger_outcome="OK")])
        labels = [
            {"what": "label", "part_epoch": 1, "n": n, "seq": n, "truth": truth}
            for n, truth in ((2, "defect"), (4, "good"))
        ]
        room.add_events(
            db,
            "box1",
            "labels",
            [*labels, {"what": "label", "seq": "x"}, {"what": "label", "part_epoch": 1, "seq": 99}],
        )
        for n in (1, 2, 3):
            room.add_picture(db, "box1", n, f"picture {n}".encode())
    return database


def say(engine: Engine, who: str, seq: int, truth: str, kind: str = "") -> tuple[str, str]:
    with writing(engine) as db:
        sample = review.say(db, who, "box1", 1, seq, truth, kind)
        return sample.state, sample.truth


def told(engine: Engine) -> list[tuple[int, str]]:
    with reading(engine) as db:
        return [(one.part_seq, one.truth) for one in review.confirmed_after(db, "box1", 0)]


def test_the_most_telling_parts_come_first(queued: Engine) -> None:
    with reading(queued) as db:
        rows = review.queue(db, ADA)
        assert [(row.part.seq, row.sample.why) for row in rows] == [
            (1, "disagreement"),
            (2, "overridden"),
            (3, "uncertain"),
        ]
        assert [row.part.seq for row in review.queue(db, ADA, "uncertain")] == [3]
        assert review.queue(db, ADA, line="line8") == []
        assert len(review.queue(db, ADA, line="line7", recipe="cap", box="box1")) == 3
        assert review.waiting(db, ADA) == 3


def test_a_part_without_a_picture_waits_until_it_is_there(queued: Engine) -> None:
    with writing(queued) as db:
        room.arrive(db, [room.part("box1", 9, room.NOW, score=4.2)])
        assert 9 not in [row.part.seq for row in review.queue(db, ADA)]
        room.add_picture(db, "box1", 9, b"picture 9", state="awaited")
        assert 9 not in [row.part.seq for row in review.queue(db, ADA)]
    with writing(queued) as db:
        db.execute(sa.text("update blob set state = 'have'"))
        assert 9 in [row.part.seq for row in review.queue(db, ADA)]


def test_a_part_that_differs_may_come_after_the_word_of_it_and_what_was_uncertain_moves_up(queued: Engine) -> None:
    with writing(queued) as db:
        room.add_events(db, "box1", "ladder", [room.differs(9), room.differs(3, champion_ok=False)], first=10)
        room.add_picture(db, "box1", 9, b"picture 9")
        assert [row.part.seq for row in review.queue(db, ADA)] == [1, 3, 2]  # 9 is not there
        assert review.waiting(db, ADA) == 3
        room.arrive(db, [room.part("box1", 9, room.NOW, score=4.0)])  # which alone would make it uncertain
        rows = {row.part.seq: row.sample for row in review.queue(db, ADA)}
        assert set(rows) == {1, 2, 3, 9}
        for seq, champion_ok in ((3, False), (9, True)):
            found = rows[seq]
            assert (found.why, found.bundle, found.champion_ok) == ("disagreement", room.CHALLENGER, champion_ok)
        # The word of another challenger comes too late, and what makes no sense changes nothing.
        wrong: list[dict[str, object]] = [
            {"seq": 0},
            {"part_epoch": True},
            {"bundle": "x"},
            {"champion_outcome": "UNJUDGED"},
            {"what": "other"},
        ]
        room.add_events(
            db,
            "box1",
            "ladder",
            [room.differs(9, bundle="f" * 64), *({**room.differs(77), **one} for one in wrong)],
            20,
        )
        assert db.get_one(Sample, ("box1", 1, 9)).bundle == room.CHALLENGER
        assert db.get(Sample, ("box1", 1, 77)) is None
        # The box's page lists its steps alone.
        room.climb(db, "box1", "SHADOW", seq=40)
        assert [one["to"] for one in history(db, "box1")] == ["SHADOW"]


def test_a_truth_that_was_settled_before_the_part_was_known_to_differ_is_told_to_the_box(queued: Engine) -> None:
    assert say(queued, ADA, 3, "good") == ("settled", "good")
    assert told(queued) == []
    for first in (10, 11):  # said twice: told once
        with writing(queued) as db:
            room.add_events(db, "box1", "ladder", [room.differs(3)], first=first)
    assert told(queued) == [(3, "good")]


def test_two_people_may_contradict_and_a_third_decides(queued: Engine) -> None:
    assert say(queued, ADA, 1, "good") == ("settled", "good")
    assert say(queued, BEN, 1, "defect", "scratch") == ("disputed", "")
    with reading(queued) as db:
        assert [row.part.seq for row in review.queue(db, ADA)] == [2, 3]  # who has spoken is not asked again
        shown = review.queue(db, CLEO)[0]
        assert [(name, truth, kind) for name, truth, kind, _ in shown.words] == [
            ("Ada", "good", ""),
            ("Ben", "defect", "scratch"),
        ]
    assert say(queued, CLEO, 1, "defect") == ("settled", "defect")
    assert told(queued) == [(1, "good"), (1, "unsure"), (1, "defect")]
    with reading(queued) as db:
        assert 1 not in [row.part.seq for row in review.queue(db, "person:local:dora")]


def test_a_person_may_think_again(queued: Engine) -> None:
    assert say(queued, ADA, 1, "good") == ("settled", "good")
    assert say(queued, ADA, 1, "defect") == ("settled", "defect")
    assert say(queued, ADA, 1, "defect") == ("settled", "defect")
    assert say(queued, ADA, 1, "unsure") == ("unsure", "")
    assert told(queued) == [(1, "good"), (1, "defect"), (1, "unsure")]


def test_only_disagreements_are_told_to_the_box(queued: Engine) -> None:
    assert say(queued, ADA, 2, "defect") == ("settled", "defect")
    assert say(queued, ADA, 3, "good") == ("settled", "good")
    assert told(queued) == []


def test_what_makes_no_sense_is_refused(queued: Engine) -> None:
    for seq, truth, kind, said in (
        (1, "bad", "", "expected one of good"),
        (4, "good", "", "expected one that waits"),
        (1, "good", "scratch", "expected the class of a defect"),
        (1, "defect", "x" * 65, "at most 64 characters"),
    ):
        with pytest.raises(Refused, match=said):
            say(queued, ADA, seq, truth, kind)


def test_the_contest_counts_who_was_wrong(queued: Engine) -> None:
    with reading(queued) as db:
        assert review.contest(db, room.CHALLENGER) == review.Contest(0, 0, 0, 0, 1)
    say(queued, ADA, 1, "good")  # the champion said OK, the challenger NG: the challenger was wrong
    with reading(queued) as db:
        assert review.contest(db, room.CHALLENGER) == review.Contest(1, 0, 0, 0, 0)
    say(queued, ADA, 1, "defect")
    with reading(queued) as db:
        assert review.contest(db, room.CHALLENGER) == review.Contest(0, 1, 0, 1, 0)
    with writing(queued) as db:
        room.arrive(db, [room.part("box1", 20, room.NOW, "NG")])
        room.add_events(db, "box1", "ladder", [room.differs(20, champion_ok=False)], first=3)
    say(queued, ADA, 20, "defect")  # the challenger would have let it pass
    with reading(queued) as db:
        found = review.contest(db, room.CHALLENGER)
    assert (found.wrong, found.missed, found.checked_ng) == (1, 1, 2)


def test_many_who_speak_at_once_are_all_heard(queued: Engine) -> None:
    failed: list[Exception] = []

    def speak(n: int) -> None:
        try:
            say(queued, f"person:local:p{n}", 1, "good" if n % 2 else "defect")
        except Exception as error:  # noqa: BLE001 - whatever it was, the test says it
            failed.append(error)

    people = [threading.Thread(target=speak, args=(n,)) for n in range(8)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert failed == []
    with reading(queued) as db:
        sample = db.get_one(Sample, ("box1", 1, 1))
        assert (sample.state, sample.truth) == ("disputed", "")
        numbers = list(db.scalars(sa.select(Confirmed.n).order_by(Confirmed.n)))
        assert numbers == sorted(set(numbers))


def test_people_who_speak_of_different_parts_of_a_box_at_once_do_not_stop_one_another(queued: Engine) -> None:
    seqs = range(30, 38)
    with writing(queued) as db:
        room.arrive(db, [room.part("box1", seq, room.NOW) for seq in seqs])
        room.add_events(db, "box1", "ladder", [room.differs(seq) for seq in seqs], first=10)
    failed: list[Exception] = []
    ready = threading.Barrier(len(seqs))

    def speak(seq: int) -> None:
        try:
            ready.wait(30)
            say(queued, ADA, seq, "good")
        except Exception as error:  # noqa: BLE001 - whatever it was, the test says it
            failed.append(error)

    people = [threading.Thread(target=speak, args=(seq,)) for seq in seqs]
    for one in people:
        one.start()
    for one in people:
        one.join()
    assert failed == []
    assert sorted(told(queued)) == [(seq, "good") for seq in seqs]


def test_a_box_hears_only_of_its_own_parts_and_only_with_its_certificate(fleet: Rig) -> None:
    mine, other = fleet.enrol("press1", "line7"), fleet.enrol("press2", "line7")
    with writing(fleet.service.engine) as db:
        for key in (mine, other):
            room.arrive(db, [room.part(key.id, 1, room.NOW)])
            room.add_events(db, key.id, "ladder", [room.differs(1)])
            review.say(db, ADA, key.id, 1, 1, "good")
    told = fleet.as_box(mine).get("/v1/confirmed").get_json()
    assert [(one["part_seq"], one["truth"], one["bundle"]) for one in told["confirmed"]] == [
        (1, "good", room.CHALLENGER)
    ]
    assert fleet.as_box(mine).get(f"/v1/confirmed?after={told['next']}").get_json() == {
        "confirmed": [],
        "next": told["next"],
    }
    assert fleet.app.test_client().get("/v1/confirmed").status_code == 401
    assert fleet.app.test_client().get("/v1/confirmed", headers=fleet.bearer("look", "review")).status_code == 401
    assert fleet.as_box(mine).get("/v1/confirmed?after=x").status_code == 400
    assert fleet.as_box(mine).get("/v1/samples").status_code == 401
    queue = fleet.app.test_client().get("/v1/review/queue", headers=fleet.bearer("review")).get_json()
    assert queue == {"waits": 0, "parts": []}
