"""The climb of real bundles, with real trials in throw-away processes, beside a line that speaks over real sockets."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from okng.bus.asks import Ask, Desk, new_id
from okng.bus.errors import BadBundle, StoreLost
from okng.bus.ladder import Role
from okng.fleet import climb_chores
from okng.fleet.channel_offer import Pinned, Standing, Ticket
from okng.fleet.channel_own import OwnWord
from okng.fleet.climb import Climb
from okng.fleet.climb_box import ClimbBox, RecipeAt
from okng.fleet.climb_trial import Rehearsal, rehearse
from okng.fleet.ladder_file import read_ladder
from okng.fleet.ladder_slots import FACTORY, LAST_GOOD, active
from okng.fleet.shelf_keeper import sweep
from okng.fleet.signing import sign
from okng.records.beside_read import Judged

from .climb_kit import FakeLine, FolderSource, offered, told
from .signers import Signing
from .test_activate import make

LIMIT_S = 60.0


@pytest.fixture(scope="module")
def shelf() -> Iterator[tuple[Path, Path, list[str]]]:
    """A folder with three bundles signed under one authority, its certificate, and their digests."""
    folder = Path(tempfile.mkdtemp(prefix="okc", dir="/tmp"))
    try:
        authority = Signing(folder, "plant")
        person = Signing(folder, "person", authority)
        digests = []
        for number in range(3):
            digest = make(folder / "new", version=f"1.0.{number}")
            sign(folder / "new", person.key, person.certificate, ())
            (folder / "new").rename(folder / digest)
            digests.append(digest)
        yield folder, authority.certificate, digests
    finally:
        shutil.rmtree(folder)


class Floor:
    """Kept as long as the test."""

    def __init__(self) -> None:
        self.seqs: dict[str, int] = {}

    def highest(self, channel: str) -> int:
        return self.seqs.get(channel, 0)

    def raise_to(self, channel: str, seq: int) -> None:
        self.seqs[channel] = max(seq, self.highest(channel))


class World:
    """A box, its line and its channel, on a wall clock of its own."""

    def __init__(self, home: Path, shelf: tuple[Path, Path, list[str]]) -> None:
        self.shelf, self.authority, (self.a, self.b, self.c) = shelf[0], shelf[1], shelf[2]
        self.bundles = home / "bundles"
        self.slot = self.bundles / "slots" / "cap" / "current"
        self.slot.parent.mkdir(parents=True)
        shutil.copytree(self.shelf / self.a, self.bundles / self.a)
        self.slot.symlink_to(self.bundles / self.a)
        run = home / "run"
        run.mkdir()
        self.recipe = RecipeAt("cap", 1, "0123456789ab", self.slot, 100.0)
        self.box = ClimbBox(
            "box1", run, home / "store", self.bundles, lambda: (self.recipe,), authorities=(self.authority,)
        )
        self.source = FolderSource(self.shelf, self.bundles)
        self.line = FakeLine(run, self.a)
        self.own = OwnWord(home / "own", "box1", Floor())
        self.ahead_s = 0.0
        self.climb = self.begin()
        self.desk = Desk("sync", self.climb.handlers())

    def now(self) -> float:
        return time.time() + self.ahead_s

    def begin(self) -> Climb:
        self.climb = Climb(self.box, self.source, self.own, self.now)
        self.desk = Desk("sync", self.climb.handlers())
        return self.climb

    def again(self) -> None:
        """As after a kill: nothing is kept but what is on the disk."""
        self.climb._line.close()
        self.begin()

    def offer(self, *offers: Any, **standing: Any) -> None:
        self.source.said = Standing(offers=offers, fresh_until="2027-01-01T00:00:00Z", **standing)

    def ask(self, name: str, reason: str = "", **body: Any) -> dict[str, Any]:
        answer = self.desk.answer(Ask(new_id(), name, "ann", "model.activate", reason, body))
        assert answer.done, answer.detail
        return answer.body

    def turn(self, parts: int = 0) -> None:
        self.line.turn(parts)
        self.climb.turn(time.monotonic_ns())
        self.climb.work()

    def until(self, wanted: Callable[[], object], parts: int = 0) -> None:
        end = time.monotonic() + LIMIT_S
        while not wanted():
            assert time.monotonic() < end, (self.climb.ladder.entries, self.climb.steps.said)
            self.turn(parts)
            time.sleep(0.01)

    def rung(self, bundle: str) -> str:
        entry = self.climb.ladder.entry("cap", bundle)
        return "" if entry is None else str(entry.rung)

    def look(self) -> None:
        if self.rung(self.b) == "SHADOW" and not self.climb.ladder.known("cap", self.b).seen:
            self.ask("ladder.seen", recipe="cap", bundle=self.b)

    def to_champion(self) -> None:
        """B climbs all the way."""
        self.offer(offered(self.b))
        self.until(lambda: self.rung(self.b) == "SHADOW")
        self.look()
        self.until(lambda: self.rung(self.b) == "CHAMPION", parts=5)

    def close(self) -> None:
        self.climb.close()
        self.line.close()


@pytest.fixture
def world(shelf: tuple[Path, Path, list[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Where the line is what matters: trials have been seen to pass elsewhere, and are taken for granted."""
    monkeypatch.setattr(climb_chores, "load", lambda *_: {})
    monkeypatch.setattr(climb_chores, "rehearse", lambda *_, **__: Rehearsal(300, 2, "", "", 1.0, 1.0, 1.0, 100))
    yield from _world(shelf)


