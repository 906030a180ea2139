"""Which shift it is, over midnight and over the two days on which clocks are set."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from okng.shift.options import CalendarOptions, CodeOptions, ShiftOptions
from okng.shift.rota import shift_at

ZONE = ZoneInfo("Europe/Berlin")
THREE = tuple(CalendarOptions(name=n, start=s) for n, s in (("early", "06:00"), ("late", "14:00"), ("night", "22:00")))


def at(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("moment", "name", "begin"),
    [
        ("2026-01-10T06:00", "early", "2026-01-10T06:00+01:00"),
        ("2026-01-10T13:59", "early", "2026-01-10T06:00+01:00"),
        ("2026-01-10T22:00", "night", "2026-01-10T22:00+01:00"),
        ("2026-01-11T05:59", "night", "2026-01-10T22:00+01:00"),
        ("2026-03-29T05:00", "night", "2026-03-28T22:00+01:00"),
        ("2026-03-29T06:00", "early", "2026-03-29T06:00+02:00"),
        ("2026-10-25T05:59", "night", "2026-10-24T22:00+02:00"),
        ("2026-10-25T06:00", "early", "2026-10-25T06:00+01:00"),
    ],
)
def test_the_shift_of_a_moment(moment: str, name: str, begin: str) -> None:
    assert shift_at(THREE, at(moment), ZONE) == (name, datetime.fromisoformat(begin))


def test_a_start_that_the_clock_leaves_out_or_shows_twice() -> None:
    one = (CalendarOptions(name="odd", start="02:30"),)
    _, begin = shift_at(one, at("2026-03-29T12:00"), ZONE)
    assert begin == datetime.fromisoformat("2026-03-29T03:30+02:00")
    _, begin = shift_at(one, at("2026-10-25T02:40", fold=1), ZONE)
    assert begin is not None
    assert begin.timestamp() == datetime.fromisoformat("2026-10-25T02:30+02:00").timestamp(), "it begins once"


def test_without_a_calendar_there_is_no_shift() -> None:
    assert shift_at((), at("2026-01-10T06:00"), ZONE) == ("", None)


def test_a_code_asks_for_a_job() -> None:
    codes = (
        CodeOptions(text="0123", job=2, prefix=True),
        CodeOptions(text="01234", job=3, prefix=True),
        CodeOptions(text="0123", job=4),
    )
    options = ShiftOptions(codes=codes)
    assert [options.job_of(code) for code in ("0123", "01239", "012345", "99")] == [4, 2, 3, None]


def test_settings_are_refused_in_words() -> None:
    for wrong in (
        {"calendar": [{"name": "a", "start": "24:00"}]},
        {"calendar": [{"name": "a", "start": "06:00"}, {"name": "b", "start": "06:00"}]},
        {"codes": [{"text": "1", "job": 1}, {"text": "1", "job": 2}]},
        {"challenge": {"occasions": ["sometimes"]}},
        {"bypass_most_min": 0},
        {"nonsense": 1},
    ):
        with pytest.raises(ValidationError):
            ShiftOptions.model_validate(wrong)
    assert ShiftOptions().awaited == ()
    assert ShiftOptions.model_validate({"challenge": {"occasions": ["interval"]}}).awaited == ("shift",)
