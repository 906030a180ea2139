"""What a check says of doubles and of unlike goods, said in Chinese too; what nobody has words for stays as it is."""

import re

from ..report.page import Words

_N = r"(-?\d+(?:\.\d+)?)"
_SAYINGS = [
    (r"\bsame file\b", "同一文件"),
    (r"\bsame pixels\b", "像素相同"),
    (r"\bcopy\b", "副本"),
    (r"\btaken again\b", "重复拍摄"),
    (r"\bturned by (\d+)\b", r"旋转 \1 度"),
    (r"\bmirrored\b", "左右镜像"),
    (r"\bupside down\b", "上下镜像"),
    (r"\btransposed back\b", "沿副对角线翻转"),
    (r"\btransposed\b", "沿主对角线翻转"),
    (rf"{_N} times the contrast", r"对比度为 \1 倍"),
    (rf"shifted or cropped by {_N} %", r"平移或裁切 \1 %"),
    (rf"{_N} grey levels apart", r"相差 \1 个灰度级"),
    (rf"other parts {_N}", r"其他工件间相差 \1"),
    (
        rf"its row {_N}, column {_N} is unlike what {_N} others have: {_N}, usual {_N}; z {_N}",
        r"第 \1 行第 \2 列在最相近的 \3 件良品中找不到相似之处：\4，通常 \5；z \6",
    ),
]
_COMPILED = [(re.compile(english), chinese) for english, chinese in _SAYINGS]


def check_said(text: str) -> Words:
    """Return a saying of a check in both languages."""
    chinese = text
    for pattern, words in _COMPILED:
        chinese = pattern.sub(words, chinese)
    return Words(text, chinese.replace(", ", "，") if chinese != text else text)
