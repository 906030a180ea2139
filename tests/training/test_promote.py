"""From a registry to the signing station: everything is checked anew, and nothing that fails leaves a bundle behind."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import helper

from okng.bus.errors import BadBundle, BadSettings, Refused
from okng.models.bundle import open_bundle, write_bundle
from okng.models.manifest import MODEL, REPORT, digest
from okng.training import provenance
from okng.training.options import TeachOptions
from okng.training.promote import Promoted, PromoteOptions, promote
from okng.training.registered import INSIDE, log_bundle
from okng.training.registry import (
    BUNDLE,
    COMMIT,
    DATASET,
    SBOM,
    BadRegistry,
    Entry,
    Registry,
    open_registry,
)
from okng.training.teach import teach

from .conftest import QUICK

SET = "ab" * 32
Spoil = Callable[[Path, dict[str, str]], None]


@pytest.fixture(scope="module")
def made(goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle taught from a version of a data set."""
    out = tmp_path_factory.mktemp("made") / "plate"
    how = {**QUICK.model_dump(), "dataset": "plates@1", "dataset_sha256": SET, "keep_features": False}
    teach(goods, out, TeachOptions.model_validate(how))
    return out


@pytest.fixture(autouse=True)
def _committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKNG_COMMIT", "c" * 40)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "registry").mkdir()
    return open_registry(str(tmp_path / "registry"))


def logged(registry: Registry, bundle: Path, spoil: Spoil, tmp_path: Path) -> None:
    """Log a bundle as whoever holds the registry might: files and tags are theirs to write."""
    put = tmp_path / "put"
    shutil.copytree(bundle, put / INSIDE)
    (put / provenance.SBOM_NAME).write_bytes(provenance.sbom())
    tags = {
        BUNDLE: digest(bundle),
        DATASET: SET,
        COMMIT: "c" * 40,
        SBOM: provenance.digest((put / provenance.SBOM_NAME).read_bytes()),
    }
    spoil(put, tags)
    version = registry.register("plates", registry.log(Entry("t", put, tags=tags)))
    registry.set_alias("plates", "challenger", version.version)


def promoted(registry: Registry, out: Path, **asked: object) -> Promoted:
    return promote(registry, PromoteOptions.model_validate({"name": "plates", "reference_pictures": 1, **asked}), out)


def test_a_model_becomes_a_bundle_that_says_where_it_came_from(registry: Registry, made: Path, tmp_path: Path) -> None:
    run, version = log_bundle(registry, made, name="plates", alias="challenger")
    said: list[str] = []
    done = promote(registry, PromoteOptions(name="plates", version="2.0.0"), tmp_path / "out", said.append)
    bundle = open_bundle(tmp_path / "out")
    assert bundle.digest == done.bundle.digest != digest(made)
    train = bundle.manifest.train
    assert (train["dataset"], train["dataset_sha256"], train["made_as"]) == ("plates@1", SET, digest(made))
    assert (train["commit"], train["run"], train["registry_version"]) == ("c" * 40, run, 1)
    bom = (tmp_path / "out" / provenance.SBOM_NAME).read_bytes()
    assert train["sbom_sha256"] == provenance.digest(bom)
    assert {"numpy", "onnx"} <= {one["name"] for one in json.loads(bom)["components"]}
    assert bundle.manifest.version == "2.0.0"
    assert bundle.model == open_bundle(made).model
    assert not bundle.signed
    assert (done.champion, done.difference) == (None, None)
    assert done.golden.passed
    assert 0.0 < done.reference_difference < 1e-3
    assert done.walked.operators["Conv"] > 30
    assert said[0] == "fetching plates, challenger"
    assert version is not None
    with pytest.raises(BadBundle, match="there already"):
        promoted(registry, tmp_path / "out")


def test_it_is_held_against_the_champion(registry: Registry, made: Path, goods: Path, tmp_path: Path) -> None:
    log_bundle(registry, made, name="plates", alias="champion")
    assert registry.by_alias("plates", "champion").version == 1
    how = {**QUICK.model_dump(), "overkill_percent": 10.0, "dataset": "plates@2", "dataset_sha256": SET}
    teach(goods, tmp_path / "other", TeachOptions.model_validate({**how, "keep_features": False}))
    log_bundle(registry, tmp_path / "other", name="plates", alias="challenger")
    done = promoted(registry, tmp_path / "out")
    assert done.champion is not None
    assert (done.champion.version, done.source.version) == (1, 2)
    assert done.difference is not None
    changed = {row.name: (row.left, row.right) for row in done.difference.manifest}
    assert changed["train.dataset"] == ("plates@1", "plates@2")
    assert changed["threshold.value"][0] != changed["threshold.value"][1]


def _graph(change: Callable[[onnx.ModelProto], None]) -> Spoil:
    """Another graph, in a bundle whose digests all hold: only looking into it tells."""

    def spoil(put: Path, tags: dict[str, str]) -> None:
        old = open_bundle(put / INSIDE)
        files = {name: (put / INSIDE / name).read_bytes() for name in old.manifest.files}
        model = onnx.load_model_from_string(files[MODEL])
        change(model)
        files[MODEL] = model.SerializeToString()
        shutil.rmtree(put / INSIDE)
        fields = old.manifest.model_dump(mode="json", exclude={"files", "check", "format"})
        tags[BUNDLE] = write_bundle(put / INSIDE, files, fields)

    return spoil


def _noisy(model: onnx.ModelProto) -> None:
    """Scores that are drawn by chance."""
    last = next(node for node in model.graph.node if "score" in node.output)
    last.output[list(last.output).index("score")] = "score.before"
    model.graph.node.append(helper.make_node("RandomUniformLike", ["score.before"], ["noise"]))
    model.graph.node.append(helper.make_node("Add", ["score.before", "noise"], ["score"]))


