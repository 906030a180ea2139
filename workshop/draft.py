"""A draft of a new product: what was drawn, which pictures were taken, what was taught and what is asked of it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..inspect.sections import Name, Region

DraftId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Role = Literal["good", "defect", "challenge"]
Flag = Literal["blurred", "overexposed", "underexposed", "unlike"]
MOST_SHOTS = 2000
FEWEST_GOODS = 10
"""With fewer nothing can be taught (`training.options`)."""
WANTED_GOODS = (20, 100)
"""Enough to begin, enough to be believed."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shot(_Part):
    """One picture of one part by one camera."""

    id: Sha256
    """Of the PNG file, which lies under this name."""
    role: Role
    camera: str
    width: int
    height: int
    channels: Literal[1, 3]
    taken_at: str
    source: Literal["live", "part"]
    part: int = 0
    number: int = 0
    epoch: int = 0
    """Part, and the camera's frame number and epoch: no picture comes in twice."""
    seq: int = 0
    """Of the ledger's part it was taken from; 0: none."""
    kind: str = Field(default="defect", max_length=100)
    """Class of a defect, as a person calls it."""
    region: Name | None = None
    """Where the defect is; None: not said."""
    brightness: float = 0.0
    sharpness: float = 0.0
    clipped: float = 0.0
    """Share of pixels at full scale."""
    flags: tuple[Flag, ...] = ()


class Wish(_Part):
    """What is asked of the model, in percent of the parts."""

    overkill_percent: float = Field(default=1.0, ge=0.01, le=50.0)
    escape_percent: float | None = Field(default=None, ge=0.01, le=50.0)
    """None: overkill alone sets the limit, which is all that goods can tell."""


class Scored(_Part):
    """One picture's score by a model that did not know it."""

    shot: Sha256
    score: float
    heat: str = ""
    """File of its heat map in the draft's folder; empty: none was drawn."""


class TaughtRegion(_Part):
    """What the teaching of one region came to."""

    bundle: str
    """Folder of the bundle, inside the draft's."""
    digest: Sha256
    threshold: float
    """What holds: the bundle's own, or what was chosen since."""
    own_threshold: float
    goods: tuple[Scored, ...]
    """The highest first."""
    defects: tuple[Scored, ...] = ()
    chosen: str = ""
    labels: str = ""
    doubt: str = ""
    seconds: float = 0.0


class Tried(_Part):
    """One challenge part as the draft judges it."""

    shot: Sha256
    outcome: Literal["OK", "NG", "UNJUDGED"]
    score: float
    threshold: float
    reasons: tuple[str, ...] = ()
    overlay: str = ""


class Released(_Part):
    """Where it went."""

    at: str
    who: str
    job: int
    recipe: str
    revision: str


class Draft(_Part):
    """All of it. A new revision with each change."""

    id: DraftId
    name: Name
    """Of the product, and of the recipe to come."""
    revision: int = 1
    who: str
    made_at: str
    changed_at: str
    base_job: int
    """Job whose camera section, deadline and distances it takes."""
    base_recipe: str
    """File name of that recipe when the draft was begun."""
    base_revision: str
    cameras: dict[str, tuple[int, int]]
    """Width and height of the developed picture of each camera."""
    regions: tuple[Region, ...] = Field(min_length=1, max_length=16)
    shots: tuple[Shot, ...] = Field(default=(), max_length=MOST_SHOTS)
    wish: Wish = Wish()
    taught: dict[str, TaughtRegion] = Field(default_factory=dict)
    """By region."""
    taught_from: str = ""
    """Which pictures and regions were taught; another value than `matter` now: teach again."""
    tried: tuple[Tried, ...] = ()
    released: Released | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Draft":
        names = [region.name for region in self.regions]
        if len(set(names)) != len(names):
            raise ValueError(f"regions: expected different names, found {names}")
        for region in self.regions:
            if region.camera is not None and region.camera not in self.cameras:
                raise ValueError(
                    f"regions: {region.name}: camera {region.camera}: expected one of {list(self.cameras)}"
                )
            if region.box != "full":
                x, y, w, h = region.box
                for width, height in (size for name, size in self.cameras.items() if region.camera in (None, name)):
                    if x + w > width or y + h > height:
                        raise ValueError(
                            f"regions: {region.name} reaches to {x + w},{y + h}: "
                            f"expected to lie inside the picture of {width}x{height}"
                        )
        for camera in self.cameras:
            if not any(region.camera in (None, camera) for region in self.regions):
                raise ValueError(f"regions: expected one or more for camera {camera}")
        return self

    def of(self, role: Role) -> list[Shot]:
        """Pictures of one role, in the order they were taken."""
        return [shot for shot in self.shots if shot.role == role]

    def shot(self, id_: str) -> Shot:
        """One picture. ValueError: there is none such."""
        for shot in self.shots:
            if shot.id == id_:
                return shot
        raise ValueError(f"picture {id_[:12]}: there is none such in this draft")

    def seen_in(self, region: Region, role: Role) -> list[Shot]:
        """Pictures that a region is taught from: of its cameras; of defects those that are said, or must be, in it."""
        mine = [shot for shot in self.of(role) if region.camera in (None, shot.camera)]
        if role != "defect":
            return mine
        return [shot for shot in mine if shot.region in (region.name, None) and self._alone(region, shot)]

    def _alone(self, region: Region, shot: Shot) -> bool:
        """A defect of which nobody said where it is can be in the one region its camera has."""
        return shot.region is not None or sum(one.camera in (None, shot.camera) for one in self.regions) == 1
