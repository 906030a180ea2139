"""A service whose database is older than the last word of its boxes."""

import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from okng.cloud.database import reading
from okng.cloud.deeds import broken
from okng.cloud.tables import Event, Part

from .rig import JSONL, BoxKey, Rig, line, part_body, rig, settings_of, zipped


def say(fleet: Rig, box: BoxKey, first: int, last: int) -> Any:
    lines = [line(seq, "part", part_body(seq)) for seq in range(first, last + 1)]
    return fleet.as_box(box).post(f"/v1/streams/records/1/{first}", data=zipped(lines), headers=JSONL)


def test_a_restored_service_asks_for_what_it_lacks_and_takes_it_once(tmp_path: Path) -> None:
    folder, saved = tmp_path / "fleet", tmp_path / "saved.db"
    settings = settings_of(folder)
    with rig(settings, folder) as fleet:
        box = fleet.enrol()
        assert say(fleet, box, 1, 30).json == {"acked": 30}
        with reading(fleet.service.engine) as db:
            db.execute(sa.text("vacuum into :file"), {"file": str(saved)}) if False else None
        shutil.copy(folder / "fleet.db", saved)
        assert say(fleet, box, 31, 80).json == {"acked": 80}
    shutil.copy(saved, folder / "fleet.db")
    with rig(settings, folder) as fleet:
        answer = say(fleet, box, 81, 90)
        assert (answer.status_code, answer.json["next"]) == (409, 31)
        assert say(fleet, box, 21, 60).json == {"acked": 60}
        dropped = [line(seq, "dropped", {"seq_part": seq}) for seq in range(61, 71)]
        gone = fleet.as_box(box).post("/v1/streams/records/1/61", data=zipped(dropped), headers=JSONL)
        assert gone.json == {"acked": 70}
        assert say(fleet, box, 71, 90).json == {"acked": 90}
        with reading(fleet.service.engine) as db:
            assert db.execute(sa.select(sa.func.count()).select_from(Event)).scalar_one() == 90
            assert db.execute(sa.select(sa.func.count()).select_from(Part)).scalar_one() == 80
            assert broken(db) is None
