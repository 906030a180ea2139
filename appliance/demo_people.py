"""Who may sign in on the screens of the demonstration: one of each role, with PINs that everybody knows."""

import time
from pathlib import Path

from ..bus.asks import Answer, Ask, new_id
from ..bus.channel import ask_once
from ..bus.errors import BadLedger, OkngError
from ..bus.rights import COMMANDS
from ..records.people_read import PeopleReader

PEOPLE = {
    "administrator": ("administrator", "4444"),
    "operator": ("operator", "1111"),
    "lead": ("lead", "2222"),
    "engineer": ("engineer", "3333"),
}
"""Role and PIN by name, the administrator first. Fit for a demonstration on this machine and for nothing else."""
WAIT_S = 20.0


def add_people(run_dir: Path, store: Path) -> str:
    """Make them where nobody is yet; return in words who may sign in. OkngError: records is silent, or refuses."""
    if not _has_keeper(PeopleReader(store)):
        for name, (role, pin) in PEOPLE.items():
            body: dict[str, object] = {"name": name, "full_name": name.capitalize(), "pin": pin}
            if role == "administrator":
                _done(name, _ask(run_dir, "account.first", "", {**body, "password": f"{name}-{pin}"}))
            else:
                more = {"role": role, "password": f"{name}-{pin}"}
                _done(name, _ask(run_dir, "account.create", "administrator", {**body, **more}))
    return ", ".join(f"{name} {pin}" for name, (_, pin) in PEOPLE.items())


def _has_keeper(reader: PeopleReader) -> bool:
    """Wait for records to open its ledger, then look. BadLedger: it does not."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            return reader.has_keeper()
        except BadLedger:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _ask(run_dir: Path, command: str, who: str, body: dict[str, object]) -> Answer | None:
    return ask_once(run_dir, "records", Ask(new_id(), command, who, COMMANDS[command].right, "", body), 10_000)


def _done(name: str, answer: Answer | None) -> None:
    if answer is None or not answer.done:
        raise OkngError(f"{name} of the demonstration: {answer.detail if answer else 'records does not answer'}")
