"""What the workshop says of USB sticks, in the viewer's language. A sentence that is not known is shown as it came."""

from flask_babel import gettext

from .answered import SAYINGS
from .words import N_, saying, translated

_SAYINGS = (
    saying(r"^no USB stick is plugged in", N_("No USB stick is plugged in, or it is neither FAT32 nor exFAT.")),
    saying(r"^several USB sticks", N_("Several USB sticks are plugged in: choose one.")),
    saying(r"^the USB stick is write-protected", N_("The USB stick is write-protected.")),
    saying(
        r"^the USB stick is full: (?P<need>\d+) MB are needed, (?P<free>\d+) MB",
        N_("The USB stick is full: %(need)s MB are needed, %(free)s MB are free."),
    ),
    saying(r"^the USB stick is full", N_("The USB stick is full. Nothing half is left on it.")),
    saying(r"FAT32 takes no file above", N_("FAT32 takes no file above 4 GB: use a stick formatted as exFAT.")),
    saying(r"^it has (?:more than the )?.*may go onto a USB stick", N_("It is larger than may go onto a USB stick.")),
    saying(
        r"^the USB stick was pulled out(?:, is broken| or is broken|$)",
        N_("The stick was pulled out too early, or is broken."),
    ),
    saying(
        r"^the USB stick gives back something else", N_("The stick does not keep what is written: take another one.")
    ),
    saying(r"^the PDF is not there any more", N_("The PDF is not there any more: make it again.")),
    saying(r"^none of these parts", N_("None of these parts is in the ledger.")),
    saying(r"^no back-up was made yet", N_("No back-up was made yet: make one first.")),
    saying(r"^there is no such back-up", N_("There is no such back-up any more.")),
    saying(r" is under way already$", N_("This is being written already.")),
    saying(r"^broken off: the workshop", N_("It was broken off: the workshop was ended meanwhile. Begin again.")),
    *SAYINGS,
)


def stick_words(detail: str) -> str:
    """The sentence for people."""
    return translated(detail, _SAYINGS, gettext)
