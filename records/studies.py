"""Agreement studies, and settings that the ledger keeps: `study.set`, `setting.set`.

A study: some persons look at the same parts, several times each. What they say are rows of the study, never labels.
"""

from typing import Any, Literal

from pydantic import Field

from ..bus.errors import Refused
from .clerk import Body, Task, Turn
from .labels import Seq, Truth
from .rows import as_json, unpack_json

_MOST = 1 << 18


class Study(Body):
    """`study.set`: `new` takes name, operators, seqs, repeats, reference; `answer` and `close` take id."""

    op: Literal["new", "answer", "close"]
    id: int = 0
    name: str = Field(default="", max_length=64)
    operators: tuple[str, ...] = Field(default=(), max_length=20)
    """Names of who looks; they need not be users."""
    seqs: tuple[Seq, ...] = Field(default=(), max_length=500)
    repeats: int = Field(default=2, ge=1, le=10)
    reference: dict[str, Truth] = Field(default_factory=dict)
    """What is true of a part, by `seq` as text, where it is known."""
    seq: Seq | None = None
    operator: str = ""
    round: int = Field(default=1, ge=1, le=10)
    truth: Truth | None = None
    took_ms: int | None = Field(default=None, ge=0)


class Setting(Body):
    """`setting.set`; body None: the setting is removed."""

    name: str = Field(min_length=1, max_length=64)
    body: Any = None


def set_study(turn: Turn) -> dict[str, Any]:
    """Begin a study, note an answer, close it."""
    asked = turn.take(Study)
    if asked.op == "new":
        return _begin(turn, asked)
    found = turn.rows("select name, body, closed_at from study where id = ?", asked.id)
    if not found:
        raise Refused(f"study {asked.id}: there is none")
    name, body, closed_at = found[0]
    if closed_at:
        raise Refused(f"study {asked.id}: it was closed at {closed_at}")
    if asked.op == "close":
        turn.db.execute("update study set closed_at = ? where id = ?", (turn.at, asked.id))
        (answers,) = turn.rows("select count(*) from study_answer where study = ?", asked.id)[0]
        turn.audit("study closed", {"study": asked.id, "name": name, "answers": answers})
        return {}
    return _answer(turn, asked, unpack_json(body))


def _begin(turn: Turn, asked: Study) -> dict[str, Any]:
    operators = [name.strip() for name in asked.operators]
    if not asked.name or not all(operators) or len(set(operators)) < max(1, len(operators)) or not operators:
        raise Refused("study: expected a name, and operators of different names")
    if not asked.seqs or len(set(asked.seqs)) < len(asked.seqs):
        raise Refused("study: expected parts, each once")
    sql = "select seq from part where seq in (select value from json_each(?))"
    known = {seq for (seq,) in turn.rows(sql, as_json(list(asked.seqs)))}
    if lost := sorted(set(asked.seqs) - known):
        raise Refused(f"study: the ledger has no parts {lost[:20]}")
    if foreign := sorted(set(asked.reference) - set(map(str, asked.seqs))):
        raise Refused(f"study: reference names parts {foreign[:20]}, which are none of it")
    body = {
        "operators": operators,
        "seqs": list(asked.seqs),
        "repeats": asked.repeats,
        "reference": dict(asked.reference),
    }
    turn.db.execute(
        "insert into study (name, body, who, at) values (?, ?, ?, ?)",
        (asked.name, as_json(body), turn.ask.who, turn.at),
    )
    number = turn.db.last_insert_rowid()
    turn.audit("study begun", {"study": number, "name": asked.name, "parts": len(asked.seqs), "operators": operators})
    return {"id": number}


def _answer(turn: Turn, asked: Study, body: dict[str, Any]) -> dict[str, Any]:
    operator = asked.operator or turn.ask.who
    if operator not in body["operators"]:
        raise Refused(f"study {asked.id}: {operator!r}: expected one of {body['operators']}")
    if asked.seq not in body["seqs"]:
        raise Refused(f"study {asked.id}: part {asked.seq} is none of it")
    if asked.round > body["repeats"] or asked.truth is None:
        raise Refused(f"study {asked.id}: expected round 1..{body['repeats']}, and defect, good or unsure")
    key = (asked.id, operator, asked.round, asked.seq)
    old = turn.rows("select truth from study_answer where study = ? and operator = ? and round = ? and seq = ?", *key)
    turn.db.execute(
        "insert into study_answer (study, operator, round, seq, truth, at, took_ms) values (?, ?, ?, ?, ?, ?, ?)"
        " on conflict (study, operator, round, seq) do update set"
        " truth = excluded.truth, at = excluded.at, took_ms = excluded.took_ms",
        (*key, asked.truth, turn.at, asked.took_ms),
    )
    about: dict[str, object] = {"study": asked.id, "operator": operator, "round": asked.round, "seq": asked.seq}
    turn.audit("study answer", about, old=old[0][0] if old else None, new=asked.truth)
    return {}


def set_setting(turn: Turn) -> dict[str, Any]:
    """Set or remove a setting."""
    asked = turn.take(Setting)
    packed = as_json(asked.body)
    if len(packed) > _MOST:
        raise Refused(f"setting {asked.name}: {len(packed)} letters, expected at most {_MOST}")
    found = turn.rows("select body from setting where name = ?", asked.name)
    old = unpack_json(found[0][0]) if found else None
    if asked.body is None:
        turn.db.execute("delete from setting where name = ?", (asked.name,))
    else:
        turn.db.execute(
            "insert into setting values (?, ?, ?, ?) on conflict (name) do update set"
            " body = excluded.body, who = excluded.who, at = excluded.at",
            (asked.name, packed, turn.ask.who, turn.at),
        )
    turn.audit("setting set", {"name": asked.name}, old=old, new=asked.body)
    return {}


TASKS: dict[str, Task] = {"study.set": set_study, "setting.set": set_setting}
