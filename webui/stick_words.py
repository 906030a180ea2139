"""What the workshop says of USB sticks, in the viewer's language. A sentence that is not known is shown as it came."""

import re

from flask_babel import gettext

from .words import N_

_SAYINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"^no USB stick is plugged in", N_("No USB stick is plugged in, or it is neither FAT32 nor exFAT.")),
        (r"^several USB sticks", N_("Several USB sticks are plugged in: choose one.")),
        (r"^the USB stick is write-protected", N_("The USB stick is write-protected.")),
        (
            r"^the USB stick is full: (?P<need>\d+) MB are needed, (?P<free>\d+) MB",
            N_("The USB stick is full: %(need)s MB are needed, %(free)s MB are free."),
        ),
        (r"^the USB stick is full", N_("The USB stick is full. Nothing half is left on it.")),
        (r"FAT32 takes no file above", N_("FAT32 takes no file above 4 GB: use a stick formatted as exFAT.")),
        (r"^it has (?:more than the )?.*may go onto a USB stick", N_("It is larger than may go onto a USB stick.")),
        (
            r"^the USB stick was pulled out(?:, is broken| or is broken|$)",
            N_("The stick was pulled out too early, or is broken."),
        ),
        (r"^the USB stick gives back something else", N_("The stick does not keep what is written: take another one.")),
        (r"^the PDF is not there any more", N_("The PDF is not there any more: make it again.")),
        (r"^none of these parts", N_("None of these parts is in the ledger.")),
        (r"^no back-up was made yet", N_("No back-up was made yet: make one first.")),
        (r"^there is no such back-up", N_("There is no such back-up any more.")),
        (r" is under way already$", N_("This is being written already.")),
        (r"^broken off: the workshop", N_("It was broken off: the workshop was ended meanwhile. Begin again.")),
        (r"^not done, because the audit trail cannot be written", N_("Not done: the audit trail cannot be written.")),
    )
)


def stick_words(detail: str) -> str:
    """The sentence for people."""
    for pattern, text in _SAYINGS:
        if found := pattern.search(detail):
            return str(gettext(text, **found.groupdict()))
    return detail
