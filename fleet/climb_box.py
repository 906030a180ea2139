"""What the climb has to know of its box: where bundles lie, which recipe takes which slot, and how models run here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RecipeAt:
    """One recipe as it is set up now."""

    name: str
    """What channels call it."""
    job: int
    """The first job that goes by it."""
    revision: str
    slot: Path
    """The link that its one bundle is named by."""
    deadline_ms: float
    """From trigger to verdict."""
    trouble: str = ""
    """Why nothing can climb for it, for people: it names no slot, or several bundles. Empty: it can."""


@dataclass(frozen=True, slots=True)
class ClimbBox:
    """One box."""

    name: str
    run_dir: Path
    store: Path
    """Folder of the ledger."""
    bundles: Path
    """`<digest>/` folders, `ladder.json`, `slots/`."""
    recipes: Callable[[], tuple[RecipeAt, ...]]
    """Reads them afresh: they may be edited while sync runs. Refused."""
    provider: str = "cpu"
    threads: int = 1
    memory_mb: int = 4096
    """Of a trial: address space on a CPU, resident memory elsewhere."""
    authorities: tuple[Path, ...] = ()
    local_bundles: bool = True
    """Bundles that were taught on this box may climb."""
    keep_bundles: int = 5
    keep_gb: float = 10.0
    turn_s: float = 0.25
    """So often an order is repeated."""
    watch_s: float = DAY_S
    """So long a new champion is watched against the one before."""
    nightly_s: float = DAY_S
    """So often the champion's golden pictures are run beside the line."""
    folders: tuple[Path, ...] = field(default=())
    """Where else bundles of this box may lie: those taught here."""

    def place(self, bundle: str) -> Path:
        """Where a bundle lies, or would lie."""
        return self.bundles / bundle
