"""The report of a teaching, in the bundle: what the threshold promises, and the goods a person should look at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...models.box import Box
from ...models.figures import clopper_pearson
from .charts import Bars, histogram
from .chosen import chosen
from .looks import Look, gallery
from .page import Fact, Text, Words, facts, figure, note, page, section, table
from .sayings import said
from .words import interval, key_words, percent, plain

UNLIKE = 10
"""Goods shown, at most."""
_BARS = Bars(
    score=Words("score (how unlike the other good parts)", "得分（与其他良品的差异程度）"),
    parts=Words("good parts", "良品数"),
    threshold=Words("threshold", "阈值"),
    goods=Words("good parts, each scored by a model that did not know it", "良品（由未见过该件的模型打分）"),
    defects="",
)
_PHASES = {
    "size": Words("trying sizes", "比较输入大小"),
    "pictures": Words("reading pictures", "读取图像"),
    "features": Words("features", "提取特征"),
    "heads": Words("weighing the two distances", "比较两种距离的权重"),
    "whitening": Words("whitening", "白化"),
    "memory": Words("the memory of goods", "良品记忆"),
    "gaussian": Words("goods at each place", "各位置的良品统计"),
    "calibration": Words("calibration", "校准"),
    "labels": Words("reading labels", "读取标注"),
    "head": Words("leaving each defect out", "逐一留出缺陷"),
    "golden": Words("golden pictures", "金样图像"),
}
"""Phases of a teaching, as `seconds` names them."""


def teaching_report(report: Mapping[str, Any], pictures: Sequence[Look] = (), *, name: str = "") -> bytes:
    """Return `report.html` of a teaching.

    report: what stands in the bundle's `report.json`: `threshold` with `value`, `method`, `goods` and the shares
    `overkill`, `low`, `high` (0..1), `held_out_scores`, `most_unlike_goods` (`file`, `score`), `train`, `seconds`.
    What is missing is left out; further plain values of `train` are shown as they are.
    pictures: the most unlike goods, the worst first, as `unlike_good` makes them; more than ten are left out.
    name: of the product.
    """
    product = name or str(report.get("name", "")) or "okng"
    threshold: Mapping[str, Any] = report.get("threshold", {})
    train: Mapping[str, Any] = report.get("train", {})
    scores = [float(score) for score in report.get("held_out_scores", ())]
    return page(
        Words(f"{product}: what was taught", f"{product}：示教报告"),
        _subtitle(int(train.get("labelled_defects", 0))),
        [
            section(Words("What is promised", "承诺"), _promise(threshold, len(scores))),
            section(
                Words("Good parts and the threshold", "良品与阈值"),
                figure(
                    histogram(
                        Words("Histogram of the good parts' scores with the threshold", "良品得分直方图及阈值"),
                        scores,
                        (),
                        float(threshold.get("value", 0.0)),
                        _BARS,
                    ),
                    Words(
                        "Each bar counts good parts; those right of the dashed line would be rejected. "
                        "Far apart is good: the line should stand clear of the crowd.",
                        "每根柱子是良品的件数；虚线右侧的良品会被误剔。虚线离柱群越远越好。",
                    ),
                ),
            )
            if scores
            else "",
            _unlike(report.get("most_unlike_goods", ()), pictures, str(report.get("doubt", ""))),
            *chosen(report.get("choice", {}), report.get("labels", {})),
            section(
                Words("How it was taught", "示教方式"),
                table(
                    Words("Settings and data", "设置与数据"),
                    [Words("what", "项目"), Words("value", "值")],
                    [[key_words(key), plain(value)] for key, value in train.items()],
                    numbers_from=9,
                )
                if train
                else "",
                _seconds(report.get("seconds", {})),
            ),
        ],
    )


def unlike_good(
    file: str,
    score: float,
    threshold: float,
    picture: npt.NDArray[np.uint8],
    heat: npt.NDArray[np.float32] | None = None,
    region: Box | None = None,
) -> Look:
    """Return one of the most unlike goods, for `teaching_report`.

    picture: uint8, grey [h, w] or RGB [h, w, 3]. heat: f32[rows, cols] of the region; None: no heat is shown.
    region: None: the whole picture.
    """
    return Look(
        caption=file,
        detail=_scored(score, threshold),
        alt=Words(f"Good part {file}, score {score:.2f}", f"良品 {file}，得分 {score:.2f}"),
        picture=picture,
        heat=heat,
        region=region,
        # The model knows this part by now: what is left of its strangeness is shown against its own worst place.
        threshold=threshold if heat is None else min(threshold, float(heat.max())),
    )


def _subtitle(labelled: int) -> Words:
    if labelled:
        return Words(
            f"A model taught from good parts, and shown {labelled} labelled defects.",
            f"本模型由良品示教而成，并参考了 {labelled} 件有标注的缺陷。",
        )
    return Words(
        "A model taught from good parts alone. It knows no defect; it knows what is usual.",
        "本模型仅由良品示教而成。它不认识任何缺陷，只认识正常的样子。",
    )


def _scored(score: float, threshold: float) -> Words:
    if score > threshold:
        return Words(f"score {score:.2f}, above the threshold", f"得分 {score:.2f}，高于阈值")
    return Words(f"score {score:.2f}, not above the threshold", f"得分 {score:.2f}，不高于阈值")


def _promise(threshold: Mapping[str, Any], scores: int) -> str:
    goods = int(threshold.get("goods", scores))
    shown = [
        Fact(
            Words("Threshold", "阈值"),
            f"{float(threshold.get('value', 0.0)):.4g}",
            Words("A part that scores above it is rejected.", "得分高于此值的工件被剔除。"),
        )
    ]
    if "overkill" in threshold:
        span = interval({"low": threshold.get("low", 0.0), "high": threshold.get("high", 1.0)})
        shown.append(
            Fact(
                Words("Good parts rejected (overkill)", "良品误剔率（过杀）"),
                percent(threshold["overkill"]),
                Words(
                    f"Expected share; with {goods} good parts the truth lies in {span} (95 %).",
                    f"预期比例；依据 {goods} 件良品，真实值在 {span} 之间（95 %）。",
                ),
                "good",
            )
        )
    escape, defects = threshold.get("escape"), threshold.get("defects", 0)
    between = interval({"low": threshold.get("escape_low", 0.0), "high": threshold.get("escape_high", 1.0)})
    shown.append(
        Fact(
            Words("Defects let through (escape)", "缺陷漏检率"),
            percent(escape) if escape is not None else Words("not known", "未知"),
            Words(
                f"Expected share; with {defects} labelled defects the truth lies in {between} (95 %).",
                f"预期比例；依据 {defects} 件有标注的缺陷，真实值在 {between} 之间（95 %）。",
            )
            if escape is not None
            else Words(
                "No defect was shown to the model: measure it with okng evaluate.",
                "示教时没有缺陷样本：请用 okng evaluate 测量。",
            ),
            "bad" if escape is None else "",
        )
    )
    method = str(threshold.get("method", ""))
    notes = [Words("How it was chosen: {it}", "选取方法：{it}").put(it=said(method))] if method else []
    notes += [Words("Claim: {it}", "可否承诺：{it}").put(it=said(str(one))) for one in threshold.get("claims", ())]
    return facts(shown) + "".join(note(one) for one in notes) + _by_class(threshold.get("escapes_by_class", {}))


def _by_class(classes: Mapping[str, Mapping[str, int]]) -> str:
    rows: list[list[Text]] = []
    for kind, seen in classes.items():
        low, high = clopper_pearson(seen["events"], seen["of"])
        share = percent(seen["events"] / seen["of"]) if seen["of"] else "–"
        rows.append([kind, str(seen["of"]), str(seen["events"]), share, interval({"low": low, "high": high})])
    head = [
        Words("class", "类别"),
        Words("defects", "缺陷件"),
        Words("let through", "漏检"),
        Words("escape", "漏检率"),
        Words("95 % interval", "95 % 区间"),
    ]
    caption = Words(
        "Labelled defects, each scored by a model that did not know it", "有标注的缺陷（由未见过该件的模型打分）"
    )
    return table(caption, head, rows) if rows else ""


def _unlike(named: Sequence[Mapping[str, Any]], pictures: Sequence[Look], doubt: str) -> str:
    if not named and not pictures:
        return ""
    rows: list[list[Text]] = [[str(one["file"]), f"{float(one['score']):.2f}"] for one in named[:UNLIKE]]
    return section(
        Words("Goods least like the others: please look at them", "与其他良品差异最大的良品：请查看"),
        note(Words("Doubtful: {it}", "存疑：{it}").put(it=said(doubt))) if doubt else "",
        gallery(pictures[:UNLIKE])
        if pictures
        else table(Words("The worst first", "差异最大者在前"), [Words("file", "文件"), Words("score", "得分")], rows),
        lead=Words(
            "If one of them is no good part, take it out and teach anew: the model believes all it was shown. "
            "Colour shows where each is least usual.",
            "如果其中有不良品，请取出后重新示教：模型相信它见过的一切。着色处为该件最异常的位置。",
        ),
    )


def _seconds(seconds: Mapping[str, float]) -> str:
    if not seconds:
        return ""
    total = f"{sum(value for key, value in seconds.items() if key != 'total'):.1f}"
    longest = max((key for key in seconds if key != "total"), key=lambda key: seconds[key], default="")
    what = _PHASES.get(longest, Words(longest, longest))
    return note(Words(f"It took {total} s, most of it for: {what.en}.", f"用时 {total} 秒，其中最久的是：{what.zh}。"))
