"""What a person may set about discrete inputs and outputs."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LineName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
Line = Annotated[int, Field(ge=0, le=1023)] | Annotated[str, Field(min_length=1, max_length=64)]
"""Offset in the chip, or the name that the board's description gives the line."""


class OutputLine(BaseModel):
    """One output. It is active only while the box says so; inactive is the safe state: reject, stop, not ready.

    A line that nobody holds (before the start, after the end, no power) is where its resistor pulls it. Fit one that
    makes it inactive: to ground, or to the supply where it is active low.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Line
    active_low: bool = False
    """Active means low voltage."""
    drive: Literal["push_pull", "open_drain", "open_source"] = "push_pull"


class InputLine(BaseModel):
    """One input."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: Line
    active_low: bool = False
    """Active means low voltage, as with an NPN sensor."""
    bias: Literal["as_is", "disabled", "pull_up", "pull_down"] = "as_is"
    debounce_us: int = Field(default=0, ge=0, le=100_000)
    """A level counts when it has stood this long. The moment of an edge is when it began to stand."""


class PinsOptions(BaseModel):
    """Section `[plc.pins]` of the box's settings: lines of one GPIO chip, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    chip: str = Field(default="/dev/gpiochip0", pattern=r"^/dev/[\w./:-]{1,200}$")
    outputs: dict[LineName, OutputLine] = Field(default_factory=dict, max_length=32)
    """By name: `ready`, `ok`, `run` (the line may run), `hb`, and the gates of the belt, whose line is active while the
    gate lets pass."""
    inputs: dict[LineName, InputLine] = Field(default_factory=dict, max_length=32)
    """By name, for example `eye`, `confirm`, `bin_full`, `trig_enable`, `fault_reset`, `key`."""
    counter: str = Field(default="", pattern=r"^(/[\w./:-]{1,200})?$")
    """The encoder's count, for example /sys/bus/counter/devices/counter0/count0/count; empty: no encoder."""
    counter_bits: Literal[16, 32] = 32
    """Width of the count: it goes on at 0 after 2**bits - 1."""
    affirm_ms: int = Field(default=50, ge=10, le=1000)
    """A gate lets pass for this long at most without being told so anew; for twice as long where the process hangs."""

    @property
    def lines(self) -> dict[str, int | str]:
        """The line of each name."""
        return {n: one.line for n, one in self.outputs.items()} | {n: one.line for n, one in self.inputs.items()}

    @model_validator(mode="after")
    def _each_line_once(self) -> Self:
        names = [*self.outputs, *self.inputs]
        if len(set(names)) != len(names):
            twice = sorted(set(self.outputs) & set(self.inputs))
            raise ValueError(f"{', '.join(twice)}: expected each name once, as an output or as an input")
        lines = list(self.lines.values())
        twice_used = sorted({str(line) for line in lines if lines.count(line) > 1})
        if twice_used:
            raise ValueError(f"line {', '.join(twice_used)}: expected each line under one name")
        return self
