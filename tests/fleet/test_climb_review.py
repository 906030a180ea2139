"""From a part that two models see differently to a reviewer's word that counts on the box, and what it cannot do."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from okng.bus.channel import AskDoor, ask_address
from okng.bus.errors import StoreLost
from okng.bus.ladder import Compared, Role
from okng.cloud import review
from okng.cloud.database import reading, writing
from okng.fleet.climb_box import ClimbBox
from okng.fleet.climb_review import FILE, Differed, Heard, Reviews, _taken
from okng.fleet.climb_rules import Rules
from okng.fleet.climb_watch import ChallengerWatch
from okng.fleet.enrol import home_of
from okng.fleet.link import Link
from okng.fleet.rollback import Figures, Finding, Then
from okng.records.beside_read import BesideReader, Judged

from .box_side import MODEL, BoxSide, box_side
from .fault_proxy import kind, seeded
from .fleet_service import FleetService, on_postgres
from .test_uplink import quick

pytestmark = pytest.mark.timeout(300)
CHALLENGER = "c5" * 32
ANN, BEN = "person:local:ann", "person:local:ben"


class Climbing:
    """The climb as far as it is asked."""

    def __init__(self) -> None:
        self.watch = ChallengerWatch(CHALLENGER, MODEL, Figures(), 0.0)
        self.rules = Rules({"cap": self.watch})
        self.found: dict[str, Finding] = {}

    def see(self, part: int, champion: str, challenger: str, at_ns: int = 0) -> None:
        at_ns = at_ns or part * 1000
        said = Compared(part, at_ns, "top", MODEL, CHALLENGER, champion, challenger, 1.8, 0.2, 1000, Role.SHADOW)
        self.rules.hear([said], [])

    def differed(self) -> Sequence[Differed]:
        return self.rules.differed()

    def reviewed(self, words: Mapping[str, Mapping[int, str]]) -> None:
        self.found = self.rules.reviewed(words)


@pytest.fixture(scope="module")
def service() -> Iterator[FleetService]:
    """The service on PostgreSQL."""
    with on_postgres() as found:
        yield found


@pytest.fixture
def box(service: FleetService) -> Iterator[BoxSide]:
    """A box that was let in and whose pictures leave."""
    with box_side(service, leaves="pictures") as made:
        service.proxy.fate = kind
        made.enrol()
        yield made
    service.proxy.fate = kind


@contextlib.contextmanager
def at_the_door(box: BoxSide) -> Iterator[None]:
    """Records answers."""
    stop = threading.Event()

    def serve() -> None:
        with AskDoor(ask_address(box.run_dir, "records")) as door:
            while not stop.is_set():
                door.serve(box.desk, 20)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def reviews(box: BoxSide, *, online: bool = True) -> Reviews:
    """As after a start of sync."""
    place = ClimbBox("box", box.run_dir, box.store, box.folder / "bundles", lambda: ())
    return Reviews(place, Link(box.options, home_of(box.options, box.state)) if online else None)


def ladder(box: BoxSide) -> list[int]:
    """Parts that the stream tells of."""
    with box.reader.asking() as ask:
        return [row["ref"] for row in ask("select ref from outgoing where stream = 'ladder' order by seq")]


def test_what_differs_is_judged_at_the_service_and_takes_the_challenger_back(
    box: BoxSide, service: FleetService
) -> None:
    box.happen(60, lambda part: b"picture %d" % part)
    climb = Climbing()
    for part in range(1, 61):
        climb.see(part, "NG" if part % 3 == 0 else "OK", "OK")
    assert climb.differed()[0].parts == ()  # nothing is told before it is found in the ledger
    climb.rules.labelled(BesideReader(box.store).judged(climb.rules.asked()))
    first = reviews(box)
    assert first.step(climb) > 0  # records does not answer: later
    assert ladder(box) == []
    with at_the_door(box):
        first.step(climb)
        told = ladder(box)
        assert len(told) == 20
        first.step(climb)
        reviews(box).step(climb)  # as after a restart: records knows what it has told
    assert ladder(box) == told

    service.proxy.fate = seeded(3, 0.2, 0.2)
    uplink = box.uplink()
    quick(uplink)
    box.drain(uplink)
    service.proxy.fate = kind
    box.is_level()
    with reading(service.engine) as db:
        waiting = review.queue(db, ANN, "disagreement", box=box.box, limit=50)
        assert [one.part.seq for one in waiting] == told
        assert {(one.sample.bundle, one.sample.champion_ok) for one in waiting} == {(CHALLENGER, False)}
        assert all(one.pictures for one in waiting)
    for seq in told[:17]:
        with writing(service.engine) as db:
            review.say(db, ANN, box.box, 1, seq, "defect")
    with at_the_door(box):
        hearing = reviews(box)
        hearing.step(climb)
        assert climb.found == {}  # 17 are not enough
        assert (climb.watch.told()["reviewed"], climb.watch.told()["reviewed_wrong"]) == (17, 17)
        for who, word in ((ANN, "defect"), (BEN, "good"), (ANN, "good"), (ANN, "defect")):
            with writing(service.engine) as db:
                review.say(db, who, box.box, 1, told[17], word)
        hearing._asked_s = float("-inf")
        hearing.step(climb)
        assert climb.found == {}  # they contradict one another: nothing is settled
        with writing(service.engine) as db:
            review.say(db, BEN, box.box, 1, told[17], "defect")
        hearing._asked_s = float("-inf")
        hearing.step(climb)
    finding = climb.found[CHALLENGER]
    assert (finding.rule, finding.then) == ("worse", Then.PEOPLE)
    assert finding.figures == {"judged": 18, "challenger_wrong": 18, "reviewed": 18}
    # What was heard is there after a restart, without the service.
    again = Climbing()
    again.watch.differing = climb.watch.differing
    with at_the_door(box):
        reviews(box, online=False).step(again)
    assert again.found[CHALLENGER].figures["reviewed"] == 18


def judged(climb: Climbing, words: Mapping[int, str]) -> dict[str, Finding]:
    """The line's words, by part; the part's number is the ledger's."""
    found = [
        Judged(one.part, one.at_ns, one.part, "2026-11-27T08:00:00Z", True, words.get(one.part, ""))
        for one in climb.watch.differing
    ]
    return climb.rules.labelled(found)


