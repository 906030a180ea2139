"""Which form a file that a person wrote has: its key `version`. Another form than this okng's is refused in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIRST = 1
"""Of a file that says nothing: there was no such key at first."""


def form_of(content: Mapping[str, Any]) -> int | None:
    """Version of a file's form; None: what stands there is no version, which its own reader complains of."""
    found = content.get("version", FIRST)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= FIRST else None


def other_form(file: Path, content: Mapping[str, Any], known: int) -> str | None:
    """What is to be said of a file of another form than `known`; None: it has that one, or none that makes sense."""
    found = form_of(content)
    if found is None or found == known:
        return None
    if found > known:
        return newer(file, found, known)
    return f"{file}: version = {found}: expected {known}: an older okng wrote it: `okng settings migrate`"


def newer(file: Path, found: int, known: int) -> str:
    """What is to be said of a file that a newer okng wrote."""
    return (
        f"{file}: version = {found}: expected at most {known}: a newer okng wrote it. "
        f"Install that one again, or put the copy back that lies beside it ({file.name}.v{known}.bak)"
    )
