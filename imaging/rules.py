"""A recipe's measuring tools, made ready once and used on every part."""

from ..bus.errors import BadRecipe
from .measured import Measured
from .picture import Box, Picture
from .rule_options import RuleOptions


class Ruler:
    """One tool of a recipe. One thread."""

    def __init__(self, options: RuleOptions, mm_per_px: float | None = None, template: Picture | None = None) -> None:
        """mm_per_px: scale of the picture by its calibration; None: not known. template: the file `options.template`.

        BadRecipe: a value in mm and no scale, or a template that is missing, plain, or of the wrong colours.
        """
        self.options = options
        if options.needs_scale and options.mm_per_px is None and mm_per_px is None:
            raise BadRecipe(f"{options.name}: unit = mm: expected mm_per_px, or a calibration in develop.lens")

    def measure(self, picture: Picture, box: Box) -> Measured:
        """Measure in a box of the picture. Never raises for what is seen: that is `trouble`, and judges nothing."""
        raise NotImplementedError
