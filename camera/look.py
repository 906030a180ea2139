"""What cameras a producer sees, as plain data: for the doctor and the settings page."""

from pathlib import Path

from .gentl import GentlSource
from .source import CameraInfo


def discover(producer: Path | None) -> list[CameraInfo]:
    """List the cameras, without opening any.

    producer: the `.cti` file; None: the only one in GENICAM_GENTL64_PATH. Call it in a process that has no camera
    open: looking loads the producer anew. BadSettings: the producer is missing or does not load.
    """
    return GentlSource(producer).discover()
