"""What a person may set of alarms, challenge tests, codes and shifts. Nothing of it is required."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Occasion = Literal["start", "changeover", "interval", "maintenance", "restart", "end"]
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


class AlarmOptions(BaseModel):
    """`[shift.alarms]`: limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    consecutive_ng: Annotated[int, Field(ge=0, le=1000)] = 5
    """Bad parts in a row that raise an alarm; 0: never."""
    yield_percent: Annotated[float, Field(ge=0, le=100)] = 60.0
    """Yield below this raises an alarm, percent; 0: never."""
    yield_parts: Annotated[int, Field(ge=10, le=10_000)] = 50
    """Parts the yield is told from."""
    disk_percent: Annotated[float, Field(ge=0, le=50)] = 5.0
    """Less free space than this raises an alarm, percent; 0: never."""


class ChallengeOptions(BaseModel):
    """`[shift.challenge]`: when known parts have to show that the line finds and removes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    occasions: tuple[Occasion, ...] = ()
    """When a test is asked for; empty: never. While one is due READY is held off."""
    interval_min: Annotated[int, Field(ge=5, le=24 * 60)] = 240
    """Minutes from a passed test to the next, for the occasion `interval`."""
    grace_min: Annotated[int, Field(ge=0, le=120)] = 5
    """After an interval has run out: minutes before READY is held off. The alarm comes at once."""
    passes: Annotated[int, Field(ge=1, le=10)] = 3
    """Successive times each test part has to be found and removed."""
    memory: bool = False
    """Also bad, good, bad in a row: what one part was must not stick to the next."""
    confirm_by_hand: bool = False
    """Where no sensor confirms a reject a person has to say that the part was removed."""
    stop_line: bool = True
    """A failed test holds the line until somebody signs for its release."""


class CodeOptions(BaseModel):
    """One line of `[[shift.codes]]`: a product's code and the job it asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Annotated[str, Field(min_length=1, max_length=128)]
    job: Annotated[int, Field(ge=1, le=65535)]
    prefix: bool = False
    """Any code that begins with the text; the longest fitting one counts."""


class CalendarOptions(BaseModel):
    """One line of `[[shift.calendar]]`: a shift and when it begins, in the box's local time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=40)]
    start: Annotated[str, Field(pattern=_CLOCK)]
    """`06:00`"""

    @property
    def minute(self) -> int:
        """Minute of the day."""
        hours, minutes = self.start.split(":")
        return int(hours) * 60 + int(minutes)


class ShiftOptions(BaseModel):
    """`[shift]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    alarms: AlarmOptions = AlarmOptions()
    challenge: ChallengeOptions = ChallengeOptions()
    codes: tuple[CodeOptions, ...] = ()
    calendar: tuple[CalendarOptions, ...] = ()
    bypass_most_min: Annotated[int, Field(ge=1, le=480)] = 120
    """Longest bypass, minutes."""

    @model_validator(mode="after")
    def _once(self) -> "ShiftOptions":
        starts = [one.start for one in self.calendar]
        if len(set(starts)) != len(starts):
            raise ValueError(f"shift.calendar: start: {starts}: expected each only once")
        texts = [(one.text, one.prefix) for one in self.codes]
        if len(set(texts)) != len(texts):
            raise ValueError("shift.codes: text: expected each only once")
        return self

    @property
    def awaited(self) -> tuple[str, ...]:
        """Who has to have spoken before io lets the line be READY: where tests are asked for none is to be missed."""
        return ("shift",) if self.challenge.occasions else ()

    def job_of(self, code: str) -> int | None:
        """The job a product's code asks for; None: no line fits."""
        for one in self.codes:
            if not one.prefix and one.text == code:
                return one.job
        fitting = [one for one in self.codes if one.prefix and code.startswith(one.text)]
        return max(fitting, key=lambda one: len(one.text)).job if fitting else None
