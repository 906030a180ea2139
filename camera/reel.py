"""Pictures of a sequence as frames of a profile: cut, converted and packed once, and kept for the next round."""

from collections import OrderedDict

from ..bus.errors import BadPicture
from ..imaging.formats import FORMATS
from .profiles import Profile
from .sensor import pack, sense, view
from .sequence import Shot, load_scene

_KEPT_BYTES = 64 << 20
"""Frames that are kept ready; the oldest goes."""


class Reel:
    """Frames for one profile. One thread."""

    def __init__(self, profile: Profile, strips: int) -> None:
        """strips: frames that one picture is sent as, from above to below."""
        self._profile, self._strips = profile, strips
        self._kept: OrderedDict[tuple[str, int, int, int], bytes] = OrderedDict()
        self._bytes = 0

    def frame(self, shot: Shot, strip: int) -> bytes:
        """Return the bytes of one frame as a camera would send them. BadPicture: no file, or it does not decode."""
        try:
            stat = shot.file.stat()
        except OSError as error:
            raise BadPicture(f"{shot.file}: cannot be read: {error.strerror}") from error
        key = (shot.file.name, stat.st_mtime_ns, stat.st_size, strip)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        pixels = as_sent(shot, self._profile, self._strips, strip)
        if len(pixels) <= _KEPT_BYTES:
            self._kept[key] = pixels
            self._bytes += len(pixels)
        while self._bytes > _KEPT_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])
        return pixels


def first_frame(shot: Shot) -> tuple[int, int, str]:
    """Width, height, px, and pixel format that a sequence is played in, unless a profile says otherwise. BadPicture."""
    scene = load_scene(shot.file)
    pixel_format = shot.pixel_format or ("Mono8" if scene.ndim == 2 else "RGB8")
    across = 2 if FORMATS[pixel_format].colour in ("yuyv", "uyvy") and shot.pixel_format else 1
    return scene.shape[1] // across, scene.shape[0], pixel_format


def as_sent(shot: Shot, profile: Profile, strips: int, strip: int) -> bytes:
    """Make one frame: the profile's region around the centre of the picture, moved by its offsets. BadPicture."""
    fmt = FORMATS[profile.pixel_format]
    scene = load_scene(shot.file)
    raw = bool(shot.pixel_format)
    if raw and fmt.colour in ("yuyv", "uyvy"):  # its bytes as they were sent, two a pixel
        if scene.ndim != 2 or scene.shape[1] % 4 or scene.itemsize != 1:
            raise BadPicture(f"{shot.file}: expected a grey picture of twice the width of a {fmt.name} frame")
        scene = scene.reshape(len(scene), -1, 2)
    top = (profile.frame_height * strips - scene.shape[0]) // 2 - profile.offset_y
    left = (profile.width - scene.shape[1]) // 2 - profile.offset_x
    if raw and fmt.colour in ("bayer", "yuyv", "uyvy"):  # a pixel's colour goes by its place
        top, left = top // 2 * 2, left // 2 * 2
    seen = view(scene, profile.width, profile.frame_height, left, top - strip * profile.frame_height)
    return pack(seen if seen.shape[2:] == (2,) else sense(seen, fmt), fmt)
