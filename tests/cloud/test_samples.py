"""Samples come page by page with pictures and labels, none twice and none left out."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy.engine import Engine

from okng.cloud.database import reading, writing
from okng.cloud.samples import Wanted, mark_of, page, walk
from okng.cloud.search_terms import BadTerms, Terms

from . import pages_room as room
from .rig import Rig

WIDE = Terms(room.NOW - timedelta(days=2), room.NOW + timedelta(days=1))
SPAN = "since=2026-11-26T00:00:00Z&until=2026-11-28T00:00:00Z"


def test_pages_hold_every_part_once_though_many_have_one_moment(database: Engine) -> None:
    with writing(database) as db:
        for box in ("box1", "box2"):
            room.add_box(db, box)
            room.arrive(db, [room.part(box, n, room.NOW - timedelta(seconds=n // 40)) for n in range(1, 131)])
    seen = [(part.box, part.seq) for chunk in walk(database, WIDE, chunk=17) for part, _ in chunk]
    assert len(seen) == len(set(seen)) == 260
    with reading(database) as db:
        first = page(db, WIDE, Wanted(with_picture=False), limit=3)
        second = page(db, WIDE, Wanted(with_picture=False), mark_of(first[-1][0]), 3)
        assert not {part.seq for part, _ in first} & {part.seq for part, _ in second}
        with pytest.raises(BadTerms, match="after = 'nonsense'"):
            page(db, WIDE, Wanted(), "nonsense")


def filled(fleet: Rig) -> None:
    with writing(fleet.service.engine) as db:
        room.add_person(db, "rita", "reviewer")
        room.add_box(db, "box1", "Press 1")
        rows = [
            room.part("box1", n, room.NOW - timedelta(minutes=n), "NG" if n < 4 else "OK", score=4.1)
            for n in range(1, 9)
        ]
        room.arrive(db, rows)
        for n in (1, 2, 5):
            room.add_picture(db, "box1", n, f"picture {n}".encode())
        room.add_picture(db, "box1", 6, b"not there yet", state="awaited")
        label = {"what": "label", "part_epoch": 1, "who": "otto", "at": "2026-11-27T08:00:00Z"}
        room.add_events(
            db, "box1", "labels",
            [
                label | {"n": 1, "seq": 1, "truth": "good"},
                label | {"n": 2, "seq": 2, "truth": "defect", "defect": "scratch"},
                label | {"n": 3, "seq": 2, "truth": "good", "second": True},
                {"what": "undone", "n": 1, "seq": 1, "part_epoch": 1},
                {"what": "escape", "seq": 5, "part_epoch": 1, "who": "lea", "found_at": "customer"},
            ],
        )  # fmt: skip


def test_a_sample_has_its_pictures_and_what_people_said(fleet: Rig) -> None:
    filled(fleet)
    client, headers = fleet.app.test_client(), fleet.bearer("export")
    told = client.get(f"/v1/samples?{SPAN}", headers=headers).get_json()
    assert told["next"] is None
    found = {one["seq"]: one for one in told["samples"]}
    assert sorted(found) == [1, 2, 5]
    assert found[1]["labels"] == []
    assert [(one["truth"], one["kind"], one["who"], one["second"]) for one in found[2]["labels"]] == [
        ("defect", "scratch", "otto", False)
    ]
    assert (found[5]["escaped"], found[2]["escaped"]) == (True, False)
    picture = found[1]["pictures"][0]
    assert (picture["size"], picture["kind"], picture["camera"]) == (9, "picture", "top")
    assert picture["url"].startswith(("http", "/"))


def test_samples_are_chosen_by_the_address(fleet: Rig) -> None:
    filled(fleet)
    client, headers = fleet.app.test_client(), fleet.bearer("export", "review")

    def seqs(more: str) -> list[int]:
        answer = client.get(f"/v1/samples?{SPAN}&{more}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["seq"] for one in answer.get_json()["samples"]]

    assert seqs("pictures=any") == [8, 7, 6, 5, 4, 3, 2, 1]
    assert seqs("outcome=ng") == [2, 1]
    assert seqs("label=none") == [5, 2, 1]
    assert seqs("recipe=other") == []
    assert seqs("line=line7&box=box1&queued=1") == [5, 2, 1]
    answer = client.post("/v1/review", json={"box": "box1", "epoch": 1, "seq": 2, "truth": "defect"}, headers=headers)
    assert (answer.status_code, answer.get_json()) == (200, {"state": "settled", "truth": "defect"})
    assert seqs("label=defect") == seqs("label=any") == [2]
    first = client.get(f"/v1/samples?{SPAN}&limit=2", headers=headers).get_json()
    onward = client.get(f"/v1/samples?{SPAN}&limit=2&cursor={quote(first['next'])}", headers=headers).get_json()
    assert [one["seq"] for one in first["samples"] + onward["samples"]] == [5, 2, 1]
    for wrong in ("outcome=maybe", "label=nice", "limit=0", "limit=9999", "cursor=x", "span=1y"):
        way = wrong if wrong.startswith("span") else f"{SPAN}&{wrong}"
        assert client.get(f"/v1/samples?{way}", headers=headers).status_code == 400, wrong
    assert client.get(f"/v1/samples?{SPAN}", headers=fleet.bearer("look")).status_code == 403
