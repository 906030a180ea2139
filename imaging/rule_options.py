"""Measuring tools that stand beside the models in a recipe. No numpy here: every process reads recipes.

A tool knows nothing of regions: it is given the picture and a box in it. What is within its limits is OK, and what
cannot be measured (no edge found, a grey picture asked for its colour) judges nothing: the part is UNJUDGED.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Channel = Literal["grey", "red", "green", "blue"]
"""`grey`: luma of a colour picture. The other three need a colour picture."""
Unit = Literal["px", "mm"]
Count = Annotated[int, Field(ge=0, le=10_000)]
Area = Annotated[float, Field(ge=0.0, le=1e9, allow_inf_nan=False)]
File = Annotated[str, Field(max_length=200)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Level = Annotated[int, Field(ge=0, le=255)]


class _Rule(BaseModel):
    """What every tool has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]
    """What its values and its places are called on the screen and in the record."""
    mm_per_px: float | None = Field(default=None, gt=0.0, le=1000.0)
    """Scale of the developed picture; None: that of `develop.lens`. For a lens that needs no calibration."""
    brightness: tuple[Level, Level] = (4, 251)
    """Mean grey level the box must have; outside it nothing is measured, the part is UNJUDGED: in a picture without
    light there is no blob, either."""

    @field_validator("brightness")
    @classmethod
    def _lamp(cls, brightness: tuple[int, int]) -> tuple[int, int]:
        _ordered("brightness", brightness[0], "brightness", brightness[1], apart=True)
        return brightness

    @property
    def needs_scale(self) -> bool:
        """True: its values are in mm, so mm per px must be known."""
        return getattr(self, "unit", "px") == "mm"

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files beside the recipe that it takes."""
        template = getattr(self, "template", "")
        return (template,) if template else ()


class _Blobs(_Rule):
    """Which pixels stand out, and which connected places of them are blobs."""

    channel: Channel = "grey"
    polarity: Literal["dark", "light", "both"] = "dark"
    """What a blob is beside its surroundings; `both` with `threshold: local` only."""
    threshold: Literal["fixed", "otsu", "local"] = "local"
    """`fixed`: darker or lighter than `level`. `otsu`: the level that parts two kinds of pixel best. `local`: by
    `contrast` darker or lighter than the median of the surroundings: uneven light does no harm."""
    level: Level = 128
    """`fixed`: dark is below it, light is above it."""
    contrast: float = Field(default=20.0, ge=1.0, le=255.0)
    """Grey levels. `local`: against the surroundings. `otsu`: between the means of the two kinds; less: no blob."""
    window_px: int = Field(default=51, ge=5, le=1023)
    """`local`: size of the surroundings; twice a blob's width or more."""
    smooth_px: float = Field(default=0.0, ge=0.0, le=20.0)
    """Sigma of a Gaussian before the threshold; 0: none."""
    open_px: int = Field(default=0, ge=0, le=99)
    """What is thinner is taken off; 0: nothing."""
    close_px: int = Field(default=0, ge=0, le=99)
    """Gaps that are thinner are bridged; 0: none."""
    fill_holes: bool = False
    """True: what a blob encloses belongs to it."""
    at_edge: bool = True
    """False: a blob that touches the edge of the box is none."""
    unit: Unit = "px"
    """Of areas: px (px x px) or mm (mm x mm, which needs a scale)."""
    min_area: Area = 4.0
    """A smaller blob is none."""
    max_area: Area | None = None
    """A larger one is none, either; None: no limit."""
    min_circularity: Share = 0.0
    """Area over that of the circle about its centre that holds it: disc 1 (9 px wide 0.86), square 0.64, line 0."""
    max_circularity: Share = 1.0
    min_elongation: float = Field(default=1.0, ge=1.0, le=1e6)
    """Length over width, from the second moments: disc and square 1, line large."""
    max_elongation: float | None = Field(default=None, ge=1.0, le=1e6)

    @model_validator(mode="after")
    def _blobs(self) -> Self:
        if self.polarity == "both" and self.threshold != "local":
            raise ValueError("polarity = both: expected threshold: local")
        _ordered("min_area", self.min_area, "max_area", self.max_area)
        _ordered("min_circularity", self.min_circularity, "max_circularity", self.max_circularity)
        _ordered("min_elongation", self.min_elongation, "max_elongation", self.max_elongation)
        return self


