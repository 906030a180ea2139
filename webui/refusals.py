"""What records refuses about persons, in the viewer's language. An unknown sentence is shown as it came."""

from flask_babel import gettext

from .answered import ASKING
from .words import N_, saying, translated

_SAYINGS = (
    saying(r"^not signed in: name or secret is wrong$", N_("Name or secret is wrong.")),
    saying(r"^from here it takes a password$", N_("From here it takes a password.")),
    saying(r"^locked for (?P<seconds>\d+) s$", N_("Locked after too many tries. Try again in %(seconds)s s.")),
    saying(r"^the sign-in took too long: begin again$", N_("It took too long: sign in again.")),
    saying(r"^it took too long: begin again$", N_("It took too long: begin again.")),
    saying(r"^the code is wrong$", N_("The code is wrong. Look whether phone and box say the same time.")),
    saying(r"^this code was used already", N_("This code was used already: wait for the next one.")),
    saying(
        r"^the code was not taken, for the clock of the box stands before",
        N_("The clock of the box was set back, so no code fits: the administrator has to put it right."),
    ),
    saying(
        r"^the code was not taken, for the clock of the box is not believed: (?P<why>.+)$",
        N_("The clock of the box is wrong, so the code may not fit. The administrator has to put it right: %(why)s"),
    ),
    saying(
        r"^the second factor was made with another key of the box",
        N_("The box has another key than when you turned this on. Use a recovery code, or ask the administrator."),
    ),
    saying(
        r"^your role needs a second factor: turn it on at the panel",
        N_("Your role needs a second factor: turn it on at the panel of the box first, under Sign in."),
    ),
    saying(r"^your role needs a second factor: it stays on$", N_("Your role needs it: it stays on.")),
    saying(r"^the pin given again is wrong$", N_("The PIN is wrong.")),
    saying(r"^the password given again is wrong$", N_("The password is wrong.")),
    saying(r"^the second factor is on already", N_("It is on already.")),
    saying(r"^the box has no key of its own", N_("The box has no key of its own, so this cannot be turned on.")),
    saying(
        r"^turn on your own second factor first",
        N_("Turn on your own second factor first, under Sign in: your role would need it."),
    ),
    saying(r"^your own second factor: ", N_("Turn your own off with a code, under Sign in, or do this at the panel.")),
    saying(r"^(?P<name>.+) has no second factor$", N_("%(name)s has no second factor.")),
    *ASKING,
    saying(r"^nobody would be left who may edit users$", N_("Nobody would be left who may edit users.")),
    saying(r"^the (?P<kind>\w+) given as the old one is wrong$", N_("The old one is wrong.")),
    saying(r"^PIN: expected 4 to 8 digits$", N_("A PIN has 4 to 8 digits.")),
    saying(r"^password of \d+ letters: expected (?P<least>\d+) ", N_("A password has at least %(least)s letters.")),
    saying(r"^badge: somebody else has it$", N_("Somebody else has this badge.")),
    saying(r"^badge: expected 4", N_("A badge has at least 4 letters or digits.")),
    saying(r"^(?P<name>.+): there is such a user already$", N_("There is a user %(name)s already.")),
    saying(r"^(?P<name>.+): expected a PIN, a password or a badge$", N_("Give a PIN, a password or a badge.")),
    saying(r"^(?P<name>.+): nothing would be left to sign in by$", N_("Nothing would be left to sign in by.")),
    saying(r"^name '(?P<name>.*)': expected 1 to 32", N_("A name has 1 to 32 letters, digits, - . _ and spaces.")),
    saying(r"^role '(?P<name>.*)': expected 1 to 32", N_("A name has 1 to 32 letters, digits, - . _ and spaces.")),
    saying(r"^role (?P<name>.+): somebody has it$", N_("Somebody has this role.")),
    saying(r"^the first administrator needs a password$", N_("The first administrator needs a password.")),
    saying(r"^there is an administrator already", N_("There is an administrator already.")),
    saying(
        r"^the users of the damaged ledger are being rescued",
        N_("The users are being rescued from the damaged ledger. Wait, they will be there again."),
    ),
)


def is_late(detail: str) -> bool:
    """The password has to be given again: its ticket is no longer good."""
    return detail == "the sign-in took too long: begin again" or detail.endswith("has no second factor: begin again")


def refusal(detail: str) -> str:
    """The sentence for people."""
    return translated(detail, _SAYINGS, gettext)
