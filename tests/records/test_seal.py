"""Nothing that was sealed can be changed, taken out, put in or moved without being named."""

import json
import math
import os
import random
import time
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
import pytest

from okng.bus.asks import Ask, new_id
from okng.bus.clock import now_ns
from okng.bus.errors import BadData, BadLedger
from okng.bus.messages import FrameReady
from okng.bus.part import ImageHealth, Why
from okng.identity.box_key import BoxKey
from okng.records import schema
from okng.records.audit import START, Deed, _chained
from okng.records.bookkeeping import audit
from okng.records.ledger import Ledger, Ripe
from okng.records.read import LedgerReader
from okng.records.restore import restore
from okng.records.retention_rows import delete_rows
from okng.records.rows import Kept
from okng.records.seal import KEYED, parts_among, seal_older
from okng.records.seal_audit import Asked, audit_store, ledger_of
from okng.records.seal_content import CHANGES, COUNTERS, HEALTH, PART, TRIGGER, VIEW, Kind, linked
from okng.records.seal_heads import FILE, KEY_FILE, PUBLIC_FILE, Head, append_head, read_heads, sign_head
from okng.records.seal_prune import Pruner
from okng.records.seal_retired import Runs, runs_of
from okng.records.seal_verify import Verified, verify
from okng.records.sealing import Sealing
from okng.records.views import FIGURES, Sight

PARTS = 40


def frame_of(maker: ModuleType, part: int) -> FrameReady:
    made: FrameReady = maker.frame(part, camera="cam1")
    return made


def health(camera: str, focus: float) -> ImageHealth:
    figures: dict[str, Any] = dict.fromkeys(FIGURES, math.nan)
    return ImageHealth(camera=camera, **{**figures, "focus": focus, "contrast": 7.0})


def fill(ledger: Ledger, maker: ModuleType, first: int, last: int, epoch: str = "run-1") -> None:
    """Every third part NG, with a second view, figures of its picture and a heat map."""
    batch = []
    for part in range(first, last + 1):
        why = Why.NG if part % 3 == 0 else Why.OK
        sights = (Sight(frame_of(maker, part), Kept(f"v{part}", "0" * 64)),) if part % 3 == 0 else ()
        batch += [
            Ripe(maker.trigger_entry(2 * part - 1, part, epoch)),
            Ripe(
                maker.record_entry(2 * part, part, why, epoch),
                frame=maker.frame(part),
                heat=(maker.HEAT,) if why is Why.NG else (),
                kept=Kept(f"p{part}.png", "ab" * 32),
                views=sights,
                image=(health("cam0", 0.1 + part), health("cam1", 1 / 3)),
            ),
        ]
    ledger.store(batch)


@pytest.fixture
def store(tmp_path: Path, maker: ModuleType) -> Path:
    """A closed ledger of 40 parts in 4 batches, with a head after each."""
    place, key = tmp_path / "store", BoxKey.load_or_make(tmp_path / "key")
    ledger = Ledger(place)
    for first in range(1, PARTS, 10):
        fill(ledger, maker, first, first + 9)
        with ledger.transaction() as db:
            audit(db, Deed("test", {"first": first}, "ann"))
            head = sign_head(db, key, "daily")
        append_head(place, head)
    ng = PARTS // 3
    ledger.store([Ripe(maker.counters_entry(2 * PARTS + 1, ok=PARTS - ng, ng=ng))])
    ledger.close()
    return place


def change(store: Path, *sqls: str) -> None:
    """Edit the ledger as somebody with the file in his hands would."""
    with closing(apsw.Connection(str(store / schema.FILE))) as db:
        for (name,) in db.execute("select name from sqlite_schema where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {name}")
        db.execute("pragma foreign_keys = off")
        for sql in sqls:
            db.execute(sql)


def look(store: Path, *heads: Path) -> Verified:
    asked = ledger_of(store)
    return audit_store(Asked(asked.file, asked.store, heads))


