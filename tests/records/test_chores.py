"""What the loop of records does beside the line's rows: what the disk says of it is told, the ledger opened afresh."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from okng.records import process
from okng.records.ledger import LedgerDamaged, LedgerStuck


def nothing(*_: object, **__: object) -> None:
    """Does what it is asked, and has nothing to say."""


def refuses(error: Exception) -> Callable[..., None]:
    def do(*_: object) -> None:
        raise error

    return do


@pytest.mark.parametrize("error", [LedgerStuck("the disk is full"), LedgerDamaged("a page is torn")])
@pytest.mark.parametrize("where", ["backups", "sealing"])
def test_what_the_disk_says_of_a_chore_is_not_swallowed(where: str, error: Exception) -> None:
    assert told_of(error, where) == [error]


def test_a_note_that_does_not_fit_leaves_the_rows_alone() -> None:
    assert told_of(LedgerStuck("the disk is full"), "mark") == []
    damaged = LedgerDamaged("a page is torn")
    assert told_of(damaged, "mark") == [damaged]


def told_of(error: Exception, where: str) -> list[Exception]:
    """One turn of the loop in which that chore is refused; what the recorder is told of it."""
    told: list[Exception] = []
    turns = iter((False, True))
    doing = dict.fromkeys(("backups", "sealing", "mark"), nothing) | {where: refuses(error)}
    stub: Any = SimpleNamespace
    recorder = stub(
        idle=True,
        stuck=False,
        stuck_why="",
        oldest_ns=nothing,
        is_full=lambda: True,
        ripen=nothing,
        commit=nothing,
        recover=nothing,
        get_stuck=told.append,
    )
    people = stub(
        door=stub(take=nothing),
        backups=stub(settle=doing["backups"]),
        sealing=stub(settle=doing["sealing"], idle=nothing),
    )
    store = stub(
        errands=stub(waiting=False),
        upkeep=stub(turn=nothing),
        teller=stub(tell=nothing),
        pictures=None,
        retention=stub(told=None),
        clock=stub(look=nothing),
        reserve=stub(hold=nothing, rescue=nothing),
    )
    ledger = stub(mark=doing["mark"], rest=nothing, look=nothing, ground=stub(hidden=nothing))
    heartbeat = stub(health=None, turn=nothing)
    stop = stub(asked=stub(is_set=lambda: next(turns, True)))
    process.DRAIN_NS, before = 0, process.DRAIN_NS
    try:
        process._loop(recorder, ledger, stub(), people, store, heartbeat, stop)
    finally:
        process.DRAIN_NS = before
    return told
