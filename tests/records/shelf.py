"""A store with pictures for tests of retention: parts of any class and age, each with a file of its own."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import apsw
import cv2
import numpy as np

from okng.bus.clock import utc_text
from okng.bus.part import Outcome, Why
from okng.records.ledger import Ledger, Ripe
from okng.records.pictures import PictureShelf, picture_path
from okng.records.read import LedgerReader

T = TypeVar("T")
SCORES = {"ok": 1.0, "uncertain": 3.9, "reject": 9.0, "challenge": 9.0}
_OK, _PICTURE = cv2.imencode(".png", np.arange(64 * 48, dtype=np.uint8).reshape(48, 64))
PICTURE: bytes = _PICTURE.tobytes()


class Store:
    """One store. `write` is what retention writes through."""

    def __init__(self, folder: Path, maker: ModuleType, ledger: Ledger | None = None) -> None:
        self.folder, self._maker = folder, maker
        self.ledger = ledger or Ledger(folder)
        self._shelf = PictureShelf(folder)
        self._number = 0

    def write(self, do: Callable[[apsw.Connection], T]) -> T:
        with self.ledger.transaction() as db:
            return do(db)

    def add(self, kind: str, at: datetime, size: int = 0, epoch: str = "run-1", **more: Any) -> int:
        """A part of that class taken then, with a picture of at least that size; its seq. more: of `Ripe`."""
        maker, self._number = self._maker, self._number + 2
        part = self._number // 2
        why = {"ok": Why.OK, "uncertain": Why.OK, "reject": Why.NG, "challenge": Why.CHALLENGE}[kind]
        bad = kind in ("reject", "challenge")
        said = maker.verdict(part, Outcome.NG if bad else Outcome.OK)
        entry = maker.record_entry(self._number, part, why, epoch, said=replace(said, score=SCORES[kind]))
        taken_at = utc_text(at)
        frame = replace(maker.frame(part), taken_at=taken_at)
        data = PICTURE + bytes(max(0, size - len(PICTURE)))
        kept = self._shelf.put(picture_path(frame, "png"), data, 64, 48)
        self._shelf.settle()
        begun = replace(maker.trigger_entry(self._number - 1, part, epoch), boot_id="boot")
        ended = replace(entry, record=replace(entry.record, taken_at=taken_at))
        self.ledger.store([Ripe(begun), Ripe(ended, frame, kept=kept, **more)])
        return int(self.rows("select max(seq) as seq from part")[0]["seq"])

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        with LedgerReader(self.folder).asking() as ask:
            return list(ask(sql, values))

    def files(self) -> set[str]:
        """Every file of pictures, relative to the store."""
        root = self.folder / "pictures"
        return {file.relative_to(self.folder).as_posix() for file in root.rglob("*") if file.is_file()}

    def label(self, seq: int) -> None:
        """A person says something of a part."""
        sql = "insert into label (seq, truth, who, at) values (?, 'good', 'ann', '2026-11-24T00:00:00.000Z')"
        self.write(lambda db: db.execute(sql, (seq,)).fetchall())