class BlobOptions(_Blobs):
    """How many blobs there are, and how large they are together. As it stands: none may be there."""

    kind: Literal["blob"] = "blob"
    min_count: Count = 0
    max_count: Count | None = 0
    """None: any number."""
    min_total_area: Area | None = None
    """Of all blobs together, in px x px or mm x mm."""
    max_total_area: Area | None = None

    @model_validator(mode="after")
    def _limits(self) -> Self:
        _counts(self.min_count, self.max_count)
        _ordered("min_total_area", self.min_total_area, "max_total_area", self.max_total_area, apart=True)
        if (self.min_count, self.max_count, self.min_total_area, self.max_total_area) == (0, None, None, None):
            raise ValueError("expected a limit: min_count, max_count, min_total_area or max_total_area")
        return self


class CaliperOptions(_Rule):
    """Edges along a direction: the width between two, or where one lies. Not found is UNJUDGED."""

    kind: Literal["caliper"] = "caliper"
    channel: Channel = "grey"
    angle_deg: float = Field(default=0.0, ge=-180.0, le=180.0)
    """Direction of the scan: 0 from left to right, 90 upwards, counter-clockwise as seen."""
    breadth_px: float | None = Field(default=None, ge=1.0, le=16384.0)
    """How far across the scan is averaged; None: the whole box, at an angle a quarter of its shorter side."""
    measure: Literal["width", "position"] = "width"
    """`width`: from one edge to the next. `position`: of one edge from the middle of the box, along the scan."""
    polarity: Literal["rising", "falling", "any"] = "any"
    """Of the first edge along the scan: `rising` is from dark to light."""
    second: Literal["opposite", "same", "any"] = "opposite"
    """`width`: polarity of the second edge against the first."""
    pick: Literal["first", "last", "best", "outer"] = "best"
    """Of several edges or pairs along the scan; `best`: of the most contrast; `outer`: from the first to the last."""
    sigma_px: float = Field(default=1.0, ge=0.4, le=20.0)
    """Of the Gaussian whose derivative finds the edges; about that of the edges themselves, more for more noise."""
    min_contrast: float = Field(default=15.0, ge=1.0, le=255.0)
    """Grey levels of the step at an edge; less is none. A step more blurred than `sigma_px` shows less than it has."""
    lines: int = Field(default=1, ge=1, le=64)
    """Scans side by side that share the breadth. From 2 on there is a least, a mean and a largest value."""
    judge: Literal["each", "mean", "min", "max"] = "each"
    """Which of these the limits are for; `each`: the least and the largest."""
    unit: Unit = "px"
    low: float | None = Field(default=None, ge=-1e6, le=1e6)
    """The least that is OK, in `unit`; None: no limit."""
    high: float | None = Field(default=None, ge=-1e6, le=1e6)
    max_straightness: float | None = Field(default=None, gt=0.0, le=1e6)
    """Of the first edge, and of the second: how far apart two lines lie that hold it, in `unit`. Three lines or more;
    None: no limit."""

    @model_validator(mode="after")
    def _limits(self) -> Self:
        _band(self.low, self.high)
        if self.pick == "outer" and self.measure == "position":
            raise ValueError("pick = outer: expected measure: width")
        if self.max_straightness is not None and self.lines < 3:
            raise ValueError(f"max_straightness: expected lines of 3 or more, found {self.lines}")
        return self


class HsvRange(BaseModel):
    """Colours as people name them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hue_deg: tuple[Annotated[float, Field(ge=0.0, le=360.0)], Annotated[float, Field(ge=0.0, le=360.0)]] = (0.0, 360.0)
    """From, to, upwards: red is [340, 20], green [90, 150], blue [210, 270]."""
    saturation: tuple[Share, Share] = (0.0, 1.0)
    """0: grey, 1: pure."""
    value: tuple[Share, Share] = (0.0, 1.0)
    """Of the strongest of red, green and blue."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _ordered("saturation", self.saturation[0], "saturation", self.saturation[1])
        _ordered("value", self.value[0], "value", self.value[1])
        return self


