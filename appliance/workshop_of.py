"""The box as its workshop sees it."""

from pathlib import Path

from ..settings import Settings, read_settings
from ..workshop.box import Box


def box_of(settings_file: Path) -> Box:
    """Read the settings for the workshop. BadSettings."""
    settings = read_settings(settings_file)
    folder = settings_file.resolve().parent
    return Box(
        settings_file=settings_file.resolve(),
        name=settings.box.name,
        station=settings.box.station,
        run_dir=settings.box.run_dir,
        store=settings.records.store,
        cameras=settings.cameras,
        recipes=settings.recipes,
        start_job=settings.plc.job_number,
        inspect=settings.inspect,
        authorities=tuple(folder / file for file in settings.sync.authorities) if settings.sync else (),
        options=settings.workshop,
        signatures_required=settings.records.signatures_required,
        papers_days=settings.records.retention.papers_days,
        settings_model=Settings,
    )
