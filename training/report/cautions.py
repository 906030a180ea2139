"""What must be known before the figures of an evaluation are believed, by the codes of `report.json`."""

from .page import Words

CAUTIONS = {
    "taught_pictures": Words(
        "{taught_from} of these pictures are among those the model was taught from: the figures are too good to be "
        "true. Evaluate on parts it has never seen.",
        "其中 {taught_from} 张图像正是示教时用过的：结果偏乐观。请用模型从未见过的工件评估。",
    ),
    "more_escape_than_promised": Words(
        "More defects escape than the bundle promised, and chance does not explain it: do not rely on its promise.",
        "漏检多于模型包的承诺，且无法用偶然解释：请勿依赖其承诺。",
    ),
    "more_overkill_than_promised": Words(
        "More good parts are rejected than the bundle promised, and chance does not explain it: these parts differ "
        "from those it was taught from. Look at the worst goods below; teach anew with parts like these.",
        "误剔的良品多于模型包的承诺，且无法用偶然解释：这些工件与示教时的不同。请查看下方最差良品，并用此类工件重新示教。",
    ),
    "less_overkill_than_promised": Words(
        "Fewer good parts are rejected than the bundle promised; a lower threshold could catch more defects.",
        "误剔的良品少于模型包的承诺；较低的阈值可以检出更多缺陷。",
    ),
    "unjudged": Words(
        "Some parts could not be judged: they are rejected on the line and count as rejected here.",
        "部分工件无法判定：产线上会被剔除，此处也计为剔除。",
    ),
    "no_defects": Words(
        "No defective part is among these pictures: nothing is known of escapes.", "图像中没有缺陷件：漏检情况未知。"
    ),
    "few_defects": Words(
        "Fewer than 30 defective parts: the intervals are wide, read them and not the shares.",
        "缺陷件少于 30 件：区间很宽，请看区间而不是比例。",
    ),
    "no_goods": Words(
        "No good part is among these pictures: nothing is known of overkill.", "图像中没有良品：过杀情况未知。"
    ),
    "few_goods": Words(
        "Fewer than 30 good parts: the intervals are wide, read them and not the shares.",
        "良品少于 30 件：区间很宽，请看区间而不是比例。",
    ),
    "left_out": Words("Some files could not be used; they are named at the end.", "部分文件无法使用；名单见文末。"),
    "outside_region": Words(
        "Some defects lie outside the region: no model can see them there.",
        "部分缺陷在检测区域之外：任何模型都看不到。",
    ),
}
