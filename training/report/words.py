"""Figures as people read them."""

import math
from collections.abc import Mapping
from typing import Any

from .page import Text, Words
from .sayings import value_words

NONE = Words("none", "无")


def percent(share: object) -> str:
    """Return a share 0..1 as percent with the figures that count; not a number: a dash."""
    return f"{figure}\u00a0%" if (figure := _percent(share)) else "–"


def _percent(share: object) -> str:
    if not isinstance(share, int | float) or not math.isfinite(share):
        return ""
    value = 100.0 * share
    if value in (0.0, 100.0):
        return f"{value:.0f}"
    return f"{value:.1f}" if 9.995 <= value < 99.9 else f"{value:.2f}"


def number(value: object, digits: int = 3) -> str:
    """Return a figure with so many decimals; not a number: a dash."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}"


def milliseconds(value: object) -> str:
    """Return a duration with the figures that count."""
    small = isinstance(value, int | float) and value < 1.0
    return f"{number(value, 2 if small else 1)}\u00a0ms"


def plain(value: object) -> Text:
    """Return any plain value for a table."""
    if isinstance(value, bool):
        return Words("yes", "是") if value else Words("no", "否")
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else value_words(str(value))


def interval(rate: Mapping[str, Any]) -> str:
    """Return the 95 % interval of a rate as it stands in `report.json`."""
    return f"{_percent(rate['low'])}\u00a0–\u2060\u00a0{_percent(rate['high'])}\u00a0%"


def aim(share: float) -> str:
    """Return a round share somebody aims at, as percent."""
    return f"≤\u00a0{100.0 * share:g}\u00a0%"


_KEYS = {
    "method": Words("method", "方法"),
    "okng": Words("version of okng", "okng 版本"),
    "goods": Words("good parts", "良品数"),
    "goods_sha256": Words("digest of the good parts", "良品数据摘要"),
    "size_px": Words("model input, px", "模型输入，像素"),
    "channels": Words("channels", "通道"),
    "grid": Words("grid", "网格"),
    "bank": Words("memory vectors, at most", "记忆向量上限"),
    "dimensions": Words("dimensions of the Gaussian", "高斯维数"),
    "overkill_percent": Words("overkill asked for, %", "目标过杀率，%"),
    "seed": Words("seed", "随机种子"),
    "region": Words("region", "区域"),
    "width_px": Words("model input, width, px", "模型输入宽，像素"),
    "height_px": Words("model input, height, px", "模型输入高，像素"),
    "step_px": Words("step of the map, px", "热图步长，像素"),
    "mix_memory": Words("weight of the memory", "记忆的权重"),
    "mix_gaussian": Words("weight of the Gaussian", "高斯的权重"),
    "chosen": Words("size and heads were chosen because", "尺寸与算法的选择依据"),
    "labelled_defects": Words("labelled defects", "有标注的缺陷"),
    "judged_by": Words("judged by", "判定依据"),
    "base": Words("bundle it goes on from", "所基于的模型包"),
    "epochs": Words("epochs", "训练轮数"),
    "task": Words("task", "任务"),
    "backbone": Words("backbone", "主干网络"),
    "escape_percent": Words("escape asked for, %", "目标漏检率，%"),
    "templates": Words("templates", "模板数"),
    "level": Words("tolerance, grey levels", "公差，灰度级"),
    "spread": Words("tolerance, times the goods' own deviation", "公差，良品自身偏差的倍数"),
    "edge_px": Words("how far edges may lie off, px", "边缘允许偏移，像素"),
    "window_px": Words("window of the comparison, px", "比较窗口，像素"),
    "search_px": Words("how far pieces are looked for, px", "逐块搜索范围，像素"),
    "marks_found": Words("small marks drawn on goods that are found, share", "画在良品上的小瑕疵检出比例"),
}
"""What stands in a manifest's `train`, in words."""


def key_words(key: str) -> Text:
    """Return the words for a key of `train`; a key nobody has words for is shown as it is."""
    return _KEYS.get(key, key.replace("_", " "))
