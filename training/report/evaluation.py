"""The report of an evaluation: for somebody who has to decide, and for somebody who has to know why."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import evaluation_tables as tables
from . import proofs
from .cautions import CAUTIONS
from .charts import Axis, Bars, Line, Mark, histogram, line_chart
from .looks import MOST_PICTURES_BYTES, Look, gallery
from .page import Fact, Text, Words, facts, figure, figures, note, page, section
from .style import DEFECT, GOOD, OTHER, SOFT
from .words import interval, milliseconds, number, percent

_BARS = Bars(
    score=Words("score", "得分"),
    parts=Words("parts", "件数"),
    threshold=Words("threshold", "阈值"),
    goods=Words("good parts, upwards", "良品（向上）"),
    defects=Words("defective parts, downwards", "缺陷件（向下）"),
)


def evaluation_report(
    figures_of: Mapping[str, Any], worst_goods: Sequence[Look] = (), best_hidden: Sequence[Look] = ()
) -> bytes:
    """Return `report.html` of an evaluation.

    figures_of: what `training/evaluation.py` returns; every number on the page is one of its. The looks belong to its
    `worst_goods` and `best_hidden`, in that order.
    """
    bundle, data = figures_of["bundle"], figures_of["data"]
    share = MOST_PICTURES_BYTES // 2
    return page(
        Words(f"{bundle['name']}: evaluation", f"{bundle['name']}：评估报告"),
        Words(
            f"Model {bundle['digest'][:12]}, version {bundle['version']}, on {data['goods']} good "
            f"and {data['defects']} defective parts, {figures_of['made_at'][:10]}",
            f"模型 {bundle['digest'][:12]}，版本 {bundle['version']}；"
            f"良品 {data['goods']} 件，缺陷件 {data['defects']} 件；{figures_of['made_at'][:10]}",
        ),
        [
            section(Words("In short", "概要"), facts(_headline(figures_of)), *_cautions(figures_of)),
            _scores(figures_of),
            tables.by_class(figures_of),
            tables.by_lot(figures_of),
            tables.confusion(figures_of),
            _pictures(
                Words("Good parts that look worst", "得分最高的良品"),
                Words(
                    "The good parts with the highest scores: what would be rejected first. The bare picture, then the "
                    "same with heat: amber reaches the threshold, red goes beyond.",
                    "得分最高的良品：最先被误剔的工件。先为原图，后为叠加热图：橙色达到阈值，红色超过阈值。",
                ),
                worst_goods,
                share,
            ),
            _pictures(
                Words("Defects hidden best", "最隐蔽的缺陷"),
                Words(
                    "The defective parts with the lowest scores: what would escape first. The white outline is where "
                    "people say the defect is.",
                    "得分最低的缺陷件：最先漏检的工件。白色轮廓为人工标注的缺陷位置。",
                ),
                best_hidden,
                share,
            ),
            _curves(figures_of),
            tables.places(figures_of),
            tables.stability(figures_of),
            proofs.targets(figures_of),
            proofs.claims(figures_of),
            proofs.identity(figures_of),
        ],
    )


def _headline(found: Mapping[str, Any]) -> list[Fact]:
    escape, overkill, image = found["escape"], found["overkill"], found["image"]
    shown = [
        Fact(
            Words("Defects let through (escape)", "缺陷漏检率"),
            percent(escape["rate"]),
            Words(
                f"{escape['events']} of {escape['n']} defective parts would pass; the true share lies in "
                f"{interval(escape)} (95 %).",
                f"{escape['n']} 件缺陷件中有 {escape['events']} 件会被放行；"
                f"真实比例在 {interval(escape)} 之间（95 %）。",
            ),
            "bad",
        ),
        Fact(
            Words("Good parts rejected (overkill)", "良品误剔率（过杀）"),
            percent(overkill["rate"]),
            Words(
                f"{overkill['events']} of {overkill['n']} good parts would be rejected; the true share lies in "
                f"{interval(overkill)} (95 %).",
                f"{overkill['n']} 件良品中有 {overkill['events']} 件会被剔除；"
                f"真实比例在 {interval(overkill)} 之间（95 %）。",
            ),
            "good",
        ),
        Fact(
            Words("Ranking of parts (image AUROC)", "工件排序能力（图像 AUROC）"),
            number(image["auroc"]),
            Words(
                "Chance that a defective part scores above a good one: 1 is perfect, 0.5 is a coin. "
                f"95 %: {number(image['auroc_low'])} to {number(image['auroc_high'])}.",
                "缺陷件得分高于良品的概率：1 为完美，0.5 等于掷硬币。"
                f"95 %：{number(image['auroc_low'])} 至 {number(image['auroc_high'])}。",
            ),
        ),
    ]
    if found["pixels"] is not None:
        shown.append(
            Fact(
                Words("Pointing at the defect (AUPRO)", "缺陷定位能力（AUPRO）"),
                number(found["pixels"]["aupro"]["0.3"]),
                Words(
                    "How much of each defect the heat covers before it spills over good surface: 1 is perfect.",
                    "热图在波及正常表面之前覆盖每个缺陷的程度：1 为完美。",
                ),
            )
        )
    shown.append(
        Fact(
            Words("Time for a part", "单件耗时"),
            milliseconds(found["latency_ms"]["p50"]),
            Words(
                f"Half of all parts take no longer; 99 of 100 take at most {milliseconds(found['latency_ms']['p99'])}.",
                f"一半工件不超过此值；100 件中有 99 件不超过 {milliseconds(found['latency_ms']['p99'])}。",
            ),
        )
    )
    if found["unjudged"]:
        shown.append(
            Fact(
                Words("Unjudged", "无法判定"),
                str(found["unjudged"]),
                Words("Parts the model could say nothing of; they are rejected.", "模型无法判定的工件；一律剔除。"),
                "bad",
            )
        )
    return shown


def _cautions(found: Mapping[str, Any]) -> list[str]:
    return [
        note(CAUTIONS[code].put(taught_from=found["data"].get("taught_from", 0)), "warning")
        for code in found["cautions"]
        if code in CAUTIONS
    ]


def _scores(found: Mapping[str, Any]) -> str:
    scores = found["scores"]
    bad = [score for label, group in scores.items() if label != "good" for score in group if score is not None]
    curve = found["operating"]["curve"]
    shown = [
        figure(
            histogram(
                Words("Histogram of scores, good and defective parts", "良品与缺陷件的得分直方图"),
                [score for score in scores["good"] if score is not None],
                bad,
                found["threshold"],
                _BARS,
            ),
            Words(
                "Parts right of the dashed line are rejected: blue there is overkill, rust left of it escapes. "
                "Scores far beyond the rest stand in the last bar.",
                "虚线右侧的工件被剔除：右侧的蓝色为过杀，左侧的锈色为漏检。远超其余的得分计入最后一根柱子。",
            ),
        )
    ]
    if curve:
        shown.append(
            figure(
                line_chart(
                    Words("Escape and overkill by threshold", "漏检率和过杀率随阈值的变化"),
                    Axis(Words("threshold", "阈值"), *_threshold_range(found)),
                    Axis(Words("share of parts", "比例"), 0.0, 1.0, percent=True),
                    [
                        Line(
                            Words("defects let through", "漏检"), [(at, out) for at, out, _ in curve], DEFECT, step=True
                        ),
                        Line(
                            Words("good parts rejected", "过杀"),
                            [(at, over) for at, _, over in curve],
                            GOOD,
                            "9 5",
                            step=True,
                        ),
                    ],
                    [Mark(Words("threshold of the bundle", "模型包的阈值"), found["threshold"])],
                ),
                Words(
                    "A higher threshold rejects fewer good parts and lets more defects through: the price of each.",
                    "阈值越高，误剔越少而漏检越多；图中为每个阈值的代价。",
                ),
            )
        )
    return section(Words("Scores and the threshold", "得分与阈值"), figures(*shown))


def _threshold_range(found: Mapping[str, Any]) -> tuple[float, float]:
    """From the lowest score to where all goods and most defects are below: the rest of the curve is flat."""
    points = found["operating"]["curve"]
    threshold = found["threshold"]
    low = min(points[0][0], threshold)
    high = next((at for at, out, over in points if out >= 0.8 and over == 0.0), points[-1][0])
    high = max(high, threshold + 0.3 * (threshold - low))
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _curves(found: Mapping[str, Any]) -> str:
    curve = found["operating"]["curve"]
    chance = Line(Words("a coin", "掷硬币"), [(0.0, 0.0), (1.0, 1.0)], SOFT, "3 5")
    shown = []
    if curve:
        here = (found["overkill"]["rate"], 1.0 - found["escape"]["rate"])
        points = [(over, 1.0 - out) for _, out, over in reversed(curve)]
        shown.append(
            figure(
                line_chart(
                    Words("ROC curve of parts", "工件 ROC 曲线"),
                    Axis(Words("good parts rejected", "良品误剔率"), 0.0, 1.0, percent=True),
                    Axis(Words("defects caught", "缺陷检出率"), 0.0, 1.0, percent=True),
                    [Line(Words("this model", "本模型"), [(0.0, 0.0), *points, (1.0, 1.0)], GOOD), chance],
                    [Mark(Words("at the bundle's threshold", "模型包阈值处"), *here)],
                ),
                Words(
                    f"The nearer the curve is to the upper left corner the better; its area is the AUROC, "
                    f"{number(found['image']['auroc'])}.",
                    f"曲线越靠近左上角越好；曲线下面积即 AUROC：{number(found['image']['auroc'])}。",
                ),
            )
        )
    pixels = found["pixels"]
    if pixels is not None and pixels["pro_curve"]:
        shown.append(
            figure(
                line_chart(
                    Words("PRO curve of pixels", "像素 PRO 曲线"),
                    Axis(Words("good surface marked as defect", "正常表面被误标比例"), 0.0, 0.3, percent=True),
                    Axis(Words("share of each defect marked", "每个缺陷被标出的比例"), 0.0, 1.0, percent=True),
                    [Line(Words("this model", "本模型"), pixels["pro_curve"], OTHER)],
                    shaded_to=0.05,
                ),
                Words(
                    f"How much of each defect is marked for how much false marking; the area up to 30 % is "
                    f"{number(pixels['aupro']['0.3'])}, up to 5 % (shaded) {number(pixels['aupro']['0.05'])}.",
                    f"在一定误标比例下每个缺陷被标出的程度；30 % 以内面积为 {number(pixels['aupro']['0.3'])}，"
                    f"5 % 以内（阴影）为 {number(pixels['aupro']['0.05'])}。",
                ),
            )
        )
    return section(Words("Curves", "曲线"), figures(*shown)) if shown else ""


def _pictures(title: Text, lead: Text, looks: Sequence[Look], most_bytes: int) -> str:
    return section(title, gallery(looks, most_bytes), lead=lead) if looks else ""
