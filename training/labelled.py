"""The labelled pictures somebody names on the command line, whatever kind of folder or file it is."""

import hashlib
from pathlib import Path

from ..bus.errors import BadPicture
from ..models import pictures
from .data.dataset import GOOD, Annotation, Dataset, Sample
from .data.shapes import MaskFile, box_of, read_mask


def labelled(place: Path) -> Dataset:
    """Return the labelled pictures to evaluate on."""
    root = place / "test" if (place / "test").is_dir() else place
    masks = root.parent / "ground_truth"
    groups = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    samples = []
    for group in groups:
        for path in pictures.files_in(group):
            data = path.read_bytes()
            pixels = pictures.decode(data, str(path))
            found: tuple[Annotation, ...] = ()
            file = masks / group.name / f"{path.stem}_mask.png"
            if group.name != GOOD and file.is_file():
                box = box_of(read_mask(file))
                if box is not None:
                    found = (
                        Annotation(group.name, box, MaskFile(file, hashlib.sha256(file.read_bytes()).hexdigest())),
                    )
            samples.append(
                Sample(
                    path,
                    hashlib.sha256(data).hexdigest(),
                    pixels.shape[1],
                    pixels.shape[0],
                    1 if pixels.ndim == 2 else 3,
                    group.name,
                    f"{group.name}/{path.name}",
                    annotations=found,
                )
            )
    if not samples:
        raise BadPicture(f"{place}: no labelled pictures (expected {GOOD}/ and a folder per class of defect)")
    return Dataset(tuple(samples), f"folder {place}", tuple(sorted({s.label for s in samples} - {GOOD})))
