"""Where the key and the certificate of the screens live: a folder of the web process alone.

`served.pem` holds the key and its chain in one file, so that one rename changes both and a power cut leaves a pair that
fits. `requested.key` is the key of a request that nobody has answered yet, `request.csr` the request.
"""

import contextlib
import errno
import fcntl
import ipaddress
import os
import secrets
import socket
import stat
import struct
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..bus.clock_floor import believed_now
from ..bus.errors import BadKey
from .certificate import (
    Certificate,
    Key,
    described,
    key_pem,
    new_key,
    own_certificate,
    read_key_pem,
    request,
    requested_names,
)
from .chain import MOST_BYTES, checked_chain, read_chain

SERVED, REQUESTED, REQUEST = "served.pem", "requested.key", "request.csr"
_SIOCGIFADDR = 0x8915


class TlsHome:
    """The folder. Made at the first start; whoever writes here is the web process, or root in its place."""

    def __init__(self, folder: Path, called: str = "") -> None:
        """called: the name or address that the settings give the box, if they do."""
        self.folder, self._called = folder, called

    @property
    def served(self) -> Path:
        """Key and chain, in one file."""
        return self.folder / SERVED

    @property
    def names(self) -> list[str]:
        """What this machine is called by: host name, that of the settings, its addresses."""
        return own_names(self._called)

    def load_or_make(self) -> Certificate:
        """The certificate that is served; where there is none, a key and one that signs itself. BadKey, OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.served.exists():
            self.renew()
        return self.look()

    def look(self) -> Certificate:
        """What is served now. BadKey, OSError."""
        return described(read_chain(self._read(self.served))[0])

    def renew(self) -> Certificate:
        """A new key, and a certificate that signs itself, in place of what is served. Its fingerprint is another."""
        key = new_key()
        made = own_certificate(key, self.names, believed_now())
        self._write(SERVED, key_pem(key) + made.public_bytes(Encoding.PEM))
        return described(made)

    def ask(self, names: Sequence[str] = ()) -> bytes:
        """A request for the plant's authority, by a new key that is kept for its answer. PEM."""
        key = new_key()
        made = request(key, [*names, *self.names])
        self._write(REQUESTED, key_pem(key))
        self._write(REQUEST, made)
        return made

    def asked(self) -> str | None:
        """The request that nobody has answered yet; None: there is none."""
        path = self.folder / REQUEST
        return self._read(path).decode("ascii") if path.exists() else None

    def install(self, pem: bytes) -> Certificate:
        """Serve a chain that came back, if it fits a key of this box, is in time, in order and made out to it."""
        waiting = self.folder / REQUESTED
        keys = [self._key(path) for path in (waiting, self.served) if path.exists()]
        waited = self.asked()
        names = [*self.names, *(requested_names(waited.encode("ascii")) if waited else ())]
        chain, key = checked_chain(pem, keys, list(dict.fromkeys(names)), believed_now())
        self._write(SERVED, key_pem(key) + b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        if waiting.exists() and _same(self._key(waiting), chain[0]):
            waiting.unlink()
            (self.folder / REQUEST).unlink(missing_ok=True)
        return described(chain[0])

    def _key(self, path: Path) -> Key:
        return read_key_pem(self._read(path), str(path))

    def _read(self, path: Path) -> bytes:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            if mode & 0o077:
                raise BadKey(f"{path}: mode {mode:04o}: expected 0600, the key is its owner's alone (chmod 600)")
            return file.read(MOST_BYTES + 8192)

    def _write(self, name: str, data: bytes) -> None:
        """Whole or not at all, and still there after a power cut; written by root it belongs to the folder's owner."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._opened()
        waiting = f".{name}.{secrets.token_hex(4)}"
        try:
            handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                if os.geteuid() == 0:
                    owner = os.fstat(folder)
                    if owner.st_uid == 0:  # root made the folder: it belongs to whom its parent belongs
                        owner = self.folder.parent.stat()
                        os.fchown(folder, owner.st_uid, owner.st_gid)
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                file.flush()
                os.fsync(file.fileno())
            os.replace(waiting, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(waiting, dir_fd=folder)
            raise
        finally:
            os.close(folder)

    def _opened(self) -> int:
        """The folder itself, never one that a link leads to: whoever owns its parent may not lead root elsewhere."""
        try:
            return os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise BadKey(f"{self.folder}: expected a folder, found a link or a file") from error
            raise


def _same(key: Key, certificate: x509.Certificate) -> bool:
    return bool(key.public_key() == certificate.public_key())


def own_names(called: str = "") -> list[str]:
    """Host name, with `.local` where it has no domain, what the settings call the box, and addresses of its cards."""
    host = socket.gethostname()
    names = [host] if _is_name(host) else []
    if called and not _is_everything(called):
        names.append(called)
    if names and "." not in host:
        names.append(f"{host}.local")
    return list(dict.fromkeys([*names, *_addresses()])) or ["okng"]


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 253 and all(part and part.replace("-", "a").isalnum() for part in text.split("."))


def _is_everything(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return not _is_name(text)
    return found.is_unspecified or found.is_loopback


def _addresses() -> list[str]:
    """Of the machine's network cards: no library is needed for that on Linux."""
    found: list[str] = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Not by if_nameindex: it asks by netlink, which the unit of the screens forbids.
        for line in Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()[2:]:
            card = line.partition(":")[0].strip()
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", card.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    with contextlib.suppress(OSError, ValueError):
        lines = Path("/proc/self/net/if_inet6").read_text(encoding="ascii").splitlines()
        found += [str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in lines]
    kept = [ipaddress.ip_address(one) for one in found]
    return [str(one) for one in kept if not one.is_loopback and not one.is_link_local]