@pytest.fixture
def real_world(shelf: tuple[Path, Path, list[str]]) -> Iterator[World]:
    """Nothing is taken for granted."""
    yield from _world(shelf)


def _world(shelf: tuple[Path, Path, list[str]]) -> Iterator[World]:
    home = Path(tempfile.mkdtemp(prefix="okc", dir="/tmp"))  # short: sockets lie below it
    made = World(home, shelf)
    yield made
    made.close()
    shutil.rmtree(home)


def test_a_bundle_climbs_from_the_offer_to_the_line(real_world: World) -> None:
    world = real_world
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.until(lambda: world.line.order is not None and world.line.order.role is Role.SHADOW)
    assert world.line.order is not None
    assert (world.line.order.bundle, world.line.order.replaces, world.line.order.job) == (world.b, world.a, 1)
    world.until(lambda: world.climb.ladder.known("cap", world.b).parts >= 40, parts=5)
    world.turn(5)
    assert world.rung(world.b) == "SHADOW"  # nobody has looked at the disagreements
    assert "look at the disagreements" in world.climb.steps.said["cap"]
    world.ask("ladder.seen", recipe="cap", bundle=world.b)
    world.until(lambda: world.rung(world.b) == "CANARY", parts=5)
    world.until(lambda: world.line.order is not None and world.line.order.role is Role.CANARY)
    world.until(lambda: world.rung(world.b) == "CHAMPION", parts=5)
    assert world.line.swaps == [(world.a, world.b)]
    assert active(world.slot) == world.bundles / world.b
    assert active(world.slot.with_name(LAST_GOOD)) == active(world.slot.with_name(FACTORY)) == world.bundles / world.a
    world.until(lambda: not world.climb.ladder.unsent)
    assert told(world.line.steps, world.b) == [
        *("OFFERED", "FETCHED", "VERIFIED", "LOADED", "GOLDEN", "SHADOW", "CANARY", "CHAMPION"),
    ]
    assert told(world.line.steps, world.a) == ["CHAMPION", "RETIRED"]
    golden = next(one for one in world.line.steps if one["to"] == "GOLDEN")["figures"]
    assert golden["runs"] == 300
    assert golden["peak_mb"] > 0
    world.until(lambda: world.line.order is not None and world.line.order.role is Role.NONE)
    assert read_ladder(world.bundles) == world.climb.ladder


def test_a_ring_that_is_not_open_keeps_a_bundle_where_it_is_and_a_halt_takes_it_off_the_line(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b, ring_open=False))
    for _ in range(5):
        world.turn()
    assert world.rung(world.b) == ""
    assert "ring first is not open yet" in world.climb.steps.said["cap"]
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.ask("ladder.seen", recipe="cap", bundle=world.b)
    world.offer(offered(world.b, ring_open=False))
    world.until(lambda: world.climb.ladder.known("cap", world.b).parts >= 50, parts=5)
    assert world.rung(world.b) == "SHADOW"
    world.offer(offered(world.b, halted=True))
    world.until(lambda: world.rung(world.b) == "OFFERED")
    world.until(lambda: world.line.order is not None and world.line.order.role is Role.NONE)
    world.offer(expired=True)
    for _ in range(3):
        world.turn(5)
    assert (world.rung(world.a), world.rung(world.b)) == ("CHAMPION", "OFFERED")


