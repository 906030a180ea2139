"""The PLC's program: one scan at a time, without clock, socket or thread.

What a PLC programmer would write beside this box: a handshake that looks at TRIG_ACK and at a change of the
sequence number, never at edges of READY; a shift register by encoder counts; and a gate that opens for nothing
but an OK of this very part, read before the commit point.
"""

import enum
from collections import deque
from dataclasses import dataclass, field

from .conveyor import Window
from .plan import Plan
from .signals import (
    COMMANDS,
    DISPOSITIONS,
    FAULT,
    IR_DISPOSITION,
    IR_HEARTBEAT,
    IR_PART,
    IR_SEQ_BEGIN,
    IR_SEQ_END,
    IR_STATUS,
    LINE_STOP_REQ,
    MISSED_TRIG,
    NG,
    OK,
    READY,
    RESULT_VALID,
    TRIG_ACK,
    UNJUDGED,
    Exchange,
    Order,
)
from .tracked import Tally, Tracked

MS = 1_000_000
HEARTBEAT_NS = 100 * MS
BOX_DEAD_NS = 300 * MS
"""The box's heartbeat has to change that often."""
STALL_NS = 50 * MS
"""Two scans further apart than this: the host stalled, which no PLC does."""
WITHDRAW_NS = 150 * MS
"""A trigger raised while READY was on is withdrawn when nothing acknowledges it this long."""
WITHDRAW_READS = 2
"""A trigger raised while READY was off is withdrawn after so many reads: the box has counted it as missed."""
OWED_NS = 1000 * MS
"""A result that has not come for so long will not: the next part may pass the stop."""
RESET_ON_NS, RESET_EVERY_NS = 100 * MS, 500 * MS


class Channel(enum.Enum):
    """State of the trigger handshake."""

    IDLE = "idle"
    RAISED = "raised"
    LOWERED = "lowered"
    """TRIGGER is off again, TRIG_ACK not yet seen to be."""


