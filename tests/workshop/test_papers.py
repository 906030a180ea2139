"""Files for people go by their age; what a product was taught from stays."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from okng.bus.messages import Work
from okng.workshop.works import ORDER, STATE, Works

DAY = 86_400


def finished(folder: Path, name: str, what: str, days: float) -> None:
    place = folder / name
    place.mkdir()
    (place / ORDER).write_text("{}")
    (place / STATE).write_text(json.dumps(asdict(Work(name, what, "x", "done", 1.0, "", "ann"))))
    (place / "support.zip").write_bytes(b"x" * 10)
    os.utime(place / STATE, (time.time() - days * DAY,) * 2)


def test_support_bundles_and_exports_are_let_go_by_their_age(tmp_path: Path) -> None:
    finished(tmp_path, "aa", "bundle", 40)
    finished(tmp_path, "bb", "export", 20)
    finished(tmp_path, "cc", "teach", 400)
    works = Works(tmp_path, ["false"], 3, 50, lambda _: None)
    assert works.forget_older(0, time.time()) == []
    assert [one.id for one in works.forget_older(30, time.time())] == ["aa"]
    assert works.known("aa") is None
    assert sorted(place.name for place in tmp_path.iterdir()) == ["bb", "cc"]
    assert works.forget_older(30, time.time()) == []
