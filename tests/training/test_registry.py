"""One contract for every registry: a folder, and a real MLflow server."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from okng.bus.errors import BadBundle, BadSettings, StoreLost
from okng.training.registry import (
    CONTENT,
    BadRegistry,
    Entry,
    Registry,
    Version,
    content_digest,
    files_of,
    open_registry,
)

from .mlflow_server import MlflowServer


@pytest.fixture(params=["folder", "mlflow"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def registry(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """An empty folder, or the session's MLflow: names in a test are its own."""
    if kind == "mlflow":
        yield open_registry(request.getfixturevalue("mlflow").url())
        return
    (tmp_path / "registry").mkdir()
    yield open_registry(str(tmp_path / "registry"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder of files with another folder in it; one is empty, one binary."""
    folder = tmp_path / "bundle"
    (folder / "golden").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"a": "größer"}\n', encoding="utf-8")
    (folder / "golden/0.png").write_bytes(bytes(range(256)) * 300)
    (folder / "empty.txt").write_bytes(b"")
    return folder


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A model of this test's own."""
    return f"m{abs(hash(request.node.nodeid)) % 10**12}"


def contents(folder: Path) -> dict[str, bytes]:
    return {inside: path.read_bytes() for inside, path in files_of(folder)}


def entry(bundle: Path) -> Entry:
    params: dict[str, str | int | float | bool] = {"goods": 40, "heads": "usual", "overkill": 0.5, "long": "x" * 600}
    return Entry("plates", bundle, params, {"overkill_percent": 1.25}, {"okng.commit": "abc"})


def test_what_was_logged_comes_back_byte_for_byte(registry: Registry, bundle: Path, name: str, tmp_path: Path) -> None:
    run = registry.log(entry(bundle))
    made = registry.register(name, run)
    assert (made.name, made.version, made.run, made.aliases) == (name, 1, run, ())
    registry.set_alias(name, "challenger", 1)
    found = registry.by_alias(name, "challenger")
    assert found == replace(made, aliases=("challenger",))
    assert found.tags[CONTENT] == content_digest(bundle)
    assert found.tags["okng.commit"] == "abc"
    assert contents(registry.fetch(found, tmp_path / "got")) == contents(bundle)


def test_an_alias_stands_for_one_version(registry: Registry, bundle: Path, name: str) -> None:
    for number in (1, 2, 3):
        (bundle / "number.txt").write_text(str(number))
        assert registry.register(name, registry.log(entry(bundle))).version == number
    registry.set_alias(name, "champion", 1)
    registry.set_alias(name, "challenger", 3)
    registry.set_alias(name, "champion", 3)
    assert registry.by_alias(name, "champion").version == 3
    assert registry.by_alias(name, "champion").aliases == ("challenger", "champion")
    registry.set_alias(name, "champion", 2)
    assert registry.by_alias(name, "challenger").aliases == ("challenger",)


def test_the_same_run_may_be_two_versions(registry: Registry, bundle: Path, name: str, tmp_path: Path) -> None:
    run = registry.log(entry(bundle))
    first, second = registry.register(name, run), registry.register(name, run)
    assert (first.version, second.version) == (1, 2)
    assert contents(registry.fetch(second, tmp_path / "got")) == contents(bundle)


def test_what_is_not_there_is_said(registry: Registry, bundle: Path, name: str, tmp_path: Path) -> None:
    with pytest.raises(BadRegistry):
        registry.by_alias(name, "champion")
    with pytest.raises(BadRegistry):
        registry.register(name, "0" * 32)
    registry.register(name, registry.log(entry(bundle)))
    with pytest.raises(BadRegistry):
        registry.by_alias(name, "champion")
    with pytest.raises(BadRegistry):
        registry.set_alias(name, "champion", 7)
    (tmp_path / "got").mkdir()
    registry.set_alias(name, "champion", 1)
    with pytest.raises(BadSettings, match="there already"):
        registry.fetch(registry.by_alias(name, "champion"), tmp_path / "got")


@pytest.mark.parametrize("wrong", ["", "../up", "Großer", "a/b", "a" * 49, "-a"])
def test_a_name_that_leads_elsewhere_is_refused(registry: Registry, bundle: Path, wrong: str) -> None:
    with pytest.raises(BadSettings, match="expected"):
        registry.register(wrong, "0" * 32)
    with pytest.raises(BadSettings, match="expected"):
        registry.by_alias("plates", wrong if wrong != "a" * 49 else "A")


def test_a_run_is_never_changed(registry: Registry, bundle: Path) -> None:
    run = registry.log(entry(bundle))
    (bundle / "manifest.json").write_text("other")
    with pytest.raises(BadRegistry, match="never changed"):
        registry.log(replace(entry(bundle), run=run))


def test_files_that_were_exchanged_are_refused_and_nothing_half_stays(
    registry: Registry, kind: str, bundle: Path, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    registry.register(name, registry.log(entry(bundle)))
    registry.set_alias(name, "champion", 1)
    version = registry.by_alias(name, "champion")
    root = request.getfixturevalue("mlflow").files if kind == "mlflow" else tmp_path / "registry" / name
    kept = [path for path in root.rglob("0.png") if kind == "folder" or version.run in path.parts]
    assert len(kept) == 1
    kept[0].write_bytes(b"another picture")
    (tmp_path / "into").mkdir()
    with pytest.raises(BadRegistry, match="files hash to"):
        registry.fetch(version, tmp_path / "into" / "got")
    assert list((tmp_path / "into").iterdir()) == []


def test_a_link_is_not_logged(registry: Registry, bundle: Path) -> None:
    (bundle / "link").symlink_to("manifest.json")
    with pytest.raises(BadBundle, match="a link"):
        registry.log(entry(bundle))


def test_many_register_at_once(registry: Registry, bundle: Path, name: str) -> None:
    run = registry.log(entry(bundle))
    registry.register(name, run)
    made: list[Version] = []
    threads = [threading.Thread(target=lambda: made.append(registry.register(name, run))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.version for one in made) == [2, 3, 4, 5]


def test_a_server_that_does_not_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreLost, match=r"127\.0\.0\.1:9"):
        open_registry("http://127.0.0.1:9").by_alias("plates", "champion")


def test_a_share_that_is_not_mounted_is_no_empty_registry(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no such folder"):
        open_registry(str(tmp_path / "share"))
    with pytest.raises(BadSettings, match="expected a folder"):
        open_registry("ftp://there")


def test_the_server_is_the_real_one(mlflow: MlflowServer) -> None:
    """And asks nobody in: what it says of itself without a password is what docs/datasets.md warns of."""
    import urllib.request

    with urllib.request.urlopen(f"{mlflow.url()}/version", timeout=10) as answer:
        assert tuple(map(int, answer.read().decode().split("."))) >= (3, 17, 2)
