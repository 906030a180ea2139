"""Before a change-over it is looked up whether everybody who must has signed the recipe of the job."""

from collections.abc import Callable
from pathlib import Path

from ..bus.errors import OkngError
from ..records.seal_read import SealReader, missing
from .jobs import Jobs


def unsigned_by(jobs: Jobs, store: Path, required: tuple[str, ...]) -> Callable[[int, str], str]:
    """A question for `shift`: why a job cannot be changed over to by that person; empty: it can."""
    reader = SealReader(store)

    def why(number: int, who: str) -> str:
        if not required:
            return ""
        try:
            revision = jobs.recipe(number).revision
            lacking = missing(reader.signatures("recipe", digest=revision), required, who)
        except OkngError as error:
            return f"whether the recipe of job {number} is signed cannot be told: {error}"
        return f"recipe {revision} of job {number} is not signed as {', '.join(lacking)}" if lacking else ""

    return why
