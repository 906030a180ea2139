"""Where a training stands after an epoch, in one file that is whole or the one before.

Only tensors, numbers and text are in it: it is read with `weights_only`, nothing else is ever unpickled.
"""

import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...bus.errors import BadSettings

NAME = "checkpoint.pt"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A training after a whole epoch."""

    identity: str
    """Options, classes and pictures it belongs to, as JSON text."""
    epoch: int
    """Epochs that are done."""
    net: dict[str, Any]
    """Weights after the last epoch."""
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    rng: Any
    """State of torch's generator, uint8 tensor."""
    best: dict[str, Any]
    """Weights of the best epoch so far."""
    curves: list[dict[str, float]]
    """Figures of each epoch."""


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Put the checkpoint in the folder, whole or not at all. OSError: disk full and the like."""
    folder.mkdir(parents=True, exist_ok=True)
    staging = folder / f".{NAME}.{os.getpid()}"
    fields = {name: getattr(checkpoint, name) for name in Checkpoint.__slots__}
    try:
        with staging.open("wb") as file:
            torch.save({"format": FORMAT, **fields}, file)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(folder / NAME)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load(folder: Path, identity: str) -> Checkpoint | None:
    """Return the checkpoint in the folder; None: there is none.

    BadSettings: it is damaged, or of a training with other options, classes or pictures.
    """
    path = folder / NAME
    for left in folder.glob(f".{NAME}.*"):
        left.unlink(missing_ok=True)  # of a process that was killed while it wrote
    if not path.exists():
        return None
    try:
        fields = torch.load(path, map_location="cpu", weights_only=True)
        if fields.pop("format") != FORMAT:
            raise BadSettings(f"{path}: of another version: begin afresh (--fresh)")
        found = Checkpoint(**fields)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError, AttributeError) as error:
        raise BadSettings(f"{path}: damaged ({type(error).__name__}): begin afresh (--fresh)") from error
    if found.identity != identity:
        raise BadSettings(
            f"{path}: of a training with other options, classes or pictures: begin afresh (--fresh), "
            "or name another --work"
        )
    return found
