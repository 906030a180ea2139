"""What the shift process says, refuses and holds the line by has words of its own on the screen."""

import pytest

from okng.webui.alarm_words import localized_shift, told
from okng.webui.shift_words import OCCASIONS, PHASES, detail_words
from okng.webui.words import ALARMS, alarm, said

REFUSALS = [
    "alarm camera.lost:top is acknowledged: there is nothing to acknowledge",
    "alarm camera.lost:top is acknowledged: only a latched one whose cause is gone can be reset",
    "alarm camera.lost:top is latched: it cannot be shelved",
    "alarm verify.failed may not be shelved: do what it says",
    "alarm verify.failed may not be taken out of service: do what it says",
    "alarm camera.lost:top is normal",
    "45 minutes: expected more than 0 and at most 30",
    "a bypass needs a reason",
    "there is no bypass",
    "a bypass is on: end it first",
    "a challenge test is running already",
    "no defective test part is set for magnetic-tile: set them first",
    "no product is on hold",
    "the release of product on hold needs a reason",
    "Scratch: the defect was not found (part 12)",
    "Scratch: it got no verdict (part 12)",
    "Scratch: it was not removed",
    "Scratch: nothing confirms that it was removed (part 12)",
    "Good one: a good part was called bad (part 12)",
    "Scratch was found: was it removed?",
    "Scratch: found and removed",
    "Taught beside the line from 25 good parts.",
    "the test was broken off by a restart",
    "a change-over is under way: finish it or break it off",
    "the line's own job is not known: io does not answer",
    "there is no job 9: expected one of 1, 2",
    "job 1 is the active one already",
    "the change-over is at step 2 (compare), not at 6",
    "the challenge test is not passed yet",
    "no product of the settings has the code 'TILE-1'",
    "io does not answer: the line cannot be tested",
    "recipe 0123456789ab of job 7 is not signed as approved",
    "recipe 0123456789ab of job 7 is not signed as approved: signatures over its first 12 digits count no more",
    "the inspection is stopped by op: start it first",
    "records does not answer: it is not written down, so it was not done",
    "it cannot be written down, so it was not done: too many wait",
    "no answer from shift: it may or may not have been done",
]
HOLDS = [
    "shift holds the line: the challenge test is due (start)",
    "shift holds the line: the challenge test has failed: Scratch: the defect was not found (part 12)",
    "shift holds the line: change-over to job 2: step 4 of 6 (apply)",
    "shift holds the line: change-over: going back to job 1",
    "shift holds the line: the line is being set to test parts",
    "shift holds the line: the release is being written down",
    "shift holds the line: the challenge test is due (start); it is silent since: start it again",
    "shift has not spoken yet: the line waits for it",
    "operator holds the line: stopped by op",
]


@pytest.mark.parametrize("sentence", REFUSALS)
def test_a_refusal_is_translated_and_keeps_what_it_is_about(sentence: str) -> None:
    marked = detail_words(sentence, lambda text: f"«{text}»")
    assert marked.startswith("«"), sentence
    for name in ("Scratch", "part 12", "TILE-1", "magnetic-tile"):
        assert name not in sentence or name in marked or "not removed" in marked


@pytest.mark.parametrize("reason", HOLDS)
def test_a_hold_says_where_to_go(reason: str) -> None:
    found = said(reason, ALARMS, str)
    assert found is not None
    assert not found[0].startswith("shift holds"), "only the general sentence fits"
    assert alarm(reason, str)["todo"]


def test_what_is_not_known_is_shown_as_it_came() -> None:
    assert detail_words("the belt has come off", lambda text: f"«{text}»") == "the belt has come off"
    assert detail_words("", str) == ""
    assert detail_words("interval", str) == OCCASIONS["interval"]
    assert set(PHASES) == {"off", "passed", "due", "running", "failed", "unsigned"}


def test_a_reported_defect_is_told_in_words_and_is_not_over_by_itself() -> None:
    found = told("escape.reported", {"detail": "scratch next station AB 12"}, str)
    assert found is not None
    assert found.why == "scratch · Next station · AB 12"
    assert told("escape.reported", {"detail": "burr customer"}, str).why == "burr · Customer"  # type: ignore[union-attr]
    assert told("escape.reported", {"detail": "as it came"}, str).why == "as it came"  # type: ignore[union-attr]
    alarm = {"kind": "escape.reported", "fill": {"detail": "dent packing"}, "priority": 4}
    other = {"kind": "camera.lost", "fill": {"camera": "top", "detail": "x"}, "priority": 1}
    news = {"known": True, "alarms": [alarm, other], "challenge": {"detail": ""}, "change": {"detail": ""}}
    assert [one["once"] for one in localized_shift(news, str)["alarms"]] == [True, False]
