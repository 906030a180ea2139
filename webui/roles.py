"""Names of roles and rights in the viewer's language. A role that an administrator made has the name it was given."""

from flask_babel import gettext

from ..bus.rights import RIGHTS
from .words import N_

ROLE_WORDS = {
    "operator": N_("Operator"),
    "lead": N_("Line lead"),
    "engineer": N_("Engineer"),
    "administrator": N_("Administrator"),
    "auditor": N_("Auditor"),
}
RIGHT_WORDS = {
    "alarm.ack": N_("acknowledge alarms"),
    "alarm.shelve": N_("shelve alarms, take them out of service, reset latched ones"),
    "part.review": N_("see rejects and mark them reviewed"),
    "part.label": N_("say whether a reject was a real defect"),
    "part.escape": N_("report a defect that was found downstream"),
    "part.export": N_("export parts and pictures"),
    "inspection.run": N_("stop and start the inspection"),
    "challenge.run": N_("run the challenge test"),
    "challenge.sign": N_("sign a challenge test, release a product hold"),
    "bypass.set": N_("declare a bypass and end it"),
    "recipe.change": N_("change the product"),
    "lot.set": N_("begin a lot"),
    "report.make": N_("make shift and lot reports"),
    "study.run": N_("run an agreement study"),
    "model.teach": N_("teach a new product"),
    "camera.set": N_("set up a camera"),
    "recipe.edit": N_("change regions, masks and thresholds"),
    "timing.set": N_("set trigger and reject timing"),
    "io.force": N_("force outputs, fire test pulses"),
    "model.activate": N_("activate a model and roll back"),
    "label.draw": N_("draw labels and export training data"),
    "diagnostics.read": N_("see diagnostics, make a support bundle"),
    "user.edit": N_("create, change and disable users, edit roles"),
    "settings.edit": N_("change settings, back up, restore"),
    "audit.read": N_("read and check the audit trail"),
    "api.token": N_("make and withdraw API tokens and webhooks"),
    "fleet.enrol": N_("let the box join the fleet, let a halted stream go on"),
}
"""The sentences of `bus.rights.RIGHTS`, marked for the catalogue; a test holds the two against each other."""


def role_word(name: str) -> str:
    """A role as people read it."""
    return str(gettext(ROLE_WORDS[name])) if name in ROLE_WORDS else name


def right_word(right: str) -> str:
    """What a right allows, as people read it."""
    return str(gettext(RIGHT_WORDS.get(right, RIGHTS.get(right, right))))
