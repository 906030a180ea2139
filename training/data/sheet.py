"""What a check found, to be looked at: a self-contained page, and the unlike goods as one contact sheet."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ...models import pictures
from ...models.box import Box
from ..report.looks import Look, gallery
from ..report.page import Words, note, page, section, table
from .check import Checked, Unusual
from .check_sayings import check_said
from .dataset import Sample
from .doubles import Double

PAGE, SHEET = "check.html", "unlike-goods.png"
_MOST_PAIRS = 24
_SIDE_PX = 240
_TITLE_PX = 34
_BESIDE = 5


def write_sheets(checked: Checked, out: Path) -> list[Path]:
    """Write check.html and, where goods were looked at, unlike-goods.png; return what was written. OSError."""
    out.mkdir(parents=True, exist_ok=True)
    (out / PAGE).write_bytes(_page(checked))
    written = [out / PAGE]
    if checked.unusual:
        (out / SHEET).write_bytes(pictures.encode_png(contact_sheet(checked.unusual)))
        written.append(out / SHEET)
    return written


def contact_sheet(unusual: Sequence[Unusual]) -> pictures.Picture:
    """Return the unlike goods side by side, RGB, each with its most unlike place framed, name and z above it."""
    tiles = [_tile(one) for one in unusual]
    blank = np.full_like(tiles[0], 255)
    rows = [tiles[at : at + _BESIDE] for at in range(0, len(tiles), _BESIDE)]
    rows[-1] += [blank] * (min(_BESIDE, len(tiles)) - len(rows[-1]))
    return np.vstack([np.hstack(row) for row in rows])


def where(one: Unusual) -> Box | None:
    """Return its most unlike place in picture pixels, a cell on each side with it; None: not known."""
    if one.suspect.cell is None:
        return None
    rows, columns = one.grid
    row, column = divmod(one.suspect.cell, columns)
    left = max(column - 1, 0) * one.sample.width // columns
    top = max(row - 1, 0) * one.sample.height // rows
    right = min(column + 2, columns) * one.sample.width // columns
    bottom = min(row + 2, rows) * one.sample.height // rows
    return Box(left, top, max(right - left, 1), max(bottom - top, 1))


def _tile(one: Unusual) -> pictures.Picture:
    picture = pictures.with_channels(one.sample.read(), 3).copy()
    scale = _SIDE_PX / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    box = where(one)
    if box is not None:
        corners = [round(value * scale) for value in (box.x, box.y, box.x + box.w, box.y + box.h)]
        cv2.rectangle(small, (corners[0], corners[1]), (corners[2], corners[3]), (220, 30, 30), 2)
    tile = np.full((_TITLE_PX + _SIDE_PX + 6, _SIDE_PX + 6, 3), 255, np.uint8)
    tile[_TITLE_PX : _TITLE_PX + small.shape[0], 3 : 3 + small.shape[1]] = small
    # OpenCV's letters are ASCII; the page has the name in full.
    name = Path(one.sample.name).name.encode("ascii", "replace").decode()
    cv2.putText(tile, name[-30:], (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(tile, f"z {one.suspect.z:.1f}", (4, 29), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def _page(checked: Checked) -> bytes:
    sections = [_broken(checked), _doubles(checked), _unusual(checked)]
    if checked.torn:
        rows = [(line,) for line in checked.torn]
        sections.insert(1, section(Words("On two sides of the split", "跨越数据划分"), _list(rows)))
    if checked.notes:
        sections.append(section(Words("Notes", "备注"), _list([(line,) for line in checked.notes])))
    title = Words("Check of a data set", "数据集检查")
    return page(title, f"{checked.dataset.origin}: {len(checked.dataset.samples)}", sections)


def _list(rows: Sequence[tuple[str]]) -> str:
    return table(Words("Found", "发现"), [Words("What", "内容")], rows)


def _broken(checked: Checked) -> str:
    title = Words("Files that cannot be used", "无法使用的文件")
    if not checked.broken:
        return section(title, note(Words("None.", "无。")))
    rows = [(one.file, one.reason) for one in checked.broken]
    head = [Words("File", "文件"), Words("Reason", "原因")]
    return section(title, table(Words("Broken files", "损坏的文件"), head, rows, numbers_from=2))


def _doubles(checked: Checked) -> str:
    title = Words("Pictures that are in the set twice", "重复的图像")
    if not checked.doubles:
        return section(title, note(Words("None.", "无。")))
    across = sum(one.across for one in checked.doubles)
    lead = Words(
        f"{len(checked.doubles)} pairs, {across} of them on both sides of the split; {_MOST_PAIRS} at most are shown.",
        f"共 {len(checked.doubles)} 对，其中 {across} 对跨越数据划分；最多显示 {_MOST_PAIRS} 对。",
    )
    head = [Words("One", "图像一"), Words("Other", "图像二"), Words("How", "方式")]
    rows = [(_named(one.one), _named(one.other), _how(one)) for one in checked.doubles]
    shown = gallery([_pair(one) for one in checked.doubles[:_MOST_PAIRS]])
    return section(title, shown, table(Words("All pairs", "全部重复"), head, rows, numbers_from=3), lead=lead)


def _named(sample: Sample) -> str:
    return f"{sample.name} ({sample.split or '-'}, {sample.label})"


def _how(one: Double) -> Words:
    return check_said(", ".join(words for words in (one.how, one.detail) if words))


def _pair(one: Double) -> Look:
    sides = []
    for sample in (one.one, one.other):
        picture = pictures.with_channels(sample.read(), 3)
        width = max(1, round(picture.shape[1] * _SIDE_PX / picture.shape[0]))
        sides.append(cv2.resize(picture, (width, _SIDE_PX), interpolation=cv2.INTER_AREA))
    alt = Words("two pictures side by side", "并排的两张图像")
    return Look(f"{_named(one.one)} = {_named(one.other)}", _how(one), alt, np.hstack(sides))


def _unusual(checked: Checked) -> str:
    title = Words("Goods that are unlike the others", "与众不同的良品")
    if not checked.unusual:
        return section(title, note(Words("Not looked for.", "未检查。")))
    lead = Words(
        "Perhaps no good parts: a person has to look. What is outlined is unlike what other goods have.",
        "可能并非良品，需要人工确认。框出的部位与其他良品不同。",
    )
    looks = []
    for one in checked.unusual:
        box, mask = where(one), None
        if box is not None:
            mask = np.zeros((one.sample.height, one.sample.width), bool)
            mask[box.y : box.y + box.h, box.x : box.x + box.w] = True
        alt = Words("a good part with its most unlike place outlined", "良品，框出最不同的部位")
        looks.append(Look(one.sample.name, check_said(one.suspect.why), alt, one.sample.read(), mask=mask))
    return section(title, gallery(looks), lead=lead)
