"""Who may sign in and do what: looked up again where it is written, and somebody who may edit users is always left."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from okng.__main__ import cli
from okng.bus.asks import Ask, new_id
from okng.bus.rights import COMMANDS, KEEPER, ROLES
from okng.records import accounts, secret, sign_in, tasks


def test_the_first_administrator_is_made_only_while_there_is_none(room: Any) -> None:
    assert not room.people.has_keeper()
    assert "needs a password" in room.refused("account.first", name="ann", pin="2580")
    assert "expected 8 to 256" in room.refused("account.first", name="ann", password="short")
    assert "none for the first" in room.refused("account.first", name="ann", password="long enough", role="operator")
    room.done("account.first", name="ann", full_name="Ann Li", password="long enough")
    ann = room.people.person("ann")
    assert (ann.role, ann.rights, ann.secrets) == ("administrator", ROLES["administrator"], {"password"})
    assert room.people.has_keeper()
    assert "there is an administrator already" in room.refused("account.first", name="bob", password="long enough")
    assert room.trail() == ["first administrator made"]


def test_a_pin_or_a_badge_does_at_the_panel_only(room: Any) -> None:
    room.staff()
    room.done("account.change", "ann", name="oli", badge="0047110815", language="zh")
    pin = {"who": "oli", "secret": "2580", "kind": "pin"}
    told = room.done("account.sign_in", **pin, panel="panel")
    assert (told["name"], told["role"]) == ("oli", "operator")
    assert frozenset(told["rights"]) == ROLES["operator"]
    assert (told["generation"], told["language"]) == (2, "zh")
    assert room.done("account.sign_in", secret="0047110815", kind="badge", panel=True)["name"] == "oli"
    assert room.done("account.sign_in", badge="0047110815", kind="badge", panel=True)["name"] == "oli"
    for wrong in (pin, {"badge": "0047110815", "kind": "badge"}):
        for _ in range(9):  # not even looked at, so nothing is told of it
            assert room.refused("account.sign_in", **wrong, address="10.0.0.7") == "from here it takes a password"
    assert room.rows("select count(*) from attempt") == [(0,)]
    assert room.done("account.sign_in", who="ann", secret="correct horse", kind="password")["name"] == "ann"


def test_unknown_disabled_and_wrong_are_told_alike_and_take_as_long(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room.staff()
    room.done("account.change", "ann", name="pia", disabled=True)
    hashed: list[bool] = []
    verify = secret._HASHER.verify

    class Counted:
        def verify(self, known: str, text: str) -> bool:
            hashed.append(True)
            return verify(known, text)

    monkeypatch.setattr(secret, "_HASHER", Counted())
    tries: list[dict[str, Any]] = [
        {"who": "nobody there", "secret": "2580", "kind": "pin"},
        {"who": "pia", "secret": "2580", "kind": "pin"},
        {"who": "oli", "secret": "2581", "kind": "pin"},
        {"who": "oli", "secret": "correct horse", "kind": "password"},
        {"who": "ann", "secret": "2580", "kind": "pin"},
    ]
    for place, one in enumerate(tries):
        assert room.refused("account.sign_in", **one, panel=f"panel {place}") == sign_in.WRONG
    assert len(hashed) == len(tries)


def test_nothing_that_was_typed_is_written_down(room: Any) -> None:
    room.staff()
    room.done("account.change", "ann", name="oli", badge="BADGE-90210")
    for secrets in (
        {"who": "correct horse", "secret": "77178887", "kind": "pin"},
        {"who": "oli", "secret": "86428246", "kind": "pin"},
        {"badge": "BADGE-666", "kind": "badge"},
    ):
        room.refused("account.sign_in", **secrets, panel=True)
    token = room.done("token.make", "ann", name="mes", rights=["part.export"])["token"]
    tables = [name for (name,) in room.rows("select name from sqlite_schema where type = 'table'")]
    stored = "\n".join(str(row) for table in tables for row in room.rows(f'select * from "{table}"'))
    for typed in ("correct horse", "77178887", "86428246", "BADGE-", token):
        assert typed not in stored


def test_a_right_is_looked_up_where_it_is_written(room: Any) -> None:
    room.staff()
    says = {"name": "new", "role": "operator", "pin": "2580"}
    assert "oli has not the right user.edit" in room.refused("account.create", "oli", **says)
    assert "is no enabled user" in room.refused("account.create", "mallory", **says)
    assert "is no enabled user" in room.refused("account.create", "", **says)
    lie = Ask(new_id(), "account.create", "ann", "part.label", "", says)
    assert "needs the right user.edit" in room.desk.answer(lie).detail
    room.done("account.create", "ann", name="amy", role="administrator", password="long enough")
    room.done("account.change", "ann", name="amy", disabled=True)
    assert "is no enabled user" in room.refused("account.create", "amy", **says)
    room.done("role.change", "ann", name="operator", rights=["user.edit"])
    room.done("account.create", "oli", **says)


def test_every_command_of_records_with_a_right_refuses_who_has_it_not(room: Any) -> None:
    room.staff()
    room.done("role.change", "ann", name="visitor", rights=[])
    room.done("account.create", "ann", name="vic", role="visitor", pin="2580")
    before = len(room.trail())
    for name, command in COMMANDS.items():
        if command.owner == "records" and command.right:
            assert f"vic has not the right {command.right}" in room.refused(name, "vic")
    assert len(room.trail()) == before


def test_changes_end_the_sessions_that_were_begun_before(room: Any) -> None:
    room.staff()
    generation = {name: room.people.person(name).generation for name in ("oli", "eve", "lea")}
    room.done("account.change", "ann", name="oli", full_name="Oliver")
    assert room.people.person("oli").generation == generation["oli"]
    assert room.done("account.change", "ann", name="oli", pin="1379")["generation"] == generation["oli"] + 1
    room.done("account.change", "ann", name="eve", role="lead")
    room.done("account.sign_out_all", "ann", name="lea")
    assert room.people.person("eve").generation == generation["eve"] + 1
    assert room.people.person("lea").generation == generation["lea"] + 1
    changed = next(row for row in room.people.audit_page() if row.what == "user changed" and row.new.get("role"))
    assert (changed.who, changed.old, changed.new) == ("ann", {"role": "engineer"}, {"role": "lead"})


def test_ones_own_secret_takes_the_old_one(room: Any) -> None:
    room.staff()
    wrong = {"kind": "pin", "old": "0000", "new": "9999"}
    assert "given as the old one is wrong" in room.refused("account.own_secret", "oli", **wrong)
    assert room.done("account.own_secret", "oli", kind="pin", old="2580", new="9999") == {"generation": 2}
    room.done("account.own_secret", "oli", kind="password", old="9999", old_kind="pin", new="long enough")
    assert room.done("account.sign_in", who="oli", secret="long enough", kind="password")["name"] == "oli"
    for _ in range(5):
        room.refused("account.own_secret", "oli", **wrong)
    assert "locked for" in room.refused("account.own_secret", "oli", kind="pin", old="9999", new="1111")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"name": "x y z" * 9, "role": "operator", "pin": "2580"}, "expected 1 to 32"),
        ({"name": "token x", "role": "operator", "pin": "2580"}, "none of a process"),
        ({"name": "oli", "role": "operator", "pin": "2580"}, "there is such a user"),
        ({"name": "new", "role": "boss", "pin": "2580"}, "role 'boss': expected one of"),
        ({"name": "new", "role": "operator"}, "expected a PIN, a password or a badge"),
        ({"name": "new", "role": "operator", "pin": "12x4"}, "expected 4 to 8 digits"),
        ({"name": "new", "role": "operator", "pin": "٤٢٤٢"}, "expected 4 to 8 digits"),
        ({"name": "new", "role": "operator", "badge": "0815"}, "somebody else has it"),
        ({"name": "new", "role": "operator", "pin": "2580", "shoe": 43}, "shoe: Extra inputs"),
    ],
)
def test_a_wrong_account_is_refused_with_its_reason(room: Any, body: dict[str, Any], reason: str) -> None:
    room.staff()
    room.done("account.change", "ann", name="pia", badge="0815")
    assert reason in room.refused("account.create", "ann", **body)


def test_roles_are_data(room: Any) -> None:
    room.staff()
    assert room.people.roles() == ROLES
    assert "unknown rights ['fly']" in room.refused("role.change", "ann", name="operator", rights=["fly"])
    room.done("role.change", "ann", name="night shift", rights=["alarm.ack"])
    assert room.people.roles()["night shift"] == {"alarm.ack"}
    room.done("account.change", "ann", name="pia", role="night shift")
    assert "somebody has it" in room.refused("role.change", "ann", name="night shift", drop=True)
    room.done("account.change", "ann", name="pia", role="operator")
    room.done("role.change", "ann", name="night shift", drop=True)
    assert "night shift" not in room.people.roles()


def test_a_box_may_ask_for_longer_pins(room: Any) -> None:
    room.staff()
    room.desk = tasks.records_desk(room.ledger, room.store, lambda: "", room.stumbled.append, pin_digits=6)
    longer = {"name": "new", "role": "operator"}
    assert "expected 6 to 8 digits" in room.refused("account.create", "ann", **longer, pin="25800")
    room.done("account.create", "ann", **longer, pin="258025")
    own = {"kind": "pin", "old": "258025"}
    assert "expected 6 to 8 digits" in room.refused("account.own_secret", "new", **own, new="2580")


def test_a_lost_administrator_is_recovered_at_the_box_only(room: Any) -> None:
    room.staff()
    door = ["ledger", "recover-administrator", "--store", str(room.store)]
    running = CliRunner().invoke(cli, [*door, "lea", "--password", "another one"])
    assert running.exit_code != 0
    assert not isinstance(running.exception, AssertionError)
    room.ledger.close()
    assert CliRunner().invoke(cli, [*door, "zoe", "--password", "another one"]).exit_code != 0
    found = CliRunner().invoke(cli, [*door, "lea", "--password", "another one"])
    assert found.exit_code == 0, found.output
    room.open()
    assert KEEPER in room.people.person("lea").rights
    assert room.done("account.sign_in", who="lea", secret="another one", kind="password")["role"] == "administrator"
    (row,) = room.people.audit_page(limit=1, text="recovered")
    assert (row.who, row.old, row.new) == ("console", "lead", "administrator")
    assert room.people.audit_check() == []


CHANGES = st.one_of(
    st.tuples(st.just("disable"), st.sampled_from("abc"), st.booleans()),
    st.tuples(st.just("move"), st.sampled_from("abc"), st.sampled_from(["administrator", "deputy", "operator"])),
    st.tuples(
        st.just("role"),
        st.sampled_from(["administrator", "deputy", "operator"]),
        st.sets(st.sampled_from([KEEPER, "alarm.ack"])),
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(CHANGES, max_size=12))
def test_somebody_who_may_edit_users_is_always_left(
    new_room: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, changes: list[tuple[Any, ...]]
) -> None:
    monkeypatch.setattr(accounts, "hashed_password", lambda text: "x")
    room = new_room()
    room.done("account.first", name="a", password="long enough")
    room.done("role.change", "a", name="deputy", rights=[KEEPER])
    room.done("account.create", "a", name="b", role="deputy", password="long enough")
    room.done("account.create", "a", name="c", role="operator", password="long enough")
    for what, name, value in changes:
        keepers = [one.name for one in room.people.people() if KEEPER in one.rights and not one.disabled]
        assert keepers
        if what == "role":
            answer = room.ask("role.change", keepers[0], name=name, rights=sorted(value))
        else:
            field = {"disabled": value} if what == "disable" else {"role": value}
            answer = room.ask("account.change", keepers[0], name=name, **field)
        after = [one.name for one in room.people.people() if KEEPER in one.rights and not one.disabled]
        assert after
        if not answer.done:
            assert "nobody would be left" in answer.detail
            assert after == keepers
