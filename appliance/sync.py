"""`okng sync` and `okng publish`: the fleet room on this box's settings."""

import logging
from collections.abc import Iterator
from pathlib import Path

from .. import __version__
from ..bus.errors import BadSettings
from ..fleet.fleet_sync import Plan
from ..fleet.fleet_sync import run as run_fleet
from ..fleet.options import SyncOptions
from ..fleet.publish import publish
from ..fleet.stores import open_store
from ..fleet.sync import run, sync_once
from ..records.outbox_read import OutboxReader
from ..settings import Settings
from .ladder_box import bundles_of, ladder_beside, move_in
from .leaves import leaving_of

log = logging.getLogger(__name__)


def sync_options(settings: Settings, settings_file: Path, channel: str | None) -> SyncOptions:
    """Return `[sync]` with a folder counted from the settings file, and the channel asked for. BadSettings: none."""
    if settings.sync is None:
        way = "; a box of a fleet syncs by `okng sync --watch`" if settings.fleet is not None else ""
        raise BadSettings(f"{settings_file}: [sync]: missing; expected target = a folder or s3://bucket/prefix{way}")
    changed: dict[str, object] = {}
    if not settings.sync.is_s3:
        changed["target"] = str(settings_file.resolve().parent / settings.sync.target)
    if settings.sync.authorities:
        changed["authorities"] = [settings_file.resolve().parent / file for file in settings.sync.authorities]
    if channel is not None:
        changed["channel"] = channel
    return SyncOptions.model_validate({**settings.sync.model_dump(), **changed})


def places(settings: Settings, settings_file: Path) -> tuple[Path, Path, Path]:
    """Return store, bundles and state folders: the two others lie beside the ledger's, where sync may write."""
    store = settings.records.store
    return store, bundles_of(settings), store.parent / "sync"


def bring_together(settings: Settings) -> None:
    """Copy bundles that an older okng put beside the recipes to where they belong now. StoreLost."""
    bundles = bundles_of(settings)
    if moved := move_in(settings.recipe.resolve().parent / "bundles", bundles):
        log.info("%d bundles came to %s", moved, bundles)


def sync_round(settings: Settings, settings_file: Path, channel: str | None) -> Iterator[str]:
    """Push, then pull; yield lines for a person."""
    options = sync_options(settings, settings_file, channel)
    bring_together(settings)
    store, bundles, state = places(settings, settings_file)
    done = sync_once(options, store, bundles, state)
    pushed = done.pushed
    yield f"{pushed.events} records in {pushed.batches} batches and {pushed.pictures} pictures sent to {options.target}"
    if pushed.missing:
        yield f"{pushed.missing} pictures were no longer on the disk; their records went without them"
    if done.bundle is not None:
        yield f"bundle of channel {options.channel}: {done.bundle}"
        yield f"not active yet; to use it: okng bundle activate {done.bundle} --slot LINK"


def sync_loop(settings: Settings, settings_file: Path, channel: str | None) -> int:
    """Sync again and again until SIGTERM; return the exit code. With `[fleet]` its service is spoken to."""
    bring_together(settings)
    if settings.fleet is not None:
        return run_fleet(lambda: fleet_plan(settings, settings_file))
    return run(sync_options(settings, settings_file, channel), *places(settings, settings_file))


def fleet_plan(settings: Settings, settings_file: Path) -> Plan:
    """What the process `sync` of a box in a fleet is made of. BadSettings: there is no `[fleet]`."""
    options = settings.fleet
    if options is None:
        raise BadSettings(f"{settings_file}: [fleet]: missing; expected service and ca of the fleet service")
    store, _, state = places(settings, settings_file)
    return Plan(
        options,
        settings.box.name,
        options.line or settings.box.station,
        settings.box.run_dir,
        store,
        state,
        settings.cameras,
        __version__,
        OutboxReader(store, leaving_of(settings)),
        (ladder_beside(settings, settings_file, state),),
    )


def publish_bundle(folder: Path, target: str, endpoint: str | None, channel: str) -> str:
    """Publish a bundle; return a line for a person."""
    options = SyncOptions(target=target, endpoint=endpoint or "")
    return f"{publish(folder, channel, open_store(options))} is what channel {channel} of {target} stands at"
