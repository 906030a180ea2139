import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from okng.bus.errors import BadSettings
from okng.cloud.authority import load_authority
from okng.cloud.founding import found
from okng.cloud.settings import database_url, read_fleet_settings, s3_keys, session_key

from .rig import settings_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return found(tmp_path / "f", "https://fleet.plant:8443", "0.0.0.0:8443", "plant")


def test_what_init_writes_is_read_and_its_paths_are_counted_from_the_file(file: Path) -> None:
    settings = read_fleet_settings(file)
    assert settings.service.session_key_file == file.parent / "session.key"
    assert str(database_url(settings)) == f"sqlite:///{file.parent}/fleet.db"
    assert len(session_key(settings)) == 64
    assert load_authority(settings).days == 90
    with pytest.raises(BadSettings, match="there already"):
        found(file.parent, "https://x", "0.0.0.0:1", "plant")


def test_secrets_are_their_owners_alone(file: Path) -> None:
    for name in ("session.key", "authority/ca.key", "tls/server.key", "fleet.toml"):
        assert (file.parent / name).stat().st_mode & 0o077 == 0, name
    settings = read_fleet_settings(file)
    (file.parent / "session.key").chmod(0o640)
    with pytest.raises(BadSettings, match=r"service.session_key_file = .*mode 0640.*expected mode 0600"):
        session_key(settings)
    (file.parent / "authority" / "ca.key").chmod(0o604)
    with pytest.raises(BadSettings, match=r"authority.key_file = .*expected mode 0600"):
        load_authority(settings)
    (file.parent / "session.key").unlink()
    with pytest.raises(BadSettings, match=r"session_key_file.*No such file"):
        session_key(settings)
    (file.parent / "session.key").write_text("short")
    (file.parent / "session.key").chmod(0o600)
    with pytest.raises(BadSettings, match="5 bytes: expected 32"):
        session_key(settings)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('site = "plant"', 'site = "plant"\nport = 1', r"fleet.toml: service.port: unknown key"),
        ("workers = 2", "workers = 0", r"fleet.toml: service.workers = 0: expected greater"),
        ("version = 1", "version = 2", r"fleet.toml: version = 2"),
        ('listen = "0.0.0.0:8443"', 'listen = "8443"', r"service.listen = '8443'"),
        ("sqlite:///fleet.db", "mysql://x/y", r"expected sqlite:///file or postgresql"),
        ("sqlite:///fleet.db", "postgresql://u:secret@h/y", r"holds a password"),
        ("sqlite:///fleet.db", "sqlite://", r"expected a file"),
        ('kind = "folder"', 'kind = "tape"', r"blobs.kind = 'tape'"),
        ('folder = "blobs"', "", r"blobs.folder: missing"),
        ("local = true", "local = false", r"people.local = false: expected true"),
        ("local = true", 'issuer = "https://id.plant"', r"people.client_id: missing"),
        ("local = true", 'roles = { staff = "king" }', r"people.roles.staff = 'king'"),
        ('[tls]\ncertificate = "tls/server.pem"\nkey_file = "tls/server.key"\n', "", r"expected \[tls\]"),
        ("version = 1", "version = [", r"no TOML"),
    ],
)
def test_a_mistake_is_named_with_file_key_value_and_what_was_expected(
    file: Path, old: str, new: str, words: str
) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(BadSettings, match=words) as refused:
        read_fleet_settings(file)
    assert "secret" not in str(refused.value)


def test_the_password_of_the_database_comes_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    secret.chmod(0o600)
    settings = settings_of(
        tmp_path / "f",
        "postgresql://okng@db.plant/fleet",
        change=lambda text: text.replace("[blobs]", f'password_file = "{secret}"\n\n[blobs]'),
    )
    url = database_url(settings)
    assert (url.drivername, url.password, url.host) == ("postgresql+psycopg", "s3cret", "db.plant")
    assert "s3cret" not in repr(settings)
    assert sa.make_url(settings.database.url).password is None


def test_keys_of_the_store_come_from_their_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path / "f")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(BadSettings, match="AWS_ACCESS_KEY_ID"):
        s3_keys(settings)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert s3_keys(settings) == ("a", "b")
    keys = tmp_path / "keys"
    keys.write_text('{"access_key": "c"}')
    keys.chmod(0o600)
    object.__setattr__(settings.blobs, "credentials_file", keys)
    with pytest.raises(BadSettings, match="expected JSON with access_key and secret_key"):
        s3_keys(settings)


def test_a_credential_of_systemd_stands_for_a_file(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "credentials"
    given.mkdir(mode=0o500)
    os.chmod(given, 0o700)  # noqa: PTH101
    (given / "session").write_text("k" * 40)
    (given / "session").chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    file.write_text(file.read_text().replace('"session.key"', '"credential:session"'))
    assert session_key(read_fleet_settings(file)) == b"k" * 40


def test_an_authority_that_is_none_is_refused(file: Path) -> None:
    text = file.read_text()
    file.write_text(text.replace('certificate = "authority/ca.pem"', 'certificate = "tls/server.pem"'))
    with pytest.raises(BadSettings, match=r"expected the key of authority.certificate"):
        load_authority(read_fleet_settings(file))
    file.write_text(
        text.replace('"authority/ca.pem"', '"tls/server.pem"').replace('"authority/ca.key"', '"tls/server.key"')
    )
    with pytest.raises(BadSettings, match=r"expected one of an authority"):
        load_authority(read_fleet_settings(file))
