"""Who is let in by OPC UA is who holds the key of a trusted certificate, whatever else a client shows."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.server.server import Server
from asyncua.ua.uaerrors import UaError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from okng.plc_io.opcua_door import secure
from okng.plc_io.opcua_options import OpcuaOptions

from .conftest import free_port

_DAY = timedelta(days=1)
_BOX = "urn:box"
_MES = "urn:mes"


class Holder:
    """A certificate, RSA as OPC UA wants it, and its key."""

    def __init__(self, folder: Path, name: str, uri: str, *, by: "Holder | None" = None, ca: bool = False) -> None:
        self.secret = rsa.generate_private_key(65537, 2048)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name if by is None else by.name)
            .public_key(self.secret.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.secret if by is None else by.secret, hashes.SHA256())
        )
        self.file, self.key = folder / f"{name}.pem", folder / f"{name}-key.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        kind = serialization.PrivateFormat.PKCS8
        self.key.write_bytes(self.secret.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
        self.key.chmod(0o600)

    @property
    def der(self) -> bytes:
        """The certificate as it travels."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def holders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Holder]:
    """The box, the MES, a stranger who calls itself the MES, an authority and one of its own."""
    folder = tmp_path_factory.mktemp("holders")
    made = {name: Holder(folder, name, _MES) for name in ("mes", "stranger")}
    made["box"] = Holder(folder, "box", _BOX)
    made["authority"] = Holder(folder, "authority", "urn:ca", ca=True)
    made["issued"] = Holder(folder, "issued", _MES, by=made["authority"])
    trusted = folder / "trusted"
    trusted.mkdir()
    for name in ("mes", "authority"):
        (trusted / f"{name}.pem").write_bytes(made[name].file.read_bytes())
    return made


@asynccontextmanager
async def served(holders: dict[str, Holder]) -> AsyncIterator[str]:
    """A server with the door of the product and nothing behind it; its address."""
    box = holders["box"]
    options = OpcuaOptions(port=free_port(), certificate=box.file, key=box.key, trusted=box.file.parent / "trusted")
    server = Server()
    await server.init()
    address = f"opc.tcp://127.0.0.1:{options.port}/okng"
    server.set_endpoint(address)
    await server.set_application_uri(_BOX)
    await secure(server, options)
    await server.start()
    try:
        yield address
    finally:
        await server.stop()


class Sly(Client):
    """A client that shows another certificate in its session than it signs with, or none."""

    shown: bytes | None = None

    async def create_session(self) -> Any:
        """Make the session."""
        make = self.uaclient.create_session

        async def making(parameters: Any) -> Any:
            parameters.ClientCertificate = self.shown
            return await make(parameters)

        self.uaclient.create_session = making  # type: ignore[method-assign]
        return await super().create_session()


async def is_let_in(holders: dict[str, Holder], who: str, kind: type[Client] = Client) -> bool:
    """True when a client with this certificate can read; False when it is refused."""
    async with served(holders) as address:
        caller = kind(address, timeout=4)
        caller.application_uri = _MES
        holder = holders[who]
        await caller.set_security(
            SecurityPolicyBasic256Sha256,
            str(holder.file),
            str(holder.key),
            server_certificate=str(holders["box"].file),
        )
        try:
            await caller.connect()
            await caller.nodes.server_state.read_value()
        except UaError:
            return False
        finally:
            with suppress(UaError, OSError, asyncio.CancelledError):
                await caller.disconnect()
    return True


@pytest.fixture(autouse=True)
def quiet() -> None:
    """asyncua tells at length whom it refused."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)


@pytest.mark.parametrize(("who", "expected"), [("mes", True), ("issued", True), ("stranger", False)])
def test_the_holder_of_a_trusted_certificate_is_let_in(holders: dict[str, Holder], who: str, expected: bool) -> None:
    assert asyncio.run(is_let_in(holders, who)) is expected


@pytest.mark.parametrize("shown", [None, "mes"])
def test_a_stranger_that_shows_no_certificate_or_a_copy_is_refused(
    holders: dict[str, Holder], monkeypatch: pytest.MonkeyPatch, shown: str | None
) -> None:
    monkeypatch.setattr(Sly, "shown", None if shown is None else holders[shown].der)
    assert asyncio.run(is_let_in(holders, "stranger", Sly)) is False


def test_without_security_nobody_gets_a_session(holders: dict[str, Holder]) -> None:
    async def knock() -> list[str]:
        async with served(holders) as address:
            caller = Client(address, timeout=4)
            await caller.connect_socket()
            refusals = []
            try:
                await caller.send_hello()
                await caller.open_secure_channel()
                for step in (caller.create_session, caller.activate_session, caller.nodes.server_state.read_value):
                    try:
                        await step()
                    except UaError as error:
                        refusals.append(f"{step.__name__}: {type(error).__name__}")
            finally:
                with suppress(UaError, OSError, asyncio.CancelledError):
                    caller.disconnect_socket()
            return refusals

    refusals = asyncio.run(knock())
    assert [said for said in refusals if said.startswith(("activate_session", "read_value"))] != []
    assert any(said.startswith("read_value") for said in refusals)