def test_what_inspect_drops_is_taken_back_and_locked_until_a_person_unlocks_it(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.line.trouble = "NaN or infinite numbers in output 'heat'"
    world.until(lambda: world.rung(world.b) == "ROLLED_BACK")
    world.line.trouble = ""
    for _ in range(10):
        world.turn(5)
    assert world.rung(world.b) == "ROLLED_BACK"
    assert active(world.slot) == world.bundles / world.a
    world.ask("ladder.unlock", "the driver was wrong", recipe="cap", bundle=world.b)
    world.until(lambda: world.rung(world.b) == "SHADOW")


def test_a_champion_whose_rejects_rise_gives_way_without_network_or_people(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.to_champion()
    world.source.broken = StoreLost("no way there")
    world.offer()
    world.line.truth = lambda part: "NG" if part % 2 else "OK"
    world.until(lambda: world.rung(world.b) == "ROLLED_BACK", parts=5)
    world.until(lambda: not world.climb.ladder.swaps)
    assert world.line.swaps == [(world.a, world.b), (world.b, world.a)]
    assert world.rung(world.a) == "CHAMPION"
    assert active(world.slot) == world.bundles / world.a
    world.until(lambda: not world.climb.ladder.unsent)
    step = next(one for one in world.line.steps if one["to"] == "ROLLED_BACK")
    assert step["reason"].startswith("rejects: rejects have risen")
    assert step["figures"]["rule"] == "rejects"


def test_a_champion_that_its_judge_dies_with_twice_is_refused_and_gives_way(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.to_champion()
    for times in (1, 2):
        assert world.rung(world.b) == "CHAMPION", times
        die = "import os, sys; from pathlib import Path; from okng.bus.carried import carry; "
        die += "carry(Path(sys.argv[1]), sys.argv[2]); os.abort()"
        root = Path(__file__).parents[3]
        command = [sys.executable, "-c", die, str(world.box.run_dir), world.b]
        assert subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}).returncode < 0
        world.ahead_s += 3
        world.turn()
    world.until(lambda: world.rung(world.b) == "REFUSED" and not world.climb.ladder.swaps)
    assert world.line.model == world.a
    assert "inspect died 2 times" in world.climb.ladder.known("cap", world.b).reason


def test_a_challenger_that_differs_too_often_is_held_and_goes_on_when_a_person_has_looked(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.line.challenger_says = lambda part: "NG" if part % 3 == 0 else world.line.truth(part)
    world.until(lambda: world.climb.ladder.known("cap", world.b).held, parts=5)
    assert "disagrees" in world.climb.ladder.known("cap", world.b).reason
    shown = world.ask("ladder.show", recipe="cap", bundle=world.b)
    assert len(shown["differing"]) >= 21
    assert shown["differing"][0]["challenger"] == "NG"
    world.line.challenger_says = None
    world.ask("ladder.unlock", "the new one is right", recipe="cap", bundle=world.b)
    assert world.rung(world.b) == "SHADOW"
    assert not world.climb.ladder.known("cap", world.b).held


def differing_in_the_shadow(world: World, parts: int) -> None:
    """A challenger that calls all NG has seen so many parts, under rules that do not mind."""
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b, rules={"shadow_ng": 0.0, "disagree_pct": 100.0, "cusum_limit": 50.0}))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.line.challenger_says = lambda part: "NG"
    world.until(lambda: len(world.climb.rules.asked()) >= parts, parts=5)


def test_a_challenger_that_people_prove_wrong_goes_back_to_the_beginning(world: World) -> None:
    differing_in_the_shadow(world, 18)
    wrong = [Judged(part, at, part, "2026-11-27T08:00:00Z", True, "good") for part, at in world.climb.rules.asked()]
    found = world.climb.rules.labelled(wrong)
    assert found[world.b].figures["challenger_wrong"] == 18
    world.climb.ladder = world.climb.rules.obey("cap", world.b, found[world.b], world.climb.ladder, world.now())
    assert (world.rung(world.b), world.climb.ladder.known("cap", world.b).held) == ("OFFERED", True)
    for _ in range(5):
        world.turn()
    assert world.rung(world.b) == "OFFERED"


