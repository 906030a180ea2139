"""Several views, one word: when an objection decides, when it is outvoted, and that doubt never passes."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.agreement import alone, objector, poll
from okng.bus.messages import Agreement
from okng.bus.part import Outcome, Verdict, Vote

OK, NG, UNJUDGED = Outcome.OK, Outcome.NG, Outcome.UNJUDGED
CAMERAS = ("top", "side", "back")


def agreement(needed: int) -> Agreement:
    return Agreement("weld", tuple(f"{camera}/weld" for camera in CAMERAS), needed)


def said(*outcomes: Outcome, shares: tuple[float, ...] = (0.5, 0.5, 0.5)) -> list[tuple[str, Vote]]:
    return [
        (camera, Vote("weld", "weld", outcome, share))
        for camera, outcome, share in zip(CAMERAS, outcomes, shares, strict=False)
    ]


@pytest.mark.parametrize(
    ("needed", "outcomes", "complete", "decided"),
    [
        (1, (NG,), False, NG),
        (2, (NG,), False, None),
        (2, (NG, OK), False, None),
        (2, (NG, NG), False, NG),
        (2, (NG, OK, OK), True, OK),
        (3, (NG, NG, OK), True, OK),
        (3, (NG, NG, NG), True, NG),
        (2, (OK, OK), False, None),
        (2, (OK, OK), True, UNJUDGED),
        (2, (), True, UNJUDGED),
        (2, (OK, UNJUDGED), False, UNJUDGED),
        (2, (NG, UNJUDGED, NG), True, NG),
        (2, (NG, UNJUDGED, OK), True, UNJUDGED),
    ],
)
def test_so_many_have_to_object(
    needed: int, outcomes: tuple[Outcome, ...], complete: bool, decided: Outcome | None
) -> None:
    made = poll(agreement(needed), said(*outcomes), complete=complete)
    assert made.outcome is decided
    assert bool(made.reason) == (decided in (NG, UNJUDGED))


def test_the_mean_of_the_shares_decides_only_when_all_have_spoken() -> None:
    rule = agreement(0)
    high = said(NG, NG, OK, shares=(1.8, 1.3, 0.5))
    assert poll(rule, high[:2], complete=False).outcome is None
    made = poll(rule, high, complete=True)
    assert (made.outcome, made.reason) == (NG, "mean 1.20 above 1.00 over the views of weld")
    assert poll(rule, said(NG, OK, OK, shares=(1.9, 0.2, 0.2)), complete=True).outcome is OK
    assert poll(rule, high[:2], complete=True).outcome is UNJUDGED
    assert poll(rule, said(NG, OK, OK, shares=(math.nan, 0.2, 0.2)), complete=True).outcome is UNJUDGED


def test_votes_of_strangers_and_of_other_agreements_do_not_count() -> None:
    votes = [*said(NG), ("top", Vote("other", "weld", NG, 2.0)), ("low", Vote("weld", "weld", NG, 2.0))]
    assert poll(agreement(2), votes, complete=True).outcome is UNJUDGED
    assert poll(agreement(2), [*said(NG), *said(NG)], complete=False).value == 1


@given(
    st.integers(0, 3),
    st.lists(st.sampled_from([OK, NG, UNJUDGED]), max_size=3),
    st.lists(st.floats(0, 3), min_size=3, max_size=3),
)
def test_ok_means_all_spoke_and_too_few_objected(needed: int, outcomes: list[Outcome], shares: list[float]) -> None:
    made = poll(agreement(needed), said(*outcomes, shares=(shares[0], shares[1], shares[2])), complete=True)
    fine = len(outcomes) == 3 and UNJUDGED not in outcomes
    few = outcomes.count(NG) < needed if needed else sum(shares) / 3 <= 1.0
    assert (made.outcome is OK) == (fine and few)


def view(camera: str, outcome: Outcome, apart: Outcome | None, *votes: Vote) -> Verdict:
    reasons = () if outcome is OK else ("why",)
    return Verdict(
        7,
        outcome,
        reasons,
        (),
        1.0,
        4.0,
        "cap",
        "0" * 12,
        "f" * 64,
        camera,
        1,
        None,
        (),
        1,
        2,
        votes=votes,
        apart=apart,
    )


def test_who_knows_no_agreement_takes_each_view_at_its_word() -> None:
    one = view("top", NG, OK, Vote("weld", "weld", NG, 2.0))
    assert alone(one, (agreement(2),)) is OK
    assert alone(one, ()) is NG
    assert alone(replace(one, camera="low"), (agreement(2),)) is NG
    assert alone(view("top", NG, None), (agreement(2),)) is NG
    assert alone(view("top", NG, OK), (agreement(2),)) is NG


def test_the_view_that_objects_most_is_found() -> None:
    views = [
        view(c, NG, OK, Vote("weld", "weld", NG, share)) for c, share in zip(CAMERAS, (1.1, 3.0, 3.0), strict=True)
    ]
    found = objector(agreement(2), views)
    assert found is views[1]
    assert objector(agreement(2), [view("top", OK, OK, Vote("weld", "weld", OK, 0.1))]) is None


def test_an_agreement_that_can_never_be_reached_is_refused() -> None:
    with pytest.raises(ValueError, match="4 needed of 3 members"):
        agreement(4)
