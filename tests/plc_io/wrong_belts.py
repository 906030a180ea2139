"""Wrong trackers, first part: where the belt is, when air comes, and who is rejected together."""

from typing import Any

from okng.plc_io.belt import Belt, Gate
from okng.plc_io.lane_track import LaneTrack, Tracked
from okng.plc_io.stop_rules import StopRules
from okng.plc_io.tracker import Tracker
from okng.plc_io.travel import Travel


class ByTime(Tracker):
    """Distance is time: the belt is taken to run on as it did over the first 100 ms."""

    _began: tuple[int, int] | None = None
    _rate = 0.0

    def _made_up(self, counts: int, now_ns: int) -> int:
        if self._began is None:
            self._began = (now_ns, counts)
        (at_ns, at), turn = self._began, 1 << self.belt.encoder_bits
        passed = now_ns - at_ns
        if passed <= 100_000_000:
            self._rate = ((counts - at + turn // 2) % turn - turn // 2) / passed if passed else 0.0
        return (at + round(self._rate * passed)) % turn

    def move(self, counts: int, now_ns: int) -> None:
        super().move(self._made_up(counts, now_ns), now_ns)

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        return super().eye(lane, self._made_up(counts, now_ns), now_ns, part)


class Unlatched(Tracker):
    """The place of an edge is where the belt is when the edge is told."""

    _now = 0

    def move(self, counts: int, now_ns: int) -> None:
        super().move(counts, now_ns)
        self._now = counts

    def eye(self, lane: str, counts: int, now_ns: int, part: int = 0) -> int:
        return super().eye(lane, self._now, now_ns, part)


class NoRollover(Tracker):
    """Counts are subtracted as they are."""

    def __init__(self, belt: Belt, rules: StopRules, *, views: tuple[str, ...], deadline_ns: int) -> None:
        super().__init__(belt, rules, views=views, deadline_ns=deadline_ns)
        self._travel._turn = 1 << 48


class JumpBelieved(Tracker):
    """An encoder that jumps is believed."""

    def trip(self, reason: str, now_ns: int) -> None:
        if not reason.startswith("encoder"):
            super().trip(reason, now_ns)


class FastBelieved(Tracker):
    """A belt faster than declared is taken as it comes."""

    def trip(self, reason: str, now_ns: int) -> None:
        if not reason.startswith("belt"):
            super().trip(reason, now_ns)


class FiresAgain(LaneTrack):
    """A window is a place: whenever it is under the jet there is air, also the second time and in reverse."""

    def valves(self, now_ns: int, *, everything: bool) -> set[str]:
        gate, travel = self._gate, self._travel
        on = super().valves(now_ns, everything=everything)
        lead_ms = gate.valve_on_ms + gate.link_ms + self._belt.tick_ms
        for part in self._parts:
            ahead_mm = part.lead_mm + gate.near_mm - travel.mm
            start_mm = gate.before_mm + abs(travel.speed_mm_s) * lead_ms / 1000
            if part.rejected and -gate.after_mm - gate.jet_mm <= ahead_mm <= start_mm:
                on.add(gate.name)
        return on


class SpeedOfTheTrigger(LaneTrack):
    """The lead is that of the speed at the trigger."""

    def add(self, part: Tracked) -> None:
        super().add(part)
        self._speeds = getattr(self, "_speeds", {}) | {part.number: self._travel.speed_mm_s}

    def _blow(self, part: Tracked, gate: Gate, now_ns: int) -> None:
        travel = self._travel
        self._travel = _Paced(travel, self._speeds[part.number])  # type: ignore[assignment]
        super()._blow(part, gate, now_ns)
        self._travel = travel


class _Paced:
    """The belt's travel at another speed."""

    def __init__(self, travel: Travel, speed_mm_s: float) -> None:
        self.speed_mm_s, self.mm, self.forward = speed_mm_s, travel.mm, travel.forward


class CommitsLate(LaneTrack):
    """The decision waits until the part is at the gate."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._commit_mm = self._gate.before_mm


class BlowsThePassed(LaneTrack):
    """In a fault there is air, whoever is under the jet."""

    def _in_reach(self, gate: Gate) -> bool:
        return False


class NoGroups(LaneTrack):
    """Each part is decided by itself."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._before_gap_mm = self._after_gap_mm = 0.0


class NotTheOneAhead(LaneTrack):
    """A reject is thought to endanger only the part behind it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._before_gap_mm = 0.0


class NotTheOneBehind(LaneTrack):
    """A reject is thought to endanger only the part ahead of it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._after_gap_mm = 0.0


class GroupsAll(LaneTrack):
    """Every reject takes all that is within 300 mm with it."""

    def __init__(self, *of: Any) -> None:
        super().__init__(*of)
        self._before_gap_mm = self._after_gap_mm = 300.0
