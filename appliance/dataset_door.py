"""`okng dataset`: versions of data sets in a store, from sources on this machine and from the boxes of a fleet."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bus.errors import BadSettings
from .data_door import source_options
from .doors import FILE, FOLDER

if TYPE_CHECKING:
    from ..training.data.dataset_build import Built, Growing
    from ..training.data.dataset_store import DatasetStore
    from ..training.data.split import SplitOptions

_PATH = click.Path(exists=True, path_type=Path)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _stored(command: Callable[..., None]) -> Callable[..., None]:
    """Where the store is: the same options for all."""
    for option in (
        click.option("--credentials", type=FILE, default=None, help="S3: JSON of access_key and secret_key."),
        click.option("--region", default="us-east-1", show_default=True, help="S3."),
        click.option("--endpoint", default="", help="S3: address of the server; empty: Amazon's."),
        click.option("--s3", "bucket", default="", metavar="s3://BUCKET[/PREFIX]", help="Bucket that STORE caches."),
        click.option("--store", "folder", type=FOLDER, required=True, help="Folder of the store; is made."),
    ):
        command = option(command)
    return command


def _dealt(command: Callable[..., None]) -> Callable[..., None]:
    """How a version is made."""
    for option in (
        click.option("--no-doubles", is_flag=True, help="Do not look for look-alikes, which go to one side together."),
        click.option("--relabel", is_flag=True, help="Where the version before says otherwise, the source counts."),
        click.option("--add", is_flag=True, help="What the version before holds stays in it."),
        click.option("--as-they-are", is_flag=True, help="Take the sides that the sources give; deal out none."),
        click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True),
        click.option("--by", type=click.Choice(("auto", "both", "part")), default="auto", help="Stays on one side."),
        click.option("--test", type=click.FloatRange(0.0, 1.0), default=0.15, show_default=True),
        click.option("--val", type=click.FloatRange(0.0, 1.0), default=0.15, show_default=True),
        click.option("--train", type=click.FloatRange(0.0, 1.0), default=0.7, show_default=True),
    ):
        command = option(command)
    return command


@click.group()
def dataset() -> None:
    """Versions of data sets: every picture once by its content, sides by part and lot, one digest that training names.

    NAME@N is a version, NAME the newest.
    """


@dataset.command()
@click.argument("name")
@click.argument("sources", type=_PATH, nargs=-1, required=True)
@_stored
@_dealt
@source_options
@click.option("--leave-out-broken", is_flag=True, help="Go on without broken files; they stay named.")
@_json
def build(name: str, sources: tuple[Path, ...], as_json: bool, **asked: Any) -> None:
    """Make the next version of NAME from SOURCES: folders, COCO, YOLO, Label Studio, a box's ledger, manifests.

    Pictures, parts and lots of the version before keep their side; a new picture that would tie two sides together is
    left out by name, and so is one that two people label differently.
    """
    from ..training.data.dataset_build import build as build_set
    from ..training.data.sources import SourceOptions, open_dataset

    store, options, how = _store(asked), _split(asked), _how(asked)
    read = [open_dataset(path, SourceOptions(**asked)) for path in sources]
    _say(build_set(store, name, read, options, how), as_json)


@dataset.command()
@click.argument("name")
@click.argument("service")
@_stored
@_dealt
@click.option("--token-file", type=FILE, default=None, help="Token of a person; default: OKNG_FLEET_TOKEN.")
@click.option("--ca", type=FILE, default=None, help="Authority of the service's certificate; default: the system's.")
@click.option("--since", default="", help="Only parts taken then or later: 2026-11-23; else the last 30 days.")
@click.option("--until", default="", help="Only parts taken before.")
@click.option("--recipe", default="", help="Only its parts.")
@click.option("--line", default="", help="Only this line's boxes.")
@click.option("--box", default="", help="Only this box.")
@click.option("--label", default="", help="Only what the review there called good, defect, unsure; any; none.")
@click.option("--verdicts", is_flag=True, help="Take parts nobody labelled too, by what the model said.")
@click.option("--review-settles", "settled", is_flag=True, help="A review at the service goes before the line's word.")
@click.option("--leave-out-broken", is_flag=True, help="Go on without pictures that cannot be had; they stay named.")
@_json
def gather(name: str, service: str, token_file: Path | None, ca: Path | None, as_json: bool, **asked: Any) -> None:
    """Make the next version of NAME from what the boxes of a fleet have sent to SERVICE, with people's labels.

    What two people say in two ways is kept apart, by name.
    """
    from ..training.data.dataset_build import build as build_set
    from ..training.data.fleet_client import FleetClient
    from ..training.data.gather import gather as gather_samples

    store, options, how = _store(asked), _split(asked), _how(asked)
    client = FleetClient(service, _token(token_file), ca)
    wanted = {key: asked[key] for key in ("since", "until", "recipe", "line", "box", "label")}
    said = ", ".join(f"{key} {value}" for key, value in wanted.items() if value)
    found = gather_samples(
        client.samples(wanted),
        client,
        store,
        f"fleet {service} ({said or 'all'})",
        **{key: asked[key] for key in ("verdicts", "settled", "leave_out_broken")},
    )
    click.echo(f"{found.samples} parts at the service, {found.fetched} pictures fetched", err=as_json)
    _say(build_set(store, name, [found.dataset], options, how), as_json)


@dataset.command()
@click.argument("name", required=False)
@_stored
@_json
def show(name: str | None, as_json: bool, **asked: Any) -> None:
    """Print a version: labels by side, parts, lots, what was left out. Without NAME: all versions there are."""
    from ..training.data.manifest import named_in, read_manifest
    from .data_words import as_dict, set_lines

    store = _store(asked)
    if name is None:
        versions = store.versions()
        lines = [f"{stem}: {', '.join(f'@{number}' for number in numbers)}" for stem, numbers in versions.items()]
        click.echo(json.dumps(versions, indent=2) if as_json else "\n".join(lines or ["no data set"]))
        return
    path = store.manifest(name)
    known = named_in(path)
    found = read_manifest(path, check=False)
    if as_json:
        more = {"name": known.name, "digest": known.digest, "base": known.base, "made_at": known.made_at}
        click.echo(json.dumps({**more, **as_dict(found)}, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(set_lines(found)))
    click.echo(f"{known.name} of {known.made_at}: digest {known.digest}, goes on from {known.base or 'none'}")


@dataset.command()
@click.argument("name")
@_stored
@_json
def verify(name: str, as_json: bool, **asked: Any) -> None:
    """Hash every file of a version, fetch what this machine lacks, and see that no side leaks. Exit 1: it is not sound.

    Every file that is missing or changed is named.
    """
    from ..training.data.manifest import read_manifest
    from ..training.data.split import torn

    store = _store(asked)
    name = store.resolve(name)
    broken = store.check(name)
    whole = read_manifest(store.manifest(name), check=False)
    by_part = [said for said in torn(whole.samples) if said.startswith("part ")]
    by_lot = [said for said in torn(whole.samples) if said.startswith("lot ")]
    if as_json:
        files = [{"file": one.file, "reason": one.reason} for one in broken]
        said = {"name": name, "digest": whole.digest, "broken": files, "torn_parts": by_part, "torn_lots": by_lot}
        click.echo(json.dumps(said, indent=2))
    else:
        lines = [f"{len(broken)} files are missing or changed", *(f"  {one}" for one in broken)] if broken else []
        lines += [f"leaks: {line}" for line in by_part]
        # A set that was split by part has lots on several sides on purpose.
        lines += [f"note: {len(by_lot)} lots lie on several sides, for example {by_lot[0]}"] if by_lot else []
        click.echo("\n".join([*lines, f"{name}: {len(whole.samples)} pictures, digest {whole.digest}"]))
    sys.exit(1 if broken or by_part else 0)


@dataset.command()
@click.argument("name")
@_stored
@_dealt
@_json
def split(name: str, as_json: bool, **asked: Any) -> None:
    """Deal all sides of a set out anew, as its next version; only for a set that nothing was compared on yet."""
    from dataclasses import replace

    from ..training.data.dataset_build import Growing
    from ..training.data.dataset_build import build as build_set

    store, options = _store(asked), _split(asked)
    if options is None or asked["add"] or asked["relabel"]:
        raise BadSettings("okng dataset split: takes neither --as-they-are nor --add nor --relabel")
    found = store.open(name)
    bare = found.with_samples(replace(one, split=None) for one in found.samples)
    how = Growing(doubles=not asked["no_doubles"], afresh=True)
    _say(build_set(store, name.partition("@")[0], [bare], options, how), as_json)


def _store(asked: dict[str, Any]) -> "DatasetStore":
    """The store of the options, which are taken out of `asked`."""
    from ..training.data.dataset_store import DatasetStore

    folder, bucket = asked.pop("folder"), asked.pop("bucket")
    endpoint, region, keys = asked.pop("endpoint"), asked.pop("region"), asked.pop("credentials")
    if not bucket:
        if endpoint or keys:
            raise BadSettings("--endpoint and --credentials: expected --s3 s3://BUCKET with them")
        return DatasetStore(folder)
    from pydantic import ValidationError

    from ..fleet.options import SyncOptions
    from ..fleet.stores import open_store

    if not bucket.startswith("s3://"):
        raise BadSettings(f"--s3 {bucket}: expected s3://BUCKET or s3://BUCKET/PREFIX")
    try:
        options = SyncOptions(target=bucket, endpoint=endpoint, region=region, credentials_file=keys)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadSettings(f"--s3 {bucket}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return DatasetStore(folder, open_store(options))


def _split(asked: dict[str, Any]) -> "SplitOptions | None":
    """How sides are dealt out; its options are taken out of `asked`."""
    from pydantic import ValidationError

    from ..training.data.split import SplitOptions

    given = {key: asked.pop(key) for key in ("train", "val", "test", "by", "seed")}
    if asked.pop("as_they_are"):
        return None
    try:
        return SplitOptions.model_validate(given)
    except ValidationError as error:
        raise BadSettings("; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())) from error


def _how(asked: dict[str, Any]) -> "Growing":
    """How it goes on from the version before; its options are taken out of `asked`."""
    from ..training.data.dataset_build import Growing

    return Growing(add=asked.pop("add"), relabel=asked.pop("relabel"), doubles=not asked.pop("no_doubles"))


def _token(file: Path | None) -> str:
    if file is None:
        return os.environ.get("OKNG_FLEET_TOKEN", "")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"--token-file {file}: cannot be read: {error}") from error


def _say(built: "Built", as_json: bool) -> None:
    from .data_words import as_dict, set_lines

    stored = built.stored
    if as_json:
        more = {"name": stored.name, "digest": stored.digest, "new": stored.new, "added": stored.added}
        apart = {"contradictions": list(map(str, built.contradictions)), "tying": list(map(str, built.tying))}
        click.echo(json.dumps({**more, **apart, **as_dict(built.dataset)}, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(set_lines(built.dataset)))
    if built.split is not None:
        click.echo(f"by {built.split.by}: {built.split.groups} groups")
        for line in built.split.notes:
            click.echo(f"note: {line}")
    if built.contradictions or built.tying:
        click.echo(f"{len(built.contradictions)} contradictions and {len(built.tying)} ties kept apart: see above")
    if built.twice:
        click.echo(f"{built.twice} pictures came twice and said the same")
    if stored.new:
        after = f", after {built.before}" if built.before else ""
        click.echo(f"{stored.name}: digest {stored.digest}, {stored.added} files added{after}")
        click.echo(f"train from it: {stored.manifest}")
    else:
        click.echo(f"{stored.name}: says just this already; digest {stored.digest}")
