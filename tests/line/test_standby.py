"""kill -9 of the judge on a running line with a standby: no part is answered twice, and the next one speaks at once."""

import logging
from pathlib import Path

import pytest

from okng.bench.standby import killed
from okng.tests.faults.row import Stand

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.line, pytest.mark.timeout(240)]


def test_no_part_has_two_verdicts_and_the_next_judge_speaks_at_once(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    try:
        found = killed(stand, 4, 6.0, 1, standby=True, tell=log.info)
    finally:
        stand.close()
    log.info("%s", found)
    assert found["views_with_two_verdicts"] == 0
    assert (found["escapes"], found["objections"]) == (0, [])
    assert found["first_word_ms"]["n"] == 4
    assert found["first_word_ms"]["max"] < 500 * 4, "a busy machine is slow; alone it takes a twentieth of that"
    assert found["verdicts"] > 8
