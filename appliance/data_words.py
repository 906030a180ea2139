"""What `okng data` says: tables of a set and of what is wrong with it, and the same as JSON."""

from collections.abc import Sequence
from typing import Any

from ..training.data.check import Checked
from ..training.data.dataset import GOOD, SPLITS, Dataset

_SHOWN = 40


def set_lines(dataset: Dataset) -> list[str]:
    """Return the table of a set: label by side."""
    count = dataset.count()
    labels = [GOOD, *dataset.classes]
    sides = [side for side in (*SPLITS, "") if any(count.get((label, side)) for label in labels)]
    rows = [[label, *(str(count.get((label, side), 0)) for side in sides)] for label in labels]
    for row, label in zip(rows, labels, strict=True):
        row.append(str(sum(count.get((label, side), 0) for side in sides)))
    totals = [str(sum(int(row[at]) for row in rows)) for at in range(1, len(sides) + 2)]
    lines = [
        dataset.origin,
        *_table(["label", *(side or "no side" for side in sides), "all"], [*rows, ["all", *totals]]),
    ]
    drawn = sum(bool(one.annotations) for one in dataset.defects)
    lines.append(f"{drawn} of {len(dataset.defects)} defective pictures have defects drawn")
    if dataset.kinds != dataset.classes:
        lines.append(f"drawn classes: {', '.join(dataset.kinds)}")
    for what in ("part", "lot"):
        values = [getattr(one, what) for one in dataset.samples]
        known = {value for value in values if value is not None}
        lines.append(f"{len(known)} {what}s, not known of {values.count(None)} pictures")
    lines += [f"note: {line}" for line in dataset.notes]
    lines += [f"left out: {one}" for one in dataset.left_out]
    return lines


def check_lines(found: Checked) -> list[str]:
    """Return what a check found."""
    lines = set_lines(found.dataset)
    # Broken files have a table of their own below.
    lines = [line for line in lines if not line.startswith(("left out: ", "note: "))]
    lines += [f"note: {line}" for line in found.notes]
    lines += _listed(f"{len(found.broken)} files cannot be used", [str(one) for one in found.broken], everything=True)
    across = [str(one) for one in found.doubles if one.across]
    within = [str(one) for one in found.doubles if not one.across]
    against = [str(one) for one in found.doubles if one.contradicts]
    lines += _listed(f"{len(across)} doubles on both sides of the split", across)
    lines += _listed(f"{len(against)} doubles with different labels", against)
    lines += _listed(f"{len(within)} doubles on one side", within)
    lines += _listed(f"{len(found.torn)} parts and lots on several sides of the split", list(found.torn))
    if found.unusual:
        beyond = sum(one.suspect.beyond for one in found.unusual)
        rows = [[one.sample.name, f"{one.suspect.z:.1f}", one.suspect.why] for one in found.unusual]
        lines += ["", f"the goods most unlike the others ({beyond} stand out): look at them"]
        lines += _table(["picture", "z", "why"], rows)
    lines += ["", "nothing to mend" if found.sound else "must be mended"]
    return lines


def as_dict(dataset: Dataset) -> dict[str, Any]:
    """Return a set as JSON has it."""
    counts: dict[str, dict[str, int]] = {}
    for (label, side), many in sorted(dataset.count().items()):
        counts.setdefault(label, {})[side or "none"] = many
    return {
        "origin": dataset.origin,
        "pictures": len(dataset.samples),
        "classes": list(dataset.classes),
        "kinds": list(dataset.kinds),
        "counts": counts,
        "notes": list(dataset.notes),
        "left_out": [{"file": one.file, "reason": one.reason} for one in dataset.left_out],
    }


def check_dict(found: Checked) -> dict[str, Any]:
    """Return what a check found as JSON has it."""
    return {
        **as_dict(found.dataset),
        "sound": found.sound,
        "broken": [{"file": one.file, "reason": one.reason} for one in found.broken],
        "doubles": [
            {
                "one": one.one.name,
                "other": one.other.name,
                "how": one.how,
                "detail": one.detail,
                "across": one.across,
                "contradicts": one.contradicts,
            }
            for one in found.doubles
        ],
        "torn": list(found.torn),
        "unlike": [
            {"picture": one.sample.name, "z": round(one.suspect.z, 2), "stands_out": one.suspect.beyond}
            for one in found.unusual
        ],
        "notes": list(found.notes),
    }


def _listed(title: str, lines: Sequence[str], *, everything: bool = False) -> list[str]:
    if not lines:
        return []
    shown = list(lines) if everything else list(lines[:_SHOWN])
    more = [f"  and {len(lines) - len(shown)} more (--json names all)"] if len(lines) > len(shown) else []
    return ["", f"{title}:", *(f"  {line}" for line in shown), *more]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table; the first column stands left, numbers right."""
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        for cell, width in zip(row[1:], widths[1:], strict=True):
            cells.append(cell.rjust(width) if cell.replace(".", "").isdigit() or width < 12 else cell)
        return "  ".join(cells).rstrip()

    return [line(head), *(line(row) for row in rows)]
