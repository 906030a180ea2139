"""The door to ONNX Runtime: which providers are there, and one model loaded on one of them.

A wanted execution provider that is not there is an error that names what is there; ONNX Runtime itself would fall back
to the CPU and say so in a log line. The same holds for single operators of a model.
"""

import importlib.metadata
import importlib.util
import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..bus.errors import BadSettings
from .device_binding import DeviceBinding
from .loading import ERRORS, first_line, loaded, not_started, operators_on_cpu, session_options
from .provider_options import NVIDIA, PLUGINS, PROVIDERS
from .runtime_options import RuntimeOptions

log = logging.getLogger(__name__)
_WHEELS = ("onnxruntime", "onnxruntime-gpu")
_DTYPES = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a model."""

    name: str
    dtype: str
    """As numpy calls it, where known."""
    shape: tuple[int | str | None, ...]
    """Sizes; a free axis is a string or None."""


def installed_wheels() -> list[str]:
    """Names of the installed ONNX Runtime wheels. More than one share a folder and spoil each other."""
    found = {
        re.sub(r"[-_.]+", "-", str(dist.metadata["Name"])).lower()
        for dist in importlib.metadata.distributions()
        if dist.metadata["Name"]
    }
    return [name for name in _WHEELS if name in found]


def available_providers() -> list[str]:
    """Execution providers this installation offers, by their name in the settings. A plug-in counts as installed."""
    there = onnxruntime.get_available_providers()
    return [
        name
        for name, full in PROVIDERS.items()
        if full in there or (full in PLUGINS and importlib.util.find_spec(PLUGINS[full]) is not None)
    ]


def check_provider(provider: str) -> str:
    """Return ONNX Runtime's name of a provider. BadSettings: unknown, not installed, or two wheels in one folder."""
    if provider not in PROVIDERS:
        raise BadSettings(f"provider = {provider!r}: expected one of {', '.join(PROVIDERS)}")
    wheels = installed_wheels()
    if len(wheels) > 1:
        raise BadSettings(
            f"{' and '.join(wheels)} are both installed and share one folder: uninstall both, then install one"
        )
    there = available_providers()
    if provider not in there:
        raise BadSettings(f"provider = {provider!r}: not there; this box offers {', '.join(there) or 'none'}")
    return PROVIDERS[provider]


class Session:
    """One model, loaded, with every shape fixed.

    One thread owns it: the first that runs it, until it ends or hands it over. Another one gets a RuntimeError.
    """

    def __init__(
        self,
        model: bytes,
        provider: str,
        threads: int,
        batch: int = 1,
        options: RuntimeOptions | None = None,
        profile: Path | None = None,
    ) -> None:
        """Load a model from bytes that were already verified.

        threads: of one inference, 1 or more. batch: pictures of one inference; fixes the graph's free axis `n`, because
        a GPU plans anew, for minutes with TensorRT, at each new shape (onnxruntime issue 12120). options: the rest;
        its provider and threads are overruled. profile: prefix of a file of timings, see `end_profiling`.
        BadSettings: the provider is not there, did not start, or would leave operators to the CPU. BadBundle: the bytes
        are no model.
        """
        wanted = check_provider(provider)
        if threads < 1:
            raise BadSettings(f"threads = {threads}: expected 1 or more")
        if batch < 1:
            raise BadSettings(f"batch = {batch}: expected 1 or more")
        self._options = options or RuntimeOptions()
        self.batch = batch
        self.failures = 0
        """Runs that failed since it was loaded."""
        self._owner: threading.Thread | None = None
        told = session_options(threads, batch, self._options)
        if profile is not None:
            told.enable_profiling, told.profile_file_prefix = True, str(profile.absolute())
        self._session = loaded(model, told, wanted, self._options, batch)
        self._session.disable_fallback()
        self.provider: str = self._session.get_providers()[0]
        """ONNX Runtime's name of the provider that runs it."""
        if self.provider != wanted:
            raise BadSettings(f"provider = {provider!r}: {not_started(wanted, self.provider)}")
        self.inputs = [_port(node) for node in self._session.get_inputs()]
        self.outputs = [_port(node) for node in self._session.get_outputs()]
        self.on_cpu = () if wanted == PROVIDERS["cpu"] else operators_on_cpu(self._session)
        """Operators of a GPU's model that run on the CPU all the same, such as `3 TopK`. Empty on the CPU itself."""
        if self.on_cpu:
            log.warning("%s leaves to the CPU: %s", wanted, ", ".join(self.on_cpu))
        self._binding: DeviceBinding | None = None
        if wanted in NVIDIA:
            self._binding = DeviceBinding(self._session, self.inputs, self.outputs, fixed=self._options.cuda_graph)

    def run(self, outputs: list[str] | None, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Run one inference. RuntimeError: it failed, or the calling thread is not the owner."""
        self._own()
        try:
            if self._binding is not None:
                return self._binding.run(outputs, feeds)
            found: list[npt.NDArray[Any]] = self._session.run(outputs, feeds)
        except ERRORS as error:
            self.failures += 1
            raise RuntimeError(first_line(error)) from error
        return found

    def warm(self) -> None:
        """Run one inference of an empty picture and forget what came out. RuntimeError: as for `run`."""
        self.run(None, {port.name: np.zeros([_size(axis) for axis in port.shape], port.dtype) for port in self.inputs})

    def hand_over(self) -> None:
        """Let go of the session: the next thread that runs it owns it. RuntimeError: called by another thread."""
        self._own()
        self._owner = None

    def end_profiling(self) -> Path:
        """Stop the timing that `profile` began; return the file, Chrome's trace format."""
        return Path(self._session.end_profiling())

    def _own(self) -> None:
        me, owner = threading.current_thread(), self._owner
        if owner is me:
            return
        if owner is not None and owner.is_alive():
            raise RuntimeError(f"the model belongs to thread {owner.name}: {me.name} may not run it before hand_over()")
        self._owner = me


def _port(node: Any) -> Port:
    return Port(node.name, _DTYPES.get(node.type, node.type), tuple(node.shape))


def _size(axis: int | str | None) -> int:
    return axis if isinstance(axis, int) else 1
