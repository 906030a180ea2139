"""What a person may set about the client role: the PLC is the slave, the box asks it."""

from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from .client_block import ANSWER_WORDS, RESULT_WORDS
from .signals import Status
from .tls_options import TlsOptions

_NAMES = tuple(str(flag.name) for flag in Status)
Address = Annotated[int, Field(ge=0, le=65535)]
"""PDU address, counted from 0."""


def _known_bit(name: str) -> str:
    if name not in _NAMES:
        raise ValueError(f"{name!r}: expected one of {', '.join(_NAMES)}")
    return name


def _one_host(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected an IP address such as 192.168.10.1") from None
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{text!r}: expected the address of one PLC")
    return text


class CycleOptions(BaseModel):
    """What the client role needs on any line, TCP or serial."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: int = Field(default=1, ge=1, le=247)
    """Unit identifier of the PLC."""
    result_at: int = Field(default=0, ge=0, le=65536 - RESULT_WORDS)
    """First of the 8 holding registers that the box writes, PDU address."""
    answer_at: int = Field(default=100, ge=0, le=65536 - ANSWER_WORDS)
    """First of the 5 holding registers that the box reads, PDU address."""
    coils: dict[Annotated[str, AfterValidator(_known_bit)], Address] = Field(default={}, max_length=16)
    """Status bits that are copied to single coils, for example `{OK = 10, NG = 11, READY = 12}`; by FC05 alone."""
    cycle_ms: int = Field(default=10, ge=2, le=1000)
    """One write and one read this often; a new result does not wait for it."""
    timeout_ms: int = Field(default=50, ge=5, le=2000)
    """An answer that takes longer counts as none and is asked for again."""
    lost_ms: int = Field(default=200, ge=5, le=5000)
    """A PLC that answers nothing for this long is lost."""
    reconnect_ms: int = Field(default=1000, ge=50, le=1000)
    """Longest wait between two attempts to connect; the first comes after 50 ms and each doubles."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.lost_ms < self.timeout_ms:
            raise ValueError(f"lost_ms = {self.lost_ms}: expected at least timeout_ms = {self.timeout_ms}")
        if self.result_at < self.answer_at + ANSWER_WORDS and self.answer_at < self.result_at + RESULT_WORDS:
            raise ValueError(
                f"result_at = {self.result_at} takes {RESULT_WORDS} registers and answer_at = {self.answer_at} "
                f"{ANSWER_WORDS}: they overlap, and each register may have one writer only"
            )
        twice = [address for address in self.coils.values() if list(self.coils.values()).count(address) > 1]
        if twice:
            raise ValueError(f"coils: {twice[0]} is given to two bits")
        return self


class TcpClientOptions(CycleOptions):
    """Section `[plc.client]`: the box asks a PLC by Modbus TCP."""

    host: Annotated[str, AfterValidator(_one_host)] = "192.168.10.1"
    """IP address of the PLC."""
    port: int = Field(default=502, ge=1, le=65535)
    """502; 802 is the port of Modbus/TCP Security."""
    connect_ms: int = Field(default=300, ge=20, le=5000)
    """A connection, handshake included, that takes longer is given up and tried again."""
    tls: TlsOptions | None = None
    """Modbus/TCP Security; None: plain."""
