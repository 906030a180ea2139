"""What records refuses about persons, in the viewer's language. An unknown sentence is shown as it came."""

from flask_babel import gettext

from .answered import ASKING
from .words import N_, saying, translated

_SAYINGS = (
    saying(r"^not signed in: name or secret is wrong$", N_("Name or secret is wrong.")),
    saying(r"^from here it takes a password$", N_("From here it takes a password.")),
    saying(r"^locked for (?P<seconds>\d+) s$", N_("Locked after too many tries. Try again in %(seconds)s s.")),
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


def refusal(detail: str) -> str:
    """The sentence for people."""
    return translated(detail, _SAYINGS, gettext)
