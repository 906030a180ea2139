"""What stands in the audit trail, in the viewer's language. The trail itself is English and is never rewritten."""

import re

from flask_babel import gettext

from .words import N_

DEEDS = {
    "ledger made": N_("ledger made"),
    "ledger restored": N_("ledger restored"),
    "ledger migrated": N_("ledger brought up to date"),
    "ledger salvage begun": N_("rescue of a damaged ledger begun"),
    "ledger salvaged": N_("damaged ledger rescued"),
    "ledger salvage failed": N_("rescue of a damaged ledger failed"),
    "recovered": N_("parts of a run that died recovered"),
    "first administrator made": N_("first administrator made"),
    "user created": N_("user created"),
    "user changed": N_("user changed"),
    "signed in": N_("signed in"),
    "sign-in failed": N_("sign-in failed"),
    "signed out": N_("signed out"),
    "signed out everywhere": N_("signed out everywhere"),
    "own secret changed": N_("own PIN or password changed"),
    "own secret not changed": N_("own PIN or password not changed"),
    "role made": N_("role made"),
    "role changed": N_("role changed"),
    "role dropped": N_("role dropped"),
    "setting set": N_("setting set"),
    "token made": N_("token made"),
    "token ended": N_("token ended"),
    "webhook made": N_("webhook made"),
    "webhook changed": N_("webhook changed"),
    "webhook ended": N_("webhook ended"),
    "webhook refused": N_("event refused by a webhook"),
    "ladder": N_("step of a model's ladder"),
    "ladder floor": N_("newest model of a channel noted"),
    "backup begun": N_("back-up begun"),
    "backup made": N_("back-up made"),
    "backup failed": N_("back-up failed"),
    "signed": N_("signed electronically"),
    "signature failed": N_("signature failed"),
    "signature refused": N_("signature refused"),
    "audit check begun": N_("proof begun"),
    "audit checked": N_("proof made"),
    "parts exported": N_("parts exported"),
    "written to a USB stick": N_("written to a USB stick"),
}
_ASKED = {
    "asked": N_("%(command)s asked for"),
    "done": N_("%(command)s done"),
    "refused": N_("%(command)s refused"),
    "unanswered": N_("%(command)s not answered"),
}
_COMMAND = re.compile(r"^([a-z_]+\.[a-z_]+) (asked|done|refused|unanswered)$")


def deed(what: str) -> str:
    """One deed; one that is not known as it stands there."""
    if what in DEEDS:
        return str(gettext(DEEDS[what]))
    if found := _COMMAND.match(what):
        return str(gettext(_ASKED[found[2]], command=found[1]))
    return what
