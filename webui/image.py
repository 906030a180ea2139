"""The Image page: are the pictures still as commissioned? Charts come from the ledger, alarms from inspect."""

from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_babel import gettext

from ..bus.errors import BadLedger
from ..records.read import ImageHistory
from .access import open_to_all
from .advice import Advice, advice
from .bands import bands_of
from .charts import charts_of
from .history import History
from .watch import Watch
from .words import N_

PARTS = 300
"""Shown in each chart."""
TITLES = {
    "focus": N_("Focus"),
    "brightness": N_("Brightness"),
    "uniformity": N_("Evenness of light"),
    "noise": N_("Noise"),
    "shift": N_("Camera shift"),
    "angle": N_("Camera angle"),
}


def image_views(watch: Watch, history: History) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("image", __name__, url_prefix="/image")

    @views.get("/")
    @open_to_all
    def page() -> str:
        return render_template("image/page.html", **_shown(watch, history))

    @views.get("/charts")
    @open_to_all
    def charts() -> str:
        return render_template("image/charts.html", **_shown(watch, history))

    return views


def _shown(watch: Watch, history: History) -> dict[str, Any]:
    camera = request.args.get("camera", watch.cameras[0] if watch.cameras else "")
    if camera not in watch.cameras:
        abort(404)
    state = watch.latest_state()
    alarms = [advice(sentence, gettext) for sentence in state.get("drift", ())]
    bands = bands_of(watch.inspect.image_limits if watch.inspect is not None else ())
    try:
        found: ImageHistory | None = history.image(camera, PARTS)
        since = [_since(history, one) for one in alarms]
    except BadLedger:
        found, since = None, [None] * len(alarms)
    return {
        "camera": camera,
        "cameras": watch.cameras,
        "drifted": {one.camera for one in alarms},
        "alarms": list(zip(alarms, since, strict=True)),
        "found": found,
        "charts": charts_of(found, bands.get(camera)) if found is not None and found.parts else [],
        "referenced": camera in bands if bands else bool(found is not None and found.parts),
        "titles": TITLES,
    }


def _since(history: History, one: Advice) -> str | None:
    """UTC since when it stands; None: the ledger does not say."""
    return history.alarm_since(one.camera, one.cause) if one.camera and one.cause else None
