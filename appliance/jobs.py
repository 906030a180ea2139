"""The jobs of a box: what the PLC calls each, and the recipe behind it. Read afresh by each process that needs one.

So are the settings: a product that was taught, or a recipe's next version, is there at the next change-over, and no
process has to be started again for it.
"""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..bus.active_job import active_job_file, kept_job
from ..bus.errors import BadRecipe, BadSettings, Refused
from ..bus.messages import BundleAt, Job
from ..camera.profiles import Setup
from ..inspect.job import job_of, model_of
from ..inspect.recipe import ActiveRecipe, read_recipe
from ..models.manifest import digest
from ..plc_io.commissioning import blocker, read_commissioned
from ..plc_io.job_desk import JobTable, ReadJob
from ..records.signed_list import unsigned
from ..settings import LAST_JOB, Settings, read_settings
from .profile_of import setup_of
from .way_of import way_of

_LOG = logging.getLogger(__name__)


class Numbers(frozenset[int]):
    """Numbers of jobs. More may come: whether one means something is told when its recipe is read."""

    def __contains__(self, number: object) -> bool:
        """True for every number that a job may have."""
        return isinstance(number, int) and 1 <= number <= LAST_JOB


class JobsNow(Collection[int]):
    """Numbers of the jobs that the settings have at the moment they are asked for: a product taught since is one."""

    def __init__(self, jobs: "Jobs") -> None:
        self._jobs = jobs

    def __contains__(self, number: object) -> bool:
        """True where the settings name a recipe for it."""
        return number in self._jobs.recipes

    def __iter__(self) -> Iterator[int]:
        """Yield them."""
        return iter(self._jobs.recipes)

    def __len__(self) -> int:
        """How many."""
        return len(self._jobs.recipes)


class Jobs:
    """Settings and run folder of one box, seen as its jobs. Reads files only when asked."""

    def __init__(self, settings: Settings, settings_file: Path) -> None:
        self._run_dir, self._file = settings.box.run_dir, settings_file
        self._cameras = settings.cameras
        self._start, self._check = settings.plc.job_number, settings.plc.check
        self._recipes = settings.recipes
        self._store, self._required = settings.records.store, settings.records.signatures_required

    @property
    def recipes(self) -> dict[int, Path]:
        """Recipe by job number, the start job among them, as the settings have it now.

        Settings that do not read any more are told in the log, and those before hold.
        """
        try:
            self._recipes = read_settings(self._file).recipes
        except BadSettings as error:
            _LOG.error("the jobs are those of before: %s", error)
        return self._recipes

    def active(self) -> int:
        """The job to come up with: the one io keeps active in this boot, else the start job of the settings.

        BadSettings: io keeps a job that is not in the settings any more. Another one in its place could let the wrong
        product pass, so a person has to say what is to hold.
        """
        number = kept_job(self._run_dir)
        if number is None:
            return self._start
        if number not in self._recipes:
            raise BadSettings(
                f"{self._file}: [jobs]: job {number} is active and has no recipe any more: put it back, "
                f"or remove {active_job_file(self._run_dir)} to begin with job {self._start}"
            )
        return number

    def recipe(self, number: int) -> ActiveRecipe:
        """Read the recipe of a job. BadSettings: there is no such job. BadRecipe."""
        recipes = self.recipes
        if number not in recipes:
            known = ", ".join(str(known) for known in sorted(recipes))
            raise BadSettings(f"{self._file}: [jobs]: there is no job {number}: expected one of {known}")
        return read_recipe(recipes[number])

    def job(self, number: int) -> Job:
        """What io has to know of a job. BadSettings, BadRecipe, BadBundle."""
        return job_of(self.recipe(number), self._cameras)

    def read(self, number: int) -> ReadJob:
        """The same with why READY must stay off by it. BadSettings, BadRecipe, BadBundle.

        BadRecipe also where its recipe lacks a signature that the settings ask for, whoever wants it: the PLC too.
        """
        read = self._read(number)
        if lacking := read.lacks():
            raise BadRecipe(lacking)
        return read

    def _read(self, number: int) -> ReadJob:
        active, options = self.recipe(number), self._check
        for camera in self._cameras:
            active.recipe.section(camera)
        saved = read_commissioned(options.file).get(active.revision)
        why = blocker(way_of(active.recipe, options), saved, required=options.required)

        def lacks() -> str:
            lacking = unsigned(self._store, active.digest, self._required)
            return f"recipe {active.revision} of job {number} {lacking}" if lacking else ""

        folders = active.bundles  # links are followed once: what is said of them has to be of one moment
        digests = {name: digest(folder) for name, folder in folders.items()}
        bundles = tuple(BundleAt(name, digests[name], str(folder)) for name, folder in folders.items())
        return ReadJob(job_of(active, self._cameras, digests), (why,) if why else (), lacks, bundles)

    def table(self) -> JobTable:
        """All of it for io. BadSettings, BadRecipe, BadBundle: of the job to begin with.

        That one keeps READY off until it is signed: the box comes up, and says why nothing passes.
        """
        number = self.active()
        return JobTable(number, self._read(number), Numbers(self._recipes), self.read)

    def setup(self, number: int, camera: str) -> Setup:
        """What that camera is set up for. BadSettings, BadRecipe."""
        return setup_of(number, self.recipe(number), camera)


def checked(path: Path) -> str:
    """Read a recipe, every file it names and every file of its bundles; return what they are. BadRecipe, BadBundle."""
    from ..imaging.develop import Developer  # these bring numpy, which the process at the PLC does without
    from ..inspect.view import View
    from ..models.bundle import open_bundle

    active = read_recipe(path)
    for camera in active.recipe.cameras or ("camera",):
        Developer(setup_of(1, active, camera).plan)
        View(active, camera)
    opened = [open_bundle(folder) for folder in active.bundles.values()]
    model = model_of(bundle.digest for bundle in opened)
    return f"{path}: {active.recipe.name}, revision {active.revision}, model {model[:12] if opened else 'none'}"


@dataclass(frozen=True, slots=True)
class JobFinding:
    """What was found of one job."""

    ok: bool
    words: str


def check_jobs(jobs: Jobs) -> list[JobFinding]:
    """Look at every job of the settings: one that is wrong would be refused at its change-over."""
    found = []
    for number, path in sorted(jobs.recipes.items()):
        try:
            found.append(JobFinding(True, f"job {number}: {checked(path)}"))
        except Refused as error:
            found.append(JobFinding(False, f"job {number}: {error}"))
    return found
