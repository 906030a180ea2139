"""Rings of a signed plan open, halt and go on by people or by themselves, and a box believes what was signed."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from okng.bus.errors import Refused
from okng.cloud import ripple, rollouts
from okng.cloud.database import reading, writing
from okng.cloud.deeds import broken
from okng.cloud.review import Contest
from okng.cloud.rollout_shadow import Shadow
from okng.cloud.rollout_sign import Turner, rings_of, sign, turn
from okng.cloud.rollout_state import RolloutState, state_of, states
from okng.cloud.tables import Deed
from okng.cloud.tables_rollout import Climb, LineRings, Rollout
from okng.fleet.channel_format import RingForm
from okng.fleet.rings import Rings

from ..fleet.channel_kit import LINE, Box, Fleet, Watch, made_up
from . import pages_room as room
from . import pages_scene
from .rig import Rig, csrf_in, rig

ADA = "person:local:ada"
PLAN = [RingForm(ring="pilot", max_error_pct=0), RingForm(ring="half"), RingForm(ring="rest")]


class Signed:
    """A channel, a database with the boxes of a line, and what lies between."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.fleet = engine, Fleet.begun(folder, Watch())
        self.bundle = made_up("a").digest
        with writing(engine) as db:
            for n in range(12):
                room.add_box(db, f"box{n}", f"Press {n}", LINE)
        self.publish("a")
        self.turn()

    @property
    def rings(self) -> Rings:
        return self.fleet.rings

    def publish(self, letter: str) -> int:
        said = self.fleet.repository.publish(made_up(letter), LINE, "cap", "champion", PLAN, "Ines", self.fleet.targets)
        self.fleet.rings.refresh()
        return said.seq

    def members(self, pilot: int = 1, half: int = 10, rest: int = 1) -> None:
        names = [f"box{n}" for n in range(12)]
        members = {"pilot": names[:pilot], "half": names[pilot : pilot + half], "rest": names[pilot + half :][:rest]}
        with writing(self.engine) as db:
            rollouts.set_members(db, ADA, LINE, members)

    def do(self, act: Any, *more: Any, seq: int = 1, who: str = ADA) -> None:
        with writing(self.engine) as db:
            act(db, who, state_of(db, LINE, "cap", "champion", seq), *more)

    def climb(self, rung: str, *boxes: int, seq: int = 1, **more: Any) -> None:
        with writing(self.engine) as db:
            for box in boxes:
                room.climb(db, f"box{box}", rung, self.bundle, seq=seq, **more)

    def turn(self) -> list[str]:
        return turn(self.engine, self.rings)

    def state(self) -> RolloutState:
        with reading(self.engine) as db:
            return states(db, LINE)[0]

    def said(self, plan: str = "cap/champion") -> Any:
        return self.rings.show(LINE).open.get(plan)


@pytest.fixture
def channel(database: Engine, tmp_path: Path) -> Signed:
    return Signed(database, tmp_path / "channel-root")


def test_a_plan_that_a_person_signed_appears_closed(channel: Signed) -> None:
    found = channel.state()
    assert (found.rollout.bundle, found.rollout.approved_by, found.rollout.state) == (channel.bundle, "Ines", "running")
    assert [ring.name for ring in found.rings] == ["pilot", "half", "rest"]
    assert not found.open_rings
    assert channel.turn() == []
    with reading(channel.engine) as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Rollout)) == 1


def test_a_ring_that_a_person_opens_is_what_boxes_are_told(channel: Signed, tmp_path: Path) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    assert not channel.state().is_signed
    assert sign(channel.engine, channel.rings, LINE) == ""
    assert channel.state().is_signed
    inside, outside = (Box(tmp_path / name, channel.fleet, box=name) for name in ("box0", "box1"))
    assert inside.offer().takes
    assert inside.offer().ring_of_this_box == "pilot"
    assert not outside.offer().ring_open
    channel.do(rollouts.open_next, "pilot")
    before = channel.rings.show(LINE)
    assert sign(channel.engine, channel.rings, LINE) == ""
    assert channel.rings.show(LINE) == before


def test_rings_open_in_their_order_and_early_only_with_a_reason(channel: Signed) -> None:
    channel.members(rest=0)
    with pytest.raises(Refused, match="ring 'half': expected pilot"):
        channel.do(rollouts.open_next, "half")
    channel.do(rollouts.open_next, "pilot")
    with pytest.raises(Refused, match="not through: expected a reason"):
        channel.do(rollouts.open_next, "half")
    channel.do(rollouts.open_next, "half", "the customer waits")
    with pytest.raises(Refused, match="ring 'rest': has no boxes"):
        channel.do(rollouts.open_next, "rest", "go on")
    with reading(channel.engine) as db:
        deed = db.scalars(sa.select(Deed).where(Deed.what == "rollout ring opened").order_by(Deed.id.desc())).first()
        assert deed is not None
        assert (deed.who, deed.detail["early"], deed.detail["reason"]) == (ADA, True, "the customer waits")
        assert broken(db) is None


