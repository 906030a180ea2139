"""`report.html` of a training: what the limits come to on pictures nothing was chosen by, and how it was learnt."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..report.charts import Axis, Line, Mark, line_chart
from ..report.page import Fact, Text, Words, facts, figure, figures, note, page, section, table
from ..report.style import DEFECT, GOOD, OTHER
from ..report.words import interval, key_words, number, percent, plain

_FIGURES = {
    "segmentation": Words("overlap of pixels (mean IoU)", "像素重叠度（平均 IoU）"),
    "detection": Words("average precision at overlap 0.5", "平均精度（重叠 0.5）"),
    "classification": Words("share right, mean over classes", "各类正确率平均值"),
}

_KEYS = {
    "best_epoch": Words("epoch kept", "采用的轮次"),
    "names_sha256": Words("digest of the pictures' names", "图像名称摘要"),
    "pictures": Words("pictures trained on", "训练图像数"),
    "pictures_sha256": Words("digest of the pictures", "图像数据摘要"),
    "test_pictures": Words("test pictures", "测试图像数"),
    "torch": Words("version of torch", "torch 版本"),
    "torchvision": Words("version of torchvision", "torchvision 版本"),
    "validation_pictures": Words("validation pictures", "验证图像数"),
    "weights": Words("weights it began with", "初始权重"),
    "weights_sha256": Words("digest of the weights it began with", "初始权重摘要"),
}
"""What only a training has, in words."""


def training_report(report: Mapping[str, Any], *, name: str) -> bytes:
    """Return the page. report: what stands in the bundle's `report.json`. name: of the product."""
    task = str(report["options"]["task"])
    return page(
        Words(f"{name}: what was trained", f"{name}：训练报告"),
        Words(
            "A model trained from labelled defects. Limits were chosen on validation pictures; "
            "what is promised is told from test pictures alone.",
            "本模型由有标注的缺陷训练而成。限值由验证图像选定；承诺仅依据测试图像。",
        ),
        [
            section(Words("What is promised", "承诺"), _promise(report)),
            section(Words("Limits and escapes by class", "各类限值与漏检"), _classes(report)),
            section(Words("How it was learnt", "学习过程"), _curves(report, task)),
            section(
                Words("What it was trained from", "训练依据"),
                table(
                    Words("Settings and data", "设置与数据"),
                    [Words("what", "项目"), Words("value", "值")],
                    [[_KEYS.get(key) or key_words(key), plain(value)] for key, value in report["train"].items()],
                    numbers_from=9,
                ),
                _left_out(report),
            ),
        ],
    )


def _promise(report: Mapping[str, Any]) -> str:
    test = report["test"]
    if test is None:
        return note(
            Words(
                "No picture was put aside for a test: what the limits come to on parts never seen is not known. "
                "Measure it with okng evaluate.",
                "没有留出测试图像：限值在未见过的工件上的表现未知。请用 okng evaluate 测量。",
            ),
            "warning",
        )
    good, bad = test["overkill"], test["escape"]
    shown = [
        Fact(
            Words("Good parts rejected (overkill)", "良品误剔率（过杀）"),
            _share(good),
            Words(
                f"{good['events']} of {good['n']} test pictures; the truth lies in {interval(good)} (95 %).",
                f"{good['n']} 张测试图像中 {good['events']} 张；真实值在 {interval(good)} 之间（95 %）。",
            ),
        ),
        Fact(
            Words("Defects let through (escape)", "缺陷漏检率"),
            _share(bad),
            Words(
                f"{bad['events']} of {bad['n']} test pictures; the truth lies in {interval(bad)} (95 %).",
                f"{bad['n']} 张测试图像中 {bad['events']} 张；真实值在 {interval(bad)} 之间（95 %）。",
            ),
        ),
    ]
    return facts(shown) + note(Words(f"Asked for: {report['target']}", f"要求：{report['target']}"))


def _classes(report: Mapping[str, Any]) -> str:
    rows: list[list[Text]] = []
    for kind, limit in report["limits"]["by_class"].items():
        row: list[Text] = [kind, number(limit)]
        for side in ("validation", "test"):
            seen = ((report[side] or {}).get("by_class") or {}).get(kind)
            row.append(f"{seen['events']} / {seen['n']}" if seen else "–")
        rows.append([*row, interval(seen) if seen else "–"])
    head = [
        Words("class", "类别"),
        Words("limit", "限值"),
        Words("escapes, validation", "漏检，验证"),
        Words("escapes, test", "漏检，测试"),
        Words("95 % interval", "95 % 区间"),
    ]
    caption = Words("Above its limit a class makes a part NG", "某类置信度高于其限值即判 NG")
    return table(caption, head, rows) + "".join(note(said, "warning") for said in report["limits"]["notes"])


def _curves(report: Mapping[str, Any], task: str) -> str:
    rows: Sequence[Mapping[str, float]] = report["curves"]
    last = max(2.0, rows[-1]["epoch"])
    x = Axis(Words("epoch", "轮次"), 1.0, last)
    best = Mark(Words("kept", "采用"), float(report["best_epoch"]))
    losses = [
        Line(Words("trained on", "训练"), [(row["epoch"], row["loss"]) for row in rows], GOOD),
        Line(Words("validation", "验证"), [(row["epoch"], row["validation_loss"]) for row in rows], DEFECT, "6 4"),
    ]
    top = max(1e-6, *(max(row["loss"], row["validation_loss"]) for row in rows))
    quality = [Line(_FIGURES[task], [(row["epoch"], row["figure"]) for row in rows], GOOD)]
    ranked = [(row["epoch"], row["auroc"]) for row in rows if "auroc" in row]
    if ranked:
        quality.append(Line(Words("good or not (AUROC)", "良品与否（AUROC）"), ranked, OTHER, "6 4"))
    return figures(
        figure(
            line_chart(Words("Loss by epoch", "各轮损失"), x, Axis(Words("loss", "损失"), 0.0, top), losses, [best]),
            Words(
                "Where the validation loss rises while the other falls, the model learns pictures by heart.",
                "验证损失上升而训练损失下降，说明模型在死记图像。",
            ),
        ),
        figure(
            line_chart(
                Words("Figures by epoch", "各轮指标"), x, Axis(Words("figure", "指标"), 0.0, 1.0), quality, [best]
            ),
            Words(
                "On validation pictures; the epoch that is marked was kept.",
                "依据验证图像；标出的轮次被采用。",
            ),
        ),
    ) + note(Words(f"It ended because: {report['ended']}.", f"结束原因：{report['ended']}。"))


def _left_out(report: Mapping[str, Any]) -> str:
    names = report.get("left_out") or ()
    if not names:
        return ""
    said = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return note(
        Words(
            f"{len(names)} defective pictures with nothing drawn were left out: {said}",
            f"{len(names)} 张未画出缺陷的图像未使用：{said}",
        ),
        "warning",
    )


def _share(share: Mapping[str, Any]) -> str:
    return percent(share["events"] / share["n"]) if share["n"] else "–"
