"""Where a part was, over all boxes; and what stands beside the rejects, without calling chance a cause."""

import math
import random
from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from okng.cloud.causes import FEW, Tally, adjusted, chi_square, fisher, lift_of, p_value, ranked
from okng.cloud.database import reading, writing
from okng.cloud.search_terms import BadTerms, Terms
from okng.cloud.trace_parts import causes, find

from . import pages_room as room
from .rig import Rig

DAY = Terms(room.NOW - timedelta(hours=24), room.NOW + timedelta(hours=1))


def test_a_serial_is_found_at_every_station_in_order_of_time(database: Engine) -> None:
    with writing(database) as db:
        for n, box in enumerate(("wash", "press", "paint")):
            room.add_box(db, box)
            at = room.NOW - timedelta(hours=(2, 9, 1)[n])
            room.arrive(
                db,
                [
                    room.part(box, seq, at, serial=serial)
                    for seq, serial in enumerate(("A-1", "a-1", "A-10", "A_1%"), 1)
                ],
            )
    with reading(database) as db:
        assert [part.box for part, _ in find(db, " A-1 ")] == ["press", "wash", "paint"]
        assert len(find(db, "A-1*")) == 6
        assert len(find(db, "A_*")) == 3
        assert len(find(db, "A%*")) == 0
        assert find(db, "L-2026-48", "lot", limit=5)[0][0].box == "press"
        assert [box.name for _, box in find(db, "paint/1/2", "part")] == ["paint"]
        assert find(db, "*") == []
        for text, what in (
            ("", "serial"),
            ("x" * 201, "serial"),
            ("paint/1", "part"),
            ("a", "moon"),
            ("a\0b", "serial"),
        ):
            with pytest.raises(BadTerms):
                find(db, text, what)


def test_the_odd_box_is_found_and_nothing_else_is_called(database: Engine) -> None:
    dice = random.Random(4)
    with writing(database) as db:
        for n in range(6):
            box = f"box{n}"
            room.add_box(db, box, f"Press {n}")
            rows = []
            for seq in range(1, 601):
                bad = dice.random() < (0.08 if n == 3 else 0.02)
                more = {"lot": f"L{dice.randrange(5)}", "shift": ("early", "late", "night")[dice.randrange(3)]}
                rows.append(room.part(box, seq, room.NOW - timedelta(seconds=40 * seq), "NG" if bad else "OK", **more))
            room.arrive(db, rows)
    with reading(database) as db:
        found = causes(db, DAY)
        scratches, dents = causes(db, DAY, "scratch"), causes(db, DAY, "dent")
    assert [(one.factor, one.level) for one in found.causes if one.conspicuous] == [("box", "box3")]
    first = found.causes[0]
    assert first.low > 2.0
    assert first.q < 1e-6
    assert found.parts == 3600
    assert found.rejects == sum(one.tally.rejects for one in found.causes if one.factor == "box")
    assert (scratches.rejects, dents.rejects) == (found.rejects, 0)
    assert dents.tested == 0
    assert not {one.factor for one in found.causes} & {"recipe", "model", "camera"}, "what all parts share is no cause"


def test_false_calls_stay_below_the_share_that_was_promised() -> None:
    dice, called, runs = random.Random(1), 0, 60
    for _ in range(runs):
        levels = {str(n): Tally(200, sum(dice.random() < 0.03 for _ in range(200))) for n in range(20)}
        called += any(one.conspicuous for one in ranked({"lot": levels}))
    assert called <= 9  # with no cause at all at most 5 % of the lists are expected to call one: 3 of 60


def test_a_handful_of_parts_is_never_called() -> None:
    found = ranked({"lot": {"few": Tally(FEW - 1, FEW - 1), "many": Tally(1000, 10)}})
    assert [(one.level, one.tested) for one in found if one.level == "few"] == [("few", False)]
    assert not any(one.conspicuous for one in found)
    five = ranked({"lot": {"five": Tally(5, 1), "many": Tally(1000, 10)}})
    assert not any(one.conspicuous for one in five)


def test_tests_are_those_of_the_books() -> None:
    # Fisher's tea, 3 of 4 right: two-sided 0.4857. Agresti's 2x2 of 3/1, 1/3.
    assert fisher(Tally(4, 3), Tally(4, 1)) == pytest.approx(0.4857, abs=1e-4)
    assert fisher(Tally(10, 1), Tally(14, 11)) == pytest.approx(0.0027594, abs=1e-6)
    # Yates: |ad - bc| - n/2 squared: 20/100 against 10/100 gives 3.176, p 0.0747.
    assert chi_square(Tally(100, 20), Tally(100, 10)) == pytest.approx(0.0747, abs=1e-4)
    assert p_value(Tally(100, 0), Tally(100, 0)) == 1.0
    assert p_value(Tally(0, 0), Tally(100, 5)) == 1.0
    assert adjusted([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.04, 0.04, 0.5])
    assert adjusted([]) == []


def test_a_lift_has_bounds_even_where_nothing_was_rejected() -> None:
    lift, low, high = lift_of(Tally(100, 8), Tally(900, 18))
    assert lift == pytest.approx(4.0)
    assert 1.5 < low < 4.0 < high < 10.0
    lift, low, high = lift_of(Tally(100, 8), Tally(900, 0))
    assert math.isinf(lift)
    assert 1.0 < low < math.inf
    assert lift_of(Tally(0, 0), Tally(5, 1))[1:] == (0.0, math.inf)


def test_the_search_is_also_an_api(fleet: Rig) -> None:
    with writing(fleet.service.engine) as db:
        room.add_box(db, "box1", "Press 1")
        room.arrive(db, room.shift_of_parts("box1", 50, 1))
    client, looker = fleet.app.test_client(), fleet.bearer("look")
    found = client.get("/v1/trace?serial=SN000001", headers=looker).get_json()
    assert [(one["box_name"], one["serial"]) for one in found["parts"]] == [("Press 1", "SN000001")]
    assert client.get("/v1/trace", headers=looker).status_code == 400
    since = "since=2026-11-27T00:00:00Z&until=2026-11-28T00:00:00Z"
    told = client.get(f"/v1/causes?{since}", headers=looker).get_json()
    assert told["parts"] + 0 > 40
    assert "not a proof" in told["note"]
    bad = client.get("/v1/causes?since=never", headers=looker)
    assert (bad.status_code, bad.get_json()["error"]) == (400, "invalid")
    assert client.get("/v1/trace?serial=x").status_code == 401
