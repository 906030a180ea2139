"""The box's own word: a bundle that was taught on this very box, signed by its own key, counts on this box alone.

The key never leaves the box, its certificate names the box, and both what is offered and the bundle are signed by it.
Nothing of this is ever read from a channel: elsewhere such a bundle is a stranger's. It climbs the same ladder.

<folder>/own.key  own.pem       made once; `[fleet] local_authority` names the certificate
<folder>/offers/<recipe>.json   what is offered, with its signature
"""

import os
import shutil
import uuid
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from pydantic import Field

from ..bus.clock_floor import believed_now
from ..bus.errors import BadBundle, BadKey, StoreLost
from ..bus.outside import read_bounded
from ..models.bundle import open_bundle
from ..models.manifest import MANIFEST
from ..records.durable import make_folder, replace_synced
from .channel_client import Floor
from .channel_fetch import check_bundle, take_place
from .channel_format import OWN, BadChannel, ChannelForm, Moment, Said, Seq, Sha256, moment, parsed, text_of
from .channel_offer import Offer, Pinned, Ring
from .options import Name
from .signing import Signer, sign

SCOPE = "urn:okng:box:"
_YEARS = timedelta(days=3650)
_MOST_BYTES = 64 << 10


class OwnForm(ChannelForm):
    """`offers/<recipe>.json`, without its signature."""

    format: Literal[1] = 1
    scope: Name
    """The box; nobody else is meant."""
    recipe: Name
    bundle: Sha256
    manifest_bytes: int = Field(ge=1, le=1 << 30)
    seq: Seq
    shadow_parts: int = Field(ge=0, le=10**9)
    """0: an engineer waived the shadow; `reason` says why."""
    canary_parts: int = Field(ge=0, le=10**9)
    at: Moment
    approved_by: Said
    reason: Said


class OwnSignedForm(ChannelForm):
    """`offers/<recipe>.json`."""

    said: OwnForm
    signature: str = Field(pattern=r"^([0-9a-f]{2}){1,200}$")
    """ECDSA (P-256, SHA-256, DER) over the text of `said`."""


