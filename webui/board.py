"""The board: what is known of the line right now, from what the other processes say. No thread, no clock, no I/O."""

from collections import OrderedDict, deque
from dataclasses import dataclass, replace

from ..bus.clock import MS
from ..bus.messages import CameraState, Counters, FrameLost, FrameReady, InspectState, RecordsState, StationState, Work
from ..bus.part import Action, Defect, Disposition, Outcome, Record, Trigger, Verdict, Why
from ..bus.shift import ShiftState
from .result import Result, with_codes, with_frame, with_verdict

REMEMBERED = 256
"""Parts whose pieces are still being put together; the oldest is dropped."""
WORKS = 16
"""Pieces of long work that are remembered."""
FILM = 8
"""Rejects in the film strip."""
MINUTES = 60
"""Length of the trend."""
MINUTE_NS = 60_000 * MS


@dataclass(frozen=True, slots=True)
class Minute:
    """What became of the parts of one minute."""

    number: int
    """Minutes on the monotonic clock."""
    ok: int = 0
    ng: int = 0
    unjudged: int = 0


@dataclass(slots=True)
class Kinds:
    """What the NG parts of one minute had."""

    number: int
    """Minutes on the monotonic clock."""
    counts: dict[tuple[str, str], int]
    """NG parts by class and region of their first defect."""


