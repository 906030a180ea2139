"""The doors of okng: one process or tool a command. Opens doors, owns nothing.

Each door imports its own room only when it opens: `okng io` loads no numpy, `okng teach` no PLC.
"""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from . import __version__
from .appliance.audit_door import audit
from .appliance.backtest_door import backtest
from .appliance.bench_door import bench
from .appliance.bundle_door import bundle
from .appliance.camera_door import camera
from .appliance.channel_door import channel
from .appliance.data_door import data
from .appliance.dataset_door import dataset
from .appliance.degraded_door import degraded
from .appliance.doors import FILE, FOLDER, become_process, enter, settings_option
from .appliance.enrol_door import enrol, resume, status
from .appliance.evaluate_door import evaluate
from .appliance.fleet_door import OF_SERVICE
from .appliance.fleet_group import fleet
from .appliance.health_door import health
from .appliance.import_door import import_
from .appliance.ladder_door import ladder
from .appliance.promote_door import promote
from .appliance.registry_door import registry
from .appliance.salvage_door import salvage
from .appliance.settings_door import settings as settings_group
from .appliance.support_door import support_bundle
from .appliance.teach_door import teach
from .appliance.threshold_door import threshold
from .appliance.tls_door import tls
from .appliance.trace_door import trace
from .appliance.train_door import train
from .appliance.update_door import update
from .bus.errors import BadSettings, Fault, Lost, OkngError
from .bus.stacks import last_words

EXIT_FAULT = 70
EXIT_LOST = 75
EXIT_REFUSED = 78
LOG_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(processName)s %(threadName)s %(name)s: %(message)s"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="okng")
def cli() -> None:
    """Edge AI visual inspection: every triggered part gets exactly one disposition."""
    # ONNX Runtime would report its use to its maker's servers, on Linux too since 1.32. Nothing leaves a box unasked.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def _read(settings_file: Path) -> tuple[Any, Any]:
    """Return the box's Settings and its ActiveRecipe."""
    from .inspect.recipe import read_recipe
    from .settings import read_settings

    settings = read_settings(settings_file)
    return settings, read_recipe(settings.recipe)


def _jobs(settings_file: Path) -> tuple[Any, Any]:
    """Return the box's Settings and its Jobs."""
    from .appliance.jobs import Jobs
    from .settings import read_settings

    settings = read_settings(settings_file)
    return settings, Jobs(settings, settings_file)


