"""The guides for cameras and pictures say what the product does: keys, defaults, examples, commands, sums, words."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import get_args

import click
import pytest
import yaml
from pydantic import BaseModel

from okng.__main__ import cli
from okng.camera.options import CameraOptions
from okng.imaging.align_options import AlignOptions
from okng.imaging.code_options import CodeKind, CodeOptions
from okng.imaging.develop_options import DevelopOptions
from okng.imaging.health_options import HealthOptions
from okng.inspect.recipe import CameraSection, Recipe
from okng.settings import CAMERA_TOOLS

DOCS = Path(__file__).resolve().parents[1] / "docs"
CAMERAS, IMAGES = ("cameras.md", "cameras.zh.md"), ("images.md", "images.zh.md")
PAGES = (*CAMERAS, *IMAGES)
KEYS = [
    *((guide, CameraOptions) for guide in CAMERAS),
    *((guide, CameraSection) for guide in CAMERAS),
    *((guide, model) for guide in IMAGES for model in (DevelopOptions, AlignOptions, CodeOptions, HealthOptions)),
]


def text_of(guide: str) -> str:
    return (DOCS / guide).read_text(encoding="utf-8")


def blocks(guide: str, language: str) -> list[str]:
    """The examples of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(guide), re.MULTILINE | re.DOTALL)


def rows(guide: str) -> list[list[str]]:
    """Cells of all tables."""
    lines = [line for line in text_of(guide).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def named(cell: str) -> list[str]:
    """The keys in the first cell of a row."""
    return re.findall(r"`([a-z_]+)`", cell)


def anchors(guide: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", text_of(guide), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("guide", "model"), KEYS, ids=[f"{guide}-{model.__name__}" for guide, model in KEYS])
def test_every_key_has_its_row(guide: str, model: type[BaseModel]) -> None:
    told = {name for cells in rows(guide) for name in named(cells[0])}
    assert set(model.model_fields) - told == set()


@pytest.mark.parametrize(("guide", "model"), KEYS, ids=[f"{guide}-{model.__name__}" for guide, model in KEYS])
def test_defaults_are_those_of_the_product(guide: str, model: type[BaseModel]) -> None:
    """Only keys with a number or one word as default; a row of several keys tells them in their order."""
    seen = 0
    for key, value in defaults(guide, model):
        default = model.model_fields[key].default
        if isinstance(default, bool):
            assert value == str(default).lower(), key
        elif isinstance(default, int | float):
            assert float(value) == float(default), key
        elif isinstance(default, str) and default:
            assert value.strip("`") == default, key
        else:
            continue
        seen += 1
    assert seen >= 1


def defaults(guide: str, model: type[BaseModel]) -> list[tuple[str, str]]:
    """Key and what its row says of its default. A table belongs to the model that knows the keys of its first row."""
    found: list[tuple[str, str]] = []
    for table in re.split(r"\n\s*\n", text_of(guide)):
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line[:1] == "|"]
        if len(cells) < 3 or not set(named(cells[2][0])) <= set(model.model_fields) or not named(cells[2][0]):
            continue
        for row in cells[2:]:
            keys, values = named(row[0]), [value.strip() for value in re.split(r"[,、]", row[1])]
            if len(keys) == len(values):
                found += [(key, value) for key, value in zip(keys, values, strict=True) if value]
            elif len(values) == 1 and values[0]:
                found += [(key, values[0]) for key in keys]
    return found


@pytest.mark.parametrize("guide", CAMERAS)
def test_every_driver_and_forbidden_name_is_told(guide: str) -> None:
    text = text_of(guide)
    for word in (*get_args(CameraOptions.model_fields["driver"].annotation), *CAMERA_TOOLS):
        assert f"`{word}`" in text, word


@pytest.mark.parametrize("guide", IMAGES)
def test_every_kind_of_code_is_told(guide: str) -> None:
    for kind in get_args(CodeKind):
        assert kind in text_of(guide)


@pytest.mark.parametrize("guide", CAMERAS)
def test_the_settings_are_settings(guide: str) -> None:
    examples = [tomllib.loads(text) for text in blocks(guide, "toml")]
    assert len(examples) >= 2
    for example in examples:
        for options in example["camera"].values():
            assert CameraOptions.model_validate(options)


@pytest.mark.parametrize("guide", PAGES)
def test_the_recipes_are_recipes(guide: str) -> None:
    examples = [Recipe.model_validate(yaml.safe_load(text)) for text in blocks(guide, "yaml")]
    assert len(examples) == 1
    assert examples[0].camera is not None


@pytest.mark.parametrize("guide", PAGES)
def test_the_commands_are_commands(guide: str) -> None:
    lines = [line for text in blocks(guide, "sh") for line in text.splitlines() if line.startswith("okng ")]
    assert lines
    for line in lines:
        understood(cli, shlex.split(line, comments=True)[1:])


def understood(command: click.Command, words: list[str]) -> None:
    """Raise click.UsageError unless the words are a command with its arguments; nothing is run."""
    context = command.make_context(command.name, list(words))
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]  # what click itself resolves the next command from
        _, inner, left = command.resolve_command(context, rest)
        assert inner is not None, words
        understood(inner, left)


