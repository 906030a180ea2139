"""The PLC screen: every signal of the link as it stands, what is told of it, and an output that is held on by hand.

io looks, forces and ends forcing; a page that is gone, or this process, changes nothing about when a force ends.
"""

import subprocess
import sys
from typing import Any

from flask import Blueprint, Response, abort, render_template, url_for
from flask_babel import gettext

from ..bus.asks import Answer
from ..bus.clock import SECOND, now_ns
from .access import may, needs, needs_one_of
from .answered import answered, script_words, sent
from .asking import ask
from .line import UNDER_WAY
from .web import Web
from .words import N_

SEE, FORCE = "diagnostics.read", "io.force"
_onlooker = needs_one_of(SEE, FORCE)
SECONDS = (5, 10, 30, 60)
MAP_TIMEOUT_S = 20
MAPS = {"csv": "text/csv", "md": "text/markdown", "st": "text/plain"}
STALE_NS = 2 * SECOND
LEAST_REASON = 3
MEANINGS = {
    "READY": N_("parts are inspected"),
    "TRIG_ACK": N_("the trigger was taken"),
    "BUSY": N_("a part is under way"),
    "RESULT_VALID": N_("a result stands"),
    "OK": N_("the result lets the part pass"),
    "NG": N_("the result is NG"),
    "UNJUDGED": N_("the result is unjudged"),
    "FAULT": N_("a fault that has to be reset"),
    "HB": N_("heartbeat of the box"),
    "JOB_BUSY": N_("a change-over runs"),
    "JOB_DONE": N_("the change-over is done"),
    "JOB_FAIL": N_("the change-over failed"),
    "MISSED_TRIG": N_("a trigger was missed"),
    "OVERRUN": N_("triggers came too fast"),
    "LINE_STOP_REQ": N_("the line is asked to stop"),
    "DEGRADED": N_("something needs care"),
    "TRIGGER": N_("a part is at the eye"),
    "TRIG_ENABLE": N_("triggers are allowed"),
    "RESULT_ACK": N_("the result was taken"),
    "BUFFER_EN": N_("results may wait"),
    "JOB_EXEC": N_("a change-over is asked for"),
    "FAULT_RESET": N_("faults are reset"),
    "COUNTER_RESET": N_("counters are reset"),
    "LINE_RUN": N_("the line runs"),
    "PLC_HB": N_("heartbeat of the PLC"),
    "heartbeat": N_("beats counted"),
    "seq": N_("number of the result shown"),
    "part": N_("part number"),
    "disposition": N_("what is done with the part"),
    "ack_seq": N_("result that was acknowledged"),
    "encoder": N_("belt position, counts"),
    "job_request": N_("job that is asked for"),
    "job_token": N_("number of the change-over"),
    "fault": N_("fault code"),
    "depth": N_("results that wait"),
    "score_milli": N_("score, thousandths"),
    "inference_ms": N_("time of the model, ms"),
    "latency_ms": N_("trigger to result, ms"),
    "job": N_("job in force"),
    "defect": N_("class of the defect"),
    "triggers": N_("triggers counted"),
    "ok": N_("OK counted"),
    "ng": N_("NG counted"),
    "unjudged": N_("unjudged counted"),
    "missed": N_("missed counted"),
    "confirmed": N_("confirmed counted"),
}


