"""Row 4: bytes on the disk are not what was written: in the ledger, in a bundle, in the settings."""

import contextlib
import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from okng.bus.errors import BadBundle, BadLedger, BadRecipe, BadSettings
from okng.bus.part import Why
from okng.inspect.recipe import read_recipe
from okng.models.bundle import open_bundle
from okng.records.bookkeeping import Ripe
from okng.records.check import check
from okng.records.ledger import Ledger
from okng.records.salvage import put_aside, salvage_now
from okng.records.seal_verify import verify
from okng.records.soundness import Watch
from okng.settings import read_settings
from okng.tests.records import maker

from .row import Finding, Stand

ROWS_OF_LEDGER = 400
SECTOR = 512
Damage = Callable[[random.Random, bytearray], None]


def noise(dice: random.Random, data: bytearray) -> None:
    """A sector of noise."""
    at = dice.randrange(max(1, len(data) // SECTOR)) * SECTOR
    data[at : at + SECTOR] = dice.randbytes(min(SECTOR, len(data) - at))


def zeros(dice: random.Random, data: bytearray) -> None:
    """A sector that was never written."""
    at = dice.randrange(max(1, len(data) // SECTOR)) * SECTOR
    data[at : at + SECTOR] = bytes(min(SECTOR, len(data) - at))


def bit(dice: random.Random, data: bytearray) -> None:
    """One bit."""
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def torn(dice: random.Random, data: bytearray) -> None:
    """Only the first part was written."""
    del data[dice.randrange(len(data)) :]


KINDS: tuple[Damage, ...] = (noise, zeros, bit, torn)


class Rot:
    """Each file in each way, and who notices."""

    number = 4
    fault = "torn write, bit rot in the ledger, a bundle, the settings, a recipe"
    how = "a sector of noise, a sector of zeros, one bit, the end cut off, at random places of the closed file"
    expected = "told by name, put aside, what can be read is taken over; a damaged bundle is never used"

    def run(self, stand: Stand) -> Finding:
        """Damage, start, look."""
        stand.afresh()
        dice, times = stand.dice(self.number), stand.many(3, 100)
        folder = stand.folder / "rot"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        complaints: list[str] = []
        figures: dict[str, object] = {"times each of four kinds": times}
        for what, trial in (
            ("ledger", self._ledger(folder)),
            ("bundle", _bundle(stand)),
            ("settings", _settings(stand)),
            ("recipe", _recipe(stand)),
        ):
            told: Counter[str] = Counter()
            for kind in KINDS:
                for _ in range(times):
                    said, wrong = trial(dice, kind)
                    told[said] += 1
                    if wrong:
                        complaints.append(f"{what}, {kind.__name__}: {wrong}")
            figures[what] = ", ".join(f"{said} {n}" for said, n in sorted(told.items()))
        figures["ledger rows taken over, mean share"] = round(self._shares / max(1, self._asides), 3)
        notes = (
            "settings and recipes are for people to edit and bear no digest: a bit that makes another lawful value is "
            "told from the last good copy beside them, not by the file itself",
        )
        return Finding(figures, tuple(complaints[:10]), notes)

    _shares, _asides = 0.0, 0

    def _ledger(self, folder: Path) -> Callable[[random.Random, Damage], tuple[str, str]]:
        self._shares, self._asides = 0.0, 0
        sound = folder / "sound"
        ledger = Ledger(sound)
        batch = [
            Ripe(each)
            for part in range(1, ROWS_OF_LEDGER + 1)
            for each in (maker.trigger_entry(2 * part - 1, part), maker.record_entry(2 * part, part, Why.NG))
        ]
        ledger.store([*batch, Ripe(maker.counters_entry(2 * ROWS_OF_LEDGER + 1, ng=ROWS_OF_LEDGER))])
        ledger.rest()
        ledger.close()
        expected = contents(sound)

        def trial(dice: random.Random, kind: Damage) -> tuple[str, str]:
            store = folder / "store"
            shutil.rmtree(store, ignore_errors=True)
            shutil.copytree(sound, store)
            data = bytearray((store / "ledger.db").read_bytes())
            kind(dice, data)
            (store / "ledger.db").write_bytes(data)
            Ledger(store).close()
            if put_aside(store):
                reports = salvage_now(store)
                self._asides += 1
                self._shares += len(contents(store).get("part", ())) / ROWS_OF_LEDGER
                return "put aside", "" if reports else "put aside, and nothing was taken over"
            if whole(store):
                return "found behind the line", ""
            if not verify(store / "ledger.db").sound:
                return "told by the seals", ""
            try:
                if check(store).problems:
                    return "told by the ledger's check", ""
            except BadLedger as error:
                return "told by every reader", "" if "ledger.db" in str(error) else f"the file is not named: {error}"
            now = contents(store)
            changed = [table for table in expected if now.get(table) != expected[table]]
            if changed:
                return "unseen", f"{', '.join(changed)} read otherwise, and nobody says so"
            return "harmless", ""

        return trial


def whole(store: Path) -> str | None:
    """What the look at the whole file, which goes on behind the line, finds; None or empty: nothing."""
    watch = Watch(store / "ledger.db")
    try:
        while (found := watch.found()) is None:
            pass
        return found
    finally:
        watch.close()


def contents(store: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a reader gets of the tables that are for good."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with contextlib.closing(sqlite3.connect(f"file:{store}/ledger.db?mode=ro", uri=True)) as db:
        for table in ("part", "trigger", "outbox", "audit", "epoch", "counter_snapshot"):
            with contextlib.suppress(sqlite3.DatabaseError):
                found[table] = sorted(db.execute(f"select * from {table}").fetchall(), key=repr)
    return found


def _bundle(stand: Stand) -> Callable[[random.Random, Damage], tuple[str, str]]:
    sound = stand.box.space.model
    copy = stand.folder / "rot" / "bundle"

    def trial(dice: random.Random, kind: Damage) -> tuple[str, str]:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(sound, copy)
        file = dice.choice(sorted(path for path in copy.rglob("*") if path.is_file()))
        damaged(file, dice, kind)
        if file.read_bytes() == (sound / file.relative_to(copy)).read_bytes():
            return "as it was", ""
        try:
            open_bundle(copy)
        except BadBundle as error:
            return "refused", "" if file.name in str(error) else f"{file.name} is not named: {error}"
        return "used", f"{file.name} was changed and is used"

    return trial


def _settings(stand: Stand) -> Callable[[random.Random, Damage], tuple[str, str]]:
    return _text(stand, stand.box.space.settings, lambda file: json.loads(read_settings(file).model_dump_json()))


def _recipe(stand: Stand) -> Callable[[random.Random, Damage], tuple[str, str]]:
    return _text(stand, stand.box.space.recipe, lambda file: json.loads(read_recipe(file).recipe.model_dump_json()))


def _text(
    stand: Stand, sound: Path, read: Callable[[Path], object]
) -> Callable[[random.Random, Damage], tuple[str, str]]:
    """Files that people write: damage is refused by name, or makes no difference, or another lawful value."""
    file = sound.with_name(f"rot-{sound.name}")

    def trial(dice: random.Random, kind: Damage) -> tuple[str, str]:
        shutil.copyfile(sound, file)
        try:
            damaged(file, dice, kind)
            return ("makes no difference", "") if read(file) == read(sound) else ("another lawful value", "")
        except (BadSettings, BadRecipe) as error:
            return "refused", "" if file.name in str(error) else f"the file is not named: {error}"
        finally:
            file.unlink()

    return trial


def damaged(file: Path, dice: random.Random, kind: Damage) -> None:
    """Damage a file where it lies."""
    data = bytearray(file.read_bytes())
    if data:
        kind(dice, data)
    file.write_bytes(data)


ROWS = (Rot(),)
