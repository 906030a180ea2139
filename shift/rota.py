"""Which shift it is by the settings' calendar, in local time. Pure: the moment is given."""

from datetime import datetime, timedelta, tzinfo

from .options import CalendarOptions


def shift_at(
    calendar: tuple[CalendarOptions, ...], at_s: float, zone: tzinfo | None = None
) -> tuple[str, datetime | None]:
    """Name and begin of the shift at a moment (seconds of the epoch); `("", None)` without a calendar.

    zone: None: the box's own. A shift begins when the clock on the wall first shows its time that day; a time that is
    left out when clocks are set forward is as far behind the gap as it lies in it.
    """
    today = datetime.fromtimestamp(at_s, zone).date()
    begun: list[tuple[float, str]] = []
    for day in (today, today - timedelta(days=1)):
        for one in calendar:
            hour, minute = divmod(one.minute, 60)
            begin_s = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=0).timestamp()
            if begin_s <= at_s:
                begun.append((begin_s, one.name))
    if not begun:
        return "", None
    begin_s, name = max(begun)
    return name, datetime.fromtimestamp(begin_s, zone)
