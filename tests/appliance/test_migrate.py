"""Settings and recipes come from one version to the next whole, or stay; what a newer okng wrote is refused.

No step is released so far: those here stand for the ones to come.
"""

import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from okng.__main__ import cli
from okng.appliance import migrate
from okng.appliance.migrate import Kind, numbered_toml, numbered_yaml, plan, plans, write
from okng.appliance.migrations import RECIPE_STEPS, SETTINGS_STEPS, Step
from okng.bus.errors import BadRecipe, BadSettings
from okng.inspect import recipe
from okng.inspect.recipe import read_recipe
from okng.settings import VERSION, read_settings
from okng.workshop.settings_text import Change, changed_text

SETTINGS = """\
# The box at the end of line 3.
recipe = "r/clip.yaml"     # the start job

[box]
name = "box3"

[jobs]
2 = "r/cap.yaml"

[camera.top]
serial = "A1"  # the upper one
bufferz = 9

[records]
store = "store"
"""
RECIPE = """\
# Clips, both sides.
name: clip
deadline_millis: 150   # from the trigger on
camera: {width: 640, height: 480}
tools:
  - {name: dirt, kind: blob, box: [0, 0, 64, 64], max_count: 0, min_area: 12}
"""


def _buffers(text: str) -> str:
    found = tomllib.loads(text)["camera"]["top"].get("bufferz")
    if found is None:
        raise BadSettings("camera.top.bufferz: missing")
    return changed_text(text, [Change("camera.top", "bufferz", None), Change("camera.top", "buffers", found)])


def _deadline(text: str) -> str:
    return text.replace("deadline_millis:", "deadline_ms:")


def _kept(text: str) -> str:
    return text


def kinds(monkeypatch: pytest.MonkeyPatch) -> tuple[Kind, Kind]:
    """Two steps to version 3, in an okng that knows version 3."""
    monkeypatch.setattr("okng.settings.VERSION", 3)
    monkeypatch.setattr(recipe, "VERSION", 3)
    # Bounds are fixed when the model is made: the box of version 3 has its own.
    monkeypatch.setattr("okng.settings.other_form", lambda *_: None)
    monkeypatch.setattr(recipe, "other_form", lambda *_: None)

    def read_three(path: Path) -> object:
        text = path.read_text()
        assert tomllib.loads(text)["version"] == 3
        trial = path.with_name("one.toml")
        trial.write_text(text.replace("version = 3", "version = 1"))
        return read_settings(trial)

    def recipe_three(path: Path) -> object:
        text = path.read_text()
        assert yaml.safe_load(text)["version"] == 3
        trial = path.with_name("one.yaml")
        trial.write_text(text.replace("version: 3", "version: 1"))
        try:
            return read_recipe(trial)
        finally:
            trial.unlink()

    settings = migrate.SETTINGS
    old = (Step("bufferz is buffers", _buffers), Step("nothing but the number", _kept))
    deadline = (Step("deadline_millis is deadline_ms", _deadline), Step("nothing but the number", _kept))
    return (
        Kind(old, 3, settings.parse, numbered_toml, read_three),
        Kind(deadline, 3, migrate.RECIPES.parse, numbered_yaml, recipe_three),
    )


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "r").mkdir()
    (tmp_path / "okng.toml").write_text(SETTINGS)
    (tmp_path / "r/clip.yaml").write_text(RECIPE)
    (tmp_path / "r/cap.yaml").write_text("version: 2\n" + RECIPE.replace("deadline_millis", "deadline_ms"))
    return tmp_path


def test_there_is_a_step_for_each_version_there_was() -> None:
    assert len(SETTINGS_STEPS) == VERSION - 1
    assert len(RECIPE_STEPS) == recipe.VERSION - 1


