"""Where the settings ask for signatures, nothing is put in place without them, and no one approves their own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from okng.appliance.signed_jobs import unsigned_by
from okng.bus.asks import Ask, new_id
from okng.bus.errors import BadSettings, Refused
from okng.records.ledger import Ledger
from okng.records.tasks import records_desk
from okng.workshop.box import Box
from okng.workshop.signed import must_be_signed

DIGEST = "ab" * 32
RECIPE = "0123456789abcdef" * 4
Sign = Callable[..., None]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def sign(store: Path) -> Any:
    """`sign("eve", "authored")`; eve, ed and al are engineers."""
    ledger = Ledger(store)
    desk = records_desk(ledger, store, lambda: "", lambda _: None)

    def done(command: str, by: str, reason: str = "", **body: Any) -> None:
        answer = desk.answer(Ask(new_id(), command, by, "user.edit" if "create" in command else "", reason, body))
        assert answer.done, answer.detail

    done("account.first", "", name="ann", password="correct horse")
    for name in ("eve", "ed", "al"):
        done("account.create", "ann", name=name, role="engineer", pin="2580")

    def make(who: str, meaning: str, kind: str = "model", digest: str = DIGEST) -> None:
        body = {"who": who, "secret": "2580", "meaning": meaning, "kind": kind, "name": "cap", "digest": digest}
        done("signature.make", who, reason="seen", **body, panel="panel")

    make.ledger = ledger  # type: ignore[attr-defined]
    yield make
    ledger.close()


def box(store: Path, *required: str) -> Any:
    return type("Made", (), {"store": store, "signatures_required": required})()


def test_without_the_rule_nothing_is_asked_for(store: Path) -> None:
    made: Box = box(store)
    must_be_signed(made, DIGEST, "eve")


def test_a_model_needs_its_signatures_and_another_persons_approval(store: Path, sign: Sign) -> None:
    made: Box = box(store, "authored", "approved")
    with pytest.raises(Refused, match="model abababababab is not signed as authored, approved"):
        must_be_signed(made, DIGEST, "al")
    sign("eve", "authored")
    sign("ed", "approved")
    with pytest.raises(Refused, match="is not signed as approved"):
        must_be_signed(made, DIGEST, "ed")
    must_be_signed(made, DIGEST, "al")
    with pytest.raises(Refused, match="is not signed as authored"):
        must_be_signed(made, "cd" * 32, "al")


class Jobs:
    """A job 7 of one recipe."""

    def recipe(self, number: int) -> Any:
        if number != 7:
            raise BadSettings("there is no such job")
        return type("Active", (), {"revision": RECIPE[:12], "digest": RECIPE})()


def test_a_change_over_waits_for_the_signatures_of_its_recipe(store: Path, sign: Sign) -> None:
    jobs: Any = Jobs()
    assert unsigned_by(jobs, store, ())(7, "lea") == ""
    why = unsigned_by(jobs, store, ("approved",))
    assert why(7, "lea") == "recipe 0123456789ab of job 7 is not signed as approved"
    sign("ed", "approved", kind="recipe", digest=RECIPE[:12] + "f" * 52)
    assert why(7, "lea") == "recipe 0123456789ab of job 7 is not signed as approved", "it is another with these digits"
    sign("ed", "approved", kind="recipe", digest=RECIPE)
    assert why(7, "lea") == ""
    assert why(7, "ed") == "recipe 0123456789ab of job 7 is not signed as approved"
    assert "cannot be told: there is no such job" in why(8, "lea")


def test_signatures_over_the_first_digits_are_said_to_count_no_more(store: Path, sign: Any) -> None:
    with sign.ledger.transaction() as db:
        db.execute(
            "insert into signature (at, who, full_name, meaning, kind, name, digest, reason, place, secret, box)"
            " values ('2026-01-02T03:04:05Z', 'ed', 'ed', 'approved', 'recipe', 'cap', ?, 'x', 'panel', 'pin', '')",
            (RECIPE[:12],),
        )
    jobs: Any = Jobs()
    why = unsigned_by(jobs, store, ("approved",))(7, "lea")
    assert why == (
        "recipe 0123456789ab of job 7 is not signed as approved: signatures over its first 12 digits count no more"
    )
