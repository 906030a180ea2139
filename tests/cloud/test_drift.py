"""Boxes beside each other: the odd one stands out, and a few boxes say nothing of one another."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from okng.cloud.database import reading, writing
from okng.cloud.drift import courses
from okng.cloud.search_terms import Terms

from . import pages_room as room

DAY = Terms(room.NOW - timedelta(hours=24), room.NOW + timedelta(hours=1))


def fill(engine: Engine, boxes: int, odd: int = -1) -> None:
    with writing(engine) as db:
        for n in range(boxes):
            box = f"box{n}"
            room.add_box(db, box, f"Press {n}", f"line{n % 2}")
            rows = room.shift_of_parts(box, 120, n)
            for row in rows:
                if n == odd:
                    row["image"][0]["focus"] -= 0.4 * row["seq"] / 120
            room.arrive(db, rows)


def test_the_odd_box_stands_out_and_its_change_is_told(database: Engine) -> None:
    fill(database, 5, odd=2)
    with reading(database) as db:
        found = courses(db, DAY, "focus")
        scores = courses(db, DAY, "score")
        one_line = courses(db, DAY.with_(line="line1"), "focus")
    assert [one.box for one in found if one.stands_out] == ["box2"]
    assert found[0].box == "box2"
    assert found[0].change < -1.0
    assert all(abs(one.change) < 1.0 for one in found[1:])
    assert found[0].first > found[0].last
    assert not any(one.stands_out for one in scores)
    assert [one.points for one in found if len(one.points) < 8] == []
    assert {one.box for one in one_line} == {"box1", "box3"}
    assert all(one.apart is None for one in one_line)


def test_boxes_that_agree_are_not_told_apart_by_their_last_digit(database: Engine) -> None:
    with writing(database) as db:
        for n in range(4):
            room.add_box(db, f"box{n}")
            image = [{"camera": "top", "focus": 1.0 + n * 1e-6, "alarms": []}]
            room.arrive(db, [room.part(f"box{n}", seq, room.NOW, image=image) for seq in range(1, 41)])
    with reading(database) as db:
        assert not any(one.stands_out for one in courses(db, DAY, "focus"))


def test_a_figure_nobody_knows_is_refused(database: Engine) -> None:
    with reading(database) as db:
        with pytest.raises(ValueError, match="figure = 'moon': expected one of score"):
            courses(db, DAY, "moon")
        assert courses(db, DAY, "noise") == []