def test_what_was_written_is_sound(store: Path) -> None:
    found = look(store)
    assert found.problems == []
    assert (found.parts, found.heads, found.trail) == (PARTS, 4, 5)
    assert found.links == 1 + 2 * PARTS + 1
    assert found.sound
    assert found.proven_until


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("update part set outcome = 'OK' where seq = 3", "part seq 3: is not what was sealed"),
        ("update part set score = score + 1e-12 where seq = 7", "part seq 7: is not what was sealed"),
        ("update part set heat = x'00' where seq = 9", "part seq 9: is not what was sealed"),
        ("update part set picture_sha256 = 'x' where seq = 11", "part seq 11: is not what was sealed"),
        ("update view set picture = 'other' where seq = 6", "part seq 6: is not what was sealed"),
        ("delete from view where seq = 6", "part seq 6: is not what was sealed"),
        ("update image_health set focus = 9 where seq = 5", "part seq 5: is not what was sealed"),
        ("insert into image_health (seq, camera, alarms) values (5, 'x', '[]')", "part seq 5: is not what was sealed"),
        ("update trigger set deadline_ns = 1 where number = 15", "trigger 15 of run 1: is not what was sealed"),
        ("update counter_snapshot set ok = 0", "last counters of run 1: is not what was sealed"),
        ("delete from part where seq = 12", "part seq 12: was removed"),
        ("delete from part where seq = 40", "part seq 40: was removed"),
        ("delete from trigger where number = 1", "trigger 1 of run 1: was removed"),
        ("update audit set body = replace(body, 'ann', 'eve') where n = 3", "audit trail: line 3: is not what"),
        ("delete from audit where n = 4", "audit trail: lines 4..4 were removed"),
        ("delete from seal where n between 20 and 22", "links 20..22 of the seal were removed"),
        ("update head set body = replace(body, 'daily', 'asked')", "was not signed, or was changed"),
        ("delete from seal", "the seal was removed: it has no beginning"),
        ("update seal set hash = 'abc' where kind = 3 and a = 1 and b = 15", "trigger 15 of run 1: is not what was"),
        ("update seal set hash = 7 where kind = 3 and a = 1 and b = 15", "trigger 15 of run 1: is not what was"),
        ("update part set why = x'6e67' where seq = 6", "part seq 6: is not what was sealed"),
        ("update view set camera = x'6e67' where seq = 6", "part seq 6: is not what was sealed"),
    ],
)
def test_a_change_is_found_and_the_row_is_named(store: Path, sql: str, said: str) -> None:
    change(store, sql)
    found = look(store)
    assert said in "\n".join(found.problems)


def test_one_row_that_was_changed_is_one_finding(store: Path) -> None:
    change(store, "update part set why = 'ok' where seq = 6")
    found = look(store)
    assert len(found.problems) == 1
    assert found.parts == PARTS - 1


def test_a_row_that_was_put_in_is_named(store: Path) -> None:
    names = ", ".join(name for name in PART if name not in ("seq", "number"))
    change(
        store,
        f"insert into part (seq, number, {names}, picture_kept) select 99, 999, {names}, 1 from part where seq = 4",
        "insert into trigger select epoch, 998, part, station, at_ns, encoder, deadline_ns, recipe, missed, boot_id,"
        " stored_at from trigger where number = 1",
    )
    assert look(store).problems == [
        "part seq 99: was put in by hand: no link seals it",
        "trigger 998 of run 1: was put in by hand: no link seals it",
    ]


def test_a_row_that_was_put_in_under_a_number_that_none_has_is_named(store: Path) -> None:
    """Below all others, by an old time, or the last counters of a run that never ended."""
    names = ", ".join(name for name in PART if name not in ("seq", "number"))
    counted = ", ".join(name for name in COUNTERS if name not in ("epoch", "number"))
    change(
        store,
        f"insert into part (seq, number, {names}, picture_kept) select -7, 999, {names}, 1 from part where seq = 4",
        "insert into trigger select epoch, 998, part, station, at_ns, encoder, deadline_ns, recipe, missed, boot_id,"
        " '2001-01-01T00:00:00.000Z' from trigger where number = 1",
        "insert into journal values (-3, '2026-11-26', 'lot', '', 'begun', 'eve', '{}')",
        f"insert into counter_snapshot (epoch, number, {counted}) select 7, 1, {counted} from counter_snapshot",
    )
    assert look(store).problems == [
        "part seq -7: was put in by hand: no link seals it",
        "trigger 998 of run 1: was put in by hand: no link seals it",
        "journal entry -3: was put in by hand: no link seals it",
        "last counters of run 7: was put in by hand: no link seals it",
    ]


