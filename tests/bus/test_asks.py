"""Asking: the right is looked at, a repeat gets the same answer, and silence is never an answer."""

import threading
from pathlib import Path

import pytest

from okng.bus.asks import KEPT, Ask, Desk, Objection, new_id
from okng.bus.channel import AskDoor, ask_address, ask_once
from okng.bus.errors import Lost, Refused
from okng.bus.rights import COMMANDS, KEEPER, RIGHTS, ROLES


def label(id: str = "", who: str = "ann", right: str = "part.label") -> Ask:  # noqa: A002
    return Ask(id or new_id(), "label.set", who, right, "", {"seq": 1})


def test_a_repeat_gets_the_same_answer_and_is_done_once() -> None:
    done: list[Ask] = []

    def do(ask: Ask) -> dict[str, object]:
        done.append(ask)
        return {"n": len(done)}

    desk, first = Desk("records", {"label.set": do}), label("a" * 32)
    assert desk.answer(first).body == desk.answer(first).body == {"n": 1}
    # Chosen by somebody else as well, it is another ask.
    assert desk.answer(label("a" * 32, "eve")).body == {"n": 2}
    for _ in range(KEPT):
        desk.answer(label())
    assert desk.answer(first).body == {"n": KEPT + 3}


def test_what_is_lost_for_now_may_be_asked_again_and_what_is_refused_stays_refused() -> None:
    raised: list[Exception] = [Lost("disk full"), Refused("no such part"), Refused("no more"), ValueError("x")]

    def do(ask: Ask) -> dict[str, object]:
        raise raised.pop(0)

    desk, ask = Desk("records", {"label.set": do}), label()
    assert desk.answer(ask).detail == "disk full"
    assert desk.answer(ask).detail == "no such part"
    assert desk.answer(ask).detail == "no such part"


def test_the_right_the_name_and_the_owner_are_looked_at() -> None:
    desk = Desk("records", {"label.set": lambda ask: {}})
    assert "needs the right part.label, not none" in desk.answer(label(right="")).detail
    assert "records has no command label.undo" in desk.answer(Ask(new_id(), "label.undo", "a", "part.label")).detail
    assert "no command fly" in desk.answer(Ask(new_id(), "fly", "a", "part.label")).detail
    with pytest.raises(KeyError, match=r"alarm\.ack is not a command of records"):
        Desk("records", {"alarm.ack": lambda ask: {}})


def test_a_handler_that_breaks_is_a_refusal_with_its_reason() -> None:
    def object_to(ask: Ask) -> dict[str, object]:
        raise Objection("too long", {"loc": ["name"]})

    assert (
        "failed inside: ZeroDivisionError"
        in Desk("records", {"label.set": lambda a: {"n": 1 // 0}}).answer(label()).detail
    )
    answer = Desk("records", {"label.set": object_to}).answer(label())
    assert (answer.done, answer.detail, answer.body) == (False, "too long", {"loc": ["name"]})


def test_nobody_there_is_no_answer_and_an_owner_answers(tmp_path: Path) -> None:
    ask = label()
    assert ask_once(tmp_path, "records", ask, 50) is None
    door, desk = AskDoor(ask_address(tmp_path, "records")), Desk("records", {"label.set": lambda a: {"n": 7}})
    served = threading.Thread(target=lambda: door.serve(desk, 5000))
    served.start()
    answer = ask_once(tmp_path, "records", ask, 5000)
    served.join()
    door.close()
    assert answer is not None
    assert answer.body == {"n": 7}


def test_the_rights_are_one_list() -> None:
    assert {command.right for command in COMMANDS.values()} <= {*RIGHTS, ""}
    assert set().union(*ROLES.values()) <= RIGHTS.keys()
    assert [name for name, rights in ROLES.items() if KEEPER in rights] == ["administrator"]
    assert ROLES["operator"] < ROLES["lead"] < ROLES["engineer"]
