"""What has drifted in the pictures, in the viewer's language: where to look, what was seen, what to do.

inspect says it as `CAMERA: CAUSE: SEEN: DO` (`InspectState.alarms`). It is advice and never a verdict: parts go on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .kinds import kind_word
from .words import N_, Gettext, alarm, reason_words, said, saying

CAUSES = {
    "lamp": N_("Lamp"),
    "lens": N_("Lens"),
    "camera moved": N_("Camera moved"),
    "product": N_("Product"),
    "model": N_("Model"),
}
_ALARM = re.compile(r"^(?P<camera>[^\s:]+): (?P<cause>[a-z ]+): (?P<rest>.+)$")
_WAYS = {"right": "→", "left": "←", "below": "↓", "above": "↑"}
_PERCENT = r"(?P<percent>-?\d+) %"
BACK = N_("Put the camera back and tighten it, or commission the view again.")
FOCUS = N_("Check focus and aperture and tighten them. Clean the lens.")

SEEN = (
    saying(
        r"^the background lies (?P<x>\S+) px to the (?P<across>\S+) and (?P<y>\S+) px (?P<along>\S+) its place"
        r" and is turned by (?P<angle>\S+) degrees",
        N_("The background lies %(across)s %(x)s px, %(along)s %(y)s px from its place and is turned by %(angle)s°"),
        BACK,
    ),
    saying(
        r"^the background lies (?P<x>\S+) px to the (?P<across>\S+) and (?P<y>\S+) px (?P<along>\S+) its place",
        N_("The background lies %(across)s %(x)s px, %(along)s %(y)s px from its place"),
        BACK,
    ),
    saying(
        r"^the background is turned by (?P<angle>\S+) degrees",
        N_("The background is turned by %(angle)s°"),
        BACK,
    ),
    saying(
        rf"^{_PERCENT} of the background's marks are not where they were",
        N_("%(percent)s %% of the background's marks are not where they were"),
        BACK,
    ),
    saying(
        r"^the background became darker at (?P<x>\d+),(?P<y>\d+) and brighter at (?P<u>\d+),(?P<v>\d+)",
        N_("The background became darker at %(x)s, %(y)s and brighter at %(u)s, %(v)s"),
        N_("Put the camera back and tighten it, or see what lies there."),
    ),
    saying(
        r"^a bright place at (?P<x>\d+),(?P<y>\d+) on the background",
        N_("There is a bright place at %(x)s, %(y)s on the background"),
        N_("Keep other light and reflections away."),
    ),
    saying(
        rf"^brightness {_PERCENT} of the commissioned: clean or replace",
        N_("Brightness is %(percent)s %% of the commissioned"),
        N_("Clean or replace the lamp, or see why exposure or gain are lower."),
    ),
    saying(
        rf"^brightness {_PERCENT} of the commissioned",
        N_("Brightness is %(percent)s %% of the commissioned"),
        N_("Set lamp, exposure and gain as commissioned. Keep other light away."),
    ),
    saying(
        rf"^{_PERCENT} more of the picture at the end of the scale",
        N_("%(percent)s %% more of the picture is all white"),
        N_("Set lamp, exposure and gain as commissioned."),
    ),
    saying(
        rf"^the light's shape changed by {_PERCENT} over the picture",
        N_("The light's shape has changed by %(percent)s %% over the picture"),
        N_("Align and clean the lamp. Keep other light away."),
    ),
    saying(
        r"^noise (?P<times>\S+) times the commissioned",
        N_("Noise is %(times)s times the commissioned"),
        N_("Set the gain as commissioned, then clean or replace the lamp. See whether the camera is hot."),
    ),
    saying(
        rf"^sharpness of the background {_PERCENT} of the commissioned",
        N_("Sharpness of the background is %(percent)s %% of the commissioned"),
        FOCUS,
    ),
    saying(
        rf"^sharpness of the parts {_PERCENT} of the commissioned",
        N_("Sharpness of the parts is %(percent)s %% of the commissioned, the background keeps its own"),
        N_("Check height, position and surface of the parts."),
    ),
    saying(
        rf"^sharpness {_PERCENT} of the commissioned",
        N_("Sharpness is %(percent)s %% of the commissioned"),
        FOCUS,
    ),
    saying(
        r"^a dark spot of (?P<size>\d+) px at (?P<x>\d+),(?P<y>\d+) stays",
        N_("A dark spot of %(size)s px at %(x)s, %(y)s stays where it is over many parts"),
        N_("Clean the lens and its window. If it is still there, look at the parts."),
    ),
    saying(
        rf"^the parts' brightness is {_PERCENT} of the commissioned",
        N_("The parts' brightness is %(percent)s %% of the commissioned, the background keeps its own"),
        N_("Check material and surface of the parts, and that the right recipe is active."),
    ),
    saying(
        r"^the parts look different at (?P<x>\d+),(?P<y>\d+)",
        N_("The parts look different at %(x)s, %(y)s, the background keeps its own look"),
        N_("Check that the right recipe is active, and where the parts lie."),
    ),
    saying(
        r"^good parts look different to the model in region (?P<region>\S+), .*: the picture's health is not",
        N_("Good parts look different to the model in region %(region)s"),
        N_("Check the lamp first: the picture's health is not commissioned. Then check material and surface."),
    ),
    saying(
        r"^good parts look different to the model in region (?P<region>\S+),",
        N_("Good parts look different to the model in region %(region)s, the picture is as commissioned"),
        N_("Check material and surface, then add goods of the new kind to the model."),
    ),
    saying(
        r"^scores of good parts have risen in region (?P<region>\S+) by (?P<by>\S+) standard",
        N_("Scores of good parts have risen in region %(region)s by %(by)s standard deviations, parts look the same"),
        N_("Verify the model on this box, then add goods to it."),
    ),
    saying(
        r"^scores of good parts have fallen in region (?P<region>\S+) by (?P<by>\S+) standard",
        N_("Scores of good parts have fallen in region %(region)s by %(by)s standard deviations, parts look the same"),
        N_("Verify the model on this box, then add goods to it."),
    ),
)
"""What may have been seen, and what to do about it (`imaging/diagnosis.py`, `models/model_watch.py`)."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that has drifted."""

    camera: str
    """Empty: the sentence does not say."""
    cause: str
    """`lamp`, `lens`, `camera moved`, `product`, `model`; empty: another one."""
    title: str
    """The cause in the viewer's language."""
    what: str
    todo: str


