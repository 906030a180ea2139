"""Why a certificate is not taken, in the viewer's language. An unknown sentence is shown as it came."""

from flask_babel import gettext

from .words import N_, saying, translated

_SAYINGS = (
    saying(
        r"^the first certificate is not made out to a key of this box",
        N_("The first certificate does not belong to a key of this box: expected the answer to its request."),
    ),
    saying(
        r"^the chain begins with another certificate",
        N_("The box's own certificate has to come first, then its issuers."),
    ),
    saying(
        r"^certificate (?P<place>\d+) did not issue certificate (?P<before>\d+)",
        N_("Certificate %(place)s did not issue certificate %(before)s: the order is wrong, or one is missing."),
    ),
    saying(
        r"^certificate (?P<place>\d+) is not one of a",
        N_("Certificate %(place)s is not one of a certification authority."),
    ),
    saying(r"^certificate (?P<place>\d+) ended at (?P<date>[\d-]+)", N_("Certificate %(place)s ended on %(date)s.")),
    saying(
        r"^certificate (?P<place>\d+) begins at (?P<date>[\d-]+)",
        N_("Certificate %(place)s begins on %(date)s: is the clock of the box right?"),
    ),
    saying(r"^the certificate is not for servers", N_("The certificate is not for servers.")),
    saying(
        r"^the certificate is made out to (?P<held>.+): expected one of (?P<names>.+)$",
        N_("The certificate is made out to %(held)s, expected one of %(names)s."),
    ),
    saying(r"^no certificates in PEM", N_("These are no certificates in PEM.")),
)


def chain_words(detail: str) -> str:
    """The sentence for people."""
    return translated(detail, _SAYINGS, gettext)
