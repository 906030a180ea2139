"""`okng channel`: which model the boxes of a line are offered, signed offline, and how far it has gone.

What people sign is signed with encrypted keys and a passphrase, against a root that is kept with them: what lies at the
place of publishing is believed no further than it is signed.
"""

import json
from pathlib import Path
from typing import Any

import click

from . import channel_rings_door
from .bundle_door import json_option
from .channel_hands import (
    ROLES,
    Place,
    Signing,
    at_place,
    by_option,
    passphrase_of,
    passphrase_option,
    read_root,
    ring_of,
    rule_of,
    signed,
    signer_of,
)
from .doors import FILE, FOLDER, writing

see_option = click.option("--online", type=FOLDER, default=None, help="With the service's keys: boxes see it at once.")


@click.group()
def channel() -> None:
    """Say which model the boxes of a line are offered, signed, and how far it may go."""


@channel.command()
@at_place
@click.option("--keys", type=FOLDER, required=True, help="Folder for the offline keys: three of root, one of targets.")
@click.option("--online", type=FOLDER, required=True, help="Folder for the service's keys.")
@passphrase_option
def init(place: Place, keys: Path, online: Path, passphrase_file: Path | None) -> None:
    """Begin a channel. Move each root key to a medium of its own; pin root.json on every box."""
    from ..bus.clock_floor import believed_now
    from ..fleet.channel_keys import make_signer
    from ..fleet.channel_repository import begin
    from ..fleet.rings import OnlineKeys

    shelf, _ = place.open()
    passphrase = passphrase_of(passphrase_file, "the offline keys", confirm=True)
    for folder in (keys, online):
        with writing(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    roots = [make_signer(keys / f"root-{n}.pem", passphrase) for n in (1, 2, 3)]
    targets = make_signer(keys / "targets.pem", passphrase)
    services = [make_signer(online / f"{name}.pem", None) for name in ("timestamp", "snapshot", "rings")]
    root = begin(shelf, roots, targets, OnlineKeys(*services), believed_now())
    with writing(keys):
        (keys / "root.json").write_bytes(root)
    click.echo(f"begun: {keys / 'root.json'} is what every box is told once ([fleet] roots)")
    click.echo(f"offline: {keys}/root-1.pem root-2.pem root-3.pem, each to a place of its own, and targets.pem")
    click.echo(f"online: {online}, for the service alone")


@channel.command()
@click.argument("folder", type=FOLDER)
@at_place
@signed
@click.option("--ca", "authorities", type=FILE, multiple=True, required=True, help="Authority it is signed under.")
@click.option("--line", required=True)
@click.option("--recipe", required=True)
@click.option("--role", type=ROLES, default="challenger", show_default=True)
@click.option(
    "--ring",
    "rings",
    multiple=True,
    required=True,
    metavar="NAME[:SHADOW[:CANARY[:PCT]]]",
    help="A ring of the plan, in order: parts in the shadow, as a canary, errors allowed. May come again.",
)
@click.option("--rule", "rules", multiple=True, metavar="NAME=VALUE", help="Another threshold for taking it back.")
@by_option
@see_option
def publish(
    place: Place,
    signing: Signing,
    folder: Path,
    authorities: tuple[Path, ...],
    line: str,
    recipe: str,
    role: str,
    rings: tuple[str, ...],
    rules: tuple[str, ...],
    approved_by: str,
    online: Path | None,
) -> None:
    """Offer the signed bundle in FOLDER to a line. Its rings are opened afterwards, one by one."""
    from ..fleet.channel_upload import put_bundle

    plan, thresholds = [ring_of(text) for text in rings], dict(rule_of(text) for text in rules)
    signer = signing.signer()
    repository, blobs = signing.repository(place)
    pinning, vouched = put_bundle(folder, blobs, authorities)
    click.echo(f"{pinning.digest}: signed by {vouched.name}, certificate valid until {vouched.valid_until}")
    said = repository.publish(pinning, line, recipe, role, plan, approved_by, signer, thresholds)
    click.echo(f"{line}/{recipe}/{role}: number {said.seq}, rings {', '.join(one.ring for one in said.plan)}")
    place.refreshed(online)


@channel.command()
@at_place
@signed
@click.option("--box", required=True)
@click.option("--channel", "name", required=True, metavar="LINE/RECIPE/ROLE")
@click.option("--to", "to_bundle", required=True, metavar="DIGEST", help="An older bundle that was published before.")
@click.option("--from-seq", type=int, default=None, help="Number it leads down from. Default: what is published now.")
@click.option("--days", type=float, default=7, show_default=True)
@click.option("--reason", required=True)
@by_option
@see_option
def ticket(
    place: Place,
    signing: Signing,
    box: str,
    name: str,
    to_bundle: str,
    from_seq: int | None,
    days: float,
    reason: str,
    approved_by: str,
    online: Path | None,
) -> None:
    """Let one box go down once, to an older bundle. The only way down."""
    signer = signing.signer()
    repository, _ = signing.repository(place)
    said = repository.ticket(box, name, to_bundle, reason, approved_by, signer, days, from_seq)
    click.echo(f"ticket {said.n} of {box}: from number {said.from_seq} of {name}, until {said.expires}")
    place.refreshed(online)


@channel.command()
@at_place
@signed
@click.option("--rings-key", type=FILE, default=None, help="The service's new key of rings.")
@see_option
def renew(place: Place, signing: Signing, rings_key: Path | None, online: Path | None) -> None:
    """Sign the list of targets for another year, before the old signature ends."""
    from ..fleet.channel_keys import load_signer

    new = None if rings_key is None else load_signer(rings_key).public_key
    repository, _ = signing.repository(place)
    click.echo(f"targets: number {repository.renew(signing.signer(), new)}")
    place.refreshed(online)


@channel.command()
@at_place
@click.option("--root", type=FILE, required=True, help="root.json that is pinned.")
@click.option("--root-key", "root_keys", type=FILE, multiple=True, required=True, help="Two of the three root keys.")
@click.option("--new-root-key", "new_roots", type=FILE, multiple=True, help="Three, in place of the old ones.")
@click.option("--new-targets-key", "new_targets", type=FILE, default=None)
@click.option("--new-online", type=FOLDER, default=None, help="Folder of the service's new online keys.")
@passphrase_option
@click.option("--out", type=FILE, required=True, help="Write the new root.json here; new boxes are told this one.")
@see_option
def rotate(
    place: Place,
    root: Path,
    root_keys: tuple[Path, ...],
    new_roots: tuple[Path, ...],
    new_targets: Path | None,
    new_online: Path | None,
    passphrase_file: Path | None,
    out: Path,
    online: Path | None,
) -> None:
    """Sign the next root, for ten years: with other keys, or the same. Boxes follow it from the one they have."""
    from ..fleet.channel_keys import load_signer
    from ..fleet.channel_repository import Repository

    signers = [signer_of(file, passphrase_file) for file in root_keys]
    roots = [signer_of(file, passphrase_file) for file in new_roots]
    targets = None if new_targets is None else signer_of(new_targets, passphrase_file)
    keys: dict[str, Any] = {} if targets is None else {"targets": targets.public_key}
    if new_online is not None:
        keys |= {name: load_signer(new_online / f"{name}.pem").public_key for name in ("timestamp", "snapshot")}
    repository = Repository(place.open()[0], read_root(root))
    data = repository.rotate(signers, roots or None, keys, targets)
    for one in repository.pointers() if targets is not None else ():
        click.echo(f"signed anew: {one.line}/{one.recipe}/{one.role} number {one.seq}, bundle {one.bundle}")
    with writing(out):
        out.write_bytes(data)
    click.echo(f"root: {out}")
    place.refreshed(online)


@channel.command()
@at_place
@click.option("--root", type=FILE, required=True, help="root.json that is pinned.")
@click.option("--line", default=None)
@json_option
def show(place: Place, root: Path, line: str | None, as_json: bool) -> None:
    """Say what is published: pointers, tickets, and when each signature ends."""
    from ..fleet.channel_published import read_published
    from ..fleet.channel_repository import Repository

    shelf, pinned = place.open()[0], read_root(root)
    now, repository = read_published(shelf, pinned), Repository(shelf, pinned)
    parts: dict[str, Any] = {"root": now.root, "targets": now.targets, "rings": now.rings}
    parts |= {"snapshot": now.snapshot, "timestamp": now.timestamp}
    pointers, tickets = repository.pointers(line), repository.tickets()
    if as_json:
        said: dict[str, Any] = {"pointers": [one.model_dump(mode="json") for one in pointers]}
        said |= {"tickets": [one.model_dump(mode="json") for one in tickets]}
        said |= {"signed": {k: {"number": v.version, "ends": v.expires.isoformat()} for k, v in parts.items()}}
        click.echo(json.dumps(said, indent=2))
        return
    for one in pointers:
        rings = ", ".join(ring.ring for ring in one.plan)
        click.echo(f"{one.line}/{one.recipe}/{one.role}: number {one.seq}, bundle {one.bundle[:12]}, rings {rings}")
    for each in tickets:
        click.echo(f"ticket {each.n} of {each.box}: {each.channel} from number {each.from_seq}, until {each.expires}")
    for name, part in parts.items():
        click.echo(f"{name}: number {part.version}, ends {part.expires:%Y-%m-%d}")


for _door in ("ring", "members", "halt", "resume", "refresh"):
    channel.add_command(getattr(channel_rings_door, _door))
