"""What the box's settings say of the inspection process."""

from pathlib import Path

from pydantic import Field

from ..models.runtime_options import RuntimeOptions


class InspectOptions(RuntimeOptions):
    """`[inspect]` of the settings: how models are run, and how often they are proved."""

    golden_every_s: int = Field(default=60, ge=5, le=86_400)
    """After this long without a part one golden picture is run; a wrong score is a fault."""
    standby: bool = True
    """A second process has the same job loaded, warmed up and proved, and judges when the first one dies: READY is back
    in some hundredths of a second. It takes as much memory as the first one, on a GPU too."""
    authorities: tuple[Path, ...] = Field(default=(), max_length=20)
    """Certificates (PEM) of those who vouch for bundles, asked once more right before a model is loaded: what none of
    them signed is not used. A bundle that this box signed itself counts where its own certificate is among them. None:
    no signature is asked for here."""

    def rooted(self, folder: Path) -> "InspectOptions":
        """The same with its files made absolute."""
        return self.model_copy(update={"authorities": tuple(folder / file for file in self.authorities)})
