"""The settings' file is changed whole or not at all, and keeps what a person wrote into it."""

import tomllib
from typing import Any

import pytest

from okng.bus.errors import BadSettings
from okng.workshop.settings_text import Change, changed_text

TEXT = """\
# about the box
recipe = "a.yaml"  # the start job

[box]
name = "one" # its name
run_dir = "/run/okng"

[jobs]
3 = "b.yaml"

[web]
port = 8080
fps = [
  1,
  2,
]

[[net]]
x = 1
"""


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("box", "name", "two"),
        ("", "recipe", 'c "quoted" \\ ü.yaml'),
        ("jobs", "4", "c.yaml"),
        ("jobs", "3", None),
        ("web", "fps", [3, 4]),
        ("web", "mm", 4.5),
        ("workshop", "four_eyes", True),
        ("camera.top", "gain", {"low": 1, "high": 2}),
        ("web", "gone", None),
    ],
)
def test_one_key_changes_and_nothing_else(section: str, key: str, value: Any) -> None:
    made = changed_text(TEXT, [Change(section, key, value)])
    meant = tomllib.loads(TEXT)
    table = meant
    for part in section.split(".") if section else []:
        table = table.setdefault(part, {})
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    assert tomllib.loads(made) == meant
    assert "# about the box" in made


def test_what_cannot_be_changed_by_keys_is_refused() -> None:
    with pytest.raises(BadSettings, match="change its text"):
        changed_text("web = {port = 1}\n", [Change("web", "port", 2)])
    with pytest.raises(BadSettings, match="no section"):
        changed_text(TEXT, [Change("recipe", "x", 2)])
    with pytest.raises(BadSettings, match="expected a text"):
        changed_text(TEXT, [Change("web", "x", object())])


def test_a_change_is_checked_by_the_box_before_it_holds(shop: Any) -> None:
    told = shop.done("settings.read")
    before = shop.settings.read_bytes()
    sha = told["sha256"]
    wrong = {"changes": [{"section": "web", "key": "port", "value": 0}], "sha256": sha}
    answer = shop.refused("settings.change", wrong)
    (error,) = answer.body["errors"]
    assert (error["loc"], error["type"]) == (["web", "port"], "greater_than_equal")
    for hostile in (
        {"changes": [{"section": "web", "key": 'x = 1\n[box]\nname = "y"\n#', "value": 1}], "sha256": sha},
        {"changes": [{"section": "nowhere", "key": "x", "value": 1}], "sha256": sha},
        {"text": "recipe = ", "sha256": sha},
        {"text": told["text"].replace("[plc]", "[plc]\nunheard_of = 1"), "sha256": sha},
        {"changes": [{"section": "web", "key": "port", "value": 8081}], "sha256": "0" * 64},
        {"changes": [{"section": "web", "key": "language", "value": 'en"\nhost = "0.0.0.0'}], "sha256": sha},
    ):
        shop.refused("settings.change", hostile)
        assert shop.settings.read_bytes() == before
    done = shop.done(
        "settings.change",
        {"changes": [{"section": "web", "key": "port", "value": 8081}], "sha256": sha},
    )
    assert done["restart"] == ["web"]
    text = shop.settings.read_text()
    assert "# on a tmpfs" in text
    assert tomllib.loads(text)["web"]["port"] == 8081
    assert next(shop.folder.glob("okng.toml.*.bak")).read_bytes() == before
    assert not list(shop.folder.glob(".*"))


def test_a_support_bundle_holds_no_secret(shop: Any) -> None:
    (shop.folder / "okng.log").write_text("login token=abcdef from mqtts://joe:hush@broker/\n")
    told = shop.work(shop.done("support.bundle")["work"])
    name, data, size = told["result"]["file"], b"", 1
    while len(data) < size:
        asked = {"work": told["work"]["id"], "file": name, "offset": len(data)}
        piece = shop.done("work.status", asked)
        data, size = data + piece["data"], piece["size"]
    assert data[:2] == b"PK"
    import io
    import zipfile

    archive = zipfile.ZipFile(io.BytesIO(data))
    log = archive.read("logs/okng.log").decode()
    assert "hush" not in log
    assert "abcdef" not in log
    assert not [one for one in archive.namelist() if one.startswith("pictures/")]
    assert b"1111" not in archive.read("settings.json")
    other = shop.refused("work.status", {"work": told["work"]["id"], "file": name}, who="otto")
    assert "is lea's" in other.detail
    assert "no such file" in shop.refused("work.status", {"work": told["work"]["id"], "file": "../x"}).detail