class OwnWord:
    """What this box offers itself."""

    def __init__(self, folder: Path, box: str, floor: Floor) -> None:
        """folder: the key's, kept from others; made. box: its id in the fleet."""
        self._folder, self._box, self._floor = folder, box, floor

    @property
    def certificate(self) -> Path:
        """What bundles of this box are signed under."""
        return self._folder / "own.pem"

    def prepare(self) -> Path:
        """Make key and certificate if they are not there; return the certificate's file. BadKey: of another box."""
        try:
            make_folder(self._folder)
            self._folder.chmod(0o700)
            if not self.certificate.exists():
                self._make()
        except OSError as error:
            raise StoreLost(f"{self._folder}: {error}") from error
        self._read()
        return self.certificate

    def offer(
        self, bundle: Path, bundles: Path, recipe: str, parts: tuple[int, int], approved_by: str, reason: str
    ) -> Offer:
        """Sign a bundle and offer it to this box under the next number; it goes to `bundles/<digest>`.

        parts: in the shadow, as a canary. Who calls this has written it into the trail.
        BadBundle: not as it was made. BadKey: no key. StoreLost: the disk, or the floor cannot be asked.
        """
        opened = open_bundle(bundle)
        final, partial = bundles / opened.digest, bundles / f".{opened.digest}.own"
        try:
            if not final.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(bundle, partial)
                sign(partial, self._folder / "own.key", self.certificate)
                check_bundle(partial, opened.digest, (self.certificate,))
                take_place(partial, final)
            self.check(final, opened.digest)
            form = OwnForm(
                scope=self._box,
                recipe=recipe,
                bundle=opened.digest,
                manifest_bytes=(final / MANIFEST).stat().st_size,
                seq=self._floor.highest(f"{OWN}/{recipe}/challenger") + 1,
                shadow_parts=parts[0],
                canary_parts=parts[1],
                at=moment(believed_now()),
                approved_by=approved_by,
                reason=reason,
            )
            whole = OwnSignedForm(said=form, signature=self._key().sign(text_of(form), ec.ECDSA(SHA256())).hex())
            self._write(self._folder / "offers" / f"{recipe}.json", text_of(whole))
        except ValueError as error:
            raise BadChannel(f"{recipe}: cannot be offered: {error}") from error
        except OSError as error:
            raise StoreLost(f"{final}: {error}") from error
        self._floor.raise_to(f"{OWN}/{recipe}/challenger", form.seq)
        return _offer(form)

    def offers(self) -> tuple[Offer, ...]:
        """What this box offers itself now; one below the floor is refused. BadChannel: not signed by this box."""
        found = []
        for path in sorted((self._folder / "offers").glob("*.json")):
            try:
                data = read_bounded(path, _MOST_BYTES)
            except OSError as error:
                raise StoreLost(f"{path}: {error}") from error
            whole = parsed(OwnSignedForm, data, str(path), _MOST_BYTES)
            try:
                self._public().verify(bytes.fromhex(whole.signature), text_of(whole.said), ec.ECDSA(SHA256()))
            except InvalidSignature as error:
                raise BadChannel(f"{path}: not signed by this box") from error
            if whole.said.scope != self._box or path.stem != whole.said.recipe:
                raise BadChannel(f"{path}: is of box {whole.said.scope}, recipe {whole.said.recipe}")
            highest = self._floor.highest(f"{OWN}/{whole.said.recipe}/challenger")
            words = f"number {whole.said.seq} lies below {highest}" if whole.said.seq < highest else ""
            found.append(_offer(whole.said, words))
        return tuple(found)

    def withdraw(self, recipe: str) -> None:
        """Offer it no longer; the bundle stays. StoreLost."""
        try:
            (self._folder / "offers" / f"{recipe}.json").unlink(missing_ok=True)
        except OSError as error:
            raise StoreLost(f"{self._folder}: {error}") from error

    def check(self, folder: Path, digest: str) -> Signer:
        """Return the signer of a bundle of this box's own. BadBundle: it is another's, or not as it was signed."""
        certificate = self._read()
        signer = check_bundle(folder, digest, (self.certificate,))
        if signer.sha256 != certificate.fingerprint(SHA256()).hex():
            raise BadBundle(f"{folder}: signed by {signer.name}, not by this box")
        return signer

    def _read(self) -> x509.Certificate:
        try:
            found = x509.load_pem_x509_certificate(read_bounded(self.certificate, _MOST_BYTES))
            names: Sequence[str] = found.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            ).value.get_values_for_type(x509.UniformResourceIdentifier)
        except (OSError, ValueError, x509.ExtensionNotFound) as error:
            raise BadKey(f"{self.certificate}: no certificate of a box: {error}") from error
        if names != [SCOPE + self._box]:
            raise BadKey(f"{self.certificate}: of {', '.join(names)}: expected {SCOPE}{self._box}")
        return found

    def _public(self) -> ec.EllipticCurvePublicKey:
        key = self._read().public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise BadKey(f"{self.certificate}: a key of kind {type(key).__name__}: expected EC")
        return key

    def _key(self) -> ec.EllipticCurvePrivateKey:
        try:
            key = load_pem_private_key(read_bounded(self._folder / "own.key", _MOST_BYTES), None)
        except (OSError, ValueError, TypeError) as error:
            raise BadKey(f"{self._folder / 'own.key'}: no key: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadKey(f"{self._folder / 'own.key'}: a key of kind {type(key).__name__}: expected EC")
        return key

    def _make(self) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), believed_now()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"box {self._box}")])
        usage = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(uuid.uuid4().int >> 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + _YEARS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(SCOPE + self._box)]), False)
            .sign(key, SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        handle = os.open(self._folder / "own.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        self._write(self.certificate, made.public_bytes(Encoding.PEM))

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        make_folder(path.parent)
        replace_synced(path, data)


def _offer(form: OwnForm, refused: str = "") -> Offer:
    return Offer(
        line=OWN,
        recipe=form.recipe,
        role="challenger",
        bundle=form.bundle,
        seq=form.seq,
        previous="",
        plan=(Ring(OWN, form.shadow_parts, form.canary_parts, 100.0),),
        manifest=Pinned(form.manifest_bytes, form.bundle),
        signature=None,
        ring_of_this_box=OWN,
        ring_open=True,
        refused=refused,
        local=True,
        approved_by=form.approved_by,
        reason=form.reason,
    )
