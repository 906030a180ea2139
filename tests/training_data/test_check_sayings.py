"""What a check found is said in Chinese too."""

import pytest

from okng.training.data.check_sayings import check_said
from okng.training.data.likeness import TURNS


def test_every_way_a_double_may_lie_has_words() -> None:
    for turn in list(TURNS)[1:]:
        said = check_said(f"copy, {turn}, shifted or cropped by 1.5 %, 0.21 grey levels apart, other parts 7.3")
        assert said.en.startswith(f"copy, {turn}")
        assert said.zh.isascii() is False
        assert not any(letter.isascii() and letter.isalpha() for letter in said.zh), said.zh


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("same file", "同一文件"),
        (
            "taken again, 0.78 times the contrast, 0.17 grey levels apart",
            "重复拍摄，对比度为 0.78 倍，相差 0.17 个灰度级",
        ),
        (
            "its row 6, column 9 is unlike what 3 others have: 19, usual 6; z 3.8",
            "第 6 行第 9 列在最相近的 3 件良品中找不到相似之处：19，通常 6；z 3.8",
        ),
        ("a saying, that nobody knows", "a saying, that nobody knows"),
    ],
)
def test_findings_are_said_in_chinese_too(english: str, chinese: str) -> None:
    assert check_said(english).zh == chinese
