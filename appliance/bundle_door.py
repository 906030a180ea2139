"""`okng bundle`: look at model bundles, prove, sign, compare and activate them."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .doors import FILE, FOLDER

if TYPE_CHECKING:
    from ..models.bundle import Bundle

EXIT_REFUSED = 78
PROVIDERS = click.Choice(["cpu", "cuda", "tensorrt", "openvino"])
provider_option = click.option("--provider", type=PROVIDERS, default="cpu", show_default=True)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
ca_option = click.option(
    "--ca",
    "authorities",
    type=FILE,
    multiple=True,
    metavar="PEM",
    help="Certificate of an authority; the bundle must be signed under it. May come again.",
)


@click.group()
def bundle() -> None:
    """Look at model bundles, prove, sign, compare and activate them."""


@bundle.command()
@click.argument("folder", type=FOLDER)
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Say what a bundle is and promises, after checking every file against its manifest."""
    from ..models.bundle import open_bundle
    from .bundle_words import bundle_json, bundle_table, tell

    opened = open_bundle(folder)
    if as_json:
        click.echo(json.dumps(bundle_json(opened), indent=2))
    else:
        tell(bundle_table(opened))


@bundle.command(name="list")
@click.argument("folder", type=FOLDER)
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """List the bundles right in FOLDER, and which of them links there point to. Exit 78: one is damaged."""
    from .bundle_words import bundle_json, list_table, tell

    found = _bundles_in(folder)
    if as_json:
        said = [
            {"folder": str(path), "links": links, "error": one}
            if isinstance(one, str)
            else {**bundle_json(one), "links": links, "error": ""}
            for path, one, links in found
        ]
        click.echo(json.dumps(said, indent=2))
    else:
        tell(list_table(found))
    sys.exit(EXIT_REFUSED if any(isinstance(one, str) for _, one, _ in found) else 0)


@bundle.command()
@click.argument("folder", type=FOLDER)
@provider_option
@ca_option
@json_option
def verify(folder: Path, provider: str, authorities: tuple[Path, ...], as_json: bool) -> None:
    """Check files, signature (where --ca is given), golden pictures and time on this box. Exit 78: wrong."""
    from ..models.bundle import open_bundle
    from ..models.detector import Detector
    from ..models.parity import check_gate

    opened = open_bundle(folder)
    signer = ""
    if authorities:
        from ..fleet.signing import verify as verify_signature

        found = verify_signature(folder, authorities)
        signer = f"{found.name}, certificate {found.sha256[:16]} valid until {found.valid_until}"
    report = check_gate(Detector(opened, provider, 1))
    if as_json:
        said = {"digest": opened.digest, "passed": report.passed, "signed": opened.signed, "signer": signer}
        click.echo(json.dumps({**said, "golden": dataclasses.asdict(report)}, indent=2))
    else:
        click.echo(f"{opened.digest}: {report.detail}")
        unseen = "yes, by whom was not asked (--ca)" if opened.signed else "no"
        click.echo(f"signed: {f'by {signer}' if signer else unseen}")
    sys.exit(0 if report.passed else EXIT_REFUSED)


@bundle.command()
@click.argument("folder", type=FOLDER)
@click.option("--key", type=FILE, required=True, help="Private key, PEM, EC.")
@click.option("--certificate", type=FILE, required=True, help="Its certificate, for signing.")
@click.option("--chain", type=FILE, multiple=True, help="Certificates from its issuer up. May come again.")
def sign(folder: Path, key: Path, certificate: Path, chain: tuple[Path, ...]) -> None:
    """Sign a bundle (extra [sign]). Its digest stays; the signature lies beside the manifest."""
    from ..fleet.signing import sign as sign_bundle

    click.echo(f"signed: {sign_bundle(folder, key, certificate, chain)}")


@bundle.command()
@click.argument("left", type=FOLDER)
@click.argument("right", type=FOLDER)
@click.option("--pictures", type=FOLDER, default=None, help="Judge these by both, and tell the other verdicts.")
@provider_option
@json_option
def diff(left: Path, right: Path, pictures: Path | None, provider: str, as_json: bool) -> None:
    """Compare two bundles: manifests, thresholds, golden scores, figures of their reports. Exit 1: they differ."""
    from ..models.bundle import open_bundle
    from ..models.detector import Detector
    from ..models.difference import difference, flips
    from .bundle_words import difference_table, tell

    opened = open_bundle(left), open_bundle(right)
    found = difference(*opened)
    if pictures is not None:
        detectors = [Detector(one, provider, 1) for one in opened]
        turned, count = flips(detectors[0], detectors[1], pictures)
        found = dataclasses.replace(found, flips=tuple(turned), looked_at=count)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        tell(difference_table(found, left.name, right.name))
    sys.exit(0 if found.same else 1)


@bundle.command()
@click.argument("folder", type=FOLDER)
@click.option("--slot", type=click.Path(path_type=Path), required=True, help="Link the recipe's `bundle` points to.")
@provider_option
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True)
@ca_option
def activate(folder: Path, slot: Path, provider: str, threads: int, authorities: tuple[Path, ...]) -> None:
    """Point SLOT at a bundle that scores as stored, in time. Takes effect when the line is started again."""
    from ..fleet.activate import activate as activate_bundle

    report = activate_bundle(folder, slot, provider, threads, authorities)
    click.echo(f"{slot} -> {folder.resolve()}: {report.detail}")


def _bundles_in(folder: Path) -> "list[tuple[Path, Bundle | str, tuple[str, ...]]]":
    """Folders that hold a manifest, each opened or what is wrong with it, and the links to it that lie beside it."""
    from ..bus.errors import BadBundle, BadSettings
    from ..models.bundle import open_bundle
    from ..models.manifest import MANIFEST

    if not folder.is_dir():
        raise BadSettings(f"{folder}: no such folder")
    links: dict[Path, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            links.setdefault(path.resolve(), []).append(path.name)
    found: list[tuple[Path, Bundle | str, tuple[str, ...]]] = []
    for path in sorted(path for path in folder.iterdir() if not path.is_symlink() and (path / MANIFEST).is_file()):
        try:
            opened: Bundle | str = open_bundle(path)
        except BadBundle as error:
            opened = str(error).replace(f"{path}/", "")
        found.append((path, opened, tuple(links.get(path.resolve(), ()))))
    return found
