"""What a blueprint is given: the line as it is seen, the history, and who to ask. Made once for an application."""

from dataclasses import dataclass
from pathlib import Path

from ..records.people_read import PeopleReader
from .history import History
from .options import WebOptions
from .products import Products, no_products
from .watch import Watch


@dataclass(frozen=True, slots=True)
class Web:
    """All that the screens stand on. Nothing here writes."""

    options: WebOptions
    station: str
    cameras: tuple[str, ...]
    watch: Watch
    history: History
    people: PeopleReader
    """Persons, roles, labels, journal, audit: read-only."""
    store: Path
    run_dir: Path
    """Where the doors of the other processes are."""
    products: Products = no_products
    """What can be made here."""
