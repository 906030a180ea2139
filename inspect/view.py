"""What one camera sees of a part: where it lies, regions, tools and codes, and whether the picture is a good one."""

from collections.abc import Iterator
from dataclasses import dataclass

from ..bus.errors import BadPicture, BadRecipe
from ..bus.part import CodeRead, ImageHealth, Placement
from ..imaging.codes import CodeReader
from ..imaging.picture import Box as Place
from ..imaging.picture import Picture
from ..imaging.registration import Aligner
from ..imaging.rigid import Found
from ..imaging.rules import Ruler
from ..imaging.scale import scale_of
from ..models.box import Box
from ..models.pictures import read
from .image_watch import ImageWatch
from .mask import Mask, mask_of
from .recipe import ActiveRecipe, Region
from .tool_section import Tool


@dataclass(frozen=True, slots=True)
class Cut:
    """One region as a model is to see it, or a tool to measure it."""

    section: Region | Tool
    picture: Picture
    """What it is cut from: the picture, or the region alone, turned back to where the golden one has it."""
    box: Box
    """The region in `picture`."""
    place: Place
    """Where it lies in the camera's picture: the upright box round it."""

    def seen_at(self, box: Box) -> Box:
        """Where a box in `picture` lies in the camera's picture; about there, where the part lies turned."""
        x, y, width, height = self.place
        across, down = width / self.box.w, height / self.box.h
        left, top = round(x + (box.x - self.box.x) * across), round(y + (box.y - self.box.y) * down)
        return Box(left, top, max(1, round(box.w * across)), max(1, round(box.h * down)))


class View:
    """One camera's share of a recipe. Made once for each job; one thread."""

    def __init__(self, active: ActiveRecipe, camera: str) -> None:
        """BadRecipe: the recipe says nothing of that camera, or a file it names does not fit."""
        recipe = active.recipe
        self.camera, self.section = camera, recipe.section(camera)
        self.regions = tuple(region for region in recipe.regions if region.camera in (None, camera))
        """The recipe's regions that this camera sees."""
        self.tools = tuple(tool for tool in recipe.tools if tool.camera in (None, camera))
        """The same of its tools."""
        self.rulers = _rulers(active, self.tools, scale_of(self.section.develop, active.folder) if self.tools else None)
        """What measures for each tool, by its name."""
        width, height = self.section.size
        self._whole: Place = (0, 0, width, height)
        self.masks: dict[str, Mask] = {}
        """What of a region is judged, by its name; regions that leave nothing out are not in it."""
        for region in self.regions:
            try:
                mask = mask_of(region, self._whole)
            except BadRecipe as error:
                raise BadRecipe(f"{active.path}: regions: {error}") from error
            if mask is not None:
                self.masks[region.name] = mask
        health, align = recipe.health_of(camera), recipe.align_of(camera)
        self.watch = None if health is None else ImageWatch(camera, health, active.folder, self.section.size)
        """None: nothing was commissioned for this camera."""
        self._aligner = None
        if align is not None:
            path = active.folder / align.golden
            try:
                golden = read(path)
            except BadPicture as error:
                raise BadRecipe(f"{active.path}: align.golden: {error}") from error
            if (golden.shape[1], golden.shape[0]) != self.section.size:
                raise BadRecipe(
                    f"{path}: a picture of {golden.shape[1]}x{golden.shape[0]}, "
                    f"expected the developed picture's {width}x{height}"
                )
            self._aligner = Aligner(golden, align)
        self._readers = [CodeReader(code) for code in recipe.codes if code.camera in (None, camera)]

    def find(self, picture: Picture) -> Found | None:
        """Where the part lies; None: the recipe takes it to lie still."""
        return None if self._aligner is None else self._aligner.find(picture, self.camera)

    def cuts(self, picture: Picture, found: Found | None) -> Iterator[Cut | str]:
        """Each region and tool as it is to see it, or why it cannot. found: None, or where the part was found."""
        for section in (*self.regions, *self.tools):
            place = self._whole if section.box == "full" else section.box
            if found is None or section.box == "full":
                yield Cut(section, picture, Box(*place), place)
                continue
            around, cut = found.around(place, picture.shape[1], picture.shape[0]), found.cut(picture, place)
            if around is None or cut is None:
                yield f"region {section.name} lies partly outside the picture"
                continue
            yield Cut(section, cut, Box(0, 0, cut.shape[1], cut.shape[0]), around)

    def read_codes(self, picture: Picture, found: Found | None) -> Iterator[tuple[CodeRead, str]]:
        """Each code that this camera sees, and why the part is UNJUDGED by it (empty: it is not)."""
        for reader in self._readers:
            box = reader.options.box
            place = None if box == "full" else box
            if place is not None and found is not None:
                place = found.around(place, picture.shape[1], picture.shape[0])
                if place is None:  # it moved out of the picture
                    missed = CodeRead(reader.options.name, "", "", reader.options.serial)
                    yield missed, reader.reason(missed)
                    continue
            read_ = reader.read(picture, place)
            yield read_, reader.reason(read_)


def _rulers(active: ActiveRecipe, tools: tuple[Tool, ...], mm_per_px: float | None) -> dict[str, Ruler]:
    """Make each tool ready. BadRecipe names the file, the tool and what does not fit."""
    made = {}
    for tool in tools:
        template = getattr(tool, "template", "")
        try:
            picture = read(active.folder / template) if template else None
            made[tool.name] = Ruler(tool, mm_per_px, picture)
        except (BadPicture, BadRecipe) as error:
            raise BadRecipe(f"{active.path}: tools: {error}") from error
    return made


@dataclass(frozen=True, slots=True)
class Extras:
    """What is known of a view beside the judgement."""

    image: tuple[ImageHealth, ...] = ()
    placements: tuple[Placement, ...] = ()
    codes: tuple[CodeRead, ...] = ()
