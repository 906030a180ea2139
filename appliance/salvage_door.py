"""`okng ledger salvage`: the rows of a damaged ledger come back, by hand, while records is stopped."""

import json
from pathlib import Path

import click

from .doors import FOLDER, settings_option


@click.command()
@settings_option
@click.option("--store", type=FOLDER, default=None, help="Folder of the store; default: that of the settings.")
@click.option("--again", is_flag=True, help="Also of files whose rescue has ended before; nothing is doubled.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
def salvage(settings_file: Path, store: Path | None, again: bool, as_json: bool, file: Path | None) -> None:
    """Take the rows of damaged ledgers over into the ledger, while records is stopped.

    Of those that were put aside in the store; with FILE also of one from elsewhere, which is copied beside first.
    records does so by itself, in the background. Exit 1: something is lost.
    """
    from ..records.salvage import salvage_now
    from ..settings import read_settings

    reports = salvage_now(store or read_settings(settings_file).records.store, file, again=again)
    if as_json:
        click.echo(json.dumps(reports, indent=2, ensure_ascii=False))
    else:
        for report in reports or [{"text": "nothing is put aside that was not rescued before"}]:
            click.echo(report.get("text", ""))
            for table, counted in report.get("tables", {}).items():
                if counted["lost"]:
                    click.echo(f"  {table}: {counted['rescued']} of {counted['found']} found, {counted['lost']} lost")
    lost = any(counted["lost"] for report in reports for counted in report.get("tables", {}).values())
    raise SystemExit(1 if lost or any(report.get("state") != "done" for report in reports) else 0)