def plc_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("plc", __name__, url_prefix="/plc")

    @views.get("/")
    @_onlooker
    def page() -> str:
        shown = {"urls": {name: url_for(f"plc.{name}") for name in ("look", "force")}, "words": _words()}
        shown["meanings"] = {name: gettext(text) for name, text in MEANINGS.items()}
        return render_template("plc/page.html", shown=shown, seconds=SECONDS, maps=MAPS)

    @views.get("/look.json")
    @_onlooker
    def look() -> Response:
        told = _station(web)
        if not may(SEE):
            return answered(_nothing(), station=told)
        answer = ask(web, "io.look", {}, timeout_ms=1000)
        offered = [*answer.body.get("outputs", []), *answer.body.get("gates", [])]
        return answered(answer, station=told, offered=offered)

    @views.post("/force")
    @needs(FORCE)
    def force() -> Response | tuple[Response, int]:
        given = sent()
        reason = str(given.get("reason", "")).strip()[:500]
        on = given.get("on") is True
        if on and len(reason) < LEAST_REASON:
            abort(400)
        body = {"output": str(given.get("output", ""))[:64], "on": on}
        if on:
            body["seconds"] = given.get("seconds")
        return answered(ask(web, "force.set", body, reason=reason))

    @views.get("/map.<form>")
    @_onlooker
    def register_map(form: str) -> Response:
        """The register map as it is documented. In a process of its own: the room that knows it is io's."""
        if form not in MAPS:
            abort(404)
        command = [sys.executable, "-m", "okng", "plc", "map", "--format", form]
        try:
            done = subprocess.run(command, capture_output=True, timeout=MAP_TIMEOUT_S, check=True)
        except (OSError, subprocess.SubprocessError):
            abort(503)
        answer = Response(done.stdout, mimetype=MAPS[form])
        answer.headers["Content-Disposition"] = f"attachment; filename=okng-registers.{form}"
        return answer

    return views


def _nothing() -> Answer:
    return Answer("", False, gettext("Signals are shown to those who may read diagnostics."))


def _station(web: Web) -> dict[str, Any]:
    """What io last said of the line."""
    station = web.watch.station
    if station is None:
        return {"heard": False}
    heard = now_ns() - station.at_ns < STALE_NS
    counters = station.counters
    counts = [(name, getattr(counters, name)) for name in COUNTERS]
    # READY drops while a part is under way, and comes back with the next one: that is no trouble, and does not blink.
    ready = station.ready or (station.state in UNDER_WAY and not station.reasons)
    told = {"heard": heard, "state": station.state, "ready": ready, "plc_alive": station.plc_alive}
    return {**told, "fault": station.fault, "job": station.job_number, "counters": counts}


COUNTERS = {
    "triggers": N_("triggers"),
    "ok": N_("OK"),
    "ng": N_("NG"),
    "unjudged": N_("UNJUDGED"),
    "late": N_("of them late"),
    "missed": N_("missed"),
    "in_flight": N_("in flight"),
    "ordered": N_("rejects ordered"),
    "confirmed": N_("rejects confirmed"),
    "unconfirmed": N_("rejects not confirmed"),
    "stale_verdicts": N_("stale verdicts"),
    "consecutive_ng": N_("NG in a row"),
    "challenge": N_("test parts"),
    "bypass": N_("bypassed"),
}


def _words() -> dict[str, str]:
    words = {
        "box.alive": N_("The box beats"),
        "box.dead": N_("The box is silent"),
        "plc.alive": N_("The PLC beats"),
        "plc.dead": N_("The PLC is silent"),
        "ready": N_("READY"),
        "notready": N_("not READY"),
        "since": N_("%(age)s s"),
        "out": N_("from the box"),
        "in": N_("from the PLC"),
        "state": N_("state %(state)s · job %(job)s · fault %(fault)s"),
        "force": N_("Hold %(output)s on for %(seconds)s s?"),
        "let_go": N_("Let go"),
        "none": N_("Nothing is forced."),
        "wire": N_("%(role)s · %(place)s · %(state)s"),
        "connected": N_("connected"),
        "apart": N_("not connected"),
        "wire.requests": N_("exchanges"),
        "wire.refused": N_("refused"),
        "wire.broken": N_("broken off"),
        "wire.connections": N_("connections"),
        "wire.accepted": N_("connections since start"),
        "wire.timeouts": N_("timeouts"),
        "wire.stale": N_("late answers"),
    }
    found = script_words(words)
    return {**found, **{f"counter.{name}": gettext(text) for name, text in COUNTERS.items()}}
