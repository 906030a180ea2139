"""Persons, roles, labels, journal and audit as readers see them: read-only, one short question at a time."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..bus.errors import BadLedger
from ..bus.rights import KEEPER
from .audit import audit_problems
from .golden import BY_STUDY
from .people_rows import AuditRow as AuditRow
from .people_rows import DeadLetter as DeadLetter
from .people_rows import Drawing as Drawing
from .people_rows import Escape as Escape
from .people_rows import Golden as Golden
from .people_rows import JournalRow as JournalRow
from .people_rows import Kept as Kept
from .people_rows import Label as Label
from .people_rows import Person as Person
from .people_rows import Review as Review
from .people_rows import Setting as Setting
from .people_rows import Study as Study
from .people_rows import StudyAnswer as StudyAnswer
from .people_rows import Token as Token
from .people_rows import Webhook as Webhook
from .people_rows import label_of_row
from .read import LedgerReader, condition

MOST = 1000
"""Rows of one answer."""


@dataclass(frozen=True, slots=True)
class PeopleReader:
    """Asks the ledger of one store. May be shared by threads. Every question may raise BadLedger."""

    store: Path
    _reader: LedgerReader = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reader", LedgerReader(self.store))

    def _all(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[dict[str, Any]]:
        with self._reader.asking() as ask:
            return list(ask(sql, values))

    def person(self, name: str) -> Person | None:
        """That person; None: there is none."""
        return next(iter(self._persons(" where p.name = ?", [name])), None)

    def people(self) -> list[Person]:
        """All persons, by name; disabled ones too."""
        return self._persons(" order by p.name", [])

    def _persons(self, ending: str, values: list[object]) -> list[Person]:
        found = self._all(
            "select p.*, r.rights, (select since from second_factor s where s.person = p.name) as second_since"
            " from person p join role r on r.name = p.role" + ending,
            values,
        )
        return [
            Person(
                row["name"],
                row["full_name"],
                row["role"],
                frozenset(json.loads(row["rights"])),
                bool(row["disabled"]),
                row["generation"],
                row["language"],
                frozenset(kind for kind in ("pin", "password", "badge") if row[f"{kind}_hash"]),
                row["made_at"],
                row["second_since"] or "",
            )
            for row in found
        ]

    def has_keeper(self) -> bool:
        """True when there is an enabled person who may edit users; False: `account.first` makes one."""
        return any(KEEPER in one.rights for one in self.people() if not one.disabled)

    def roles(self) -> dict[str, frozenset[str]]:
        """Rights by role."""
        found = self._all("select name, rights from role order by name")
        return {row["name"]: frozenset(json.loads(row["rights"])) for row in found}

    def second_demanded(self) -> frozenset[str]:
        """Roles that do not get in from elsewhere without a second factor."""
        return frozenset(row["role"] for row in self._all("select role from second_demand"))

    def recovery_left(self, name: str) -> int:
        """How many recovery codes a person has left."""
        sql = "select count(*) as n from recovery_code where person = ? and used_at is null"
        return int(self._all(sql, [name])[0]["n"])

    def labels(self, seqs: Iterable[int], *, undone: bool = False) -> list[Label]:
        """What people said of these parts, oldest first. undone: also what was taken back."""
        terms = "" if undone else " and undone_at is null"
        found = self._all(
            f"select * from label where seq in (select value from json_each(?)){terms} order by n", [_list(seqs)]
        )
        return [label_of_row(row) for row in found]

    def label_of(self, seqs: Iterable[int]) -> dict[int, Label]:
        """The label that counts for each of these parts: the newest one of no second person."""
        return {label.seq: label for label in self.labels(seqs) if not label.second}

    def labels_since(self, since: str, until: str = "", limit: int = 100_000) -> list[Label]:
        """Labels given in a span (UTC; until exclusive, empty: now), without those taken back, oldest first."""
        found = self._all(
            "select * from label where at >= ? and (? = '' or at < ?) and undone_at is null order by n limit ?",
            [since, until, until, limit],
        )
        return [label_of_row(row) for row in found]

    def reviewed(self, seqs: Iterable[int]) -> dict[int, Review]:
        """Who has seen these parts, by part."""
        found = self._all("select * from review where seq in (select value from json_each(?))", [_list(seqs)])
        return {row["seq"]: Review(**row) for row in found}

    def escapes(self, since: str = "", until: str = "", limit: int = MOST) -> list[Escape]:
        """Defects found downstream that were reported in a span (UTC; until exclusive), newest first."""
        found = self._all(
            "select * from \"escape\" where at >= ? and (? = '' or at < ?) order by n desc limit ?",
            [since, until, until, _bounded(limit)],
        )
        return [Escape(**row) for row in found]

    def escaped(self, seqs: Iterable[int]) -> set[int]:
        """Those of these parts that were found defective downstream."""
        sql = 'select distinct seq from "escape" where seq in (select value from json_each(?))'
        return {int(row["seq"]) for row in self._all(sql, [_list(seqs)])}

    def drawings(self, seqs: Iterable[int]) -> dict[int, Drawing]:
        """What is drawn on these parts."""
        found = self._all("select * from drawing where seq in (select value from json_each(?))", [_list(seqs)])
        return {row["seq"]: Drawing(row["seq"], row["who"], row["at"], json.loads(row["body"])) for row in found}

    def drawn(self, limit: int = MOST) -> list[int]:
        """Parts that something is drawn on, newest part first."""
        found = self._all("select seq from drawing order by seq desc limit ?", [_bounded(limit)])
        return [int(row["seq"]) for row in found]

    def golden(self, limit: int = MOST, before: int | None = None) -> list[Golden]:
        """Parts that people marked as golden, newest part first. before: only below that number."""
        sql = f"select * from marked where not {BY_STUDY} and seq < ? order by seq desc limit ?"
        return [Golden(**row) for row in self._all(sql, [before or 2**62, _bounded(limit)])]

    def audit_page(self, before_n: int | None = None, limit: int = 100, text: str = "") -> list[AuditRow]:
        """Lines of the trail, newest first. text: only lines that hold these letters (reads every line)."""
        found = self._all(
            "select n, body, hash from audit where n < ? and (? = '' or instr(lower(body), lower(?)) > 0)"
            " order by n desc limit ?",
            [before_n or 2**62, text, text, _bounded(limit)],
        )
        return [_audit_row(row) for row in found]

    def audit_check(self) -> list[str]:
        """Where the chain of the trail is broken; empty: it is whole. Reads every line."""
        with self._reader.asking() as ask:
            every = ask("select n, body, hash from audit order by n")
            return audit_problems((row["n"], row["body"], row["hash"]) for row in every)

    def audit_head(self) -> tuple[int, str]:
        """Number and hash of the newest line: written down elsewhere, it proves that nothing before was rewritten."""
        found = self._all("select n, hash from audit order by n desc limit 1")
        return (int(found[0]["n"]), str(found[0]["hash"])) if found else (0, "")

    def journal(
        self,
        stream: str = "",
        key: str | None = None,
        since: str = "",
        until: str = "",
        limit: int = 100,
        before: int | None = None,
        after: int | None = None,
    ) -> list[JournalRow]:
        """Events, newest first; with after (a number): oldest first. stream: empty: of all."""
        _bounded(limit)
        terms: list[tuple[str, list[object]]] = []
        if stream:
            terms.append(("stream = ?", [stream]))
        if key is not None:
            terms.append(("key = ?", [key]))
        if since:
            terms.append(("at >= ?", [since]))
        if until:
            terms.append(("at < ?", [until]))
        if before is not None:
            terms.append(("n < ?", [before]))
        if after is not None:
            terms.append(("n > ?", [after]))
        where, values = condition(terms)
        order = "desc" if after is None else "asc"
        found = self._all(f"select * from journal{where} order by n {order} limit {limit}", values)
        return [JournalRow(**{**row, "body": json.loads(row["body"])}) for row in found]

    def journal_after(self, n: int, limit: int) -> list[JournalRow]:
        """Events after a number, of all streams, oldest first."""
        return self.journal(after=n, limit=limit)

    def keep(self, name: str) -> Kept | None:
        """What a process keeps under a name; None: nothing."""
        found = self._all("select body, at from keep where name = ?", [name])
        return Kept(json.loads(found[0]["body"]), found[0]["at"]) if found else None

    def settings(self) -> dict[str, Setting]:
        """All settings that the ledger keeps, by name."""
        found = self._all("select * from setting order by name")
        return {row["name"]: Setting(row["name"], json.loads(row["body"]), row["who"], row["at"]) for row in found}

    def tokens(self) -> list[Token]:
        """All tokens, ended ones too, newest first."""
        return [_token(row) for row in self._all("select * from token order by id desc")]

    def token_of(self, digest: str) -> Token | None:
        """The token of that SHA-256 (hex) that has not ended."""
        found = self._all("select * from token where hash = ? and ended_at is null", [digest])
        return _token(found[0]) if found else None

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """What addresses refused for good, the newest first. BadLedger."""
        found = self._all("select * from dead_letter order by n desc limit ?", [limit])
        return [DeadLetter(**{**row, "body": json.loads(row["body"])}) for row in found]

    def webhooks(self, *, ended: bool = False) -> list[Webhook]:
        """Addresses that are told. ended: also those that are no longer."""
        found = self._all("select * from webhook" + ("" if ended else " where ended_at is null") + " order by id")
        return [Webhook(**{**row, "events": tuple(json.loads(row["events"]))}) for row in found]

    def studies(self) -> list[Study]:
        """All agreement studies, newest first."""
        return [_study(row) for row in self._all("select * from study order by id desc limit 1000")]

    def study_answers(self, study: int) -> list[StudyAnswer]:
        """What was said in a study, in order."""
        found = self._all("select * from study_answer where study = ? order by at, round, seq", [study])
        return [StudyAnswer(**row) for row in found]


def _list(seqs: Iterable[int]) -> str:
    return json.dumps(list(seqs))


def _bounded(limit: int) -> int:
    if not 1 <= limit <= MOST:
        raise ValueError(f"limit {limit}: expected 1..{MOST}")
    return limit


def _token(row: dict[str, Any]) -> Token:
    rest = {name: value for name, value in row.items() if name not in ("hash", "rights")}
    return Token(rights=frozenset(json.loads(row["rights"])), **rest)


def _study(row: dict[str, Any]) -> Study:
    body = json.loads(row["body"])
    return Study(
        row["id"],
        row["name"],
        tuple(body["operators"]),
        tuple(body["seqs"]),
        body["repeats"],
        {int(seq): truth for seq, truth in body["reference"].items()},
        row["who"],
        row["at"],
        row["closed_at"],
    )


def _audit_row(row: dict[str, Any]) -> AuditRow:
    try:
        body = json.loads(row["body"])
        about, old, new = (body.get(name) for name in ("object", "old", "new"))
        return AuditRow(
            row["n"], body["at"], body["who"], body["what"], about, old, new, body.get("why", ""), row["hash"]
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadLedger(f"audit: entry {row['n']} is not as okng wrote it: {error}") from error
