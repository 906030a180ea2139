"""One part before several cameras: each sees the same picture, the further ones in half the size."""

import contextlib
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from .scene import Picture, Scene


class Scenes:
    """As one Scene, for several cameras. One thread of one process owns it."""

    def __init__(self, folder: Path, serials: tuple[str, ...], capacity_bytes: int) -> None:
        """serials: one or more, the first one's camera sees the whole size. BadScene: a file is something else."""
        with contextlib.ExitStack() as opened:
            self._scenes = [opened.enter_context(Scene(folder, serial, capacity_bytes)) for serial in serials]
            self._opened = opened.pop_all()
        self._struck = 0

    def show(self, picture: Picture, scene_id: int, *, px_per_count: float = 0.0, **more: Any) -> None:
        """As Scene.show, to all. BadScene."""
        first, *others = self._scenes
        first.show(picture, scene_id, px_per_count=px_per_count, **more)
        if others:
            size = (picture.shape[1] // 2, picture.shape[0] // 2)
            small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            for scene in others:
                scene.show(small, scene_id, px_per_count=px_per_count / 2, **more)

    def fault(self, kind: str, value: int = 1) -> None:
        """As Scene.fault: asked of the cameras in turn, taken back from all."""
        if not value:
            for scene in self._scenes:
                scene.fault(kind, 0)
            return
        self._scenes[self._struck % len(self._scenes)].fault(kind, value)
        self._struck += 1

    def plan(self, kind: str, times: int = 1) -> None:
        """As Scene.plan from the next occasion on: asked of the cameras in turn, taken back (times 0) from all."""
        if not times:
            for scene in self._scenes:
                scene.plan(kind, times=0)
            return
        self._scenes[self._struck % len(self._scenes)].plan(kind, times=times)
        self._struck += 1

    def clear_faults(self) -> None:
        """Take all faults back."""
        for scene in self._scenes:
            scene.clear_faults()

    def set_encoder(self, counts: int) -> None:
        """Tell all cameras where the belt is."""
        for scene in self._scenes:
            scene.set_encoder(counts)

    def pulse_line0(self) -> bool:
        """One rising edge to each camera's Line0. True where all listen."""
        return all([scene.pulse_line0() for scene in self._scenes])

    @property
    def exposures(self) -> int:
        """Of the first camera."""
        return self._scenes[0].exposures

    @property
    def line0_missed(self) -> int:
        """Of all cameras together, modulo 2**32."""
        return sum(scene.line0_missed for scene in self._scenes) & 0xFFFFFFFF

    def close(self) -> None:
        """Let go of the files. A second call does nothing."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()