def test_the_next_ring_opens_by_itself_when_nine_of_ten_are_champions(channel: Signed) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.do(rollouts.set_automatic, True)
    assert channel.turn() == []
    channel.climb("CHAMPION", 0)
    assert channel.turn() == [f"{LINE}/cap/champion/1: ring half opened"]
    channel.climb("CHAMPION", *range(1, 9))
    channel.climb("CANARY", 9, 10)
    assert channel.turn() == []
    channel.climb("CHAMPION", 9, seq=2)
    assert channel.turn() == [f"{LINE}/cap/champion/1: ring rest opened"]
    assert channel.said().rings == ("pilot", "half", "rest")
    with reading(channel.engine) as db:
        assert db.get_one(Rollout, (LINE, "cap", "champion", 1)).changed_by == "service"


def test_nothing_opens_by_itself_that_was_not_told_to(channel: Signed) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.climb("CHAMPION", 0)
    assert channel.turn() == []
    assert [ring.name for ring in channel.state().open_rings] == ["pilot"]


def test_too_many_boxes_that_fail_halt_the_plan(channel: Signed, tmp_path: Path) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.climb("CHAMPION", 0)
    channel.do(rollouts.open_next, "half")
    assert channel.turn() == []
    channel.climb("REFUSED", 1, reason="golden differs")
    assert channel.turn() == [f"{LINE}/cap/champion/1 halted: ring half: 1 of 10 boxes failed, more than 5 %"]
    assert channel.said().halted
    assert not Box(tmp_path / "box5", channel.fleet, box="box5").offer().takes
    assert channel.turn() == []
    with pytest.raises(Refused, match="expected a reason"):
        channel.do(rollouts.resume, " ")
    channel.do(rollouts.resume, "the box had a broken camera")
    assert channel.turn() == []  # what a person accepted does not halt it again
    assert Box(tmp_path / "box6", channel.fleet, box="box6").offer().takes
    channel.climb("ROLLED_BACK", 2, reason="reject rate")
    assert len(channel.turn()) == 1
    assert channel.state().rollout.state == "halted"


def test_a_paused_plan_opens_no_ring_and_holds_nobody_back(channel: Signed, tmp_path: Path) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.do(rollouts.set_automatic, True)
    channel.do(rollouts.pause, "wait for the audit")
    channel.climb("CHAMPION", 0)
    assert channel.turn() == []
    assert Box(tmp_path / "box0", channel.fleet, box="box0").offer().takes
    with pytest.raises(Refused, match="the plan is paused: resume it first"):
        channel.do(rollouts.open_next, "half", "now")
    channel.do(rollouts.resume, "the audit is over")
    assert channel.turn() == [f"{LINE}/cap/champion/1: ring half opened"]


def test_the_red_button_halts_every_line(channel: Signed, tmp_path: Path) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.turn()
    with writing(channel.engine) as db:
        assert rollouts.halt_all(db, ADA, "smoke in the hall") == [LINE]
        assert rollouts.halt_all(db, ADA, "again") == []
    assert sign(channel.engine, channel.rings, LINE) == ""
    offer = Box(tmp_path / "box0", channel.fleet, box="box0").offer()
    assert offer.halted
    assert not offer.takes
    with pytest.raises(Refused, match="is halted: resume it first"):
        channel.do(rollouts.open_next, "half", "go")
    with writing(channel.engine) as db, pytest.raises(Refused, match="expected a reason"):
        rollouts.resume_all(db, ADA, "")
    with writing(channel.engine) as db:
        rollouts.resume_all(db, ADA, "it was steam")
    channel.turn()
    assert Box(tmp_path / "box0b", channel.fleet, box="box0").offer().takes


def test_a_newer_number_ends_the_plan_before(channel: Signed) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.turn()
    assert channel.publish("b") == 2
    assert channel.turn() == [f"line {LINE}: 1 plan(s) taken up"]
    assert channel.state().rollout.seq == 2
    with reading(channel.engine) as db:
        assert [one.rollout.state for one in states(db, LINE, over=True)] == ["running", "over"]
    with pytest.raises(Refused, match="number 1: expected a plan that is signed and not over"):
        channel.do(rollouts.open_next, "half", "late")


