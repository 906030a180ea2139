"""What a box goes by is told with its digests, no password among it, and what does not read is left out."""

import json
from pathlib import Path

import yaml

from okng.appliance.lore import lore_of
from okng.models.bundle import write_bundle
from okng.models.manifest import digest
from okng.settings import read_settings

from ..models.conftest import contents, fields, graph
from .test_jobs import jobs_of, write_recipe, write_settings


def test_recipes_models_and_cameras_are_told_under_what_parts_name_them_by(tmp_path: Path) -> None:
    files = contents(graph().SerializeToString())
    for name, version in (("good", "1.0.0"), ("other", "2.0.0")):
        write_bundle(tmp_path / name, files, fields(version=version))
    write_recipe(tmp_path / "cap.yaml", "good")
    two = {
        "name": "lid",
        "deadline_ms": 300,
        "bundle": "good",
        "camera": {"width": 64, "height": 48},
        "regions": [{"name": "rim"}, {"name": "body", "bundle": "other"}],
    }
    (tmp_path / "lid.yaml").write_text(yaml.safe_dump(two), encoding="utf-8")
    (tmp_path / "torn.yaml").write_text("name: [", encoding="utf-8")
    box = write_settings(tmp_path, '[jobs]\n7 = "cap.yaml"\n8 = "lid.yaml"\n9 = "torn.yaml"')
    found = list(lore_of(read_settings(box), jobs_of(box))())
    told = {(one.kind, one.digest): one for one in found}
    for number in (7, 8):
        recipe, job = jobs_of(box).recipe(number), jobs_of(box).job(number)
        assert told["recipe", job.revision].name == recipe.recipe.name
        assert told["recipe", job.revision].body == recipe.path.read_text(encoding="utf-8")
        assert ("model", job.model) in told
    assert json.loads(told["model", digest(tmp_path / "other")].body)["version"] == "2.0.0"
    assert json.loads(told["model", jobs_of(box).job(8).model].body)["bundles"] == {
        name: digest(tmp_path / name) for name in ("good", "other")
    }
    assert [one.name for one in found if one.kind == "recipe"] == ["cap", "lid"]
    assert [(one.name, len(one.digest)) for one in found if one.kind == "camera"] == [("top", 64)]


def test_no_password_of_a_camera_is_written_down(tmp_path: Path) -> None:
    write_recipe(tmp_path / "cap.yaml", "none")
    box = write_settings(tmp_path, "")
    text = box.read_text(encoding="utf-8")
    stream = '[camera.top]\ndriver = "video"\nvideo = "rtsp://ann:secret@10.0.0.1/1"\n'
    box.write_text(text.replace("[camera.top]\n", stream), encoding="utf-8")
    found = list(lore_of(read_settings(box), jobs_of(box))())
    assert [one.kind for one in found] == ["recipe", "camera"]
    assert "secret" not in str(found)
    assert json.loads(found[1].body)["driver"] == "video"
