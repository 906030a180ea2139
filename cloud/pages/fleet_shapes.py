"""What the API answers of boxes, figures and deeds."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from .. import drift, standing, yields
from ..rollout_state import RUNGS
from ..spec import Among, Shape
from .part_shapes import Said


class Why(Shape):
    """One thing that is not well."""

    what: str
    detail: str


class RunningModel(Shape):
    """What runs on a box, and how far it has climbed."""

    recipe: str
    model: str
    rung: str


class BoxLine(Shape):
    """How a box is."""

    id: str
    name: str
    site: str
    line: str
    version: str
    seen_at: str | None
    retired: bool
    level: Annotated[str, Among(standing.LEVELS)]
    why: list[Why] = Field(description="The worst first.")
    disk_free_pct: float | None
    owed: int | None = Field(description="Events that it has and the service has not, by its own word.")
    clock_ok: bool | None
    drift: int = Field(description="Figures that it says have drifted.")
    models: list[RunningModel]
    halted: int = Field(description="Streams that stand still until a person lets them go on.")


class Levels(Shape):
    """Boxes by level."""

    well: int
    look: int
    wrong: int
    down: int
    silent: int


class BoxPage(Shape):
    """One page of boxes."""

    boxes: list[BoxLine]
    total: int
    by_level: Levels
    owed: int
    page: int


class Certificate(Shape):
    """By which a box is known."""

    sha256: str
    ends_at: str


class OneProcess(Shape):
    """As the box told it."""

    process: str
    state: str
    detail: str


class ClimbedRung(Shape):
    """Where a bundle stands on a box."""

    recipe: str
    bundle: str
    rung: Annotated[str, Among(RUNGS)]
    since: str
    reason: str
    figures: dict[str, Any]
    unlocked_by: str


class Step(Shape):
    """One step of a box's ladder."""

    at: str
    recipe: str
    bundle: str
    before: str
    to: str
    reason: str


class OneStream(Shape):
    """How far a stream has come."""

    stream: str
    epoch: int
    acked: int
    halted: dict[str, Any] | None = Field(description="Where a known number came with other content.")


class OneBox(BoxLine):
    """A box with its ladder and its streams."""

    enrolled_at: str
    certificate: Certificate
    processes: list[OneProcess]
    ladder: list[ClimbedRung] = Field(description="Newest first, 50 at most.")
    steps: list[Step] = Field(description="Newest first, 100 at most.")
    streams: list[OneStream]


class Unlock(Shape):
    """A bundle that was refused or rolled back may be tried again."""

    model_config = ConfigDict(json_schema_extra={"required": ["recipe", "bundle", "reason"]})

    recipe: Said = ""
    bundle: Said = Field(default="", description="Its digest.")
    reason: Said = ""


class Unlocked(Shape):
    """It may."""

    unlocked: bool


class YieldRow(Shape):
    """Counts of one group."""

    name: str
    label: str = Field(description="Of a box its name, else as name.")
    good: int
    rejects: int
    unjudged: int
    reject_share: float | None = Field(description="0..1 of the judged; null: there are none.")
    low: float = Field(description="Bounds of the share, 95 %.")
    high: float


class Yields(Shape):
    """Most rejects first; by hour and day in order of time."""

    since: str
    until: str
    by: Annotated[str, Among(yields.BY)]
    rows: list[YieldRow]


class Course(Shape):
    """A figure of one camera of a box."""

    box: str
    name: str
    line: str
    camera: str
    n: int
    mean: float
    spread: float = Field(description="Standard deviation of single parts.")
    first: float = Field(description="Mean of the first quarter of the time.")
    last: float
    change: float = Field(description="last less first, in spreads.")
    apart: float | None = Field(description="Deviations from the other boxes; null: too few to tell.")
    stands_out: bool
    points: list[Annotated[list[str | float], Field(min_length=2, max_length=2)]] = Field(description="[hour, mean]")


class Drift(Shape):
    """Those that stand out first."""

    figure: Annotated[str, Among(drift.FIGURES)]
    boxes: list[Course]


class OneDeed(Shape):
    """Who did what; each holds the hash of the one before."""

    id: int
    at: str
    who: str
    what: str
    subject: str
    detail: dict[str, Any]
    before: str
    sha256: str


class Deeds(Shape):
    """Newest first."""

    deeds: list[OneDeed]
    before: int | None = Field(description="Ask with it for older ones; null: there are none.")
