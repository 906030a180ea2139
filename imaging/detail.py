"""The finest texture of a fixed place, and how much of it is left: blur seen where neither part nor noise counts."""

import numpy as np
import numpy.typing as npt

from .measures import Grid

_BAND_PX = 1.5
"""What is coarser than this counts less and less: blur takes the finest first."""


class Detail:
    """One commissioned place without its light, rows x columns float32, in its frequencies."""

    def __init__(self, plate: Grid) -> None:
        rows, columns = plate.shape
        self._ky = 2j * np.pi * np.fft.fftfreq(rows)[:, None]
        self._kx = 2j * np.pi * np.fft.rfftfreq(columns)[None, :]
        energy = np.abs(self._kx) ** 2 + np.abs(self._ky) ** 2
        spectrum = np.fft.rfft2(plate)
        band = 1 - np.exp(-0.5 * _BAND_PX**2 * energy)
        band[:, 1:-1] *= 2  # the other half of a real picture's spectrum
        total = float((band * np.abs(spectrum) ** 2).sum())
        self._known: npt.NDArray[np.complex128] = band * np.conj(spectrum) / max(total, 1e-9)

    def strength(self, plate: Grid, dx_px: float, dy_px: float) -> float:
        """Return how much of the commissioned texture is in a plate of the same size: 1.0 all, 0.0 none.

        dx_px, dy_px: the rest of a pixel by which the plate lies off. The regression of what is seen on what is known:
        noise has no part in it, only in how much it strays.
        """
        seen = np.fft.rfft2(plate) * np.exp(self._kx * dx_px + self._ky * dy_px)
        return float((self._known * seen).real.sum())
