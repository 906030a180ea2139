"""The two process images: what the PLC says and what the box says. Frozen snapshots, replaced whole."""

from dataclasses import dataclass

from .signals import NO_COMMAND, NO_STATUS, Command, Status, WireCode


@dataclass(frozen=True, slots=True)
class InImage:
    """What the PLC says, all of one write."""

    at_ns: int
    """When the box received it, `time.monotonic_ns()`."""
    command: Command = NO_COMMAND
    heartbeat: int = 0
    """Any change is a sign of life, and so is a change of PLC_HB."""
    job_request: int = 0
    job_token: int = 0
    part: int = 0
    """Part number for the next trigger, 1..2**32-1; 0: the box numbers."""
    ack_seq: int = 0
    """`seq` of the result the PLC has taken; 0 acknowledges nothing."""
    encoder: int | None = None
    """Belt position in counts; None: this link has no encoder."""
    seen_seq: int | None = None
    """`seq` that stood in the registers when the PLC last read them; None: the link cannot tell."""


@dataclass(frozen=True, slots=True)
class OutImage:
    """What the box says. u16 fields saturate at 65535 on the wire, they never wrap."""

    status: Status = NO_STATUS
    heartbeat: int = 0
    """Counts beats modulo 65536; HB is its lowest bit."""
    seq: int = 0
    """Number of the result shown, 1..65535; 0: no result."""
    part: int = 0
    disposition: WireCode = WireCode.NONE
    defect: int = 0
    """Class of the first defect: 0 none, 1 without a class of its own."""
    score_milli: int = 0
    inference_ms: int = 0
    latency_ms: int = 0
    """From the trigger to the result standing in the registers."""
    job: int = 0
    job_token: int = 0
    fault: int = 0
    depth: int = 0
    """Results that wait behind the one shown."""
    triggers: int = 0
    ok: int = 0
    ng: int = 0
    unjudged: int = 0
    """Unjudged and late, without the missed ones."""
    missed: int = 0
    confirmed: int = 0
