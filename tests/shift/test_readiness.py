"""What availability is told from: changes that last are noted, with when they began and why."""

from okng.shift.readiness import Readiness

S = 1_000_000_000


def run(course: list[tuple[int, bool | None]], seen_until: str = "") -> list[tuple[str, dict[str, object]]]:
    """course: second, ready; a turn every second."""
    line, ready, found, at = Readiness(), None, [], dict(course)
    for second in range(max(at) + 4):
        ready = at.get(second, ready)
        line.turn(
            ready=ready, reasons=("camera top is lost",), now_ns=second * S, utc=f"T{second}", seen_until=seen_until
        )
        found += [(note.event, note.body) for note in line.notes()]
    return found


def test_a_change_is_noted_once_with_the_moment_it_began() -> None:
    assert run([(0, True), (10, False), (20, True)]) == [
        ("ready", {"since": "T0"}),
        ("not ready", {"since": "T10", "reasons": ["camera top is lost"]}),
        ("ready", {"since": "T20"}),
    ]


def test_what_does_not_last_is_not_noted() -> None:
    assert run([(0, True), (10, False), (11, True)]) == [("ready", {"since": "T0"})]


def test_silence_is_neither_ready_nor_not() -> None:
    assert [event for event, _ in run([(0, True), (5, None), (12, True)])] == ["ready", "silent", "ready"]


def test_after_a_restart_the_first_word_says_since_when_nothing_was_seen() -> None:
    assert run([(0, True), (9, False)], "T-60")[0] == ("ready", {"since": "T0", "unseen since": "T-60"})
    assert "unseen since" not in run([(0, True), (9, False)], "T-60")[1][1]
