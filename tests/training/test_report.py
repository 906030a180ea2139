"""Reports: self-contained, whole in both languages, true to their numbers, and readable in a browser."""

import base64
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from okng.models.box import Box
from okng.models.pictures import decode
from okng.training.examine import Examined, examine
from okng.training.report.charts import ticks
from okng.training.report.evaluation import evaluation_report
from okng.training.report.looks import Look, drawn, gallery
from okng.training.report.page import POLICY, Words
from okng.training.report.sayings import said
from okng.training.report.teaching import teaching_report, unlike_good
from okng.training.report.words import interval, number, percent
from okng.training.taught_report import TeachReport

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# As in tests/webui: a session has one browser, and whichever test comes first starts it.
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
CJK = re.compile(r"[一-鿿]")
VOID = {"meta", "input", "img", "line", "rect", "circle", "path", "br"}


class Page(HTMLParser):
    """Reads a report: what it holds by tag, and that every tag is closed in order."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"en": [], "zh": []}
        self.plain: list[str] = []
        self.feed(data.decode())
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs)))
            if self.language() and dict(attrs).get("class") in ("en", "zh"):
                self.texts[self.language()].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.language():
            self.texts[self.language()][-1] += data
        elif self.open and self.open[-1][0] not in ("style", "title"):
            self.plain.append(data)

    def language(self) -> str:
        classes = [attrs.get("class") for _, attrs in self.open]
        return next((str(name) for name in ("en", "zh") if name in classes), "")


@pytest.fixture(scope="module")
def examined(taught: TeachReport, tests_folder: Path) -> Examined:
    return examine(taught.bundle, tests_folder)


@pytest.fixture(scope="module")
def taught_page(taught: TeachReport) -> bytes:
    report = json.loads((taught.bundle / "report.json").read_bytes())
    picture = np.random.default_rng(0).integers(0, 255, (60, 90), np.uint8)
    heat = np.linspace(0, 3, 24, dtype=np.float32).reshape(4, 6)
    looks = [unlike_good(f"{at}.png", 5.0 - at, 2.0, picture, heat) for at in range(12)]
    return teaching_report(report, looks, name="plate")


@pytest.fixture(params=["evaluation", "teaching"])
def html(request: pytest.FixtureRequest, examined: Examined, taught_page: bytes) -> bytes:
    return examined.html if request.param == "evaluation" else taught_page


def test_it_asks_nothing_of_any_server_and_runs_no_script(html: bytes) -> None:
    assert b"http:" not in html
    assert b"https:" not in html
    assert b"//" not in re.sub(rb"base64,[A-Za-z0-9+/=]+|sha256-[A-Za-z0-9+/=]+", b"", html)
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "form")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert (attributes.get("src") or "data:").startswith("data:")
    policy = next(attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv"))
    assert policy == POLICY
    assert "script-src" not in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert len(html) < 5_000_000


def test_both_languages_are_whole(html: bytes) -> None:
    texts = Page(html).texts
    assert len(texts["en"]) == len(texts["zh"]) > 40
    for en, zh in zip(texts["en"], texts["zh"], strict=True):
        assert en.strip()
        assert zh.strip()
        assert not CJK.search(en)
        assert CJK.search(zh), f"{zh!r} is not Chinese"
    # What stands in neither language is a figure, a name, or what the bundle itself says.
    assert not [text for text in Page(html).plain if CJK.search(text) and text != "中文"]


def test_tables_and_pictures_can_be_read_aloud(html: bytes) -> None:
    tags = Page(html).tags
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in tags if tag == "th")
    count = [tag for tag, _ in tags].count
    assert count("table") == count("caption") > 0
    assert count("figure") == count("figcaption") > 0
    assert count("h1") == 1
    assert all(attributes.get("aria-label") for tag, attributes in tags if tag == "svg")


def test_the_numbers_are_those_of_the_json(examined: Examined) -> None:
    found, page = json.loads(examined.json), Page(examined.html)
    shown = " ".join(page.plain + page.texts["en"])
    for rate in (found["escape"], found["overkill"], *(one["escape"] for one in found["classes"].values())):
        assert percent(rate["rate"]) in shown
        assert interval(rate) in shown
    for value in (found["image"]["auroc"], found["image"]["auroc_low"], found["image"]["auroc_high"]):
        assert number(value) in shown
    assert found["bundle"]["digest"] in shown
    assert found["data"]["sha256"] in shown
    for point in found["operating"]["for_escape"]:
        assert f"{point['threshold']:.4g}" in shown
    for one in (*found["worst_goods"], *found["best_hidden"]):
        assert one["name"] in shown
        assert f"{one['score']:.2f}" in shown
    again = evaluation_report(found)
    assert Page(again).texts["en"][:20] == page.texts["en"][:20]  # the page is made of the file alone


def test_the_worst_goods_and_the_best_hidden_defects_come_first(examined: Examined) -> None:
    found = examined.figures
    worst = [one["score"] for one in found["worst_goods"]]
    hidden = [one["score"] for one in found["best_hidden"]]
    assert worst == sorted(worst, reverse=True)
    assert worst[0] == max(found["scores"]["good"])
    assert hidden == sorted(hidden)
    assert hidden[0] == min(found["scores"]["scratch"] + found["scores"]["stain"])
    assert len(worst) == len(hidden) == 12


def test_a_taught_page_shows_promise_and_ten_pictures(taught: TeachReport, taught_page: bytes) -> None:
    page = Page(taught_page)
    shown = " ".join(page.plain + page.texts["en"])
    assert f"{taught.threshold:.4g}" in shown
    assert percent(taught.overkill) in shown
    assert "9.png" in shown
    assert "10.png" not in shown
    assert [tag for tag, _ in page.tags].count("img") == 10


def test_what_was_chosen_is_shown_with_its_evidence() -> None:
    report = {
        "threshold": {
            "value": 1.0,
            "overkill": 0.01,
            "claims": ["escape <= 5 % may be claimed"],
            "escape": 0.1,
            "escape_low": 0.02,
            "escape_high": 0.3,
            "defects": 20,
            "escapes_by_class": {"pit": {"events": 2, "of": 20}},
        },
        "choice": {"size": "320x320", "auroc_of_spoilt_goods_by_size": {"256x256": 0.81, "320x320": 0.93}},
        "labels": {"judged_by": "both", "auroc_left_out": {"goods": 0.9, "both": 0.96}, "defects": {"pit": 20}},
    }
    page = Page(teaching_report({**report, "train": {"labelled_defects": 20}}))
    shown = " ".join(page.plain + page.texts["en"])
    assert "good parts alone." not in page.texts["en"][1]
    for text in ("0.810", "0.930", "0.960", "chosen", "escape <= 5 % may be claimed", percent(0.1), "pit 20"):
        assert text in shown


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("conformal quantile: score 324 of 340 held-out goods in rising order", "340 个留出良品得分升序的第 324 个"),
        (
            "overkill <= 5 % cannot be claimed yet at 95 % (16 of 340 goods: at most 7.1 %); "
            "142 more goods, none of them rejected, would do",
            "过杀率 ≤ 5 % 尚不能承诺（95 %；340 件良品中有 16 件，上限 7.1 %）；若再有 142 件良品且无一误剔，即可承诺",
        ),
        (
            "overkill <= 5 % does not hold at 95 %: 58 of 60 goods, so at least 90 %",
            "过杀率 ≤ 5 % 不成立（95 %）：60 件良品中有 58 件，下限 90 %",
        ),
        (
            "escape <= 1 % may be claimed at 95 %: 0 of 300 defects",
            "漏检率 ≤ 1 % 可以承诺（95 %）：300 件缺陷件中有 0 件",
        ),
        ("a saying <nobody> knows {it}", "a saying <nobody> knows {it}"),
    ],
)
def test_what_teaching_says_is_said_in_chinese_too(text: str, chinese: str) -> None:
    assert said(text).en == text
    assert chinese in said(text).zh


def test_all_that_was_taught_is_said_in_chinese(taught: TeachReport) -> None:
    report = json.loads((taught.bundle / "report.json").read_bytes())
    sayings = [report["threshold"]["method"], report["choice"]["reason"], *report["threshold"]["claims"]]
    for one in sayings:
        assert CJK.search(said(one).zh), one
        assert not re.search(r"[a-z]{4}", said(one).zh.replace("Gumbel", "")), said(one).zh


def test_a_report_that_says_little_is_a_page_still() -> None:
    page = Page(teaching_report({"threshold": {"value": 1.0}}))
    assert page.texts["en"]
    page = Page(teaching_report({"most_unlike_goods": [{"file": "a.png", "score": 2}], "held_out_scores": []}))
    assert "a.png" in page.plain


def test_names_from_outside_do_no_harm(examined: Examined) -> None:
    evil = '<script>alert("1")</script>'
    found = json.loads(examined.json)
    found["bundle"]["name"] = found["bundle"]["threshold"]["method"] = evil
    found["bundle"]["train"][evil] = evil
    found["classes"][evil] = found["classes"].pop("scratch")
    found["data"]["left_out"] = [f"{evil}: {evil}"]
    found["cautions"] = [evil, "left_out"]
    picture = np.zeros((20, 20), np.uint8)
    looks = [Look(evil, evil, Words(evil, evil), picture)]
    page = Page(evaluation_report(found, looks, looks))
    assert "script" not in [tag for tag, _ in page.tags]
    assert evil in page.plain


def test_pictures_keep_to_their_bytes() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (900, 1200, 3), np.uint8)
    look = Look("a", "b", Words("c", "d"), noise, np.ones((4, 4), np.float32), paired=True)
    assert 0 < len(drawn(look, 200_000)) <= 200_000
    assert drawn(look, 500) == b""
    page = gallery([look] * 20, 1_000_000)
    assert sum(len(base64.b64decode(one)) for one in re.findall(r"base64,([^\"]+)", page)) <= 1_000_000


def test_heat_and_outline_are_drawn_where_they_are() -> None:
    picture, mask = np.full((200, 300), 90, np.uint8), np.zeros((200, 300), bool)
    mask[20:60, 20:80] = True
    heat = np.zeros((4, 4), np.float32)
    heat[3, 3] = 4.0
    look = Look("a", "b", Words("c", "d"), picture, heat, Box(100, 0, 200, 200), 2.0, mask)
    decoded = decode(drawn(look, 10**6), "a look")
    seen = decoded.astype(int)
    assert seen.shape == (200, 300, 3)
    red, blue = seen[..., 0], seen[..., 2]
    assert red[190, 290] - blue[190, 290] > 60  # hot corner of the region
    assert abs(red[100, 60] - blue[100, 60]) < 12  # outside the region
    assert seen[20, 50].max() > 150  # the outline's edge
    assert abs(seen[40, 50] - 90).max() < 15  # inside the outline nothing is hidden


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]), (-3.0, 17.0, [0.0, 5.0, 10.0, 15.0]), (1.0, 1.0, [1.0])],
)
def test_axes_have_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "0"), (1.0, "100"), (0.0013, "0.13"), (0.2601, "26.0"), (0.9996, "99.96"), (None, ""), (float("nan"), "")],
)
def test_shares_are_written_with_the_figures_that_count(share: float | None, shown: str) -> None:
    assert percent(share) == (f"{shown}\u00a0%" if shown else "–")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if not Path(CHROMIUM).exists() and os.environ.get("CI") != "true":
        pytest.skip(f"needs Debian's chromium ({CHROMIUM})")
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ARGS}


@pytest.fixture(scope="session")
def base_url() -> str:
    """In place of pytest-base-url's own, a method, which pytest 9.2 warns of."""
    return ""


@pytest.mark.ui
@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_a_browser_shows_one_language_at_a_time(
    size: tuple[int, int], examined: Examined, tmp_path: Path, page: Any
) -> None:
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.set_viewport_size({"width": size[0], "height": size[1]})
    file = tmp_path / "report.html"
    file.write_bytes(examined.html)
    visible: Callable[[str], int] = lambda which: page.locator(f"{which}:visible").count()  # noqa: E731
    page.goto(file.as_uri())
    assert visible("h2 .en") > 5
    assert visible(".zh") == 0
    page.get_by_text("中文", exact=True).click()
    assert visible("h2 .zh") > 5
    assert visible(".en") == 0
    page.get_by_text("English", exact=True).click()
    assert visible(".zh") == 0
    page.goto(f"{file.as_uri()}#zh")
    page.reload()
    assert visible(".en") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
