"""The guided change-over: six steps, and the old job whenever it was not released."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.bus.errors import Refused
from okng.bus.messages import JobAnswer
from okng.shift.changeover import Changes

UTC = "2026-01-01T06:00:00.000Z"


def answer(number: int, *, done: bool = True, detail: str = "") -> JobAnswer:
    return JobAnswer(number, 5, done, detail, "shift")


@pytest.fixture
def changes() -> Changes:
    made = Changes(frozenset((1, 2, 3)))
    made.begin(2, 1, "lea", UTC)
    return made


def to_apply(changes: Changes) -> None:
    changes.complete(2, "lea")
    changes.complete(3, "lea", "L-17")
    changes.complete(4, "lea")


def test_all_six_steps(changes: Changes) -> None:
    assert (changes.step, changes.holds, changes.wanted) == (2, "", 0)
    changes.complete(2, "lea")
    changes.complete(3, "lea", "L-17")
    assert (changes.step, changes.holds, changes.lot) == (4, "", "L-17")
    changes.complete(4, "lea")
    assert changes.wanted == 2
    assert changes.holds == "change-over to job 2: step 4 of 6 (apply)"
    changes.answered(answer(2))
    assert (changes.wanted, changes.applied, changes.step) == (0, True, 4)
    changes.ready(test=True)
    assert changes.step == 5
    with pytest.raises(Refused, match="not passed yet"):
        changes.complete(5, "lea")
    changes.tested()
    assert changes.step == 6
    assert changes.holds, "READY stays dropped until the release"
    changes.complete(6, "lea")
    assert (changes.step, changes.holds) == (0, "")
    assert [note.event for note in changes.notes()][-1] == "released"


def test_without_a_test_the_release_is_next(changes: Changes) -> None:
    to_apply(changes)
    changes.answered(answer(2))
    changes.ready(test=False)
    assert changes.step == 6
    changes.untested()
    assert changes.step == 5


def test_before_it_is_applied_breaking_off_leaves_all_as_it_was(changes: Changes) -> None:
    changes.complete(2, "lea")
    changes.abort("lea")
    assert (changes.step, changes.wanted, changes.holds) == (0, 0, "")


def test_after_it_was_applied_the_old_job_is_asked_for(changes: Changes) -> None:
    to_apply(changes)
    changes.answered(answer(2))
    changes.abort("lea")
    assert changes.wanted == 1
    assert changes.holds == "change-over: going back to job 1"
    with pytest.raises(Refused, match="being taken back"):
        changes.complete(4, "lea")
    with pytest.raises(Refused, match="already"):
        changes.abort("lea")
    changes.answered(answer(1, done=False, detail="busy"))
    assert changes.wanted == 1, "it is asked for until it is there"
    changes.answered(answer(1))
    assert (changes.step, changes.holds) == (0, "")


def test_a_refused_job_leaves_step_four_to_be_tried_again(changes: Changes) -> None:
    to_apply(changes)
    changes.answered(answer(2, done=False, detail="the recipe is gone"))
    state = changes.state()
    assert (state.step, state.applied, state.detail) == (4, False, "the recipe is gone")
    assert changes.holds == ""
    changes.complete(4, "lea")
    assert changes.wanted == 2


def test_refusals(changes: Changes) -> None:
    with pytest.raises(Refused, match="under way"):
        changes.begin(3, 1, "lea", UTC)
    with pytest.raises(Refused, match="at step 2"):
        changes.complete(4, "lea")
    fresh = Changes(frozenset((1, 2)))
    for number, active, why in ((9, 1, "no job 9"), (1, 1, "active one already"), (2, 0, "not known")):
        with pytest.raises(Refused, match=why):
            fresh.begin(number, active, "lea", UTC)
    with pytest.raises(Refused, match="no change-over"):
        fresh.abort("lea")


def test_a_job_the_plc_chose_meanwhile_ends_it(changes: Changes) -> None:
    changes.seen(1)
    assert changes.step == 2
    changes.seen(3)
    assert changes.step == 0


DO = st.sampled_from(("2", "3", "4", "6", "abort", "done", "refused", "back", "ready", "ready, no test", "tested"))


@settings(deadline=None)
@given(st.lists(DO, max_size=14))
def test_after_a_restart_at_any_point_the_old_job_holds_unless_it_was_released(words: list[str]) -> None:
    changes, active = Changes(frozenset((1, 2))), 1
    changes.begin(2, 1, "lea", UTC)
    released = False
    for word in words:
        try:
            if word.isdigit():
                changes.complete(int(word), "lea")
                released = released or word == "6"
            elif word == "abort":
                changes.abort("lea")
            elif word == "done" and changes.wanted:
                active = changes.wanted
                changes.answered(answer(active))
            elif word == "refused" and changes.wanted:
                changes.answered(answer(changes.wanted, done=False))
            elif word.startswith("ready"):
                changes.ready(test=word == "ready")
            elif word == "tested":
                changes.tested()
        except Refused:
            continue
        if active == 2 and not released:
            assert changes.holds, "the new job runs without a release"
    again = Changes(frozenset((1, 2)))
    again.restore(changes.snapshot())
    if released:
        assert again.wanted == 0
        return
    if again.wanted:
        assert again.holds
        active = again.wanted
        again.answered(answer(active))
    assert active == 1
    assert again.step == 0
    assert again.holds == ""