def test_two_rows_that_changed_places_are_named(store: Path) -> None:
    change(
        store,
        "update part set seq = -1 where seq = 8",
        "update part set seq = 8 where seq = 13",
        "update part set seq = 13 where seq = -1",
    )
    problems = look(store).problems
    assert [text[:11] for text in problems] == ["part seq 8:", "part seq 13"]


def test_two_links_that_changed_places_are_found(store: Path) -> None:
    change(
        store,
        "update seal set n = -1 where n = 30",
        "update seal set n = 30 where n = 34",
        "update seal set n = 34 where n = -1",
    )
    assert len(look(store).problems) >= 2


def test_every_byte_of_a_sealed_text_counts(store: Path) -> None:
    """Bytes of a sample of rows are flipped, each is found at its own row."""
    pick = random.Random(3)
    for seq in pick.sample(range(1, PARTS + 1), 6):
        with closing(apsw.Connection(str(store / schema.FILE))) as db:
            name = pick.choice(["taken_at", "reasons", "recipe", "codes", "stored_at", "why"])
            ((text,),) = db.execute(f"select {name} from part where seq = ?", (seq,)).fetchall()
            at = pick.randrange(len(str(text)))
            other = str(text)[:at] + chr(ord(str(text)[at]) ^ 1) + str(text)[at + 1 :]
            db.execute(f"update part set {name} = ? where seq = ?", (other, seq))
        assert [said[: len(f"part seq {seq}:")] for said in look(store).problems] == [f"part seq {seq}:"]
        change(store, f"update part set {name} = '{text}' where seq = {seq}")


def anew(store: Path, first: int) -> None:
    """Hash the whole chain anew from a link on, as somebody who knows how would."""
    with closing(apsw.Connection(str(store / schema.FILE))) as db:
        before = bytes(32)
        links: list[Any] = db.execute("select * from seal order by n").fetchall()
        for n, kind, a, b, hashed, body in links:
            content: object = body
            if n >= first:
                if kind == Kind.PART:
                    content = parts_among(db, [int(a)])[int(a)]
                elif body is None:
                    table, columns, where = KEYED[Kind(kind)]
                    content = list(
                        db.execute(f"select {', '.join(columns)} from {table} where {where}", (a, b)).fetchall()[0]
                    )
                hashed = linked(before, int(kind), int(a), int(b), content)
                db.execute("update seal set hash = ? where n = ?", (hashed, n))
            before = bytes(hashed)