def test_reviewers_at_the_fleet_take_a_challenger_back_and_nothing_else(world: World) -> None:
    differing_in_the_shadow(world, 60)
    asked = world.climb.rules.asked()
    world.climb.rules.labelled(Judged(part, at, part, "2026-11-27T08:00:00Z", True, "") for part, at in asked)
    world.until(lambda: any(one.parts for one in world.climb.differed() or ()))
    (told,) = world.climb.differed() or ()
    assert (told.recipe, told.bundle, told.champion) == ("cap", world.b, world.a)
    seqs = [one["seq"] for one in told.parts]
    world.climb.reviewed({world.b: dict.fromkeys(seqs, "defect")})  # that it was right in all of them
    for _ in range(5):
        world.turn()
    assert world.rung(world.b) == "SHADOW"  # nobody has looked at them here
    assert world.climb.rules.challengers["cap"].told()["reviewed"] == len(seqs)
    world.climb.save(world.now())
    world.again()
    assert world.climb.rules.challengers["cap"].told()["reviewed"] == len(seqs)
    world.climb.reviewed({world.a: dict.fromkeys(seqs, "defect"), world.b: dict.fromkeys(seqs, "good")})
    world.until(lambda: world.rung(world.b) == "OFFERED")
    entry = world.climb.ladder.known("cap", world.b)
    assert (entry.held, entry.reason.startswith("worse: of ")) == (True, True)
    assert f"{len(seqs)} of them at the fleet service" in entry.reason
    assert world.rung(world.a) == "CHAMPION"
    assert world.line.swaps == []


def test_a_bundle_that_scores_otherwise_here_is_refused_and_its_bytes_go(
    real_world: World, shelf: tuple[Path, Path, list[str]], tmp_path: Path
) -> None:
    world = real_world
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    digest = make(tmp_path / "new", stored=1.5, version="2.0.0")
    person = Signing(tmp_path, "person2", authority := Signing(tmp_path, "plant2"))
    sign(tmp_path / "new", person.key, person.certificate, ())
    (tmp_path / "new").rename(tmp_path / digest)
    world.source.folder = tmp_path
    world.climb.steps._box = world.climb._worker._box = replace(
        world.box, authorities=(world.authority, authority.certificate)
    )
    world.offer(offered(digest))
    world.until(lambda: world.rung(digest) == "REFUSED")
    assert "golden pictures score otherwise" in world.climb.ladder.known("cap", digest).reason
    assert digest in sweep(world.box, world.climb.ladder, (world.recipe,))
    assert not (world.bundles / digest).exists()
    assert world.rung(digest) == "REFUSED"  # its place on the ladder stays


def test_a_bundle_that_nobody_known_signed_is_refused_before_it_is_run(world: World, tmp_path: Path) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    digest = make(tmp_path / "new", version="3.0.0")
    person = Signing(tmp_path, "stranger", Signing(tmp_path, "elsewhere"))
    sign(tmp_path / "new", person.key, person.certificate, ())
    (tmp_path / "new").rename(tmp_path / digest)
    world.source.folder = tmp_path
    world.offer(offered(digest))
    world.until(lambda: world.rung(digest) == "REFUSED")
    world.until(lambda: not world.climb.ladder.unsent)
    assert told(world.line.steps, digest) == ["OFFERED", "FETCHED", "REFUSED"]


