"""What the workshop has to know of the box. Read afresh for each ask: the workshop itself changes the settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ..bus.active_job import kept_job
from ..bus.errors import BadBundle
from ..inspect.options import InspectOptions
from .options import WorkshopOptions


@dataclass(frozen=True, slots=True)
class Box:
    """One box, by its settings."""

    settings_file: Path
    name: str
    station: str
    run_dir: Path
    store: Path
    """Folder of the ledger."""
    cameras: tuple[str, ...]
    recipes: Mapping[int, Path]
    """Recipe by job number, the start job first."""
    start_job: int
    inspect: InspectOptions
    authorities: tuple[Path, ...]
    """Certificates of those who vouch for bundles."""
    options: WorkshopOptions
    signatures_required: tuple[str, ...] = ()
    """Electronic signatures a model needs before it is put in place, as `[records]` says."""
    papers_days: int = 0
    """So long results of finished work are kept, as `[records.retention]` says; 0: by their number alone."""
    settings_model: type[BaseModel] | None = None
    """What the settings are made of: a support bundle shows what they say is no secret. None: nothing of them."""

    @property
    def active_job(self) -> int:
        """The job that runs: the one io keeps in this boot, else the start job."""
        number = kept_job(self.run_dir)
        return self.start_job if number is None else number

    @property
    def bundles(self) -> Path:
        """Where models taught here go."""
        return self.options.bundles or self.options.folder / "bundles"

    @property
    def drafts(self) -> Path:
        """Where drafts lie."""
        return self.options.folder / "drafts"

    def vouching(self) -> tuple[Path, ...]:
        """Who has to vouch for a bundle. BadBundle: a signature is asked for, and nobody's would do."""
        if not self.options.require_signed:
            return ()
        if not self.authorities:
            raise BadBundle(
                "[workshop] require_signed: expected [sync] authorities, certificates of those who may sign"
            )
        return self.authorities


ReadBox = Callable[[Path], Box]
"""Reads the box's settings from a file and checks them. BadSettings."""
