"""Every alarm there is: what happened, why, and what a person is to do about it. An NG part is not among them.

Each needs somebody's action; what needs none is no alarm. Priority 1 urgent, 2 high, 3 low, 4 advisory.
"""

import re
from dataclasses import dataclass

from ..bus.clock import SECOND


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of alarm. The sentences are English; the screens keep their twins in other languages."""

    name: str
    priority: int
    what: str
    why: str
    todo: str
    latched: bool = False
    """It waits for a reset after its cause is gone."""
    on_ns: int = 0
    """The cause has to stand so long before it counts."""
    off_ns: int = 2 * SECOND
    """It has to be gone so long before it is."""
    deadband: float = 0.0
    """How far beyond its limit a figure has to come back, in the figure's unit."""
    explained_by: tuple[str, ...] = ()
    """Kinds that explain this one: while such an alarm stands, this one is suppressed by design."""
    shelvable: bool = True

    @property
    def fills(self) -> tuple[str, ...]:
        """Names that its sentences want filled in."""
        return tuple(dict.fromkeys(_FILL.findall(self.what + self.why + self.todo)))


_FILL = re.compile(r"%\((\w+)\)s")
_DARK = ("io.silent",)

_ALL = (
    Kind(
        "camera.lost",
        1,
        "Camera %(camera)s is lost",
        "It does not answer: %(detail)s",
        "Check its power and its network cable. It comes back by itself; parts are rejected until then.",
        on_ns=SECOND,
    ),
    Kind(
        "camera.fault",
        1,
        "Camera %(camera)s has a fault",
        "It says: %(detail)s",
        "Do what the message says, then reset the line. Call the engineer if it comes back.",
        on_ns=SECOND,
    ),
    Kind(
        "trigger.overrun",
        2,
        "Parts come too fast or too close",
        "%(count)s parts were triggered while the box could not take them; they were rejected.",
        "Slow the line down, or look whether parts touch each other and whether the sensor bounces.",
        off_ns=20 * SECOND,
        explained_by=_DARK,
    ),
    Kind(
        "reject.unconfirmed",
        1,
        "A reject was not confirmed",
        "Part %(part)s was to be rejected, and nothing confirms that it left the line.",
        "Stop the line, find part %(part)s and take it out. Check the ejector and its sensor, then reset this alarm.",
        latched=True,
        off_ns=5 * SECOND,
        shelvable=False,
    ),
    Kind(
        "ng.consecutive",
        2,
        "%(count)s bad parts in a row",
        "Either the process makes bad parts, or the picture has changed.",
        "Look at the last rejects. If they are bad, mend the process; if they are good, check lamp, lens and position.",
        off_ns=0,
    ),
    Kind(
        "yield.low",
        3,
        "Yield is low: %(yield)s %%",
        "Of the last %(parts)s parts fewer than %(limit)s %% passed.",
        "Look at the rejects by class and mend what most of them show.",
        on_ns=5 * SECOND,
        deadband=5.0,
        explained_by=_DARK,
    ),
    Kind(
        "model.mismatch",
        1,
        "The judge works by another recipe or model than the line",
        "The line wants %(wanted)s, the judge has %(found)s.",
        "Change to the product once more. Call the engineer if it stays.",
        on_ns=5 * SECOND,
        explained_by=("io.silent", "inspect.silent"),
    ),
    Kind(
        "disk.low",
        2,
        "The disk is nearly full",
        "Only %(free)s %% are free. Pictures are given up first, then records.",
        "Ask the administrator to lower the retention of pictures or to make room.",
        on_ns=5 * SECOND,
        deadband=2.0,
        explained_by=("records.away",),
    ),
    Kind(
        "verdict.late",
        2,
        "Verdicts come too late",
        "%(count)s parts got no verdict before their deadline of %(deadline)s ms and were rejected.",
        "Slow the line down. If it stays, the engineer looks at the computing time.",
        off_ns=20 * SECOND,
        explained_by=("io.silent", "inspect.silent", "camera.lost"),
    ),
    Kind(
        "verify.overdue",
        2,
        "The challenge test is due",
        "It is asked for: %(occasion)s. %(detail)s",
        "Run the challenge test with the test parts of this product.",
        off_ns=0,
        shelvable=False,
    ),
    Kind(
        "verify.failed",
        1,
        "The challenge test has failed",
        "%(detail)s",
        "Keep the product since the last good test apart. Find the cause, then repeat the test; the line lead signs.",
        latched=True,
        off_ns=0,
        shelvable=False,
    ),
    Kind(
        "plc.lost",
        1,
        "The PLC does not answer",
        "Its heartbeat has stopped, or nothing is connected.",
        "Check whether the PLC runs and its cable is plugged in. Nothing passes until it is back.",
        on_ns=2 * SECOND,
        explained_by=_DARK,
    ),
    Kind(
        "line.fault",
        1,
        "The line is in FAULT",
        "Fault %(code)s: the box cannot vouch for the parts any more, so none passes.",
        "Read the first reason on the Run screen and mend it, then reset the fault at the PLC or the machine.",
        on_ns=SECOND,
        off_ns=0,
        explained_by=_DARK,
    ),
    Kind(
        "light.failed",
        1,
        "The light at camera %(camera)s has changed or failed",
        "%(detail)s",
        "Look at the lamp: is it on, clean and in its place? Have it replaced if it is dim.",
        on_ns=2 * SECOND,
        off_ns=5 * SECOND,
        explained_by=("inspect.silent",),
    ),
    Kind(
        "io.silent",
        1,
        "The link to the PLC has stopped",
        "The process io does not move any more.",
        "Nothing passes. It is started again by itself; call the engineer if it is not back in ten seconds.",
        on_ns=2 * SECOND,
    ),
    Kind(
        "inspect.silent",
        1,
        "The judge has stopped",
        "The process inspect does not move any more.",
        "Parts are rejected. It is started again by itself; call the engineer if it is not back in ten seconds.",
        on_ns=2 * SECOND,
    ),
    Kind(
        "process.failing",
        2,
        "The process %(process)s does not stay up",
        "It ended again and again, last with %(end)s. Since %(since)s UTC it is started only once a minute.",
        "Call the administrator. What it said last stands on the Diagnostics screen.",
        off_ns=10 * SECOND,
        shelvable=False,
    ),
    Kind(
        "standby.missing",
        3,
        "No second judge stands by",
        "The process inspect-standby is not ready. Parts are judged as before.",
        "Call the administrator if it is not back in some minutes: a failure of the judge would take longer now.",
        on_ns=60 * SECOND,
        explained_by=("inspect.silent",),
    ),
    Kind(
        "records.silent",
        2,
        "Nothing is written down",
        "The process records does not move any more. The line goes on; entries wait in memory.",
        "Call the administrator if it is not back in a minute.",
        on_ns=5 * SECOND,
    ),
    Kind(
        "records.away",
        2,
        "The disk of the records is not there",
        "The line goes on; entries wait in memory, and are written once it is back. %(detail)s",
        "Call the administrator: the disk has to be mounted again. To begin on another one, restart the box.",
        on_ns=2 * SECOND,
        explained_by=("records.silent",),
    ),
    Kind(
        "records.stuck",
        2,
        "The disk takes no records",
        "The ledger cannot be written. The line goes on; entries wait in memory.",
        "Call the administrator: the disk is full or broken.",
        on_ns=2 * SECOND,
        explained_by=("records.silent", "records.away"),
    ),
    Kind(
        "records.lost",
        1,
        "Records are being lost",
        "%(detail)s",
        "Call the administrator at once, and note the time: parts since then have no record.",
        latched=True,
        explained_by=_DARK,
        shelvable=False,
    ),
    Kind(
        "clock.wrong",
        4,
        "The clock of the box was set",
        "It jumped by %(seconds)s s. Times in records before and after do not fit together.",
        "Check date and time. Nothing on the line depends on them.",
        off_ns=60 * SECOND,
    ),
    Kind(
        "certificate.ends",
        3,
        "The certificate of the screens ends on %(date)s",
        "It has %(days)s days left. Once it has ended, browsers elsewhere refuse the screens; the line goes on.",
        "Ask the administrator for a new one: Administration, Certificate.",
        off_ns=0,
    ),
    Kind(
        "fleet.halted",
        3,
        "A stream to the fleet service stands still",
        "%(detail)s",
        "Call the administrator: somebody has to decide at the service and on the page Fleet. The line goes on.",
        off_ns=0,
    ),
    Kind(
        "model.back",
        3,
        "A new model was taken back, or refused",
        "%(detail)s",
        "The line goes on by the last good model. Tell the engineer: Models, How models climb.",
        off_ns=0,
    ),
    Kind(
        "fleet.refused",
        3,
        "The fleet service does not take this box",
        "%(detail)s",
        "Ask the administrator whether the box was taken out of the fleet, and let it join again: page Fleet.",
        on_ns=30 * SECOND,
        off_ns=10 * SECOND,
    ),
    Kind(
        "fleet.away",
        4,
        "The fleet service has not been reached since %(since)s UTC",
        "%(detail)s",
        "Ask the administrator to look at the network. Nothing is lost: what is owed goes when it is back.",
        on_ns=3600 * SECOND,
        off_ns=60 * SECOND,
    ),
    Kind(
        "pictures.soon",
        4,
        "Pictures will be deleted in about %(days)s days, before their time",
        "The disk or their quota does not last for as long as the settings promise. Class: %(kind)s.",
        "Ask the administrator to make room, or to keep fewer days: Administration, Storage.",
        on_ns=60 * SECOND,
        off_ns=600 * SECOND,
        explained_by=("pictures.shed", "disk.low"),
    ),
    Kind(
        "papers.soon",
        4,
        "Old back-ups will be deleted in about %(days)s days",
        "%(count)s back-ups are older than the settings keep them. The last one stays.",
        "Copy those that are still needed elsewhere, or let papers be kept longer: Administration, Storage.",
        on_ns=60 * SECOND,
        off_ns=600 * SECOND,
    ),
    Kind(
        "pictures.shed",
        3,
        "Pictures are given up to make room",
        "%(free)s %% of the disk are free. Pictures of passed parts go first, those of rejects last; rows stay.",
        "Ask the administrator to make room, or to keep fewer pictures: Administration, Storage.",
        on_ns=5 * SECOND,
        off_ns=60 * SECOND,
        explained_by=("disk.low", "pictures.none", "records.silent"),
    ),
    Kind(
        "pictures.none",
        2,
        "No pictures are kept",
        "The disk is too full or takes nothing: %(free)s %% are free. Rows of parts are still written.",
        "Call the administrator: room has to be made before the records stop too.",
        on_ns=5 * SECOND,
        explained_by=("records.away", "records.stuck", "records.silent"),
    ),
    Kind(
        "unsent.lost",
        2,
        "Pictures were given up before the cloud had them",
        "The disk was full to its last reserve: %(count)s pictures went that were not sent yet. They are counted.",
        "Find out why nothing is sent: network, address and credentials of the cloud. Make room on the disk.",
        latched=True,
        off_ns=5 * SECOND,
    ),
    Kind(
        "ledger.damaged",
        2,
        "The ledger was damaged; a fresh one has been begun",
        "%(detail)s",
        "Nothing is to be done at the line. The administrator looks at the disk and keeps the file that was put aside.",
        latched=True,
        off_ns=5 * SECOND,
    ),
    Kind(
        "backup.failed",
        3,
        "The ledger has no fresh copy",
        "%(detail)s",
        "Ask the administrator to look at the second medium: is it plugged in, and is there room on it?",
        on_ns=5 * SECOND,
        explained_by=("records.silent",),
    ),
    Kind(
        "clock.doubt",
        3,
        "The date and time of the box are not believed",
        "%(detail)s",
        "Ask the administrator to set the clock. The line goes on; nothing is deleted for its age until then.",
        on_ns=5 * SECOND,
        explained_by=("records.silent",),
    ),
    Kind(
        "escape.reported",
        4,
        "A missed defect was reported",
        "%(detail)s",
        "Look at the part and its neighbours, and decide with the engineer whether product is to be held.",
        off_ns=0,
    ),
    Kind(
        "drift",
        4,
        "The pictures of camera %(camera)s drift",
        "%(detail)s",
        "Look at the picture: clean the lens, and check focus and position. The engineer may set the reference anew.",
        on_ns=300 * SECOND,  # one that comes and goes would teach people to overlook the band
        off_ns=600 * SECOND,
        explained_by=("inspect.silent", "light.failed"),
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
"""Every kind by its name."""
