"""The earliest moment that it can be: whoever starts with its clock at 1970 knows at least when it was built.

Certificates and what runs out are judged by `believed_now`, never by a clock that stands before the build. The floor of
the ledger, which is later, is `records/clock_watch.py`.
"""

from datetime import UTC, datetime
from pathlib import Path


def build_utc() -> datetime:
    """When this okng was built: the time of its own files, which a package keeps. Whole seconds."""
    try:
        return datetime.fromtimestamp(int(Path(__file__).stat().st_mtime), UTC)
    except OSError:  # pragma: no cover - it runs from a place that has no files
        return datetime(2026, 1, 1, tzinfo=UTC)


def believed_now() -> datetime:
    """The wall clock, but not before the build."""
    return max(datetime.now(UTC), build_utc())
