"""Files for people go by their age; what a product was taught from stays."""

import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from okng.bus.channel import Publisher, records_state_address
from okng.bus.messages import Health, RecordsState, Work
from okng.workshop import wall_clock
from okng.workshop.wall_clock import WallClock
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


def hears(clock: WallClock, said: Publisher, doubt: str, believed: bool) -> bool:
    """Whether the clock comes to be believed or not, once records says so."""
    for _ in range(200):
        said.send(RecordsState(Health.READY, "", 60.0, "kept", clock=doubt))
        time.sleep(0.01)
        clock.listen()
        if clock.believed() == believed:
            return True
    return False


def test_the_clock_is_believed_when_records_has_just_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    place = tempfile.TemporaryDirectory(prefix="okw")
    run_dir = Path(place.name)
    clock = WallClock(run_dir)
    try:
        assert not clock.believed()
        with Publisher(records_state_address(run_dir)) as said:
            assert hears(clock, said, "", believed=True)
            assert hears(clock, said, "it stands before the build", believed=False)
            assert hears(clock, said, "", believed=True)
            monkeypatch.setattr(wall_clock, "SILENT_NS", 0)
            assert not clock.believed()
    finally:
        clock.close()
        place.cleanup()
