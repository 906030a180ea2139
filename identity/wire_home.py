"""Who this box is to the fleet service: a key that it made itself (P-256), and the certificate it was given for it.

    box.pem          key and chain in one file: one rename changes both, a power cut leaves a pair that fits
    requested.key    key of a request that is not answered yet; the same request is made again from it

Where systemd hands the key over (`credential:NAME`) it lies in no file of ours: `box.pem` is the chain alone, and the
key stays the same at each renewal.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..bus.errors import BadKey
from .certificate import UNREADABLE, Key, believed, key_pem, new_key, read_key_pem, request
from .secret_file import read_secret, remove, write_secret

BOX, REQUESTED = "box.pem", "requested.key"
URN = "urn:okng:box:"


@dataclass(frozen=True, slots=True)
class Passport:
    """The box's certificate, as far as the box needs it."""

    box: str
    """Id that the service gave it."""
    sha256: str
    """Of the certificate (DER), 64 hex digits."""
    begins: datetime
    ends: datetime

    @property
    def renew_at(self) -> datetime:
        """Two thirds of its life are over."""
        return self.begins + (self.ends - self.begins) * 2 / 3

    def is_due(self, now: datetime) -> bool:
        """It is time for another one."""
        return believed(now) >= self.renew_at

    def has_ended(self, now: datetime) -> bool:
        """It opens nothing any more."""
        return believed(now) >= self.ends

    def begins_later(self, now: datetime) -> bool:
        """It is not valid yet by the box's clock: since it was just made, that clock is wrong."""
        return now < self.begins - timedelta(minutes=5)


class WireHome:
    """The folder. Whoever writes here is the process `sync`, or root in its place."""

    def __init__(self, folder: Path, key: Path | None = None) -> None:
        """key: file or credential of the box's key; None: it makes its own."""
        self.folder, self._given = folder, key

    @property
    def identity(self) -> Path:
        """File of the certificate, for TLS."""
        return self.folder / BOX

    @property
    def key(self) -> Path | None:
        """File of the key, for TLS; None: it is in the same file."""
        return self._given

    def passport(self) -> Passport | None:
        """The certificate; None: the box has none. BadKey: it does not read. OSError."""
        try:
            found = read_secret(self.identity)
        except FileNotFoundError:
            return None
        return passport_of(found, str(self.identity))

    def ask(self, name: str) -> tuple[str, str]:
        """A request for a certificate (PEM) and the fingerprint of its key, which is kept for the answer.

        The same one as long as none was answered. name: what the box is called. BadKey, OSError.
        """
        key = self._waiting()
        if key is None:
            key = new_key()
            write_secret(self.folder, REQUESTED, key_pem(key))
        return request(key, [name]).decode("ascii"), fingerprint(key)

    def install(self, chain: str) -> Passport:
        """Put what was answered in place. BadKey: it is for another key, or names no box. OSError."""
        found = passport_of(chain.encode("ascii", "replace"), "the certificate that was answered")
        leaf = _leaf(chain.encode("ascii", "replace"), "the certificate that was answered")
        for key in (self._waiting(), self._own()):
            if key is not None and key.public_key() == leaf.public_key():
                break
        else:
            raise BadKey("the certificate that was answered is for another key than this box asked with")
        data = chain.encode("ascii")
        write_secret(self.folder, BOX, data if self._given is not None else key_pem(key) + data)
        self.forget_request()
        return found

    def forget_request(self) -> None:
        """The next request is by a new key. OSError."""
        remove(self.folder, REQUESTED)

    def forget(self) -> None:
        """The box has no certificate any more. OSError."""
        remove(self.folder, BOX)
        self.forget_request()

    def _waiting(self) -> Key | None:
        """The key of the request."""
        if self._given is not None:
            return read_key_pem(self._given.read_bytes(), str(self._given))
        path = self.folder / REQUESTED
        try:
            return read_key_pem(read_secret(path), str(path))
        except FileNotFoundError:
            return None

    def _own(self) -> Key | None:
        """The key of the certificate in place."""
        if self._given is not None:
            return None
        try:
            return read_key_pem(read_secret(self.identity), str(self.identity))
        except FileNotFoundError:
            return None


def fingerprint(key: Key) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo, DER), 64 hex digits: what people compare."""
    digest = Hash(SHA256())
    digest.update(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def passport_of(pem: bytes, where: str) -> Passport:
    """What the first certificate of a file says. BadKey: there is none, or it names no box."""
    leaf = _leaf(pem, where)
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (*UNREADABLE, x509.ExtensionNotFound) as error:
        raise BadKey(f"{where}: names no box: expected {URN}ID as alternative name") from error
    boxes = [uri.removeprefix(URN) for uri in uris if uri.startswith(URN)]
    if len(boxes) != 1 or not boxes[0]:
        raise BadKey(f"{where}: names {len(boxes)} boxes: expected {URN}ID as alternative name")
    digest = leaf.fingerprint(SHA256()).hex()
    return Passport(boxes[0], digest, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def _leaf(pem: bytes, where: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except (*UNREADABLE, IndexError) as error:
        raise BadKey(f"{where}: no certificate in PEM: {error}") from error
