"""The tables of an evaluation's report, made of the values of `training/evaluation.py` and of nothing else."""

from collections.abc import Mapping
from typing import Any

from .page import Text, Words, note, section, table
from .words import interval, number, percent

_PARTS = Words("parts", "件数")
_INTERVAL = Words("95 % interval", "95 % 区间")
_GOOD = Words("good", "良品")


def by_class(found: Mapping[str, Any]) -> str:
    """Return the section of the classes of defect; empty without defects."""
    rows: list[list[Text]] = [
        [
            label,
            str(one["escape"]["n"]),
            str(one["escape"]["n"] - one["escape"]["events"]),
            str(one["escape"]["events"]),
            percent(one["escape"]["rate"]),
            interval(one["escape"]),
            f"{number(one['auroc'])} ({number(one['auroc_low'])}–{number(one['auroc_high'])})",
        ]
        for label, one in sorted(found["classes"].items(), key=lambda item: -item[1]["escape"]["rate"])
    ]
    head: list[Text] = [
        Words("class", "类别"),
        _PARTS,
        Words("caught", "检出"),
        Words("let through", "漏检"),
        Words("escape", "漏检率"),
        _INTERVAL,
        "AUROC (95 %)",
    ]
    return (
        section(
            Words("By class of defect", "按缺陷类别"),
            table(Words("The class that escapes most comes first", "漏检最多的类别排在最前"), head, rows),
            lead=Words(
                "Which defects are seen and which are not: a class with few parts has a wide interval, and nothing may "
                "be promised for it yet.",
                "哪些缺陷能检出，哪些不能：件数少的类别区间很宽，尚不能作任何承诺。",
            ),
        )
        if rows
        else ""
    )


def by_lot(found: Mapping[str, Any]) -> str:
    """Return the section of the lots; empty when fewer than two are known."""
    if len(found["lots"]) < 2:
        return ""
    rows: list[list[Text]] = [
        [
            lot,
            str(one["escape"]["n"]),
            percent(one["escape"]["rate"]),
            interval(one["escape"]),
            str(one["overkill"]["n"]),
            percent(one["overkill"]["rate"]),
            interval(one["overkill"]),
        ]
        for lot, one in found["lots"].items()
    ]
    head: list[Text] = [
        Words("lot", "批次"),
        Words("defective", "缺陷件"),
        Words("escape", "漏检率"),
        _INTERVAL,
        Words("good", "良品"),
        Words("overkill", "过杀率"),
        _INTERVAL,
    ]
    return section(
        Words("By lot", "按批次"),
        table(Words("Escape and overkill of each lot", "各批次的漏检率与过杀率"), head, rows),
        lead=Words(
            "Lots that differ more than their intervals allow were made or photographed differently.",
            "若批次之间的差异超出区间，说明其制造或拍摄条件不同。",
        ),
    )


def confusion(found: Mapping[str, Any]) -> str:
    """Return the section of who was called what; empty for a model that knows no classes."""
    seen = found["confusion"]
    if seen is None:
        return ""
    names: list[Text] = [_called(label) for label in seen["labels"]]
    counts: list[list[Text]] = [
        [name, *(str(count) for count in row)] for name, row in zip(names, seen["counts"], strict=True)
    ]
    rates: list[list[Text]] = [
        [
            _called(label),
            percent(one["recall"]["rate"]),
            interval(one["recall"]),
            percent(one["precision"]["rate"]),
            interval(one["precision"]),
        ]
        for label, one in seen["classes"].items()
        if label != "unjudged"
    ]
    return section(
        Words("Which class was called which", "类别混淆"),
        table(
            Words("Rows: what the part is. Columns: what the model called it.", "行：实际类别。列：模型判定的类别。"),
            [Words("is / called", "实际 / 判定"), *names],
            counts,
        ),
        table(
            Words(
                "Recall: found of those there are. Precision: right of those named.",
                "召回率：应有中检出的。精确率：判定中正确的。",
            ),
            [Words("class", "类别"), Words("recall", "召回率"), _INTERVAL, Words("precision", "精确率"), _INTERVAL],
            rates,
        ),
        lead=Words(
            "Numbers off the diagonal are mistakes; one in the column of good is an escape.",
            "对角线以外为错误；落在“良品”列的即为漏检。",
        ),
    )


