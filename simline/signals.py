"""What goes over the PLC's link to the box: bits, addresses, and one cycle's write and read (register map 1.0)."""

from dataclasses import dataclass

COMMANDS = {"TRIGGER": 1, "TRIG_ENABLE": 2, "BUFFER_EN": 8, "FAULT_RESET": 32, "LINE_RUN": 128, "PLC_HB": 256}
READY, TRIG_ACK, RESULT_VALID, OK, NG, UNJUDGED, FAULT = (1 << bit for bit in (0, 1, 3, 4, 5, 6, 7))
MISSED_TRIG, LINE_STOP_REQ = 1 << 12, 1 << 14
IR_STATUS, IR_HEARTBEAT, IR_SEQ_BEGIN, IR_PART, IR_DISPOSITION, IR_SEQ_END = 0, 2, 3, 4, 6, 15

DISPOSITIONS = {0: "none", 1: "ok", 2: "ng", 3: "unjudged", 4: "late"}


@dataclass(frozen=True, slots=True)
class Order:
    """What the PLC writes in one cycle."""

    command: int
    heartbeat: int
    part: int
    """Number that goes with the trigger."""
    ack_seq: int
    epoch: int
    """How many times the link was lost before. An order from before a loss is not sent after it: its TRIGGER would
    be a second rising edge."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One cycle of the communication module: one write, one read."""

    order: Order
    sent_ns: int
    """When the write went out."""
    written: bool
    """The box confirmed the write."""
    block: tuple[int, ...] | None
    """Input registers 0..15; None: the cycle failed and the link is down."""
    read_ns: int
    map_fits: bool = True
    """Canaries and major version were as expected when the link came up."""
