"""What a part was seen as by several cameras, what was read on it, and what its pictures were like."""

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import apsw
import pytest

from okng.bus.messages import FrameReady
from okng.bus.part import CodeRead, ImageHealth, Measurement, Outcome, Placement, Verdict, Why
from okng.bus.ring import RingShelf
from okng.records import schema
from okng.records.bookkeeping import Ripe
from okng.records.catcher import Seen, copied
from okng.records.check import check
from okng.records.export import lines
from okng.records.gathered import gather
from okng.records.ledger import Ledger
from okng.records.pictures import picture_path
from okng.records.read import LedgerReader
from okng.records.rows import Kept
from okng.records.views import Sight

OLD = Path(__file__).with_name("ledger_v1.sql")
"""A ledger of version 1 with seven parts, as the okng of that version wrote it."""


def health(camera: str, brightness: float = 120.0, alarms: tuple[str, ...] = ()) -> ImageHealth:
    return ImageHealth(camera, 1.02, brightness, 31.0, 0.001, 0.0, 0.01, 2.1, 0.3, -0.2, 0.05, alarms)


def serial(text: str) -> CodeRead:
    return CodeRead("sn", text, "DataMatrix" if text else "", serial=True)


def store_part(
    ledger: Ledger, maker: ModuleType, part: int, text: str, taken_at: str = "", why: Why = Why.OK, **more: Any
) -> None:
    entry = maker.record_entry(2 * part, part, why)
    entry = replace(entry, record=replace(entry.record, taken_at=taken_at or maker.TAKEN))
    codes = (serial(text),) if text else ()
    ledger.store([Ripe(maker.trigger_entry(2 * part - 1, part)), Ripe(entry, codes=codes, **more)])


def test_a_ledger_of_version_1_opens_with_all_its_rows(tmp_path: Path, maker: ModuleType) -> None:
    db = apsw.Connection(str(tmp_path / schema.FILE))
    db.execute(OLD.read_text(encoding="utf-8"))
    tables = ("meta", "epoch", "trigger", "part", "counter_snapshot", "outbox", "counter", "audit")
    columns = [str(row[1]) for row in db.execute("pragma table_info(part)")]
    before = {table: list(db.execute(f"select * from {table}")) for table in tables}
    assert [list(db.execute("pragma user_version")), len(before["part"])] == [[(1,)], 7]
    db.close()

    ledger = Ledger(tmp_path)
    with LedgerReader(tmp_path).asking() as ask:
        after = {table: [tuple(row.values()) for row in ask(f"select * from {table}")] for table in tables}
        # What later versions count besides stands behind, 0.
        width = len(before["counter_snapshot"][0])
        assert {row[width:] for row in after["counter_snapshot"]} == {(0, 0)}
        after["counter_snapshot"] = [row[:width] for row in after["counter_snapshot"]]
        assert json.loads(str(after["audit"].pop()[1]))["what"] == "ledger migrated"
        parts = [tuple(row.values()) for row in ask(f"select {', '.join(columns)} from part")]
        assert next(ask("pragma user_version"))["user_version"] == schema.VERSION
    assert parts == before["part"]
    assert {name: rows for name, rows in after.items() if name != "part"} == {
        name: rows for name, rows in before.items() if name != "part"
    }
    rows = LedgerReader(tmp_path).rows(100)
    assert len(rows) == 7
    assert {(row.serial, row.codes, row.placements, row.views, row.image) for row in rows} == {("", (), (), (), ())}
    problems = [problem for problem in check(tmp_path).problems if "picture that is not there" not in problem]
    assert problems == [
        "1 triggered, but without a record: part 51 (epoch run-3)",
        "triggers 8 are not OK 2 + NG 2 + UNJUDGED 3",
    ]

    store_part(ledger, maker, 90, "A1", why=Why.NG, image=(health("cam0"),))
    newest = LedgerReader(tmp_path).rows(1)[0]
    assert (newest.part, newest.serial, newest.image) == (90, "A1", (health("cam0"),))
    ledger.close()
    Ledger(tmp_path).close()
    assert len(LedgerReader(tmp_path).rows(100)) == 8


