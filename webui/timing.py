"""The Timing screen: how long the last parts took, whether that fits between eye and gate, and a test of the gate."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, url_for
from flask_babel import gettext

from ..bus.asks import Answer, Ask, new_id
from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadLedger
from ..records.timing_read import moments
from .access import may, needs, person
from .answered import answer_words, answered, script_words, sent
from .asking import ask, send
from .reckoning import LOOKED_AT, Measured, Way, measured, reckon
from .timeline import timeline
from .web import Web
from .words import N_

RIGHT = "timing.set"
LAST = 10
HOLD_MS = 500
BOUNDS: dict[str, tuple[float, float]] = {
    "eye_to_camera_mm": (0, 100_000),
    "eye_to_gate_mm": (1, 100_000),
    "gate_to_confirm_mm": (1, 100_000),
    "max_speed_mm_s": (1, 20_000),
    "deadline_ms": (5, 60_000),
    "valve_ms": (0, 10_000),
    "pulse_ms": (0, 10_000),
    "spare_ms": (0, 10_000),
}
"""As the recipe and `[plc.check]` bound them."""


def timing_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("timing", __name__, url_prefix="/timing")

    @views.get("/")
    @needs(RIGHT)
    def page() -> str:
        read = ask(web, "recipe.read", {})
        recipe = read.body.get("whole") or {}
        away = recipe.get("distances") or {}
        start = {
            "eye_to_camera_mm": 0,
            **{name: away.get(name, default) for name, default in _AWAY.items()},
            "deadline_ms": recipe.get("deadline_ms", 100),
            "valve_ms": 12,
            "pulse_ms": 20,
            "spare_ms": 5,
        }
        gates = _gates(web) if may("io.force") and may("diagnostics.read") else []
        shown = {
            "urls": {name: url_for(f"timing.{name}") for name in ("parts", "check", "save", "pulse")},
            "start": start,
            "margin_ms": away.get("margin_ms"),
            "base": read.body.get("revision", ""),
            "job": read.body.get("job"),
            "cameras": _triggered(recipe, web.cameras),
            "words": _words(),
        }
        trouble = "" if read.done else answer_words(read.detail)
        return render_template("timing/page.html", shown=shown, gates=gates, trouble=trouble, recipe=recipe, **_seen())

    @views.get("/parts")
    @needs(RIGHT)
    def parts() -> str:
        return render_template("timing/parts.html", **_seen())

    def _seen() -> dict[str, Any]:
        try:
            found = moments(web.store, LAST)
        except BadLedger:
            return {"rows": [], "history": False, "line": timeline([])}
        return {"rows": found, "history": True, "line": timeline(found)}

    def _found() -> Measured | None:
        station = web.watch.station
        try:
            return measured(moments(web.store, LOOKED_AT, station.job.revision if station else ""))
        except BadLedger:
            return None

    @views.post("/check")
    @needs(RIGHT)
    def check() -> Response | tuple[Response, int]:
        given = sent()
        try:
            way = _way(given)
        except ValueError as error:
            return jsonify(done=False, detail=str(error)), 400
        found = _found()
        sum_ = reckon(way, found, given.get("margin_ms"))
        body = {"distance_mm": way.eye_to_gate_mm, "max_speed_mm_s": way.max_speed_mm_s}
        body |= {"deadline_ms": way.deadline_ms, "margin_ms": sum_.margin_ms}
        told = ask(web, "timing.check", {**body, "valve_ms": way.valve_ms, "spare_ms": way.spare_ms})
        io = {"done": told.done, "fits": told.body.get("fits"), "left_ms": told.body.get("spare_ms")}
        io["detail"] = "" if told.done else answer_words(told.detail)
        return jsonify(
            done=True, sum={**asdict(sum_), "fits": sum_.fits}, measured=asdict(found) if found else None, io=io
        )

    @views.post("/save")
    @needs(RIGHT)
    def save() -> Response:
        given = sent()
        try:
            way = _way(given)
        except ValueError as error:
            return answered(Answer("", False, str(error)))
        sum_ = reckon(way, _found(), given.get("margin_ms"))
        if not sum_.fits:
            return answered(Answer("", False, gettext("Not saved: a part would be at the gate too early.")))
        distances = {name: getattr(way, name) for name in _AWAY} | {"margin_ms": sum_.margin_ms}
        body: dict[str, Any] = {
            "deadline_ms": round(way.deadline_ms),
            "distances": distances,
            "base": given.get("base"),
            "job": given.get("job"),
        }
        cameras = given.get("cameras")
        if isinstance(cameras, list) and cameras:
            body["cameras"] = {str(name): {"trigger_delay_us": sum_.camera_delay_us} for name in cameras}
        about = {"job": given.get("job"), "old": given.get("old"), "new": body}
        return answered(ask(web, "recipe.timing", body, about=about, reason=str(given.get("reason", ""))[:500]))

    held: dict[tuple[str, str], int] = {}
    """Who holds which gate's key, and when it was last asked for."""

    @views.post("/pulse")
    @needs("io.force")
    def pulse() -> Response:
        given, who = sent(), person()
        gate, now = str(given.get("gate", ""))[:64], now_ns()
        body, key = {"gate": gate, "hold_ms": HOLD_MS}, (who.name if who else "", gate)
        # Five times a second while the key is held: the first stands in the audit trail, whatever the page calls it.
        goes_on = now - held.get(key, 0) < 2 * HOLD_MS * MS and given.get("first") is not True
        for gone in [one for one, at in list(held.items()) if now - at > SECOND]:
            held.pop(gone, None)
        held[key] = now
        if not goes_on:
            return answered(ask(web, "pulse.hold", body))
        made = Ask(new_id(), "pulse.hold", who.name if who else "", "io.force", "", body)
        return answered(send(web, "io", made, 400))

    return views


