"""The ladder: no step is skipped by anyone, never two champions, never below the floor; old or new after any stop."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from okng.bus.errors import BadLedger, StoreLost
from okng.bus.ladder import Rung
from okng.fleet import ladder as climb
from okng.fleet import ladder_file
from okng.fleet.ladder_file import FILE, read_ladder, write_ladder
from okng.fleet.ladder_slots import FACTORY, LAST_GOOD, active, fall_back, set_up, take_over
from okng.fleet.ladder_state import CLIMBING, NEXT, Ladder, Needs, NotAStep

CAP = "cap"
CHANNEL = "line1/cap/champion"
DAY_S = 86_400.0


def name(number: int) -> str:
    return f"{number:064x}"


A, B, C = name(1), name(2), name(3)
NEEDS = Needs(shadow_parts=5, canary_parts=7, shadow_ng=2, shadow_days=7.0)


def adopted() -> Ladder:
    return climb.adopt(Ladder(), CAP, A, 0.0)


def climbed(to: Rung, bundle: str = B, ladder: Ladder | None = None, seq: int = 1, **offered: Any) -> Ladder:
    """A ladder on which a bundle has come to a rung, with all that each rung asks for."""
    made = climb.offer(ladder or adopted(), CAP, bundle, CHANNEL, seq, 1.0, **offered)
    while made.known(CAP, bundle).rung is not to:
        here = made.known(CAP, bundle).rung
        if here is Rung.SHADOW:
            made = climb.look(climb.count(made, CAP, bundle, 5, 2), CAP, bundle, "ann", 2.0)
        if here is Rung.CANARY:
            made = climb.count(made, CAP, bundle, 7, 0)
            made = climb.end_swap(climb.begin_swap(made, CAP, bundle, NEEDS, 3.0), CAP, 3.0)
        else:
            made = climb.rise(made, CAP, bundle, NEXT[here], NEEDS, 2.0)
    return made


def test_a_bundle_climbs_rung_by_rung_and_each_step_is_told() -> None:
    made = climbed(Rung.CHAMPION)
    mine = [step for step in made.unsent if step.bundle == B]
    looked = [step for step in mine if step.before == step.after]
    assert [step.after for step in mine if step not in looked] == [*CLIMBING, Rung.CHAMPION]
    assert [step.n for step in made.unsent] == list(range(1, len(made.unsent) + 1))
    assert made.known(CAP, A).rung is Rung.RETIRED
    assert made.last_good == {CAP: A} == made.factory
    assert made.broken() == []


@pytest.mark.parametrize("here", CLIMBING)
@pytest.mark.parametrize("to", list(Rung))
def test_no_rung_is_skipped(here: Rung, to: Rung) -> None:
    made = climbed(here)
    if to is NEXT[here] and to not in (Rung.CANARY, Rung.CHAMPION):
        assert climb.rise(made, CAP, B, to, NEEDS, 9.0).known(CAP, B).rung is to
        return
    with pytest.raises(NotAStep):
        climb.rise(made, CAP, B, to, NEEDS, 9.0)


@pytest.mark.parametrize(
    ("parts", "ng", "seen", "days", "lacks"),
    [
        (4, 2, True, 0.0, "4 of 5 parts"),
        (5, 1, True, 0.0, "1 of 2 NG parts, or 7 days"),
        (5, 2, False, 0.0, "a person has to look"),
        (5, 1, True, 7.1, ""),
        (5, 2, True, 0.0, ""),
    ],
)
def test_what_the_shadow_asks_for(parts: int, ng: int, seen: bool, days: float, lacks: str) -> None:
    made = climb.count(climbed(Rung.SHADOW), CAP, B, parts, ng)
    if seen:
        made = climb.look(made, CAP, B, "ann", 3.0)
    at = made.known(CAP, B).since + days * DAY_S
    if not lacks:
        assert climb.rise(made, CAP, B, Rung.CANARY, NEEDS, at).known(CAP, B).parts == 0
        return
    with pytest.raises(NotAStep, match=lacks):
        climb.rise(made, CAP, B, Rung.CANARY, NEEDS, at)


def test_a_canary_needs_its_parts() -> None:
    made = climb.count(climbed(Rung.CANARY), CAP, B, 6, 0)
    with pytest.raises(NotAStep, match="6 of 7 parts"):
        climb.begin_swap(made, CAP, B, NEEDS, 9.0)


def test_only_what_was_taught_here_leaves_the_shadow_early_and_only_with_a_reason() -> None:
    with pytest.raises(NotAStep, match="was not taught on this box"):
        climb.waive(climbed(Rung.SHADOW), CAP, B, "ann", "we know it", 3.0)
    local = climbed(Rung.SHADOW, local=True)
    with pytest.raises(NotAStep, match="expected a reason"):
        climb.waive(local, CAP, B, "ann", "  ", 3.0)
    waived = climb.waive(local, CAP, B, "ann", "the old one sees nothing", 3.0)
    assert climb.rise(waived, CAP, B, Rung.CANARY, NEEDS, 3.0).known(CAP, B).rung is Rung.CANARY
    assert waived.unsent[-1].reason == "shadow waived: the old one sees nothing"
    assert waived.unsent[-1].who == "ann"


@pytest.mark.parametrize("here", [*CLIMBING, Rung.CHAMPION])
def test_what_is_refused_is_locked_until_a_person_unlocks_it(here: Rung) -> None:
    made = climb.refuse(climbed(here), CAP, B, "damaged", 9.0)
    assert made.known(CAP, B).locked
    assert made.champion(CAP) == made.known(CAP, A)
    for seq in (1, 2, 99):
        with pytest.raises(NotAStep, match="is locked: damaged"):
            climb.offer(made, CAP, B, CHANNEL, seq, 9.0)
    with pytest.raises(NotAStep, match="expected a reason"):
        climb.unlock(made, CAP, B, "ann", "", 10.0)
    free = climb.unlock(made, CAP, B, "ann", "the disk was changed", 10.0)
    assert free.known(CAP, B).rung is Rung.OFFERED
    assert free.unsent[-1].who == "ann"
    with pytest.raises(NotAStep, match="is not locked"):
        climb.unlock(free, CAP, B, "ann", "again", 10.0)


def test_a_champion_that_is_taken_back_gives_way_to_the_last_good_one() -> None:
    made = climb.roll_back(climbed(Rung.CHAMPION), CAP, B, "rejects rose", 9.0)
    assert made.champion(CAP) == made.known(CAP, A)
    swap = made.swap(CAP)
    assert swap is not None
    assert (swap.to, swap.back, swap.up) == (A, B, False)
    assert [(step.bundle, step.after) for step in made.unsent[-2:]] == [(B, "ROLLED_BACK"), (A, "CHAMPION")]
    assert made.broken() == []
    with pytest.raises(NotAStep, match="no bundle to go back to"):
        climb.roll_back(climb.end_swap(made, CAP, 9.0), CAP, A, "again", 9.0)


def test_after_two_champions_the_way_back_leads_on_to_the_factory_s() -> None:
    made = climbed(Rung.CHAMPION, C, climbed(Rung.CHAMPION), 2)
    made = climb.roll_back(made, CAP, C, "x", 9.0)
    assert made.champion(CAP) == made.known(CAP, B)
    made = climb.roll_back(made, CAP, B, "y", 9.0)
    assert made.champion(CAP) == made.known(CAP, A)


def test_a_change_upwards_that_is_left_is_walked_back_on_the_line() -> None:
    canary = climb.count(climbed(Rung.CANARY), CAP, B, 7, 0)
    begun = climb.begin_swap(canary, CAP, B, NEEDS, 3.0)
    for left in (
        climb.drop_swap(begun, CAP),
        climb.roll_back(begun, CAP, B, "NaN", 3.0),
        climb.stand_back(begun, CAP, B, "people look", 3.0, hold=True),
        climb.hold(begun, CAP, B, "differs", 3.0),
    ):
        swap = left.swap(CAP)
        assert swap is not None
        assert (swap.to, swap.back, swap.up) == (A, B, False)
        assert left.champion(CAP) == left.known(CAP, A)


def test_below_what_was_trusted_nothing_is_offered_but_by_ticket() -> None:
    made = climbed(Rung.CHAMPION, seq=5)
    with pytest.raises(NotAStep, match="number 4 lies below 5"):
        climb.offer(made, CAP, C, CHANNEL, 4, 9.0)
    with pytest.raises(NotAStep, match="was retired under number"):
        climb.offer(climbed(Rung.CHAMPION, C, made, 6), CAP, B, "line1/cap/challenger", 5, 9.0)
    down = climb.offer(made, CAP, A, CHANNEL, 5, 9.0, ticket=True)
    assert down.known(CAP, A).rung is Rung.OFFERED  # it climbs like any other
    assert down.floors[CHANNEL] == 5


def test_another_offer_sends_who_climbs_back_to_the_beginning() -> None:
    made = climb.offer(climbed(Rung.CANARY), CAP, C, CHANNEL, 2, 9.0)
    assert made.known(CAP, B).rung is Rung.OFFERED
    assert not made.known(CAP, B).locked
    with pytest.raises(NotAStep):
        climb.rise(climb.rise(made, CAP, C, Rung.FETCHED, NEEDS, 9.0), CAP, B, Rung.FETCHED, NEEDS, 9.0)


def test_the_red_button_of_the_box_holds_everything() -> None:
    made = climb.stop(climbed(Rung.GOLDEN), "ann: smoke")
    with pytest.raises(NotAStep, match="stopped on this box: ann: smoke"):
        climb.rise(made, CAP, B, Rung.SHADOW, NEEDS, 9.0)
    assert climb.rise(climb.stop(made, ""), CAP, B, Rung.SHADOW, NEEDS, 9.0).known(CAP, B).rung is Rung.SHADOW


def test_a_held_bundle_goes_on_where_it_was_when_a_person_has_looked() -> None:
    made = climb.count(climbed(Rung.SHADOW), CAP, B, 5, 2)
    made = climb.look(climb.hold(made, CAP, B, "differs on 21 parts", 3.0), CAP, B, "ann", 3.0)
    with pytest.raises(NotAStep, match="waits for a person: differs"):
        climb.rise(made, CAP, B, Rung.CANARY, NEEDS, 9.0)
    freed = climb.unlock(made, CAP, B, "ann", "the new one is right", 4.0)
    assert (freed.known(CAP, B).rung, freed.known(CAP, B).parts) == (Rung.SHADOW, 5)


# -- the file


def test_the_ladder_comes_back_as_it_was_written(tmp_path: Path) -> None:
    for made in (Ladder(), climb.begin_swap(climb.count(climbed(Rung.CANARY), CAP, B, 7, 0), CAP, B, NEEDS, 3.0)):
        write_ladder(tmp_path, made)
        assert read_ladder(tmp_path) == made


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_damaged_ladder_is_refused_and_names_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(BadLedger, match=FILE):
        read_ladder(tmp_path)


def test_a_ladder_that_says_what_must_never_be_is_refused(tmp_path: Path) -> None:
    made = climbed(Rung.CHAMPION)
    twice = made.put(dataclasses.replace(made.known(CAP, A), rung=Rung.CHAMPION))
    write_ladder(tmp_path, twice)
    with pytest.raises(BadLedger, match="two champions"):
        read_ladder(tmp_path)


class KilledError(BaseException):
    """Stands for a kill: nothing after it runs."""


class Kills:
    """Counts what changes the disk, and kills before the nth of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.count = -1, 0
        for owner, method in (
            (os, "open"),
            (os, "write"),
            (os, "fsync"),
            (Path, "rename"),
            (Path, "unlink"),
            (Path, "symlink_to"),
            (Path, "mkdir"),
        ):
            monkeypatch.setattr(owner, method, self._counted(getattr(owner, method)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.count += 1
            if self.left == 0:
                raise KilledError
            self.left -= 1
            return real(*given, **named)

        return call


def each_kill(monkeypatch: pytest.MonkeyPatch, begin: Callable[[int], None], work: Callable[[], None]) -> int:
    """Run `work` killed before its 1st, 2nd, ... operation, until one run is not killed. Return how many there were."""
    for at in range(200):
        begin(at)
        with monkeypatch.context() as patch:
            kills = Kills(patch)
            kills.left = at
            try:
                work()
            except KilledError:
                continue
            return at
    raise AssertionError("no end")


def test_killed_at_any_point_of_writing_the_old_ladder_or_the_new_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = climbed(Rung.SHADOW), climbed(Rung.CANARY)
    seen = set()

    def begin(at: int) -> None:
        if at:
            found = read_ladder(tmp_path)
            assert found in (old, new)
            seen.add(found == new)
        write_ladder(tmp_path, old)

    points = each_kill(monkeypatch, begin, lambda: write_ladder(tmp_path, new))
    assert points >= 5
    assert read_ladder(tmp_path) == new
    assert seen == {False, True}


def test_killed_at_any_point_the_slots_point_at_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {bundle: tmp_path / bundle for bundle in (A, B)}
    for place in places.values():
        place.mkdir()
    slot = tmp_path / "slots" / CAP / "current"

    def whole() -> None:
        assert active(slot) in places.values()
        assert active(slot.with_name(LAST_GOOD)) == places[A]
        assert active(slot.with_name(FACTORY)) == places[A]

    def begin(at: int) -> None:
        if at:
            whole()
        fall_back(slot, places[A])

    set_up(slot, places[A])
    assert each_kill(monkeypatch, begin, lambda: take_over(slot, places[B])) >= 6
    whole()
    assert active(slot) == places[B]

    def begin_back(at: int) -> None:
        whole()
        take_over(slot, places[B])

    assert each_kill(monkeypatch, begin_back, lambda: fall_back(slot, places[A])) >= 3
    assert active(slot) == places[A]


def test_a_disk_that_refuses_leaves_the_old_ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_ladder(tmp_path, adopted())

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(ladder_file, "write_synced", full)
        with pytest.raises(StoreLost, match="No space left"):
            write_ladder(tmp_path, climbed(Rung.SHADOW))
    assert read_ladder(tmp_path) == adopted()


# -- anything that anybody does, in any order


class AnyOrder(RuleBasedStateMachine):
    """Offers, steps, rules, people and stops in any order, on a clock of its own."""

    names = st.sampled_from([name(number) for number in range(1, 6)])

    def __init__(self) -> None:
        super().__init__()
        self.ladder = Ladder()
        self.at = 1000.0
        self.locked: set[str] = set()
        self.low: dict[str, int] = {}

    @initialize()
    def begin(self) -> None:
        self.ladder = climb.adopt(self.ladder, CAP, A, self.at)

    def _try(self, work: Callable[[], Ladder]) -> bool:
        before = self.ladder
        try:
            self.ladder = work()
        except NotAStep:
            assert self.ladder == before
            return False
        return True

    @rule(bundle=names, seq=st.integers(1, 6), ticket=st.booleans(), local=st.booleans())
    def offered(self, bundle: str, seq: int, ticket: bool, local: bool) -> None:
        done = self._try(
            lambda: climb.offer(self.ladder, CAP, bundle, CHANNEL, seq, self.at, ticket=ticket, local=local)
        )
        assert not (done and bundle in self.locked)
        assert not (done and seq < self.low.get(CHANNEL, 0) and not ticket)

    @rule(bundle=names, to=st.sampled_from(list(Rung)))
    def rises(self, bundle: str, to: Rung) -> None:
        before = self.ladder.entry(CAP, bundle)
        if self._try(lambda: climb.rise(self.ladder, CAP, bundle, to, NEEDS, self.at)):
            assert before is not None
            assert NEXT[before.rung] is to is not Rung.CHAMPION

    @rule(bundle=names, far=st.integers(1, 8))
    def climbs(self, bundle: str, far: int) -> None:
        """As the driver would, so that the top is reached."""
        for _ in range(far):
            entry = self.ladder.entry(CAP, bundle)
            if entry is None or entry.rung not in CLIMBING:
                return
            self.seen_on_the_line(bundle)
            if entry.rung is Rung.CANARY:
                if self._try(lambda: climb.begin_swap(self.ladder, CAP, bundle, NEEDS, self.at)):
                    self.ladder = climb.end_swap(self.ladder, CAP, self.at)
                return
            self.rises(bundle, NEXT[entry.rung])

    @rule(bundle=names)
    def seen_on_the_line(self, bundle: str) -> None:
        entry = self.ladder.entry(CAP, bundle)
        if entry is not None and entry.rung in (Rung.SHADOW, Rung.CANARY):
            self.ladder = climb.count(self.ladder, CAP, bundle, 7, 2)
            self._try(lambda: climb.look(self.ladder, CAP, bundle, "ann", self.at))

    @rule(bundle=names)
    def swap_begins(self, bundle: str) -> None:
        before = self.ladder.entry(CAP, bundle)
        if self._try(lambda: climb.begin_swap(self.ladder, CAP, bundle, NEEDS, self.at)):
            assert before is not None
            assert before.rung is Rung.CANARY
            assert before.parts >= NEEDS.canary_parts

    @precondition(lambda self: self.ladder.swaps)
    @rule(taken=st.booleans())
    def swap_ends(self, taken: bool) -> None:
        end = climb.end_swap if taken else lambda ladder, recipe, _: climb.drop_swap(ladder, recipe)
        self._try(lambda: end(self.ladder, CAP, self.at))

    @rule(bundle=names, way=st.sampled_from([climb.refuse, climb.roll_back]))
    def taken_out(self, bundle: str, way: Callable[..., Ladder]) -> None:
        if self._try(lambda: way(self.ladder, CAP, bundle, "a rule", self.at)):
            self.locked.add(bundle)

    @rule(bundle=names, hold=st.booleans())
    def stands_back(self, bundle: str, hold: bool) -> None:
        self._try(lambda: climb.stand_back(self.ladder, CAP, bundle, "people look", self.at, hold=hold))

    @rule(bundle=names)
    def held(self, bundle: str) -> None:
        self._try(lambda: climb.hold(self.ladder, CAP, bundle, "differs", self.at))

    @rule(bundle=names)
    def unlocked(self, bundle: str) -> None:
        if self._try(lambda: climb.unlock(self.ladder, CAP, bundle, "ann", "looked", self.at)):
            self.locked.discard(bundle)

    @rule(bundle=names)
    def waived(self, bundle: str) -> None:
        self._try(lambda: climb.waive(self.ladder, CAP, bundle, "ann", "known", self.at))

    @rule(days=st.floats(0, 10))
    def time_goes_by(self, days: float) -> None:
        self.at += days * DAY_S

    @rule(on=st.booleans())
    def button(self, on: bool) -> None:
        self.ladder = climb.stop(self.ladder, "ann: red" if on else "")

    @invariant()
    def sound(self) -> None:
        assert self.ladder.broken() == []

    @invariant()
    def the_floor_never_falls(self) -> None:
        for channel, seq in self.low.items():
            assert self.ladder.floors[channel] >= seq
        self.low = dict(self.ladder.floors)

    @invariant()
    def who_was_taken_out_stays_out(self) -> None:
        for bundle in self.locked:
            assert self.ladder.known(CAP, bundle).locked

    @invariant()
    def a_change_under_way_is_about_known_bundles(self) -> None:
        champion = self.ladder.champion(CAP)
        for swap in self.ladder.swaps:
            assert champion is not None
            assert champion.bundle == (swap.back if swap.up else swap.to)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
