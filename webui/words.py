"""The words of other processes in the viewer's language: what is wrong, and what to do about it.

io, inspect and the cameras speak English sentences to logs and screens alike. Here each known sentence has a translated
twin; one that is not known is shown as it came, with the advice that is always right.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ..bus.part import Placement

Gettext = Callable[[str], str]


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for "translate later"
    """Mark a sentence for the catalogue."""
    return message


@dataclass(frozen=True, slots=True)
class Saying:
    """One sentence of another process."""

    pattern: re.Pattern[str]
    what: str
    """Message id; named groups of the pattern fill its `%(name)s`."""
    todo: str = ""


def saying(pattern: str, what: str, todo: str = "") -> Saying:
    """A sentence by its pattern, case ignored, and the message ids of what it says and what to do."""
    return Saying(re.compile(pattern, re.IGNORECASE), what, todo)


CALL = N_("Parts are rejected until this is mended. If it stays, call maintenance.")
WAIT = N_("Wait a moment: it starts again by itself. If it stays, call maintenance.")
CAMERA = N_("Check the camera's cable and its lamp. It connects again by itself.")
RESET = N_("Mend the cause, then press reset on the machine (FAULT_RESET).")

ALARMS = (
    saying(r"^io is silent$", N_("The line control does not answer"), WAIT),
    saying(r"^inspect is silent$", N_("The inspection does not answer"), WAIT),
    saying(
        r"^camera (?P<name>\S+) is silent$",
        N_("Camera %(name)s does not answer"),
        CAMERA,
    ),
    saying(r"^camera (?P<name>\S+) does not answer", N_("Camera %(name)s does not answer"), CAMERA),
    saying(r"^camera (?P<name>\S+) is stuck", N_("Camera %(name)s is stuck"), CAMERA),
    saying(r"^camera (?P<name>[^\s:]+)(: its process runs| is starting)", N_("Camera %(name)s is starting"), WAIT),
    saying(
        r"^camera (?P<name>\S+) is lost: .*in use by another program",
        N_("Camera %(name)s is used by another program"),
        N_("Close the other program, or take the camera out of it. It connects again by itself."),
    ),
    saying(r"^camera (?P<name>\S+) is lost", N_("Camera %(name)s is disconnected"), CAMERA),
    saying(
        r"^camera (?P<name>\S+) has a fault: the camera repeats its pictures",
        N_("Camera %(name)s repeats its pictures"),
        N_("Switch the camera off and on. If it stays, call maintenance to replace it."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: the camera's picture is frozen",
        N_("The picture of camera %(name)s is frozen"),
        N_("Switch the camera off and on. If it stays, call maintenance to replace it."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: the camera sends another size",
        N_("Camera %(name)s sends another size or format than the recipe's"),
        N_("Call maintenance: somebody else sets the camera up."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: the picture is all black",
        N_("The picture of camera %(name)s is all black"),
        N_("Check lamp, strobe cable, lens cap and exposure."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: the picture is all white",
        N_("The picture of camera %(name)s is all white"),
        N_("Check exposure, gain and lamp. Keep other light away."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: the camera sends pictures nobody asked for",
        N_("Camera %(name)s sends pictures nobody asked for"),
        N_("Check the trigger cable. If it stays, call maintenance: debounce and trigger mode."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: the camera sends pictures faster",
        N_("Camera %(name)s sends pictures faster than set"),
        N_("Call maintenance: somebody else sets the camera up."),
    ),
    saying(
        r"^camera (?P<name>\S+) has a fault: no picture comes although",
        N_("Camera %(name)s answers, but no picture comes"),
        N_("Check the trigger cable and the lamp's interlock. If it stays, call maintenance."),
    ),
    saying(r"^camera (?P<name>\S+) has a fault", N_("Camera %(name)s has a fault"), CALL),
    saying(r"^inspect does not answer", N_("The inspection does not answer"), WAIT),
    saying(r"^inspect is stuck", N_("The inspection is too slow"), CALL),
    saying(
        r"^inspect is starting: a model failed and is loaded again",
        N_("A model failed and is being loaded again"),
        N_("Wait a moment: it goes on by itself. If it happens again, call maintenance."),
    ),
    saying(r"^inspect(: its process runs| is starting)", N_("The inspection is starting"), WAIT),
    saying(r"^inspect (is lost|has a fault)", N_("The inspection has a fault"), CALL),
    saying(
        r"^inspect has another job than io",
        N_("Recipe and line control do not match"),
        N_("Call the line lead: the same recipe has to be started on both."),
    ),
    saying(r"^io: starting", N_("The line control is starting"), WAIT),
    saying(r"^io: stopping", N_("The line control is stopping"), N_("It was stopped on purpose. Parts are rejected.")),
    saying(
        r"^PLC: nothing is connected",
        N_("The PLC is not connected"),
        N_("Check the PLC's power and its network cable. Parts are rejected until then."),
    ),
    saying(
        r"^PLC: its heartbeat does not change",
        N_("The PLC's heartbeat has stopped"),
        N_("Check that the PLC is in RUN. Parts are rejected until then."),
    ),
    saying(
        r"^PLC: TRIG_ENABLE is 0",
        N_("The machine has switched triggers off (TRIG_ENABLE)"),
        N_("Start the machine. If it runs, call maintenance."),
    ),
    saying(r"^PLC: JOB_EXEC is 1", N_("A job change is under way"), N_("Wait until the PLC has ended it.")),
    saying(
        r"^PLC: TRIGGER is still 1",
        N_("The trigger signal stays on (TRIGGER)"),
        N_("Check the part sensor: is a part standing in front of it?"),
    ),
    saying(r"^FAULT 1:", N_("Fault 1: the trigger signal stayed on"), RESET),
    saying(r"^FAULT 2:", N_("Fault 2: the PLC did not acknowledge a result"), RESET),
    saying(r"^FAULT 3:", N_("Fault 3: too many results wait for the PLC"), RESET),
    saying(r"^FAULT 4:", N_("Fault 4: a part number came twice"), RESET),
    saying(r"^FAULT 5:", N_("Fault 5: sensors and encoder do not fit together"), RESET),
    saying(
        r"^line: (?P<why>.+); mend it, then reset$",
        N_("The line is to stop: %(why)s"),
        N_("Mend the cause, then press reset on the machine."),
    ),
    saying(
        r"^machine: input (?P<name>\S+) is not active$",
        N_("The machine has switched inspection off (input %(name)s)"),
        N_("Start the machine. If it runs, call maintenance."),
    ),
    saying(
        r"^commissioning: the gate is (?P<short>\d+) mm too near.* up to (?P<speed>\d+) mm/s$",
        N_("The reject gate is %(short)s mm too near for this speed; up to %(speed)s mm/s it would do"),
        N_("Call the line lead: run the belt slower, or move the gate, and check again."),
    ),
    saying(
        r"^commissioning: ",
        N_("This recipe was not commissioned yet"),
        N_("Call the line lead: run parts, then the commissioning check (okng plc check)."),
    ),
    saying(
        r"^job change to (?P<number>\d+)",
        N_("Change to job %(number)s is under way"),
        N_("Wait until it has ended. Parts are rejected until then."),
    ),
    saying(
        r"^job change refused: recipe (?P<recipe>\S+) of job (?P<number>\d+) (?:is not signed|cannot be told to be)",
        N_("Job %(number)s was refused: its recipe %(recipe)s still needs a signature"),
        N_("The old job stays active. On Models, Signatures of the recipe shows whose signature is missing."),
    ),
    saying(
        r"^recipe (?P<recipe>\S+) of job (?P<number>\d+) (?:is not signed|cannot be told to be signed)",
        N_("Recipe %(recipe)s of job %(number)s still needs a signature: nothing passes until then"),
        N_("On Models, Signatures of the recipe shows whose signature is missing. The line goes on by itself then."),
    ),
    saying(
        r"^job change refused: (?P<why>.+)$",
        N_("The job change was refused: %(why)s"),
        N_("The old job stays active. Let the machine take its request back, then ask again."),
    ),
    saying(r"^camera (?P<name>\S+) is set up for", N_("Camera %(name)s is being set up for the job"), WAIT),
    saying(r"^io: the job has changed", N_("The job has just changed"), WAIT),
    saying(
        r"^\S+ holds the line: .*; it is silent since: start it again",
        N_("Who held the line does not answer any more"),
        N_("Its program has stopped. Call maintenance. Nothing passes until it runs again or the line is reset."),
    ),
    saying(
        r"^shift holds the line: the challenge test is due",
        N_("The challenge test is due"),
        N_("Open Test and put the test parts through. Nothing passes until then."),
    ),
    saying(
        r"^shift holds the line: the challenge test has failed",
        N_("The challenge test has failed"),
        N_("Open Test: it says which product is on hold. Find the cause, then repeat the test."),
    ),
    saying(
        r"^shift holds the line: change-over to job (?P<number>\d+): step (?P<step>\d)",
        N_("Change-over to job %(number)s: step %(step)s of 6"),
        N_("Open Product and finish the change-over, or break it off. Nothing passes until then."),
    ),
    saying(r"^shift holds the line: change-over: going back", N_("The change-over is being taken back"), WAIT),
    saying(r"^shift holds the line: the line is being set to test parts", N_("The test is being prepared"), WAIT),
    saying(r"^shift holds the line: the release is being written down", N_("The release is being written down"), WAIT),
    saying(r"^shift (holds the line: shift is starting|has not spoken yet)", N_("Alarms and tests are starting"), WAIT),
    saying(
        r"^operator holds the line: stopped by (?P<who>.+)$",
        N_("The inspection was stopped by %(who)s"),
        N_("Start it again on the Run screen. Nothing passes until then."),
    ),
    saying(
        r"^(?P<who>\S+) holds the line: (?P<why>.+)$",
        N_("%(who)s holds the line: %(why)s"),
        N_("It is let go where it was held. Parts are rejected until then."),
    ),
    saying(
        r"^records does not answer",
        N_("The ledger does not answer: records are being lost"),
        N_("Inspection goes on. Check the disk; call maintenance."),
    ),
    saying(r"^not ready$", N_("The line is not ready"), CALL),
)
"""Why the line is not being inspected."""

NUMBER = r"-?\d+(?:\.\d+)?"
FIGURE = rf"(?P<name>.+) (?P<value>{NUMBER})(?P<unit> \S+)?"
WHERE = r"(?:region )?(?P<where>\S+)"
REASONS = (
    saying(
        r"^score (?P<score>\S+) above (?P<limit>\S+) in region (?P<region>.+)$",
        N_("Score %(score)s is above the limit %(limit)s (%(region)s)"),
    ),
    saying(
        r"^brightness (?P<found>\S+) outside (?P<low>\d+)\.\.(?P<high>\d+) in region (?P<region>.+)$",
        N_("Brightness %(found)s is outside %(low)s to %(high)s (%(region)s): check the lamp"),
    ),
    saying(
        rf"^{FIGURE} outside (?P<low>{NUMBER})\.\.(?P<high>{NUMBER}) in {WHERE}$",
        N_("%(name)s %(value)s%(unit)s is outside %(low)s to %(high)s (%(where)s)"),
    ),
    saying(
        rf"^{FIGURE} above (?P<limit>{NUMBER}) in {WHERE}$",
        N_("%(name)s %(value)s%(unit)s is above the limit %(limit)s (%(where)s)"),
    ),
    saying(
        rf"^{FIGURE} below (?P<limit>{NUMBER}) in {WHERE}$",
        N_("%(name)s %(value)s%(unit)s is below the limit %(limit)s (%(where)s)"),
    ),
    saying(
        r"^(?P<against>\d+) of (?P<views>\d+) views object to (?P<name>\S+), limit (?P<limit>\d+)$",
        N_("%(against)s of %(views)s views see a defect, %(limit)s are enough (%(name)s)"),
    ),
    saying(
        r"^mean (?P<mean>\S+) above 1\.00 over the views of (?P<name>\S+)$",
        N_("The mean over all views is %(mean)s of the limit (%(name)s)"),
    ),
    saying(r"^not all views of (?P<name>\S+) could be judged$", N_("Not all views could be judged (%(name)s)")),
    saying(
        r"^(the model did not run|no model at hand): .* in region (?P<region>\S+)$",
        N_("The model failed and is loaded again (%(region)s)"),
    ),
    saying(r"^canary: the model on trial objects$", N_("The model on trial sees a defect")),
    saying(r"^canary: the model on trial gave no verdict: ", N_("The model on trial gave no result")),
    saying(r"^no finding in region (?P<region>.+)$", N_("Region %(region)s was not inspected")),
    saying(r"^the model gave no number in region (?P<region>.+)$", N_("The model gave no result (%(region)s)")),
    saying(r"^box restarted$", N_("The box restarted while the part was under way")),
    saying(r"^too late to be judged$", N_("The picture came too late to be judged")),
    saying(r"^picture gone from the ring.*$", N_("The picture was overwritten before it was judged")),
    saying(
        r"^picture is (?P<found>\d+x\d+), not (?P<wanted>\d+x\d+)$",
        N_("The picture is %(found)s pixels, the recipe wants %(wanted)s"),
    ),
    saying(r"^no picture: timeout$", N_("No picture: the camera did not answer in time")),
    saying(r"^no picture: gap$", N_("No picture: the camera skipped one")),
    saying(r"^no picture: incomplete$", N_("No picture: it arrived incomplete (network or cable)")),
    saying(r"^no picture: camera lost$", N_("No picture: the camera is disconnected")),
    saying(r"^no picture: too late$", N_("No picture: it came too late")),
    saying(r"^no picture: wrong size$", N_("No picture: it has the wrong size")),
    saying(r"^no picture: repeated$", N_("No picture: the camera sent an old one again")),
    saying(r"^no picture: job change$", N_("No picture: the job was being changed")),
    saying(r"^no picture: pairing$", N_("No picture: it could not be matched to a part")),
    saying(r"^no picture: missed trigger$", N_("No picture: the camera was still busy with the part before")),
    saying(r"^no picture: black$", N_("No picture: it was black. Check lamp and lens cap")),
    saying(r"^no picture: overexposed$", N_("No picture: it was all white. Check lamp and exposure")),
    saying(r"^no picture by camera (?P<name>\S+)$", N_("No picture by camera %(name)s")),
    saying(r"^part not found in the picture", N_("The part was not found in the picture: check where it lies")),
    saying(r"^code (?P<name>\S+) unreadable$", N_("Code %(name)s cannot be read: dirty, damaged or missing")),
    saying(r"^code (?P<name>\S+) does not match", N_("Code %(name)s is not of the kind this recipe expects")),
    saying(
        r"^region (?P<name>\S+) lies partly outside the picture$",
        N_("Region %(name)s is partly outside the picture: check where the part lies"),
    ),
    saying(r"^(?P<tool>[a-z0-9_-]+): (?P<why>.+)$", N_("%(tool)s could not be measured: %(why)s")),
)
"""Why a part is not OK."""


def alarm(reason: str, gettext: Gettext) -> dict[str, str]:
    """What is wrong and what to do."""
    found = said(reason, ALARMS, gettext)
    if found is None:
        return {"what": reason, "todo": gettext(CALL)}
    what, todo = found
    return {"what": what, "todo": todo or gettext(CALL)}


def reason_words(reason: str, gettext: Gettext) -> str:
    """Why a part is not OK."""
    return translated(reason, REASONS, gettext)


def place_words(place: Placement, gettext: Gettext) -> str:
    """Where the part lay in one view."""
    if not place.found:
        return gettext(N_("not found"))
    return gettext(N_("%(x)s, %(y)s px, %(angle)s° off")) % {
        "x": f"{place.shift_x_px:+.1f}",
        "y": f"{place.shift_y_px:+.1f}",
        "angle": f"{place.angle_deg:+.1f}",
    }


def said(sentence: str, sayings: tuple[Saying, ...], gettext: Gettext) -> tuple[str, str] | None:
    """A known sentence and its advice in the viewer's language; None: it is not known."""
    for each in sayings:
        found = each.pattern.search(sentence.strip())
        if found:
            return gettext(each.what) % found.groupdict(""), gettext(each.todo) if each.todo else ""
    return None


def translated(sentence: str, sayings: tuple[Saying, ...], gettext: Gettext) -> str:
    """A known sentence in the viewer's language; one that is not known as it came."""
    found = said(sentence, sayings, gettext)
    return found[0] if found else sentence
