"""A judge that is told who vouches for models loads no other."""

from pathlib import Path

import pytest
import yaml

from okng.bus.errors import BadBundle
from okng.fleet.signing import sign
from okng.inspect.models_at_hand import Models
from okng.inspect.options import InspectOptions
from okng.inspect.recipe import ActiveRecipe, read_recipe
from okng.models.bundle import open_bundle, write_bundle
from okng.settings import read_settings
from okng.tests.fleet.signers import Signing
from okng.tests.inspect.test_mixed import CAMERA
from okng.tests.models.conftest import contents, fields, graph

pytest.importorskip("model_signing", reason="needs the extra [sign]")


@pytest.fixture
def authority(tmp_path: Path) -> Signing:
    return Signing(tmp_path, "plant-root")


@pytest.fixture
def active(tmp_path: Path, authority: Signing) -> ActiveRecipe:
    """A recipe with one signed model, `one`; another one lies beside it, `two`, that nobody signed."""
    for name in ("one", "two"):
        write_bundle(tmp_path / name, contents(graph().SerializeToString()), fields(name=name))
    engineer = Signing(tmp_path, "engineer", authority)
    sign(tmp_path / "one", engineer.key, engineer.certificate, (authority.certificate,))
    said = {"name": "r", "deadline_ms": 99, "camera": CAMERA, "regions": [{"name": "a", "bundle": "one"}]}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(said))
    return read_recipe(tmp_path / "r.yaml")


def test_only_what_an_authority_signed_is_loaded(active: ActiveRecipe, authority: Signing, tmp_path: Path) -> None:
    models = Models(active, InspectOptions(authorities=(authority.certificate,)))
    assert models.opened(tmp_path / "one").signer == "CN=engineer"
    digest = open_bundle(tmp_path / "two").digest
    with pytest.raises(BadBundle, match="no signature"):
        models.opened(tmp_path / "two", digest)
    models.close()
    stranger = Signing(tmp_path, "stranger")
    with pytest.raises(BadBundle, match="no authority of this box vouches for CN=engineer"):
        Models(active, InspectOptions(authorities=(stranger.certificate,)))


def test_a_model_that_was_touched_after_it_was_fetched_is_not_loaded(
    active: ActiveRecipe, authority: Signing, tmp_path: Path
) -> None:
    """Whoever may write on the box can make a bundle that is whole; not one that is signed."""
    signature = (tmp_path / "one/signature.sig").read_bytes()
    write_bundle(tmp_path / "one", contents(graph().SerializeToString()), fields(name="forged"), replace=True)
    (tmp_path / "one/signature.sig").write_bytes(signature)
    with pytest.raises(BadBundle, match="is not over this bundle"):
        Models(active, InspectOptions(authorities=(authority.certificate,)))


def test_the_settings_name_them(active: ActiveRecipe, tmp_path: Path) -> None:
    text = 'recipe = "r.yaml"\n[camera.top]\n[plc]\n[records]\nstore = "store"\n'
    (tmp_path / "okng.toml").write_text(text + '[inspect]\nauthorities = ["plant-root.pem"]\n')
    assert read_settings(tmp_path / "okng.toml").inspect.authorities == (tmp_path / "plant-root.pem",)
