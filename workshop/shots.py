"""A picture becomes part of a draft: written whole, measured, and told when it is unlike what was taken before."""

import hashlib
import statistics
from collections.abc import Sequence

import cv2
import numpy as np

from ..bus.clock import utc_now
from ..bus.errors import BadPicture
from ..camera.frame import Frame
from ..imaging.picture import Picture
from ..models.pictures import encode_png
from .draft import MOST_SHOTS, Draft, Flag, Role, Shot
from .drafts import Drafts
from .whole import put

SMALL_PX = 320
_DARK, _BRIGHT = 12.0, 243.0
_CLIPPED, _MORE_CLIPPED = 0.02, 5.0
"""Share of pixels at full scale that is too much, unless the others have nearly as many."""
_BLURRED = 0.45
"""Of the sharpness that the middle one of the goods has."""
_LIGHT_LEVELS, _LIGHT_SPREADS = 12.0, 6.0
"""A picture is unlike the others when its mean level is so far from theirs, in grey levels and in their spread."""
_FEWEST = 5
"""With fewer goods nothing can be said to be unlike them."""


def keep(drafts: Drafts, draft: Draft, picture: Picture, shot: dict[str, object]) -> Shot:
    """Write the picture's files and return what the draft is to know of it. ValueError: it is there already.

    shot: the fields that only the caller knows: role, camera, source and where it comes from.
    """
    if len(draft.shots) >= MOST_SHOTS:
        raise ValueError(f"{MOST_SHOTS} pictures are in this draft already")
    data = encode_png(picture)
    id_ = hashlib.sha256(data).hexdigest()
    if any(known.id == id_ for known in draft.shots):
        raise ValueError("this very picture is in the draft already")
    brightness, sharpness, clipped = figures(picture)
    role, camera = shot["role"], shot["camera"]
    others = [known for known in draft.shots if known.camera == camera and known.role == "good"]
    made = Shot.model_validate(
        {
            **shot,
            "id": id_,
            "width": picture.shape[1],
            "height": picture.shape[0],
            "channels": 1 if picture.ndim == 2 else 3,
            "brightness": round(brightness, 2),
            "sharpness": round(sharpness, 3),
            "clipped": round(clipped, 5),
            "flags": flags(brightness, sharpness, clipped, others, is_good=role == "good"),
        }
    )
    put(drafts.small(draft, id_), small(picture))
    put(drafts.picture(draft, id_), data)
    return made


def of_frame(draft: Draft, frame: Frame, role: Role) -> dict[str, object]:
    """Fields of a shot of a live picture. ValueError: this part, or this very frame, is in the draft already."""
    width, height = draft.cameras[frame.camera]
    if (frame.picture.shape[1], frame.picture.shape[0]) != (width, height):
        found = f"{frame.picture.shape[1]}x{frame.picture.shape[0]}"
        raise ValueError(
            f"the picture is {found}, this draft's are {width}x{height}: change to job {draft.base_job} first"
        )
    for known in draft.shots:
        same = (known.epoch, known.number) == (frame.epoch, frame.number) and known.camera == frame.camera
        if known.source == "live" and same and known.part == frame.part:
            raise ValueError("this picture was taken already: wait for the next part")
    return {
        "role": role,
        "camera": frame.camera,
        "taken_at": frame.taken_at or utc_now(),
        "source": "live",
        "part": frame.part,
        "number": frame.number,
        "epoch": frame.epoch,
    }


def figures(picture: Picture) -> tuple[float, float, float]:
    """Mean level, sharpness (for comparing pictures of one kind), share of pixels at full scale."""
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    edge = max(grey.shape)
    if edge > 1024:
        grey = cv2.resize(grey, None, fx=1024 / edge, fy=1024 / edge, interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(grey, (0, 0), 1.0)  # noise is no sharpness
    return float(grey.mean()), float(cv2.Laplacian(light, cv2.CV_32F).std()), float(np.mean(picture >= 254))


def flags(
    brightness: float, sharpness: float, clipped: float, others: Sequence[Shot], *, is_good: bool
) -> tuple[Flag, ...]:
    """What a person should look at before this picture is taught from. others: goods of the same camera."""
    found: list[Flag] = []
    usual = statistics.median(one.clipped for one in others) if others else 0.0
    if brightness > _BRIGHT or clipped > max(_CLIPPED, _MORE_CLIPPED * usual):
        found.append("overexposed")
    if brightness < _DARK:
        found.append("underexposed")
    if len(others) >= _FEWEST:
        if sharpness < _BLURRED * statistics.median(one.sharpness for one in others):
            found.append("blurred")
        levels = [one.brightness for one in others]
        away = abs(brightness - statistics.median(levels))
        if is_good and away > max(_LIGHT_LEVELS, _LIGHT_SPREADS * statistics.pstdev(levels)):
            found.append("unlike")
    return tuple(found)


def small(picture: Picture) -> bytes:
    """A copy for a list of pictures, JPEG."""
    shrink = min(1.0, SMALL_PX / max(picture.shape[:2]))
    shown = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else picture
    pixels = shown if shown.ndim == 2 else cv2.cvtColor(shown, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not done:
        raise BadPicture(f"picture of shape {picture.shape} cannot be encoded")
    return bytes(data.tobytes())
