"""The gallery's questions go by an index on a hundred thousand parts, and their answers are right."""

from pathlib import Path

import apsw
import pytest

from okng.records import schema
from okng.records.gallery_read import WALK, GalleryReader, Wanted, driver
from okng.records.labels_read import LabelsReader
from okng.records.ledger import Ledger

PARTS = 100_000
SCRATCH = '{"kind":"scratch","region":"cap","x":1,"y":2,"w":3,"h":4,"score":5.0}'
DENT = SCRATCH.replace("scratch", "dent")
FILL = f"""
insert into epoch (n, name, first_at) values (1, 'run', '2026-11-01T00:00:00.000Z');
with recursive c (n) as (select 1 union all select n + 1 from c where n < {PARTS})
insert into part (epoch, number, part, station, taken_at, outcome, action, why, reasons, defects, score, threshold,
  recipe, revision, model, camera, missed, triggered_ns, deadline_ns, sequence, delivery, width, height, picture,
  picture_sha256, picture_kept, stored_at)
select 1, n, n, 'st', strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-01', n || ' seconds'),
  iif(n % 10, 'OK', 'NG'), iif(n % 10, 'PASS', 'REJECT'), iif(n % 10, 'ok', 'ng'), '[]',
  iif(n % 10, '[]', iif(n % 1000, '[{SCRATCH}]', '[{DENT},{SCRATCH}]')),
  iif(n % 10, 1.0, iif(n % 50, 4.2, 9.5)), 4.0, 'cap', 'r1', 'm', 'top', 0, n * 1000000, n * 1000000 + 500, n,
  'delivered', 64, 48, 'p.png', 'ab', 1, '' from c;
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("gallery")
    Ledger(store).close()
    change(store, f"begin; {FILL} commit;")
    return store


def change(store: Path, sql: str, *values: object) -> None:
    db = apsw.Connection(str(store / schema.FILE))
    db.execute("pragma foreign_keys = on")
    db.execute(sql, values)
    db.close()


def plan(store: Path, sql: str, values: list[object]) -> str:
    db = apsw.Connection(str(store / schema.FILE), flags=apsw.SQLITE_OPEN_READONLY)
    found = " / ".join(str(row[3]) for row in db.execute("explain query plan " + sql, values))
    db.close()
    return found


CHOICES = [
    Wanted(),
    Wanted("ng"),
    Wanted("unjudged"),
    Wanted("ok"),
    Wanted(kind="dent"),
    Wanted(near="near"),
    Wanted(unreviewed=True),
    Wanted(since="2026-11-01T10:00:00.000Z", until="2026-11-01T11:00:00.000Z"),
    Wanted("ng", kind="scratch", near="far", unreviewed=True),
]


@pytest.mark.parametrize("wanted", CHOICES, ids=str)
def test_no_choice_of_the_gallery_reads_the_whole_table(full: Path, wanted: Wanted) -> None:
    sql, values = driver(wanted, 90_000, (100, 95_000))
    said = plan(full, sql, values)
    assert "SEARCH" in said
    assert "SCAN" not in said
    assert "TEMP B-TREE" not in said, "the order comes from the index"


def test_pages_join_without_a_gap_and_without_a_double(full: Path) -> None:
    gallery, seen = GalleryReader(full), list[int]()
    before: int | None = None
    for _ in range(4):
        page = gallery.page(Wanted(near="far"), 24, before)
        seen += [row.seq for row in page.rows]
        before = page.before
    assert seen == [n for n in range(PARTS, 0, -1) if n % 50 == 0][:96]


def test_a_walk_that_finds_little_goes_on_with_the_next_page(full: Path) -> None:
    """Scratches below their limit: there is none, and no page looks at more than its share."""
    gallery = GalleryReader(full)
    page = gallery.page(Wanted(kind="scratch", near="below"), 24)
    assert page.rows == []
    assert page.before == PARTS - 10 * (WALK - 1)
    before: int | None = page.before
    pages = 1
    while before is not None:
        before = gallery.page(Wanted(kind="scratch", near="below"), 24, before).before
        pages += 1
    assert pages <= PARTS // 10 // WALK + 2


def test_a_span_of_time_holds_exactly_its_parts(full: Path) -> None:
    gallery = GalleryReader(full)
    wanted = Wanted(since="2026-11-01T10:00:00.000Z", until="2026-11-01T10:01:00.000Z")
    assert [row.seq for row in gallery.page(wanted, 24).rows] == [36_050, 36_040, 36_030, 36_020, 36_010, 36_000]
    assert gallery.page(Wanted(since="2030-01-01"), 24).rows == []
    assert gallery.page(Wanted(until="2020-01-01"), 24).rows == []


def test_classes_are_listed_by_name(full: Path) -> None:
    assert GalleryReader(full).kinds() == ["dent", "scratch"]


@pytest.mark.parametrize("wanted", [Wanted("all"), Wanted(near="x")])
def test_a_word_that_is_none_is_refused(full: Path, wanted: Wanted) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        GalleryReader(full).page(wanted, 24)


@pytest.fixture
def fresh(full: Path, tmp_path: Path) -> Path:
    (tmp_path / schema.FILE).write_bytes((full / schema.FILE).read_bytes())
    return tmp_path


LABEL = "insert into label (seq, truth, kind, second, who, at) values (?, ?, '', ?, ?, '2026-11-02T04:00:00Z')"


def test_what_was_looked_at_is_no_longer_unreviewed_and_is_again_when_taken_back(fresh: Path) -> None:
    gallery = GalleryReader(fresh)

    def newest() -> list[int]:
        return [row.seq for row in gallery.page(Wanted(unreviewed=True), 2).rows]

    assert newest() == [100_000, 99_990]
    change(fresh, "insert into review values (100000, 'ann', '2026-11-02T04:00:00Z')")
    change(fresh, LABEL, 99_990, "good", 0, "ann")
    assert newest() == [99_980, 99_970]
    change(fresh, "update label set undone_at = 'x', undone_by = 'ann' where seq in (99990, 100000)")
    assert newest() == [99_990, 99_980]
    story = gallery.story(100_000)
    assert story is not None
    assert (story.reviewed_by, story.said) == ("ann", ())
    assert gallery.story(200_000) is None


def test_the_queue_is_what_nobody_has_labelled_and_counts(fresh: Path) -> None:
    labels, since = LabelsReader(fresh), "2026-11-02T03:45:00.000Z"  # of the last 100 seconds 10 rejects
    waiting = labels.waiting("ann", since, 5)
    assert [row.seq for row, _ in waiting.rows] == [99_900, 99_910, 99_920, 99_930, 99_940]
    assert (waiting.total, waiting.done) == (11, 0)
    change(fresh, LABEL, 99_900, "good", 0, "ann")
    change(fresh, LABEL, 99_910, "defect", 0, "ann")
    waiting = labels.waiting("ann", since, 3, skip=(99_930,))
    assert [row.seq for row, _ in waiting.rows] == [99_920, 99_940, 99_950]
    assert (waiting.total, waiting.done) == (11, 2)
    last = labels.last("ann", since)
    assert last is not None
    assert (last.seq, last.truth) == (99_910, "defect")
    rates = labels.rates(since)
    assert (rates.labelled, rates.good, rates.defect, rates.twice) == (2, 1, 1, 0)


def test_test_parts_and_parts_of_a_bypass_are_none_of_the_queue(fresh: Path) -> None:
    change(fresh, "update part set why = 'challenge' where seq = 99900")
    change(fresh, "update part set why = 'bypass' where seq = 99910")
    waiting = LabelsReader(fresh).waiting("ann", "2026-11-02T03:45:00.000Z", 2)
    assert ([row.seq for row, _ in waiting.rows], waiting.total) == ([99_920, 99_930], 9)


def test_one_label_in_ten_comes_before_a_second_person_and_never_before_the_first(fresh: Path) -> None:
    labels, since = LabelsReader(fresh), "2026-11-02T00:00:00.000Z"
    rejects = range(90_000, 100_001, 10)
    for seq in rejects:
        change(fresh, LABEL, seq, "good", 0, "ann")
    assert [row.seq for row, second in labels.waiting("ann", since, 1000).rows if second] == []
    twice = [row.seq for row, second in labels.waiting("bob", since, 1000).rows if second]
    assert 0.05 < len(twice) / len(rejects) < 0.15
    change(fresh, LABEL, twice[0], "good", 1, "bob")
    change(fresh, LABEL, twice[1], "defect", 1, "bob")
    assert [row.seq for row, second in labels.waiting("cid", since, 1000).rows if second] == twice[2:]
    rates = labels.rates(since)
    assert (rates.labelled, rates.twice, rates.agree) == (len(rejects), 2, 1)
