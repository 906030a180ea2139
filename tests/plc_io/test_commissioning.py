"""The commissioning check as io finds it."""

from pathlib import Path

import pytest

from okng.bus.errors import BadSettings
from okng.plc_io.budget import ENOUGH, Taken, Way, allowed, budget
from okng.plc_io.commissioning import blocker, read_commissioned, save_commissioned, standing

FAR = Way(distance_mm=500, max_speed_mm_s=600, deadline_ms=400, margin_ms=150, valve_ms=12)
NEAR = Way(distance_mm=100, max_speed_mm_s=600, deadline_ms=400, margin_ms=150, valve_ms=12)
QUICK = [Taken(5, 20, 40, 10)] * ENOUGH


def test_without_a_check_the_recipe_rules_and_the_words_name_distance_and_speed() -> None:
    assert blocker(FAR, None, required=False) == ""
    said = blocker(NEAR, None, required=False)
    assert "230 mm too near" in said
    assert "181 mm/s" in said
    assert "--save" in blocker(FAR, None, required=True)


def test_a_saved_check_lets_a_gate_be_nearer_and_holds_for_its_revision_alone(tmp_path: Path) -> None:
    file = tmp_path / "commissioning.json"
    save_commissioned(file, "0123456789ab", "2026-01-01T00:00:00.000Z", budget(NEAR, QUICK))
    save_commissioned(file, "ba9876543210", "2026-01-01T00:00:00.000Z", budget(FAR, QUICK))
    saved = read_commissioned(file)
    assert sorted(saved) == ["0123456789ab", "ba9876543210"]
    assert blocker(NEAR, saved["0123456789ab"], required=True) == ""
    assert standing(NEAR, saved["0123456789ab"]).measured == ENOUGH
    faster = Way(100, 2000, 400, 150, 12)
    assert "24 mm too near" in blocker(faster, saved["0123456789ab"], required=True)
    assert [p.name for p in tmp_path.iterdir()] == ["commissioning.json"]


def test_what_was_not_measured_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="nothing was measured"):
        save_commissioned(tmp_path / "c.json", "0123456789ab", "2026-01-01T00:00:00.000Z", allowed(FAR))
    assert read_commissioned(tmp_path / "c.json") == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"version": 2, "checks": {}}',
        '{"version": 1, "checks": {"a": {}}}',
        '{"version": 1, "checks": {"a": {"at": "", "measured": 1, "stages": []}}}',
    ],
)
def test_a_damaged_file_is_named_and_not_believed(tmp_path: Path, content: str) -> None:
    file = tmp_path / "commissioning.json"
    file.write_text(content)
    with pytest.raises(BadSettings, match=r"commissioning\.json"):
        read_commissioned(file)
