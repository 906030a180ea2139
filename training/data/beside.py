"""`okng.csv`: what an export's own format has no place for, beside it. Other programs pass it over.

What the format says goes before it: it only completes. Who gave a label holds as long as it is that label.
"""

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ...bus.errors import BadData
from ...bus.outside import MOST_LIST, read_bounded
from .dataset import SPLITS, PartId, SaidBy, Sample
from .intake import Reading

NAME = "okng.csv"
_COLUMNS = ("file", "name", "label", "split", "part", "lot", "serial", "box", "epoch", "seq", "said_by")
_SAID: tuple[SaidBy, ...] = ("file", "operator", "verdict")


def write_beside(out: Path, rows: Iterable[tuple[str, Sample]], classes: Iterable[str]) -> None:
    """Write it into the folder of an export. rows: path of each picture inside, and its sample.

    classes: in the set's own order, each in a row without a file.
    """
    with (out / NAME).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows(("", "", name, *[""] * (len(_COLUMNS) - 3)) for name in classes)
        for path, one in rows:
            seen = (one.seen.box, one.seen.epoch, one.seen.seq) if one.seen else ("", "", "")
            known = (one.part or "", one.lot or "", one.serial or "", *seen, one.said_by)
            table.writerow((path, one.name, one.label, one.split or "", *known))


def complete(reading: Reading, root: Path) -> None:
    """Add to what an export says what lies beside it in its folder; nothing is done where no such file is. BadData."""
    listed = _rows(root / NAME)
    if not listed:
        return
    reading.classes[:0] = [row["label"] for row in listed if not row["file"]]
    rows = {row["file"]: row for row in listed if row["file"]}
    names = {row["name"] for row in rows.values()}
    for at, claim in enumerate(reading.claims):
        path = claim.picture
        row = rows.get(path.relative_to(root).as_posix()) if path.is_relative_to(root) else None
        if row is None:
            # Another picture must not bear a name that the file gives to one of its own.
            if claim.name in names:
                reading.claims[at] = replace(claim, name=f"beside/{claim.name}")
            continue
        side = next((one for one in SPLITS if one == row["split"]), None)
        said: SaidBy = next((one for one in _SAID if one == row["said_by"]), "file")
        reading.claims[at] = replace(
            claim,
            name=row["name"] or claim.name,
            split=side,
            part=claim.part or row["part"] or None,
            lot=claim.lot or row["lot"] or None,
            serial=claim.serial or row["serial"] or None,
            seen=claim.seen or _part_id(root / NAME, row),
            said_when=(row["label"], said),
        )


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    try:
        text = read_bounded(path, MOST_LIST).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadData(f"{path}: cannot be read: {error}") from error
    table = csv.DictReader(text.splitlines())
    if set(table.fieldnames or ()) < set(_COLUMNS):
        raise BadData(f"{path}: columns {', '.join(table.fieldnames or [])}: expected {', '.join(_COLUMNS)}")
    return [{key: row[key] or "" for key in _COLUMNS} for row in table]


def _part_id(path: Path, row: dict[str, str]) -> PartId | None:
    if not row["box"]:
        return None
    if not (row["epoch"].isdecimal() and row["seq"].isdecimal()):
        raise BadData(f"{path}: {row['file']}: epoch {row['epoch']!r}, seq {row['seq']!r}: expected numbers")
    return PartId(row["box"], int(row["epoch"]), int(row["seq"]))
