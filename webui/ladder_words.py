"""What the ladder says, in the viewer's language: rungs, what a bundle waits for, why it was taken back."""

from flask_babel import gettext

from .answered import SAYINGS
from .words import N_, saying, translated

RUNGS = {
    "OFFERED": N_("offered"),
    "FETCHED": N_("fetched"),
    "VERIFIED": N_("verified"),
    "LOADED": N_("loaded once"),
    "GOLDEN": N_("golden pictures"),
    "SHADOW": N_("looks along"),
    "CANARY": N_("may only reject"),
    "CHAMPION": N_("decides"),
    "RETIRED": N_("was replaced"),
    "REFUSED": N_("refused"),
    "ROLLED_BACK": N_("taken back"),
}
"""Each rung as what it means on the line."""
CLIMB = ("OFFERED", "FETCHED", "VERIFIED", "LOADED", "GOLDEN", "SHADOW", "CANARY", "CHAMPION")
OUTCOMES = {"OK": N_("OK"), "NG": N_("NG"), "UNJUDGED": N_("UNJUDGED")}
TRUTHS = {"good": N_("good"), "defect": N_("a defect"), "unsure": N_("unsure")}
_SAYINGS = (
    saying(r"^(?P<n>\d+) of (?P<most>\d+) parts$", N_("%(n)s of %(most)s parts seen.")),
    saying(
        r"^(?P<n>\d+) of (?P<most>\d+) NG parts, or (?P<days>\S+) days$",
        N_("%(n)s of %(most)s NG parts seen; without more of them it waits %(days)s days."),
    ),
    saying(r"^a person has to look at the disagreements$", N_("Somebody has to look at the differing parts.")),
    saying(r"^stopped on this box: (?P<why>.*)$", N_("Stopped on this box. %(why)s")),
    saying(r"^waits for a person: (?P<why>.*)$", N_("It waits for a person. %(why)s")),
    saying(r"^ring (?P<ring>\S+) is not open yet$", N_("The fleet has not opened ring %(ring)s yet.")),
    saying(r"^halted by the fleet$|^the fleet halted it$", N_("The fleet has halted it.")),
    saying(r"^this box is in no ring$", N_("The fleet has put this box into no ring.")),
    saying(r"^it is not offered any more$", N_("It is not offered any more.")),
    saying(r"^what was signed has run out|is expired$", N_("What was signed has run out: the models in use go on.")),
    saying(r"^nothing was trusted yet$", N_("The fleet has published nothing for this line yet.")),
    saying(
        r"BadVersionNumberError",
        N_(
            "The service shows an older state of the models than this box has seen: somebody may have put it back."
            " Nothing of it is taken; the models in use go on. Tell the fleet's administrator."
        ),
    ),
    saying(
        r"^channel: ",
        N_(
            "What the service shows of the models is not signed as it must be. Nothing of it is taken;"
            " the models in use go on. Tell the fleet's administrator."
        ),
    ),
    saying(
        r"^the clock says ",
        N_("The clock stands behind what this box has seen: nothing new is taken until it is right."),
    ),
    saying(r"^found in place$", N_("It was here when the ladder began.")),
    saying(r"^bundle (?P<model>\S+) took over$", N_("Model %(model)s took over.")),
    saying(r"^bundle (?P<model>\S+) is offered now$", N_("Model %(model)s is offered now.")),
    saying(r"^taken back to: (?P<why>.*)$", N_("It took over again. %(why)s")),
    saying(
        r"^worse: of (?P<n>\d+) differing parts that people judged it was wrong on (?P<wrong>\d+)",
        N_("Of %(n)s differing parts that people judged it was wrong on %(wrong)s."),
    ),
    saying(
        r"^worse: of (?P<n>\d+) differing parts that people judged, (?P<fleet>\d+) of them at the fleet service,"
        r" it was wrong on (?P<wrong>\d+)",
        N_("Of %(n)s differing parts that people judged, %(fleet)s at the fleet service, it was wrong on %(wrong)s."),
    ),
    saying(
        r"^disagrees: differs on (?P<n>\d+) of (?P<parts>\d+) parts",
        N_("It differs from the model that decides on %(n)s of %(parts)s parts."),
    ),
    saying(
        r"^rejects: rejects have risen towards (?P<new>\S+) %; the champion before had (?P<old>\S+) %",
        N_("Rejects have risen towards %(new)s %%; before they were %(old)s %%."),
    ),
    saying(r"^slow: .* took longer than (?P<ms>\S+) ms", N_("It is too slow: more than %(ms)s ms.")),
    saying(r"^crash: ", N_("The judge died again and again after it took over.")),
    saying(r"^unsound: its output is unsound: (?P<why>.*)$", N_("Its output cannot be used. %(why)s")),
    saying(r"^golden: its golden pictures failed: (?P<why>.*)$", N_("Its golden pictures failed. %(why)s")),
    saying(
        r"^overrides: people called (?P<n>\d+) of (?P<most>\d+)",
        N_("People called %(n)s of %(most)s reviewed rejects good: too many."),
    ),
    saying(r"golden pictures score otherwise", N_("Its golden pictures score otherwise on this box.")),
    saying(
        r"the recipe names a folder and no slot",
        N_("Its recipe names a folder and no slot. An administrator puts it on the ladder: okng ladder adopt."),
    ),
    saying(r"names \d+ bundles", N_("Its recipe has several models: only a recipe with one can climb.")),
    saying(
        r"cannot be written: `okng ladder adopt", N_("Its slot lies where it cannot be switched: okng ladder adopt.")
    ),
    saying(r"^expected a reason$", N_("Say why.")),
    saying(r"is not locked$", N_("It is not locked any more.")),
    saying(r"there is no bundle to go back to", N_("There is no other model to go back to.")),
    saying(
        r"^the line does not go back to (?P<model>\S+) yet: (?P<why>.*)$",
        N_("The line does not go back to model %(model)s yet. %(why)s Change over to the same product to load it."),
    ),
    saying(r"local_bundles = false", N_("The settings forbid models that were taught on this box.")),
    *SAYINGS,
)


def ladder_words(detail: str) -> str:
    """A sentence of the ladder for people; one that is not known is shown as it came."""
    return translated(detail, _SAYINGS, gettext)


def rung_word(rung: str) -> str:
    """What a rung means on the line."""
    return str(gettext(RUNGS.get(rung, rung)))