_AWAY = {"eye_to_gate_mm": 500.0, "gate_to_confirm_mm": 100.0, "max_speed_mm_s": 600.0}


def _way(given: dict[str, Any]) -> Way:
    """ValueError: a figure is missing or out of its bounds."""
    found = {}
    for name, (low, high) in BOUNDS.items():
        value = given.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(gettext("%(name)s: expected %(low)s … %(high)s", name=_name(name), low=low, high=high))
        found[name] = float(value)
    return Way(**found)


def _name(name: str) -> str:
    return str(gettext(FIGURES[name]))


FIGURES = {
    "eye_to_camera_mm": N_("Trigger sensor to camera"),
    "eye_to_gate_mm": N_("Trigger sensor to gate"),
    "gate_to_confirm_mm": N_("Gate to confirm sensor"),
    "max_speed_mm_s": N_("Highest speed"),
    "deadline_ms": N_("Deadline of the decision"),
    "valve_ms": N_("Valve delay"),
    "pulse_ms": N_("Pulse length"),
    "spare_ms": N_("Kept free"),
}


def _gates(web: Web) -> list[str]:
    """Gates that this box fires itself."""
    answer = ask(web, "io.look", {})
    return [str(name) for name in answer.body.get("gates", [])]


def _triggered(recipe: dict[str, Any], cameras: tuple[str, ...]) -> list[str]:
    """Cameras of which the recipe sets a trigger delay that means something: those that wait for a trigger."""
    sections = {name: (recipe.get("cameras") or {}).get(name) or recipe.get("camera") for name in cameras}
    return [name for name, section in sections.items() if section and section.get("trigger") != "off"]


def _words() -> dict[str, str]:
    words = {
        "fits": N_("It fits: %(left)s ms are left."),
        "short": N_("Too late: %(left)s ms are missing. Nothing can be saved."),
        "has": N_("%(distance)s mm ÷ %(speed)s mm/s = %(has)s ms from eye to gate"),
        "promised": N_("deadline %(deadline)s + margin %(margin)s = %(promised)s ms promised"),
        "seen": N_(
            "worst seen %(whole)s + valve %(valve)s + kept free %(spare)s = %(sum)s ms (%(parts)s parts, %(kind)s)"
        ),
        "unseen": N_("No part of this recipe was acknowledged yet: what is promised counts alone."),
        "exact": N_("p99.9 of them"),
        "longest": N_("longest seen"),
        "margin": N_("margin = worst acknowledgement %(answer)s + valve %(valve)s + kept free %(spare)s, rounded up"),
        "decision": N_("worst decision %(decision)s of %(deadline)s ms"),
        "delay": N_("camera delay = %(distance)s mm ÷ %(speed)s mm/s − %(late)s ms = %(delay)s µs"),
        "air": N_("while the air is on a part goes %(air)s mm"),
        "top": N_("it would do up to %(top)s mm/s"),
        "io": N_("the link says: %(left)s ms left"),
        "saved": N_("Saved as revision %(revision)s of job %(job)s. In force after a change-over."),
        "firing": N_("The gate is on while the key is held"),
        "let_go": N_("Off"),
    }
    return script_words(words)
