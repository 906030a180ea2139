"""What people say and what happens: written once with its line in the trail, and never by changing a part's row."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from okng.bus.asks import new_id
from okng.bus.part import Why
from okng.records import clerk, labels
from okng.records.audit import audit_problems
from okng.records.check import check
from okng.records.ledger import Ripe


def fill(room: Any, maker: ModuleType, whys: list[Why]) -> None:
    batch = []
    for part, why in enumerate(whys, 1):
        batch += [Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part, why))]
    room.ledger.store(batch)


@pytest.fixture
def line(room: Any, maker: ModuleType) -> Any:
    """Staff, and eight parts: 2, 4, 6, 8 NG, 5 a test part, 7 of a bypass."""
    room.staff()
    whys = [Why.OK, Why.NG, Why.OK, Why.NG, Why.CHALLENGE, Why.NG, Why.BYPASS, Why.NG]
    fill(room, maker, whys)
    return room


def test_a_label_never_changes_the_part(line: Any) -> None:
    before = line.rows("select * from part") + line.rows("select * from outbox")
    first = line.done("label.set", "oli", seq=2, truth="good", why="a shadow")["n"]
    second = line.done("label.set", "oli", seq=2, truth="defect", kind="dent")["n"]
    assert line.rows("select * from part") + line.rows("select * from outbox") == before
    assert line.people.label_of((2, 4))[2].kind == "dent"
    line.done("label.undo", "oli", n=second)
    assert line.people.label_of((2,))[2].truth == "good"
    assert [one.n for one in line.people.labels((2,), undone=True)] == [first, second]
    assert line.people.reviewed((2, 4))[2].who == "oli"
    assert line.trail()[-3:] == ["label set", "label set", "label undone"]
    trail = line.people.audit_page(limit=3)
    assert [(row.old, row.new, row.why) for row in trail] == [
        (["defect", "dent"], None, ""),
        (["good", ""], ["defect", "dent"], ""),
        (None, ["good", ""], "a shadow"),
    ]


def test_what_is_no_label_is_refused(line: Any) -> None:
    assert "the ledger has none" in line.refused("label.set", "oli", seq=99, truth="good")
    assert "only a defect has a kind" in line.refused("label.set", "oli", seq=2, truth="good", kind="dent")
    assert "truth: Input should be" in line.refused("label.set", "oli", seq=2, truth="maybe")
    assert "label 7: there is none" in line.refused("label.undo", "oli", n=7)
    assert line.people.labels((2,)) == []


def test_a_label_of_somebody_else_is_taken_back_within_ten_minutes(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = line.done("label.set", "oli", seq=2, truth="good")["n"]
    new = line.done("label.set", "oli", seq=4, truth="good")["n"]
    line.done("label.undo", "pia", n=new)
    assert "it was taken back" in line.refused("label.undo", "oli", n=new)
    monkeypatch.setattr(labels, "UNDO_S", 0)
    assert "is of oli, and older than" in line.refused("label.undo", "pia", n=old)
    line.done("label.undo", "oli", n=old)


def test_what_a_second_person_says_is_never_the_label_of_the_part(line: Any) -> None:
    line.done("label.set", "oli", seq=6, truth="good")
    line.done("label.set", "pia", seq=6, truth="defect", second=True)
    assert line.people.label_of((6,))[6].truth == "good"


def test_reviews_stand_as_they_were_first_given(line: Any) -> None:
    assert line.done("part.reviewed", "oli", seqs=[2, 4]) == {"new": [2, 4]}
    assert line.done("part.reviewed", "pia", seq=2) == {"new": []}
    assert line.people.reviewed((2,))[2].who == "oli"
    assert "expected seq or seqs" in line.refused("part.reviewed", "oli")


def test_an_escape_is_an_event_of_the_journal(line: Any) -> None:
    assert "expected the part" in line.refused("escape.set", "oli", found_at="customer")
    told = line.done("escape.set", "oli", seq=1, found_at="station 7", what="leaks")
    assert line.people.escaped((1, 2)) == {1}
    assert [(one.n, one.seq, one.found_at, one.who) for one in line.people.escapes()] == [
        (told["n"], 1, "station 7", "oli")
    ]
    (event,) = line.people.journal("escape")
    assert (event.key, event.event, event.who, event.body["seq"]) == (str(told["n"]), "reported", "oli", 1)
    assert line.trail()[-1] == "escape reported"


MASK = {"kind": "dent", "counts": [10, 20, 34]}
BOX = {"kind": "dirt", "x": 1, "y": 2, "w": 3, "h": 4}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"masks": [{"kind": "dent", "counts": [10, 20]}]}, "mask of 30 pixels: expected 8x8 = 64"),
        ({"boxes": [{**BOX, "x": 6}]}, "goes beyond 8x8"),
        ({"width": 2**20, "height": 2**20}, "expected at most"),
        ({"masks": [{"kind": "dent", "counts": [-1, 65]}]}, "greater than or equal to 0"),
        ({"brush": 1}, "Extra inputs"),
    ],
)
def test_a_drawing_fits_its_picture(line: Any, change: dict[str, Any], reason: str) -> None:
    body = {"width": 8, "height": 8, "masks": [MASK], "boxes": [BOX]}
    line.done("drawing.set", "eve", seq=2, body=body)
    assert reason in line.refused("drawing.set", "eve", seq=2, body={**body, **change})
    kept = line.people.drawings((2, 4))
    assert (set(kept), kept[2].who, kept[2].body) == ({2}, "eve", {**body, "camera": ""})
    line.done("drawing.set", "eve", seq=2, body={"width": 8, "height": 8})
    assert line.people.drawings((2,)) == {}


def test_a_study_is_led_from_beginning_to_close(line: Any) -> None:
    wrong: dict[str, Any] = {"op": "new", "name": "july", "operators": ["x", "x"], "seqs": [2]}
    assert "different names" in line.refused("study.set", "lea", **wrong)
    assert "no parts [77]" in line.refused("study.set", "lea", **{**wrong, "operators": ["x"], "seqs": [2, 77]})
    study = {"op": "new", "name": "july", "operators": ["oli", "pia"], "seqs": [2, 4], "repeats": 2}
    number = line.done("study.set", "lea", **study, reference={"2": "defect"})["id"]
    answer = {"op": "answer", "id": number, "seq": 2, "operator": "oli", "round": 1, "truth": "good"}
    line.done("study.set", "lea", **answer)
    line.done("study.set", "lea", **{**answer, "truth": "defect", "took_ms": 900})
    for wrong in ({"seq": 6}, {"operator": "zoe"}, {"round": 3}, {"truth": None}):
        line.refused("study.set", "lea", **{**answer, **wrong})
    line.done("study.set", "lea", op="close", id=number)
    assert "it was closed" in line.refused("study.set", "lea", **answer)
    (kept,) = line.people.studies()
    assert (kept.operators, kept.seqs, kept.reference) == (("oli", "pia"), (2, 4), {2: "defect"})
    assert [(one.truth, one.took_ms) for one in line.people.study_answers(number)] == [("defect", 900)]
    assert line.people.labels((2,)) == []


def test_a_token_is_told_once_and_has_no_more_than_its_maker(line: Any) -> None:
    same = new_id()
    told = line.done("token.make", "ann", again=same, name="mes", rights=["part.label"])
    assert line.done("token.make", "ann", again=same, name="mes", rights=["part.label"]) == told
    line.restart()
    assert "token" not in line.done("token.make", "ann", again=same, name="mes", rights=["part.label"])
    (token,) = line.people.tokens()
    assert (token.name, token.rights, token.who) == ("mes", {"part.label"}, "token mes")
    line.done("label.set", "token mes", seq=2, truth="good")
    assert line.people.labels((2,))[0].who == "token mes"
    assert line.people.tokens()[0].used_at
    assert "has not the right" in line.refused("part.reviewed", "token mes", seq=2)
    line.done("role.change", "ann", name="it", rights=["api.token"])
    line.done("account.create", "ann", name="ida", role="it", pin="2580")
    for right in ("user.edit", "settings.edit", "bypass.set", "io.force"):
        assert "more than you have" in line.refused("token.make", "ida", name="x", rights=[right]), right
    line.done("token.make", "ann", name="plc", rights=["bypass.set"])  # who edits users may have any right
    line.done("token.end", "ann", token=str(token.id))
    assert "is no enabled user" in line.refused("label.set", "token mes", seq=2, truth="good")
    assert "it has ended" in line.refused("token.end", "ann", token=token.id)


def test_a_webhook_begins_with_what_comes_and_never_goes_back(line: Any) -> None:
    line.done("journal.add", stream="lot", key="L1", event="set")
    for url in ("ftp://x", "http://", "http://u:p@x/", "http://x/ y", "", "http://x:0/"):
        assert "url" in line.refused("webhook.set", "ann", url=url)
    told = line.done("webhook.set", "ann", url="https://mes/okng", events=["alarm"])
    (hook,) = line.people.webhooks()
    assert (hook.reached, hook.reached_part, hook.secret) == (1, 8, told["secret"])
    line.done("webhook.reached", id=hook.id, reached=9, reached_part=9)
    line.done("webhook.reached", id=hook.id, reached=3, reached_part=3)
    line.done("webhook.set", "ann", webhook=hook.id, url="https://mes/other", events=[])
    (hook,) = line.people.webhooks()
    assert (hook.url, hook.reached, hook.reached_part, hook.secret) == ("https://mes/other", 9, 9, told["secret"])
    line.done("webhook.set", "ann", webhook=str(hook.id))
    assert line.people.webhooks() == []
    assert told["secret"] not in "".join(str(row) for row in line.rows("select body from audit"))


def test_settings_keep_old_and_new_in_the_trail(line: Any) -> None:
    line.done("setting.set", "ann", name="screen.mm", body=5.0)
    line.done("setting.set", "ann", name="screen.mm", body={"px": 5.9}, why="calibrated")
    assert line.people.settings()["screen.mm"].body == {"px": 5.9}
    (row,) = line.people.audit_page(limit=1)
    assert (row.old, row.new, row.why) == (5.0, {"px": 5.9}, "calibrated")
    line.done("setting.set", "ann", name="screen.mm")
    assert line.people.settings() == {}


def test_the_journal_takes_events_and_snapshots(room: Any) -> None:
    event = {"stream": "alarm", "key": "camera.lost:top", "event": "active", "body": {"a": 1}}
    assert room.done("journal.add", **event) == {"n": 1}
    assert room.done("journal.add", "oli", **{**event, "event": "acknowledged"}) == {"n": 2}
    assert room.done("journal.state", name="s", body=[1]) == {}
    assert [(row.n, row.event, row.who) for row in room.people.journal("alarm", key="camera.lost:top")] == [
        (2, "acknowledged", "oli"),
        (1, "active", ""),
    ]
    assert [row.n for row in room.people.journal_after(1, 10)] == [2]
    assert room.people.keep("s").body == [1]
    room.done("journal.state", name="s", body={"b": 2})
    assert room.people.keep("s").body == {"b": 2}
    assert room.people.keep("none") is None
    assert room.trail() == ["alarm acknowledged"]  # what happened by itself is in the journal only
    assert "event: Field required" in room.refused("journal.add", stream="alarm")
    assert "stream: Field required; event: Field required" in room.refused("journal.add")
    assert len(room.people.journal()) == 2
    for sql in ("update journal set who = 'x'", "delete from journal"):
        with pytest.raises(apsw.ConstraintError, match="append-only"), room.ledger.transaction() as db:
            db.execute(sql)


def test_a_repeat_does_nothing_twice_even_after_a_restart(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    same = new_id()
    told = line.done("label.set", "oli", again=same, seq=2, truth="good")
    line.restart()
    assert line.done("label.set", "oli", again=same, seq=2, truth="good") == told
    assert len(line.people.labels((2,))) == 1
    # The same id of another person is another ask.
    assert line.done("label.set", "pia", again=same, seq=2, truth="good") != told
    wrong = {"who": "oli", "secret": "1111", "kind": "pin", "panel": True}
    for _ in range(9):
        line.restart()
        assert "wrong" in line.refused("account.sign_in", again=same, **wrong)
    assert line.rows("select distinct fails from attempt") == [(1,)]
    monkeypatch.setattr(clerk, "ANSWERS_KEPT", 3)
    for n in range(9):
        line.done("setting.set", "ann", name="x", body=n)
    assert line.rows("select count(*) from asked") == [(3,)]


def test_while_the_disk_takes_nothing_every_ask_is_refused_and_may_be_asked_again(
    line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = new_id()
    line.stuck = "disk full"
    assert line.refused("label.set", "oli", again=same, seq=2, truth="good") == "history cannot be written: disk full"
    line.stuck = ""

    def full(*_: object, **__: object) -> None:
        raise apsw.FullError("disk full")

    monkeypatch.setattr(clerk, "keep_answer", full)
    assert "history cannot be written" in line.refused("label.set", "oli", again=same, seq=2, truth="good")
    assert len(line.stumbled) == 1
    assert line.people.labels((2,)) == []
    monkeypatch.undo()
    line.done("label.set", "oli", again=same, seq=2, truth="good")
    assert len(line.people.labels((2,))) == 1


def test_a_task_that_fails_leaves_no_line_in_the_trail(line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = line.trail()
    monkeypatch.setattr(labels, "write", lambda *_: 1 / 0)
    assert "failed inside: ZeroDivisionError" in line.refused("escape.set", "oli", what="leaks")
    assert line.people.escapes() == []
    assert line.trail() == before


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_row_of_the_trail_that_was_changed_is_found(new_room: Callable[[], Any], data: st.DataObject) -> None:
    room = new_room()
    room.staff()
    for n in range(4):
        room.done("setting.set", "ann", name="x", body=n, why="because")
    assert room.people.audit_check() == []
    rows = [tuple(row) for row in room.rows("select n, body, hash from audit order by n")]
    at = data.draw(st.integers(0, len(rows) - 1))
    n, body, hashed = rows[at]
    what = data.draw(st.sampled_from(["field", "hash", "drop", "double", "swap", "number"]))
    if what == "field":
        found = json.loads(body)
        name = data.draw(st.sampled_from(sorted(found)))
        found[name] = "somebody else" if found[name] != "somebody else" else ""
        rows[at] = (n, json.dumps(found), hashed)
    elif what == "hash":
        rows[at] = (n, body, "00" * 32)
    elif what == "drop" and at < len(rows) - 1:
        del rows[at]
    elif what == "double":
        rows.insert(at, rows[at])
    elif what == "swap" and at:
        rows[at], rows[at - 1] = rows[at - 1], rows[at]
    else:
        rows[at] = (n + 1, body, hashed)
    assert len(audit_problems(rows)) == 1


def test_the_check_of_the_ledger_finds_a_doctored_trail_and_counts_test_parts_apart(
    line: Any, maker: ModuleType
) -> None:
    counted = maker.counters_entry(99, ok=2, ng=4, triggers=8, challenge=1, bypass=1, ordered=6, confirmed=6)
    line.ledger.store([Ripe(counted)])
    found = check(line.store)
    assert found.problems == []
    assert (found.ok, found.ng, found.unjudged, found.challenge, found.bypass, found.ordered) == (2, 4, 0, 1, 1, 6)
    with line.ledger.transaction() as db:
        db.execute("drop trigger audit_no_update")
        db.execute("update audit set body = replace(body, 'oli', 'pia') where n = 4")
        db.execute("insert into label (seq, truth, who, at) values (77, 'good', 'x', '2026')")
    problems = check(line.store).problems
    assert "audit: broken at entry 4" in problems
    assert "1 labelled, but not recorded: part 77 (epoch none)" in problems
    assert line.people.audit_check() == ["audit: broken at entry 4"]


def test_what_was_said_of_a_recovered_row_follows_to_the_row_that_takes_its_place(room: Any, maker: ModuleType) -> None:
    room.staff()
    room.ledger.store([Ripe(maker.trigger_entry(1, 1)), Ripe(maker.trigger_entry(1, 5, "run-2"))])
    assert room.ledger.recover("run-1") == [1]
    (seq,) = room.rows("select seq from part")[0]
    room.done("label.set", "oli", seq=seq, truth="unsure")
    room.done("escape.set", "oli", seq=seq, what="leaks")
    room.ledger.store([Ripe(maker.record_entry(2, 1, Why.NG))])
    (now,) = room.rows("select seq from part")[0]
    assert now != seq
    assert room.people.label_of((now,))[now].truth == "unsure"
    assert set(room.people.reviewed((seq, now))) == room.people.escaped((seq, now)) == {now}


def test_the_trail_is_read_a_page_at_a_time(line: Any) -> None:
    everything = line.people.audit_page(limit=1000)
    pages, before = [], None
    while page := line.people.audit_page(before_n=before, limit=2):
        pages += page
        before = page[-1].n
    assert pages == everything
    assert line.people.audit_head() == (everything[0].n, everything[0].hash)
    assert {row.what for row in line.people.audit_page(text='"NAME":"eve"')} == {"user created"}
