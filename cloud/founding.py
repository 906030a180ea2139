"""`okng fleet init`: a folder with all that a small site needs: settings, keys, authority, certificate."""

import ipaddress
import json
import os
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..bus.clock_floor import believed_now
from ..bus.errors import BadSettings
from ..identity.certificate import Key, key_pem, new_key, read_key_pem
from .authority import new_authority
from .settings import secret_of

SERVER_LIFE = timedelta(days=396)
"""Of the service's own certificate: browsers refuse longer ones. `okng fleet certificate` makes the next."""
SETTINGS = "fleet.toml"
_TOML = """\
# The fleet service of this site. `okng fleet serve --settings {file}` starts it; see docs/fleet.md.
version = 1

[service]
name = {name}
site = {site}
url = {url}
listen = {listen}
workers = 2
session_key_file = "session.key"

[database]
url = "sqlite:///fleet.db"

[blobs]
{blobs}

[authority]
certificate = "authority/ca.pem"
key_file = "authority/ca.key"

[tls]
certificate = "tls/server.pem"
key_file = "tls/server.key"

[people]
local = true
"""


def found(folder: Path, url: str, listen: str, site: str, seaweed_port: int = 0, names: Sequence[str] = ()) -> Path:
    """Make the folder; its settings' file. seaweed_port: 0 keeps blobs as files, else S3 by SeaweedFS on that port.

    names: of the service's certificate, besides the host of the url. BadSettings: there is a service in the folder.
    """
    file = folder / SETTINGS
    if file.exists():
        raise BadSettings(f"{file}: is there already: expected a folder without a fleet service")
    for part in (folder, folder / "authority", folder / "tls"):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / "session.key", secrets.token_hex(32).encode() + b"\n", 0o600)
    key = new_key()
    authority = new_authority(f"okng fleet {site}", key)
    _write(folder / "authority" / "ca.key", key_pem(key), 0o600)
    _write(folder / "authority" / "ca.pem", authority.public_bytes(Encoding.PEM), 0o644)
    certify(folder, [host_of(url), *names])
    blobs = 'kind = "folder"\nfolder = "blobs"'
    if seaweed_port:
        keys = {"access_key": "fleet", "secret_key": secrets.token_hex(24)}
        _write(folder / "s3-keys.json", json.dumps(keys).encode() + b"\n", 0o600)
        blobs = (
            'kind = "seaweedfs"\nfolder = "s3"\n'
            f'endpoint = "http://127.0.0.1:{seaweed_port}"\ncredentials_file = "s3-keys.json"'
        )
    said = {name: json.dumps(value) for name, value in (("name", f"okng fleet {site}"), ("site", site))}
    text = _TOML.format(file=file, **said, url=json.dumps(url), listen=json.dumps(listen), blobs=blobs)
    _write(file, text.encode(), 0o600)
    return file


def certify(folder: Path, names: Sequence[str]) -> x509.Certificate:
    """A new key and certificate of the service, vouched for by the folder's authority. BadSettings, BadKey."""
    file = folder / "authority" / "ca.key"
    signer = read_key_pem(secret_of(file, "authority.key_file"), str(file))
    authority = x509.load_pem_x509_certificate((folder / "authority" / "ca.pem").read_bytes())
    key = new_key()
    made = _server_certificate(key, names, authority, signer)
    _write(folder / "tls" / "server.key", key_pem(key), 0o600)
    chain = made.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM)
    _write(folder / "tls" / "server.pem", chain, 0o644)
    return made


def host_of(url: str) -> str:
    """Name or address of a URL, without its port."""
    rest = url.partition("://")[2].partition("/")[0]
    return rest[1 : rest.index("]")] if rest.startswith("[") else rest.partition(":")[0]


def _server_certificate(key: Key, names: Sequence[str], authority: x509.Certificate, signer: Key) -> x509.Certificate:
    begins = believed_now() - timedelta(days=1)
    alternatives: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            alternatives.append(x509.DNSName(name))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # Not for clients: with this key nobody can be taken for a box.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, SHA256())
    )


def _write(file: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, never readable by others on the way."""
    waiting = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as out:
        os.fchmod(handle, mode)
        out.write(data)
        out.flush()
        os.fsync(handle)
    waiting.replace(file)
