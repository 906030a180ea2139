"""Agreement figures against published examples, and what must hold of any."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from okng.webui.agreement import DEFECT, GOOD, Kappa, Share, analyse, cohen, fleiss

# AIAG, Measurement Systems Analysis, 4th ed., table III-C 2-4: 50 parts x 3 trials, three appraisers, cross tables.
AIAG = [((44, 6, 3, 97), 0.86), ((43, 7, 8, 92), 0.78), ((42, 5, 9, 94), 0.79)]
# J. Fleiss, 1971, as in the worked example of ten subjects and fourteen raters in five classes: kappa 0.210.
TEN = """
0 0 0 0 14
0 2 6 4 2
0 0 3 5 6
0 3 9 2 0
2 2 8 1 1
7 7 0 0 0
3 2 6 3 0
2 5 3 2 2
6 5 2 1 0
0 2 2 3 7
"""


@pytest.mark.parametrize(("cells", "kappa"), AIAG)
def test_published_cross_tables(cells: tuple[int, ...], kappa: float) -> None:
    kinds = (("0", "0"), ("0", "1"), ("1", "0"), ("1", "1"))
    told = cohen([[pair] for pair, count in zip(kinds, cells, strict=True) for _ in range(count)])
    assert told.value == pytest.approx(kappa, abs=0.005)
    assert told.low is not None
    assert told.high is not None
    assert told.low < kappa < told.high
    assert 0.1 < told.high - told.low < 0.3  # asymptotic: about 0.18


def test_published_kappa_of_many_raters() -> None:
    rows = [
        [str(kind) for kind, count in enumerate(map(int, line.split())) for _ in range(count)]
        for line in TEN.strip().splitlines()
    ]
    assert fleiss(rows).value == pytest.approx(0.210, abs=0.0005)


def study(table: dict[str, list[list[str]]]) -> dict[tuple[str, int, int], str]:
    return {
        (who, number + 1, part): word
        for who, rounds in table.items()
        for number, words in enumerate(rounds)
        for part, word in enumerate(words)
    }


G, D = GOOD, DEFECT
REFERENCE = dict(enumerate([G, G, G, D, D, D, G, D]))


def test_what_a_small_study_comes_to() -> None:
    answers = study(
        {
            "ann": [[G, G, G, D, D, D, G, D], [G, G, G, D, D, D, G, D]],
            "bob": [[G, G, D, D, D, G, G, D], [G, G, G, D, D, G, G, D]],
        }
    )
    told = analyse(answers, REFERENCE, {part: (D if part in (3, 4, 5) else G) for part in range(8)})
    ann, bob, box = told.appraisers
    assert (ann.within, ann.right, ann.missed, ann.alarmed) == (Share(8, 8), Share(8, 8), Share(0, 8), Share(0, 8))
    assert ann.kappa.value == 1
    assert (bob.within, bob.right, bob.missed, bob.alarmed) == (Share(7, 8), Share(6, 8), Share(2, 8), Share(1, 8))
    assert (box.name, box.within, box.right, box.missed, box.alarmed) == (
        "",
        None,
        Share(7, 8),
        Share(1, 4),
        Share(0, 4),
    )
    assert (told.between, told.all_right) == (Share(6, 8), Share(6, 8))
    assert [(a, b) for a, b, _ in told.pairs] == [("ann", "bob")]
    assert (told.parts, told.defective, told.good) == (8, 4, 4)
    assert ann.missed.high == pytest.approx(0.3694, abs=1e-4)  # exact, 0 of 8


def test_a_study_that_is_not_finished_counts_only_what_was_said() -> None:
    answers = study({"ann": [[G, G, G, D], [G, G]], "bob": [[G, G, G]]})
    told = analyse(answers, REFERENCE)
    assert told.between.n == 0
    assert told.appraisers[0].within == Share(2, 2)
    assert told.appraisers[1].answers == 3
    assert analyse({}, REFERENCE).appraisers == ()


def test_kappa_falls_where_all_are_good_though_all_agree() -> None:
    """The paradox that the page warns of: 98 % agreement, kappa near 0."""
    pairs = [[(G, G)]] * 98 + [[(G, D)], [(D, G)]]
    told = cohen(pairs)
    assert told.value is not None
    assert abs(told.value) < 0.05
    assert cohen([[(G, G)]] * 50) == Kappa(None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from([G, D]), min_size=4, max_size=4), min_size=6, max_size=20))
def test_figures_stay_within_their_bounds_and_do_not_depend_on_order(rows: list[list[str]]) -> None:
    answers = {
        (who, number, part): row[2 * index + number - 1]
        for part, row in enumerate(rows)
        for index, who in enumerate(("ann", "bob"))
        for number in (1, 2)
    }
    reference = {part: row[0] for part, row in enumerate(rows)}
    told = analyse(answers, reference)
    again = analyse(dict(reversed(answers.items())), reference)
    assert told == again
    for one in told.appraisers:
        for share in (one.right, one.missed, one.alarmed):
            assert 0 <= share.low <= (share.share or 0) <= share.high <= 1
        assert one.kappa.value is None or -1 <= one.kappa.value <= 1.0000001
    assert told.all_right.k <= told.between.k
    swapped = analyse({key: D if word == G else G for key, word in answers.items()}, reference)
    assert swapped.between == told.between
    if told.fleiss.value is not None and swapped.fleiss.value is not None:
        assert told.fleiss.value == pytest.approx(swapped.fleiss.value)
