"""The ladder in its threads beside the uplink: it answers at its door, and says why where it cannot climb."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from okng.bus.asks import Answer, Ask, new_id
from okng.bus.channel import ask_once
from okng.bus.ladder import Rung
from okng.fleet import ladder as climb
from okng.fleet.climb_beside import LadderBeside
from okng.fleet.climb_box import ClimbBox, RecipeAt
from okng.fleet.ladder_file import FILE, read_ladder, write_ladder
from okng.fleet.ladder_slots import set_up
from okng.fleet.ladder_state import Ladder
from okng.fleet.state_report import Told

from .test_activate import make

CHANNEL = "line1/cap/champion"
LIMIT_S = 30.0


class Home:
    """A box with one bundle in its slot, without a channel."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bundles = folder, folder / "bundles"
        self.bundle = make(folder / "new")
        self.bundles.mkdir()
        (folder / "new").rename(self.bundles / self.bundle)
        slot = self.bundles / "slots" / "cap" / "current"
        set_up(slot, self.bundles / self.bundle)
        (folder / "run").mkdir()
        recipe = RecipeAt("cap", 1, "0123456789ab", slot, 100.0)
        box = ClimbBox("box1", folder / "run", folder / "store", self.bundles, lambda: (recipe,), nightly_s=1e9)
        self.beside = LadderBeside(box, None, folder / "channel", ("line1",))
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def begin(self) -> None:
        nobody: Any = None  # without a channel nobody is asked
        self.threads = list(self.beside.begin(nobody, self.stop))
        for thread in self.threads:
            thread.start()

    def ask(self, name: str, reason: str = "", **body: Any) -> Answer:
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            made = Ask(new_id(), name, "ann", "model.activate", reason, body)
            if (answer := ask_once(self.folder / "run", "sync", made, 1000)) is not None:
                return answer
        raise AssertionError("no answer")

    def close(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()


@pytest.fixture
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="okc", dir="/tmp"))
    made = Home(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


def until(wanted: Any) -> None:
    end = time.monotonic() + LIMIT_S
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_it_finds_its_champion_and_answers_at_its_door(home: Home) -> None:
    home.begin()
    until(lambda: home.ask("ladder.show").body["recipes"][0]["bundles"])
    shown = home.ask("ladder.show").body["recipes"][0]
    assert (shown["recipe"], shown["bundles"][0]["bundle"]) == ("cap", home.bundle)
    assert shown["bundles"][0]["rung"] == "CHAMPION"
    until(lambda: home.beside.ladder())
    assert home.beside.ladder()[0]["rung"] == "CHAMPION"
    assert "expected a reason" in home.ask("ladder.stop", on=True).detail
    assert home.ask("ladder.stop", "smoke", on=True).done
    assert read_ladder(home.bundles).stopped == "ann: smoke"
    refused = home.ask("ladder.back", "please", recipe="cap")
    assert "there is no bundle to go back to" in refused.detail


def test_a_damaged_ladder_stops_the_climb_alone_and_says_which_file(home: Home) -> None:
    (home.bundles / FILE).write_text("torn")
    home.begin()
    answer = home.ask("ladder.show")
    assert not answer.done
    assert f"{FILE}: not a ladder" in answer.detail
    assert home.beside.ladder() == []


def test_a_person_at_the_service_unlocks(home: Home) -> None:
    bad = "b" * 64
    made = climb.offer(climb.adopt(Ladder(), "cap", home.bundle, 0.0), "cap", bad, CHANNEL, 1, 0.0)
    write_ladder(home.bundles, climb.refuse(made, "cap", bad, "damaged", 0.0))
    home.begin()
    until(lambda: len(home.beside.ladder()) == 2)
    home.beside.told(Told(False, ("c" * 64, bad)))
    until(lambda: read_ladder(home.bundles).known("cap", bad).rung is Rung.OFFERED)
    step = read_ladder(home.bundles).unsent[-1]
    assert (step.who, step.reason) == ("fleet", "unlocked at the fleet service")
    home.beside.told(Told(True, (bad,)))  # said until the next step: nothing more happens
    assert home.ask("ladder.show").done
