"""Before a change-over it is looked up whether everybody who must has signed the recipe of the job."""

from collections.abc import Callable
from pathlib import Path

from ..bus.errors import OkngError
from ..records.seal_read import SealReader, missing, short_of
from .jobs import Jobs


def unsigned_by(jobs: Jobs, store: Path, required: tuple[str, ...]) -> Callable[[int, str], str]:
    """A question for `shift`: why a job cannot be changed over to by that person; empty: it can."""
    reader = SealReader(store)

    def why(number: int, who: str) -> str:
        if not required:
            return ""
        try:
            active = jobs.recipe(number)
            lacking = missing(reader.signatures("recipe", digest=active.digest), required, who)
            old = reader.signatures("recipe", digest=short_of(active.digest)) if lacking else []
        except OkngError as error:
            return f"whether the recipe of job {number} is signed cannot be told: {error}"
        if not lacking:
            return ""
        said = f"recipe {active.revision} of job {number} is not signed as {', '.join(lacking)}"
        return f"{said}: signatures over its first {len(old[0].digest)} digits count no more" if old else said

    return why
