"""`okng audit`: prove that nothing was changed since it was written, sign how far all has come, hand the trail over."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from .doors import FILE, FOLDER, settings_option

ANSWER_MS = 2000


@click.group()
def audit() -> None:
    """Prove the audit trail and the sealed rows, sign a head, export the trail."""


def _store(settings_file: Path, store: Path | None) -> Path:
    if store is not None:
        return store
    from ..settings import read_settings

    return read_settings(settings_file).records.store


store_option = click.option("--store", type=FOLDER, default=None, help="Of the ledger; default: that of the settings.")


@audit.command()
@settings_option
@click.option("--ledger", type=FILE, default=None, help="A backup, or the ledger.db of another place.")
@store_option
@click.option("--heads", type=FILE, multiple=True, help="Signed heads that were kept elsewhere; may be given often.")
@click.option("--key", type=FILE, default=None, help="The box's public key (PEM) from elsewhere; else each head's own.")
@click.option("--full", is_flag=True, help="Hash every kept picture too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(
    settings_file: Path,
    ledger: Path | None,
    store: Path | None,
    heads: tuple[Path, ...],
    key: Path | None,
    full: bool,
    as_json: bool,
) -> None:
    """Say which row was changed, taken out, put in or moved since it was written. Exit 1 if any was.

    Records may run or be stopped; nothing is written. That all of it was made anew shows only against --heads that
    were kept where the box cannot write.
    """
    from dataclasses import asdict, replace

    from ..bus.errors import BadKey
    from ..records.seal_audit import audit_store, ledger_of
    from .audit_words import proof_lines

    asked = ledger_of(ledger or _store(settings_file, store))
    try:
        pem = key.read_text(encoding="ascii") if key else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadKey(f"{key}: cannot be read: {error}") from error
    asked = replace(asked, store=store or asked.store, heads=heads, public_pem=pem, full=full)
    found = audit_store(asked)
    click.echo(
        json.dumps({"sound": found.sound, **asdict(found)}, indent=2, ensure_ascii=False)
        if as_json
        else "\n".join(proof_lines(found))
    )
    sys.exit(0 if found.sound else 1)


@audit.command()
@settings_option
@store_option
@click.option("--json", "as_json", is_flag=True, help="Print it as a line of heads.jsonl.")
def head(settings_file: Path, store: Path | None, as_json: bool) -> None:
    """Have a head signed and print it; where records does not run, the newest one."""
    from ..bus.asks import Ask, new_id
    from ..bus.channel import ask_once
    from ..bus.errors import BadLedger
    from ..records.seal_heads import head_of
    from ..records.seal_read import SealReader
    from ..settings import read_settings
    from .audit_words import head_lines

    answer, found = None, None
    if store is None:
        settings = read_settings(settings_file)
        store = settings.records.store
        answer = ask_once(settings.box.run_dir, "records", Ask(new_id(), "audit.head", "", ""), ANSWER_MS)
    if answer is not None and answer.done:
        found = head_of(json.loads(answer.body["line"]))
    else:
        click.echo(answer.detail if answer else "records does not run: the newest head there is", err=True)
        found = SealReader(store).head()
    if found is None:
        raise BadLedger(f"{store}: no head was signed yet")
    click.echo(found.line if as_json else "\n".join(head_lines(found)))


@audit.command()
@settings_option
@store_option
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.option("--since", default="", help="Only lines of then or later, UTC, for example 2026-11-23T06:00.")
@click.option("--until", default="", help="Only lines before, UTC.")
@click.argument("out", type=click.File("wb"), default="-")
def export(settings_file: Path, store: Path | None, kind: str, since: str, until: str, out: Any) -> None:
    """Write the audit trail, oldest first, to OUT (default: standard output): every line with its hash."""
    from ..records.audit_export import export_trail

    click.echo(f"{export_trail(_store(settings_file, store), out, kind, since, until)} lines", err=True)
