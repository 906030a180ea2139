"""Drafts are whole on disk whenever the workshop is killed, and take only what belongs into them."""

import json
import time
from typing import Any

from okng.bus.part import Outcome
from okng.workshop.draft import Draft


def test_a_picture_is_taken_once_fresh_and_with_what_is_odd_about_it(shop: Any) -> None:
    draft = shop.done("draft.new", {"name": "cap"})["draft"]
    assert "no fresh picture of camera top" in shop.refused("draft.shoot", {"draft": draft, "role": "good"}).detail
    for _ in range(6):
        (shot,) = shop.shoot(draft, "good")["shots"]
        assert shot["flags"] == []
    assert "taken already" in shop.refused("draft.shoot", {"draft": draft, "role": "good"}).detail
    shop.line.light = 0.5
    assert "unlike" in shop.shoot(draft, "good")["shots"][0]["flags"]
    shop.line.light = 0.02
    assert "underexposed" in shop.shoot(draft, "good")["shots"][0]["flags"]
    shop.line.light = 3.0
    assert "overexposed" in shop.shoot(draft, "good")["shots"][0]["flags"]
    shop.line.light = 1.0
    shop.line.judge(Outcome.NG)
    counts = shop.done("draft.shoot", {"draft": draft, "role": "defect", "seq": 10})["counts"]
    assert counts == {"good": 9, "defect": 1, "challenge": 0}
    assert "already" in shop.refused("draft.shoot", {"draft": draft, "role": "good", "seq": 10}).detail
    assert "none such" in shop.refused("draft.shoot", {"draft": draft, "role": "good", "seq": 99}).detail
    small = shop.done("draft.read", {"draft": draft, "shot": shot["id"], "small": True})
    assert (small["kind"], small["data"][:2]) == ("image/jpeg", b"\xff\xd8")
    shop.done("draft.drop", {"draft": draft, "shot": shot["id"]})
    assert not (shop.own / "drafts" / draft / "pictures" / f"{shot['id']}.png").exists()
    (one,) = shop.done("draft.list")["drafts"]
    assert one["counts"]["good"] == 8


def test_what_does_not_belong_into_a_draft_is_refused(shop: Any) -> None:
    draft = shop.done("draft.new", {"name": "cap"})["draft"]
    assert "is there already" in shop.refused("draft.new", {"name": "cap"}).detail
    for body in (
        {"name": "../x"},
        {"name": "Cap"},
        {"name": "ok", "base": 9},
        {},
    ):
        shop.refused("draft.new", body)
    changes: tuple[dict[str, Any], ...] = (
        {"regions": [{"name": "a", "box": [600, 0, 100, 100]}]},
        {"regions": []},
        {"regions": [{"name": "a", "camera": "side"}]},
        {"wish": {"overkill_percent": 0}},
        {"revision": 7, "name": "x"},
        {},
    )
    for change in changes:
        shop.refused("draft.change", {"draft": draft, **change})
    for hostile in ("../../x", "0" * 12, "", 7):
        shop.refused("draft.read", {"draft": hostile})
    for name in ("draft.json", "../../okng.toml", "/etc/passwd", "pictures"):
        assert "no such file" in shop.refused("draft.read", {"draft": draft, "file": name}).detail
    assert "0 pictures of good parts" in shop.refused("draft.teach", {"draft": draft}).detail
    assert "not taught" in shop.refused("draft.release", {"draft": draft}).detail


def test_a_workshop_killed_while_it_teaches_leaves_whole_drafts(shop: Any) -> None:
    draft = shop.draft(goods=12)
    work = shop.done("draft.teach", {"draft": draft})["work"]
    until = time.monotonic() + 20
    while shop.done("work.status", {"work": work})["work"]["share"] == 0:
        assert time.monotonic() < until
    shop.kill()
    (shop.own / "drafts" / draft / "pictures" / ".x.png.1.tmp").write_bytes(b"half")
    shop.start()
    told = shop.done("work.status", {"work": work})
    assert told["work"]["state"] == "failed"
    assert "broken off" in told["work"]["detail"]
    kept = shop.done("draft.read", {"draft": draft})
    assert len(kept["draft"]["shots"]) == 12
    assert kept["draft"]["taught"] == {}
    Draft.model_validate_json((shop.own / "drafts" / draft / "draft.json").read_bytes())
    assert not list((shop.own / "drafts").rglob(".*.tmp"))
    shop.result("draft.teach", {"draft": draft})
    assert shop.stop() == 0


def test_work_waits_its_turn_and_is_ended_by_who_began_it(shop: Any) -> None:
    draft = shop.draft(goods=12)
    first = shop.done("draft.teach", {"draft": draft})["work"]
    assert "under way already" in shop.refused("draft.teach", {"draft": draft}).detail
    second = shop.done("support.bundle")["work"]
    assert shop.done("work.status", {"work": second})["work"]["state"] == "waiting"
    assert "is lea's" in shop.refused("work.status", {"work": first, "abort": True}, who="otto").detail
    shop.done("work.status", {"work": first, "abort": True})
    ended = shop.work(first)["work"]
    assert (ended["state"], ended["detail"]) == ("failed", "aborted")
    assert shop.work(second)["work"]["state"] == "done"
    assert "0 models" not in json.dumps(ended)