def _lower(model: onnx.ModelProto) -> None:
    """Every score a little lower: more passes."""
    last = next(node for node in model.graph.node if "score" in node.output)
    last.output[list(last.output).index("score")] = "score.before"
    model.graph.initializer.append(helper.make_tensor("little", onnx.TensorProto.FLOAT, [1], [0.5]))
    model.graph.node.append(helper.make_node("Sub", ["score.before", "little"], ["score"]))


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.external_data.add(key="location", value="../../secret")


def _field(name: str, value: str | None) -> Spoil:
    """Another word in the bundle's own account of its making."""

    def spoil(put: Path, tags: dict[str, str]) -> None:
        old = open_bundle(put / INSIDE)
        files = {each: (put / INSIDE / each).read_bytes() for each in old.manifest.files}
        fields = old.manifest.model_dump(mode="json", exclude={"files", "check", "format"})
        del fields["train"][name]
        fields["train"] |= {} if value is None else {name: value}
        shutil.rmtree(put / INSIDE)
        tags[BUNDLE] = write_bundle(put / INSIDE, files, fields)

    return spoil


def _tag(name: str, value: str | None) -> Spoil:
    def spoil(put: Path, tags: dict[str, str]) -> None:
        tags.pop(name)
        tags.update({} if value is None else {name: value})

    return spoil


def _file(name: str, data: bytes | None) -> Spoil:
    def spoil(put: Path, tags: dict[str, str]) -> None:
        if data is None:
            (put / name).unlink()
        else:
            (put / name).write_bytes(data)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param(_tag(BUNDLE, "0" * 64), "expected 0000", id="another bundle"),
        pytest.param(_tag(BUNDLE, None), "expected a sha256", id="no bundle's digest"),
        pytest.param(_tag(DATASET, "0" * 64), "is not the data set that the bundle says", id="another data set"),
        pytest.param(_tag(COMMIT, None), "expected the commit", id="no commit"),
        pytest.param(_tag(COMMIT, "c" * 40 + "+changed"), "differs from commit", id="code that was changed"),
        pytest.param(_tag(SBOM, "0" * 64), "is not what its tag", id="another SBOM"),
        pytest.param(_file("sbom.cdx.json", None), "no sbom.cdx.json", id="no SBOM"),
        pytest.param(_file(f"{INSIDE}/{REPORT}", b"{}"), "the manifest says", id="another report"),
        pytest.param(_file(f"{INSIDE}/more.txt", b"x"), "not in the manifest", id="a file more"),
        pytest.param(_file(f"{INSIDE}/golden/expected.json", None), "cannot be read", id="no golden scores"),
        pytest.param(_field("dataset_sha256", None), "expected a model made from a version", id="of no data set"),
        pytest.param(_graph(_external), "outside the file", id="external data"),
        pytest.param(_graph(_noisy), "RandomUniformLike: is not on the list", id="chance"),
        pytest.param(_graph(_lower), "golden pictures score otherwise", id="scores a little lower"),
    ],
)
def test_what_the_registry_says_is_not_believed(
    registry: Registry, made: Path, tmp_path: Path, spoil: Spoil, why: str
) -> None:
    logged(registry, made, spoil, tmp_path)
    (tmp_path / "place").mkdir()
    with pytest.raises(Refused, match=why):
        promoted(registry, tmp_path / "place" / "out")
    assert list((tmp_path / "place").iterdir()) == []


def test_what_was_logged_right_passes_the_same_way(registry: Registry, made: Path, tmp_path: Path) -> None:
    """So that each refusal above is for its own reason."""
    logged(registry, made, lambda put, tags: None, tmp_path)
    assert promoted(registry, tmp_path / "out").source.version == 1


def test_code_that_was_changed_may_be_let_through_and_a_damaged_champion_stops_nothing(
    registry: Registry, made: Path, tmp_path: Path
) -> None:
    log_bundle(registry, made, name="plates", alias="champion")
    next((tmp_path / "registry/plates/1").rglob("report.json")).write_text("{}")
    logged(registry, made, _tag(COMMIT, "c" * 40 + "+changed"), tmp_path)
    done = promoted(registry, tmp_path / "out", changed_code=True)
    assert done.bundle.manifest.train["commit"] == "c" * 40 + "+changed"
    assert "made by code that differs from its commit" in done.notes
    assert done.champion is not None
    assert done.champion.version == 1
    assert done.difference is None


def test_names_that_are_none_are_refused(registry: Registry, made: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRegistry, match="no version is called challenger"):
        promoted(registry, tmp_path / "out")
    with pytest.raises(BadSettings, match="expected names of ONNX's own"):
        promoted(registry, tmp_path / "out", operators={"NoSuchThing"})


def test_the_sbom_is_the_same_for_the_same_environment_and_names_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert provenance.sbom() == provenance.sbom()
    said = json.loads(provenance.sbom())
    assert (said["bomFormat"], said["specVersion"]) == ("CycloneDX", "1.6")
    assert said["metadata"]["component"]["properties"] == [{"name": "okng:commit", "value": "c" * 40}]
    monkeypatch.delenv("OKNG_COMMIT")
    found = provenance.commit_of_code()
    assert found.startswith("okng ") or len(found.removesuffix("+changed")) == 40


def test_a_signature_is_not_logged(registry: Registry, made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "signed")
    (tmp_path / "signed/signature.sig").write_text("{}")
    log_bundle(registry, tmp_path / "signed", name="plates", alias="challenger")
    version = replace(registry.by_alias("plates", "challenger"))
    assert not list(registry.fetch(version, tmp_path / "got").rglob("signature.sig"))
