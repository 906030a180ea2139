"""Everything of this room put together: what is heard and asked comes in, what io and the screens are told goes out.

Pure but for the diary: clock and sockets are outside. The line is let go (a mode without rejects for all, READY no more
held) only after io has said that it goes by the stricter word before.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ..bus.clock import SECOND, utc_text
from ..bus.errors import Refused
from ..bus.heartbeat import Beat
from ..bus.messages import Health, Hold, InspectState, JobAnswer, JobAsk, StationState
from ..bus.part import Record
from ..bus.shift import LineMode, Mode, ShiftState
from .alarms import AlarmBook
from .bypass import Bypass
from .challenge import Challenge
from .changeover import APPLY, RELEASE, TEST, Changes
from .diary import Diary
from .note import Note
from .options import ShiftOptions
from .readiness import Readiness
from .rota import shift_at
from .samples import TestPart, as_body, samples_name
from .sources import Sources

KEPT = "shift"
"""Name of the snapshot in the ledger."""
HOLDER, OPERATOR = "shift", "operator"
REPEAT_NS = SECOND
STATE_NS = SECOND // 2
SNAPSHOT_NS = 20 * SECOND
"""What runs out (shelving, a bypass, an interval) is kept anew so often."""
ASK_NS = SECOND
SEEK_NS = SECOND // 4

Samples = Callable[[str], tuple[TestPart, ...] | None]
"""The test parts of a recipe, as the ledger keeps them; None: it cannot be read now. Never raises, never waits long."""


class Foreman:
    """One line. One thread: `hear`, `look`, `turn`; `Desk` handlers in between."""

    def __init__(
        self,
        options: ShiftOptions,
        cameras: tuple[str, ...],
        jobs: Collection[int],
        diary: Diary,
        *,
        samples: Samples,
        seq_of: Callable[[int, int], int],
        now_ns: int,
        boot: str,
    ) -> None:
        """jobs: numbers of the settings. seq_of: a part's by number and moment of its trigger; 0: not there yet."""
        self.options, self.diary = options, diary
        self.alarms = AlarmBook()
        self.sources = Sources(options.alarms, cameras, now_ns)
        self.challenge = Challenge(options.challenge)
        self.changes = Changes(jobs)
        self.bypass = Bypass(options.bypass_most_min)
        self.readiness = Readiness()
        self.lot = self.lot_since = self.stopped_by = ""
        self.shift = self.shift_since = ""
        self._samples, self._seq_of, self._boot = samples, seq_of, boot
        self._epoch = ""
        self._job: tuple[str, str, str] | None = None
        """Recipe, revision and model that the tests so far were of."""
        self._kept_boot = self._kept_epoch = ""
        self.last_utc = ""
        """When the snapshot that was restored was made; empty: there was none."""
        self._out: list[object] = []
        self._said: dict[str, tuple[object, int]] = {}
        self._notes: list[tuple[str, Note]] = []
        self._apply_ticket: int | None = None
        self._ask_ns = self._token = self._sought_ns = 0
        self._kept_ns = now_ns
        self._asked = 0
        self._letting_go: int | None = None
        self._unread, self._read_ns = False, 0
        self._set: dict[str, tuple[TestPart, ...]] = {}
        """Test parts that were set here, by recipe: the ledger may have them a little later."""

    # -- what comes in -----------------------------------------------------------------------------------------------

    def hear(self, message: object, now_ns: int, utc: str) -> None:
        """Take a message of the bus."""
        self.sources.hear(message, now_ns)
        if isinstance(message, StationState):
            self._hear_station(message, now_ns)
        elif isinstance(message, Record):
            self.challenge.record(message, utc, now_ns)
        elif isinstance(message, JobAnswer) and message.who == HOLDER and message.token == self._token:
            self.changes.answered(message)
            self._token = 0
        elif isinstance(message, JobAnswer) and message.who != HOLDER and not message.done:
            # Asked for by the PLC or the MES: it stands in the journal, sealed, as what people ask for does.
            active = 0 if self.sources.station is None else self.sources.station.job_number
            body = {"from": active, "to": message.number, "step": 0, "why": message.detail}
            self.note("change", "refused", message.who, body)
        elif isinstance(message, InspectState):
            self._hear_judge(message)

    def look(self, beats: Mapping[str, Beat], free_percent: float, utc_ns: int, now_ns: int) -> None:
        """Take heartbeats, the disk and the wall clock."""
        self.sources.look(beats, free_percent)
        self.sources.clock(utc_ns, now_ns)

    def note(self, stream: str, event: str, who: str, body: dict[str, Any]) -> None:
        """Have something written down that a person did."""
        self._notes.append((stream, Note(event, body, who)))

    def forgot_a_stop(self, now_ns: int) -> bool:
        """A person stopped the inspection, and what was said of it was lost with us: it is let go now."""
        station = self.sources.fresh(now_ns)
        held = station is not None and any(reason.startswith(f"{OPERATOR} holds") for reason in station.reasons)
        if held:
            self._said[f"hold {OPERATOR}"] = Hold(OPERATOR, True, ""), 0
        return held

    def begin_lot(self, lot: str, who: str, utc: str) -> None:
        """From now on it is that lot; empty: none."""
        self.note("lot", "begun" if lot else "ended", who, {"lot": lot, "before": self.lot, "since": self.lot_since})
        self.lot, self.lot_since = lot, utc if lot else ""

    def set_samples(self, recipe: str, parts: tuple[TestPart, ...], who: str) -> None:
        """These are the test parts of a recipe from now on. Refused: a test with the others is running."""
        if recipe == self.challenge.recipe and self.challenge.phase == "running":
            raise Refused("a challenge test is running: finish it or break it off")
        self.diary.keep(samples_name(recipe), as_body(parts))
        self._set[recipe] = parts
        self.note("challenge", "samples set", who, {"of": recipe, **as_body(parts)})
        if recipe == self.challenge.recipe:
            self._unread = False
            self.challenge.product(recipe, parts)

    def keep(self, now_ns: int, utc: str) -> int:
        """Put the snapshot into the diary; return its ticket."""
        self._kept_ns = now_ns
        return self.diary.keep(KEPT, self.snapshot(now_ns, utc))

    # -- what goes out -----------------------------------------------------------------------------------------------

    def turn(self, now_ns: int, utc: str) -> list[object]:
        """Let time pass; return what is to be published, in this order."""
        self.bypass.turn(now_ns, utc)
        self.challenge.turn(now_ns)
        self._look_at_the_shift(now_ns, utc)
        self._look_whether_ready(now_ns, utc)
        if self.challenge.seeks and now_ns - self._sought_ns >= SEEK_NS:
            self._sought_ns = now_ns
            self.challenge.locate(self._seq_of)
        if self.challenge.phase in ("passed", "unsigned"):
            self.changes.tested()
        elif self.challenge.phase in ("due", "failed"):
            self.changes.untested()
        self._raise(now_ns, utc)
        if self._write(now_ns, utc) or now_ns - self._kept_ns >= SNAPSHOT_NS:
            self.keep(now_ns, utc)
        self._command(now_ns, utc)
        out, self._out = self._out, []
        return out

    def state(self, now_ns: int, utc: str) -> ShiftState:
        """For the screens."""
        left_ns = self.challenge.left_ns(now_ns)
        return ShiftState(
            at_ns=now_ns,
            alarms=self.alarms.alarms(),
            challenge=self.challenge.state("" if left_ns is None else utc_after(utc, left_ns)),
            change=self.changes.state(),
            mode=self._mode(),
            lot=self.lot,
            lot_since=self.lot_since,
            shift=self.shift,
            shift_since=self.shift_since,
            stopped_by=self.stopped_by,
            hourly=self.alarms.hourly(now_ns),
        )

    def snapshot(self, now_ns: int, utc: str) -> dict[str, Any]:
        """All that has to outlive this process, as plain data."""
        return {
            "at": utc,
            "boot": self._boot,
            "epoch": self._epoch or self._kept_epoch,
            "job": list(self._job or ()),
            "alarms": self.alarms.snapshot(now_ns),
            "challenge": self.challenge.snapshot(now_ns),
            "change": self.changes.snapshot(),
            "bypass": self.bypass.snapshot(now_ns),
            "lot": [self.lot, self.lot_since],
            "shift": [self.shift, self.shift_since],
            "stopped_by": self.stopped_by,
        }

    def restore(self, kept: dict[str, Any] | None, now_ns: int, utc: str) -> None:
        """Go on from a snapshot. What is not of its shape is left out, and said; None: there was none."""
        if kept is not None:
            job = kept.get("job")
            self._job = (str(job[0]), str(job[1]), str(job[2])) if isinstance(job, list) and len(job) == 3 else None
            away_ns = max(0, int((_seconds(utc) - _seconds(str(kept.get("at", utc)))) * SECOND))
            self.last_utc = str(kept.get("at", ""))
            self._kept_boot, self._kept_epoch = str(kept.get("boot", "")), str(kept.get("epoch", ""))
            self.alarms.restore(list(kept.get("alarms", [])), now_ns)
            self._shift_names(kept)
            for name, take in (
                ("challenge", lambda each: self.challenge.restore(each, now_ns, away_ns)),
                ("change", self.changes.restore),
                ("bypass", lambda each: self.bypass.restore(each, now_ns, away_ns)),
            ):
                try:
                    take(kept.get(name, {}))
                except (KeyError, TypeError, ValueError) as error:
                    self.note("shift", "not restored", "", {"what": name, "why": str(error)})
                    if name != "bypass":
                        self.challenge.forgotten()
        if self._kept_boot != self._boot:
            self.challenge.occur("start")

    def forgot(self) -> None:
        """There is a ledger, and what it keeps of us cannot be had: what was due or had failed may be in it."""
        self.challenge.forgotten()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _shift_names(self, kept: dict[str, Any]) -> None:
        lot, shift = kept.get("lot"), kept.get("shift")
        if isinstance(lot, list) and len(lot) == 2:
            self.lot, self.lot_since = str(lot[0]), str(lot[1])
        if isinstance(shift, list) and len(shift) == 2:
            self.shift, self.shift_since = str(shift[0]), str(shift[1])
        self.stopped_by = str(kept.get("stopped_by", ""))

    def _hear_station(self, state: StationState, now_ns: int) -> None:
        if state.epoch != self._epoch:
            again = self._epoch or (self._kept_epoch if self._kept_boot == self._boot else "")
            self._epoch = state.epoch
            # It knows nothing of us: all is said again at once.
            self._said = {name: (message, now_ns - REPEAT_NS) for name, (message, _) in self._said.items()}
            if again and again != state.epoch:
                self.challenge.disturbed("io was started again")
                self.challenge.occur("restart")
        if state.job.recipe != self.challenge.recipe or (self._unread and now_ns - self._read_ns >= SECOND):
            self._read_samples(state.job.recipe, now_ns)
        job = (state.job.recipe, state.job.revision, state.job.model)
        if job != self._job:
            known, self._job = self._job is not None, job
            if known:  # also while we were away
                self.challenge.disturbed("the product was changed")
                self.challenge.occur("changeover")
        self.changes.seen(state.job_number)

    def _read_samples(self, recipe: str, now_ns: int) -> None:
        found = self._set[recipe] if recipe in self._set else self._samples(recipe)
        self._unread, self._read_ns = found is None, now_ns
        self.challenge.product(recipe, found or ())

    def _hear_judge(self, state: InspectState) -> None:
        station = self.sources.station
        if station is None or not self.changes.applied or self.changes.step != APPLY:
            return
        if state.health is Health.READY and state.job == station.job and station.job_number == self.changes.to_number:
            test = "changeover" in self.options.challenge.occasions
            if test:
                self.challenge.disturbed("the product was changed")
                self.challenge.occur("changeover")
            self.changes.ready(test=test)

    def _look_at_the_shift(self, now_ns: int, utc: str) -> None:
        name, begin = shift_at(self.options.calendar, _seconds(utc))
        since = "" if begin is None else utc_text(begin)
        if (name, since) != (self.shift, self.shift_since):
            before, self.shift, self.shift_since = self.shift, name, since
            if name:
                self.note("shift", "begun", "", {"shift": name, "since": since})
            if before and name:
                self.challenge.occur("start")

    def _look_whether_ready(self, now_ns: int, utc: str) -> None:
        station = self.sources.fresh(now_ns)
        ready, reasons = (None, ()) if station is None else (station.ready, station.reasons)
        self.readiness.turn(ready=ready, reasons=reasons, now_ns=now_ns, utc=utc, seen_until=self.last_utc)

    def _raise(self, now_ns: int, utc: str) -> None:
        challenge = self.challenge
        due = challenge.overdue(now_ns) and challenge.phase != "running"
        fill = {"occasion": challenge.occasion or "interval", "detail": challenge.detail}
        self.sources.say("verify.overdue", fill if due else None)
        self.sources.say("verify.failed", {"detail": challenge.failed} if challenge.failed else None)
        self.alarms.update(self.sources.causes(now_ns), now_ns, utc)

    def _write(self, now_ns: int, utc: str) -> bool:
        wrote = False
        for event in self.alarms.events():
            wrote = True
            self.diary.add("alarm", event.key, event.event, asdict(event), event.who)
        streams = (
            ("challenge", self.challenge),
            ("change", self.changes),
            ("bypass", self.bypass),
            ("line", self.readiness),
        )
        for stream, source in streams:
            self._notes += [(stream, note) for note in source.notes()]
        for stream, note in self._notes:
            wrote = True
            key = self.challenge.recipe if stream == "challenge" else ""
            self.diary.add(stream, key, note.event, {"at": utc, **note.body}, note.who)
        self._notes.clear()
        return wrote

    def _mode(self) -> LineMode:
        if self.bypass.on:
            return LineMode(Mode.BYPASS, self.bypass.who, self.bypass.reason, self.bypass.until_ns)
        if self.challenge.phase == "running":
            return LineMode(Mode.CHALLENGE, self.challenge.who, "challenge test", 0)
        return LineMode(Mode.PRODUCTION, "", "", 0)

    @property
    def _mode_said(self) -> Mode | None:
        said = self._said.get("mode")
        return said[0].mode if said is not None and isinstance(said[0], LineMode) else None

    def _command(self, now_ns: int, utc: str) -> None:
        """Mode, holds and job for io: a hold goes on before the mode gets looser, and off only after it is stricter."""
        mode, station = self._mode(), self.sources.fresh(now_ns)
        why = self._why_held(station, now_ns, utc)
        self._say_hold(HOLDER, why, now_ns)
        tests = self._mode_said is Mode.CHALLENGE or (station is not None and station.mode == Mode.CHALLENGE)
        loosens = tests and mode.mode is Mode.PRODUCTION
        if loosens and why and (station is None or station.ready):
            mode = LineMode(Mode.CHALLENGE, "", "challenge test", 0)  # until io has taken the hold
        self._repeat("mode", mode, now_ns)
        self._say_hold(OPERATOR, f"stopped by {self.stopped_by}" if self.stopped_by else "", now_ns)
        self._ask_job(now_ns, utc)

    def _why_held(self, station: StationState | None, now_ns: int, utc: str) -> str:
        challenge, changes = self.challenge, self.changes
        if challenge.phase == "running":
            self._letting_go = None
            if changes.holds and changes.step not in (TEST, RELEASE):
                return changes.holds
            strict = station is not None and station.mode == Mode.CHALLENGE
            return "" if strict else "the line is being set to test parts"
        why = challenge.holds or changes.holds
        if why or not self._holding:
            self._letting_go = None
            return why
        if self._letting_go is None:
            self._letting_go = self.keep(now_ns, utc)
        return "the release is being written down" if self.diary.written < self._letting_go else ""

    @property
    def _holding(self) -> bool:
        said = self._said.get(f"hold {HOLDER}")
        return said is not None and isinstance(said[0], Hold) and said[0].held

    def _say_hold(self, who: str, why: str, now_ns: int) -> None:
        before = self._said.get(f"hold {who}")
        if why or before is not None:
            self._repeat(f"hold {who}", Hold(who, bool(why), why), now_ns)
        elif who == HOLDER:
            self._repeat(f"hold {who}", Hold(who, False, ""), now_ns)  # io may wait for our first word

    def _repeat(self, name: str, message: object, now_ns: int) -> None:
        said = self._said.get(name)
        if said is None or said[0] != message or now_ns - said[1] >= REPEAT_NS:
            self._said[name] = message, now_ns
            self._out.append(message)

    def _ask_job(self, now_ns: int, utc: str) -> None:
        """Ask io for the job the change-over wants, once the ledger knows the way back."""
        wanted = self.changes.wanted
        if not wanted:
            self._apply_ticket, self._token = None, 0
            return
        if self._apply_ticket is None:
            self._apply_ticket = self.keep(now_ns, utc)
        station = self.sources.fresh(now_ns)
        if station is None or station.ready:
            return  # io has not taken the hold yet
        if wanted == self.changes.to_number and self.diary.written < self._apply_ticket:
            return
        if not self._token or self._asked != wanted:
            self._token, self._asked = now_ns // 1000 % 65535 + 1, wanted
        elif now_ns - self._ask_ns < ASK_NS:
            return
        self._ask_ns = now_ns
        self._out.append(JobAsk(wanted, self._token, HOLDER))


def _seconds(utc: str) -> float:
    try:
        return datetime.fromisoformat(utc).timestamp()
    except ValueError:
        return 0.0


def utc_after(utc: str, span_ns: int) -> str:
    """The moment so much later, as `bus.clock.utc_now` writes it."""
    return utc_text(datetime.fromtimestamp(_seconds(utc) + span_ns / SECOND, UTC))
