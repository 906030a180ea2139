"""`okng doctor`: every room's look at this box, put together."""

from pathlib import Path

from ..bus.doctor import Finding, host_findings
from ..bus.errors import OkngError, Refused
from ..camera.doctor import camera_findings
from ..inspect.recipe import read_recipe
from ..models.doctor import bundle_finding, runtime_findings
from ..plc_io.doctor import plc_findings
from ..settings import Settings, read_settings
from .jobs import Jobs, check_jobs

MARKS = {True: "ok  ", None: "note", False: "MEND"}


def checkup(settings_file: Path) -> list[Finding]:
    """Look at everything; settings that are missing or wrong are a finding, and the host is looked at all the same."""
    try:
        settings = read_settings(settings_file)
    except Refused as error:
        advice = "Write the settings, or name the file with --settings; `okng demo` writes an example."
        wrong = Finding("settings", False, str(error), advice)
        return [wrong, *host_findings(Path("/run/okng"), Path("/var/lib/okng"))]
    return [
        Finding("settings", True, f"{settings_file}: box {settings.box.name}, station {settings.box.station}"),
        *host_findings(settings.box.run_dir, settings.records.store),
        *runtime_findings(settings.inspect.provider),
        *(f for name, options in settings.camera.items() for f in camera_findings(name, options, settings.box.run_dir)),
        *_model(settings),
        *_jobs(settings, settings_file),
        *plc_findings(settings.plc, settings.box.run_dir),
    ]


def _model(settings: Settings) -> list[Finding]:
    """The recipe and its bundles, golden pictures scored on this box."""
    try:
        active = read_recipe(settings.recipe)
    except OkngError as error:
        return [Finding("recipe", False, str(error), "Mend the recipe; nothing is inspected without one.")]
    recipe = Finding("recipe", True, f"{active.recipe.name}, revision {active.revision}")
    return [recipe, *(bundle_finding(folder, settings.inspect) for folder in dict.fromkeys(active.bundles.values()))]


def _jobs(settings: Settings, settings_file: Path) -> list[Finding]:
    """The jobs that the PLC may change to; one that is wrong is refused then, and the line goes on with the other."""
    if not settings.jobs:
        return []
    wrong = [one.words for one in check_jobs(Jobs(settings, settings_file)) if not one.ok]
    if wrong:
        return [Finding("jobs", False, "; ".join(wrong), "Mend them: a change to such a job is refused.")]
    return [Finding("jobs", True, f"{len(settings.recipes)} can be changed to")]


def lines(found: list[Finding]) -> list[str]:
    """Return the findings as lines for a person; what to do stands under what is wrong."""
    said = []
    for one in found:
        said.append(f"{MARKS[one.ok]}  {one.name:<14} {one.found}")
        if one.advice:
            said.append(f"{'':<20} -> {one.advice}")
    wrong = sum(one.ok is False for one in found)
    said.append("this box can work" if not wrong else f"{wrong} to mend before this box can work")
    return said
