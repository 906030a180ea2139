"""The bits and codes of register map 1.0, by the names the PLC engineer reads in the map."""

from enum import IntEnum, IntFlag


class Command(IntFlag):
    """What the PLC says, coil n = bit n of holding register 0."""

    TRIGGER = 1 << 0
    TRIG_ENABLE = 1 << 1
    RESULT_ACK = 1 << 2
    BUFFER_EN = 1 << 3
    JOB_EXEC = 1 << 4
    FAULT_RESET = 1 << 5
    COUNTER_RESET = 1 << 6
    LINE_RUN = 1 << 7
    PLC_HB = 1 << 8


class Status(IntFlag):
    """What the box says, discrete input n = bit n of input register 0."""

    READY = 1 << 0
    TRIG_ACK = 1 << 1
    BUSY = 1 << 2
    RESULT_VALID = 1 << 3
    OK = 1 << 4
    NG = 1 << 5
    UNJUDGED = 1 << 6
    FAULT = 1 << 7
    HB = 1 << 8
    JOB_BUSY = 1 << 9
    JOB_DONE = 1 << 10
    JOB_FAIL = 1 << 11
    MISSED_TRIG = 1 << 12
    OVERRUN = 1 << 13
    LINE_STOP_REQ = 1 << 14
    DEGRADED = 1 << 15


NO_COMMAND = Command(0)
NO_STATUS = Status(0)


class WireCode(IntEnum):
    """Disposition on the wire. Everything but 1 means reject."""

    NONE = 0
    OK = 1
    NG = 2
    UNJUDGED = 3
    LATE = 4


class FaultCode(IntEnum):
    """Why the box is in FAULT. It leaves FAULT by a rising FAULT_RESET only."""

    NONE = 0
    TRIGGER_STUCK = 1
    ACK_MISSING = 2
    QUEUE_FULL = 3
    PART_OPEN = 4
    LINE = 5

    @property
    def words(self) -> str:
        """What happened and what to look at, for the screen and the map."""
        return _FAULTS[self]


_FAULTS = {
    FaultCode.NONE: "no fault",
    FaultCode.TRIGGER_STUCK: "TRIGGER stayed 1: drop it when TRIG_ACK is 1",
    FaultCode.ACK_MISSING: "a result was not acknowledged in time: write its seq to ack_seq, or raise RESULT_ACK",
    FaultCode.QUEUE_FULL: "results wait for acknowledgement and the queue of 8 is full",
    FaultCode.LINE: "eyes and encoder do not fit together, or their wires are lost: see the log, then reset",
    FaultCode.PART_OPEN: "a trigger came with a part number that is still open: number the parts anew",
}