@contextlib.contextmanager
def _extra(name: str, library: str) -> Iterator[None]:
    """Say which extra brings a library that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise BadSettings(f"{library} is not installed: pip install 'okng[{name}]'") from error


@cli.command()
@settings_option
def io(settings_file: Path) -> None:
    """Talk to the PLC: part numbers, deadlines, dispositions. No numpy in here."""
    from .plc_io.process import run

    become_process("io")
    settings, jobs = _jobs(settings_file)
    enter(settings.box.run_dir)
    table = jobs.table()
    box, awaits = settings.box, settings.shift.awaited
    sys.exit(run(settings.plc, box.station, settings.cameras, table.first.job, box.run_dir, table, awaits))


@cli.command(name="inspect")
@settings_option
@click.option("--standby", is_flag=True, help="The second of two: ends at once unless [inspect] standby = true.")
def inspect_(settings_file: Path, standby: bool) -> None:
    """Judge the pictures by the recipe and its model, or stand by for the process that does."""
    from .bus.degraded import take_back
    from .bus.notify import Notifier
    from .inspect.standby import STANDBY, Role, aside_at_once

    priority = aside_at_once()
    become_process("inspect-standby" if standby else "inspect")
    settings, jobs = _jobs(settings_file)
    if standby and not settings.inspect.standby:
        Notifier().ready()  # no failure: the unit is there on every box
        with contextlib.suppress(OSError):  # a list that cannot be written does not bring a judge back
            take_back(settings.box.run_dir, {STANDBY})
        sys.exit(0)
    enter(settings.box.run_dir)
    role = Role(settings.box.run_dir, settings.cameras, priority)
    from .inspect.process import run  # only now: numpy and the runtime come at the priority of the role

    sys.exit(run(jobs.active(), jobs.recipe, settings.inspect, settings.cameras, settings.box.run_dir, role))


@cli.command()
@settings_option
def records(settings_file: Path) -> None:
    """Write the ledger and the pictures: the only writer."""
    from .appliance.leaves import leaving_of
    from .appliance.lore import lore_of
    from .records.process import run

    become_process("records")
    settings, jobs = _jobs(settings_file)
    enter(settings.box.run_dir)
    # What sync has brought to the cloud it notes beside the store; without `[sync]` or `[fleet]` nothing is owed.
    cloud = settings.records.store.parent / "sync" if settings.sync or settings.fleet else None
    known, leaving = lore_of(settings, jobs), leaving_of(settings)
    sys.exit(run(settings.records, settings.cameras, settings.box.run_dir, cloud, known, leaving))


@cli.command()
@settings_option
def shift(settings_file: Path) -> None:
    """Keep alarms, challenge tests, change-overs, bypass and lot. May be killed at any time."""
    from .appliance.jobs import JobsNow
    from .appliance.signed_jobs import unsigned_by
    from .shift.process import run

    become_process("shift")
    settings, known = _jobs(settings_file)
    box, jobs = settings.box, JobsNow(known)
    enter(box.run_dir)
    kept = settings.records
    unsigned = unsigned_by(known, kept.store, kept.signatures_required)
    sys.exit(run(settings.shift, settings.cameras, jobs, box.run_dir, kept.store, unsigned))


@cli.command()
@settings_option
def web(settings_file: Path) -> None:
    """Serve the operator's page. May be killed at any time."""
    from .appliance.products_of import products_of
    from .webui.process import run

    become_process("web")
    settings, _ = _read(settings_file)
    enter(settings.box.run_dir)
    box = settings.box
    products = partial(products_of, settings_file)
    sys.exit(run(settings.web, box.station, settings.cameras, box.run_dir, settings.records.store, products))


@cli.command()
@settings_option
def workshop(settings_file: Path) -> None:
    """Teach products, try models and recipes, put them in place. May be killed at any time."""
    from .appliance.workshop_of import box_of
    from .workshop.process import run

    become_process("workshop")
    box = box_of(settings_file)
    enter(box.run_dir)
    sys.exit(run(box, box_of))


@cli.command(name="workshop-job", hidden=True)
@settings_option
@click.argument("folder", type=FOLDER)
def workshop_job(settings_file: Path, folder: Path) -> None:
    """Do one long piece of work of the workshop, which starts this itself."""
    from .appliance.workshop_of import box_of
    from .workshop.jobs import run_job

    become_process("workshop-job")
    sys.exit(run_job(box_of(settings_file), folder, box_of))


@cli.command()
@settings_option
@click.option("--user", "name", default=None, help="Ask for a password, print the line for the users' file.")
def opcua(settings_file: Path, name: str | None) -> None:
    """Show the line to the MES by OPC UA (OPC 40100-1). May be killed at any time."""
    if name is not None:
        with _extra("opcua", "asyncua"):
            from .plc_io.opcua_door import user_line
        click.echo(user_line(name, click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)))
        return
    with _extra("opcua", "asyncua"):
        from .plc_io.opcua_process import run

    become_process("opcua")
    settings, jobs = _jobs(settings_file)
    if settings.opcua is None:
        raise BadSettings(f"{settings_file}: [opcua]: missing; it says where the MES finds the line")
    box, names = settings.box, {number: jobs.recipe(number).recipe.name for number in settings.recipes}
    enter(box.run_dir)
    sys.exit(run(settings.opcua, box.name, box.station, names, box.run_dir))


@cli.command()
@settings_option
def mqtt(settings_file: Path) -> None:
    """Publish results and states to an MQTT broker. May be killed at any time."""
    from .settings import read_settings

    with _extra("mqtt", "paho"):
        from .plc_io.mqtt_process import run

    become_process("mqtt")
    settings = read_settings(settings_file)
    if settings.mqtt is None:
        raise BadSettings(f"{settings_file}: [mqtt]: missing; it says where the broker is")
    box = settings.box
    enter(box.run_dir)
    source = None
    if settings.mqtt.durable:
        from .appliance.mqtt_source import LedgerSource

        source = LedgerSource(settings.records.store, box.name)
    sys.exit(run(settings.mqtt, box.name, box.station, box.run_dir, source, settings.records.store.parent / "mqtt"))


