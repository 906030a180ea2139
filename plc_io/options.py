"""What a person may set about the PLC."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from ..bus.clock import MS
from .ascii_options import AsciiOptions
from .belt_options import BeltOptions
from .check_options import CheckOptions
from .client_options import TcpClientOptions
from .handshake import Limits
from .pins_options import PinsOptions
from .regmap import WordOrder
from .serial_options import RtuClientOptions, SerialLineOptions
from .tls_options import TlsOptions


def _one_address(text: str) -> str:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected an IP address such as 192.168.10.2") from None
    if address.is_unspecified:
        raise ValueError(f"{text!r}: expected the address of the PLC's network card, not all of them")
    return text


class PlcOptions(BaseModel):
    """Section `[plc]` of the box's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["modbus_server", "modbus_client", "rtu_server", "rtu_client", "ascii", "gates"] = "modbus_server"
    """What the box is on the wire. modbus_server: the PLC polls it by Modbus TCP. modbus_client: the PLC is the slave
    (`[plc.client]`). rtu_server, rtu_client: the same by Modbus RTU (`[plc.serial]`, `[plc.rtu]`). ascii: lines of text
    (`[plc.ascii]`). gates: no PLC, the box follows the belt itself by eyes and encoder and fires the gates
    (`[plc.belt]`, `[plc.pins]`)."""
    host: Annotated[str, AfterValidator(_one_address)] = "127.0.0.1"
    """IP address of the network card the PLC is on. Never all cards: Modbus knows no password."""
    port: int = Field(default=502, ge=1, le=65535)
    unit: int = Field(default=1, ge=1, le=247)
    """Unit identifier; 0 and 255 are answered too."""
    peer: Annotated[str, AfterValidator(_one_address)] | None = None
    """The only address that may write; everybody else may read. None: anybody on that network."""
    tls: TlsOptions | None = None
    """modbus_server: Modbus/TCP Security; None: plain."""
    client: TcpClientOptions = TcpClientOptions()
    """For role = "modbus_client"."""
    serial: SerialLineOptions = SerialLineOptions()
    """For role = "rtu_server" and role = "rtu_client"."""
    rtu: RtuClientOptions = RtuClientOptions()
    """For role = "rtu_client"."""
    ascii: AsciiOptions = AsciiOptions()
    """For role = "ascii"."""
    belt: BeltOptions | None = None
    """For role = "gates"."""
    pins: PinsOptions = PinsOptions()
    """For role = "gates"."""
    word_order: WordOrder = WordOrder.HIGH_FIRST
    """Which half of a 32-bit value has the lower address: high_first or low_first."""
    job_number: int = Field(default=1, ge=1, le=65535)
    """What the PLC calls the active job."""
    heartbeat_ms: int = Field(default=100, ge=20, le=1000)
    """HB toggles this often; the PLC waits for three of them."""
    plc_timeout_ms: int = Field(default=500, ge=100, le=10_000)
    """The PLC's heartbeat must change within this time."""
    ack_ms: int = Field(default=1000, ge=10, le=60_000)
    """A result unacknowledged for this long is a fault, unless BUFFER_EN holds it."""
    stuck_ms: int = Field(default=500, ge=10, le=60_000)
    """TRIGGER may stay 1 this long; cut to the deadline of a part."""
    job_drain_ms: int = Field(default=2000, ge=0, le=60_000)
    """At a job change parts under way may take this long, then they are rejected; 0: at once."""
    job_change_ms: int = Field(default=30_000, ge=1000, le=600_000)
    """Each step of a job change may take this long, then it is refused and the old job stays."""
    late_stop: int = Field(default=5, ge=0, le=1000)
    """Parts in a row without a verdict in time that set LINE_STOP_REQ; 0: never."""
    check: CheckOptions = CheckOptions()
    """The commissioning check."""
    realtime: bool = True
    """Ask for SCHED_FIFO and locked memory; where that is not allowed, say so once and go on."""
    priority: int = Field(default=50, ge=1, le=90)
    """SCHED_FIFO priority."""

    @model_validator(mode="after")
    def _beats_fit(self) -> Self:
        if self.plc_timeout_ms < 2 * self.heartbeat_ms:
            raise ValueError(
                f"plc_timeout_ms = {self.plc_timeout_ms}: expected at least twice heartbeat_ms = {self.heartbeat_ms}"
            )
        return self

    def limits(self) -> Limits:
        """The same for the pure core, in nanoseconds."""
        return Limits(
            ack_ns=self.ack_ms * MS,
            stuck_ns=self.stuck_ms * MS,
            peer_ns=self.plc_timeout_ms * MS,
            late_stop=self.late_stop,
            drain_ns=self.job_drain_ms * MS,
            change_ns=self.job_change_ms * MS,
        )

    def rooted(self, folder: Path) -> "PlcOptions":
        """The same with every path made absolute, relative ones counted from the folder of the settings."""
        client_tls = self.client.tls
        return self.model_copy(
            update={
                "check": self.check.model_copy(update={"file": folder / self.check.file}),
                "tls": None if self.tls is None else self.tls.rooted(folder),
                "client": self.client.model_copy(
                    update={"tls": None if client_tls is None else client_tls.rooted(folder)}
                ),
            }
        )
