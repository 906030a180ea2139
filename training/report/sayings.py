"""What teaching says in English, said in Chinese too: it is written into bundles as plain text, and read from there.

A saying nobody has words for stays as it is in both languages: it is shown, never left out.
"""

import re

from .page import Text, Words

_N = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_PARTS = {"goods": "良品", "defects": "缺陷件"}
_KINDS = {"escape": "漏检率", "overkill": "过杀率"}
_FATES = {"rejected": "无一误剔", "let through": "无一漏检"}
_SAYINGS = [
    (
        rf"conformal quantile: score {_N} of {_N} held-out goods in rising order",
        r"共形分位数：\2 个留出良品得分升序的第 \1 个",
    ),
    (
        rf"extreme-value tail \(Gumbel of root scores\) beyond {_N} held-out goods, too few for a quantile",
        r"极值尾部估计（得分平方根的 Gumbel 分布）：留出良品仅 \1 件，不足以取分位数",
    ),
    (
        rf"(escape|overkill) <= {_N} % cannot be claimed yet at 95 % \({_N} of {_N} (goods|defects): at most {_N} %\); "
        rf"{_N} more (?:goods|defects), none of them (rejected|let through), would do",
        r"<\1> ≤ \2 % 尚不能承诺（95 %；\4 件<\5>中有 \3 件，上限 \6 %）；若再有 \7 件<\5>且<\8>，即可承诺",
    ),
    (
        rf"(escape|overkill) <= {_N} % does not hold at 95 %: {_N} of {_N} (goods|defects), so at least {_N} %",
        r"<\1> ≤ \2 % 不成立（95 %）：\4 件<\5>中有 \3 件，下限 \6 %",
    ),
    (
        rf"(escape|overkill) <= {_N} % may be claimed at 95 %: {_N} of {_N} (goods|defects)",
        r"<\1> ≤ \2 % 可以承诺（95 %）：\4 件<\5>中有 \3 件",
    ),
    (rf"between {_N}, where overkill is {_N} %, and {_N}: ", r"取 \1（此处过杀率 \2 %）与 \3 之间："),
    (rf"escape <= {_N} % is claimed up to {_N}", r"漏检率 ≤ \1 % 在阈值 \2 以内可以承诺"),
    (rf"escape <= {_N} % is the estimate up to {_N}", r"漏检率 ≤ \1 % 为阈值 \2 以内的估计"),
    (rf"; overkill <= {_N} % would need {_N}: both cannot be had", r"；过杀率 ≤ \1 % 需要阈值 \2：二者不可兼得"),
    (rf"least expected cost, {_N} a part", r"期望成本最低，每件 \1"),
    ("told goods spoilt on purpose from others best", "最能区分人为瑕疵件与完好件"),
    ("no other told goods spoilt on purpose from others clearly better", "其他组合对人为瑕疵件的区分均无明显优势"),
    ("clearly better than the usual at telling goods spoilt on purpose", "对人为瑕疵件的区分明显优于常用组合"),
    ("as the bundle added to", "沿用原模型包"),
    ("as asked for, or too few goods to choose by", "按要求，或良品太少无从选择"),
    (
        rf"left out one by one, {_N} defects are told from {_N} goods by {_N} \((.+?)\) against {_N} \(goods alone\)",
        r"逐一留出：\1 件缺陷与 \2 件良品的区分为 \3（\4），仅用良品为 \5",
    ),
    (
        rf"{_N} labelled defects: {_N} or more are needed to tell whether labels help",
        r"\1 件有标注的缺陷：至少需要 \2 件才能判断标注是否有用",
    ),
    (
        rf"{_N} of {_N} goods stand out by more than chance: (.+?)"
        rf"; with them the goods' threshold is {_N}, without them {_N}"
        r"; if they are no good parts, take them out and teach anew",
        r"\2 件良品中有 \1 件明显异常：\3（良品阈值：含之 \4，去之 \5）；若非良品，请取出后重新示教",
    ),
    ("golden reference", "金样比对"),
    (
        rf"{_N} template\(s\) of {_N}x{_N} px, edges may lie {_N} px off, window {_N} px: "
        rf"finds {_N}% of small marks drawn on goods",
        r"\1 个 \2x\3 像素的模板，边缘允许偏移 \4 像素，窗口 \5 像素：画在良品上的小瑕疵检出 \6 %",
    ),
    ("no labelled defects", "没有标注的缺陷"),
    ("goods alone", "仅良品"),
    ("goods and labels", "良品与标注"),
    ("labels alone", "仅标注"),
    ("whole picture", "整图"),
    (r"memory\+gaussian\+labels", "记忆 + 高斯 + 标注"),
    (r"memory\+gaussian", "记忆 + 高斯"),
]
_COMPILED = [(re.compile(english), chinese) for english, chinese in _SAYINGS]


def said(text: str) -> Words:
    """Return a saying of teaching in both languages."""
    chinese = text
    for pattern, words in _COMPILED:
        chinese = pattern.sub(words, chinese)
    for english, word in {**_PARTS, **_KINDS, **_FATES}.items():
        chinese = chinese.replace(f"<{english}>", word)
    return Words(text, chinese)


def value_words(text: str) -> Text:
    """Return a value of a table: in both languages where there are words for it, else as it is."""
    words = said(text)
    return words if words.zh != words.en else text
