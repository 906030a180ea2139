"""What the box's settings say of how long what is remembered stays: `[records.retention]`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .schema_keep import CHALLENGE, GOLDEN, OK, REJECT, THUMB, UNCERTAIN

Days = Annotated[int, Field(ge=0, le=36_500)]
Gb = Annotated[float, Field(ge=0.0, le=1_000_000.0)]


class RetentionOptions(BaseModel):
    """How long pictures and rows are kept, by class. Days of 0: for ever; GB of 0: no quota of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ok_days: Days = 30
    """Pictures of the sample of passed parts."""
    ok_gb: Gb = 0.0
    uncertain_days: Days = 180
    """Pictures of parts without a verdict, and of those whose score lay near its limit."""
    uncertain_gb: Gb = 0.0
    reject_days: Days = 365
    """Pictures of bad parts. A small picture stays, for `thumb_days`."""
    reject_gb: Gb = 0.0
    challenge_days: Days = 730
    """Pictures of test parts."""
    challenge_gb: Gb = 0.0
    golden_days: Days = 0
    """Pictures of parts that a person labelled, drew on, reported or marked, and of those in a study. A full disk never
    takes them: only this rule does."""
    golden_gb: Gb = 0.0
    thumb_days: Days = 1825
    """Small pictures that stay of rejects."""
    thumb_gb: Gb = 0.0
    rows_days: Days = 0
    """Rows of parts. 0: never deleted. Their sums stay in any case, and so do rows that a person said something of."""
    papers_days: Days = 365
    """Papers that the box has made: back-ups made by hand (the last one stays for ever), support bundles, exports and
    reports. Back-ups are announced `warn_days` before, and never deleted sooner after that."""
    high_percent: float = Field(default=85.0, ge=10.0, le=99.0)
    """A disk that is so full gives up pictures before their time: of passed parts first, of rejects last."""
    low_percent: float = Field(default=75.0, ge=5.0, le=98.0)
    """And it goes on until the disk is no fuller than this."""
    hard_cap_percent: float = Field(default=95.0, ge=11.0, le=99.5)
    """Only above this are pictures given up that the cloud has not taken yet, the oldest first. They are counted."""
    warn_days: int = Field(default=7, ge=0, le=365)
    """So long before pictures are deleted earlier than their days say, an alarm tells. 0: none does."""
    stray_days: int = Field(default=14, ge=1, le=3650)
    """A file that no row names is deleted when it is older: a rescue of a damaged ledger may name it again."""

    @model_validator(mode="after")
    def _in_order(self) -> "RetentionOptions":
        if not self.low_percent < self.high_percent < self.hard_cap_percent:
            raise ValueError(
                f"low_percent = {self.low_percent:g}, high_percent = {self.high_percent:g}, hard_cap_percent ="
                f" {self.hard_cap_percent:g}: expected each below the next"
            )
        return self

    def days_of(self, kind: str) -> int:
        """How long pictures of a class stay; 0: for ever."""
        return self._days()[kind]

    def quota_of(self, kind: str) -> int:
        """How many bytes pictures of a class may take; 0: no quota."""
        return round(self._gb()[kind] * 1e9)

    def _days(self) -> dict[str, int]:
        return {
            OK: self.ok_days,
            UNCERTAIN: self.uncertain_days,
            REJECT: self.reject_days,
            CHALLENGE: self.challenge_days,
            GOLDEN: self.golden_days,
            THUMB: self.thumb_days,
        }

    def _gb(self) -> dict[str, float]:
        return {
            OK: self.ok_gb,
            UNCERTAIN: self.uncertain_gb,
            REJECT: self.reject_gb,
            CHALLENGE: self.challenge_gb,
            GOLDEN: self.golden_gb,
            THUMB: self.thumb_gb,
        }
