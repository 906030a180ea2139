"""The door to ONNX Runtime: which providers are there, and one model loaded on one of them.

A wanted execution provider that is not there is an error that names what is there; ONNX Runtime itself would fall back
to the CPU and say so in a log line. The same holds for single operators of a model.
"""

import contextlib
import importlib.metadata
import importlib.util
import logging
import re
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from ..bus.errors import BadBundle, BadSettings, Refused
from .device_binding import DeviceBinding
from .provider_options import provider_options
from .runtime_options import RuntimeOptions

log = logging.getLogger(__name__)
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Execution providers by their name in the settings."""
BATCH_AXIS = "n"
"""Name of the free axis of a bundle's graph."""
_PLUGINS = {"OpenVINOExecutionProvider": "onnxruntime_ep_openvino"}
"""Providers that come as a package of their own and are registered at run time."""
_NVIDIA = ("CUDAExecutionProvider", "TensorrtExecutionProvider")
_WHEELS = ("onnxruntime", "onnxruntime-gpu")
_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(
        kind
        for kind in vars(onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)
"""What ONNX Runtime throws: over a dozen classes with nothing in common but `Exception`."""
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32", "tensor(int64)": "int64"}
_MB = 1 << 20


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
        if full in there or (full in _PLUGINS and importlib.util.find_spec(_PLUGINS[full]) is not None)
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
        told = _session_options(threads, batch, self._options)
        if profile is not None:
            told.enable_profiling, told.profile_file_prefix = True, str(profile)
        self._session = _loaded(model, told, wanted, self._options, batch)
        self._session.disable_fallback()
        self.provider: str = self._session.get_providers()[0]
        """ONNX Runtime's name of the provider that runs it."""
        if self.provider != wanted:
            raise BadSettings(f"provider = {provider!r}: {_not_started(wanted, self.provider)}")
        self.inputs = [_port(node) for node in self._session.get_inputs()]
        self.outputs = [_port(node) for node in self._session.get_outputs()]
        self.on_cpu = () if wanted == PROVIDERS["cpu"] else _operators_on_cpu(self._session)
        """Operators of a GPU's model that run on the CPU all the same, such as `3 TopK`. Empty on the CPU itself."""
        if self.on_cpu:
            log.warning("%s leaves to the CPU: %s", wanted, ", ".join(self.on_cpu))
        self._binding: DeviceBinding | None = None
        if wanted in _NVIDIA:
            self._binding = DeviceBinding(self._session, self.inputs, self.outputs, fixed=self._options.cuda_graph)

    def run(self, outputs: list[str] | None, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Run one inference. RuntimeError: it failed, or the calling thread is not the owner."""
        self._own()
        try:
            if self._binding is not None:
                return self._binding.run(outputs, feeds)
            found: list[npt.NDArray[Any]] = self._session.run(outputs, feeds)
        except _ERRORS as error:
            self.failures += 1
            raise RuntimeError(_first_line(error)) from error
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


def _session_options(threads: int, batch: int, options: RuntimeOptions) -> Any:
    told = onnxruntime.SessionOptions()
    told.intra_op_num_threads = threads
    told.inter_op_num_threads = 1
    told.add_session_config_entry("session.intra_op.allow_spinning", "0")
    told.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    told.add_free_dimension_override_by_name(BATCH_AXIS, batch)
    told.log_severity_level = 3
    if options.cpu_mem_mb is not None:
        # One arena for the whole process, grown by what is asked and not by doubling. Given twice, the last one counts.
        kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
        place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
        limits = {"max_mem": options.cpu_mem_mb * _MB, "arena_extend_strategy": 1}
        onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(limits))
        told.add_session_config_entry("session.use_env_allocators", "1")
    return told


def _loaded(model: bytes, told: Any, wanted: str, options: RuntimeOptions, batch: int) -> Any:
    strict = wanted != PROVIDERS["cpu"] and not options.cpu_nodes
    if strict:
        told.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        return _made(model, told, wanted, options, batch)
    except _ERRORS as error:
        if wanted == PROVIDERS["cpu"]:
            raise BadBundle(f"model does not load: {_first_line(error)}") from error
        raise _refusal(model, wanted, options, batch, error) from error


def _made(model: bytes, told: Any, wanted: str, options: RuntimeOptions, batch: int) -> Any:
    if wanted in _PLUGINS:
        told.add_provider_for_devices(_plugin_devices(wanted), {})
        return onnxruntime.InferenceSession(model, told)
    if wanted in _NVIDIA:
        # CUDA's libraries may lie beside ONNX Runtime, as wheels; what it says of those that do not is not for stdout.
        with contextlib.redirect_stdout(sys.stderr):
            onnxruntime.preload_dlls()
    asked = provider_options(wanted, options, model, batch)
    return onnxruntime.InferenceSession(model, told, providers=asked, enable_fallback=0)


def _refusal(model: bytes, wanted: str, options: RuntimeOptions, batch: int, error: Exception) -> Refused:
    """Why a model was not loaded on a GPU: the provider did not start, it lacks operators, or the model is none.

    ONNX Runtime says the same of the first two, so both are tried without the ban on the CPU.
    """
    try:
        found = _made(model, _session_options(1, batch, options), wanted, options, batch)
    except _ERRORS as again:
        try:
            _made(model, _session_options(1, batch, RuntimeOptions()), PROVIDERS["cpu"], RuntimeOptions(), batch)
        except _ERRORS as bad:
            return BadBundle(f"model does not load: {_first_line(bad)}")
        return BadSettings(f"{wanted} did not start: {_first_line(again)}")
    if found.get_providers()[0] != wanted:
        return BadSettings(_not_started(wanted, found.get_providers()[0]))
    lacking = ", ".join(_operators_on_cpu(found))
    if not lacking:
        return BadBundle(f"model does not load on {wanted}: {_first_line(error)}")
    return BadSettings(
        f"{wanted} leaves operators of this model to the CPU: {lacking}: "
        "set cpu_nodes = true to allow it, or take provider = 'cpu'"
    )


def _not_started(wanted: str, ran: str) -> str:
    return f"{wanted} did not start, {ran} did: the libraries that it misses (CUDA, cuDNN, TensorRT) are in the log"


def _plugin_devices(wanted: str) -> list[Any]:
    """The devices a plug-in provider offers on this box. BadSettings: none."""
    package = importlib.import_module(_PLUGINS[wanted])
    if not any(device.ep_name == wanted for device in onnxruntime.get_ep_devices()):
        try:
            onnxruntime.register_execution_provider_library(_PLUGINS[wanted], package.get_library_path())
        except _ERRORS as error:
            if "already" not in str(error):
                raise BadSettings(f"{wanted}: its library does not load: {_first_line(error)}") from error
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == wanted]
    if not devices:
        raise BadSettings(f"{wanted} is installed, but finds no device of its maker in this box: take provider = 'cpu'")
    return devices[:1]


def _operators_on_cpu(session: Any) -> tuple[str, ...]:
    found = Counter(
        node.op_type
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name == PROVIDERS["cpu"]
        for node in part.get_nodes()
    )
    return tuple(f"{count} {kind}" for kind, count in sorted(found.items()))


def _port(node: Any) -> Port:
    return Port(node.name, _DTYPES.get(node.type, node.type), tuple(node.shape))


def _size(axis: int | str | None) -> int:
    return axis if isinstance(axis, int) else 1


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