def test_settings_and_recipes_come_up_to_date_with_their_comments(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, left = plans(box / "okng.toml", *kinds(monkeypatch))
    assert left == []
    assert [one.path.name for one in found] == ["clip.yaml", "cap.yaml", "okng.toml"]  # the settings last
    assert [one.about[0] for one in found] == [
        "deadline_millis is deadline_ms",
        "nothing but the number",  # that one was of version 2
        "bufferz is buffers",
    ]
    assert (box / "okng.toml").read_text() == SETTINGS  # a plan writes nothing
    for one in found:
        write(one)
    text = (box / "okng.toml").read_text()
    assert tomllib.loads(text)["version"] == 3
    assert tomllib.loads(text)["camera"]["top"] == {"serial": "A1", "buffers": 9}
    assert "# The box at the end of line 3." in text
    assert "# the upper one" in text
    assert (box / "okng.toml.v1.bak").read_text() == SETTINGS
    made = (box / "r/clip.yaml").read_text()
    assert made.startswith("# Clips, both sides.\nversion: 3\nname: clip\n")
    assert "deadline_ms: 150   # from the trigger on" in made
    assert (box / "r/clip.yaml.v1.bak").read_text() == RECIPE
    assert (box / "r/cap.yaml.v2.bak").exists()


def test_a_second_run_does_what_the_first_was_cut_off_from(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = kinds(monkeypatch)
    first, _ = plans(box / "okng.toml", *both)
    write(first[0])
    again, _ = plans(box / "okng.toml", *both)
    assert [one.needed for one in again] == [False, True, True]
    for one in again:
        if one.needed:
            write(one)
    assert [one.needed for one in plans(box / "okng.toml", *both)[0]] == [False, False, False]


def test_what_the_box_would_not_take_is_not_written(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = kinds(monkeypatch)
    (box / "okng.toml").write_text(SETTINGS.replace("bufferz = 9", "bufferz = 99999"))
    with pytest.raises(
        BadSettings, match=r"after its migration: .*buffers = 99999: expected less than or equal to 256"
    ):
        plans(box / "okng.toml", *both)
    (box / "okng.toml").write_text(SETTINGS.replace("bufferz = 9\n", ""))
    with pytest.raises(BadSettings, match=r"version 1 to 2 \(bufferz is buffers\): camera.top.bufferz: missing"):
        plans(box / "okng.toml", *both)
    assert sorted(path.name for path in box.iterdir() if path.suffix == ".bak") == []


def test_an_old_version_of_a_recipe_that_does_not_read_holds_nothing_up(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (box / "r/clip.r0002.yaml").write_text("name: [\n")
    found, left = plans(box / "okng.toml", *kinds(monkeypatch))
    assert len(found) == 3
    assert len(left) == 1
    assert "clip.r0002.yaml: not YAML" in left[0]
    (box / "r/cap.yaml").write_text("name: [\n")  # a job uses that one
    with pytest.raises(BadRecipe, match=r"cap.yaml: not YAML"):
        plans(box / "okng.toml", *kinds(monkeypatch))


@pytest.mark.parametrize("version", ["0", "true", '"2"', "1.5"])
def test_a_version_that_is_none_is_refused(tmp_path: Path, version: str) -> None:
    file = tmp_path / "okng.toml"
    file.write_text(f"version = {version}\n" + SETTINGS)
    with pytest.raises(BadSettings, match="version: expected a whole number of 1 or more"):
        plan(file, migrate.SETTINGS)
    with pytest.raises(BadSettings, match="version = "):
        read_settings(file)


def test_what_a_newer_okng_wrote_is_refused_by_the_box_and_by_the_migration(tmp_path: Path) -> None:
    file, product = tmp_path / "okng.toml", tmp_path / "clip.yaml"
    file.write_text(f"version = {VERSION + 1}\n" + SETTINGS)
    product.write_text(f"version: {recipe.VERSION + 1}\n" + RECIPE)
    words = f"version = {VERSION + 1}: expected at most {VERSION}: a newer okng wrote it"
    with pytest.raises(BadSettings, match=words):
        read_settings(file)
    with pytest.raises(BadSettings, match=words):
        plan(file, migrate.SETTINGS)
    with pytest.raises(BadRecipe, match="a newer okng wrote it"):
        read_recipe(product)
    assert file.read_text().startswith(f"version = {VERSION + 1}\n")


def test_the_door_says_what_it_would_do_and_that_there_is_nothing_to_do(box: Path) -> None:
    done = CliRunner().invoke(cli, ["settings", "migrate", "--dry-run", "--settings", str(box / "okng.toml")])
    assert done.exit_code == 1  # cap.yaml says version 2
    (box / "r/cap.yaml").unlink()
    done = CliRunner().invoke(cli, ["settings", "migrate", "--settings", str(box / "okng.toml")])
    assert done.exit_code == 0, done.output
    assert done.output.count("version 1: nothing to do") == 2
    assert (box / "okng.toml").read_text() == SETTINGS


def test_the_door_shows_and_writes(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = kinds(monkeypatch)
    monkeypatch.setattr(migrate.plans, "__defaults__", both)
    ask = ["settings", "migrate", "--settings", str(box / "okng.toml")]
    shown = CliRunner().invoke(cli, [*ask, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "-bufferz = 9" in shown.output
    assert "+buffers = 9" in shown.output
    assert (box / "okng.toml").read_text() == SETTINGS
    done = CliRunner().invoke(cli, ask)
    assert done.exit_code == 0, done.output
    assert f"{box / 'okng.toml'}: written; as it was: okng.toml.v1.bak" in done.output
    assert tomllib.loads((box / "okng.toml").read_text())["camera"]["top"]["buffers"] == 9


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("name: a\n", "version: 3\nname: a\n"),
        ("# head\n\nname: a\n", "# head\n\nversion: 3\nname: a\n"),
        ("---\nname: a\nversion: 2 # old\n", "---\nname: a\nversion: 3\n"),
    ],
)
def test_a_recipe_says_its_version_once(text: str, made: str) -> None:
    assert numbered_yaml(text, 3) == made
