"""The second factor of others, by who may edit users: demanded of roles, taken off who lost the phone."""

from typing import Any

from ..bus.errors import Refused
from .clerk import Body, Task, Turn
from .lockout import forgive
from .second import drop_second, has_second
from .secret import ELSEWHERE, HERE, keyed


class Demand(Body):
    """`account.second_demand`: of all roles just these."""

    roles: tuple[str, ...] = ()


class TakeOff(Body):
    """`account.second_take_off`. panel: who asks stands at the box."""

    name: str
    panel: bool = False


def demand(turn: Turn) -> dict[str, Any]:
    """Of which roles it is demanded. Sessions of persons who need it now and have none are void."""
    wanted = sorted(set(turn.take(Demand).roles))
    known = {str(name) for (name,) in turn.rows("select name from role")}
    if unknown := sorted(set(wanted) - known):
        raise Refused(f"second factor: unknown roles {unknown}: expected of {sorted(known)}")
    old = sorted(str(role) for (role,) in turn.rows("select role from second_demand"))
    mine = turn.rows("select role from person where name = ?", turn.ask.who)
    if mine and mine[0][0] in wanted and not has_second(turn.db, turn.ask.who):
        raise Refused("turn on your own second factor first: your role would need it")
    turn.db.execute("delete from second_demand")
    turn.db.executemany("insert into second_demand values (?)", [(role,) for role in wanted])
    turn.db.executemany(
        "update person set generation = generation + 1 where role = ?"
        " and name not in (select person from second_factor)",
        [(role,) for role in wanted if role not in old],
    )
    turn.audit("second factor demanded", {}, old=old, new=wanted)
    return {"roles": wanted}


def take_off(turn: Turn) -> dict[str, Any]:
    """Somebody lost the phone. One's own only at the box: a stolen session must not do it."""
    body = turn.take(TakeOff)
    if body.name == turn.ask.who and not body.panel:
        raise Refused("your own second factor: turn it off with a code of it, or at the panel of the box")
    if not has_second(turn.db, body.name):
        raise Refused(f"{body.name} has no second factor")
    drop_second(turn.db, body.name)
    turn.db.execute("update person set generation = generation + 1 where name = ?", (body.name,))
    forgive(turn.db, [("person", keyed(turn.db, use, body.name)) for use in (HERE, ELSEWHERE)])
    turn.audit("second factor taken off", {"name": body.name})
    return {}


TASKS: dict[str, Task] = {"account.second_demand": demand, "account.second_take_off": take_off}
