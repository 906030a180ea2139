"""`okng ledger trace`: from a part to all that made it what it is, from a model, recipe, lot, camera to its parts."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bus.errors import BadSettings
from .doors import FOLDER, default_settings

if TYPE_CHECKING:
    from ..records.trace_back import By

_BACK = "Back to all parts of "


@click.command()
@click.argument("what", default="")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), default=None, help="The box's settings.")
@click.option("--store", type=FOLDER, default=None, help="Folder of the store; default: that of the settings.")
@click.option("--seq", type=click.IntRange(1), default=None, help="The part of that number in the ledger.")
@click.option("--model", default="", metavar="DIGEST", help=_BACK + "this model; its first digits do.")
@click.option("--recipe", default="", metavar="NAME[@REVISION]", help=_BACK + "this recipe.")
@click.option("--lot", default="", help=_BACK + "this lot.")
@click.option("--camera", default="", help=_BACK + "this camera, whether it decided or only looked on.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Parts on a page.")
@click.option("--before", type=click.IntRange(1), default=None, metavar="SEQ", help="The page before this number.")
@click.option("--no-verify", is_flag=True, help="Do not hash the pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def trace(
    what: str,
    settings_file: Path | None,
    store: Path | None,
    seq: int | None,
    model: str,
    recipe: str,
    lot: str,
    camera: str,
    limit: int,
    before: int | None,
    no_verify: bool,
    as_json: bool,
) -> None:
    """Tell the history of the part with the serial number or part number WHAT: all readings of it.

    Exit 1: no such part, or a picture that should be there is not the one that was kept.
    """
    named = {"model": model, "recipe": recipe, "lot": lot, "camera": camera}
    asked = [kind for kind, name in named.items() if name]
    if len(asked) + bool(what) + bool(seq) != 1:
        raise click.UsageError("expected one of WHAT, --seq, --model, --recipe, --lot, --camera")
    folder = store or _store(settings_file)
    if asked:
        from ..records.trace_back import By

        name, _, revision = named[asked[0]].partition("@") if asked[0] == "recipe" else (named[asked[0]], "", "")
        by = By(asked[0], name, revision)  # type: ignore[arg-type]
        sys.exit(_back(folder, by, limit, before, as_json=as_json))
    sys.exit(_forth(folder, what, seq, verify=not no_verify, as_json=as_json))


def _store(settings_file: Path | None) -> Path:
    from ..settings import read_settings

    file = settings_file or default_settings()
    if not file.exists():
        raise BadSettings(f"{file}: not found; name the settings by --settings, or the store by --store")
    return read_settings(file).records.store


def _forth(store: Path, what: str, seq: int | None, *, verify: bool, as_json: bool) -> int:
    from ..records.part_trace import Tracer
    from .trace_words import trace_lines

    tracer = Tracer(store)
    seqs = [seq] if seq is not None else tracer.readings(what)
    found = [one for one in (tracer.trace(each, verify=verify) for each in seqs) if one is not None]
    if as_json:
        click.echo(json.dumps({"parts": [one.as_json() for one in found]}, indent=2, ensure_ascii=False))
    else:
        for n, one in enumerate(found):
            click.echo(("\n" if n else "") + "\n".join(trace_lines(one)))
        if not found:
            click.echo(f"no part {what or seq}", err=True)
    wrong = any(held.sound is False for one in found for held in one.pictures)
    return 0 if found and not wrong else 1


def _back(store: Path, by: "By", limit: int, before: int | None, *, as_json: bool) -> int:
    from ..records.trace_back import BackTracer
    from .trace_words import part_lines, sums_lines

    tracer = BackTracer(store)
    sums, page = tracer.sums(by), tracer.page(by, limit, before)
    if as_json:
        body: dict[str, Any] = {"sums": dataclasses.asdict(sums), "parts": page.parts, "before": page.before}
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join((*sums_lines(by, sums), *part_lines(page.parts))))
        if page.before is not None:
            click.echo(f"more: --before {page.before}")
    return 0 if sums.parts else 1