class PresenceOptions(_Rule):
    """Is it there: share of the pixels of a grey level or a colour, share of edges, or likeness with a template."""

    kind: Literal["presence"] = "presence"
    method: Literal["levels", "colour", "edges", "likeness"] = "levels"
    channel: Channel = "grey"
    """Not for `colour`."""
    levels: tuple[Level, Level] = (0, 127)
    """`levels`: darkest and lightest that count."""
    colour: HsvRange | None = None
    """`colour`: what counts."""
    edge_contrast: float = Field(default=15.0, ge=1.0, le=255.0)
    """`edges`: a pixel counts where the grey level changes by so much over two pixels."""
    template: File = ""
    """`likeness`: picture (PNG) of what is looked for, beside the recipe, not larger than the box."""
    low: float | None = Field(default=None, ge=-1.0, le=1.0)
    """The least share (0..1) or likeness (-1..1) that is OK; None: no limit, which is not the same as 0: the middle of
    two limits is what is asked for."""
    high: float | None = Field(default=None, ge=-1.0, le=1.0)

    @model_validator(mode="after")
    def _limits(self) -> Self:
        _band(self.low, self.high)
        _ordered("levels", self.levels[0], "levels", self.levels[1])
        if (self.method == "colour") != (self.colour is not None):
            raise ValueError("expected `colour` with method: colour, and with no other")
        if (self.method == "likeness") != bool(self.template):
            raise ValueError("expected `template` with method: likeness, and with no other")
        return self


class ColourOptions(_Rule):
    """Mean colour against a reference. The developed picture is taken to be sRGB under D65."""

    kind: Literal["colour"] = "colour"
    reference_lab: tuple[
        Annotated[float, Field(ge=0.0, le=100.0)],
        Annotated[float, Field(ge=-128.0, le=128.0)],
        Annotated[float, Field(ge=-128.0, le=128.0)],
    ]
    """L*, a*, b* of CIELAB."""
    formula: Literal["ciede2000", "cie76"] = "ciede2000"
    max_delta_e: float = Field(gt=0.0, le=200.0)
    """Difference that is still OK; 1 is about what an eye sees side by side."""
    max_clipped: Share = 0.05
    """Share of pixels with a channel at 255; more: the colour cannot be told, the part is UNJUDGED."""


class CountOptions(_Blobs):
    """How many things there are: blobs, or places like a template."""

    kind: Literal["count"] = "count"
    by: Literal["blobs", "template"] = "blobs"
    template: File = ""
    """`template`: picture (PNG) of one of them, beside the recipe, not larger than the box."""
    min_likeness: float = Field(default=0.7, ge=0.1, le=1.0)
    """`template`: normalised correlation above which a place is one."""
    max_overlap: float = Field(default=0.3, ge=0.0, le=0.9)
    """`template`: share of its area by which one may lie on another."""
    min_count: Count
    max_count: Count

    @model_validator(mode="after")
    def _limits(self) -> Self:
        _counts(self.min_count, self.max_count)
        if (self.by == "template") != bool(self.template):
            raise ValueError("expected `template` with by: template, and with no other")
        return self


RuleOptions = Annotated[
    BlobOptions | CaliperOptions | PresenceOptions | ColourOptions | CountOptions, Field(discriminator="kind")
]
"""One tool of a recipe, told by its `kind`."""


def _ordered(one: str, low: float | None, other: str, high: float | None, *, apart: bool = False) -> None:
    if low is not None and high is not None and (low > high or (apart and low == high)):
        raise ValueError(f"{one} = {low:g}: expected to lie below {other} = {high:g}")


def _counts(low: int, high: int | None) -> None:
    _ordered("min_count", low, "max_count", high)


def _band(low: float | None, high: float | None) -> None:
    if low is None and high is None:
        raise ValueError("expected a limit: low, high or both")
    _ordered("low", low, "high", high, apart=True)
