"""What was chosen in teaching, among what, and by what evidence."""

from collections.abc import Mapping
from typing import Any

from .page import Text, Words, note, section, table
from .sayings import said, value_words
from .words import number


def chosen(choice: Mapping[str, Any], labels: Mapping[str, Any]) -> list[str]:
    """Return the sections on what was chosen; empty where a report says nothing of it.

    choice, labels: as in a bundle's `report.json`.
    """
    return [one for one in (_size_and_heads(choice), _labels(labels)) if one]


def _size_and_heads(choice: Mapping[str, Any]) -> str:
    tables = [
        _compared(Words("Size of the picture the model sees", "模型所见图像的尺寸"), choice, "size"),
        _compared(Words("Heads", "算法组合"), choice, "heads"),
    ]
    if not any(tables):
        return ""
    reason = str(choice.get("reason", ""))
    return section(
        Words("What was chosen, and why", "选择及其依据"),
        *tables,
        note(Words("Reason: {it}", "依据：{it}").put(it=said(reason))) if reason else "",
        lead=Words(
            "Candidates compared on good parts alone: some were spoilt on purpose, and the figure is the chance to "
            "tell them from whole ones (1 is perfect, 0.5 is a coin). No real defect was used.",
            "仅用良品比较：对部分良品人为制造瑕疵，数值为区分二者的概率（1 为完美，0.5 等于掷硬币）。未使用真实缺陷。",
        ),
    )


def _compared(caption: Words, choice: Mapping[str, Any], what: str) -> str:
    tried: Mapping[str, float] = choice.get(f"auroc_of_spoilt_goods_by_{what}", {})
    rows: list[list[Text]] = [
        [name, number(value), Words("chosen", "选定") if name == choice.get(what) else ""]
        for name, value in sorted(tried.items(), key=lambda item: -item[1])
    ]
    return table(caption, [Words("candidate", "候选"), "AUROC", ""], rows) if rows else ""


def _labels(labels: Mapping[str, Any]) -> str:
    tried: Mapping[str, float] = labels.get("auroc_left_out", {})
    if not tried:
        return ""
    rows: list[list[Text]] = [
        [value_words(name), number(value), Words("chosen", "选定") if name == labels.get("judged_by") else ""]
        for name, value in sorted(tried.items(), key=lambda item: -item[1])
    ]
    reason = str(labels.get("reason", ""))
    counted = ", ".join(f"{kind} {count}" for kind, count in labels.get("defects", {}).items())
    return section(
        Words("What the labelled defects gained", "有标注缺陷带来的改进"),
        table(
            Words("Each defect scored by a model that did not know it", "每个缺陷由未见过它的模型打分"),
            [Words("judged by", "判定依据"), "AUROC", ""],
            rows,
        ),
        note(Words("Labelled defects: {n}. {it}", "有标注的缺陷：{n}。{it}").put(n=counted, it=said(reason))),
        lead=Words(
            "Labels are used only where leaving each of them out in turn shows a gain.",
            "只有逐一留出验证表明有改进时才采用标注。",
        ),
    )
