"""What a box remembers of its channels beside TUF's own folder: the last standing that was trusted, and when."""

import dataclasses
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ..bus.outside import parsed_json, read_bounded
from ..records.durable import replace_synced
from .channel_format import moment, when
from .channel_offer import Standing

log = logging.getLogger(__name__)
FILE = "standing.json"
_MOST_BYTES = 4 << 20
_STANDING: TypeAdapter[Standing] = TypeAdapter(Standing)


class Memory:
    """A file beside TUF's folder, written by one process."""

    def __init__(self, folder: Path, box: str) -> None:
        """folder: need not exist. box: who remembers; what another id was told is not for this one.

        What cannot be read is as if it was never there: the floor still holds.
        """
        self._path, self._box = folder / FILE, box
        self.standing = Standing()
        self.seen: datetime | None = None
        """When the channel was last read whole; no clock may stand before it."""
        try:
            said = parsed_json(read_bounded(self._path, _MOST_BYTES))
            seen = when(said["seen"])
            standing = _STANDING.validate_python(said["standing"])
            self.seen = seen
            if said["box"] == box:
                self.standing = standing
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            log.warning("%s: cannot be read, nothing is remembered: %s", self._path, error)

    def keep(self, standing: Standing, at: datetime) -> None:
        """Remember, durable when this returns. OSError."""
        said: dict[str, Any] = {"box": self._box, "seen": moment(at), "standing": dataclasses.asdict(standing)}
        replace_synced(self._path, json.dumps(said, default=dict).encode())
        self.standing, self.seen = standing, at

    @staticmethod
    def moment(text: str) -> datetime:
        """The moment that a text names; one that names none is long gone."""
        try:
            return when(text)
        except ValueError:
            return datetime(1970, 1, 1, tzinfo=UTC)

    def until(self, standing: Standing) -> datetime:
        """When the first of what was signed runs out."""
        return self.moment(standing.fresh_until)

    @staticmethod
    def text(at: datetime) -> str:
        """A moment as it is remembered."""
        return moment(at)