def test_a_way_that_is_broken_says_nothing_of_the_bundle(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.source.broken = StoreLost("no way there")
    world.offer(offered(world.b))
    world.until(lambda: world.climb.steps.said.get("cap") == "no way there")
    assert world.rung(world.b) == "OFFERED"
    world.source.broken = None
    world.ahead_s += 30
    world.until(lambda: world.rung(world.b) == "SHADOW")


def test_a_line_that_refuses_the_swap_keeps_its_champion_and_is_asked_again_later(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.look()
    world.line.refuse_swap = "inspect is not ready"
    world.until(lambda: "inspect is not ready" in world.climb.steps.said.get("cap", ""), parts=5)
    world.until(lambda: not world.climb.ladder.swaps)
    assert (world.rung(world.a), world.rung(world.b)) == ("CHAMPION", "CANARY")
    assert active(world.slot) == world.bundles / world.a
    world.line.refuse_swap = ""
    world.ahead_s += 31
    world.until(lambda: world.rung(world.b) == "CHAMPION", parts=5)


def test_begun_again_after_every_turn_it_arrives_all_the_same(world: World) -> None:
    """As if sync were killed again and again: a swap that io has taken and the slot has not yet is gone on with."""
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    end = time.monotonic() + LIMIT_S
    while world.rung(world.b) != "CHAMPION":
        assert time.monotonic() < end, (world.climb.ladder.entries, world.climb.steps.said)
        world.again()
        for _ in range(40):  # long enough to be heard, and to have one answer
            world.turn(5)
            world.look()
            assert world.climb.ladder.broken() == []
            assert active(world.slot) in (world.bundles / world.a, world.bundles / world.b)
            time.sleep(0.01)
    assert world.line.model == world.b
    assert active(world.slot) == world.bundles / world.b


def test_an_engineer_lets_what_was_taught_here_leave_the_shadow_with_a_reason(world: World, tmp_path: Path) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    digest = make(tmp_path / "taught" / "cap", version="4.0.0")
    world.box = world.climb._box = replace(world.box, folders=(tmp_path / "taught",))
    world.ask("ladder.offer", "new caps", recipe="cap", bundle=digest)
    world.until(lambda: world.rung(digest) == "SHADOW")
    world.own.check(world.bundles / digest, digest)
    world.ask("ladder.waive", "the old model does not know these caps", recipe="cap", bundle=digest)
    world.until(lambda: world.rung(digest) == "CANARY")
    world.until(lambda: not world.climb.ladder.unsent)
    waived = next(one for one in world.line.steps if one["from"] == one["to"] == "SHADOW")
    assert waived["reason"] == "shadow waived: the old model does not know these caps"


def test_the_red_button_takes_challengers_out_and_holds_everything(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.ask("ladder.stop", "it smells", on=True)
    assert world.rung(world.b) == "OFFERED"
    world.until(lambda: world.line.order is not None and world.line.order.role is Role.NONE)
    for _ in range(5):
        world.turn(5)
    assert world.rung(world.b) == "OFFERED"
    assert "it smells" in world.climb.steps.said["cap"]
    world.ask("ladder.stop", "aired", on=False)
    world.until(lambda: world.rung(world.b) == "SHADOW")


def test_a_ticket_is_burnt_before_the_box_goes_down_and_even_then_it_climbs(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.to_champion()
    pinned = Pinned(1, world.a)
    ticket = Ticket("box1", 1, "line1", "cap", "champion", 1, world.a, pinned, pinned, "2027-01-01T00:00:00Z", "x", "y")
    world.offer(ticket=ticket)
    world.until(lambda: world.rung(world.a) == "OFFERED")
    assert world.source.burnt[0] == ticket
    world.offer()
    world.until(lambda: world.rung(world.a) == "SHADOW")
    assert world.rung(world.b) == "CHAMPION"


def test_a_slot_that_a_hand_moved_is_put_back(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    shutil.copytree(world.shelf / world.c, world.bundles / world.c)
    world.slot.unlink()
    world.slot.symlink_to(world.bundles / world.c)
    world.until(lambda: active(world.slot) == world.bundles / world.a)


def test_what_lies_elsewhere_is_brought_to_the_others_before_it_is_the_champion(
    shelf: tuple[Path, Path, list[str]], tmp_path: Path, world: World
) -> None:
    shutil.copytree(world.shelf / world.c, tmp_path / "mine")
    world.slot.unlink()
    world.slot.symlink_to(tmp_path / "mine")
    world.line.model = world.c
    world.again()
    world.until(lambda: world.rung(world.c) == "CHAMPION")
    assert (world.bundles / world.c / "manifest.json").is_file()
    world.until(lambda: active(world.slot.with_name(FACTORY)) is not None)


def test_the_shelf_keeps_what_is_in_use_whatever_the_numbers_say(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.to_champion()
    shutil.copytree(world.shelf / world.c, world.bundles / world.c)
    engine = world.bundles / f"{world.c}.engine-1"
    engine.write_bytes(b"plan")
    tight = replace(world.box, keep_bundles=1, keep_gb=0.000001)
    assert sweep(replace(world.box, keep_bundles=3), world.climb.ladder, (world.recipe,)) == []
    assert sweep(tight, world.climb.ladder, (world.recipe,)) == [world.c]
    assert not engine.exists()
    assert {one.name for one in world.bundles.iterdir() if len(one.name) == 64} == {world.a, world.b}


def test_three_hundred_runs_are_timed_in_a_process_of_their_own(shelf: tuple[Path, Path, list[str]]) -> None:
    folder, _, digests = shelf
    found = rehearse(folder / digests[0], digests[0], "cpu", 1, 4096)
    assert (found.runs, found.failed) == (300, "")
    assert 0 < found.typical_ms <= found.p99_ms <= found.slowest_ms
    assert found.refusal(0.0, 4096) == ""
    assert found.refusal(1e6, 4096) == ""
    assert "p99 of 300 runs" in found.refusal(found.p99_ms, 4096)
    assert "the slowest" in replace(found, p99_ms=1.0, slowest_ms=11.0).refusal(10.0, 4096)
    assert "MB" in found.refusal(0.0, 1)
    with pytest.raises(BadBundle):
        rehearse(folder / digests[0], digests[1], "cpu", 1, 4096)


CHILD = """
import sys, threading, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from okng.fleet.channel_offer import Standing
from okng.fleet.climb import Climb
from okng.fleet.climb_box import ClimbBox, RecipeAt
from okng.fleet.ladder import look
from okng.tests.fleet.climb_kit import FolderSource, offered
home, shelf, authority, digest = Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
bundles = home / "bundles"
recipe = RecipeAt("cap", 1, "0123456789ab", bundles / "slots" / "cap" / "current", 100.0)
box = ClimbBox("box1", home / "run", home / "store", bundles, lambda: (recipe,), authorities=(authority,))
source = FolderSource(shelf, bundles, Standing((offered(digest),), fresh_until="2027-01-01T00:00:00Z"))
climb = Climb(box, source)
def work():
    while True:
        climb.work()
        time.sleep(0.01)
threading.Thread(target=work, daemon=True).start()
print("up", flush=True)
while True:
    climb.turn(time.monotonic_ns())
    entry = climb.ladder.entry("cap", digest)
    if entry is not None and entry.rung == "SHADOW" and not entry.seen:
        climb.ladder = look(climb.ladder, "cap", digest, "ann", time.time())
    time.sleep(0.002)
"""


def test_killed_by_the_kernel_again_and_again_one_model_decides_and_the_ladder_is_whole(world: World) -> None:
    """A real process under SIGKILL at moments spread over the way from the shadow to the top."""
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.climb.close()
    home, root = world.bundles.parent, Path(__file__).parents[3]
    command = [sys.executable, "-c", CHILD, str(root), str(home), str(world.shelf), str(world.authority), world.b]
    end, kills, lives_s = time.monotonic() + LIMIT_S, 0, 0.05
    try:
        while True:
            with subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=-1) as child:
                try:
                    assert child.stdout is not None
                    assert child.stdout.readline() == b"up\n"
                    until = time.monotonic() + lives_s
                    while time.monotonic() < until:
                        world.line.turn(5)
                        time.sleep(0.005)
                    assert child.poll() is None
                finally:
                    child.send_signal(signal.SIGKILL)
            kills += 1
            lives_s += 0.25
            ladder = read_ladder(world.bundles)  # whole, or this raises
            champion = ladder.champion("cap")
            assert champion is not None
            assert active(world.slot) in (world.bundles / world.a, world.bundles / world.b)
            if champion.bundle == world.b and not ladder.swaps:
                break
            assert time.monotonic() < end, ladder.entries
    finally:
        world.begin()
    assert kills >= 2
    assert world.line.model == world.b
    assert active(world.slot) == world.bundles / world.b
    world.until(lambda: not world.climb.ladder.unsent)
    assert told(world.line.steps, world.b)[-3:] == ["SHADOW", "CANARY", "CHAMPION"]


def test_a_line_that_starts_late_hears_the_order_and_a_step_is_told_once(world: World) -> None:
    world.until(lambda: world.rung(world.a) == "CHAMPION")
    world.offer(offered(world.b))
    world.until(lambda: world.rung(world.b) == "SHADOW")
    world.until(lambda: not world.climb.ladder.unsent)
    numbers = [one["figures"]["step"] for one in world.line.steps]
    assert numbers == sorted(set(numbers))
    world.line.order = None
    world.until(lambda: world.line.order is not None and world.line.order.role is Role.SHADOW)
