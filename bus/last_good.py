"""Where the last good copy of a file lies that people write: beside it. Who refuses a damaged file names its copy.

No process goes on with the copy by itself: what is used would not be what the file says, and nobody would know.
"""

from datetime import UTC, datetime
from pathlib import Path

ENDING = ".good"


def good_of(file: Path) -> Path:
    """Its copy, which need not be there."""
    return file.with_name(file.name + ENDING)


def hint(file: Path) -> str:
    """The end of a refusal: which copy was good, and of when; empty: there is none."""
    copy = good_of(file)
    try:
        at = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    except OSError:
        return ""
    return f"; its last good copy is {copy} of {at:%Y-%m-%d %H:%M} UTC"