def advice(sentence: str, gettext: Gettext) -> Advice:
    """One sentence of inspect; what is not known is shown as it came."""
    parts = _ALARM.match(sentence.strip())
    if parts is None or parts["cause"] not in CAUSES:
        return Advice("", "", "", sentence, "")
    rest = parts["rest"]
    found = said(rest, SEEN, gettext)
    seen, _, do = rest.partition(": ")
    what, todo = found or (seen, do)
    for word, arrow in _WAYS.items():
        what = what.replace(f"{word} ", f"{arrow} ") if found else what
    title = CAUSES[parts["cause"]]
    return Advice(parts["camera"], parts["cause"], gettext(title), what, todo)


def localized(topic: str, payload: Mapping[str, Any], gettext: Gettext) -> Mapping[str, Any]:
    """A payload of the news with its sentences in the viewer's language."""
    if topic == "state":
        drift = [advice(sentence, gettext) for sentence in payload["drift"]]
        return {
            **payload,
            "reasons": [alarm(reason, gettext) for reason in payload["reasons"]],
            "drift": [{"camera": one.camera, "title": one.title, "what": one.what, "todo": one.todo} for one in drift],
        }
    if topic in ("result", "last_ng"):
        return {**payload, "reasons": [reason_words(reason, gettext) for reason in payload["reasons"]]}
    if topic == "counters":
        return {**payload, "pareto": [[*row, kind_word(row[0], gettext)] for row in payload["pareto"]]}
    if topic == "film":
        return {"tiles": [localized("result", tile, gettext) for tile in payload["tiles"]]}
    return payload
