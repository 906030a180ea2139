"""The Camera screen: the live picture in full, how bright and how sharp it is, and what the camera is set to.

Values are tried in a session of the camera process (`camera/desk.py`): nothing is judged by them. They stay only by
being saved in the recipe, or for a while by being applied; else the camera is as it was found.
"""

from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask_babel import gettext

from .access import needs
from .answered import answered, script_words, sent
from .asking import ask
from .web import Web
from .words import N_

RIGHT = "camera.set"
LOOK_S = 30
"""A session lasts this long after the page was last heard of."""
TITLES: dict[str, str] = {
    "ExposureTime": N_("Exposure"),
    "ExposureAuto": N_("Exposure by itself"),
    "Gain": N_("Gain"),
    "GainAuto": N_("Gain by itself"),
    "BlackLevel": N_("Black level"),
    "Gamma": N_("Gamma"),
    "BalanceWhiteAuto": N_("White balance by itself"),
    "BalanceRatioSelector": N_("White balance of"),
    "BalanceRatio": N_("White balance"),
    "AcquisitionFrameRate": N_("Pictures a second"),
    "TriggerSource": N_("Trigger input"),
    "TriggerActivation": N_("Trigger edge"),
    "TriggerDelay": N_("Trigger delay"),
    "LineDebouncerTime": N_("Trigger debounce"),
    "TriggerOverlap": N_("Trigger overlap"),
    "DeviceModelName": N_("Model name"),
    "DeviceSerialNumber": N_("Serial number"),
    "DeviceTemperature": N_("Temperature"),
    "SensorWidth": N_("Sensor width"),
    "SensorHeight": N_("Sensor height"),
}
FIELDS = {
    "ExposureTime": "exposure_us",
    "ExposureTimeAbs": "exposure_us",
    "Gain": "gain_db",
    "GainAbs": "gain_db",
    "TriggerDelay": "trigger_delay_us",
    "TriggerDelayAbs": "trigger_delay_us",
    "LineDebouncerTime": "debounce_us",
    "LineDebouncerTimeAbs": "debounce_us",
}
"""What the recipe has a field of its own for; all else is written among its `features`."""


def camera_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("camera", __name__, url_prefix="/camera")

    def named() -> str:
        camera = request.args.get("camera", web.cameras[0] if web.cameras else "")
        if camera not in web.cameras:
            abort(404)
        return camera

    @views.get("/")
    @needs(RIGHT)
    def page() -> str:
        camera = named()
        shown = {
            "camera": camera,
            "urls": {
                name: url_for(f"camera.{name}", camera=camera) for name in ("features", "write", "live", "save", "lens")
            },
            "picture": url_for("closeup.picture", camera=camera),
            "measured": url_for("closeup.measured", camera=camera),
            "titles": {name: gettext(text) for name, text in TITLES.items()},
            "words": _words(),
        }
        return render_template(
            "camera/page.html", shown=shown, camera=camera, cameras=web.cameras, limits=_limits(camera)
        )

    def _limits(camera: str) -> Any:
        inspect = web.watch.inspect
        return next((one for one in inspect.image_limits if one.camera == camera), None) if inspect else None

    @views.get("/features.json")
    @needs(RIGHT)
    def features() -> Response:
        body = {"all": True} if "all" in request.args else {}
        return answered(ask(web, "feature.read", body, owner=f"camera-{named()}"))

    @views.post("/write")
    @needs(RIGHT)
    def write() -> Response:
        given = sent()
        body: dict[str, Any] = {key: given[key] for key in ("values", "revert", "apply") if key in given}
        about = {"camera": named(), "old": given.get("old"), "new": body}
        reason = str(given.get("reason", ""))[:500]
        return answered(ask(web, "feature.write", body, owner=f"camera-{named()}", about=about, reason=reason))

    @views.post("/live")
    @needs(RIGHT)
    def live() -> Response:
        given = sent()
        body = {"on": given.get("on") is True, "seconds": LOOK_S, "confirmed": given.get("confirmed") is True}
        return answered(ask(web, "camera.free_run", body, owner=f"camera-{named()}", timeout_ms=6000))

    @views.post("/save")
    @needs(RIGHT)
    def save() -> Response:
        """Write what the camera is set to now into the recipe's next version."""
        given, camera = sent(), named()
        values = given.get("values")
        if not isinstance(values, dict) or not values:
            abort(400)
        read = ask(web, "recipe.read", {})
        if not read.done:
            return answered(read)
        recipe = read.body["recipe"]
        old = (recipe.get("cameras") or {}).get(camera) or recipe.get("camera") or {}
        section = {**old, **{FIELDS[name]: value for name, value in values.items() if name in FIELDS}}
        more = {name: value for name, value in values.items() if name not in FIELDS}
        if more:
            section["features"] = {**old.get("features", {}), **more}
        body = {"job": read.body["job"], "camera": camera, "section": section, "base": read.body["revision"]}
        about = {"job": body["job"], "camera": camera, "old": old, "new": section}
        return answered(ask(web, "recipe.camera", body, about=about, reason=str(given.get("reason", ""))[:500]))

    @views.get("/lens.json")
    @needs(RIGHT)
    def lens() -> Response:
        """What the recipe says of this camera, as the workshop reads it."""
        read = ask(web, "recipe.read", {})
        recipe = read.body.get("whole") or {}
        section = (recipe.get("cameras") or {}).get(named()) or recipe.get("camera") or {}
        return answered(read, section=section, recipe="", whole="", text="")

    return views


def _words() -> dict[str, str]:
    words = {
        "on": N_("Live: no part is judged"),
        "off": N_("Not live: the last picture of the line"),
        "none": N_("No picture of this camera yet"),
        "age": N_("%(age)s s old"),
        "was": N_("was %(value)s"),
        "changed": N_("Changed values: %(count)s"),
        "unchanged": N_("as found"),
        "applied": N_("Applied until the camera is set up the next time. It stands in no recipe."),
        "reverted": N_("All is as it was found."),
        "saved": N_("Saved as revision %(revision)s of job %(job)s. In force after a change-over."),
        "confirm": N_("The line is inspecting. While the camera is set up, every part of it is rejected. Go on?"),
        "rising": N_("rising"),
        "steady": N_("steady"),
        "falling": N_("falling"),
        "past the peak": N_("past the peak: turn back"),
        "clipped": N_("%(share)s %% clipped"),
        "dark": N_("%(share)s %% black"),
        "mean": N_("mean %(level)s"),
        "true": N_("on"),
        "false": N_("off"),
    }
    return script_words(words)
