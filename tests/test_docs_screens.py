"""The guides to the screens say what the product says: rights, screens, keys, metrics, pictures, links."""

import re
import tomllib
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from okng.bus.rights import COMMANDS, RIGHTS, ROLES
from okng.shift.options import ShiftOptions
from okng.webui.api.bodies import BODIES
from okng.webui.options import WebOptions
from okng.webui.screens import SCREENS

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OPERATOR, ENGINEER = ("operator.md", "operator.zh.md"), ("engineer.md", "engineer.zh.md")
GUIDES = (*OPERATOR, *ENGINEER, "api.md")
CATALOGUE = ROOT / "webui" / "translations" / "zh_Hans_CN" / "LC_MESSAGES" / "messages.po"
SIGNS = {"✓", "+", "−", "PDF", "bold", "粗体", "✓ OK", "✕ NG", "△ UNJUDGED", "✓ 合格", "✕ 不良", "△ 未判"}
MOST_BYTES = 12 << 20


def text_of(guide: str) -> str:
    return (DOCS / guide).read_text(encoding="utf-8")


def rows(guide: str) -> list[list[str]]:
    lines = [line for line in text_of(guide).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("guide", ENGINEER)
def test_the_table_of_rights_is_the_one_a_ledger_begins_with(guide: str) -> None:
    told = {cells[0].strip("`"): cells for cells in rows(guide) if len(cells) == 7}
    told = {right: cells for right, cells in told.items() if right in RIGHTS}
    assert list(told) == list(RIGHTS)
    for right, cells in told.items():
        assert [cell == "●" for cell in cells[2:]] == [right in rights for rights in ROLES.values()], right
        assert guide != "engineer.md" or cells[1] == RIGHTS[right]


@pytest.mark.parametrize("guide", ENGINEER)
def test_every_screen_has_its_right(guide: str) -> None:
    told = {}
    for cells in rows(guide):
        if len(cells) == 6:
            for name, right in ((cells[1], cells[2]), (cells[4], cells[5])):
                if name:  # the last row may have one side only
                    told[name.strip("`")] = right.strip("`–")
    told.pop("id")
    told.pop("---")
    assert told == {screen.id: screen.right for screen in SCREENS}


@pytest.mark.parametrize("guide", [*OPERATOR, *ENGINEER])
def test_keys_are_called_as_they_are_on_the_screen(guide: str) -> None:
    """What is bold and no sentence is a key: it must be in the catalogue, word for word."""
    with CATALOGUE.open("rb") as file:
        messages = [message for message in read_po(file) if message.id and isinstance(message.id, str)]
    known = {str(message.string if ".zh." in guide else message.id) for message in messages}
    bold = {" ".join(found.split()) for found in re.findall(r"\*\*([^*]+)\*\*", text_of(guide))}
    keys = {found.strip("≡ ") for found in bold if not re.search(r"[.。]$", found)} - SIGNS - {""}
    sentences = {
        "During a bypass the box passes nothing",
        "旁路期间主机什么都不放行",
        "Compare two models",
        "比较两个模型",
    }
    assert keys - known <= sentences


@pytest.mark.parametrize("guide", GUIDES)
def test_no_link_is_dead(guide: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(guide)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (DOCS / path).resolve() if path else DOCS / guide
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize(("guide", "other"), [OPERATOR, ENGINEER])
def test_both_languages_show_the_same(guide: str, other: str) -> None:
    shown = [re.findall(r"\(screens/([\w-]+)-(en|zh)\.png\)", text_of(one)) for one in (guide, other)]
    assert [name for name, _ in shown[0]] == [name for name, _ in shown[1]]
    assert {language for _, language in shown[0]} == {"en"}
    assert {language for _, language in shown[1]} == {"zh"}
    assert len(re.findall(r"^## ", text_of(guide), re.MULTILINE)) == len(
        re.findall(r"^## ", text_of(other), re.MULTILINE)
    )


def test_the_pictures_are_not_too_heavy_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in (DOCS / "screens").iterdir()) <= MOST_BYTES


@pytest.mark.parametrize("guide", ENGINEER)
def test_examples_of_settings_are_taken(guide: str) -> None:
    found = re.findall(r"^```toml\n(.*?)^```", text_of(guide), re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    ShiftOptions.model_validate(tomllib.loads(found[0])["shift"])
    WebOptions.model_validate(tomllib.loads(found[1])["web"])


def test_the_api_guide_names_what_there_is() -> None:
    text = text_of("api.md")
    told = [cells for cells in rows("api.md") if len(cells) == 3 and "." in cells[0] and "/" not in cells[0]]
    commands = {name: cells for cells in told for name in re.findall(r"`([a-z]+\.[a-z]+)`", cells[0])}
    assert len(commands) > 10
    for name, cells in commands.items():
        assert cells[1].strip("`") == COMMANDS[name].right, name
        fields = set(re.findall(r"`([a-z_]+)`", cells[2]))
        known = {field for one in commands if one in cells[0] for field in BODIES[one].model_fields}
        assert fields <= known, name
    metrics = (ROOT / "webui" / "api" / "metrics.py").read_text(encoding="utf-8")
    for name in set(re.findall(r"okng_[a-z_]+", text)) - {"okng_"}:
        assert f'"{name.removesuffix("_total")}"' in metrics, name
