"""What a person may set about a PLC that speaks lines of text."""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..bus.clock import MS
from .ascii_dialects import Dialect, dialect_of


def _address(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected an IP address such as 192.168.10.2") from None
    if address.is_unspecified:
        raise ValueError(f"{text!r}: expected one address, not all of them")
    return text


_Template = Annotated[str, Field(max_length=32)] | None


class AsciiOptions(BaseModel):
    """Section `[plc.ascii]` of the box's settings: lines of text over TCP or a serial line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    over: Literal["tcp_server", "tcp_client", "serial"] = "tcp_server"
    """tcp_server: the PLC connects to the box; tcp_client: the box connects to the PLC; serial: a serial line."""
    dialect: Literal["okng", "omron", "festo", "bare"] = "okng"
    """okng: part numbers, check sums, heartbeats. The others carry no part number: only one part in flight."""
    host: Annotated[str, AfterValidator(_address)] = "127.0.0.1"
    """tcp_server: the address of the network card the PLC is on. tcp_client: the address of the PLC."""
    port: int = Field(default=8500, ge=1, le=65535)
    peer: Annotated[str, AfterValidator(_address)] | None = None
    """tcp_server: the only address that may connect. None: anybody on that network."""
    device: str = Field(default="/dev/ttyS0", pattern=r"^/dev/[\w./:-]{1,200}$")
    """serial: the device; for an adapter a lasting name of /dev/serial/by-id."""
    baud: int = Field(default=115_200, ge=1200, le=4_000_000)
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    rts_cts: bool = False
    """serial: hold what is to be sent while CTS is off. A PLC that holds it off for 0.5 s counts as gone."""
    trig_enable: Literal["with_heartbeat", "always"] = "with_heartbeat"
    """When triggers are allowed: from the PLC's first heartbeat line on, or as soon as the connection stands. A dialect
    without heartbeat has no other way than the second."""
    buffer: bool = True
    """Results wait for their acknowledgement (BUFFER_EN), up to 8. False: one missing acknowledgement is a FAULT.
    Without meaning where answers carry no part number."""
    quiet_ms: int = Field(default=0, ge=0, le=600_000)
    """Dialects without heartbeat: a PLC that says nothing for this long counts as gone; its next line brings it back.
    0: it counts as alive as long as the connection stands (a serial line: as long as the device is there)."""
    trigger: _Template = None
    """The line that means a trigger, where it is another than the dialect's; okng: with `{part}`."""
    passed: _Template = None
    """The word for a part that may pass, where it is another than the dialect's."""
    rejected: _Template = None
    unjudged: _Template = None
    missed: _Template = None
    """Answer to a trigger that was not taken; empty: none."""
    result: _Template = None
    """The line of a result, with `{word}`, and with `{part}` where the PLC reads part numbers."""
    ending: Literal["cr", "lf", "crlf"] | None = None
    """How the box ends its lines. It takes any of the three itself."""

    @model_validator(mode="after")
    def _templates_fit(self) -> Self:
        self.spoken()
        return self

    def spoken(self) -> Dialect:
        """The dialect with the templates of these settings."""
        names = ("trigger", "passed", "rejected", "unjudged", "missed", "result", "ending")
        return dialect_of(self.dialect, **{n: getattr(self, n) for n in names if getattr(self, n) is not None})

    @property
    def quiet_ns(self) -> int:
        """`quiet_ms` in nanoseconds."""
        return self.quiet_ms * MS
