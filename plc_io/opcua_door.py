"""Who may connect by OPC UA: certificates, people, and what a session may ask for.

asyncua opens a channel without security to everybody, for discovery. Here such a channel is good for nothing else
unless the settings say so: no session on it is activated, and every other request is refused.
"""

import hashlib
import hmac
import os
import stat
from pathlib import Path
from typing import Any

from asyncua.crypto import uacrypto
from asyncua.crypto.permission_rules import USER_TYPES, SimpleRoleRuleset, User, UserRole
from asyncua.crypto.security_policies import SecurityPolicyFactory, SecurityPolicyNone
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from ..bus.clock_floor import believed_now
from ..bus.errors import BadSettings
from .opcua_options import OpcuaOptions
from .opcua_types import ua

_from_der: Any = uacrypto.x509_from_der
_factory: Any = SecurityPolicyFactory  # both are untyped
_COST = {"n": 2**14, "r": 8, "p": 1}
"""Of scrypt: 16 MiB and some 50 ms a try."""
_READABLE_BY_OTHERS = stat.S_IRWXO


def user_line(name: str, password: str) -> str:
    """Return a person's line of the users' file. ValueError: a colon or white space in the name, or no password."""
    if not name or any(letter == ":" or letter.isspace() for letter in name) or not password:
        raise ValueError(f"user {name!r}: expected a name without colon and white space, and a password")
    salt = os.urandom(16)
    return f"{name}:{salt.hex()}:{hashlib.scrypt(password.encode(), salt=salt, **_COST).hex()}"


def read_users(path: Path) -> dict[str, tuple[bytes, bytes]]:
    """Read the users' file: salt and hash by name. BadSettings."""
    users = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        open_to_all = path.stat().st_mode & _READABLE_BY_OTHERS
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"opcua.users: {path} cannot be read: {error}") from error
    if open_to_all:
        raise BadSettings(f"opcua.users: {path} is open to everybody: expected chmod 640 or less")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, salt, digest = line.strip().split(":")
            users[name] = bytes.fromhex(salt), bytes.fromhex(digest)
        except ValueError as error:
            raise BadSettings(f"opcua.users: {path}, line {number}: expected name:salt:hash") from error
    if not users:
        raise BadSettings(f"opcua.users: {path} names nobody: expected a line of `okng opcua --user NAME`")
    return users


def _certificates(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.iterdir()) if file.suffix.lower() in {".pem", ".der"}]


class Trust:
    """The certificates that may connect: those in the folder itself, and those of an authority in it."""

    def __init__(self, store: TrustStore, known: frozenset[bytes]) -> None:
        self._store, self._known = store, known

    @classmethod
    async def read(cls, folder: Path) -> "Trust":
        """Read the folder's `*.pem` and `*.der`. OSError, ValueError: it cannot be used."""
        store = TrustStore([folder], [])
        await store.load()
        known = [(await uacrypto.load_certificate(file)).fingerprint(SHA256()) for file in _certificates(folder)]
        return cls(store, frozenset(known))

    def takes(self, certificate: x509.Certificate) -> bool:
        """True where it is one of ours and valid now."""
        if not certificate.not_valid_before_utc <= believed_now() <= certificate.not_valid_after_utc:
            return False
        return certificate.fingerprint(SHA256()) in self._known or self._store.is_trusted(certificate)


class People(UserManager):
    """asyncua asks here for the user of a session; None: nobody we know.

    The certificate is that of the channel. The one in the request for a session proves nothing: anybody can send it.
    """

    def __init__(self, options: OpcuaOptions, trust: Trust | None) -> None:
        """trust: None: everybody may connect. BadSettings: the users' file cannot be used."""
        self._trust = trust
        self._users = None if options.users is None else read_users(options.users)

    def get_user(
        self, iserver: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        """Return the user. iserver: asyncua's, not used. certificate: DER, of the channel; None: it has no security."""
        if self._trust is not None and not (certificate and self._trust.takes(_from_der(certificate))):
            return None
        if self._users is None or self._knows(username, password):
            return User(role=UserRole.User, name=username)
        return None

    def _knows(self, name: str | None, password: str | bytes | None) -> bool:
        given = password.encode() if isinstance(password, str) else password or b""
        salt, digest = (self._users or {}).get(name or "", (b"nobody", b""))
        found = hashlib.scrypt(given[:1024], salt=salt, **_COST)  # for nobody too: the time tells nothing
        return hmac.compare_digest(found, digest)


class Rules(SimpleRoleRuleset):
    """What an activated session may ask for: everything a client needs but writing, for nothing is to be written."""

    def __init__(self, *, open_door: bool) -> None:
        """open_door: False: nothing at all, for channels without security."""
        # Not the rules of asyncua itself, so its own table is not made.
        write = ua.ObjectIds.WriteRequest_Encoding_DefaultBinary
        self._allowed = {ua.NodeId(number) for number in USER_TYPES if number != write} if open_door else set()

    def check_validity(self, user: User, action_type: Any, body: Any) -> bool:
        """True where it may. body is not looked at."""
        return user.role is UserRole.User and action_type in self._allowed


async def secure(server: Server, options: OpcuaOptions) -> None:
    """Set up who may connect. BadSettings: a file of the settings cannot be used."""
    if options.insecure:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity], Rules(open_door=True))
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        server.iserver.user_manager = People(options, None)
        return
    assert options.certificate is not None
    assert options.key is not None
    assert options.trusted is not None
    if options.key.exists() and options.key.stat().st_mode & _READABLE_BY_OTHERS:
        raise BadSettings(f"opcua.key: {options.key} is open to everybody: expected chmod 640 or less")
    try:
        await server.load_certificate(options.certificate)
        await server.load_private_key(options.key)
        trust = await Trust.read(options.trusted)
    except (OSError, ValueError, TypeError) as error:
        raise BadSettings(f"opcua: certificate, key or trusted cannot be used: {error}") from error
    server.iserver.user_manager = People(options, trust)
    server.set_certificate_validator(_Validator(trust).validate)
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt], Rules(open_door=True))
    server.set_identity_tokens([ua.AnonymousIdentityToken if options.users is None else ua.UserNameIdentityToken])
    # Discovery needs a channel without security; with this factory it can be used for nothing else.
    server._policies.append(  # noqa: SLF001 - asyncua has no public way to bar such a channel
        _factory(SecurityPolicyNone, ua.MessageSecurityMode.None_, permission_ruleset=Rules(open_door=False))
    )


class _Validator(CertificateValidator):
    """Says early and in the right words what `People` would refuse later."""

    def __init__(self, trust: Trust) -> None:
        kind = CertificateValidatorOptions
        super().__init__(kind.TIME_RANGE | kind.URI | kind.PEER_CLIENT)
        self._trust = trust

    async def validate(self, cert: x509.Certificate, app_description: Any) -> None:
        """Raise asyncua's error for a certificate that is not to be trusted."""
        await super().validate(cert, app_description)
        if not self._trust.takes(cert):
            raise ua.uaerrors.BadCertificateUntrusted
