"""All that can be asked of records, and its desk: which file does which command."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..bus.asks import Ask, Desk, Handler
from . import accounts, golden, journal, labels, ladder, programs, second_tasks, studies
from .backup import Backups
from .clerk import Clerk, Task, Unwritable
from .ledger import Ledger, LedgerDamaged, LedgerStuck
from .sealing import Sealing
from .second import SecondFactors
from .second_desk import SecondDesk
from .secret import LEAST_PIN
from .sign_in import sign_in
from .signatures import sign

TASKS: Mapping[str, Task] = {
    **accounts.TASKS,
    **second_tasks.TASKS,
    **labels.TASKS,
    **golden.TASKS,
    **journal.TASKS,
    **ladder.TASKS,
    **programs.TASKS,
    **studies.TASKS,
}
PATIENT = frozenset(
    (
        *("journal.add", "journal.state", "ladder.step", "ladder.floor", "ladder.differs"),
        *("webhook.reached", "webhook.dead"),
    )
)
"""Of machines that ask again until they are answered: while nothing can be written they get no answer."""
Stumble = Callable[[LedgerStuck | LedgerDamaged], None]


def records_desk(
    ledger: Ledger,
    store: Path,
    stuck: Callable[[], str],
    stumble: Stumble,
    backups: Backups | None = None,
    pin_digits: int = LEAST_PIN,
    sealing: Sealing | None = None,
    doubt: Callable[[], str] = lambda: "",
) -> Desk:
    """The desk of records.

    stuck: why the ledger takes nothing now; empty: it does. stumble: is told of an error, after which the ledger has to
    be opened afresh. pin_digits: as in the options. sealing: holds the box's key.
    doubt: why the wall clock is not believed; empty: it is.
    """
    clerk = Clerk(ledger, store, TASKS, pin_digits)
    own: dict[str, Handler] = {name: clerk.do for name in TASKS}
    seals = sealing or Sealing(ledger, store)

    second = SecondDesk(ledger, SecondFactors(seals.key, doubt))

    def signed_in(ask: Ask) -> dict[str, Any]:
        return welcomed(sign_in(ledger, ask, second))

    def welcomed(told: dict[str, Any]) -> dict[str, Any]:
        with suppress(LedgerStuck, LedgerDamaged):  # they are in; the head of today is signed another time
            seals.signed_in(told)
        return told

    own["account.sign_in"] = signed_in
    own["account.sign_in_second"] = lambda ask: welcomed(second.sign_in(ask))
    own["account.second_begin"], own["account.second_confirm"] = second.begin, second.confirm
    own["account.second_codes"], own["account.second_off"] = second.codes, second.off

    def signed(ask: Ask) -> dict[str, Any]:
        told = sign(ledger, ask, seals.key)
        with suppress(LedgerStuck, LedgerDamaged):  # it is signed; the list for io is written at the next look
            seals.signed.write()
        return told

    own["signature.make"] = signed
    own["audit.head"], own["audit.verify"] = seals.head, seals.prove
    own["account.own_secret"] = lambda ask: accounts.own_secret(ledger, ask, pin_digits)
    own["backup.make"] = (backups or Backups(ledger, store)).make

    def guarded(do: Handler) -> Handler:
        def handle(ask: Ask) -> dict[str, Any]:
            if why := stuck():
                raise Unwritable(f"history cannot be written: {why}")
            try:
                return do(ask)
            except (LedgerStuck, LedgerDamaged) as error:
                stumble(error)
                raise Unwritable(f"history cannot be written: {error}") from error

        return handle

    return Desk("records", {name: guarded(do) for name, do in own.items()})
