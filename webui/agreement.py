"""Attribute agreement analysis: whether persons, and the box, say the same of the same parts, and the truth.

Pure. Sources: AIAG, Measurement Systems Analysis, 4th ed., ch. III section C (attribute study); J. Cohen, Educational
and Psychological Measurement 20 (1960) 37; J. Fleiss, Psychological Bulletin 76 (1971) 378. Intervals of shares are
exact (Clopper, Pearson 1934), those of kappas a percentile bootstrap over parts (Efron), because the answers to one
part hang together. Kappa alone is a poor figure: it falls where nearly all parts are good, however well people agree
(Feinstein, Cicchetti, Journal of Clinical Epidemiology 43 (1990) 543). Misses and false alarms stand beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..models.figures import clopper_pearson

DEFECT, GOOD = "defect", "good"
_RESAMPLES = 1000
_SEED = 20_26
Answers = Mapping[tuple[str, int, int], str]
"""(who, round, part) → what was said."""
Counts = NDArray[np.float64]
Statistic = Callable[[Counts], Counts]
"""Sums (resamples x ...) → one figure a resample."""


@dataclass(frozen=True, slots=True)
class Share:
    """k of n with the exact 95 % interval."""

    k: int
    n: int

    @property
    def share(self) -> float | None:
        """None: nothing to tell it from."""
        return self.k / self.n if self.n else None

    @property
    def low(self) -> float:
        """Lower end."""
        return clopper_pearson(self.k, self.n)[0]

    @property
    def high(self) -> float:
        """Upper end."""
        return clopper_pearson(self.k, self.n)[1]


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement beyond chance with a 95 % interval; None: it cannot be told (all said the same, or too few parts)."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Appraiser:
    """One person, or the box."""

    name: str
    within: Share | None
    """Parts of which they said the same in all rounds; None: there was one round."""
    right: Share
    """Parts of which they said the truth in all rounds."""
    kappa: Kappa
    """With the reference."""
    missed: Share
    """Answers `good` to parts that are defective."""
    alarmed: Share
    """Answers other than `good` to parts that are good."""
    answers: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a study comes to."""

    appraisers: tuple[Appraiser, ...]
    between: Share
    """Parts of which all persons said the same in all rounds."""
    all_right: Share
    fleiss: Kappa
    """Among the persons, every round an answer."""
    pairs: tuple[tuple[str, str, Kappa], ...]
    """Cohen's kappa of every two persons, round by round."""
    parts: int
    defective: int
    good: int


def analyse(answers: Answers, reference: Mapping[int, str], box: Mapping[int, str] | None = None) -> Agreement:
    """Analyse what was said. box: what the box said of the parts, as one more appraiser of one round."""
    names = sorted({who for who, _, _ in answers})
    parts = sorted({part for _, _, part in answers})
    rounds = sorted({number for _, number, _ in answers})
    said = {who: {part: _said(answers, who, part, rounds) for part in parts} for who in names}
    full = [part for part in parts if all(len(said[who][part]) == len(rounds) for who in names)]
    appraisers = [_appraiser(who, said[who], reference, len(rounds)) for who in names]
    if box:
        judged = {part: (box[part],) for part in parts if part in box}
        appraisers.append(_appraiser("", judged, reference, 1))
    every = {part: [one for who in names for one in said[who][part]] for part in full}
    known = [part for part in full if part in reference]
    return Agreement(
        tuple(appraisers),
        Share(sum(len(set(every[part])) == 1 for part in full), len(full)),
        Share(sum(set(every[part]) == {reference[part]} for part in known), len(known)),
        fleiss([every[part] for part in full]) if len(names) * len(rounds) > 1 else Kappa(None),
        tuple((a, b, _pair(said[a], said[b], full)) for a, b in combinations(names, 2)),
        len(parts),
        sum(reference.get(part) == DEFECT for part in parts),
        sum(reference.get(part) == GOOD for part in parts),
    )


