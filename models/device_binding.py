"""Inputs and outputs that stay on the GPU's side between two inferences: no allocation, and what a CUDA graph needs."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..bus.errors import BadSettings

if TYPE_CHECKING:
    from .runtime import Port


class DeviceBinding:
    """The buffers of one session, made once. Its owner is the session's."""

    def __init__(
        self, session: Any, inputs: "list[Port]", outputs: "list[Port]", *, fixed: bool, device: str = "cuda"
    ) -> None:
        """Make a buffer on the GPU for every input, and for every output whose size is known.

        fixed: a CUDA graph is recorded, which replays addresses: every size must be known. device: in ONNX Runtime's
        words. BadSettings: a size is not known.
        """
        self._session = session
        self._binding = session.io_binding()
        self._names = [port.name for port in outputs]
        self._inputs: dict[str, Any] = {}
        for port in inputs:
            self._inputs[port.name] = _buffer(port, device)
            self._binding.bind_ortvalue_input(port.name, self._inputs[port.name])
        for port in outputs:
            if all(isinstance(axis, int) for axis in port.shape):
                self._binding.bind_ortvalue_output(port.name, _buffer(port, device))
            elif fixed:
                raise BadSettings(
                    f"cuda_graph = true: output {port.name!r} is {list(port.shape)}: expected fixed sizes only"
                )
            else:
                self._binding.bind_output(port.name, device)

    def run(self, outputs: list[str] | None, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Copy the feeds in, run, copy the outputs out. Raises what ONNX Runtime raises."""
        for name, value in feeds.items():
            self._inputs[name].update_inplace(np.ascontiguousarray(value))
        self._session.run_with_iobinding(self._binding)
        found = dict(zip(self._names, self._binding.copy_outputs_to_cpu(), strict=True))
        return [found[name] for name in (outputs or self._names)]


def _buffer(port: "Port", device: str) -> Any:
    shape = [axis if isinstance(axis, int) else 1 for axis in port.shape]
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.dtype(port.dtype), device, 0)