def test_a_chain_that_was_made_anew_is_found_by_a_head_alone(store: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kept.jsonl"
    elsewhere.write_bytes((store / FILE).read_bytes())
    change(store, "update part set outcome = 'OK', why = 'ok' where seq = 18", "delete from head")
    anew(store, 2)
    (store / FILE).unlink()
    alone = look(store)
    assert alone.problems == []
    assert "no signed head to compare with" in alone.notes[-1]
    told = look(store, elsewhere).problems
    heads = read_heads(elsewhere)
    assert len(told) == 3
    assert told[0].startswith(f"seal: rewritten at or before {heads[1].link_n}, after the head of {heads[0].utc}")


def test_a_trail_that_was_made_anew_is_found_by_a_head_alone(store: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kept.jsonl"
    elsewhere.write_bytes((store / FILE).read_bytes())
    change(store, "update audit set body = replace(body, 'ann', 'eve') where n = 3", "delete from head")
    with closing(apsw.Connection(str(store / schema.FILE))) as db:
        before = START
        for n, body in db.execute("select n, body from audit order by n").fetchall():
            before = _chained(before, str(body))
            db.execute("update audit set hash = ? where n = ?", (before, n))
    (store / FILE).unlink()
    assert look(store).problems == []
    assert [text[:37] for text in look(store, elsewhere).problems] == [
        f"audit trail: rewritten at or before {n}" for n in (3, 4, 5)
    ]


def test_what_was_cut_off_is_found_by_a_head_alone(store: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "kept.jsonl"
    elsewhere.write_bytes((store / FILE).read_bytes())
    (store / FILE).unlink()
    change(
        store,
        "delete from part where seq > 30",
        "delete from view where seq > 30",
        "delete from image_health where seq > 30",
        "delete from trigger where number > 60",
        "delete from counter_snapshot",
        "delete from seal where n > 61",
        "delete from audit where n > 4",
        "delete from head",
    )
    assert look(store).problems == []
    told = look(store, elsewhere).problems
    assert len(told) == 2
    assert told[0].startswith("audit trail: cut off: the head of")
    assert told[1].endswith("knows 81, the file ends at 61")


def test_a_head_of_another_key_or_box_is_told(store: Path, tmp_path: Path) -> None:
    other = BoxKey.load_or_make(tmp_path / "other")
    (head, *_) = read_heads(store / FILE)
    asked = ledger_of(store)
    found = audit_store(Asked(asked.file, asked.store, (), other.public_pem))
    assert len(found.problems) == 4
    assert f"was not signed by the key {other.fingerprint[:16]}" in found.problems[0]
    moved = tmp_path / "moved.jsonl"
    line = head.line.replace(head.box, "0" * 12)
    moved.write_text(line + "\n")
    assert "was not signed, or was changed" in look(store, moved).problems[0]


def test_a_file_of_heads_that_a_power_cut_ended_is_read_to_there(store: Path) -> None:
    file = store / FILE
    file.write_text(file.read_text() + '{"body": {"box')
    assert len(read_heads(file)) == 4
    assert look(store).sound


def test_a_torn_line_among_heads_ends_no_proof(store: Path) -> None:
    """A cut of power ended a line, and the box went on; another was not written to its end by an older okng."""
    file = store / FILE
    heads = read_heads(file)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1][:40] + lines[2] + b"\0\xff\n" + lines[3][:200])
    append_head(store, heads[3])
    assert read_heads(file) == [heads[0], heads[3]]
    found = look(store)
    assert (found.problems, found.heads) == ([], 4)
    assert [text.partition(": ")[2][:15] for text in found.notes if "no head" in text] == [
        f"line {n}: no head" for n in (2, 3, 4)
    ]
    file.write_bytes(b"no heads at all\n")
    with pytest.raises(BadData, match="line 1: no head"):
        read_heads(file)


def test_a_head_that_the_disk_did_not_take_leaves_nothing_of_itself(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = (store / FILE).read_bytes(), os.write
    head = read_heads(store / FILE)[0]
    left = [100]

    def short(handle: int, data: bytes) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        taken, left[0] = left[0], 0
        return real(handle, data[:taken])

    with monkeypatch.context() as patched:
        patched.setattr("okng.records.seal_heads.os.write", short)
        with pytest.raises(OSError, match="No space"):
            append_head(store, head)
    assert (store / FILE).read_bytes() == before
    append_head(store, head)
    assert len(read_heads(store / FILE)) == 5


def test_a_restored_copy_is_explained(store: Path, tmp_path: Path, maker: ModuleType) -> None:
    copy = tmp_path / "copy.db"
    copy.write_bytes((store / schema.FILE).read_bytes())
    key = BoxKey.load_or_make(tmp_path / "key")
    ledger = Ledger(store)
    fill(ledger, maker, 41, 50, "run-2")
    with ledger.transaction() as db:
        audit(db, Deed("test", {}, "ann"))
        late = sign_head(db, key, "asked")
    append_head(store, late)
    ledger.close()
    restore(store, copy)
    ledger = Ledger(store)
    fill(ledger, maker, 41, 44, "run-3")
    ledger.close()
    found = look(store)
    assert found.problems == []
    assert f"seal: the head of {late.utc} knows {late.link_n} of lineage 1; the file was restored" in str(found.notes)
    assert audit_store(Asked(copy, None)).problems == []
    change(store, "update part set why = 'ok' where seq = 3")
    assert len(look(store).problems) == 1


@pytest.mark.parametrize("damaged", [True, False])
def test_a_file_that_another_took_the_place_of_is_explained(
    store: Path, tmp_path: Path, maker: ModuleType, damaged: bool
) -> None:
    """Damage and then a copy that is put back, or two copies one after the other: heads of the file between remain."""
    copy = tmp_path / "copy.db"
    copy.write_bytes((store / schema.FILE).read_bytes())
    if damaged:
        (store / schema.FILE).write_bytes(b"x" * 8192)
    else:
        restore(store, copy)
    for turn in (1, 2):
        ledger = Ledger(store)
        fill(ledger, maker, 41, 50, f"run-{turn}")
        with ledger.transaction() as db:
            head = sign_head(db, BoxKey.load_or_make(tmp_path / "key"), "asked")
        append_head(store, head)
        ledger.close()
        assert head.lineage == turn + 1
        if turn == 1:
            restore(store, copy)
    found = look(store)
    assert found.problems == []
    assert "1 heads are of lineage 2, which is not in this file: look at the file that was put aside" in found.notes
    assert found.heads == 5
    change(store, "update part set why = 'ok' where seq = 3")
    assert len(look(store).problems) == 1


def test_a_part_that_recover_made_gives_way_lawfully(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    ledger.store([Ripe(maker.trigger_entry(1, 1, "old")), Ripe(maker.trigger_entry(1, 2, "new"))])
    assert ledger.recover("old") == [1]
    ledger.store([Ripe(maker.record_entry(2, 1, Why.NG, "old"))])
    ledger.close()
    found = look(tmp_path)
    assert found.problems == []
    assert found.parts == 2
    change(tmp_path, "delete from part where seq = 2")
    assert look(tmp_path).problems == ["part seq 2: was removed (link 5 of the seal)"]


def test_every_column_is_sealed_or_said_to_change(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with closing(apsw.Connection(str(tmp_path / schema.FILE))) as db:
        for table, sealed in (
            *(("part", PART), ("view", VIEW), ("image_health", HEALTH), ("trigger", TRIGGER)),
            *((table, columns) for table, columns, _ in KEYED.values()),
        ):
            there = {str(row[1]) for row in db.execute(f"pragma table_info({table})").fetchall()}
            assert there - CHANGES.get(table, set()) == set(sealed), table
    assert len(COUNTERS) == len(set(COUNTERS))


def test_parts_from_before_the_seal_are_told_and_then_sealed_in_blocks(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 1, 30)
    ledger.close()
    # As an update finds it: parts, and no link yet.
    with closing(apsw.Connection(str(tmp_path / schema.FILE))) as db:
        db.execute("drop trigger seal_no_delete")
        db.execute("delete from seal")
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 31, 35, "run-2")
    before = look(tmp_path)
    assert before.problems == []
    assert before.unsealed == 30
    assert "30 parts (seq 1..30) are from before the seal and not sealed (yet)" in before.notes
    with ledger.transaction() as db:
        assert seal_older(db) == 30
        assert seal_older(db) == 0
    ledger.close()
    after = look(tmp_path)
    assert (after.problems, after.unsealed, after.older, after.parts) == ([], 0, 30, 5)
    change(tmp_path, "update part set why = 'late' where seq = 4")
    assert look(tmp_path).problems == ["parts 1..30, sealed together by link 12: was changed"]


def test_what_was_stored_before_the_seal_is_known_by_its_number_and_not_by_its_time(
    tmp_path: Path, maker: ModuleType
) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 1, 30)
    ledger.store([Ripe(maker.counters_entry(61, ok=20, ng=10))])
    ledger.close()
    ahead = "update trigger set stored_at = '2099-01-01T00:00:00.000Z'"
    change(tmp_path, "delete from seal", "delete from head", ahead)
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 31, 33, "run-2")
    ledger.close()
    assert look(tmp_path).problems == []
    # A seal that was begun by an okng that did not note them yet goes by the time.
    change(
        tmp_path,
        "update seal set body = json_remove(body, '$.unsealed.trigger', '$.unsealed.counters') where n = 1",
        "update trigger set stored_at = '2001-01-01T00:00:00.000Z' where epoch = 1",
    )
    anew(tmp_path, 1)
    assert look(tmp_path).problems == []


def test_heads_tell_how_far_all_had_come(store: Path) -> None:
    heads: list[Head] = read_heads(store / FILE)
    assert [head.part for head in heads] == [10, 20, 30, 40]
    assert [head.trail_n for head in heads] == [2, 3, 4, 5]
    assert all(head.holds() for head in heads)
    with closing(apsw.Connection(str(store / schema.FILE))) as db:
        posted = db.execute("select body from outbox where stream = 'heads' order by seq").fetchall()
    assert [bytes(body).decode() for (body,) in posted] == [head.line for head in heads]  # type: ignore[arg-type]


def test_a_picture_that_is_gone_or_another_is_found_when_all_is_looked_at(store: Path) -> None:
    asked = ledger_of(store)
    (store / "p2.png").write_bytes(b"other")
    change(
        store,
        "update part set picture_kept = seq in (2, 3)",
        "update view set picture_kept = 0",
        "insert into given_up values ('2026-11-26', 'ok', 99, 10, 0)",
    )
    assert look(store).sound
    found = audit_store(Asked(asked.file, asked.store, (), "", full=True))
    assert found.problems == [
        "part seq 2: its picture p2.png is not the one that was kept",
        "part seq 3: its picture p3.png is not there",
    ]


def test_rows_that_retention_deleted_are_lawful_and_their_links_go(tmp_path: Path, maker: ModuleType) -> None:
    ledger, key, pruner = Ledger(tmp_path), BoxKey.load_or_make(tmp_path / "key"), Pruner()
    fill(ledger, maker, 1, 150)
    with ledger.transaction() as db:
        early = sign_head(db, key, "daily")
        delete_rows(db, list(range(1, 121)), "2027-01-01T00:00", "2027-01-01T00:00")
        late = sign_head(db, key, "daily")
    append_head(tmp_path, early)
    append_head(tmp_path, late)
    kept = look(tmp_path)
    assert (kept.problems, kept.parts, kept.retired, kept.heads) == ([], 30, 120, 2)
    with ledger.transaction() as db:
        assert pruner.step(db) == 0  # learns what went
        assert pruner.step(db) == 240
    with ledger.transaction() as db:
        assert pruner.step(db) == 0
    fill(ledger, maker, 151, 152)
    found = look(tmp_path)
    assert (found.problems, found.parts, found.heads) == ([], 32, 2)
    assert found.links < 90
    ledger.close()
    change(tmp_path, "delete from part where seq = 130")
    assert look(tmp_path).problems == ["part seq 130: was removed (link 261 of the seal)"]
    change(tmp_path, "delete from part where seq > 148")
    assert len(look(tmp_path).problems) == 5


def test_more_than_retention_told_of_is_found(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 1, 30)
    with ledger.transaction() as db:
        delete_rows(db, [seq for seq in range(1, 21) if seq != 9], "2027-01-01T00:00", "2027-01-01T00:00")
    ledger.close()
    assert look(tmp_path).sound
    change(tmp_path, "delete from part where seq = 9")
    assert look(tmp_path).problems == ["part seq 9: was removed (link 19 of the seal)"]


def test_after_links_went_too_one_more_that_is_taken_out_is_named(tmp_path: Path, maker: ModuleType) -> None:
    ledger, pruner = Ledger(tmp_path), Pruner()
    fill(ledger, maker, 1, 400)
    went = [seq for seq in range(1, 381) if seq not in (60, 150, 300)]
    with ledger.transaction() as db:
        for some in (went[:190], went[190:]):
            delete_rows(db, some, "2027-01-01T00:00", "2027-01-01T00:00")
    change(tmp_path, "delete from part where seq = 300")
    for _ in range(8):
        with ledger.transaction() as db:
            pruner.step(db)
    ledger.close()
    (said,) = look(tmp_path).problems
    assert said.startswith("part seq 300: was removed")
    change(tmp_path, "delete from part where seq = 60", "delete from trigger where number = 299")
    assert [text.partition(" (")[0] for text in look(tmp_path).problems] == [
        "part seq 60: was removed",
        "trigger 299 of run 1: was removed",
        "part seq 300: was removed",
    ]
    assert look(tmp_path).links < 600


def test_while_pictures_are_looked_at_the_ledger_goes_on_and_retention_too(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The WAL can be folded back, and a picture that goes meanwhile is no finding."""
    change(store, "update part set picture_kept = seq in (2, 3)", "update view set picture_kept = 0")
    change(store, "insert into given_up values ('2026-11-26', 'ok', 99, 10, 0)")
    ledger, real, told = Ledger(store), Path.open, []

    def opened(path: Path, *more: Any, **named: Any) -> Any:
        if path.name == "p2.png":
            with ledger.transaction() as db:
                db.execute("update part set picture_kept = 0 where seq = 2")
            with closing(apsw.Connection(str(store / schema.FILE))) as other:
                ((busy, left, done),) = other.execute("pragma wal_checkpoint(truncate)").fetchall()
                told.append((busy, left, done))
        return real(path, *more, **named)

    monkeypatch.setattr(Path, "open", opened)
    asked, shares = ledger_of(store), list[float]()
    found = audit_store(Asked(asked.file, asked.store, (), "", full=True), shares.append)
    ledger.close()
    assert told == [(0, 0, 0)]
    assert found.problems == ["part seq 3: its picture p3.png is not there"]
    assert len(shares) > 1


def test_the_box_proves_a_copy_that_was_put_back_on_a_new_disk(room: Any, maker: ModuleType) -> None:
    """Its heads are of the key before: that is told, and is no finding."""
    room.staff()
    fill(room.ledger, maker, 1, 10)
    Sealing(room.ledger, room.store).sign("daily")
    for key in (KEY_FILE, PUBLIC_FILE):
        (room.store / key).unlink()
    after = Sealing(room.ledger, room.store)
    after.sign("daily")
    after.prove(Ask(new_id(), "audit.verify", "ann", "audit.read"))
    end = time.monotonic() + 20
    while not (kept := room.rows("select body from keep where name = 'audit.verify'")) and time.monotonic() < end:
        after.settle(now_ns())
        time.sleep(0.01)
    after.close()
    told = json.loads(kept[0][0])
    assert (told["problems"], told["heads"]) == ([], 2)
    assert "the box has another key now" in str(told["notes"])


def test_one_more_that_is_taken_out_of_a_block_is_found(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    fill(ledger, maker, 1, 60)
    ledger.close()
    change(tmp_path, "delete from seal", "delete from head")
    ledger = Ledger(tmp_path)
    with ledger.transaction() as db:
        seal_older(db)
        delete_rows(db, list(range(1, 20)), "2027-01-01T00:00", "2027-01-01T00:00")
    ledger.close()
    assert look(tmp_path).problems == []
    change(tmp_path, "delete from part where seq = 40")
    assert look(tmp_path).problems == ["parts 1..60, sealed together by link 2: 40 are there of 60"]


def test_numbers_are_kept_as_runs() -> None:
    pick = random.Random(5)
    for _ in range(60):
        numbers = set(pick.sample(range(1, 200), pick.randrange(1, 120))) | set(range(1, 90, pick.randrange(1, 6)))
        made = Runs()
        for part in (0, 1):
            for first, last, step in runs_of(one for one in numbers if one % 2 == part):
                made.add(first, last, step)
        assert {one for one in range(-5, 210) if one in made} == numbers
        least, most = pick.randrange(-5, 100), pick.randrange(50, 220)
        assert made.count(least, most) == sum(1 for one in numbers if least <= one <= most)
    assert runs_of(range(1, 400, 2)) == [[1, 399, 2]]


def test_bytes_that_are_no_text_any_more_are_named_like_any_other_change(tmp_path: Path, maker: ModuleType) -> None:
    """Bit rot inside a text: SQLite gives it as it is, and it is no UTF-8."""
    ledger = Ledger(tmp_path)
    for part in range(1, 9):
        ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(maker.record_entry(2 * part, part))])
    ledger.close()
    with closing(apsw.Connection(str(ledger.path))) as db:
        ((seq,),) = db.execute("select seq from part where part = 5").fetchall()
        db.execute("update part set why = cast(x'ff6361e370' as text) where seq = ?", (seq,))
    found = verify(ledger.path)
    (said,) = found.problems
    assert said.startswith(f"part seq {seq}: is not what was sealed")
    with pytest.raises(BadLedger, match="what was a text is none any more"):
        LedgerReader(tmp_path).rows(20)


def test_a_picture_that_nobody_gave_up_is_found(store: Path) -> None:
    change(store, "insert into given_up values ('2026-11-26', 'ok', 2, 10, 0)")
    change(store, "update part set picture_kept = 0 where seq in (1, 2)")
    told = look(store)
    assert told.problems == []
    assert "2 pictures are said to be no longer kept, retention gave up 2" in told.notes
    change(store, "update part set picture_kept = 0 where seq = 3")
    assert look(store).problems == ["3 pictures are said to be no longer kept, retention gave up 2"]
