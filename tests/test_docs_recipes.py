"""The guide for recipes says what the product does: every key has its row, and its example is a recipe."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from okng.inspect.recipe import Recipe, Region, Rules
from okng.inspect.sections import AgreementSection
from okng.inspect.tool_section import Tool

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = ("recipes.md", "recipes.zh.md")
MODELS: tuple[type[BaseModel], ...] = (Region, Rules, AgreementSection, *get_args(get_args(Tool)[0]))


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def examples(page: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_has_its_row(page: str, model: type[BaseModel]) -> None:
    cells = [line.split("|")[1] for line in text_of(page).splitlines() if line.startswith("|")]
    told = {name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)}
    assert set(model.model_fields) - told == set()


def test_the_example_is_a_recipe_and_the_same_in_both_languages() -> None:
    english, chinese = ([yaml.safe_load(text) for text in examples(page)] for page in PAGES)
    assert english == chinese
    (recipe,) = [Recipe.model_validate(content) for content in english]
    assert {tool.kind for tool in recipe.tools} == {"caliper", "count", "blob"}
    assert recipe.bundles == ("models/body", "models/print", "models/seam")


def test_both_languages_have_the_same_sections_and_rows() -> None:
    english, chinese = (text_of(page) for page in PAGES)
    for mark in ("\n## ", "\n|", "\n```"):
        assert english.count(mark) == chinese.count(mark), mark
