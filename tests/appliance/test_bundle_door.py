"""What the doors for bundles print, and how they end."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from okng.__main__ import cli
from okng.bus.errors import BadBundle, BadSettings
from okng.tests.fleet.signers import Signing
from okng.tests.fleet.test_activate import make


def door(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def as_json(*arguments: object) -> Any:
    return json.loads(door(*arguments, "--json").stdout)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make(tmp_path / "shelf" / "one")
    return tmp_path / "shelf" / "one"


def test_a_bundle_is_shown(bundle: Path) -> None:
    said = as_json("bundle", "show", bundle)
    shown = door("bundle", "show", bundle)
    assert shown.exit_code == 0
    for words in (said["digest"], "brightest 1.0.0", "32x16, grey", "no defective parts were there to tell", "anomaly"):
        assert words in shown.stdout
    assert said["manifest"]["threshold"]["value"] == 190.0
    assert set(said["golden"]) == {"a.png", "b.png"}
    assert said["signed"] is False


def test_words_of_a_bundle_are_no_markup(tmp_path: Path) -> None:
    make(tmp_path / "b")
    path = tmp_path / "b" / "manifest.json"
    from okng.models.manifest import sealed

    fields = json.loads(path.read_text())
    fields["threshold"]["method"] = "[red]by hand[/red] [link=x]"
    path.write_bytes(sealed(fields)[1])
    assert "[red]by hand[/red] [link=x]" in door("bundle", "show", tmp_path / "b").stdout


def test_a_damaged_bundle_is_an_error(bundle: Path) -> None:
    (bundle / "report.json").write_text("{ }")
    for door_name in ("show", "verify"):
        found = door("bundle", door_name, bundle)
        assert isinstance(found.exception, BadBundle)


def test_bundles_of_a_folder_are_listed_with_what_is_in_use(bundle: Path) -> None:
    make(bundle.with_name("two"), version="2.0.0")
    assert door("bundle", "activate", bundle, "--slot", bundle.with_name("current")).exit_code == 0
    found = as_json("bundle", "list", bundle.parent)
    assert [(Path(one["folder"]).name, one["links"]) for one in found] == [("one", ["current"]), ("two", [])]
    (bundle.with_name("two") / "model.onnx").write_bytes(b"")
    listed = door("bundle", "list", bundle.parent)
    assert listed.exit_code == 78
    assert "model.onnx: 0 bytes" in listed.stdout
    assert "current" in listed.stdout


def test_a_bundle_is_verified(bundle: Path) -> None:
    found = door("bundle", "verify", bundle)
    assert (found.exit_code, "2 golden pictures score as stored" in found.stdout) == (0, True)
    make(bundle.with_name("off"), stored=1.01)
    assert door("bundle", "verify", bundle.with_name("off")).exit_code == 78
    said = as_json("bundle", "verify", bundle.with_name("off"))
    assert said["passed"] is False
    assert len(said["golden"]["failures"]) == 2


def test_a_bundle_is_signed_and_the_signer_told(bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("model_signing", reason="needs the extra [sign]")
    root = Signing(tmp_path, "root")
    engineer = Signing(tmp_path, "engineer", root)
    assert isinstance(door("bundle", "verify", bundle, "--ca", root.certificate).exception, BadBundle)
    signing = door("bundle", "sign", bundle, "--key", engineer.key, "--certificate", engineer.certificate)
    assert signing.exit_code == 0
    told = door("bundle", "verify", bundle, "--ca", root.certificate)
    assert (told.exit_code, "signed: by CN=engineer, certificate " in told.stdout) == (0, True)
    assert "by whom was not asked" in door("bundle", "verify", bundle).stdout
    stranger = Signing(tmp_path, "stranger")
    slot = tmp_path / "slot"
    refused = door("bundle", "activate", bundle, "--slot", slot, "--ca", stranger.certificate)
    assert isinstance(refused.exception, BadBundle)
    assert not slot.is_symlink()


def test_two_bundles_are_compared(bundle: Path) -> None:
    make(bundle.with_name("two"), version="1.2.0", gain=0.5, stored=0.5)
    found = door("bundle", "diff", bundle, bundle.with_name("two"), "--pictures", bundle / "golden")
    assert found.exit_code == 1
    assert "1.2.0" in found.stdout
    assert "other verdicts on 2 pictures" in found.stdout
    said = as_json("bundle", "diff", bundle, bundle.with_name("two"), "--pictures", bundle / "golden")
    assert said["looked_at"] == 2
    assert {flip["picture"] for flip in said["flips"]} == {"a.png", "b.png"}
    assert all(not flip["left_ok"] for flip in said["flips"])
    same = door("bundle", "diff", bundle, bundle)
    assert (same.exit_code, "digests are equal" in same.stdout) == (0, True)


def test_a_model_is_benched(bundle: Path) -> None:
    told = door("bench", "model", bundle, "--seconds", "0.1", "--size", "64", "48")
    assert told.exit_code == 0
    for words in ("cut and resize", "inside the graph", "parts/s on one worker", "provider cpu"):
        assert words in told.stdout
    said = as_json("bench", "model", bundle, "--seconds", "0.1", "--set", "cpu_nodes=true")
    assert said["machine"]["threads"] == 1
    assert said["parts_a_second"] > 0
    assert {"cut", "inference", "findings", "part"} == set(said["stages"])
    for wrong in ("surprise=1", "gpu_mem_mb=3", "warm_ms"):
        refused = door("bench", "model", bundle, "--set", wrong)
        assert isinstance(refused.exception, BadSettings)
        assert f"--set {wrong.partition('=')[0]}=" in str(refused.exception)
