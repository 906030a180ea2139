"""The account of the PLC against the ledger of the box, part by part. It has seen neither the cable nor the station."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from okng.tests.plc_io.proxy_box import truth

CODE = {"ng": "2", "late": "4"}
"""The code on the wire for a reject; every other why is 3."""


@dataclass
class Account:
    """What the judge found. `objections` is empty where all is well."""

    objections: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)

    def object_to(self, words: str) -> None:
        """Note a violation; the first hundred in words."""
        self.figures["objections"] += 1
        if len(self.objections) < 100:
            self.objections.append(words)


@dataclass(frozen=True, slots=True)
class Told:
    """One record of the ledger."""

    action: str
    why: str
    delivery: str
    outcome: str


@dataclass
class Book:
    """The ledger as it was written."""

    triggers: Counter[int] = field(default_factory=Counter)
    missed: set[int] = field(default_factory=set)
    records: dict[int, list[Told]] = field(default_factory=dict)
    numbers: Counter[int] = field(default_factory=Counter)
    counters: tuple[int, ...] = ()


def read_book(file: Path) -> Book:
    """Read the lines of `proxy_box.py`. An entry that was sent twice counts once, if it says the same."""
    book = Book()
    seen: dict[int, str] = {}
    for line in file.read_text(encoding="ascii").splitlines():
        kind, number, *words = line.split()
        if seen.get(int(number)) == line:
            continue
        seen[int(number)] = line
        book.numbers[int(number)] += 1
        if kind == "T":
            book.triggers[int(words[0])] += 1
            if words[1] == "1":
                book.missed.add(int(words[0]))
        elif kind == "R":
            book.records.setdefault(int(words[0]), []).append(Told(*words[1:]))
        else:
            book.counters = tuple(map(int, words))
    return book


def judge_safety(outcomes: dict[int, str], book: Book, account: Account) -> None:
    """What holds whatever one changed byte says: the gate opens for good parts only, and so does the ledger's PASS."""
    for part, outcome in outcomes.items():
        account.figures[outcome] += 1
        if outcome == "pass" and truth(part) != "OK":
            account.object_to(f"part {part} passed and is {truth(part)}")
    for part, records in book.records.items():
        if any(told.action == "PASS" for told in records) and truth(part) != "OK":
            account.object_to(f"part {part}: the ledger says PASS, it is {truth(part)}")
        for told in records:
            if told.outcome not in ("-", truth(part)):
                account.object_to(f"part {part} has the verdict {told.outcome} of another: it is {truth(part)}")


def judge_account(outcomes: dict[int, str], book: Book, account: Account) -> None:
    """What holds where every change on the way can be seen: nothing lost, nothing doubled, both accounts agree."""
    doubled = [number for number, times in book.numbers.items() if times > 1]
    if doubled or sorted(book.numbers) != list(range(1, len(book.numbers) + 1)):
        account.object_to(f"entries of the ledger: {len(book.numbers)}, doubled {doubled[:5]}, or some are missing")
    for part, times in book.triggers.items():
        if times != 1 or len(book.records.get(part, [])) != 1:
            account.object_to(f"part {part}: {times} triggers, {len(book.records.get(part, []))} records")
        if part not in outcomes:
            account.object_to(f"part {part} is in the ledger, the PLC never triggered it")
    for part in book.records.keys() - book.triggers.keys():
        account.object_to(f"part {part} has a record and no trigger")
    for part, outcome in outcomes.items():
        records = book.records.get(part)
        if records is None:
            account.figures["never arrived"] += 1
            if outcome != "lost":
                account.object_to(f"part {part} is {outcome} at the PLC, the ledger does not know it")
            continue
        _compare(part, outcome, records[0], part in book.missed, account)
    _counters(outcomes, book, account)


def _compare(part: int, outcome: str, told: Told, missed: bool, account: Account) -> None:
    line = f"part {part}: {outcome} at the PLC, {told.action} {told.why} {told.delivery} in the ledger"
    expected = "pass" if told.action == "PASS" else "missed" if missed else CODE.get(told.why, "3")
    if outcome == "lost":
        account.figures[f"lost, {told.action} {told.delivery}"] += 1
        if told.delivery != "unconfirmed":
            account.object_to(line)
    elif outcome == "fault" or outcome != expected:
        account.object_to(line)
    elif told.delivery == "unconfirmed" and not missed:
        account.figures["taken, its acknowledge was lost"] += 1


def _counters(outcomes: dict[int, str], book: Book, account: Account) -> None:
    records = [records[0] for records in book.records.values()]
    if len(book.counters) != 10 or not book.counters[9]:
        account.object_to(f"the last counters of the box: {book.counters}")
        return
    triggers, ok, ng, unjudged, late, missed, in_flight, confirmed, unconfirmed, _ = book.counters
    passed = sum(told.action == "PASS" for told in records)
    lost_passes = sum(
        outcomes[part] == "lost" for part, told in book.records.items() if told[0].action == "PASS" and part in outcomes
    )
    rejects = [told for told in records if told.action == "REJECT"]
    whys = Counter(told.why for told in records)
    at_plc = Counter(outcomes.values())
    sums = {
        "triggers": (triggers, len(book.triggers)),
        "ok": (ok, passed),
        "ng": (ng, whys["ng"]),
        "unjudged": (unjudged, len(records) - passed - whys["ng"]),
        "late": (late, whys["late"]),
        "missed": (missed, len(book.missed)),
        "in flight": (in_flight, 0),
        "confirmed": (confirmed, sum(told.delivery != "unconfirmed" for told in rejects)),
        "unconfirmed": (unconfirmed, sum(told.delivery == "unconfirmed" for told in rejects)),
        "the PLC's passes and those whose answer was lost": (at_plc["pass"] + lost_passes, ok),
        "the PLC's parts": (len(outcomes), triggers + account.figures["never arrived"]),
        "ok + ng + unjudged": (ok + ng + unjudged, triggers),
    }
    for name, (found, expected) in sums.items():
        if found != expected:
            account.object_to(f"{name}: {found}, expected {expected}")
