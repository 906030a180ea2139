"""From picture files to features: cut like on the line, through the model's own front half."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture
from ..models import crop, pictures
from ..models.box import Box
from ..models.runtime import Session
from .graph import CHANNELS, feature_graph
from .layout import Layout

Cuts = npt.NDArray[np.uint8]


def cut_files(
    files: Sequence[Path],
    size: tuple[int, int],
    channels: int,
    region: Box | None,
    threads: int,
    progress: Callable[[float], None],
) -> Cuts:
    """Return the files' pictures as model inputs, uint8 `(goods, height, width, channels)`.

    size: height and width in pixels.
    channels: 0 takes what the first picture has, and all must have the same.
    BadPicture, naming the file: it does not decode, or its size or channels differ from the first one's where that
    matters.
    """
    first = pictures.read(files[0])
    taken = channels or channels_of(first)

    def cut(path: Path) -> npt.NDArray[np.uint8]:
        picture, box = regarded(path, files[0], first, channels, region)
        try:
            cut: npt.NDArray[np.uint8] = crop.crop_and_resize(picture, box, size)[0]
            return cut
        except BadPicture as error:
            raise BadPicture(f"{path}: {error}") from error

    cuts = np.empty((len(files), *size, taken), np.uint8)
    with ThreadPoolExecutor(workers(threads), "cut") as pool:
        for at, done in enumerate(pool.map(cut, files)):
            cuts[at] = done
            progress((at + 1) / len(files))
    return cuts


def channels_of(picture: pictures.Picture) -> int:
    """1: grey, 3: RGB."""
    return 1 if picture.ndim == 2 else 3


def regarded(
    path: Path, first_file: Path, first: pictures.Picture, channels: int, region: Box | None
) -> tuple[pictures.Picture, Box]:
    """Return the picture of a file with the channels wanted, and what of it is to be seen.

    channels: 0 takes what the first picture has. BadPicture, naming the file: as `cut_files`.
    """
    picture = pictures.read(path)
    if not channels and picture.ndim != first.ndim:
        kinds = {2: "grey", 3: "colour"}
        raise BadPicture(f"{path}: {kinds[picture.ndim]}: {first_file.name} is {kinds[first.ndim]}")
    height, width = picture.shape[:2]
    if region is not None and picture.shape[:2] != first.shape[:2]:
        raise BadPicture(
            f"{path}: {width}x{height} pixels: {first_file.name} has {first.shape[1]}x{first.shape[0]}, "
            f"and one region {region} is to fit all"
        )
    box = region or Box(0, 0, width, height)
    if not box.lies_in(width, height):
        raise BadPicture(f"{path}: region {box} is not inside the picture of {width}x{height}")
    return pictures.with_channels(picture, channels or channels_of(first)), box


def extract(cuts: Cuts, layout: Layout, threads: int, progress: Callable[[float], None]) -> npt.NDArray[np.float32]:
    """Return features of model inputs, float32 `(goods, cells, CHANNELS)`. One session per thread."""
    model = feature_graph(layout)
    count = min(workers(threads), max(1, len(cuts)))
    own = threading.local()

    def load() -> None:
        own.session = Session(model, "cpu", 1)

    def run(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = own.session.run(["cells"], {"picture": picture[None]})[0][0]
        return found

    features = np.empty((len(cuts), layout.cells, CHANNELS), np.float32)
    with ThreadPoolExecutor(count, "features", initializer=load) as pool:
        for at, found in enumerate(pool.map(run, cuts)):
            features[at] = found
            progress((at + 1) / len(cuts))
    return features


def workers(threads: int) -> int:
    """How many threads to use. 0: one per core this process may run on."""
    return threads or len(os.sched_getaffinity(0))
