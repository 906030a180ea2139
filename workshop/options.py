"""What the box's settings say of the workshop."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class WorkshopOptions(BaseModel):
    """`[workshop]` of the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Path("workshop")
    """Where drafts, their pictures and what is being worked at lie. Made if missing."""
    bundles: Path | None = None
    """Where models taught here go. None: `bundles` inside it."""
    require_signed: bool = False
    """True: only a model whose signature holds under `sync.authorities` is activated, those taught here included."""
    four_eyes: bool = False
    """True: a model is activated or taken back only with a second person's confirmation."""
    past_pictures: int = Field(default=200, ge=10, le=2000)
    """How many of the last kept pictures a preview or a comparison looks at."""
    trial_pictures: int = Field(default=20, ge=1, le=200)
    """The same, for a draft of a recipe."""
    fresh_ms: int = Field(default=2000, ge=100, le=60_000)
    """A live picture older than this is not taken for a draft."""
    budget_ms: float = Field(default=25.0, ge=20.0, le=10_000.0)
    """Core time, on a slow core, that one part may cost a model taught here: a larger one sees smaller defects."""
    threads: int = Field(default=1, ge=1, le=64)
    """Cores that teaching may take from the line."""
    waiting: int = Field(default=8, ge=1, le=64)
    """Long pieces of work that may wait for their turn; more are refused."""
    memory_mb: int = Field(default=4096, ge=512, le=262_144)
    """Address space of one long piece of work beyond what the runtime maps itself; more ends it."""
    kept_works: int = Field(default=50, ge=5, le=1000)
    """Finished pieces of work whose results are kept."""

    sticks: Path = Path("/run/media/okng")
    """Folder below which USB sticks are mounted (`okng-usb@.service`)."""
    stick_most_mb: int = Field(default=16_384, ge=64, le=1_048_576)
    """Largest file that is written to a USB stick."""

    def rooted(self, folder: Path) -> "WorkshopOptions":
        """The same with paths counted from a folder."""
        mine = folder / self.folder
        return self.model_copy(update={"folder": mine, "bundles": folder / (self.bundles or mine / "bundles")})