def test_a_ledger_of_version_2_opens_with_all_its_rows(tmp_path: Path, maker: ModuleType) -> None:
    db = apsw.Connection(str(tmp_path / schema.FILE))
    db.execute(Path(__file__).with_name("ledger_v2.sql").read_text(encoding="utf-8"))
    tables = ("meta", "epoch", "trigger", "part", "view", "image_health", "outbox", "counter", "audit")
    columns = [str(row[1]) for row in db.execute("pragma table_info(part)")]
    before = {
        table: list(db.execute(f"select {', '.join(columns) if table == 'part' else '*'} from {table}"))
        for table in tables
    }
    assert [list(db.execute("pragma user_version")), len(before["part"])] == [[(2,)], 2]
    db.close()

    ledger = Ledger(tmp_path)
    with LedgerReader(tmp_path).asking() as ask:
        assert next(ask("pragma user_version"))["user_version"] == schema.VERSION
        for table in tables:
            chosen = ", ".join(columns) if table == "part" else "*"
            found = [tuple(row.values()) for row in ask(f"select {chosen} from {table}")]
            assert found[: len(before[table])] == before[table]
            assert len(found) == len(before[table]) + (table == "audit")  # it was brought up to date
    ng, ok = LedgerReader(tmp_path).rows(10)
    assert [(row.part, row.measures, row.serial) for row in (ng, ok)] == [(3, (), "SN-7"), (2, (), "")]
    assert [view.camera for view in ng.views] == ["side"]
    assert not check(tmp_path).problems

    width = Measurement("cam0", "gap", "width", 10.42, "mm", 9.8, 10.2)
    store_part(ledger, maker, 9, "", why=Why.NG, measures=(width,))
    ledger.close()
    assert LedgerReader(tmp_path).rows(1)[0].measures == (width,)


