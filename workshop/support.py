"""What a person who is to help has to have, in one zip: settings without secrets, recipes, versions, logs, figures.

No names of people, no keys, no PIN hashes; pictures of the last rejects only where they were asked for. It is made when
something is broken: whatever cannot be had is named in it, and the rest is there.
"""

import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .. import __version__
from ..bus.clock import utc_now
from ..bus.stacks import dumps
from ..inspect.recipe import read_recipe
from ..records.read import LedgerReader
from .jobs import Bench
from .shelf import models_of
from .support_archive import Archive
from .support_facts import as_json, ledger, machine, processes, versions
from .support_secrets import LEAST, cleaned, cleaned_value, secret_files, shown_settings, struck_out

FILE = "support.zip"
_MOST_LOG = 4 << 20
_MOST_LOGS = 8
_MOST_PICTURES = 1000
_MOST_SECRET = 16 << 10


@dataclass(frozen=True)
class Place:
    """Where a box keeps what a bundle tells of."""

    settings_file: Path
    run_dir: Path
    store: Path
    recipes: Mapping[int, Path] = field(default_factory=dict)
    settings_model: type[BaseModel] | None = None
    models: Callable[[], Any] = dict
    """What the box knows of its models."""


def support_bundle(bench: Bench) -> dict[str, Any]:
    """Write the zip; return its name and what is in it."""
    box, path = bench.box, bench.folder / FILE
    model = box.settings_model
    place = Place(box.settings_file, box.run_dir, box.store, box.recipes, model, lambda: models_of(box))
    most = int(bench.order["most"]) if bench.order.get("pictures") else 0
    holds = write_bundle(place, path, most, bench.tell)
    return {"file": FILE, "size": path.stat().st_size, "holds": holds}


def write_bundle(
    place: Place, path: Path, pictures: int = 0, tell: Callable[[float, str], None] = lambda share, what: None
) -> list[str]:
    """Write the zip; return the names of its parts. pictures: of so many rejects, the last ones. OSError: it cannot be.

    tell: what it is at.
    """
    archive, known = Archive(), set[str]()

    def take(name: str, make: Callable[[], Any]) -> None:
        """One part; what goes wrong with it is told in the bundle itself."""
        try:
            made = make()
        except Exception as error:  # noqa: BLE001 - a bundle is for boxes that are broken: the rest of it must come
            archive.trouble.append(cleaned(f"{name}: {type(error).__name__}: {error}"[:2000], known))
            return
        text = cleaned(made, known) if isinstance(made, str) else as_json(cleaned_value(made, known))
        archive.add(name, text.encode())

    tell(0.1, "settings and recipes")
    take("settings.json", lambda: _settings(place, known))
    for number, recipe in place.recipes.items():
        take(f"recipes/{number}-{recipe.stem}.json", partial(_recipe, recipe))
    tell(0.3, "versions and figures")
    take("versions.json", versions)
    take("processes.json", lambda: processes(place.run_dir))
    take("machine.json", lambda: machine(place.run_dir, place.store))
    take("ledger.json", lambda: ledger(place.store))
    take("models.json", place.models)
    for dump in dumps(place.run_dir):
        take(f"dumps/{dump.name}.{dump.pid}.txt", partial(str, dump.text))
    tell(0.5, "logs")
    for name, read in _logs(place):
        take(f"logs/{name}", read)
    if pictures:
        tell(0.7, "pictures")
        try:
            for name, data in _pictures(place.store, pictures):
                archive.add(name, data)
        except Exception as error:  # noqa: BLE001 - as above
            archive.trouble.append(f"pictures: {error}")
    head = {"made at": utc_now(), "okng": __version__}
    return archive.write(path, head)


def _settings(place: Place, known: set[str]) -> dict[str, Any]:
    """The settings that may be shown. known: takes up what may not."""
    content = tomllib.loads(place.settings_file.read_text(encoding="utf-8"))
    shown = {} if place.settings_model is None else shown_settings(content, place.settings_model)
    known |= struck_out(content, shown)
    for path in secret_files(content):
        known |= _secrets_in(place.settings_file.resolve().parent / path)
    return shown


def _recipe(path: Path) -> dict[str, Any]:
    return read_recipe(path).recipe.model_dump(mode="json")


def _secrets_in(path: Path) -> set[str]:
    """Lines of a file of secrets, if it may be read. One that may not cannot have been written down by us either."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_SECRET).decode("utf-8", errors="replace")
    except OSError:
        return set()
    return {line.strip() for line in text.splitlines() if len(line.strip()) >= LEAST}


def _logs(place: Place) -> Iterator[tuple[str, Callable[[], str]]]:
    """The journal of the box's units where there is one, and log files beside the settings and in the run folder."""
    journal = _journal()
    if journal:
        yield "journal.txt", lambda: journal
    folders = dict.fromkeys((place.settings_file.resolve().parent, place.run_dir.resolve()))
    for folder in folders:
        for path in sorted(folder.glob("*.log"))[:_MOST_LOGS]:
            if path.is_file() and not path.is_symlink():
                yield path.name, partial(_tail, path)


def _journal() -> str:
    command = ["journalctl", "-q", "-u", "okng-*", "--since", "-24h", "--no-pager", "-o", "short-iso", "-n", "20000"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout[-_MOST_LOG:].decode("utf-8", errors="replace")
    return said if done.returncode == 0 and said.strip() else ""


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_LOG))
        return file.read(_MOST_LOG).decode("utf-8", errors="replace")


def _pictures(store: Path, most: int) -> Iterator[tuple[str, bytes]]:
    for row in LedgerReader(store).rows(min(_MOST_PICTURES, most), action="REJECT"):
        if row.picture_kept and row.picture:
            try:
                yield f"pictures/{row.seq}-{Path(row.picture).name}", (store / row.picture).read_bytes()
            except OSError:
                continue
