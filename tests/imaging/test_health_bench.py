"""The health bench in short: one round of all that can go wrong, rendered parts. The long form is bench/health.py."""

import json
from pathlib import Path

import pytest

from okng.bench import health as bench
from okng.bench.health_cases import CASES


def test_it_finds_what_it_spoils_and_raises_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = tmp_path / "health.json"
    (result,) = bench.main(["--short", "--json", str(found)]).values()
    assert result.frames == 160
    assert result.false_alarms == {}
    assert set(result.cases) == {case.name for case in CASES}
    # A faint spot of dirt on the rim may escape one round.
    assert sum(tally.right for tally in result.cases.values()) >= len(CASES) - 1
    assert sum(tally.wrong for tally in result.cases.values()) == 0
    assert "nothing wrong" in capsys.readouterr().out
    (scene,) = json.loads(found.read_text(encoding="utf-8"))["scenes"].values()
    assert scene["frames"] == 160
