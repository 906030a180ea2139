"""The drafts on disk: a folder each. What is read is whole, whenever the workshop was killed."""

import hashlib
import json
import logging
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from ..bus.clock import utc_now
from ..bus.complaint import complain
from .draft import Draft
from .whole import put, sweep

_LOG = logging.getLogger(__name__)
DRAFT = "draft.json"
MOST_DRAFTS = 64
PICTURES, SMALL, HEAT, MODELS = "pictures", "small", "heat", "models"


class Drafts:
    """All drafts of one workshop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Remove what a killed workshop left half written: drafts that were being dropped, files never named."""
        sweep(self.folder)
        for place in self.folder.glob(".gone-*"):
            shutil.rmtree(place, ignore_errors=True)
        for draft in self.all():
            known = {shot.id for shot in draft.shots}
            for kind in (PICTURES, SMALL):
                for file in (self.folder / draft.id / kind).glob("*"):
                    if file.stem not in known:
                        with suppress(OSError):
                            file.unlink()
            used = {one.bundle for one in draft.taught.values()}
            for place in (self.folder / draft.id / MODELS).glob("*"):
                if f"{MODELS}/{place.name}" not in used:
                    shutil.rmtree(place, ignore_errors=True)

    def all(self) -> list[Draft]:
        """Every draft that reads, the newest first. One that does not is told in the log and left alone."""
        found = []
        for place in self.folder.iterdir():
            if (place / DRAFT).is_file():
                try:
                    found.append(self.read(place.name))
                except ValueError as error:
                    _LOG.error("%s", error)
        return sorted(found, key=lambda draft: draft.changed_at, reverse=True)

    def read(self, id_: str) -> Draft:
        """One draft. ValueError: there is none such, or its file does not read."""
        if not (len(id_) == 12 and id_.isascii() and id_.isalnum()):
            raise ValueError(f"draft {id_[:40]!r}: there is none such")
        path = self.folder / id_ / DRAFT
        try:
            return Draft.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise ValueError(f"draft {id_}: there is none such") from None
        except OSError as error:
            raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
        except ValidationError as error:
            raise ValueError(complain(path, error)) from error

    def new(self, draft: Draft) -> Draft:
        """Keep a new draft. ValueError: there are too many. StoreLost."""
        if len(self.all()) >= MOST_DRAFTS:
            raise ValueError(f"there are {MOST_DRAFTS} drafts already: drop one first")
        return self._write(draft)

    def change(self, draft: Draft, **fields: object) -> Draft:
        """Keep the draft with other values in some fields, as its next revision. ValueError, StoreLost."""
        content = {**draft.model_dump(), **_plain(fields)}
        content |= {"revision": draft.revision + 1, "changed_at": utc_now()}
        try:
            return self._write(Draft.model_validate(content))
        except ValidationError as error:
            raise ValueError(complain(f"draft {draft.name}", error)) from error

    def drop(self, id_: str) -> None:
        """Remove one. ValueError: there is none such."""
        draft = self.read(id_)
        gone = self.folder / f".gone-{draft.id}-{secrets.token_hex(4)}"
        (self.folder / draft.id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def place(self, draft: Draft) -> Path:
        """Folder of a draft."""
        return self.folder / draft.id

    def picture(self, draft: Draft, shot: str) -> Path:
        """File of a picture."""
        return self.folder / draft.id / PICTURES / f"{shot}.png"

    def small(self, draft: Draft, shot: str) -> Path:
        """File of its small copy."""
        return self.folder / draft.id / SMALL / f"{shot}.jpg"

    def _write(self, draft: Draft) -> Draft:
        put(self.folder / draft.id / DRAFT, draft.model_dump_json(indent=1).encode())
        return draft


def new_id() -> str:
    """A fresh name of a draft's folder."""
    return secrets.token_hex(6)


def matter(draft: Draft) -> str:
    """What a teaching depends on, in one word: regions, and which pictures are goods and defects."""
    told = {
        "regions": [region.model_dump(mode="json", exclude={"threshold", "bundle"}) for region in draft.regions],
        "shots": [[shot.id, shot.role, shot.kind, shot.region] for shot in draft.shots if shot.role != "challenge"],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _plain(fields: dict[str, object]) -> dict[str, object]:
    """Models as plain data, so that they are checked anew."""
    return {name: _dumped(value) for name, value in fields.items()}


def _dumped(value: object) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, tuple | list):
        return [_dumped(each) for each in value]
    if isinstance(value, dict):
        return {name: _dumped(each) for name, each in value.items()}
    return value