def seen(parts: int) -> Climbing:
    """Challenger OK, champion NG on all."""
    climb = Climbing()
    climb.watch.figures = Figures(disagree_pct=100.0)
    climb.watch.__post_init__()
    for part in range(1, parts + 1):
        climb.see(part, "NG", "OK")
    return climb


def test_words_of_the_fleet_never_keep_a_challenger_that_the_line_proved_worse() -> None:
    climb = seen(200)
    judged(climb, {})
    climb.reviewed({CHALLENGER: dict.fromkeys(range(1, 201), "good")})  # the challenger was right in all, it says
    assert climb.found == {}
    assert judged(climb, dict.fromkeys(range(1, 18), "defect")) == {}
    found = judged(climb, dict.fromkeys(range(1, 19), "defect"))[CHALLENGER]
    assert found.figures["challenger_wrong"] == 18
    told = climb.watch.told()
    assert (told["reviewed"], told["reviewed_wrong"], told["judged"]) == (182, 0, 18)


def test_words_of_the_fleet_count_for_nothing_that_lets_a_bundle_climb() -> None:
    climb = seen(200)
    judged(climb, {})
    before = climb.watch.told()
    climb.reviewed({CHALLENGER: dict.fromkeys(range(1, 201), "good"), "f" * 64: {1: "defect"}})
    after = climb.watch.told()
    assert {name for name in before if before[name] != after[name]} == {"reviewed"}
    assert (climb.watch.checked, climb.watch.escapes) == (0, 0)  # what bounds the escapes for people


def test_the_line_s_word_goes_before_the_fleet_s_and_a_part_counts_once() -> None:
    climb = seen(40)
    fleet = {CHALLENGER: dict.fromkeys(range(1, 18), "defect")}
    judged(climb, {1: "defect", 2: "unsure"})
    climb.reviewed(fleet)
    assert climb.found == {}  # 17, though part 1 was judged twice
    assert climb.watch.told()["reviewed"] == 16
    climb.reviewed({CHALLENGER: dict.fromkeys(range(1, 19), "defect")})
    assert climb.found[CHALLENGER].figures == {"judged": 18, "challenger_wrong": 18, "reviewed": 17}
    assert judged(climb, {1: "good"}) == {}  # the line thinks again: 16 against one
    climb.reviewed(fleet)
    assert climb.found == {}
    climb.reviewed({})  # all is taken back
    assert climb.watch.told()["reviewed"] == 0


def page(*rows: tuple[Any, Any, Any, Any]) -> dict[str, Any]:
    names = ("n", "bundle", "part_seq", "truth")
    return {"confirmed": [dict(zip(names, row, strict=True)) for row in rows], "next": 0}


def test_what_is_not_as_agreed_is_not_taken(tmp_path: Path) -> None:
    heard = Heard(tmp_path / FILE, "box", 5)
    good = (6, CHALLENGER, 1, "good")
    for said in (
        *({}, {"confirmed": None}, {"confirmed": [3]}, {"confirmed": [{"n": 6}]}),
        *(page(good, good), page((5, CHALLENGER, 1, "good")), page(good, (True, CHALLENGER, 1, "good"))),
        *(page(good, (7, CHALLENGER, 0, "good")), page(good, (7, CHALLENGER, 1, "bad")), page((2**70, "", 1, "good"))),
        page(good, (7, [], 1, "good")),
    ):
        with pytest.raises(StoreLost, match="/v1/confirmed"):
            _taken(heard, said, {CHALLENGER})
        assert (heard.after, heard.words) == (5, {})
    assert _taken(heard, page(good, (9, "f" * 64, 2, "good"), (12, CHALLENGER, 3, "defect")), {CHALLENGER})
    assert (heard.after, heard.words) == (12, {CHALLENGER: {1: "good", 3: "defect"}})
    assert _taken(heard, page((13, CHALLENGER, 1, "unsure")), {CHALLENGER})
    assert not _taken(heard, page(), {CHALLENGER})
    heard.write()
    assert Heard.load(tmp_path) == heard
    (tmp_path / FILE).write_text('{"box": 3')
    assert Heard.load(tmp_path).after == 0


def test_nothing_is_asked_while_no_challenger_is_on_the_line(box: BoxSide, service: FleetService) -> None:
    service.proxy.seen.clear()
    climb = Climbing()
    climb.rules.challengers.clear()
    reviews(box).step(climb)
    assert not any("/v1/confirmed" in str(one) for one in service.proxy.seen)
    asking = reviews(box)
    began = time.monotonic()
    asking.step(Climbing())
    asking.step(Climbing())
    assert time.monotonic() - began < 60
    assert sum("/v1/confirmed" in str(one) for one in service.proxy.seen) == 1
