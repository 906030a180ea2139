"""`okng tls`: shown, asked for, installed, renewed, on the folder of the web process."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from okng.appliance.tls_door import tls
from okng.bus.errors import BadKey
from okng.webui.options import WebOptions
from okng.webui.session import home_of

from ..identity.test_certificate import Authority

TEXT = """
recipe = "recipe.yaml"
[camera.top]
producer = "x.cti"
[records]
store = "var/store"
[web]
host = "0.0.0.0"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "okng.toml"
    file.write_text(TEXT)
    (tmp_path / "var").mkdir()
    home_of(WebOptions(host="0.0.0.0"), tmp_path / "var" / "store").load_or_make()
    return file


def okng(settings: Path, *words: str, code: int = 0, sent: bytes = b"") -> str:
    done = CliRunner().invoke(tls, [words[0], "--settings", str(settings), *words[1:]], input=sent)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def test_from_the_own_certificate_to_that_of_the_plant(settings: Path, tmp_path: Path) -> None:
    own = json.loads(okng(settings, "show", "--json"))
    assert own["own"]
    assert own["fingerprint"] in okng(settings, "show")
    okng(settings, "csr", "--name", "vision.plant", "--out", str(tmp_path / "box.csr"))
    authority = Authority()
    answer = authority.answer((tmp_path / "box.csr").read_bytes(), names=["vision.plant"])
    assert "CN=Plant boxes" in okng(settings, "install", "-", sent=answer + authority.above)
    now = json.loads(okng(settings, "show", "--json"))
    assert (now["own"], now["names"]) == (False, ["vision.plant"])
    assert "the box itself" in okng(settings, "renew")
    assert json.loads(okng(settings, "show", "--json"))["fingerprint"] not in (own["fingerprint"], now["fingerprint"])


def test_what_does_not_fit_is_refused(settings: Path) -> None:
    before = okng(settings, "show")
    with pytest.raises(BadKey, match="no certificates in PEM"):
        okng(settings, "install", "-", sent=b"x")
    assert okng(settings, "show") == before


def test_a_certificate_of_the_settings_is_not_touched(settings: Path) -> None:
    settings.write_text(TEXT + 'tls_certificate = "a.pem"\ntls_key = "a.key"\n')
    with pytest.raises(BadKey, match="that file is served"):
        okng(settings, "renew")
