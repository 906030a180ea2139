"""A damaged file is refused by name, and the refusal says which copy of it was good."""

from pathlib import Path

import pytest

from okng.appliance.workshop_of import box_of
from okng.bus.errors import BadRecipe, BadSettings
from okng.bus.last_good import good_of
from okng.inspect.recipe import read_recipe
from okng.settings import read_settings
from okng.tests.powercut.acts import _RECIPE as RECIPE
from okng.tests.powercut.acts import _settings as made_settings
from okng.workshop.last_good import keep_all
from okng.workshop.recipe_text import save
from okng.workshop.settings_text import Change, changed_text, read_text, write_checked


def test_what_was_read_last_is_kept_and_named_when_the_file_is_damaged(tmp_path: Path) -> None:
    made_settings(tmp_path)
    settings, recipe = tmp_path / "okng.toml", tmp_path / "recipe.yaml"
    sound = settings.read_bytes()
    keep_all(box_of(settings))
    for file, read, error in ((settings, read_settings, BadSettings), (recipe, read_recipe, BadRecipe)):
        assert good_of(file).read_bytes() == file.read_bytes()
        file.write_bytes(b"\0" * 512)
        with pytest.raises(error, match=rf"{file.name}: .*; its last good copy is .*{file.name}\.good of 20"):
            read(file)
    good_of(settings).replace(settings)
    assert settings.read_bytes() == sound
    assert read_settings(settings).recipe == recipe


def test_damage_never_reaches_the_copy(tmp_path: Path) -> None:
    made_settings(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    box = box_of(tmp_path / "okng.toml")
    keep_all(box)
    recipe.write_bytes(b"\0" * 512)
    keep_all(box)
    assert good_of(recipe).read_text() == RECIPE


def test_each_change_is_kept_as_the_last_good_one(tmp_path: Path) -> None:
    made_settings(tmp_path)
    settings = tmp_path / "okng.toml"
    text, base = read_text(settings)
    write_checked(settings, changed_text(text, [Change("box", "name", "new")]), base, box_of)
    assert 'name = "new"' in good_of(settings).read_text()
    made = save(RECIPE.replace("200.0", "300.0"), tmp_path / "recipe.yaml")
    assert good_of(made.path).read_bytes() == made.path.read_bytes()
    (tmp_path / "other").mkdir()
    without = tmp_path / "other" / "okng.toml"
    without.write_text("[")
    with pytest.raises(BadSettings) as refused:
        read_settings(without)
    assert "last good" not in str(refused.value)
