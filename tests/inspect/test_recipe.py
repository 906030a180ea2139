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
    assert len(active.digest) == 64
    assert active.revision == active.digest[:12]


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


MIXED = """\
name: clip
deadline_ms: 300
cameras:
  top: {width: 640, height: 480}
  side: {width: 320, height: 240}
regions:
  - {name: body, camera: top, bundle: models/body, limits: {scratch: 0.6}}
  - {name: seam, camera: side, bundle: models/seam}
tools:
  - {name: gap, kind: caliper, camera: top, box: [10, 20, 100, 30], unit: mm, mm_per_px: 0.05, low: 9.8, high: 10.2}
  - {name: pins, kind: count, camera: side, by: template, template: pin.png, min_count: 4, max_count: 4}
agreements:
  - {name: both, regions: [body, seam], ng_when: 2}
"""


def test_models_and_tools_stand_in_one_recipe(tmp_path: Path) -> None:
    (tmp_path / "pin.png").write_bytes(b"pin")
    active = read_recipe(written(tmp_path, MIXED))
    assert active.bundles == {name: tmp_path / name for name in ("models/body", "models/seam")}
    assert [(tool.name, tool.kind, tool.box) for tool in active.recipe.tools] == [
        ("gap", "caliper", (10, 20, 100, 30)),
        ("pins", "count", "full"),
    ]
    assert active.recipe.files == ("pin.png",)
    (tmp_path / "pin.png").write_bytes(b"another pin")
    assert read_recipe(written(tmp_path, MIXED)).revision != active.revision


def test_a_recipe_of_tools_or_codes_alone_needs_no_model(tmp_path: Path) -> None:
    head = "name: clip\ndeadline_ms: 300\ncamera: {width: 640, height: 480}\n"
    tools = head + "tools: [{name: dirt, kind: blob}]\n"
    for text in (tools, head + "codes: [{name: dm}]\n"):
        active = read_recipe(written(tmp_path, text))
        assert (active.recipe.regions, active.bundles) == ((), {})
    whole = read_recipe(written(tmp_path, tools + "bundle: models/cap\n"))
    assert [region.name for region in whole.recipe.regions] == ["whole"]
    with pytest.raises(BadRecipe, match="a recipe has to look at something"):
        read_recipe(written(tmp_path, head))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("bundle: models/seam", "threshold: 3"), "regions: seam: expected `bundle`, here or for the whole recipe"),
        (("scratch: 0.6", "scratch: -1"), "limits.scratch = -1"),
        (("kind: caliper", "kind: calliper"), "tools.[0]"),
        (("low: 9.8, high: 10.2", "low: 10.3, high: 10.2"), "low = 10.3: expected to lie below high = 10.2"),
        (("box: [10, 20, 100, 30]", "box: [600, 20, 100, 30]"), "gap reaches to 700,50"),
        (("unit: mm", "unti: mm"), "unti: unknown key"),
        (("camera: side, by: template", "camera: rear, by: template"), "tools: camera rear"),
        (("name: pins", "name: seam"), "regions and tools: expected different names"),
        (("[body, seam], ng_when", "[body, rim], ng_when"), "agreements: both: 'rim': expected the name of a region"),
        (("[body, seam], ng_when", "[body, body], ng_when"), "body is in an agreement already"),
        (("ng_when: 2", "ng_when: most"), "agreements.[0].ng_when"),
    ],
)
def test_what_cannot_be_mixed_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "pin.png").write_bytes(b"pin")
    assert change[0] in MIXED
    with pytest.raises(BadRecipe) as refused:
        read_recipe(written(tmp_path, MIXED.replace(*change)))
    assert said in str(refused.value)


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
