"""Alarms (2): what stands, what to do about it, who has seen it; what is kept quiet; what has been."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ..bus.asks import Answer
from ..bus.errors import BadLedger
from ..bus.shift import Alarm, AlarmState
from ..records.people_read import JournalRow
from .access import needs, open_to_all
from .alarm_words import EVENTS, OCCURRENCES, PRIORITIES, SHAPES, STATES, Told, alarm_words, told
from .asking import ask
from .signing import sign_in_for
from .told import Told as Answers
from .told import reason_given
from .web import Web
from .words import alarm as reason_alarm

PAGE = 40
"""Lines of history at a time."""
HOURLY = 10
"""Alarms in an hour that people can handle (EEMUA 191)."""
MINUTES = (5, 10, 30)
"""For how long an alarm may be shelved."""
QUIET = (AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE)
WAITING = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED)


@dataclass(frozen=True, slots=True)
class Row:
    """One alarm as a line of the page."""

    alarm: Alarm
    words: Told
    shape: str
    state: str
    priority: str

    @property
    def todo(self) -> str:
        """What to do now: what is over by itself only has to be seen, unless a person has to make sure of it."""
        over = self.alarm.state is AlarmState.RETURNED and not self.alarm.latched and self.alarm.kind not in OCCURRENCES
        return gettext("It is over by itself. Acknowledge that you have seen it.") if over else self.words.todo

    @property
    def waits(self) -> bool:
        """Somebody has to acknowledge it."""
        return self.alarm.state in WAITING

    @property
    def latched(self) -> bool:
        """It waits for a reset."""
        return self.alarm.state is AlarmState.LATCHED


def alarm_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("alarms", __name__, url_prefix="/alarms")
    answers = Answers()

    @views.app_context_processor
    def signing() -> dict[str, object]:
        return {"sign_in_for": sign_in_for}

    @views.get("/")
    @open_to_all
    def page() -> str:
        tab = request.args.get("tab", "open")
        if tab not in ("open", "quiet", "history"):
            abort(404)
        shift = web.watch.shift
        found = list(_rows(shift.alarms if shift else ()))
        open_rows = [row for row in found if row.alarm.state not in QUIET]
        quiet_rows = [row for row in found if row.alarm.state in QUIET]
        state = web.watch.latest_state()
        reasons = [] if state.get("inspecting") else list(state.get("reasons", ()))
        before = request.args.get("before", type=int)
        history = _history(web, before) if tab == "history" else None
        return render_template(
            "alarms/part.html" if "part" in request.args else "alarms/page.html",
            tab=tab,
            kept=shift is not None,
            rows=quiet_rows if tab == "quiet" else open_rows,
            counts={"open": len(open_rows), "quiet": len(quiet_rows)},
            waiting=[row.alarm.key for row in open_rows if row.waits],
            reasons=[reason_alarm(reason, gettext) for reason in reasons] if tab == "open" else [],
            hourly=round(shift.hourly) if shift else None,
            handled=HOURLY,
            history=history,
            before=before,
            said=answers.here(),
            here=url_for("alarms.page", tab=tab),
        )

    @views.get("/one")
    @open_to_all
    def one() -> str:
        key = request.args.get("key", "")
        shift = web.watch.shift
        row = next((row for row in _rows(shift.alarms if shift else ()) if row.alarm.key == key), None)
        return render_template(
            "alarms/one_part.html" if "part" in request.args else "alarms/one.html",
            key=key,
            row=row,
            kept=shift is not None,
            minutes=MINUTES,
            quiet=row is not None and row.alarm.state in QUIET,
            history=_history(web, None, key),
            said=answers.here(),
            here=url_for("alarms.one", key=key),
        )

    @views.post("/ack")
    @needs("alarm.ack")
    def acknowledge() -> Response:
        keys = request.form.getlist("key")[:256]
        return answers.back(ask(web, "alarm.ack", {"keys": keys}), "alarms.page")

    @views.post("/reset")
    @needs("alarm.shelve")
    def reset() -> Response:
        body = {"key": request.form.get("key", "")}
        return answers.back(ask(web, "alarm.reset", body, reason=reason_given()), "alarms.page")

    @views.post("/shelve")
    @needs("alarm.shelve")
    def shelve() -> Response:
        minutes = request.form.get("minutes", type=int)
        if minutes is None:
            abort(400)
        body = {"key": request.form.get("key", ""), "minutes": minutes}
        return _after(ask(web, "alarm.shelve", body, reason=reason_given()))

    @views.post("/unshelve")
    @needs("alarm.shelve")
    def unshelve() -> Response:
        return _after(ask(web, "alarm.unshelve", {"key": request.form.get("key", "")}))

    @views.post("/service")
    @needs("alarm.shelve")
    def service() -> Response:
        out = request.form.get("out") == "yes"
        if out and not reason_given():
            abort(400)
        body = {"key": request.form.get("key", ""), "out": out}
        return _after(ask(web, "alarm.service", body, reason=reason_given()))

    def _after(answer: Answer) -> Response:
        if answer.done:
            return answers.back(answer, "alarms.page")
        return answers.back(answer, "alarms.one", key=request.form.get("key", ""))

    return views


def _rows(alarms: tuple[Alarm, ...]) -> Iterator[Row]:
    for alarm in alarms:
        yield Row(
            alarm,
            alarm_words(alarm, gettext),
            SHAPES.get(alarm.priority, "triangle"),
            gettext(STATES[str(alarm.state)]),
            gettext(PRIORITIES.get(alarm.priority, PRIORITIES[3])),
        )


@dataclass(frozen=True, slots=True)
class Past:
    """One line of the history."""

    number: int
    at: str
    key: str
    what: str
    event: str
    who: str


def _history(web: Web, before: int | None, key: str | None = None) -> list[Past] | None:
    """Newest first; None: the ledger cannot be read."""
    try:
        rows = web.people.journal("alarm", key=key, before=before, limit=PAGE)
    except BadLedger:
        return None
    return [_past(row) for row in rows]


def _past(row: JournalRow) -> Past:
    fill = row.body.get("fill")
    words = told(row.key.partition(":")[0], fill if isinstance(fill, dict) else {}, gettext)
    event = EVENTS.get(row.event)
    return Past(
        row.n, row.at, row.key, words.what if words else row.key, gettext(event) if event else row.event, row.who
    )
