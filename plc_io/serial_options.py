"""What a person may set about Modbus RTU on a serial line."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .client_options import CycleOptions


class SerialLineOptions(BaseModel):
    """Section `[plc.serial]`: the line itself, for role = "rtu_server" and role = "rtu_client"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: str = Field(default="/dev/ttyS0", pattern=r"^/dev/[\w./:-]{1,200}$")
    """For an adapter a lasting name of /dev/serial/by-id."""
    baud: int = Field(default=115_200, ge=1200, le=4_000_000)
    """At 19200 one exchange takes some 30 ms on the wire: too slow for a budget of 10 to 20 ms."""
    parity: Literal["none", "even", "odd"] = "even"
    """Modbus asks for even; without parity it asks for two stop bits."""
    stop_bits: Literal[1, 2] = 1
    rs485: bool = False
    """Let the driver switch the transmitter by RTS; an adapter that does it by itself needs nothing."""
    echo: bool = False
    """The adapter hears itself: what comes back first is what was sent. The client role finds out where this is wrong;
    the server role cannot (its answer to FC05 and FC06 is the request again): set it before the line goes live."""
    quiet_ms: int = Field(default=1000, ge=50, le=60_000)
    """rtu_server: a master that asks us nothing for this long is gone, and what it wrote is void."""

    @property
    def character_ns(self) -> int:
        """Time of one character on the wire: start bit, 8 data bits, parity, stop bits."""
        bits = 9 + (self.parity != "none") + self.stop_bits
        return bits * 1_000_000_000 // self.baud

    @property
    def silence_ns(self) -> int:
        """Silence between frames: 3.5 characters, 1.75 ms above 19200 baud (MODBUS over Serial Line 1.02, 2.5.1.1)."""
        return 1_750_000 if self.baud > 19_200 else 7 * self.character_ns // 2


class RtuClientOptions(CycleOptions):
    """Section `[plc.rtu]`: the box asks a slave on the serial line."""

    cycle_ms: int = Field(default=20, ge=2, le=1000)
    """One write and one read this often, where the wire is fast enough; a new result does not wait for it."""
    lost_ms: int = Field(default=1500, ge=5, le=10_000)
    """A PLC that answers nothing for this long is lost. Recovery after a time-out counts in it."""
    longest_answer_ms: int = Field(default=300, ge=10, le=5000)
    """The PLC's longest answer ever. After a time-out nothing is asked, and nothing believed, until it has passed."""
    cycle_echo: bool = True
    """The PLC copies the word behind the result block (register result_at + 8) into the one behind its answer
    (answer_at + 5): a read is believed only with a number that was written after the last recovery. RTU knows no other
    way to tell a late answer from the right one. False: for a PLC that cannot copy a word; then only waiting helps."""
