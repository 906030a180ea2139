"""Every secret that the settings name may come from systemd: sealed on the disk, in memory for one service alone."""

import subprocess
from pathlib import Path

import pytest

from okng.bus.credential import rooted_file
from okng.bus.errors import BadSettings
from okng.fleet.s3_store import credentials
from okng.identity.box_key import CREDENTIAL, BoxKey
from okng.plc_io.mqtt_client import read_secret
from okng.settings import read_settings
from okng.webui.options import WebOptions
from okng.webui.session import KEY_BYTES, home_of, own_folder, read_key
from okng.webui.tls import tls_of

from ..webui.test_tls import make_pair
from .roots import needs_root

SETTINGS = """
recipe = "recipe.yaml"
[camera.top]
{camera}
[records]
store = "store"
[web]
tls_certificate = "box.pem"
tls_key = "credential:tls.key"
key_file = "credential:session.key"
[mqtt]
host = "broker"
username = "box7"
password_file = "credential:mqtt.password"
[sync]
target = "s3://bucket/prefix"
credentials_file = "credential:s3.json"
[plc]
host = "127.0.0.1"
[plc.tls]
ca = "ca.pem"
certificate = "plc.pem"
key = "credential:plc.key"
[opcua]
certificate = "ua.pem"
key = "credential:ua.key"
trusted = "trusted"
users = "credential:ua.users"
"""


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that systemd makes for one service."""
    folder = tmp_path / "given"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def put(folder: Path, name: str, data: bytes) -> None:
    (folder / name).write_bytes(data)
    (folder / name).chmod(0o400)


def test_no_secret_of_the_settings_lies_in_the_file(tmp_path: Path, given: Path) -> None:
    file = tmp_path / "okng.toml"
    file.write_text(SETTINGS.format(camera='producer = "x.cti"'))
    settings = read_settings(file)
    assert settings.mqtt is not None
    assert settings.sync is not None
    assert settings.opcua is not None
    assert settings.plc.tls is not None
    assert settings.web.tls_key == given / "tls.key"
    assert settings.web.tls_certificate == tmp_path / "box.pem"
    assert settings.plc.tls.key == given / "plc.key"
    assert settings.opcua.key == given / "ua.key"
    assert settings.opcua.users == given / "ua.users"
    put(given, "mqtt.password", b"secret one\n")
    assert settings.mqtt.password_file is not None
    assert read_secret(settings.mqtt.password_file) == "secret one"
    put(given, "s3.json", b'{"access_key": "a", "secret_key": "b"}')
    assert credentials(settings.sync.credentials_file) == ("a", "b")
    put(given, "session.key", bytes(KEY_BYTES))
    assert settings.web.key_file is not None
    assert read_key(settings.web.key_file) == bytes(KEY_BYTES)
    # What the web process writes does not go where systemd's secrets are.
    assert own_folder(settings.web, tmp_path / "store") == tmp_path / "web"
    assert home_of(settings.web, tmp_path / "store").folder == tmp_path / "web" / "tls"


def test_a_service_that_was_not_given_it_reads_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    file = tmp_path / "okng.toml"
    file.write_text(SETTINGS.format(camera='producer = "x.cti"'))
    settings = read_settings(file)
    assert settings.mqtt is not None
    assert settings.mqtt.password_file is not None
    with pytest.raises(BadSettings, match=r"credential:mqtt\.password"):
        read_secret(settings.mqtt.password_file)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".hidden", "x" * 65])
def test_a_name_that_leads_elsewhere_is_none(name: str, given: Path) -> None:
    assert rooted_file(Path("/etc"), Path(f"credential:{name}")) == Path(f"credential:{name}")
    assert given.exists()


def test_a_key_that_everybody_may_open_is_refused(tmp_path: Path) -> None:
    certificate, key = make_pair(tmp_path)
    key.chmod(0o644)
    with pytest.raises(BadSettings, match="everybody may open it"):
        tls_of(WebOptions(tls_certificate=certificate, tls_key=key))


def test_the_key_of_the_box_comes_from_systemd_where_it_is_given(tmp_path: Path, given: Path) -> None:
    own = BoxKey.load_or_make(tmp_path / "box.key")
    put(given, CREDENTIAL, (tmp_path / "box.key").read_bytes())
    (tmp_path / "box.key").unlink()
    assert BoxKey.load_or_make(tmp_path / "box.key").fingerprint == own.fingerprint
    assert not (tmp_path / "box.key").exists()


@pytest.mark.needs_root
def test_systemd_creds_seals_it_for_this_machine_and_this_name(tmp_path: Path, given: Path) -> None:
    """systemd's own tool, with a host key of its own in a mount namespace: the machine's is not touched."""
    needs_root("systemd-creds", "unshare")
    host, sealed = tmp_path / "host", tmp_path / "mqtt.password.cred"
    host.mkdir()
    opened = given / "mqtt.password"
    script = (
        f"mount --bind {host} /var/lib/systemd && printf 'secret one' | "
        f"systemd-creds encrypt --name=mqtt.password --with-key=host - {sealed} && "
        f"systemd-creds decrypt --name=mqtt.password {sealed} {opened} && "
        f"! systemd-creds decrypt --name=other {sealed} {tmp_path}/wrong && "
        f"rm {host}/credential.secret && ! systemd-creds decrypt --name=mqtt.password {sealed} {tmp_path}/elsewhere"
    )
    done = subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"secret one" not in sealed.read_bytes()
    opened.chmod(0o400)
    assert read_secret(rooted_file(Path("/etc"), Path("credential:mqtt.password"))) == "secret one"
    assert not (tmp_path / "wrong").exists() or (tmp_path / "wrong").stat().st_size == 0
