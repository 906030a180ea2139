"""Pieces of work that change something for good: what stood before, the work, and what may stand afterwards.

After a stop at any point the old or the new must stand there, whole; after the end only the new.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import apsw
import numpy as np

from okng.appliance.workshop_of import box_of
from okng.bus.asks import Ask, new_id
from okng.bus.part import Why
from okng.bus.rights import COMMANDS
from okng.fleet import activate as activation
from okng.identity.box_key import BoxKey
from okng.inspect.recipe import read_recipe
from okng.models.bundle import open_bundle, write_bundle
from okng.records.backup import Backups
from okng.records.bookkeeping import Ripe
from okng.records.check import check
from okng.records.ledger import Ledger
from okng.records.lineage import Lineage, read_lineage, write_lineage
from okng.records.pictures import PictureShelf, encode, picture_path
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.tasks import records_desk
from okng.settings import read_settings
from okng.tests.fleet.test_activate import make
from okng.tests.records import maker
from okng.workshop.recipe_text import save, versions
from okng.workshop.settings_text import Change, changed_text, read_text, write_checked

_SETTINGS = """\
recipe = "recipe.yaml"

[camera.top]
driver = "gentl"
producer = "/opt/maker.cti"
serial = "SN0000"

[records]
store = "store"
"""
_RECIPE = """\
name: cap
deadline_ms: 100
bundle: current
camera: {pixel_format: Mono8, width: 64, height: 48, trigger: software, exposure_us: 200.0}
regions: [{name: whole, box: full}]
"""
ROWS, PICTURES = 200, 6
_LONG_AFTER = datetime(2027, 6, 1, tzinfo=UTC)
_OLD_LEDGER = Path(__file__).parent.parent / "records" / "ledger_v1.sql"


@dataclass(frozen=True, slots=True)
class Act:
    """One piece of work in a folder of its own."""

    name: str
    prepare: Callable[[Path], object]
    """Make what stood before."""
    work: Callable[[Path], object]
    state: Callable[[Path], str]
    """`old`, `new`, or what is wrong, asked of the product's own readers as at the next start."""
    points: int = 0
    """So many points, evenly spread, are enough where there are hundreds; 0: all."""


# -- settings and recipe, as the workshop writes them ------------------------------------------------------------


def _settings(folder: Path) -> None:
    (folder / "okng.toml").write_text(_SETTINGS, encoding="utf-8")
    (folder / "recipe.yaml").write_text(_RECIPE, encoding="utf-8")


def _change_settings(folder: Path) -> None:
    file = folder / "okng.toml"
    text, base = read_text(file)
    write_checked(file, changed_text(text, [Change("box", "name", "new")]), base, box_of)


def _settings_state(folder: Path) -> str:
    return "new" if read_settings(folder / "okng.toml").box.name == "new" else "old"


def _save_recipe(folder: Path) -> None:
    save(_RECIPE.replace("200.0", "300.0"), folder / "recipe.yaml")


def _recipe_state(folder: Path) -> str:
    read_recipe(folder / "recipe.yaml")
    newest = read_recipe(versions(folder / "recipe.yaml")[-1]).recipe
    return "new" if newest.section("top").exposure_us == 300.0 else "old"


# -- bundles -----------------------------------------------------------------------------------------------------


def _bundle(folder: Path, version: str) -> None:
    make(folder / version, version=version)


def _replace(folder: Path) -> None:
    """The same files with another version, over the bundle that is there."""
    place = folder / "1.0.0"
    fields = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    names = fields.pop("files")
    fields.pop("check", None)
    write_bundle(
        place, {name: (place / name).read_bytes() for name in names}, {**fields, "version": "2.0.0"}, replace=True
    )


