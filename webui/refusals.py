"""What records refuses about persons, in the viewer's language. An unknown sentence is shown as it came."""

import re

from flask_babel import gettext

from .words import N_

_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^not signed in: name or secret is wrong$", N_("Name or secret is wrong.")),
        (r"^from here it takes a password$", N_("From here it takes a password.")),
        (r"^locked for (?P<seconds>\d+) s$", N_("Locked after too many tries. Try again in %(seconds)s s.")),
        (r"^no answer from (?P<owner>\S+?):", N_("No answer from %(owner)s: it may or may not have been done.")),
        (r"^not done, because the audit trail cannot be written", N_("Not done: the audit trail cannot be written.")),
        (r"^nobody would be left who may edit users$", N_("Nobody would be left who may edit users.")),
        (r"^the (?P<kind>\w+) given as the old one is wrong$", N_("The old one is wrong.")),
        (r"^PIN: expected 4 to 8 digits$", N_("A PIN has 4 to 8 digits.")),
        (r"^password of \d+ letters: expected (?P<least>\d+) ", N_("A password has at least %(least)s letters.")),
        (r"^badge: somebody else has it$", N_("Somebody else has this badge.")),
        (r"^badge: expected 4", N_("A badge has at least 4 letters or digits.")),
        (r"^(?P<name>.+): there is such a user already$", N_("There is a user %(name)s already.")),
        (r"^(?P<name>.+): expected a PIN, a password or a badge$", N_("Give a PIN, a password or a badge.")),
        (r"^(?P<name>.+): nothing would be left to sign in by$", N_("Nothing would be left to sign in by.")),
        (r"^name '(?P<name>.*)': expected 1 to 32", N_("A name has 1 to 32 letters, digits, - . _ and spaces.")),
        (r"^role '(?P<name>.*)': expected 1 to 32", N_("A name has 1 to 32 letters, digits, - . _ and spaces.")),
        (r"^role (?P<name>.+): somebody has it$", N_("Somebody has this role.")),
        (r"^the first administrator needs a password$", N_("The first administrator needs a password.")),
        (r"^there is an administrator already", N_("There is an administrator already.")),
    )
)


def refusal(detail: str) -> str:
    """The sentence for people."""
    for pattern, text in _SAYINGS:
        if found := pattern.search(detail):
            return str(gettext(text, **found.groupdict()))
    return detail
