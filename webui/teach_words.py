"""What the workshop says, in the viewer's language: refusals, phases of its work, what is odd about a picture."""

from flask_babel import gettext

from .answered import SAYINGS
from .words import N_, saying, translated

_SAYINGS = (
    saying(
        r"^no fresh picture of camera (?P<camera>\S+):",
        N_("No fresh picture: trigger a part, or switch free run on."),
    ),
    saying(r"^this picture was taken already", N_("This picture was taken already: wait for the next part.")),
    saying(r"^this (?:very picture|part) is in the draft already", N_("This picture is in the draft already.")),
    saying(
        r"^the picture is (?P<a>\S+), .* change to job (?P<job>\d+) first",
        N_("Change to job %(job)s first: the camera is set otherwise now."),
    ),
    saying(
        r"^(?P<n>\d+) pictures of good parts .* expected (?P<least>\d+)",
        N_("%(n)s good parts: %(least)s are needed at least."),
    ),
    saying(
        r"^a draft named (?P<name>\S+) is there already",
        N_("%(name)s is being taught already: go on with it, or take another name."),
    ),
    saying(r"^there are \d+ drafts already", N_("Too many drafts: drop one first.")),
    saying(r"^this draft is being worked at", N_("This draft is being worked at: wait, or end the work first.")),
    saying(r"^\S+ of .* is under way already", N_("This is under way already.")),
    saying(r"^\d+ pieces of work wait already", N_("Too much is waiting: try again when one is done.")),
    saying(
        r"^escapes cannot be told without defects",
        N_("Escapes cannot be told without defects: take pictures of defective parts."),
    ),
    saying(
        r"^pictures or regions were changed since",
        N_("Pictures or regions were changed since the teaching: teach again."),
    ),
    saying(r"^(?P<n>\d+) challenge parts were let pass", N_("Test parts that are let pass or not tried: %(n)s")),
    saying(r"^there is no challenge part", N_("Take a picture of a defective part first.")),
    saying(r"^this draft is not taught", N_("Teach first.")),
    saying(r"^job (?P<n>\d+) is taken", N_("Job %(n)s is taken.")),
    saying(r"^aborted$", N_("Ended by a person.")),
    saying(r"^broken off: the workshop", N_("Broken off: begin again.")),
    saying(r"^a second person has to confirm", N_("A second person has to confirm this: another one than who asks.")),
    saying(r"^model (?P<model>\S+): there is none such", N_("This model is not on the box any more.")),
    saying(r"^model \S+ is not signed as ", N_("A signature is missing: on Models, Signatures shows whose.")),
    saying(r"require_signed: expected", N_("The settings ask for signed models, and name nobody who may sign.")),
    saying(r"there is no (?:model|version) before this one", N_("There is nothing before this one.")),
    saying(
        r"models of this recipe climb the ladder",
        N_("Models of this product climb step by step: How models climb, on the Models screen."),
    ),
    saying(r"damaged", N_("This model is damaged: it was not put in place.")),
    saying(r"^more memory is needed", N_("More memory is needed than the workshop may take.")),
    saying(
        r"^draft.new: |: name = ",
        N_("A name has small letters, digits, - and _, and begins with a letter or a digit."),
    ),
    *SAYINGS,
)
PHASES = {
    "size": N_("trying sizes"),
    "pictures": N_("reading pictures"),
    "features": N_("looking at the pictures"),
    "heads": N_("choosing how to judge"),
    "whitening": N_("learning what is usual"),
    "memory": N_("learning what is usual"),
    "gaussian": N_("learning what is usual"),
    "calibration": N_("learning what is usual"),
    "labels": N_("reading the defects"),
    "head": N_("leaving each defect out once"),
    "threshold": N_("setting the limit"),
    "graph": N_("writing the model"),
    "golden": N_("writing the model"),
    "bundle": N_("proving the model"),
    "loading the model": N_("loading the model"),
    "judging challenge parts": N_("judging the test parts"),
    "judging past pictures": N_("judging past pictures"),
    "writing the recipe": N_("writing the recipe"),
    "writing the settings": N_("writing the settings"),
    "proving the model here": N_("proving the model"),
}
FLAGS = {
    "blurred": N_("blurred"),
    "overexposed": N_("too bright"),
    "underexposed": N_("too dark"),
    "unlike": N_("unlike the others"),
}
TILES: tuple[tuple[str, str], ...] = (
    ("cap", N_("cap")),
    ("lid", N_("lid")),
    ("housing", N_("housing")),
    ("plate", N_("plate")),
    ("ring", N_("ring")),
    ("board", N_("board")),
    ("label", N_("label")),
    ("bottle", N_("bottle")),
    ("left", N_("left")),
    ("right", N_("right")),
    ("small", N_("small")),
    ("large", N_("large")),
    ("black", N_("black")),
    ("white", N_("white")),
)
"""Words a name may be put together from without a keyboard: as it is written, and as it is shown."""


def workshop_words(detail: str) -> str:
    """A refusal of the workshop for people; one that is not known is shown as it came."""
    return translated(detail, _SAYINGS, gettext)


def phase_words(detail: str) -> str:
    """What a work is at. Of `plate: features` the place stays as it is called."""
    place, colon, phase = detail.rpartition(": ")
    known = PHASES.get(phase)
    if known is None:
        return gettext("working") if detail else ""
    return f"{place}{colon}{gettext(known)}"