@pytest.mark.parametrize("guide", PAGES)
def test_links_lead_somewhere(guide: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#([^)\s]+))?\)", text_of(guide))
    assert links
    for target, anchor in links:
        if not target.startswith(("http://", "https://")):
            assert (DOCS / target).is_file(), target
            assert not anchor or anchor in anchors(target), anchor


@pytest.mark.parametrize("pair", [CAMERAS, IMAGES], ids=["cameras", "images"])
def test_both_languages_have_the_same_parts(pair: tuple[str, str]) -> None:
    english, chinese = ([*shape(guide)] for guide in pair)
    assert english == chinese


def shape(guide: str) -> list[str]:
    """Levels and numbers of the headings, rows of the tables, examples without their remarks."""
    heads = re.findall(r"^(#+ (?:\d+\.)?)", text_of(guide), re.MULTILINE)
    tables = [f"{len(cells)} cells, {sorted(re.findall(r'`([^`]+)`', cells[0]))}" for cells in rows(guide)]
    code = re.findall(r"^```\w*\n(.*?)^```", text_of(guide), re.MULTILINE | re.DOTALL)
    return [*heads, *tables, *(re.sub(r"\s*# .*$", "", text, flags=re.MULTILINE) for text in code)]


def test_the_sums_are_right() -> None:
    view_mm, pixels, pitch_mm, away_mm, speed_mm_s = 88.0, 1920, 0.00345, 300.0, 600.0
    grid_mm = view_mm / pixels
    m = pixels * pitch_mm / view_mm
    picture, large = 1920 * 1200, 2448 * 2048
    depth = [2 * n * pitch_mm * (1 + m) / m**2 for n in (5.6, 8, 11)]
    disc_um = [2.44 * 0.55 * n * (1 + m) for n in (5.6, 8, 11)]
    text = " ".join(text_of("cameras.md").replace("\n> ", " ").split())
    for figure in (
        f"{view_mm / 0.06:.0f} pixels",
        f"= {grid_mm:.4f} mm a pixel: the scratch has {0.3 / grid_mm:.1f} pixels",
        f"1920 · 3.45 µm = {pixels * pitch_mm:.2f} mm; m = 6.62 / 88 = {m:.4f}",
        f"f = {away_mm * m / (1 + m):.1f} mm",
        f"f = 16 mm at {16 * (1 + 1 / m):.0f} mm",
        f"f = 25 mm at {25 * (1 + 1 / m):.0f} mm",
        "{:.1f} mm at f/5.6, {:.1f} mm at f/8, {:.1f} mm at f/11".format(*depth),
        "is {:.1f}, {:.1f} and {:.1f} µm".format(*disc_um),
        f"at f/11 that is {disc_um[2] / 3.45:.1f} pixels",
        f"{500 / 3.45:.0f} for 3.45 µm",
        f"at most {0.5 * grid_mm / speed_mm_s * 1e6:.0f} µm".replace("µm", "µs"),
        f"{speed_mm_s * 0.001:.1f} mm, {speed_mm_s * 0.001 / grid_mm:.0f} pixels",
        f"at most {1e6 * grid_mm / speed_mm_s:.0f} µs",
        f"{picture * 40 / 1e6:.0f} MB/s",
        f"{picture / 115e3:.1f} ms on GigE and {picture / 380e3:.1f} ms on USB3",
        f"{large / 115e3:.1f} ms on GigE",
        f"is {-(-picture // (9000 - 36))} packets, at 1500 it is {-(-picture // (1500 - 36))}",
        f"one packet's time, {(9000 + 38) * 8 / 1000:.0f} µs at MTU 9000",
    ):
        assert figure in text, figure


@pytest.mark.parametrize("guide", CAMERAS)
def test_the_screen_says_these_words(guide: str) -> None:
    """What the table of faults puts on the screen is what the screen puts there."""
    catalogue = (DOCS.parent / "webui/translations/zh_Hans_CN/LC_MESSAGES/messages.po").read_text(encoding="utf-8")
    keyword = "msgstr" if guide.endswith("zh.md") else "msgid"
    said = " ".join(re.findall(rf'^{keyword} "(.+)"$', catalogue, re.MULTILINE))
    said = (
        re.sub(r"\s*%\(name\)s\s*", " ", said)
        .replace("相机 ", "相机")
        .replace("图像 ", "图像")
        .replace(" of camera", "")
    )
    faults = [
        cells
        for cells in rows(guide)
        if len(cells) == 4 and cells[2].startswith(("No ", "Camera", "The ", "无", "相", "图"))
    ]
    assert len(faults) >= 15
    for cells in faults:
        for words in re.split(r"[;；]", cells[2]):
            assert words.strip().lower() in re.sub(r"\s+", " ", said).lower(), words


@pytest.mark.parametrize("guide", PAGES)
def test_it_keeps_to_its_width(guide: str) -> None:
    lines = [line for line in text_of(guide).splitlines() if not line.startswith("|") and "](http" not in line]
    assert [line for line in lines if len(line) > 120] == []
