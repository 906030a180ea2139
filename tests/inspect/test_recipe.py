"""The recipe's door: good ones come in whole, bad ones are refused in words a person can act on."""

from pathlib import Path

import pytest

from okng.bus.errors import BadRecipe
from okng.inspect.recipe import read_recipe

GOOD = """\
name: bottle-cap
deadline_ms: 300
bundle: models/cap
camera: {pixel_format: RGB8, width: 640, height: 480, exposure_us: 800}
regions:
  - {name: rim, box: [0, 0, 640, 100], threshold: 3.5}
  - {name: body, box: [0, 100, 640, 380]}
"""


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cap.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_good_recipe_comes_in_whole(tmp_path: Path) -> None:
    active = read_recipe(written(tmp_path, GOOD))
    assert active.recipe.name == "bottle-cap"
    assert [region.name for region in active.recipe.regions] == ["rim", "body"]
    assert active.recipe.regions[0].threshold == 3.5
    assert active.bundles == {"models/cap": tmp_path / "models" / "cap"}
    assert len(active.revision) == 12


def test_the_revision_follows_the_bytes(tmp_path: Path) -> None:
    one = read_recipe(written(tmp_path, GOOD)).revision
    assert read_recipe(written(tmp_path, GOOD + "# a word\n")).revision != one


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("deadline_ms: 300", "deadline_ms: 2"), "deadline_ms = 2: expected greater than or equal to 5"),
        (("deadline_ms: 300", "deadline_sm: 300"), "deadline_sm: unknown key"),
        (("deadline_ms: 300", "deadline_sm: 300"), "deadline_ms: missing"),
        (
            ("width: 640", "width: 600"),
            "rim reaches to 640,100: expected to lie inside the picture of 600x480",
        ),
        (("RGB8", "RGB9"), "camera.pixel_format = 'RGB9'"),
        (("name: body", "name: rim"), "expected different names"),
        (("deadline_ms: 300", "deadline_ms: 300\ndeadline_ms: 301"), "key 'deadline_ms' is written twice"),
        (("threshold: 3.5", "threshold: .nan"), "regions.[0].threshold"),
        (("box: [0, 0, 640, 100]", "box: [-1, 0, 640, 100]"), "expected x and y of 0 or more"),
        (("name: bottle-cap", "name: '../etc'"), "name = '../etc'"),
    ],
)
def test_a_bad_recipe_is_refused_with_key_value_and_expectation(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    file = written(tmp_path, GOOD.replace(*change))
    with pytest.raises(BadRecipe) as refused:
        read_recipe(file)
    assert said in str(refused.value)
    assert str(file) in str(refused.value)


def test_all_mistakes_are_shown_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("deadline_ms: 300", "deadline_ms: 1").replace("exposure_us: 800", "exposure_us: 0")
    with pytest.raises(BadRecipe) as refused:
        read_recipe(written(tmp_path, text))
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", "a: [", ""])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadRecipe):
        read_recipe(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRecipe, match=r"none\.yaml: cannot be read: No such file"):
        read_recipe(tmp_path / "none.yaml")
