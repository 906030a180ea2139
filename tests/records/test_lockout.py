"""Five tries, then growing waits: no kill, reboot or set clock gets anybody one more look at a secret."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from okng.bus.clock import SECOND
from okng.records import lockout, sign_in
from okng.records.lockout import FREE, WAITS_S, Tries


class Clocks:
    """The clocks of a box that may be rebooted and set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real_s = 0.0
        self.booted_s, self.boot, self.utc = -1000.0, "boot-0", "2026-11-23T08:00:00.000Z"
        monkeypatch.setattr(lockout, "now_ns", lambda: int((self.real_s - self.booted_s) * SECOND))
        monkeypatch.setattr(lockout, "boot_id", lambda: self.boot)
        monkeypatch.setattr(lockout, "utc_now", lambda: self.utc)

    def reboot(self) -> None:
        self.real_s += 20.0
        self.booted_s, self.boot = self.real_s - 2.0, f"boot-{self.real_s}"


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, clocks: Clocks) -> list[float]:
    """When a secret was looked at; hashing left out."""
    times: list[float] = []

    def fits(typed: str, known: str | None) -> bool:
        times.append(clocks.real_s)
        return known is not None and typed == "right"

    monkeypatch.setattr(sign_in, "fits", fits)
    return times


def attempt(room: Any, typed: str, who: str = "oli", panel: str = "panel") -> str:
    answer = room.ask("account.sign_in", who=who, secret=typed, kind="pin", panel=panel)
    return "" if answer.done else str(answer.detail)


def test_five_tries_then_growing_waits(room: Any, clocks: Clocks, looks: list[float]) -> None:
    room.staff()
    for _ in range(FREE):
        assert attempt(room, "wrong") == sign_in.WRONG
    for wait in (*WAITS_S, WAITS_S[-1]):
        assert attempt(room, "right") == f"locked for {wait} s"
        clocks.real_s += wait - 1
        assert attempt(room, "right") == "locked for 1 s"
        clocks.real_s += 1
        assert attempt(room, "wrong") == sign_in.WRONG
    assert len(looks) == FREE + len(WAITS_S) + 1
    clocks.real_s += WAITS_S[-1]
    assert attempt(room, "right") == ""
    for _ in range(FREE):
        assert attempt(room, "wrong") == sign_in.WRONG


def test_a_person_is_locked_at_every_panel_and_a_panel_for_every_person(
    room: Any, clocks: Clocks, looks: list[float]
) -> None:
    room.staff()
    for n in range(FREE):
        attempt(room, "wrong", panel=f"panel {n}")
    assert "locked" in attempt(room, "right", panel="another")
    assert attempt(room, "right", "pia", "another") == ""
    for n in range(FREE):
        attempt(room, "wrong", f"guess {n}", "here")
    assert "locked" in attempt(room, "right", "pia", "here")
    assert attempt(room, "right", "pia", "there") == ""
    for n in range(FREE):
        assert room.refused("account.sign_in", badge=f"no badge {n}", kind="badge", panel="door") == sign_in.WRONG
    assert "locked" in room.refused("account.sign_in", badge="no badge", kind="badge", panel="door")


def test_an_administrator_lets_a_locked_person_in_again(room: Any, clocks: Clocks, looks: list[float]) -> None:
    room.staff()
    for n in range(FREE):
        attempt(room, "wrong", panel=f"panel {n}")
    room.done("account.change", "ann", name="oli", pin="1379")
    assert attempt(room, "right", panel="another") == ""


def test_who_guesses_from_elsewhere_keeps_nobody_from_the_panel(room: Any, clocks: Clocks, looks: list[float]) -> None:
    room.staff()

    def far(typed: str, n: int) -> str:
        answer = room.ask("account.sign_in", who="oli", secret=typed, kind="password", address=f"10.0.0.{n}")
        return "" if answer.done else str(answer.detail)

    for n in range(FREE):
        assert far("wrong", n) == sign_in.WRONG
    assert "locked" in far("wrong", 99), "from any address"
    assert attempt(room, "right") == ""
    assert "locked" in far("wrong", 99), "nor is that forgiven by a person who signs in at the panel"
    room.done("account.change", "ann", name="oli", pin="1379")
    assert far("wrong", 99) == sign_in.WRONG


def test_rows_of_tries_are_bounded(room: Any, monkeypatch: pytest.MonkeyPatch, looks: list[float]) -> None:
    monkeypatch.setattr(lockout, "_MOST_NAMES", 20)
    for n in range(60):
        attempt(room, "wrong", f"nobody {n}", f"from {n}")
    assert room.rows("select kind, count(*) from attempt group by kind") == [("panel", 20), ("person", 20)]


def test_a_try_that_is_not_on_disk_is_none(room: Any, looks: list[float]) -> None:
    room.staff()
    room.stuck = "disk full"
    assert attempt(room, "right") == "history cannot be written: disk full"
    assert looks == []


STEPS = st.lists(
    st.one_of(
        st.just("try"),
        st.just("kill"),
        st.just("reboot"),
        st.sampled_from(["2030-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"]),
        st.floats(0.0, 1000.0),
    ),
    min_size=10,
    max_size=60,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_nothing_gets_one_more_look_than_time_allows(
    new_room: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, steps: list[str | float]
) -> None:
    clocks, room, seen = Clocks(monkeypatch), new_room(), list[float]()

    def fits(typed: str, known: str | None) -> bool:
        # Killed while it hashes: what was tried must already be on disk.
        room.restart()
        seen.append(clocks.real_s)
        raise KeyboardInterrupt

    monkeypatch.setattr(sign_in, "fits", fits)
    for step in steps:
        if step == "try":
            try:
                attempt(room, "wrong")
            except KeyboardInterrupt:
                continue
        elif step == "kill":
            room.restart()
        elif step == "reboot":
            clocks.reboot()
            room.restart()
        elif isinstance(step, str):
            clocks.utc = step
        else:
            clocks.real_s += step
    for place, (before, after) in enumerate(itertools.pairwise(seen)):
        if place + 1 >= FREE:
            assert after - before >= WAITS_S[min(place + 1 - FREE, len(WAITS_S) - 1)]


@given(fails=st.integers(0, 50), last=st.integers(0, 10**15), now=st.integers(0, 10**15), same=st.booleans())
def test_a_wait_is_never_longer_than_the_longest(fails: int, last: int, now: int, same: bool) -> None:
    wait = Tries(fails, last, "a").wait_s(now, "a" if same else "b")
    assert 0 <= wait <= WAITS_S[-1]
    assert wait == 0 or fails >= FREE
