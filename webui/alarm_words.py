"""The sentences of the alarms in the viewer's language: what happened, why, and what to do, by kind.

Twins of `shift.catalogue`; a test holds them against it. A kind that is not known here is said as shift says it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..bus.shift import Alarm
from .advice import advice
from .kinds import PLACES, kind_word
from .shift_words import detail_words
from .storage_words import CLASSES
from .words import N_, Gettext


@dataclass(frozen=True, slots=True)
class Told:
    """What one alarm says."""

    what: str
    why: str
    todo: str


KIND_WORDS: dict[str, tuple[str, str, str]] = {
    "camera.lost": (
        N_("Camera %(camera)s is lost"),
        N_("It does not answer: %(detail)s"),
        N_("Check its power and its network cable. It comes back by itself; parts are rejected until then."),
    ),
    "camera.fault": (
        N_("Camera %(camera)s has a fault"),
        N_("It says: %(detail)s"),
        N_("Do what the message says, then reset the line. Call the engineer if it comes back."),
    ),
    "trigger.overrun": (
        N_("Parts come too fast or too close"),
        N_("%(count)s parts were triggered while the box could not take them; they were rejected."),
        N_("Slow the line down, or look whether parts touch each other and whether the sensor bounces."),
    ),
    "reject.unconfirmed": (
        N_("A reject was not confirmed"),
        N_("Part %(part)s was to be rejected, and nothing confirms that it left the line."),
        N_(
            "Stop the line, find part %(part)s and take it out. Check the ejector and its sensor, then reset this alarm."  # noqa: E501
        ),
    ),
    "ng.consecutive": (
        N_("%(count)s bad parts in a row"),
        N_("Either the process makes bad parts, or the picture has changed."),
        N_(
            "Look at the last rejects. If they are bad, mend the process; if they are good, check lamp, lens and position."  # noqa: E501
        ),
    ),
    "yield.low": (
        N_("Yield is low: %(yield)s %%"),
        N_("Of the last %(parts)s parts fewer than %(limit)s %% passed."),
        N_("Look at the rejects by class and mend what most of them show."),
    ),
    "model.mismatch": (
        N_("The judge works by another recipe or model than the line"),
        N_("The line wants %(wanted)s, the judge has %(found)s."),
        N_("Change to the product once more. Call the engineer if it stays."),
    ),
    "disk.low": (
        N_("The disk is nearly full"),
        N_("Only %(free)s %% are free. Pictures are given up first, then records."),
        N_("Ask the administrator to lower the retention of pictures or to make room."),
    ),
    "verdict.late": (
        N_("Verdicts come too late"),
        N_("%(count)s parts got no verdict before their deadline of %(deadline)s ms and were rejected."),
        N_("Slow the line down. If it stays, the engineer looks at the computing time."),
    ),
    "verify.overdue": (
        N_("The challenge test is due"),
        N_("It is asked for: %(occasion)s. %(detail)s"),
        N_("Run the challenge test with the test parts of this product."),
    ),
    "verify.failed": (
        N_("The challenge test has failed"),
        N_("%(detail)s"),
        N_(
            "Keep the product since the last good test apart. Find the cause, then repeat the test; the line lead signs."  # noqa: E501
        ),
    ),
    "plc.lost": (
        N_("The PLC does not answer"),
        N_("Its heartbeat has stopped, or nothing is connected."),
        N_("Check whether the PLC runs and its cable is plugged in. Nothing passes until it is back."),
    ),
    "line.fault": (
        N_("The line is in FAULT"),
        N_("Fault %(code)s: the box cannot vouch for the parts any more, so none passes."),
        N_("Read the first reason on the Run screen and mend it, then reset the fault at the PLC or the machine."),
    ),
    "light.failed": (
        N_("The light at camera %(camera)s has changed or failed"),
        N_("%(detail)s"),
        N_("Look at the lamp: is it on, clean and in its place? Have it replaced if it is dim."),
    ),
    "io.silent": (
        N_("The link to the PLC has stopped"),
        N_("The process io does not move any more."),
        N_("Nothing passes. It is started again by itself; call the engineer if it is not back in ten seconds."),
    ),
    "inspect.silent": (
        N_("The judge has stopped"),
        N_("The process inspect does not move any more."),
        N_("Parts are rejected. It is started again by itself; call the engineer if it is not back in ten seconds."),
    ),
    "process.failing": (
        N_("The process %(process)s does not stay up"),
        N_("It ended again and again, last with %(end)s. Since %(since)s UTC it is started only once a minute."),
        N_("Call the administrator. What it said last stands on the Diagnostics screen."),
    ),
    "standby.missing": (
        N_("No second judge stands by"),
        N_("The process inspect-standby is not ready. Parts are judged as before."),
        N_("Call the administrator if it is not back in some minutes: a failure of the judge would take longer now."),
    ),
    "records.silent": (
        N_("Nothing is written down"),
        N_("The process records does not move any more. The line goes on; entries wait in memory."),
        N_("Call the administrator if it is not back in a minute."),
    ),
    "records.away": (
        N_("The disk of the records is not there"),
        N_("The line goes on; entries wait in memory, and are written once it is back. %(detail)s"),
        N_("Call the administrator: the disk has to be mounted again. To begin on another one, restart the box."),
    ),
    "records.stuck": (
        N_("The disk takes no records"),
        N_("The ledger cannot be written. The line goes on; entries wait in memory."),
        N_("Call the administrator: the disk is full or broken."),
    ),
    "records.lost": (
        N_("Records are being lost"),
        N_("%(detail)s"),
        N_("Call the administrator at once, and note the time: parts since then have no record."),
    ),
    "clock.wrong": (
        N_("The clock of the box was set"),
        N_("It jumped by %(seconds)s s. Times in records before and after do not fit together."),
        N_("Check date and time. Nothing on the line depends on them."),
    ),
    "certificate.ends": (
        N_("The certificate of the screens ends on %(date)s"),
        N_("It has %(days)s days left. Once it has ended, browsers elsewhere refuse the screens; the line goes on."),
        N_("Ask the administrator for a new one: Administration, Certificate."),
    ),
    "fleet.halted": (
        N_("A stream to the fleet service stands still"),
        N_("%(detail)s"),
        N_("Call the administrator: somebody has to decide at the service and on the page Fleet. The line goes on."),
    ),
    "fleet.refused": (
        N_("The fleet service does not take this box"),
        N_("%(detail)s"),
        N_("Ask the administrator whether the box was taken out of the fleet, and let it join again: page Fleet."),
    ),
    "model.back": (
        N_("A new model was taken back, or refused"),
        N_("%(detail)s"),
        N_("The line goes on by the last good model. Tell the engineer: Models, How models climb."),
    ),
    "fleet.away": (
        N_("The fleet service has not been reached since %(since)s UTC"),
        N_("%(detail)s"),
        N_("Ask the administrator to look at the network. Nothing is lost: what is owed goes when it is back."),
    ),
    "pictures.soon": (
        N_("Pictures will be deleted in about %(days)s days, before their time"),
        N_("The disk or their quota does not last for as long as the settings promise. Class: %(kind)s."),
        N_("Ask the administrator to make room, or to keep fewer days: Administration, Storage."),
    ),
    "papers.soon": (
        N_("Old back-ups will be deleted in about %(days)s days"),
        N_("%(count)s back-ups are older than the settings keep them. The last one stays."),
        N_("Copy those that are still needed elsewhere, or let papers be kept longer: Administration, Storage."),
    ),
    "pictures.shed": (
        N_("Pictures are given up to make room"),
        N_("%(free)s %% of the disk are free. Pictures of passed parts go first, those of rejects last; rows stay."),
        N_("Ask the administrator to make room, or to keep fewer pictures: Administration, Storage."),
    ),
    "pictures.none": (
        N_("No pictures are kept"),
        N_("The disk is too full or takes nothing: %(free)s %% are free. Rows of parts are still written."),
        N_("Call the administrator: room has to be made before the records stop too."),
    ),
    "unsent.lost": (
        N_("Pictures were given up before the cloud had them"),
        N_("The disk was full to its last reserve: %(count)s pictures went that were not sent yet. They are counted."),
        N_("Find out why nothing is sent: network, address and credentials of the cloud. Make room on the disk."),
    ),
    "ledger.damaged": (
        N_("The ledger was damaged; a fresh one has been begun"),
        N_("%(detail)s"),
        N_(
            "Nothing is to be done at the line. The administrator looks at the disk and keeps the file that was put aside."  # noqa: E501
        ),
    ),
    "backup.failed": (
        N_("The ledger has no fresh copy"),
        N_("%(detail)s"),
        N_("Ask the administrator to look at the second medium: is it plugged in, and is there room on it?"),
    ),
    "clock.doubt": (
        N_("The date and time of the box are not believed"),
        N_("%(detail)s"),
        N_("Ask the administrator to set the clock. The line goes on; nothing is deleted for its age until then."),
    ),
    "escape.reported": (
        N_("A missed defect was reported"),
        N_("%(detail)s"),
        N_("Look at the part and its neighbours, and decide with the engineer whether product is to be held."),
    ),
    "drift": (
        N_("The pictures of camera %(camera)s drift"),
        N_("%(detail)s"),
        N_(
            "Look at the picture: clean the lens, and check focus and position. The engineer may set the reference anew."  # noqa: E501
        ),
    ),
}
"""What, why, what to do, by kind: message ids whose `%(name)s` the alarm fills."""
STATES = {
    "unacknowledged": N_("not acknowledged"),
    "acknowledged": N_("acknowledged"),
    "returned": N_("gone, not acknowledged"),
    "latched": N_("gone, waits for reset"),
    "shelved": N_("shelved"),
    "suppressed": N_("explained by another alarm"),
    "out of service": N_("out of service"),
    "normal": N_("normal"),
}
"""States of an alarm by their names on the bus."""
EVENTS = {
    "raised": N_("raised"),
    "acknowledged": N_("acknowledged"),
    "returned": N_("gone, not acknowledged"),
    "cleared": N_("cleared"),
    "reset": N_("reset"),
    "shelved": N_("shelved"),
    "unshelved": N_("shelving ended"),
    "suppressed": N_("explained by another alarm"),
    "unsuppressed": N_("not explained any more"),
    "out of service": N_("taken out of service"),
    "in service": N_("back in service"),
}
"""What the journal of alarms says."""
OCCURRENCES = ("escape.reported", "trigger.overrun", "verdict.late", "clock.wrong")
"""Kinds that happen and do not last: what to do stays to be done, so nobody is told that it is over by itself."""
PRIORITIES = {1: N_("urgent"), 2: N_("high"), 3: N_("low"), 4: N_("advice")}
SHAPES = {1: "octagon", 2: "triangle", 3: "diamond", 4: "diamond"}
"""A shape for each priority: colour is never alone."""


def alarm_words(alarm: Alarm, gettext: Gettext) -> Told:
    """The three sentences of an alarm that is not normal."""
    return told(alarm.kind, alarm.fill, gettext) or Told(alarm.what, alarm.why, alarm.todo)


def told(kind: str, fill: Mapping[str, str], gettext: Gettext) -> Told | None:
    """The three sentences of a kind, filled; None: this kind is not known."""
    sentences = KIND_WORDS.get(kind)
    if sentences is None:
        return None
    said = _Filled({name: detail_words(text, gettext) for name, text in fill.items()})
    pictures = fill.get("kind", "")
    if kind == "pictures.soon" and pictures in CLASSES:
        said["kind"] = gettext(CLASSES[pictures])
    if kind == "escape.reported":
        said["detail"] = _escape(fill.get("detail", ""), gettext)
    if kind in ("light.failed", "drift"):  # what inspect saw in the pictures has words of its own
        said["detail"] = advice(f"{fill.get('camera', '')}: {fill.get('detail', '')}", gettext).what
    what, why, todo = (gettext(sentence) % said for sentence in sentences)
    return Told(what, why, todo)


def _escape(detail: str, gettext: Gettext) -> str:
    """What was found, where, at which part: `scratch customer 4711`."""
    for code, place in PLACES.items():
        what, found, serial = f"{detail} ".partition(f" {code} ")
        if found:
            return " · ".join(filter(None, (kind_word(what, gettext), gettext(place), serial.strip())))
    return detail


class _Filled(dict[str, str]):
    """What fills the sentences; what is missing is a question mark, not a broken page."""

    def __missing__(self, name: str) -> str:
        return "?"


def localized_shift(payload: Mapping[str, Any], gettext: Gettext) -> Mapping[str, Any]:
    """The news of the shift process with its sentences in the viewer's language."""
    if not payload.get("known"):
        return payload
    alarms = []
    for alarm in payload["alarms"]:
        found = told(alarm["kind"], alarm["fill"], gettext)
        words = {"what": found.what, "why": found.why, "todo": found.todo} if found else {}
        alarms.append({**alarm, **words, "shape": SHAPES.get(alarm["priority"], "triangle")})
        alarms[-1]["once"] = alarm["kind"] in OCCURRENCES
    return {
        **payload,
        "alarms": alarms,
        "challenge": _with_detail(payload["challenge"], gettext),
        "change": _with_detail(payload["change"], gettext),
    }


def _with_detail(said: Mapping[str, Any], gettext: Gettext) -> dict[str, Any]:
    return {**said, "detail": detail_words(said["detail"], gettext)}
