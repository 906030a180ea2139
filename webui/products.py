"""The products of a box as the screens compare them: read afresh each time, because recipes change while we run."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One job of the box."""

    number: int
    """What the PLC calls it."""
    name: str
    """Of the recipe."""
    description: str
    revision: str
    model: str
    """Digest; empty: it cannot be read."""
    facts: tuple[tuple[str, str, str], ...] = ()
    """What it sets: kind (a key of `FACTS`), what of (a region, a camera, or nothing), and the value with its unit."""
    trouble: str = ""
    """Why it cannot be made; empty: it can."""


Products = Callable[[], tuple[Product, ...]]
"""All products, by number."""


def no_products() -> tuple[Product, ...]:
    """Of a box whose products nobody told us."""
    return ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the comparison."""

    kind: str
    of: str
    old: str
    """Empty: the old product has none."""
    new: str

    @property
    def changed(self) -> bool:
        """The two are not the same."""
        return self.old != self.new


def differences(old: Product | None, new: Product) -> list[Difference]:
    """What changes from one product to another, what changed first; the rest stays for who wants to see it all."""
    before = {(kind, of): value for kind, of, value in old.facts} if old else {}
    after = {(kind, of): value for kind, of, value in new.facts}
    keys = list(dict.fromkeys([*after, *before]))
    found = [Difference(kind, of, before.get((kind, of), ""), after.get((kind, of), "")) for kind, of in keys]
    return sorted(found, key=lambda line: not line.changed)
