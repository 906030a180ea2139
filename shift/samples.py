"""The known parts of a product's challenge test: which there are, in what order they go through, and what is wrong."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..bus.errors import Refused
from ..bus.part import Delivery, Outcome, Record

MOST = 24


@dataclass(frozen=True, slots=True)
class TestPart:
    """One known part of a recipe."""

    __test__ = False

    id: str
    name: str
    expected: str
    """`NG` or `OK`."""
    picture: str = ""
    """sha256 of its photo in the store, empty: none."""


class _Sample(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=40)
    name: str = Field(min_length=1, max_length=80)
    expected: Literal["NG", "OK"]
    picture: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class _Samples(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: tuple[_Sample, ...] = Field(max_length=MOST)


def samples_name(recipe: str) -> str:
    """Name under which the ledger keeps a recipe's test parts."""
    return f"challenge:{recipe}"[:64]


def parts_of(body: Any) -> tuple[TestPart, ...]:
    """Read `{"samples": [{"id", "name", "expected", "picture"}, ...]}`. Refused: it is not of that shape."""
    try:
        read = _Samples.model_validate(body).samples
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"test parts: {'.'.join(str(at) for at in first['loc'])}: {first['msg']}") from error
    if len({one.id for one in read}) != len(read):
        raise Refused("test parts: id: expected each only once")
    return tuple(TestPart(one.id, one.name, one.expected, one.picture) for one in read)


def as_body(parts: Sequence[TestPart]) -> dict[str, Any]:
    """The same as `parts_of` reads."""
    return {"samples": [asdict(part) for part in parts]}


def row_of(parts: Sequence[TestPart], passes: int, *, memory: bool) -> list[TestPart]:
    """The passes of one run in order: each defective part so often, then the good ones; memory: and bad, good, bad."""
    bad = [part for part in parts if part.expected == "NG"]
    good = [part for part in parts if part.expected != "NG"]
    row = [part for part in (*bad, *good) for _ in range(passes)]
    return [*row, bad[0], good[0], bad[0]] if memory and bad and good else row


def problem_of(part: TestPart, record: Record) -> str:
    """Why this pass did not come off, in words; empty: it did."""
    outcome = record.verdict.outcome if record.verdict is not None else None
    if outcome is None or outcome is Outcome.UNJUDGED:
        return "it got no verdict"
    if part.expected != "NG":
        return "" if outcome is Outcome.OK else "a good part was called bad"
    if outcome is not Outcome.NG:
        return "the defect was not found"
    if record.receipt.confirmed is False:
        return "it was not removed"
    if record.receipt.delivery is Delivery.UNCONFIRMED:
        return "nothing confirms that it was removed"
    return ""