class Board:
    """Takes every message once, in the order it came. One thread."""

    def __init__(self, cameras: int = 1) -> None:
        """cameras: how many see each part."""
        self._seen_by = cameras
        self.station: StationState | None = None
        self.station_at_ns = 0
        """When the station last spoke; 0: never."""
        self.inspect: InspectState | None = None
        self.inspect_at_ns = 0
        self.cameras: dict[str, CameraState] = {}
        self.shift: ShiftState | None = None
        self.shift_at_ns = 0
        self.records: RecordsState | None = None
        self.records_at_ns = 0
        self.work: OrderedDict[str, Work] = OrderedDict()
        """Long work of the workshop by its id, the newest last."""
        self.latest: Result | None = None
        """The part whose verdict or disposition came last."""
        self.last_ng: Result | None = None
        self.fresh_ng: Result | None = None
        """An NG that has not been shown yet; whoever shows it sets this to None."""
        self.rejects: deque[Result] = deque(maxlen=FILM)
        """Newest first."""
        self.minutes: deque[Minute] = deque(maxlen=MINUTES)
        """Oldest first; minutes without a part are missing."""
        self.kinds: deque[Kinds] = deque(maxlen=MINUTES)
        """Oldest first; minutes without an NG part are missing."""
        self.counted_from: Counters | None = None
        """Counters of this run of io when it was first heard."""
        self.resets = 0
        """How often the counters began anew within a run of io."""
        self.free_run: FrameReady | None = None
        self._parts: OrderedDict[int, Result] = OrderedDict()

    def take(self, message: object, at_ns: int) -> None:
        """Put one message where it belongs. What the board has no place for is ignored."""
        match message:
            case Trigger():
                self._trigger(message)
            case FrameReady():
                self._frame(message)
            case FrameLost():
                known = self._known(message.part, message.triggered_at_ns)
                reasons = (f"no picture: {message.reason}",)
                self._keep(known if known.verdicts else replace(known, camera=message.camera, reasons=reasons))
            case Verdict():
                self._verdict(message)
            case Disposition():
                self._disposition(message)
            case Record():
                self._record(message, at_ns)
            case StationState():
                self._station(message, at_ns)
            case InspectState():
                self.inspect, self.inspect_at_ns = message, at_ns
            case CameraState():
                self.cameras[message.camera] = message
            case ShiftState():
                self.shift, self.shift_at_ns = message, at_ns
            case RecordsState():
                self.records, self.records_at_ns = message, at_ns
            case Work():
                self.work[message.id] = message
                self.work.move_to_end(message.id)
                while len(self.work) > WORKS:
                    self.work.popitem(last=False)
            case _:
                pass

    def result(self, part: int) -> Result | None:
        """What is known of a part, if it is not forgotten yet."""
        return self._parts.get(part)

    def _keep(self, result: Result) -> Result:
        self._parts[result.part] = result
        self._parts.move_to_end(result.part)
        while len(self._parts) > REMEMBERED:
            self._parts.popitem(last=False)
        return result

    def _known(self, part: int, triggered_ns: int) -> Result:
        """The part's entry; a number that is used again is a new part."""
        known = self._parts.get(part)
        if known is None or (triggered_ns and known.triggered_ns and known.triggered_ns != triggered_ns):
            return Result(part, triggered_ns)
        return replace(known, triggered_ns=known.triggered_ns or triggered_ns)

    def _trigger(self, trigger: Trigger) -> None:
        known = self._known(trigger.part, trigger.at_ns)
        self._keep(replace(known, budget_ms=(trigger.deadline_ns - trigger.at_ns) / MS))

    def _frame(self, ready: FrameReady) -> None:
        if ready.part == 0:
            self.free_run = ready
            return
        known = self._known(ready.part, ready.triggered_at_ns)
        self._keep(with_frame(known, ready))

    def _verdict(self, verdict: Verdict) -> None:
        known = self._known(verdict.part, verdict.triggered_at_ns)
        job = self.station.job if self.station else self.inspect.job if self.inspect else None
        result = self._keep(with_verdict(known, verdict, self._seen_by, job.agreements if job else ()))
        # A part that not all its cameras have judged yet has nothing to show, unless it is decided already.
        if result.outcome or result.action:
            self._show(result)

    def _disposition(self, disposition: Disposition) -> None:
        known = self._known(disposition.part, 0)
        outcome = known.outcome or str(_outcome_of(disposition))
        self._decided(replace(known, outcome=outcome, action=str(disposition.action), why=str(disposition.why)))

    def _record(self, record: Record, at_ns: int) -> None:
        known = self._known(record.trigger.part, record.trigger.at_ns)
        if not known.delivery and str(record.disposition.why) == Why.NG:
            self._note_kind(known.defects or (record.verdict.defects if record.verdict else ()), at_ns)
        judged = record.verdict
        outcome = known.outcome or str(judged.outcome if judged else _outcome_of(record.disposition))
        if judged is not None:
            known = with_codes(replace(known, decided_by=judged.camera), judged.codes)
        self._decided(
            replace(
                known,
                outcome=outcome,
                reasons=known.reasons or (judged.reasons if judged else ()),
                action=str(record.disposition.action),
                why=str(record.disposition.why),
                delivery=str(record.receipt.delivery),
                confirmed=record.receipt.confirmed,
            )
        )

    def _note_kind(self, defects: tuple[Defect, ...], at_ns: int) -> None:
        """Once for each NG part, when its record comes."""
        number = at_ns // MINUTE_NS
        if not self.kinds or self.kinds[-1].number != number:
            self.kinds.append(Kinds(number, {}))
        key = (defects[0].kind, defects[0].region) if defects else ("", "")
        counts = self.kinds[-1].counts
        counts[key] = counts.get(key, 0) + 1

    def _decided(self, result: Result) -> None:
        self._show(self._keep(result))
        if result.action != Action.REJECT:
            return
        for place, shown in enumerate(self.rejects):
            if shown.part == result.part and shown.triggered_ns == result.triggered_ns:
                self.rejects[place] = result
                return
        self.rejects.appendleft(result)

    def _show(self, result: Result) -> None:
        """A piece of an older part does not push a newer part off the screen; it only completes its own."""
        newest = self.latest
        if newest is None or result.part == newest.part or result.triggered_ns >= newest.triggered_ns:
            self.latest = result
        if result.outcome == Outcome.NG:
            held = self.last_ng
            is_held = held is not None and (held.part, held.triggered_ns) == (result.part, result.triggered_ns)
            if held is None or is_held or result.triggered_ns >= held.triggered_ns:
                self.last_ng = result
                if not is_held or self.fresh_ng is not None:
                    self.fresh_ng = result

    def _station(self, state: StationState, at_ns: int) -> None:
        before = self.station
        if before is None or before.epoch != state.epoch:
            # A run of io that is seen from its first part on is counted whole; of an older one the rest was not seen.
            self.counted_from = state.counters
        else:
            self.resets += state.counters.triggers < before.counters.triggers
            self._count(before.counters, state.counters, at_ns)
        self.station, self.station_at_ns = state, at_ns

    def _count(self, before: Counters, now: Counters, at_ns: int) -> None:
        """The trend comes from io's totals, so a message that was missed costs it nothing."""
        ok, ng = now.ok - before.ok, now.ng - before.ng
        unjudged = now.unjudged - before.unjudged
        if ok <= 0 and ng <= 0 and unjudged <= 0:
            return
        number = at_ns // MINUTE_NS
        last = self.minutes.pop() if self.minutes and self.minutes[-1].number == number else Minute(number)
        self.minutes.append(Minute(number, last.ok + ok, last.ng + ng, last.unjudged + unjudged))


def _outcome_of(disposition: Disposition) -> Outcome:
    """The outcome of a part whose verdict the screen has not seen. Only an NG is rejected for `ng`."""
    return {"ok": Outcome.OK, "ng": Outcome.NG}.get(str(disposition.why), Outcome.UNJUDGED)
