"""The second factor: a code once, the same lock-out, recovery codes once, a clock that is at fault is named."""

from base64 import b32decode
from typing import Any

import pytest

from okng.bus.asks import Ask, new_id
from okng.bus.clock import SECOND, now_ns
from okng.identity.one_time import PERIOD_S, code_of, step_at
from okng.records import lockout, second, second_desk
from okng.records.recovery import recover_keeper
from okng.records.second import hashed_code
from okng.records.secret import hashed_password
from okng.records.tasks import records_desk

PASSWORD = "correct horse"
AWAY = {"kind": "password", "panel": False, "address": "192.0.2.7"}


class Phone:
    """The person's app, and a wall clock that the test turns."""

    def __init__(self, room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room, self.secret, self.at = room, b"", 1_800_000_000.0
        monkeypatch.setattr(second, "wall_s", lambda: self.at)

    def code(self, ahead: int = 0) -> str:
        return code_of(self.secret, step_at(self.at) + ahead)

    def wait(self, periods: int = 1) -> None:
        self.at += periods * PERIOD_S


@pytest.fixture
def phone(room: Any, monkeypatch: pytest.MonkeyPatch) -> Phone:
    room.staff()
    room.done("account.change", "ann", name="eve", password=PASSWORD)
    return Phone(room, monkeypatch)


def turn_on(phone: Phone, who: str = "eve") -> list[str]:
    told = phone.room.done("account.second_begin", who, box="okng")
    phone.secret = b32decode(told["secret"].replace(" ", ""))
    done = phone.room.done("account.second_confirm", who, code=phone.code(), secret=PASSWORD, secret_kind="password")
    return list(done["codes"])


def password(room: Any, who: str = "eve", **more: Any) -> dict[str, Any]:
    return dict(room.done("account.sign_in", who=who, secret=PASSWORD, **{**AWAY, **more}))


def test_the_code_has_to_follow_the_password_from_elsewhere_alone(phone: Phone) -> None:
    room = phone.room
    assert password(room)["name"] == "eve"
    turn_on(phone)
    told = password(room)
    assert set(told) == {"second", "ticket"}, "nothing of the person before the code"
    assert room.refused("account.sign_in_second", ticket="no such", code=phone.code()) == second_desk.LATE
    phone.wait()
    done = room.done("account.sign_in_second", ticket=told["ticket"], code=phone.code())
    assert (done["name"], done["recovery_left"]) == ("eve", 10)
    assert room.refused("account.sign_in_second", ticket=told["ticket"], code=phone.code(1)) == second_desk.LATE
    assert room.done("account.sign_in", who="eve", secret="2580", kind="pin", panel="panel")["name"] == "eve"
    # A PIN that does from elsewhere as if at the panel is no way round it.
    away = room.done("account.sign_in", who="eve", secret="2580", kind="pin", panel="192.0.2.9", elsewhere=True)
    assert "ticket" in away
    assert room.trail()[-4:] == ["second factor asked for", "signed in", "signed in", "second factor asked for"]


def test_a_code_is_good_once_and_one_period_beside(phone: Phone) -> None:
    room = phone.room
    turn_on(phone)
    first = phone.code()

    def tried(code: str) -> str:
        answer = room.ask("account.sign_in_second", ticket=password(room)["ticket"], code=code)
        return "" if answer.done else str(answer.detail)

    assert tried(first) == "this code was used already: wait for the next one", "turning it on took it"
    phone.wait(3)
    assert tried(phone.code(-2)) == "the code is wrong"
    assert tried(phone.code(2)) == "the code is wrong"
    assert tried(f" {phone.code(1)[:3]} {phone.code(1)[3:]} ") == "", "its phone is half a minute ahead"
    assert tried(phone.code()) == "this code was used already: wait for the next one", "an older one neither"
    phone.wait(2)
    assert tried(phone.code()) == ""


def test_guessing_codes_meets_the_lock_out_and_the_password_opens_none(phone: Phone) -> None:
    room = phone.room
    turn_on(phone)
    phone.wait(3)
    for _ in range(3):
        room.refused("account.sign_in_second", ticket=password(room)["ticket"], code=phone.code(2))
    ticket = password(room)["ticket"]
    for _ in range(2):
        assert room.refused("account.sign_in_second", ticket=ticket, code="000000") == "the code is wrong"
    assert room.refused("account.sign_in_second", ticket=ticket, code=phone.code()) == "locked for 30 s"
    answer = room.ask("account.sign_in", who="eve", secret=PASSWORD, **AWAY)
    assert (answer.done, answer.detail) == (False, "locked for 30 s")
    assert room.done("account.sign_in", who="eve", secret="2580", kind="pin", panel="panel"), "the panel is apart"
    trail = room.trail()
    assert trail.count("sign-in failed") == 5


def test_after_the_wait_password_and_code_are_one_try(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    room, now = phone.room, [10_000 * SECOND]
    turn_on(phone)
    phone.wait()
    monkeypatch.setattr(lockout, "now_ns", lambda: now[0])
    ticket = password(room)["ticket"]
    for _ in range(5):
        room.refused("account.sign_in_second", ticket=ticket, code="000000")
    now[0] += 31 * SECOND
    ticket = password(room)["ticket"]
    assert room.done("account.sign_in_second", ticket=ticket, code=phone.code())["name"] == "eve"
    phone.wait(2)
    for _ in range(5):
        room.refused("account.sign_in_second", ticket=password(room)["ticket"], code="000000")
    now[0] += 31 * SECOND
    tickets = [password(room)["ticket"] for _ in range(3)]
    assert room.refused("account.sign_in_second", ticket=tickets[0], code="000000") == "the code is wrong"
    assert "locked for" in room.refused("account.sign_in_second", ticket=tickets[1], code=phone.code())


def test_recovery_codes_do_in_place_of_the_phone_each_once(phone: Phone) -> None:
    room = phone.room
    codes = turn_on(phone)
    assert len(set(codes)) == 10
    assert all(len(code) == 19 for code in codes)
    done = room.done("account.sign_in_second", ticket=password(room)["ticket"], code=codes[3].upper())
    assert done["recovery_left"] == 9
    room.restart()
    assert room.refused("account.sign_in_second", ticket=password(room)["ticket"], code=codes[3]) == "the code is wrong"
    fresh = room.done("account.second_codes", "eve", code=codes[4], secret=PASSWORD)["codes"]
    assert room.refused("account.sign_in_second", ticket=password(room)["ticket"], code=codes[5]) == "the code is wrong"
    assert room.done("account.sign_in_second", ticket=password(room)["ticket"], code=fresh[0])["recovery_left"] == 9
    assert room.people.recovery_left("eve") == 9


def test_the_clock_of_the_box_is_named_where_it_is_the_reason(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    room = phone.room
    turn_on(phone)
    phone.at -= 3600
    why = room.refused("account.sign_in_second", ticket=password(room)["ticket"], code=phone.code())
    assert why.endswith("the clock of the box stands before the last code that was taken: it was set back")
    phone.at += 7200
    room.desk = second_room(room, lambda: "the clock was set ahead by 2 h")
    ticket = password(room)["ticket"]
    why = room.refused("account.sign_in_second", ticket=ticket, code=phone.code(-120))
    assert why == ("the code was not taken, for the clock of the box is not believed: the clock was set ahead by 2 h")
    assert room.done("account.sign_in_second", ticket=ticket, code=phone.code())["name"] == "eve", (
        "it fits all the same"
    )


def second_room(room: Any, doubt: Any) -> Any:
    return records_desk(room.ledger, room.store, lambda: "", room.stumbled.append, room.backups, doubt=doubt)


def test_turning_on_takes_the_password_and_a_code_of_it(phone: Phone) -> None:
    room = phone.room
    assert "begin again" in room.refused("account.second_confirm", "eve", code="123456", secret=PASSWORD)
    told = room.done("account.second_begin", "eve")
    assert told["address"].startswith("otpauth://totp/okng:eve?secret=")
    assert room.done("account.second_begin", "eve") == told, "loading the page again changes nothing on the phone"
    wrong = room.refused("account.second_confirm", "eve", code="123456", secret="no")
    assert wrong == "the password given again is wrong"
    assert room.refused("account.second_confirm", "eve", code="12345", secret=PASSWORD) == "the code is wrong"
    person = room.people.person("eve")
    assert (person.second_since, person.generation) == ("", 2)
    codes = turn_on(phone)
    person = room.people.person("eve")
    assert person.second_since.endswith("Z")
    assert person.generation == 3
    assert "on already" in room.refused("account.second_begin", "eve")
    phone.wait()
    assert room.refused("account.second_off", "eve", code="000000", secret=PASSWORD) == "the code is wrong"
    assert "begin again" in room.refused("account.second_confirm", "eve", code=phone.code(), secret=PASSWORD)
    room.done("account.second_off", "eve", code=codes[0], secret=PASSWORD)
    assert room.people.person("eve").second_since == ""
    assert password(room)["name"] == "eve"
    assert room.refused("account.second_begin", "nobody") == "nobody is no enabled user"
    trail = room.trail()
    assert trail.count("second factor turned on") == trail.count("second factor turned off") == 1


def test_no_secret_and_no_code_is_written_where_it_can_be_read(phone: Phone) -> None:
    room = phone.room
    ask = Ask(new_id(), "account.second_begin", "eve", "", "", {})
    secret = room.desk.answer(ask).body["secret"].replace(" ", "")
    codes = turn_on(phone)
    phone.wait()
    ticket = password(room)["ticket"]
    typed = phone.code()
    room.done("account.sign_in_second", ticket=ticket, code=typed)
    room.refused("account.sign_in_second", ticket=password(room)["ticket"], code="zz-wrong-code")
    room.ledger.rest()
    kept = b"".join(path.read_bytes() for path in room.store.glob("ledger.db*"))
    for hidden in (secret, phone.secret.hex(), *codes, *(code.replace("-", "") for code in codes), ticket, typed):
        assert hidden.encode() not in kept, hidden
    assert phone.secret not in kept
    assert hashed_code("eve", codes[0]).encode() in kept
    assert b"zz-wrong-code" not in kept


def test_a_role_that_needs_it_does_not_get_in_without(phone: Phone) -> None:
    room = phone.room
    mine = room.refused("account.second_demand", "ann", roles=("administrator",))
    assert mine == "turn on your own second factor first: your role would need it"
    assert "unknown roles ['cook']" in room.refused("account.second_demand", "ann", roles=("cook",))
    before = room.people.person("eve").generation
    room.done("account.second_demand", "ann", roles=("engineer", "lead"))
    assert room.people.second_demanded() == {"engineer", "lead"}
    assert room.people.person("eve").generation == before + 1, "her sessions are void"
    why = "your role needs a second factor: turn it on at the panel of the box first"
    assert room.refused("account.sign_in", who="eve", secret=PASSWORD, **AWAY) == why
    wrong = room.refused("account.sign_in", who="eve", secret="wrong", **AWAY)
    assert wrong == "not signed in: name or secret is wrong"
    codes = turn_on(phone)
    assert "your role needs a second factor" in room.refused(
        "account.second_off", "eve", code=codes[0], secret=PASSWORD
    )
    assert "ticket" in password(room)
    room.done("account.second_demand", "ann", roles=())
    room.done("role.change", "ann", name="cook", rights=())
    room.done("account.second_demand", "ann", roles=("cook",))
    room.done("role.change", "ann", name="cook", drop=True)
    assert room.people.second_demanded() == frozenset()
    assert "user.edit" in room.refused("account.second_demand", "eve", roles=())


def test_who_edits_users_takes_it_off_who_lost_the_phone(phone: Phone) -> None:
    room = phone.room
    turn_on(phone)
    assert "user.edit" in room.refused("account.second_take_off", "eve", name="eve", panel=True)
    assert "oli has no second factor" in room.refused("account.second_take_off", "ann", name="oli")
    before = room.people.person("eve").generation
    room.done("account.second_take_off", "ann", name="eve")
    assert room.people.person("eve").generation == before + 1
    assert room.people.recovery_left("eve") == 0
    assert password(room)["name"] == "eve"
    assert "second factor taken off" in room.trail()


def test_who_is_helped_at_the_console_has_none_any_more(phone: Phone) -> None:
    room = phone.room
    turn_on(phone, "ann")
    room.ledger.close()
    recover_keeper(room.store, "ann", "another one")
    room.open()
    assert room.people.person("ann").second_since == ""
    assert room.done("account.sign_in", who="ann", secret="another one", **AWAY)["name"] == "ann"


def test_ones_own_is_taken_off_at_the_box_alone(phone: Phone) -> None:
    room = phone.room
    turn_on(phone, "ann")
    assert "at the panel of the box" in room.refused("account.second_take_off", "ann", name="ann")
    room.done("account.second_take_off", "ann", name="ann", panel=True)


def test_with_another_key_of_the_box_the_reason_is_said_and_recovery_codes_still_do(phone: Phone) -> None:
    room = phone.room
    codes = turn_on(phone)
    room.ledger.close()
    (room.store / "box-key.pem").unlink()
    room.open()
    phone.wait()
    ticket = password(room)["ticket"]
    why = room.refused("account.sign_in_second", ticket=ticket, code=phone.code())
    assert why == "the second factor was made with another key of the box: an administrator has to take it off"
    assert room.done("account.sign_in_second", ticket=ticket, code=codes[0])["name"] == "eve"


def test_from_elsewhere_another_person_does_not_sign_by_password_alone(phone: Phone) -> None:
    room = phone.room
    turn_on(phone)
    body = {"who": "eve", "secret": PASSWORD, "secret_kind": "password", "meaning": "reviewed", "kind": "model"}
    body |= {"name": "cap", "digest": "ab" * 32}

    def signed(by: str, **more: Any) -> str:
        answer = room.desk.answer(Ask(new_id(), "signature.make", by, "", "seen", {**body, **more}))
        return "" if answer.done else str(answer.detail)

    assert signed("ann") == "eve has a second factor: from elsewhere they sign in themselves before they sign"
    assert signed("eve") == "", "she gave the code when she signed in"
    assert signed("ann", meaning="released", panel="panel", secret="2580", secret_kind="pin") == ""


def test_a_ticket_ends_with_its_time_and_with_a_new_password(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    room = phone.room
    turn_on(phone)
    phone.wait()
    ticket = password(room)["ticket"]
    with room.ledger.transaction() as db:
        hashed = hashed_password(PASSWORD)
        db.execute("update person set password_hash = ?, generation = generation + 1 where name = 'eve'", (hashed,))
    assert room.refused("account.sign_in_second", ticket=ticket, code=phone.code()) == second_desk.LATE
    phone.wait(2)
    ticket, now = password(room)["ticket"], now_ns()
    monkeypatch.setattr(second_desk, "now_ns", lambda: now + second_desk.TICKET_NS)
    assert room.refused("account.sign_in_second", ticket=ticket, code=phone.code()) == second_desk.LATE