def test_many_workers_at_once_do_what_one_does(channel: Signed) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    channel.do(rollouts.set_automatic, True)
    channel.climb("CHAMPION", 0)
    done: list[str] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            done.extend(turn(channel.engine, channel.rings))
        except Exception as error:  # noqa: BLE001 - whatever it was, the test says it
            failed.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert failed == []
    assert done == [f"{LINE}/cap/champion/1: ring half opened"]
    assert channel.said().rings == ("pilot", "half")
    assert channel.state().is_signed


def test_what_cannot_be_signed_is_said_and_done_later(channel: Signed) -> None:
    channel.members()
    channel.do(rollouts.open_next, "pilot")
    stranger = Rings(
        channel.fleet.shelf, Fleet.begun(channel.fleet.folder.with_name("other"), Watch()).online, Watch().now
    )
    assert "is not the key that the channel names" in sign(channel.engine, stranger, LINE)
    assert channel.state().trouble
    assert not channel.state().is_signed
    assert sign(channel.engine, channel.rings, LINE) == ""
    assert channel.state().trouble == ""


def test_a_box_is_in_one_ring_of_its_own_line(channel: Signed) -> None:
    with writing(channel.engine) as db:
        room.add_box(db, "stranger", line="line8")
    for members, said in (
        ({"pilot": ["box0"], "half": ["box0"]}, "a box is in two rings"),
        ({"pilot": ["stranger"]}, "expected a box of this line"),
    ):
        with writing(channel.engine) as db, pytest.raises(Refused, match=said):
            rollouts.set_members(db, ADA, LINE, members)


def test_an_older_step_of_the_ladder_never_takes_the_place_of_a_newer(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")
        step = {"bundle": room.CHALLENGER, "recipe": "cap"}
        said = ((3, "SHADOW"), (1, "OFFERED"), (2, "GOLDEN"))
        steps = [{"seq": n, "kind": "ladder", "at": room.NOW, "body": step | {"to": rung}} for n, rung in said]
        ripple.arrived(db, "box1", "ladder", 2, steps)
        ripple.arrived(db, "box1", "ladder", 1, [steps[0] | {"seq": 99, "body": step | {"to": "REFUSED"}}])
        ripple.arrived(
            db, "box1", "ladder", 2, [{"seq": 4, "kind": "ladder", "at": room.NOW, "body": {"bundle": 7, "to": "MOON"}}]
        )
    with reading(database) as db:
        assert [(one.rung, one.seq) for one in db.scalars(sa.select(Climb))] == [("SHADOW", 3)]


def test_a_box_is_told_of_bundles_that_were_unlocked_until_it_goes_on(database: Engine) -> None:
    with writing(database) as db:
        room.add_box(db, "box1")
        room.climb(db, "box1", "ROLLED_BACK", reason="too slow")
        assert ripple.told(db, "box1", {}) == {"rings": False, "unlock": []}
        with pytest.raises(Refused, match="expected a reason"):
            rollouts.unlock(db, ADA, "box1", "cap", room.CHALLENGER, "")
        rollouts.unlock(db, ADA, "box1", "cap", room.CHALLENGER, "new driver")
        assert ripple.told(db, "box1", {})["unlock"] == [room.CHALLENGER]
        room.climb(db, "box1", "OFFERED", seq=2)
        assert ripple.told(db, "box1", {})["unlock"] == []
        with pytest.raises(Refused, match="expected one that was refused"):
            rollouts.unlock(db, ADA, "box1", "cap", room.CHALLENGER, "again")


def test_what_the_shadow_bounds() -> None:
    def contest(missed: int = 0, wrong: int = 0, right: int = 0) -> Contest:
        return Contest(wrong, right, missed, missed, 0)

    assert Shadow(1000, 200, contest()).bound == pytest.approx(0.015)
    assert Shadow(1000, 0, contest()).bound is None
    bound = Shadow(1000, 200, contest(missed=2)).bound
    assert bound is not None
    assert 0.01 < bound < 0.04
    assert contest(wrong=18).sprt > 4.595 > contest(wrong=17).sprt
    assert contest(right=13).sprt < -4.595 < contest(right=12).sprt


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Rig]:
    """A service whose settings name a channel and its online keys, as files, with one plan of line7."""
    with rig(pages_scene.with_channel(tmp_path), tmp_path) as made:
        with writing(made.service.engine) as db:
            room.add_box(db, "box0", line=LINE)
            room.add_person(db, "ada", "engineer")
        rings = rings_of(made.service)
        assert rings is not None
        turn(made.service.engine, rings)
        yield made