def places(found: Mapping[str, Any]) -> str:
    """Return the section of where the model points; empty when it is not known where defects are."""
    pixels, seen = found["pixels"], found["places"]
    rows: list[list[Text]] = []
    if seen is not None:
        rows.append(
            [
                Words("Defects found where they are", "在正确位置找到的缺陷"),
                f"{seen['found']['events']} / {seen['found']['n']}",
                f"{percent(seen['found']['rate'])} ({interval(seen['found'])})",
            ]
        )
        if seen["boxes_found"] is not None:
            rows.append(
                [
                    Words("Defects whose box matches (IoU 0.5)", "框匹配的缺陷（IoU 0.5）"),
                    f"{seen['boxes_found']['events']} / {seen['boxes_found']['n']}",
                    f"{percent(seen['boxes_found']['rate'])} ({interval(seen['boxes_found'])})",
                ]
            )
        rows.append(
            [
                Words("False places per picture", "每张图像的误报位置"),
                f"{seen['false_places']} / {seen['pictures']}",
                number(seen["false_places_per_picture"]),
            ]
        )
    if pixels is not None:
        count = Words(f"{pixels['defects']} defects", f"{pixels['defects']} 处缺陷")
        for limit, area in pixels["aupro"].items():
            rows.append(
                [
                    Words(f"AUPRO, up to {100 * float(limit):g} % false", f"AUPRO，误标 {100 * float(limit):g} % 以内"),
                    count,
                    number(area),
                ]
            )
        rows.append([Words("Pixel AUROC", "像素 AUROC"), count, number(pixels["auroc"])])
        rows.append([Words("Pixel average precision", "像素平均精确率"), count, number(pixels["ap"])])
    if not rows:
        return ""
    missing = found["data"]["not_drawn"]
    return section(
        Words("Where the model points", "模型指向何处"),
        table(
            Words(
                "Places and pixels, over pictures with drawn defects and good parts",
                "位置与像素（有标注的缺陷图像和良品）",
            ),
            [Words("figure", "指标"), Words("counted", "计数"), Words("value", "值")],
            rows,
        ),
        note(
            Words(
                f"{missing} defective pictures have no drawn defect and are not in this table.",
                f"{missing} 张缺陷图像没有标注位置，未计入本表。",
            )
        )
        if missing
        else "",
        lead=Words(
            "A place is an area above the threshold; it is right when it touches a drawn defect and false when it "
            "touches none.",
            "超过阈值的区域为一个位置；触及标注缺陷为正确，否则为误报。",
        ),
    )


def stability(found: Mapping[str, Any]) -> str:
    """Return the section of the spread over several bundles; empty for one."""
    seen = found.get("stability")
    if not seen:
        return ""
    names = {
        "auroc": Words("image AUROC", "图像 AUROC"),
        "ap": Words("image average precision", "图像平均精确率"),
        "aupro_0.3": Words("AUPRO, up to 30 % false", "AUPRO，误标 30 % 以内"),
        "aupro_0.05": Words("AUPRO, up to 5 % false", "AUPRO，误标 5 % 以内"),
        "escape": Words("escape, share", "漏检率，比例"),
        "overkill": Words("overkill, share", "过杀率，比例"),
    }
    rows: list[list[Text]] = [
        [names.get(name, name), *(number(one[key]) for key in ("mean", "spread", "low", "high"))]
        for name, one in seen["figures"].items()
    ]
    count = len(seen["bundles"])
    head: list[Text] = [
        Words("figure", "指标"),
        Words("mean", "均值"),
        Words("standard deviation", "标准差"),
        Words("lowest", "最低"),
        Words("highest", "最高"),
    ]
    return section(
        Words("Stability", "稳定性"),
        table(Words(f"Over {count} bundles on the same pictures", f"{count} 个模型包在相同图像上的结果"), head, rows),
        lead=Words(
            "Differences between models smaller than this spread mean nothing.", "小于此离散程度的模型差异没有意义。"
        ),
    )


def _called(label: str) -> Text:
    known = {"good": _GOOD, "unjudged": Words("unjudged", "无法判定")}
    return known.get(label, label)