@dataclass(slots=True)
class Program:
    """The program and its memory. `scan` is one cycle; `windows` and `lines` are drained by the caller."""

    plan: Plan
    windows: list[Window] = field(default_factory=list)
    lines: list[dict[str, object]] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    belt_run: bool = False
    linked: bool = False
    map_fits: bool = True
    dead: bool = True
    status: int = 0
    """Status bits of the last good block."""
    result_ns: int = 0
    """When the last result was read."""
    _parts: deque[Tracked] = field(default_factory=deque)
    _by_number: dict[int, Tracked] = field(default_factory=dict)
    _owed: dict[int, int] = field(default_factory=dict)
    """Parts the box owes a result, in order, with the moment the trigger was raised."""
    _next_number: int = 0
    _channel: Channel = Channel.IDLE
    _raised: Tracked | None = None
    _raised_ready: bool = False
    _raised_missed: bool = False
    _reads: int = 0
    _last_seq: int = 0
    _box_heartbeat: int | None = None
    _box_moved_ns: int | None = None
    _heartbeat: int = 0
    _heartbeat_ns: int = 0
    _reset_ns: int | None = None
    _last_eye: int | None = None
    _stopping: bool = False
    _epoch: int = 0
    _scanned_ns: int | None = None

    def __post_init__(self) -> None:
        self._next_number = self.plan.first_part
        self.belt_run = self.plan.wait_ready_s == 0

    def stop(self) -> None:
        """Stop the belt and trigger nothing any more; results are still taken."""
        self._stopping, self.belt_run = True, False

    @property
    def open_results(self) -> int:
        """Return how many triggered parts have no result yet."""
        return sum(each.trigger == "accepted" and each.disposition is None for each in self._by_number.values())

    @property
    def permitted(self) -> int:
        """Return how many parts may have passed a stop before the eye: one more while the box would take it."""
        free = self._channel is Channel.IDLE and self.linked and not self.dead and not self._stopping
        few = len(self._owed) < self.plan.metered
        return self.tally.parts + (free and few and bool(self.status & READY))

    @property
    def beat_ns(self) -> int:
        """When the box's heartbeat was last seen to change; 0: never."""
        return self._box_moved_ns or 0

    def scan(
        self, now_ns: int, encoder: int, edges: list[int], confirms: list[int], exchanges: list[Exchange]
    ) -> Order:
        """Run one cycle: inputs in, outputs out.

        edges, confirms: encoder counts latched since the last scan. exchanges: cycles of the communication
        module since then, oldest first.
        """
        gap_ns = now_ns - self._scanned_ns if self._scanned_ns is not None else 0
        self._scanned_ns = now_ns
        if gap_ns > STALL_NS and self._box_moved_ns is not None:
            self._box_moved_ns += gap_ns  # its timer counts its own running time; the belt stood still meanwhile
        for exchange in exchanges:
            self._communicate(exchange)
        self._watch(now_ns)
        for counts in edges:
            self._enter(counts, now_ns)
        self._commit(encoder, now_ns)
        for counts in confirms:
            self._confirm(counts)
        self._retire(encoder)
        return self._order(now_ns)

    # -- the box ------------------------------------------------------------------------------------------

    def _communicate(self, exchange: Exchange) -> None:
        if exchange.written and self._raised is not None and self._carries_trigger(exchange.order):
            self._raised.written_ns = self._raised.written_ns or exchange.sent_ns
        if exchange.block is None:
            self._lose_link()
            return
        block = exchange.block
        self.linked, self.map_fits = True, exchange.map_fits
        if not exchange.map_fits:
            return
        risen = block[IR_STATUS] & ~self.status
        self.status = block[IR_STATUS]
        self.tally.faults += bool(risen & FAULT)
        self.tally.line_stop_requests += bool(risen & LINE_STOP_REQ)
        if block[IR_HEARTBEAT] != self._box_heartbeat:
            if self._box_heartbeat is not None:  # one value tells nothing: it has to be seen to change
                self._box_moved_ns = exchange.read_ns
            self._box_heartbeat = block[IR_HEARTBEAT]
        self._shake_hands(exchange)
        self._take_result(block, exchange.read_ns)
        if self.status & READY and not self._stopping:
            self.belt_run = True  # from the first READY on: a line does not stop for one box that is not

    def _carries_trigger(self, order: Order) -> bool:
        assert self._raised is not None
        return bool(order.command & COMMANDS["TRIGGER"]) and order.part == self._raised.number

    def _lose_link(self) -> None:
        self._epoch += 1
        self.tally.link_losses += self.linked
        self.linked = False
        self.status = 0
        self._last_seq = 0  # a new epoch: nothing from before is acknowledged
        self._box_heartbeat = None
        if self._raised is not None:
            lost = self._raised
            lost.trigger = "unanswered" if lost.written_ns is not None else "untriggered: link lost"
            self._count_trigger(lost)
        self._raised, self._channel = None, Channel.LOWERED
        self._owed.clear()

    def _is_dead(self, at_ns: int) -> bool:
        return self._box_moved_ns is None or at_ns - self._box_moved_ns > BOX_DEAD_NS

    def _watch(self, now_ns: int) -> None:
        dead = self._is_dead(now_ns)
        self.tally.box_deaths += dead and not self.dead
        self.dead = dead
        while self._owed and now_ns - next(iter(self._owed.values())) > OWED_NS:
            del self._owed[next(iter(self._owed))]

    def _shake_hands(self, exchange: Exchange) -> None:
        acknowledged = bool(self.status & TRIG_ACK)
        if self._channel is Channel.LOWERED:
            if not exchange.order.command & COMMANDS["TRIGGER"] and not acknowledged:
                self._channel = Channel.IDLE
            return
        if self._channel is not Channel.RAISED:
            return
        assert self._raised is not None
        part = self._raised
        if not self._carries_trigger(exchange.order):
            return
        self._reads += 1
        if acknowledged:
            part.trigger = "accepted"
            self._owed[part.number] = exchange.read_ns
        elif (self.status & MISSED_TRIG and not self._raised_missed) or (
            not self._raised_ready and self._reads >= WITHDRAW_READS
        ):
            part.trigger = "missed"
        elif part.raised_ns is not None and exchange.read_ns - part.raised_ns > WITHDRAW_NS:
            part.trigger = "unanswered"
        else:
            return
        self._count_trigger(part)
        self._raised, self._channel = None, Channel.LOWERED

    def _count_trigger(self, part: Tracked) -> None:
        name = part.trigger.partition(":")[0]
        setattr(self.tally, name, getattr(self.tally, name) + 1)

    def _take_result(self, block: tuple[int, ...], read_ns: int) -> None:
        seq = block[IR_SEQ_BEGIN]
        if seq != block[IR_SEQ_END]:
            self.tally.torn += 1
            return
        if seq == 0:
            self._last_seq = 0
            return
        if seq == self._last_seq or not block[IR_STATUS] & RESULT_VALID:
            return
        self._last_seq = seq
        self.tally.results += 1
        self.result_ns = read_ns
        high, low = block[IR_PART : IR_PART + 2]
        if self.plan.modbus.word_order == "little":
            high, low = low, high
        code = block[IR_DISPOSITION]
        bits = block[IR_STATUS] & (OK | NG | UNJUDGED)
        # Bits and code say the same twice; 00, 11 and any disagreement are no OK.
        said = "ok" if code == 1 and bits == OK else DISPOSITIONS.get(code, "none") if code != 1 else "none"
        self._settle(high << 16 | low, said, seq, read_ns)

    def _settle(self, number: int, said: str, seq: int, read_ns: int) -> None:
        part = self._by_number.get(number)
        if part is None:
            self.tally.foreign += 1
            self.lines.append({"kind": "result", "part": number, "disposition": said, "seq": seq, "read_ns": read_ns})
            return
        if part.disposition is not None:
            if part.disposition != said:
                self.tally.conflicts += 1
                part.usable = False
            return
        part.disposition, part.seq, part.read_ns = said, seq, read_ns
        self._owed.pop(number, None)
        if part.action is not None:
            self.tally.late_results += 1
        if self._is_dead(read_ns) or part.raised_ns is None:
            part.usable = False  # from a box that does not vouch, or for a part it was never asked about

    # -- the belt -----------------------------------------------------------------------------------------

    def _enter(self, counts: int, now_ns: int) -> None:
        closest = self.plan.counts(self.plan.belt.part_length_mm / 2)
        if self._last_eye is not None and counts - self._last_eye < closest:
            self.tally.phantom_edges += 1
            return
        self._last_eye = counts
        part = Tracked(self._next_number, counts)
        self._next_number = self._next_number % (2**32 - 1) + 1
        self._parts.append(part)
        self._by_number[part.number] = part
        self.tally.parts += 1
        if not self.linked:
            hindrance = "no link"
        elif not self.map_fits:
            hindrance = "wrong map"
        elif self.dead:
            hindrance = "box dead"
        elif self._stopping:
            hindrance = "stopping"
        elif self._channel is not Channel.IDLE:
            hindrance = "channel busy"
        else:
            part.raised_ns = now_ns
            self._raised, self._channel, self._reads = part, Channel.RAISED, 0
            self._raised_ready = bool(self.status & READY)
            self._raised_missed = bool(self.status & MISSED_TRIG)
            return
        part.trigger = f"untriggered: {hindrance}"
        self.tally.untriggered += 1

    def _commit(self, encoder: int, now_ns: int) -> None:
        belt, plan = self.plan.belt, self.plan
        reach = encoder - plan.counts(belt.eye_to_gate_mm) + plan.counts(belt.commit_mm)
        for part in self._parts:
            if part.eye > reach:
                break
            if part.action is not None:
                continue
            part.committed_ns, part.commit_encoder = now_ns, encoder
            if part.disposition == "ok" and part.usable:
                part.action, part.why = "pass", "ok"
                self.tally.passed += 1
                continue
            part.action, part.why = "reject", self._reason(part)
            self.tally.rejected += 1
            gate = part.eye + plan.counts(belt.eye_to_gate_mm)
            start = gate - plan.counts(belt.jet_mm / 2 + 3)
            self.windows.append(Window(part.number, start, gate + plan.counts(belt.part_length_mm / 2)))
            dead_time = plan.counts(belt.speed_mm_s * belt.valve_on_ms / 1000)
            part.window_whole = encoder + dead_time < start

    def _reason(self, part: Tracked) -> str:
        if part.disposition is not None:
            return part.disposition if part.usable else f"{part.disposition}, not usable"
        return "no result" if part.trigger == "accepted" or part.trigger == "untriggered" else part.trigger

    def _confirm(self, counts: int) -> None:
        there = self.plan.counts(self.plan.belt.eye_to_gate_mm + self.plan.belt.gate_to_confirm_mm)
        near = self.plan.counts(self.plan.belt.part_length_mm / 2)
        for part in self._parts:
            if abs(part.eye + there - counts) <= near:
                part.confirmed = True
                self.tally.rejects_seen_after_gate += part.action == "reject"
                return

    def _retire(self, encoder: int) -> None:
        belt = self.plan.belt
        far = self.plan.counts(belt.eye_to_gate_mm + belt.gate_to_confirm_mm + belt.part_length_mm)
        while self._parts and self._parts[0].eye + far < encoder:
            self._drop(self._parts.popleft())

    def _drop(self, part: Tracked) -> None:
        del self._by_number[part.number]
        self.lines.append(part.line())

    def finish(self) -> None:
        """Log what is still in the shift register."""
        while self._parts:
            self._drop(self._parts.popleft())

    # -- outputs ------------------------------------------------------------------------------------------

    def _order(self, now_ns: int) -> Order:
        if now_ns - self._heartbeat_ns >= HEARTBEAT_NS:
            self._heartbeat, self._heartbeat_ns = self._heartbeat + 1 & 0xFFFF, now_ns
        if self.status & FAULT and (self._reset_ns is None or now_ns - self._reset_ns > RESET_EVERY_NS):
            self._reset_ns = now_ns
        resetting = self._reset_ns is not None and now_ns - self._reset_ns < RESET_ON_NS
        command = COMMANDS["TRIG_ENABLE"] | COMMANDS["BUFFER_EN"]
        command |= COMMANDS["LINE_RUN"] * self.belt_run | COMMANDS["PLC_HB"] * (self._heartbeat & 1)
        command |= COMMANDS["FAULT_RESET"] * resetting | COMMANDS["TRIGGER"] * (self._raised is not None)
        number = self._raised.number if self._raised is not None else 0
        return Order(command, self._heartbeat, number, self._last_seq, self._epoch)
