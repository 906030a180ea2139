"""The whole way of a model: data set, teaching told to MLflow, alias, promotion, signature, channel, box.

Every step is a command as a person gives it; the box then believes what was signed and nothing else.
"""

import json
import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.bus.errors import BadBundle
from okng.fleet.channel_client import Channels
from okng.fleet.channel_fetch import fetch_bundle
from okng.fleet.rings import FolderShelf, OnlineKeys, Rings
from okng.models.bundle import open_bundle
from okng.models.detector import Detector
from okng.models.parity import require_golden
from okng.training.registry import open_registry

from ..fleet.channel_kit import PlainFloor, Watch, fetch_from
from ..fleet.signers import Signing
from .conftest import Write
from .mlflow_server import MlflowServer

pytest.importorskip("model_signing", reason="needs the extra [sign]")
LINE, RECIPE, BOX = "line7", "plates", "box1"


def okng(*words: object) -> str:
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.output


@pytest.fixture
def source(tmp_path: Path, write_plates: Write) -> Path:
    """Plates of eight lots, labelled, as people name their files."""
    for place in write_plates(tmp_path / "src/good", range(48)):
        place.rename(place.with_name(f"l{int(place.stem) // 6}_p{place.stem}.png"))
    for place in write_plates(tmp_path / "src/scratch", range(2000, 2016), defect="scratch"):
        place.rename(place.with_name(f"l{int(place.stem) % 8}_p{place.stem}.png"))
    return tmp_path / "src"


def test_a_model_goes_from_its_pictures_to_a_box(
    source: Path, mlflow: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKNG_COMMIT", "c" * 40)
    url, model = mlflow.url(), f"plates-{secrets.token_hex(4)}"
    told = ("--store", tmp_path / "sets", "--lot-from", "(l[0-9]+)_", "--part-from", "_(p[0-9]+)")
    version = json.loads(okng("dataset", "build", "plates", source, *told, "--no-doubles", "--json"))
    manifest = tmp_path / "sets/plates@1.json"
    teach = ("--size", 96, "--heads", "usual", "--overkill", 5, "--forget", "--threads", 1)
    track = ("--track", url, "--register", model, "--alias", "challenger")
    said = okng("teach", "--dataset", manifest, "--out", tmp_path / "taught", *teach, *track)
    assert f"{model} version 1, challenger" in said
    waits = open_registry(url).by_alias(model, "challenger")
    assert waits.tags["okng.dataset_sha256"] == version["digest"]

    # A person who holds the keys of a channel, and an engineer who signs under the plant's authority.
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("a phrase of several words")
    passphrase.chmod(0o600)
    shelf, keys, online = tmp_path / "shelf", tmp_path / "keys", tmp_path / "online"
    shelf.mkdir()
    okng("channel", "init", "--store", shelf, "--keys", keys, "--online", online, "--passphrase-file", passphrase)
    authority = Signing(tmp_path, "plant-root")
    engineer = Signing(tmp_path, "engineer", authority)
    out = tmp_path / "promoted"
    where = ("--store", shelf, "--root", keys / "root.json", "--key", keys / "targets.pem")
    plan = ("--line", LINE, "--recipe", RECIPE, "--ring", "pilot:10:20", "--by", "eve")
    seen = ("--online", online, "--passphrase-file", passphrase)
    said = okng(
        *("promote", "--registry", url, "--name", model, "--out", out),
        *("--sign-with", engineer.key, "--certificate", engineer.certificate, "--chain", authority.certificate),
        *("--publish", "--", *where, "--ca", authority.certificate, *plan, *seen),
    )
    bundle = open_bundle(out)
    assert f"digest: {bundle.digest}" in said
    assert "no champion to hold it against: it is the first" in said
    assert f"{LINE}/{RECIPE}/challenger: number 1, rings pilot" in said
    assert "boxes see it now" in said

    # The box: it knows root.json and the plant's authority, and no registry.
    rings = Rings(FolderShelf(shelf), OnlineKeys.load(online))
    rings.members(LINE, {"pilot": [BOX]})
    rings.open_ring(LINE, RECIPE, "challenger", 1, "pilot")
    root = (keys / "root.json").read_bytes()
    channels = Channels(
        tmp_path / "box", root, [LINE], BOX, fetch_from(shelf), PlainFloor(), Watch(datetime.now(UTC)), None
    )
    (offer,) = channels.refresh().offers
    assert (offer.bundle, offer.role, offer.takes) == (bundle.digest, "challenger", True)
    (tmp_path / "bundles").mkdir()
    with pytest.raises(BadBundle):
        fetch_bundle(offer, tmp_path / "bundles", fetch_from(shelf), (Signing(tmp_path, "stranger").certificate,), 0)
    came = fetch_bundle(offer, tmp_path / "bundles", fetch_from(shelf), (authority.certificate,), 0).folder
    running = open_bundle(came, offer.bundle)
    assert require_golden(Detector(running)).passed

    # From any verdict back: the bundle's digest names the pictures, the code, the run.
    train = running.manifest.train
    assert (train["dataset"], train["dataset_sha256"]) == ("plates@1", version["digest"])
    assert (train["commit"], train["run"], train["registry_model"]) == ("c" * 40, waits.run, model)
    assert okng("dataset", "verify", "plates@1", "--store", tmp_path / "sets").endswith(f"digest {version['digest']}\n")


def test_without_keys_a_promotion_stops_before_the_signature(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKNG_COMMIT", "c" * 40)
    (tmp_path / "registry").mkdir()
    told = ("--store", tmp_path / "sets", "--lot-from", "(l[0-9]+)_")
    okng("dataset", "build", "plates", source, *told, "--no-doubles")
    teach = ("--size", 96, "--heads", "usual", "--overkill", 5, "--forget", "--threads", 1)
    okng("teach", "--dataset", tmp_path / "sets/plates@1.json", "--out", tmp_path / "taught", *teach)
    added = okng("registry", "add", tmp_path / "taught", "--registry", tmp_path / "registry", "--name", "plates")
    assert added.startswith("plates version 1: run ")
    okng("registry", "alias", "plates", "challenger", 1, "--registry", tmp_path / "registry")
    shown = okng("registry", "show", "plates", "challenger", "--registry", tmp_path / "registry")
    assert shown.startswith("plates version 1 (challenger): run ")
    said = okng("promote", "--registry", tmp_path / "registry", "--name", "plates", "--out", tmp_path / "out")
    assert f"not signed. Read it, then: okng bundle sign {tmp_path / 'out'}" in said
    assert not open_bundle(tmp_path / "out").signed
    for words, why in (
        (("--publish",), "expected --sign-with"),
        (("--sign-with", tmp_path / "k"), "expected both"),
        (("--", "--line", "x"), "expected --publish"),
    ):
        done = CliRunner().invoke(
            cli,
            [str(word) for word in ("promote", "--registry", tmp_path, "--name", "p", "--out", tmp_path / "o", *words)],
        )
        assert why in str(done.exception)
