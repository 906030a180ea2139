"""What the figures prove and what they do not: other thresholds, claims, and what was measured on what."""

from collections.abc import Mapping, Sequence
from typing import Any

from .page import Text, Words, note, section, table
from .sayings import value_words
from .words import aim, interval, key_words, number, percent, plain


def targets(found: Mapping[str, Any]) -> str:
    """Return the section of what other thresholds would have given."""
    rows: list[list[Text]] = []
    for kind, name in (("for_escape", Words("escape", "漏检率")), ("for_overkill", Words("overkill", "过杀率"))):
        for one in found["operating"][kind]:
            goal = Words(f"{name.en} {aim(one['target'])}", f"{name.zh} {aim(one['target'])}")
            if one["threshold"] is None:
                rows.append([goal, "–", "–", "–"])
                continue
            rows.append([goal, f"{one['threshold']:.4g}", _share(one["escape"]), _share(one["overkill"])])
    return section(
        Words("What another threshold would have given", "其他阈值的结果"),
        table(
            Words("Aim and what it costs", "目标与代价"),
            [
                Words("aim on these pictures", "在这些图像上的目标"),
                Words("threshold", "阈值"),
                Words("escape (95 %)", "漏检率（95 %）"),
                Words("overkill (95 %)", "过杀率（95 %）"),
            ],
            rows,
        ),
        note(
            Words(
                "Read off these very pictures, not a promise: a threshold chosen here must be proved on other parts.",
                "由这些图像直接读出，并非承诺：在此选定的阈值必须用其他工件验证。",
            ),
            "warning",
        ),
    )


def claims(found: Mapping[str, Any]) -> str:
    """Return the section of how many parts a claim still needs."""
    rows: list[list[Text]] = []
    for escape, overkill in zip(found["claims"]["escape"], found["claims"]["overkill"], strict=True):
        rows.append([aim(escape["rate"]), _needed(escape["more_parts"]), _needed(overkill["more_parts"])])
    return section(
        Words("Parts still needed to claim a rate", "要作出承诺还需的工件数"),
        table(
            Words("More parts, all of them judged right", "还需的工件数（且全部判对）"),
            [
                Words("rate", "比例"),
                Words("defective parts, for escape", "缺陷件（漏检率）"),
                Words("good parts, for overkill", "良品（过杀率）"),
            ],
            rows,
        ),
        lead=Words(
            "A rate may be claimed (95 % sure, one-sided) only with parts enough; each further mistake asks for more.",
            "只有工件足够多才能承诺某一比例（单侧 95 % 置信）；每多一次错误就需要更多工件。",
        ),
    )


def identity(found: Mapping[str, Any]) -> str:
    """Return the section of what was measured on what."""
    bundle, data, took = found["bundle"], found["data"], found["latency_ms"]
    threshold = bundle["threshold"]
    region = data["region"]
    rows: list[list[Text]] = [
        [Words("model", "模型"), f"{bundle['name']} {bundle['version']}"],
        [Words("digest of the bundle", "模型包摘要"), bundle["digest"]],
        [Words("taught at", "示教时间"), bundle["created_at"]],
        [Words("threshold", "阈值"), f"{found['threshold']:.6g}"],
        [Words("threshold chosen by", "阈值选取方法"), value_words(threshold["method"])],
        [
            Words("overkill promised", "承诺的过杀率"),
            f"{threshold['overkill_percent']:.2f} % ({threshold['overkill_low_percent']:.2f} – "
            f"{threshold['overkill_high_percent']:.2f} %)",
        ],
        [Words("pictures", "图像"), f"{data['pictures']}: {data['origin']}"],
        [Words("digest of the pictures", "图像数据摘要"), data["sha256"]],
        [
            Words("region", "区域"),
            "{} , {}, {} x {} px".replace(" ,", ",").format(*region) if region else Words("whole picture", "整图"),
        ],
        [
            Words("time for a part, ms", "单件耗时，ms"),
            f"min {number(took['min'], 2)}, p50 {number(took['p50'], 2)}, p99 {number(took['p99'], 2)}, "
            f"max {number(took['max'], 2)} (n = {took['n']})",
        ],
        *([_machine(key), plain(value)] for key, value in found["machine"].items()),
        ["okng", found["okng"]],
    ]
    parts = [
        table(
            Words("Model, pictures and machine", "模型、图像与机器"),
            [Words("what", "项目"), Words("value", "值")],
            rows,
            numbers_from=9,
        ),
        table(
            Words("How the model was taught", "模型的示教方式"),
            [Words("what", "项目"), Words("value", "值")],
            [[key_words(str(key)), plain(value)] for key, value in bundle["train"].items()],
            numbers_from=9,
        )
        if bundle["train"]
        else "",
        _left_out(data["left_out"]),
    ]
    return section(
        Words("What was measured on what", "测量对象与条件"),
        *parts,
        lead=Words(
            "Nothing was chosen on these pictures: model and threshold come from the bundle as they are. The time is "
            "that of cutting and inference, without reading the file. Interval of the AUROC: DeLong and Newcombe, the "
            "wider; of shares: Clopper-Pearson.",
            "未在这些图像上作任何选择：模型和阈值均来自模型包。耗时包含裁剪与推理，不含读取文件。"
            "AUROC 区间取 DeLong 与 Newcombe 中较宽者；比例区间为 Clopper-Pearson。",
        ),
    )


def _left_out(files: Sequence[str]) -> str:
    if not files:
        return ""
    rows: list[list[Text]] = [[file.partition(": ")[0], file.partition(": ")[2]] for file in files[:200]]
    return table(
        Words(f"Files that could not be used: {len(files)}", f"无法使用的文件：{len(files)}"),
        [Words("file", "文件"), Words("why", "原因")],
        rows,
        numbers_from=9,
    )


_MACHINE = {
    "processor": Words("processor", "处理器"),
    "cores": Words("cores", "核数"),
    "system": Words("system", "系统"),
    "python": Words("Python", "Python 版本"),
    "runtime": Words("runtime", "推理运行库"),
    "provider": Words("provider", "执行后端"),
    "threads": Words("threads of one inference", "单次推理线程数"),
}


def _machine(key: str) -> Text:
    return _MACHINE.get(key, key)


def _share(rate: Mapping[str, Any]) -> str:
    return f"{percent(rate['rate'])} ({interval(rate)})"


def _needed(parts: int) -> Text:
    return Words("none: it may be claimed", "无需更多：可以承诺") if parts == 0 else f"{parts:,}"
