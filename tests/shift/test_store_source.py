"""What records says of the store becomes alarms, and what it no longer says ends them."""

from dataclasses import replace

from okng.bus.clock import SECOND
from okng.bus.messages import Health, RecordsState
from okng.shift.catalogue import KINDS
from okng.shift.options import AlarmOptions
from okng.shift.sources import Sources
from okng.shift.store_source import STALE_NS, TOLD_NS, StoreSource

WELL = RecordsState(Health.READY, "", 60.0, "kept")


def told(*states: RecordsState, after_ns: int = 0) -> dict[str, dict[str, str]]:
    source, now = StoreSource(), 100 * SECOND
    for state in states:
        now += SECOND
        source.hear(state, now)
    return source.causes(now + after_ns)


def test_a_store_that_is_well_raises_nothing() -> None:
    assert told(WELL) == {}
    assert told() == {}


def test_each_trouble_is_an_alarm_of_its_own_with_all_that_fills_it() -> None:
    troubled = replace(
        WELL, free_percent=12.0, pictures="shedding", soon={"reject": 3, "ok": 0}, clock="it is 1970", backup="no disk"
    )
    found = told(troubled)
    assert found == {
        "pictures.shed": {"free": "12.0"},
        "pictures.soon:reject": {"kind": "reject", "days": "3"},
        "pictures.soon:ok": {"kind": "ok", "days": "0"},
        "clock.doubt": {"detail": "it is 1970"},
        "backup.failed": {"detail": "no disk"},
    }
    assert told(replace(WELL, free_percent=0.1, pictures="none")) == {"pictures.none": {"free": "0.1"}}
    for key, fill in {**found, **told(replace(WELL, pictures="none"))}.items():
        assert set(KINDS[key.partition(":")[0]].fills) <= set(fill)
    assert told(troubled, after_ns=STALE_NS) == {}
    assert told(troubled, WELL) == {}


def test_what_the_cloud_never_got_is_counted_from_what_was_known_before() -> None:
    assert told(replace(WELL, given_up=7)) == {}  # long ago, before this process
    assert told(replace(WELL, given_up=7), replace(WELL, given_up=9)) == {"unsent.lost": {"count": "2"}}
    assert told(replace(WELL, given_up=7), replace(WELL, given_up=9), after_ns=TOLD_NS) == {}
    assert KINDS["unsent.lost"].latched


def test_a_damaged_ledger_is_told_of_as_its_rescue_goes_on_and_stays_until_somebody_resets_it() -> None:
    read, done = replace(WELL, salvage="is being read"), replace(WELL, salvage="9 parts rescued")
    assert told(read) == {"ledger.damaged": {"detail": "is being read"}}
    assert told(read, done) == {"ledger.damaged": {"detail": "9 parts rescued"}}
    assert told(read, done, after_ns=TOLD_NS) == {}
    assert KINDS["ledger.damaged"].latched


def test_the_shift_hears_it() -> None:
    sources = Sources(AlarmOptions(), ("top",), 0)
    sources.hear(replace(WELL, pictures="shedding"), SECOND)
    assert "pictures.shed" in sources.causes(2 * SECOND)


def test_a_disk_that_is_not_there_is_named_and_explains_what_follows_from_it() -> None:
    away = replace(WELL, health=Health.FAULT, away="/store: its disk is not mounted there", pictures="none")
    found = told(away)
    assert found["records.away"] == {"detail": "/store: its disk is not mounted there"}
    for follows in ("records.stuck", "pictures.none", "disk.low"):
        assert "records.away" in KINDS[follows].explained_by


def test_back_ups_that_will_go_are_told_in_time() -> None:
    assert told(replace(WELL, papers=3, papers_days=6)) == {"papers.soon": {"count": "3", "days": "6"}}