@cli.command()
@settings_option
def run(settings_file: Path) -> None:
    """Run all processes of a box under a small supervisor (in production systemd does this)."""
    from .appliance.run import run as run_box

    settings, _ = _read(settings_file)
    sys.exit(run_box(settings, settings_file))


@cli.group()
def ledger() -> None:
    """Prove the balance of the ledger, and export it."""


@ledger.command()
@settings_option
@click.option("--store", type=FOLDER, default=None, help="Folder of the store; default: that of the settings.")
@click.option("--full", is_flag=True, help="Hash every kept picture too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(settings_file: Path, store: Path | None, full: bool, as_json: bool) -> None:
    """Prove that every trigger has exactly one disposition and that all counts balance. Exit 1 if not."""
    from .appliance.balance import balance_json, balance_lines
    from .records.check import check as check_store

    found = check_store(store or _read(settings_file)[0].records.store, full=full)
    click.echo(json.dumps(balance_json(found), indent=2) if as_json else "\n".join(balance_lines(found)))
    sys.exit(0 if found.balanced else 1)


@ledger.command()
@settings_option
@click.option("--store", type=FOLDER, default=None, help="Folder of the store; default: that of the settings.")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv", "parquet"]), default="jsonl", help="Of the file.")
@click.option("--since", default="", help="Only parts taken then or later, UTC, for example 2026-11-23T06:00.")
@click.option("--until", default="", help="Only parts taken before, UTC.")
@click.option("--lot", default="", help="Only parts of this lot.")
@click.option("--model", default="", help="Only parts that the model of this digest judged.")
@click.option("--recipe", default="", metavar="NAME[@REVISION]", help="Only parts of this recipe.")
@click.option("--camera", default="", help="Only parts that this camera decided.")
@click.argument("out", type=click.File("wb"), default="-")
def export(
    settings_file: Path,
    store: Path | None,
    kind: str,
    since: str,
    until: str,
    lot: str,
    model: str,
    recipe: str,
    camera: str,
    out: Any,
) -> None:
    """Write the parts of the ledger, oldest first, to OUT (default: standard output)."""
    from .records.export import Chosen
    from .records.export_files import FORMATS, export_parts

    (named,) = (one for one in FORMATS if one == kind)
    name, _, revision = recipe.partition("@")
    chosen = Chosen(since, until, lot, model, name, revision, camera)
    export_parts(store or _read(settings_file)[0].records.store, out, named, chosen)


@ledger.command()
@settings_option
@click.option("--store", type=FOLDER, default=None, help="Folder of the store; default: that of the settings.")
@click.argument("copy", type=click.Path(path_type=Path))
def restore(settings_file: Path, store: Path | None, copy: Path) -> None:
    """Put a backup in the ledger's place while records is stopped; what stood there is put aside, never deleted."""
    from .records.restore import restore as restore_copy

    found = restore_copy(store or _read(settings_file)[0].records.store, copy)
    click.echo(f"{found.parts} parts, the newest of {found.newest or 'none'}")
    if found.aside is not None:
        click.echo(f"what stood there before: {found.aside}")


@ledger.command(name="recover-administrator")
@settings_option
@click.option("--store", type=FOLDER, default=None, help="Folder of the store; default: that of the settings.")
@click.argument("name")
@click.password_option(help="The new one; asked for when it is not given.")
def recover_administrator(settings_file: Path, store: Path | None, name: str, password: str) -> None:
    """Give a user a new password and the right to edit users, while records is stopped. The audit trail says so."""
    from .records.recovery import recover_keeper

    role = recover_keeper(store or _read(settings_file)[0].records.store, name, password)
    click.echo(f"{name} signs in with the new password, as {role}")


@cli.group()
def plc() -> None:
    """What the PLC engineer needs: the register map, the live values, the commissioning check."""


@plc.command(name="map")
@click.option("--format", "form", type=click.Choice(("csv", "md", "st")), default="md", show_default=True)
def plc_map(form: str) -> None:
    """Print the register map: for a spreadsheet, to read, or as IEC 61131-3 Structured Text."""
    from .plc_io.mapdoc import document

    click.echo(document(form), nl=False)


@plc.command(name="monitor")
@settings_option
@click.option("--host", help="Another box than that of the settings.")
@click.option("--port", type=click.IntRange(1, 65535))
@click.option("--unit", type=click.IntRange(0, 255))
@click.option("--word-order", type=click.Choice(("high_first", "low_first")), help="As that box has it.")
@click.option("--tls-ca", type=FILE, help="With the next two: Modbus/TCP Security.")
@click.option("--tls-certificate", type=FILE)
@click.option("--tls-key", type=FILE)
@click.option("--once", is_flag=True, help="Look once. Exit 1: the box answers, but its heartbeat does not move.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a reading.")
@click.option("--every", "every_ms", type=click.IntRange(10, 60_000), default=100, show_default=True, help="ms")
def plc_monitor(settings_file: Path, once: bool, as_json: bool, every_ms: int, **box: Any) -> None:
    """Show the live register map of this box, or of any other with --host. Ctrl-C ends it."""
    from .plc_io.monitor import look, target, watch
    from .plc_io.tls_options import TlsOptions
    from .settings import read_settings

    tls, files = None, [box.pop(f"tls_{name}") for name in ("ca", "certificate", "key")]
    if all(files):
        tls = TlsOptions(ca=files[0], certificate=files[1], key=files[2])
    elif any(files):
        raise click.UsageError("--tls-ca, --tls-certificate and --tls-key belong together")
    logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # the monitor says it itself
    found = target(None if box["host"] else read_settings(settings_file).plc, **box, tls=tls)
    if once:
        sys.exit(0 if look(found, click.echo, as_json=as_json) else 1)
    try:
        watch(found, click.echo, as_json=as_json, every_ms=every_ms, colour=sys.stdout.isatty())
    except KeyboardInterrupt:
        return


@plc.command(name="check")
@settings_option
@click.option("--save", "keep", is_flag=True, help="Save a measured check that passed, for io.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plc_check(settings_file: Path, keep: bool, as_json: bool) -> None:
    """Is the gate far enough from the eye? Measured over the newest parts of the active recipe. Exit 1: too near."""
    from .appliance import commission

    settings, jobs = _jobs(settings_file)
    made = commission.check(settings, jobs.recipe(jobs.active()))
    click.echo(commission.as_json(made) if as_json else "\n".join(commission.lines(made)))
    if keep and made.found.fits:
        click.echo(f"saved to {commission.save(settings, made)}", err=as_json)
    sys.exit(0 if made.found.fits else 1)


@cli.group()
def recipe() -> None:
    """Check recipes."""


@recipe.command(name="check")
@click.argument("file", type=FILE, required=False)
@settings_option
def recipe_check(file: Path | None, settings_file: Path) -> None:
    """Read a recipe and the bundle it names; say what is wrong with them. Without FILE: every job of the settings."""
    from .appliance.jobs import check_jobs, checked

    if file is not None:
        click.echo(checked(file))
        return
    _, jobs = _jobs(settings_file)
    found = check_jobs(jobs)
    click.echo("\n".join(one.words for one in found))
    sys.exit(0 if all(one.ok for one in found) else EXIT_REFUSED)


@cli.command()
@settings_option
@click.option("--pull", "wanted", default=None, metavar="NAME", help="Fetch the bundle of this channel as well.")
@click.option("--watch", is_flag=True, help="Go on, every `every_s` seconds, until told to stop.")
def sync(settings_file: Path, wanted: str | None, watch: bool) -> None:
    """Push rejects and their records to the store of `[sync]`; with --pull, fetch a bundle. Activates nothing."""
    from .appliance.sync import sync_loop, sync_round
    from .settings import read_settings

    settings = read_settings(settings_file)
    if watch:
        become_process("sync")
        enter(settings.box.run_dir)
        sys.exit(sync_loop(settings, settings_file, wanted))
    for line in sync_round(settings, settings_file, wanted):
        click.echo(line)


@cli.command()
@click.argument("folder", type=FOLDER)
@click.option("--target", required=True, help="Folder or s3://bucket/prefix.")
@click.option("--endpoint", default=None, help="URL of an S3 server other than Amazon's.")
@click.option("--channel", required=True, help="Name that boxes pull.")
def publish(folder: Path, target: str, endpoint: str | None, channel: str) -> None:
    """Put a bundle and its channel pointer where boxes pull from."""
    from .appliance.sync import publish_bundle

    click.echo(publish_bundle(folder, target, endpoint, channel))


@cli.command()
@settings_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(settings_file: Path, as_json: bool) -> None:
    """Say what this box has and lacks, and what to do about it. Exit 1 if something must be mended."""
    from .appliance.checkup import checkup, lines

    found = checkup(settings_file)
    if as_json:
        click.echo(json.dumps([{"name": f.name, "ok": f.ok, "found": f.found, "advice": f.advice} for f in found]))
    else:
        click.echo("\n".join(lines(found)))
    sys.exit(1 if any(f.ok is False for f in found) else 0)


@cli.command()
@click.option("--parts", type=FOLDER, default=None, help="Folder of pictures in MVTec layout; default: rendered parts.")
@click.option("--headless", is_flag=True, help="End by itself after the parts; no operator page is waited on.")
@click.option("--json", "json_file", type=FILE, default=None, help="Write the results here.")
@click.option("--count", type=click.IntRange(1, 10_000_000), default=None, help="Parts to run.")
@click.option("--rate", type=click.FloatRange(0.5, 200.0), default=None, help="Parts a second at full belt speed.")
@click.option("--faults", type=click.FloatRange(0.0, 50.0), default=0.0, show_default=True, help="Faults, % of parts.")
@click.option("--varying", is_flag=True, help="The belt changes speed and stops.")
@click.option("--cameras", type=click.IntRange(1, 4), default=1, show_default=True, help="That see each part.")
@click.option("--kills", type=click.IntRange(0, 1000), default=0, help="kill -9 each process but io so many times.")
@click.option("--size", type=click.IntRange(64, 1024), default=256, show_default=True, help="Model input, px.")
@click.option(
    "--overkill",
    type=click.FloatRange(0.01, 50.0),
    default=None,
    help="Share of good parts the threshold may call NG, %. Default: 1, with --parts 5.",
)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Operator page; 0: none.")
@click.option("--modbus-port", type=click.IntRange(0, 65535), default=0, help="0: any free port.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--out", type=FOLDER, default=Path("demo-out"), show_default=True, help="Where ledger, logs, model go.")
@click.option(
    "--people/--no-people", default=True, help="One person of each role may sign in; or nobody, as on a new box."
)
@click.option("--keep-model", is_flag=True, help="Use the model of an earlier demo in OUT if there is one.")
def demo(**asked: Any) -> None:
    """Run the whole line with no hardware: simulated camera, conveyor, PLC and ejector; real everything else."""
    from .appliance.demo import DemoOptions
    from .appliance.demo import demo as run_demo

    sys.exit(run_demo(DemoOptions(**asked)))


cli.add_command(audit)
cli.add_command(bench)
bundle.add_command(import_)
cli.add_command(bundle)
cli.add_command(camera)
cli.add_command(channel)
cli.add_command(data)
cli.add_command(dataset)
cli.add_command(degraded)
cli.add_command(evaluate)
cli.add_command(backtest)
for _of_fleet in (enrol, status, resume, *OF_SERVICE):
    fleet.add_command(_of_fleet)
cli.add_command(fleet)
cli.add_command(ladder)
cli.add_command(health)
cli.add_command(promote)
cli.add_command(registry)
ledger.add_command(salvage)
ledger.add_command(trace)
cli.add_command(settings_group)
cli.add_command(support_bundle)
cli.add_command(teach)
cli.add_command(threshold)
cli.add_command(tls)
cli.add_command(train)
cli.add_command(update)


def main() -> None:
    """Open the door that was asked for; every error of okng ends as words and an exit code."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    try:
        cli(prog_name="okng")
    except OkngError as error:
        click.echo(f"okng: {error}", err=True)
        last_words(f"okng: {error}")
        code = EXIT_LOST if isinstance(error, Lost) else EXIT_FAULT if isinstance(error, Fault) else EXIT_REFUSED
        sys.exit(code)


if __name__ == "__main__":
    main()