def test_figures_are_kept_with_their_limits_and_leave_the_box(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    measures = (
        Measurement("cam0", "gap", "width", 10.42, "mm", 9.8, 10.2),
        Measurement("side", "dirt", "count", 3.0, "count", None, 0.0),
        Measurement("", "weld", "objections", 1.0, "count", None, 1.0),
        Measurement("cam0", "gap", "straightness", math.nan, "mm", None, None),
    )
    store_part(ledger, maker, 3, "", why=Why.NG, measures=measures)
    ledger.close()
    reader = LedgerReader(tmp_path)
    (row,) = reader.rows(10)
    assert row.measures[:3] == measures[:3]
    assert math.isnan(row.measures[3].value)
    assert [each.within for each in row.measures] == [False, False, True, False]
    body = json.loads(reader.events("rejects", 0, 1)[0].body)
    assert body["measures"][0] == {
        "camera": "cam0",
        "region": "gap",
        "name": "width",
        "value": 10.42,
        "unit": "mm",
        "low": 9.8,
        "high": 10.2,
    }
    assert next(lines(tmp_path))["measures"][3]["value"] is None


def test_figures_of_views_that_io_did_not_hear_belong_to_the_part(maker: ModuleType) -> None:
    mine, other = (Measurement(camera, "gap", "width", 1.0, "mm", None, 2.0) for camera in ("cam0", "side"))
    said = replace(maker.verdict(3, Outcome.NG), measures=(mine,))
    heard = replace(maker.verdict(3), camera="side", measures=(other,))
    record = maker.record_entry(2, 3, Why.NG, said=said).record
    assert gather(record, Seen(verdicts={"side": heard, "cam0": said})).measures == (mine, other)


def test_a_part_comes_back_with_all_that_was_seen_of_it(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    frames = {camera: maker.frame(3, camera=camera) for camera in ("cam0", "back", "side")}
    said = replace(maker.verdict(3, Outcome.NG, seen=frames["cam0"]), views=(frames["side"],))
    codes = (serial("SN-7<GS>x"), CodeRead("lot", "", "", serial=False))
    placements = (Placement("cam0", True, 0.93, 1.5, -2.25, 0.4), Placement("side", False, math.nan, 0.0, 0.0, 0.0))
    image = (health("cam0", math.nan, ("lamp",)), health("side", math.inf))
    sights = (Sight(frames["side"], Kept("p/side.png", "1" * 64, 32, 24)), Sight(frames["back"], None))
    batch = [
        Ripe(maker.trigger_entry(1, 3)),
        Ripe(
            maker.record_entry(2, 3, Why.NG, said=said),
            frames["cam0"],
            (maker.HEAT,),
            Kept("p/main.png", "0" * 64, 60, 40),
            sights,
            image,
            placements,
            codes,
        ),
    ]
    ledger.store(batch)
    ledger.store(batch)  # a resend
    (row,) = LedgerReader(tmp_path).rows(10)
    assert (row.camera, row.serial, row.serial_before, row.codes) == ("cam0", "SN-7<GS>x", None, codes)
    assert (row.width, row.height) == (60, 40)  # of the developed picture, not of the frame
    assert [(v.camera, v.picture, v.picture_kept, v.width, v.height) for v in row.views] == [
        ("back", None, False, 64, 48),
        ("side", "p/side.png", True, 32, 24),
    ]
    assert row.placements[0] == placements[0]
    assert math.isnan(row.placements[1].score)
    assert row.image[0].alarms == ("lamp",)
    assert [math.isnan(one.brightness) for one in row.image] == [True, True]
    assert row.image[1].noise == 2.1
    assert LedgerReader(tmp_path).row(row.seq) == LedgerReader(tmp_path).row(row.seq) is not None
    body = json.loads(LedgerReader(tmp_path).events("rejects", 0, 10)[0].body)
    assert (body["serial"], [code["name"] for code in body["codes"]]) == ("SN-7<GS>x", ["sn", "lot"])
    assert [(view["camera"], view["picture_sha256"]) for view in body["views"]] == [("side", "1" * 64), ("back", None)]
    assert body["image"][0]["alarms"] == ["lamp"]
    assert body["image"][0]["brightness"] is None
    assert next(lines(tmp_path))["codes"][0]["text"] == "SN-7<GS>x"
    assert [p for p in check(tmp_path).problems if "not there" not in p] == []
    assert check(tmp_path).views == 1
    ledger.close()


@pytest.mark.parametrize(
    ("span_h", "marked"),
    [(720, [None, None, 1, 3, None]), (1, [None, None, None, 3, None]), (0, [None, None, None, None, None])],
)
def test_a_serial_number_read_again_is_marked_within_the_span(
    tmp_path: Path, maker: ModuleType, span_h: int, marked: list[int | None]
) -> None:
    ledger = Ledger(tmp_path, serial_span_h=span_h)
    for part, (text, taken) in enumerate(
        [
            ("A1", "01T08:00:00"),
            ("B2", "01T08:00:01"),
            ("A1", "02T08:00:00"),
            ("A1", "02T08:59:59"),
            ("", "02T09:00:00"),
        ],
        1,
    ):
        store_part(ledger, maker, part, text, f"2026-11-{taken}.000Z")
    ledger.close()
    rows = LedgerReader(tmp_path).rows(10)
    assert [row.serial_before for row in reversed(rows)] == marked
    assert {row.action for row in rows} == {"PASS"}  # a mark, not a judgement
    assert check(tmp_path).problems == []


def test_a_serial_number_is_found_by_its_beginning_and_a_part_by_its_number(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    for part, text in enumerate(("12", "120", "AB%_1", "ab%_1", "", "12"), 1):
        store_part(ledger, maker, part, text)
    ledger.close()
    reader = LedgerReader(tmp_path)

    def found(find: str, **more: Any) -> list[int]:
        return [row.part for row in reader.rows(10, find=find, **more)]

    assert found("12") == [6, 2, 1]
    assert found("12", before_seq=6) == [2, 1]
    assert found("120") == [2]
    assert found("AB%") == [3]
    assert found("5") == [5]
    assert found("%") == found("'") == found("99999999999999999999") == found("٣") == []
    with reader.asking() as ask:
        for sql in (
            "(part = ? or (serial != '' and serial >= ? and serial < ?)) order by seq desc",
            "serial = ? and serial != ''",
        ):
            plan = " ".join(
                row["detail"]
                for row in ask(f"explain query plan select * from part where {sql}", ["1"] * sql.count("?"))
            )
            assert "part_serial" in plan
            assert "SCAN" not in plan


def test_image_health_is_read_in_columns_with_the_time_of_its_alarm(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    reader = LedgerReader(tmp_path)
    assert reader.image("cam0", 10).parts == ()
    for part in range(1, 8):
        alarms = ("lamp", "lens") if part in (2, 5, 6) else ("lamp",) if part == 7 else ()
        image = (health("cam0", 100.0 + part, alarms), health("side"))
        store_part(ledger, maker, part, "", f"2026-11-23T08:00:0{part}.000Z", image=image)
    store_part(ledger, maker, 8, "")
    history = reader.image("cam0", 3)
    assert (history.parts, history.newer) == ((5, 6, 7), 1)
    assert history.figures["brightness"] == (105.0, 106.0, 107.0)
    assert history.taken_at[0] == "2026-11-23T08:00:05.000Z"
    assert history.alarms == (("lamp", "lens"), ("lamp", "lens"), ("lamp",))
    assert reader.alarm_since("cam0", "lamp") == "2026-11-23T08:00:05.000Z"
    assert reader.alarm_since("cam0", "lens") is None  # the newest part has it no more
    assert reader.alarm_since("side", "lamp") is reader.alarm_since("none", "lamp") is None
    with pytest.raises(ValueError, match="limit 0"):
        reader.image("cam0", 0)
    ledger.close()


def test_ten_thousand_parts_are_charted_at_once(tmp_path: Path, maker: ModuleType) -> None:
    ledger = Ledger(tmp_path)
    image = (health("cam0"), health("side"))
    for first in range(1, 10_001, 1000):
        batch = [Ripe(maker.record_entry(part, part), image=image) for part in range(first, first + 1000)]
        ledger.store(batch)
    ledger.close()
    begun = time.perf_counter()
    history = LedgerReader(tmp_path).image("cam0", 10_000)
    took_s = time.perf_counter() - begun
    assert history.parts == tuple(range(1, 10_001))
    assert {len(column) for column in history.figures.values()} == {10_000}
    assert took_s < 2.0  # 0.02 s where nothing else runs


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("update part set serial = 'X' where part = 2", "with a serial number that was not read on it: part 2"),
        ("update part set serial_before = 1 where part = 3", "said to bear a number that another part bore"),
        ("update view set picture = null", "with a view's picture that names no file: part 1"),
        ("update view set camera = 'cam0'", "with the deciding view's picture twice: part 1"),
        ("update view set seq = 77", "with a view, but not recorded: part 77"),
        ("update image_health set seq = 78", "with image health, but not recorded: part 78"),
        ("select 1", "with a kept picture that is not there: part 1"),
    ],
)
def test_the_check_finds_what_was_doctored(tmp_path: Path, maker: ModuleType, sql: str, found: str) -> None:
    ledger = Ledger(tmp_path)
    sights = (Sight(maker.frame(1, camera="side"), Kept("pictures/gone.png", "1" * 64)),)
    store_part(ledger, maker, 1, "A", frame=maker.frame(1), views=sights, image=(health("cam0"),))
    store_part(ledger, maker, 2, "B")
    store_part(ledger, maker, 3, "C")
    ledger.close()
    db = apsw.Connection(str(tmp_path / schema.FILE))
    db.execute(sql)
    db.close()
    assert any(found in problem for problem in check(tmp_path).problems), check(tmp_path).problems


def seen_by(maker: ModuleType, camera: str, outcome: Outcome = Outcome.OK, **more: Any) -> Verdict:
    said: Verdict = maker.verdict(1, outcome, seen=maker.frame(1, camera=camera), heat=(maker.HEAT,))
    return replace(said, camera=camera, **more)


def test_what_io_did_not_hear_is_added_to_what_it_said(maker: ModuleType) -> None:
    top = seen_by(maker, "top", Outcome.NG, image=(health("top"),), codes=(CodeRead("sn", "", "", serial=True),))
    late = seen_by(maker, "side", image=(health("side"),), codes=(serial("S1"), CodeRead("lot", "L", "QRCode", False)))
    record = maker.record_entry(2, 1, Why.NG, said=replace(top, heat=())).record
    assert top.frame is not None
    assert late.frame is not None
    overheard = Seen({"top": top.frame, "side": late.frame}, {"top": top, "side": late})
    found = gather(record, overheard)
    assert list(found.frames) == ["top", "side"]
    assert found.main == top.frame
    assert found.heat == (maker.HEAT,)
    assert [one.camera for one in found.image] == ["top", "side"]
    assert [(code.name, code.text) for code in found.codes] == [("sn", ""), ("lot", "L")]  # io's word comes first
    assert found.unheard == frozenset()

    alone = gather(record, Seen({"side": late.frame}, {}))
    assert alone.unheard == {"top", "side"}
    assert (alone.heat, list(alone.frames)) == ((), ["top", "side"])


def test_of_a_part_without_a_verdict_the_pictures_are_gathered_all_the_same(maker: ModuleType) -> None:
    record = maker.record_entry(2, 1, Why.LATE).record
    assert gather(record, Seen()).unheard == {""}
    frames: dict[str, FrameReady] = {camera: maker.frame(1, camera=camera) for camera in ("side", "top")}
    found = gather(record, Seen(frames, {}))
    assert (found.main, found.unheard) == (frames["side"], frozenset())
    late = seen_by(maker, "side", Outcome.NG, codes=(serial("S1"),))
    assert gather(record, Seen(frames, {"side": late})).codes == (serial("S1"),)


def test_a_deciding_view_without_a_picture_leaves_the_others_to_be_views(maker: ModuleType) -> None:
    said = replace(maker.verdict(1, Outcome.UNJUDGED), camera="side", frame=None, views=(maker.frame(1),))
    found = gather(maker.record_entry(2, 1, Why.FAULT, said=said).record, Seen())
    assert (found.main, list(found.frames)) == (None, ["cam0"])


def test_a_frame_that_cannot_be_read_is_no_picture(maker: ModuleType, run_dir: Path) -> None:
    line = maker.Line(run_dir)
    shelf = RingShelf(run_dir)
    sound = line.picture(1)
    assert copied(shelf, sound) is not None
    assert copied(shelf, replace(sound, pixel_format="Mono7")) is None
    assert copied(shelf, replace(sound, develop="develop-0123456789ab.json")) is None  # no such plan in the run folder
    shelf.close()
    line.close()


def test_views_of_one_part_have_files_of_their_own(maker: ModuleType) -> None:
    paths = {picture_path(maker.frame(1, camera=camera), "png") for camera in ("top", "side")}
    assert len(paths) == 2