def test_programs_do_by_the_api_what_people_do_on_the_page(keyed: Rig, tmp_path: Path) -> None:
    client, way = keyed.app.test_client(), f"/v1/rollouts/{LINE}/cap/challenger/1"
    opener, looker, stopper = (
        keyed.bearer(*rights) for rights in (("look", "rollout.open"), ("look",), ("look", "rollout.halt"))
    )
    put = client.put(f"/v1/lines/{LINE}/rings", json={"members": {"pilot": ["box0"]}}, headers=opener)
    assert (put.status_code, put.get_json()["signed"]) == (200, True)
    assert client.post(f"{way}/open", json={"ring": "pilot"}, headers=looker).status_code == 403
    opened = client.post(f"{way}/open", json={"ring": "pilot"}, headers=opener)
    assert (opened.status_code, opened.get_json()["rings"][0]["open"], opened.get_json()["signed"]) == (200, True, True)
    assert client.post(f"{way}/open", json={"ring": "rest"}, headers=opener).status_code == 422
    assert client.post(f"{way}/halt", json={"reason": "x"}, headers=opener).status_code == 403
    assert client.post(f"{way}/halt", json={"reason": "x"}, headers=stopper).get_json()["state"] == "halted"
    assert client.post(f"{way}/fly", json={}, headers=opener).status_code == 404
    assert client.post("/v1/rollouts/halt", headers=stopper).get_json() == {"lines": [LINE]}
    assert client.post("/v1/rollouts/resume", json={}, headers=opener).status_code == 422
    assert client.post("/v1/rollouts/resume", json={"reason": "ok"}, headers=opener).get_json() == {"lines": [LINE]}
    told = client.get("/v1/rollouts", headers=looker).get_json()["rollouts"]
    assert [one["state"] for one in told] == ["halted"]
    rings = rings_of(keyed.service)
    assert rings is not None
    said = rings.show(LINE)
    assert (said.halted, said.open["cap/challenger"].halted, said.open["cap/challenger"].rings) == (
        False,
        True,
        ("pilot",),
    )


def test_people_open_and_halt_on_the_page(keyed: Rig) -> None:
    client, url = room.signed_in(keyed, "ada"), keyed.settings.service.url

    def send(path: str, **form: str) -> int:
        token = csrf_in(client.get("/rollouts", base_url=url).get_data(as_text=True))
        answer = client.post(path, base_url=url, headers={"Referer": url + "/"}, data={"csrf_token": token, **form})
        return int(answer.status_code)

    way = f"/rollouts/{LINE}/cap/challenger/1"
    assert send(f"{way}/open", ring="pilot") == 422  # nobody is in it
    assert send(f"/lines/{LINE}/rings", **{"ring-box0": "pilot"}) == 303
    assert send(f"{way}/open", ring="pilot") == 303
    assert send(f"{way}/automatic") == 303
    assert send("/rollouts/halt") == 303
    page = client.get("/rollouts", base_url=url).get_data(as_text=True)
    assert "All rollouts are halted" in page
    assert "opens by itself" in page
    assert send("/rollouts/resume", reason="checked") == 303
    assert send(f"{way}/turn", to="pause", reason="lunch") == 303
    assert send(f"{way}/turn", to="pause") == 303  # it is paused already
    assert send(f"{way}/turn", to="resume") == 422
    assert send(f"{way}/turn", to="resume", reason="lunch is over") == 303
    with reading(keyed.service.engine) as db:
        done = [(one.who, one.what) for one in db.scalars(sa.select(Deed).order_by(Deed.id))]
        assert broken(db) is None
    assert done == [
        (ADA, "rings set"),
        (ADA, "rollout ring opened"),
        (ADA, "rollout automatic"),
        (ADA, "all rollouts halted"),
        (ADA, "all rollouts resumed"),
        (ADA, "rollout paused"),
        (ADA, "rollout resumed"),
    ]


def test_a_worker_takes_its_turn_by_itself(keyed: Rig) -> None:
    with writing(keyed.service.engine) as db:
        rollouts.set_members(db, ADA, LINE, {"pilot": ["box0"]})
        rollouts.open_next(db, ADA, state_of(db, LINE, "cap", "challenger", 1), "pilot")
    turner = Turner(keyed.service, every_s=0.05)
    turner.start()
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with reading(keyed.service.engine) as db:
                row = db.get_one(LineRings, LINE)
            if row.signed >= row.wanted:
                break
            time.sleep(0.05)
        assert row.signed == row.wanted
    finally:
        turner.stop()