def _bundles(folder: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        _bundle(folder, version)
    _point(folder, "1.0.0")


def _point(folder: Path, name: str) -> None:
    with mock.patch.object(activation, "proved"):  # the proof changes nothing on the disk
        activation.activate(folder / name, folder / "current")


def _rolled_back(folder: Path) -> None:
    _bundles(folder)
    for version in ("2.0.0", "1.0.0"):
        _point(folder, version)


def _slot_state(folder: Path) -> str:
    found = activation.active(folder / "current")
    if found is None:
        return "neither: the link leads nowhere"
    open_bundle(found)
    return {"1.0.0": "old", "2.0.0": "new"}[found.name]


def _written_state(folder: Path) -> str:
    """A folder with the name of a bundle is one, whole."""
    if not (folder / "1.0.0").exists():
        return "old"
    open_bundle(folder / "1.0.0")
    return "new"


def _replaced_state(folder: Path) -> str:
    return "new" if open_bundle(folder / "1.0.0").manifest.version == "2.0.0" else "old"


# -- what records keeps ------------------------------------------------------------------------------------------


def _note(folder: Path) -> None:
    write_lineage(folder, Lineage("box", 1, 10))


def _note_state(folder: Path) -> str:
    found = read_lineage(folder)
    return {None: "neither", Lineage("box", 1, 10): "old", Lineage("box", 2, 11): "new"}[found]


def _key_state(folder: Path) -> str:
    """What a start finds: a key that loads, or none, and then it makes one."""
    before = (folder / "box.key").exists()
    BoxKey.load_or_make(folder / "box.key")
    return "new" if before else "old"


def _old_ledger(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as db:
        db.executescript(_OLD_LEDGER.read_text(encoding="utf-8"))
        db.execute("pragma journal_mode = wal")
        db.commit()


def _open_ledger(folder: Path) -> None:
    Ledger(folder).close()


def _migrated_state(folder: Path) -> str:
    """Old and new alike: it opens as new, with every row it had, and nothing was put aside."""
    before = _version(folder)
    _open_ledger(folder)
    if list(folder.glob("*.corrupt-*")):
        return "neither: put aside as damaged"
    with closing(sqlite3.connect(folder / "ledger.db")) as db, closing(sqlite3.connect(":memory:")) as old:
        old.executescript(_OLD_LEDGER.read_text(encoding="utf-8"))
        for table in ("trigger", "part", "outbox", "audit"):
            (now,), (then,) = (one.execute(f"select count(*) from {table}").fetchone() for one in (db, old))
            if now < then:
                return f"neither: {table} has {now} rows of {then}"
    return "old" if before == 1 else "new"


def _version(folder: Path) -> int:
    """Of the file as it lies there: read from a copy, because looking would repair it."""
    copy = folder.with_name(f"{folder.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    try:
        with closing(sqlite3.connect(copy / "ledger.db")) as db:
            return int(db.execute("pragma user_version").fetchone()[0])
    finally:
        shutil.rmtree(copy)


def _ledger(folder: Path) -> None:
    ledger = Ledger(folder)
    entries = [
        each
        for part in range(1, ROWS + 1)
        for each in (maker.trigger_entry(2 * part - 1, part), maker.record_entry(2 * part, part, Why.NG))
    ]
    ledger.store([Ripe(each) for each in (*entries, maker.counters_entry(2 * ROWS + 1, ng=ROWS))])
    ledger.rest()
    backups = Backups(ledger, folder)
    desk = records_desk(ledger, folder, lambda: "", lambda _: None, backups)
    desk.answer(Ask(new_id(), "account.first", "", "", "", {"name": "ann", "password": "correct horse"}))
    ledger.close()


def _back_up(folder: Path) -> None:
    ledger = Ledger(folder)
    backups = Backups(ledger, folder)
    backups.make(Ask(new_id(), "backup.make", "ann", COMMANDS["backup.make"].right))
    backups._thread.join() if backups._thread else None
    backups.settle()
    ledger.close()


def _backup_state(folder: Path) -> str:
    """A file with the name of a backup is one, and the ledger is sound either way."""
    if problems := check(folder).problems:
        return f"neither: {problems[0]}"
    made = [file for file in folder.glob("backups/*.db") if not file.name.endswith(".part")]
    for file in made:
        with closing(sqlite3.connect(file)) as db:
            if db.execute("pragma integrity_check").fetchone()[0] != "ok":
                return f"neither: {file.name} is damaged"
            if db.execute("select count(*) from part").fetchone()[0] != ROWS:
                return f"neither: {file.name} has not all rows"
    return "new" if made else "old"


def _pictured(folder: Path) -> None:
    """Rejects with their pictures, older than they may be kept."""
    ledger, shelf = Ledger(folder), PictureShelf(folder)
    for part in range(1, PICTURES + 1):
        seen = maker.frame(part)
        kept = shelf.put(picture_path(seen, "png"), encode(np.full((48, 64), part, np.uint8), "png", 95), 64, 48)
        shelf.settle()
        entries = maker.trigger_entry(2 * part - 1, part), maker.record_entry(2 * part, part, Why.NG)
        ledger.store([Ripe(entries[0]), Ripe(entries[1], seen, (), kept)])
    ledger.store([Ripe(maker.counters_entry(2 * PICTURES + 1, ng=PICTURES))])
    ledger.close()


def _retain(folder: Path) -> None:
    ledger = Ledger(folder)

    def write(do: Callable[[apsw.Connection], Any]) -> Any:
        with ledger.transaction() as db:
            return do(db)

    retention = Retention(folder, RetentionOptions(reject_days=1, thumb_days=1), write, now=lambda: _LONG_AFTER)
    while retention.step():
        pass
    ledger.close()


def _retained_state(folder: Path) -> str:
    """Every picture that a row names is there, whole; what went, went from its row first."""
    _open_ledger(folder)
    if problems := check(folder, full=True).problems:
        return f"neither: {problems[0]}"
    with closing(sqlite3.connect(folder / "ledger.db")) as db:
        (left,) = db.execute("select count(*) from part where picture_kept = 1").fetchone()
    return "old" if left else "new"


ACTS: tuple[Act, ...] = (
    Act("settings edit", _settings, _change_settings, _settings_state),
    Act("recipe release", _settings, _save_recipe, _recipe_state),
    Act("bundle written", lambda _: None, lambda folder: _bundle(folder, "1.0.0"), _written_state),
    Act("bundle replaced", lambda folder: _bundle(folder, "1.0.0"), _replace, _replaced_state),
    Act("bundle activation", _bundles, lambda folder: _point(folder, "2.0.0"), _slot_state),
    Act("bundle rollback", _rolled_back, lambda folder: _point(folder, "2.0.0"), _slot_state),
    Act("note beside the ledger", _note, lambda folder: write_lineage(folder, Lineage("box", 2, 11)), _note_state),
    Act("identity key", lambda _: None, lambda folder: BoxKey.load_or_make(folder / "box.key"), _key_state),
    Act("ledger migration", _old_ledger, _open_ledger, _migrated_state, points=24),
    Act("retention", _pictured, _retain, _retained_state, points=24),
    Act("backup", _ledger, _back_up, _backup_state, points=16),
)
