"""One thing that happened in this room and has to be written down."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the journal."""

    event: str
    body: dict[str, Any] = field(default_factory=dict)
    who: str = ""