def cohen(pairs: Sequence[Sequence[tuple[str, str]]]) -> Kappa:
    """Cohen's kappa of two raters. pairs: for each part, what the two said in each round."""
    kinds = sorted({one for part in pairs for pair in part for one in pair})
    at = {kind: i for i, kind in enumerate(kinds)}
    tables = np.zeros((len(pairs), len(kinds), len(kinds)))
    for i, part in enumerate(pairs):
        for a, b in part:
            tables[i, at[a], at[b]] += 1

    def kappas(sums: Counts) -> Counts:
        total = np.maximum(sums.sum(axis=(1, 2)), 1)
        agreed = np.trace(sums, axis1=1, axis2=2) / total
        chance = (sums.sum(axis=2) * sums.sum(axis=1)).sum(axis=1) / total**2
        return _beyond(agreed, chance)

    return _interval(tables, kappas)


def fleiss(rows: Sequence[Sequence[str]]) -> Kappa:
    """Fleiss' kappa of many raters. rows: for each part, what each said; all of one length of at least 2."""
    kinds = sorted({one for row in rows for one in row})
    counts = np.array([[row.count(kind) for kind in kinds] for row in map(list, rows)], dtype=float)
    if counts.size == 0:
        return Kappa(None)
    raters = counts[0].sum()
    # For each part: by kind how often, and last the share of its pairs of answers that agree.
    agreeing = (np.square(counts).sum(axis=1) - raters) / (raters * (raters - 1))
    table = np.column_stack([counts, agreeing, np.ones(len(rows))])

    def kappas(sums: Counts) -> Counts:
        shares = sums[:, :-2] / (sums[:, -1:] * raters)
        return _beyond(sums[:, -2] / sums[:, -1], np.square(shares).sum(axis=1))

    return _interval(table, kappas)


def _said(answers: Answers, who: str, part: int, rounds: Sequence[int]) -> tuple[str, ...]:
    return tuple(answers[who, number, part] for number in rounds if (who, number, part) in answers)


def _appraiser(name: str, said: Mapping[int, tuple[str, ...]], reference: Mapping[int, str], rounds: int) -> Appraiser:
    whole = [part for part, words in said.items() if len(words) == rounds]
    known = [part for part in whole if part in reference]
    bad = [word for part, words in said.items() if reference.get(part) == DEFECT for word in words]
    fine = [word for part, words in said.items() if reference.get(part) == GOOD for word in words]
    with_truth = [[(word, reference[part]) for word in words] for part, words in said.items() if part in reference]
    return Appraiser(
        name,
        Share(sum(len(set(said[part])) == 1 for part in whole), len(whole)) if rounds > 1 else None,
        Share(sum(set(said[part]) == {reference[part]} for part in known), len(known)),
        cohen(with_truth),
        Share(bad.count(GOOD), len(bad)),
        Share(len(fine) - fine.count(GOOD), len(fine)),
        sum(len(words) for words in said.values()),
    )


def _pair(a: Mapping[int, tuple[str, ...]], b: Mapping[int, tuple[str, ...]], parts: Sequence[int]) -> Kappa:
    return cohen([list(zip(a[part], b[part], strict=True)) for part in parts])


def _beyond(agreed: Counts, chance: Counts) -> Counts:
    """(agreed - chance) / (1 - chance); NaN where chance alone explains all."""
    rest = 1 - chance
    return np.where(rest > 1e-12, (agreed - chance) / np.where(rest > 1e-12, rest, 1.0), np.nan)


def _interval(table: Counts, kappas: Statistic) -> Kappa:
    """Value of the sums over all parts, and the middle 95 % of those over parts drawn again and again."""
    n = len(table)
    if n == 0 or table.sum() == 0:
        return Kappa(None)
    value = float(kappas(table.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        return Kappa(None)
    drawn = np.random.default_rng(_SEED).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES).astype(float)
    again = kappas(np.tensordot(drawn, table, axes=1))
    again = again[~np.isnan(again)]
    if n < 5 or len(again) < _RESAMPLES // 2:
        return Kappa(value)
    low, high = np.percentile(again, [2.5, 97.5])
    return Kappa(value, float(low), float(high))
