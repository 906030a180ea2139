"""Nobody remembers the password of an administrator: whoever stands at the box as its owner makes one again.

Only while records is stopped, so only with the rights of the machine's own administrator; the trail says that it was
done at the console.
"""

from pathlib import Path

from ..bus.errors import Refused
from ..bus.rights import KEEPER
from .accounts import keeper_role
from .audit import Deed
from .bookkeeping import audit, rows
from .ledger import Ledger
from .lockout import forgive
from .rows import unpack_json
from .schema import FILE
from .second import drop_second
from .secret import ELSEWHERE, HERE, hashed_password, keyed

CONSOLE = "console"


def recover_keeper(store: Path, name: str, password: str) -> str:
    """Give a user a new password, enable them, and let them edit users; return their role.

    Refused: there is no such user, or the password is none. BadLedger: records runs. LedgerStuck.
    """
    if not (store / FILE).is_file():
        raise Refused(f"{store}: there is no ledger here")
    hashed = hashed_password(password)
    ledger = Ledger(store)
    try:
        with ledger.transaction() as db:
            sql = "select p.role, r.rights from person p join role r on r.name = p.role where p.name = ?"
            found = rows(db, sql, (name,))
            if not found:
                known = [str(one) for (one,) in rows(db, "select name from person order by name")]
                raise Refused(f"{name}: there is no such user: expected one of {known}")
            role, rights = str(found[0][0]), unpack_json(found[0][1])
            if KEEPER not in rights:
                role = keeper_role(db)
            db.execute(
                "update person set password_hash = ?, disabled = 0, role = ?, generation = generation + 1"
                " where name = ?",
                (hashed, role, name),
            )
            drop_second(db, name)
            forgive(db, [("person", keyed(db, use, name)) for use in (HERE, ELSEWHERE)])
            audit(db, Deed("administrator recovered", {"name": name}, CONSOLE, old=found[0][0], new=role))
    finally:
        ledger.close()
    return role
