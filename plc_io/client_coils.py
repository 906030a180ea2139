"""Single status bits copied to single coils of the PLC: which has to fall, which may rise. Pure.

A PLC that looks at coils alone must never see OK without the result that it belongs to. So bits fall before the result
block is written and rise after it, RESULT_VALID falls first and rises last, and between two results all result bits are
off: OK = NG = 0, which means reject.
"""

from .images import OutImage
from .signals import Status

RESULT_BITS = Status.RESULT_VALID | Status.OK | Status.NG | Status.UNJUDGED


class Coils:
    """The coils as the PLC confirmed them on this connection."""

    def __init__(self, mapped: tuple[tuple[Status, int], ...]) -> None:
        """mapped: bit and coil address."""
        self._rise = sorted(mapped, key=lambda coil: coil[0] is Status.RESULT_VALID)
        self._fall = sorted(mapped, key=lambda coil: coil[0] is not Status.RESULT_VALID)
        self._on: dict[int, bool] = {}
        self._turn = 0

    @property
    def addresses(self) -> tuple[int, ...]:
        """All of them; RESULT_VALID first."""
        return tuple(address for _, address in self._fall)

    def confirmed(self, address: int, on: bool) -> None:
        """The PLC has it so."""
        self._on[address] = on

    def falling(self, image: OutImage, shown_seq: int) -> list[int]:
        """Coils to switch off before the block of an image. shown_seq: of the block that the PLC has now."""
        fresh = RESULT_BITS if image.seq != shown_seq else Status(0)
        return [at for flag, at in self._fall if self._on.get(at) and (flag not in image.status or flag in fresh)]

    def rising(self, image: OutImage) -> list[tuple[Status, int]]:
        """Bits and coils to switch on after the block of an image."""
        return [(flag, at) for flag, at in self._rise if not self._on.get(at) and flag in image.status]

    def again(self) -> tuple[int, bool] | None:
        """The coil whose turn it is to be written anew as it is; None: there are none."""
        if not self._fall:
            return None
        self._turn = (self._turn + 1) % len(self._fall)
        address = self._fall[self._turn][1]
        return address, self._on.get(address, False)
