"""Which job io keeps active, in the run folder: whoever starts again, io too, comes up with it and not with another.

After a reboot the file is void and the start job of the settings holds. io alone writes it, whole or not at all, before
anybody goes by the new job.
"""

import json
import logging
from pathlib import Path

from .clock import boot_id

_LOG = logging.getLogger(__name__)


def active_job_file(run: Path) -> Path:
    """Where the number of the active job lies."""
    return run / "active-job"


def keep_job(run: Path, number: int) -> None:
    """Write the number down. OSError: it cannot be kept, so the job must not change."""
    path = active_job_file(run)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"boot": boot_id(), "number": number}), encoding="ascii")
    draft.replace(path)


def kept_job(run: Path) -> int | None:
    """Return the number that io keeps; None: none in this boot, or the file does not read."""
    path = active_job_file(run)
    try:
        known = json.loads(path.read_text(encoding="ascii"))
        boot, number = known["boot"], known["number"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _LOG.warning("%s does not read (%s): the start job of the settings holds", path, error)
        return None
    if boot != boot_id() or not isinstance(number, int) or not 1 <= number <= 65535:
        return None
    return number
