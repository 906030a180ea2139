"""What happens in this room and has to be written down."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the journal."""

    event: str
    body: dict[str, Any] = field(default_factory=dict)
    who: str = ""


class Noting:
    """Keeps what happened to it until that is fetched."""

    def __init__(self) -> None:
        self._notes: list[Note] = []

    def notes(self) -> list[Note]:
        """What is to be journaled since the last call."""
        notes, self._notes = self._notes, []
        return notes
