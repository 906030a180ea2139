"""Which class of defect was called which: for models that know classes."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from .rates import Rate, rate_of


@dataclass(frozen=True, slots=True)
class ClassRate:
    """How one class is recognised."""

    label: str
    recall: Rate
    """Parts of the class that were called so."""
    precision: Rate
    """Parts called so that are of the class."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of (what it is, what it was called)."""

    labels: tuple[str, ...]
    """What parts are, and then what else they were called; rows and columns of `counts`."""
    counts: tuple[tuple[int, ...], ...]
    """[is][called]."""
    classes: tuple[ClassRate, ...]


def confusion(pairs: Iterable[tuple[str, str]]) -> Confusion:
    """Return who was called what. pairs: (what it is, what it was called)."""
    seen = Counter(pairs)
    true = sorted({label for label, _ in seen})
    labels = (*true, *sorted({called for _, called in seen} - set(true)))
    counts = tuple(tuple(seen[is_, called] for called in labels) for is_ in labels)
    rates = []
    for at, label in enumerate(labels):
        right, of_it, called_so = counts[at][at], sum(counts[at]), sum(row[at] for row in counts)
        rates.append(ClassRate(label, rate_of(right, of_it), rate_of(right, called_so)))
    return Confusion(labels, counts, tuple(rates))
