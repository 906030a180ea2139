"""What an evaluation came to, for people at a terminal: made of the values of `report.json`."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any


def told(found: Mapping[str, Any]) -> list[str]:
    """Return an evaluation as lines."""
    data, image, took = found["data"], found["image"], found["latency_ms"]
    lines = [
        f"{found['bundle']['name']} {found['bundle']['digest'][:12]} on {data['pictures']} pictures: "
        f"{data['goods']} good, {data['defects']} defective ({data['origin']})",
        "",
        *_aligned(
            [
                ["", "value", "95 %", "of"],
                ["escape", *_rate(found["escape"])],
                ["overkill", *_rate(found["overkill"])],
                ["image AUROC", _number(image["auroc"]), _span(image["auroc_low"], image["auroc_high"]), ""],
                ["image AP", _number(image["ap"]), "", ""],
                *_places(found),
                ["ms a part", f"p50 {_number(took['p50'], 1)}", f"p99 {_number(took['p99'], 1)}", f"n {took['n']}"],
                ["unjudged", str(found["unjudged"]), "", f"{data['pictures']}"],
            ]
        ),
    ]
    if found["classes"]:
        rows = [["class", "escape", "95 %", "of", "AUROC"]]
        rows += [[label, *_rate(one["escape"]), _number(one["auroc"])] for label, one in found["classes"].items()]
        lines += ["", *_aligned(rows)]
    if len(found["lots"]) > 1:
        rows = [["lot", "escape", "95 %", "of", "overkill", "95 %", "of"]]
        rows += [[lot, *_rate(one["escape"]), *_rate(one["overkill"])] for lot, one in found["lots"].items()]
        lines += ["", *_aligned(rows)]
    if found["stability"]:
        rows = [["over bundles", "mean", "spread", "lowest", "highest"]]
        for name, one in found["stability"]["figures"].items():
            rows.append([name.replace("_", " "), *(_number(one[key]) for key in ("mean", "spread", "low", "high"))])
        lines += ["", *_aligned(rows)]
    lines += ["", f"threshold {found['threshold']:.4g}, chosen before: {found['bundle']['threshold']['method']}"]
    lines += [f"note: {code.replace('_', ' ')}" for code in found["cautions"]]
    return lines


def _places(found: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    pixels, places = found["pixels"], found["places"]
    if pixels is not None:
        rows += [
            [f"AUPRO {limit}", _number(area), "", f"{pixels['defects']} defects"]
            for limit, area in pixels["aupro"].items()
        ]
        rows += [["pixel AP", _number(pixels["ap"]), "", ""], ["pixel AUROC", _number(pixels["auroc"]), "", ""]]
    if places is not None:
        rows.append(["defects found", *_rate(places["found"])])
        if places["boxes_found"] is not None:
            rows.append(["boxes found", *_rate(places["boxes_found"])])
        rows.append(
            ["false places", _number(places["false_places_per_picture"], 2), "a picture", str(places["pictures"])]
        )
    return rows


def _rate(rate: Mapping[str, Any]) -> list[str]:
    return [
        _percent(rate["rate"]),
        f"{_percent(rate['low'])} .. {_percent(rate['high'])}",
        f"{rate['events']} / {rate['n']}",
    ]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _span(low: float | None, high: float | None) -> str:
    return f"{_number(low)} .. {_number(high)}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of one width, the first to the left. A Chinese name takes two columns a character."""
    wide = [max(_columns(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            cell + " " * (wide[at] - _columns(cell)) if at == 0 else " " * (wide[at] - _columns(cell)) + cell
            for at, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
