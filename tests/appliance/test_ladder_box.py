"""A recipe comes onto the ladder, bundles come together where sync may write, and the door says what sync says."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from okng.appliance.ladder_box import adopt, bundles_of, ladder_box, move_in, recipes_of, slot_of
from okng.appliance.ladder_door import ladder
from okng.bus.asks import Ask, Desk
from okng.bus.channel import AskDoor, ask_address
from okng.bus.errors import BadSettings
from okng.fleet.ladder_slots import FACTORY, LAST_GOOD, active
from okng.inspect.recipe import read_recipe
from okng.models.bundle import write_bundle
from okng.models.manifest import digest
from okng.settings import read_settings

from ..models.conftest import contents, fields, graph
from .test_jobs import write_recipe, write_settings


@pytest.fixture
def box(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "good", contents(graph().SerializeToString()), fields())
    write_recipe(tmp_path / "cap.yaml", "good")
    return write_settings(tmp_path, "")


def test_bundles_lie_beside_the_ledger_unless_the_settings_say_otherwise(box: Path) -> None:
    assert bundles_of(read_settings(box)) == box.parent / "bundles"
    box.write_text(box.read_text() + "[fleet]\nservice = 'https://fleet.example'\nca = 'ca.pem'\nbundles = 'shelf'\n")
    assert bundles_of(read_settings(box)) == box.parent / "shelf"


def test_a_recipe_that_names_a_folder_says_how_it_comes_onto_the_ladder(box: Path) -> None:
    (found,) = recipes_of(read_settings(box))
    assert (found.name, found.job) == ("cap", 7)
    assert "okng ladder adopt --job 7" in found.trouble


def test_adopted_it_names_the_slot_and_keeps_everything_else(box: Path) -> None:
    before = read_recipe(box.parent / "cap.yaml")
    wanted = digest(box.parent / "good")
    assert len(list(adopt(box, 7))) == 3
    settings = read_settings(box)
    after = read_recipe(settings.recipes[7])
    slot = slot_of(settings, "cap")
    place = (box.parent / "bundles" / wanted).resolve()
    assert after.path.name == "cap.r0002.yaml"
    assert after.bundles == {str(slot): place}
    assert after.recipe.model_copy(update={"bundle": before.recipe.bundle}) == before.recipe
    for link in (slot, slot.with_name(LAST_GOOD), slot.with_name(FACTORY)):
        assert active(link) == place
    (found,) = ladder_box(settings, box).recipes()
    assert (found.trouble, found.slot) == ("", slot)
    assert len(list(adopt(box, 7))) == 2  # again: nothing is left to do
    assert read_settings(box).recipes == settings.recipes


def test_adopting_a_job_that_is_not_there_is_refused(box: Path) -> None:
    with pytest.raises(BadSettings, match="job 9: expected one of 7"):
        list(adopt(box, 9))


def test_bundles_of_an_older_okng_are_copied_once_and_damaged_ones_are_left(tmp_path: Path) -> None:
    old, new = tmp_path / "recipes" / "bundles", tmp_path / "bundles"
    old.mkdir(parents=True)
    write_bundle(old / "made", contents(graph().SerializeToString()), fields())
    wanted = digest(old / "made")
    (old / "made").rename(old / wanted)
    torn = old / ("0" * 64)
    torn.mkdir()
    (torn / "manifest.json").write_text("{")
    assert move_in(old, new) == 1
    assert digest(new / wanted) == wanted
    assert (old / wanted).is_dir()
    assert move_in(old, new) == 0
    assert move_in(tmp_path / "nowhere", new) == 0


@pytest.fixture
def sync(box: Path) -> Iterator[list[Ask]]:
    """Answers as sync would, and keeps what was asked."""
    asked: list[Ask] = []
    run = read_settings(box).box.run_dir
    run.mkdir(exist_ok=True)

    def show(ask: Ask) -> dict[str, Any]:
        entry = {"recipe": "cap", "bundle": "ab" * 32, "rung": "ROLLED_BACK", "parts": 12, "ng": 1, "days": 0.5}
        entry |= {"reason": "rejects rose", "name": "cap", "version": "1.0", "last_good": False, "factory": False}
        entry |= {"local": False, "locked": True, "held": False, "ticket": False}
        recipe = {"recipe": "cap", "job": 7, "trouble": "", "waits": "ring first is not open yet", "bundles": [entry]}
        return {"recipes": [recipe], "stopped": "ann: smoke", "advice": [], "expired": False, "why": "", "unsent": 2}

    def note(ask: Ask) -> dict[str, Any]:
        asked.append(ask)
        return {}

    names = ("unlock", "stop", "waive", "seen", "offer", "back")
    desk = Desk("sync", {"ladder.show": show, **{f"ladder.{name}": note for name in names}})
    stop = threading.Event()
    with AskDoor(ask_address(run, "sync")) as door:

        def serve() -> None:
            while not stop.is_set():
                door.serve(desk, 20)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        stop.set()
        thread.join()


def test_the_door_shows_where_bundles_stand(box: Path, sync: list[Ask]) -> None:
    done = CliRunner().invoke(ladder, ["show", "--settings", str(box)], catch_exceptions=False)
    assert done.exit_code == 0
    for shown in ("abababababab", "ROLLED_BACK", "locked", "rejects rose", "ann: smoke", "ring first", "2 steps"):
        assert shown in done.output, shown


def test_the_door_takes_the_beginning_of_a_digest_and_a_reason(box: Path, sync: list[Ask]) -> None:
    command = ["unlock", "cap", "abab", "--settings", str(box)]
    assert CliRunner().invoke(ladder, command).exit_code == 2  # no reason
    done = CliRunner().invoke(ladder, [*command, "--reason", "the lamp"], catch_exceptions=False)
    assert done.exit_code == 0
    (ask,) = sync
    assert (ask.name, ask.reason, ask.right) == ("ladder.unlock", "the lamp", "model.activate")
    assert ask.body == {"recipe": "cap", "bundle": "ab" * 32}
    CliRunner().invoke(ladder, ["stop", "--settings", str(box), "--reason", "smoke"], catch_exceptions=False)
    assert sync[-1].body == {"on": True}
    CliRunner().invoke(ladder, ["back", "cap", "--settings", str(box), "--reason", "x"], catch_exceptions=False)
    assert sync[-1].name == "ladder.back"
