"""What `okng ladder show` says beside its table."""

from typing import Any

import pytest

from okng.appliance.ladder_words import lines

WELL: dict[str, Any] = {"stopped": "", "recipes": [], "expired": False, "why": "", "advice": [], "unsent": 0}


def test_nothing_is_said_where_all_is_well() -> None:
    assert list(lines(WELL)) == []


@pytest.mark.parametrize(
    ("expired", "words"),
    [(True, "the channel has run out"), (False, "nothing of what the service shows is taken")],
)
def test_what_is_wrong_with_the_channel_is_said(expired: bool, words: str) -> None:
    (said,) = lines(WELL | {"expired": expired, "why": "New timestamp version 5 must be >= 11"})
    assert said.startswith(words)
    assert said.endswith("what runs goes on: New timestamp version 5 must be >= 11")
