"""What cameras this box sees: every producer is looked at by a process of its own, so none takes the others along."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..bus.errors import BadSettings, CameraLost, OkngError
from .doctor import look
from .producers import PATH, producers_in_path
from .source import CameraInfo

_AT_ONCE = 4
_VIDEO = Path("/sys/class/video4linux")


@dataclass(frozen=True, slots=True)
class Listing:
    """What was seen."""

    cameras: tuple[CameraInfo, ...]
    troubles: tuple[str, ...]
    """Producers that could not be looked at, and why."""


def list_cameras(producers: Sequence[Path]) -> Listing:
    """Look at each producer, several at a time. One that crashes, hangs or does not load is told by its name."""

    def one(producer: Path) -> tuple[list[CameraInfo], str]:
        try:
            return look(producer), ""
        except OkngError as error:
            words = str(error)
            return [], words if str(producer) in words else f"{producer}: {words}"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(one, producers))
    cameras = tuple(camera for seen, _ in found for camera in seen)
    return Listing(cameras, tuple(trouble for _, trouble in found if trouble))


def producer_of(serial: str) -> Path:
    """The producer in GENICAM_GENTL64_PATH that sees the camera with that serial number.

    An empty serial takes the only producer there is. BadSettings: there is none, or several and nothing tells which.
    CameraLost: none of them sees it.
    """
    producers = sorted({file.resolve() for file in producers_in_path()})  # a link and its file are one
    if not producers:
        raise BadSettings(f"producer: not set, and no .cti lies in {PATH}: expected the camera maker's GenTL producer")
    if len(producers) == 1:
        return producers[0]
    names = ", ".join(map(str, producers))
    if not serial:
        raise BadSettings(f"producer: not set and no serial either, expected one of them: {PATH} holds {names}")
    listing = list_cameras(producers)
    for camera in listing.cameras:
        if serial in (camera.serial, camera.id):
            return Path(camera.producer)
    seen = ", ".join(camera.serial or camera.id for camera in listing.cameras) or "none"
    raise CameraLost("; ".join([f"camera {serial}: not seen by {names}, which see {seen}", *listing.troubles]))


def video_devices() -> list[tuple[str, str]]:
    """Device file and name of each V4L2 device that takes pictures, for the driver `video`."""
    found = []
    for entry in sorted(_VIDEO.glob("video*")) if _VIDEO.is_dir() else []:
        try:
            found.append((f"/dev/{entry.name}", (entry / "name").read_text(encoding="utf-8").strip()))
        except OSError as error:
            found.append((f"/dev/{entry.name}", f"name cannot be read: {error.strerror}"))
    return found
