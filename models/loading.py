"""One model goes into ONNX Runtime: the options of its session, and why it was not loaded if it was not.

ONNX Runtime falls back to the CPU by itself, for whole providers and for single operators, and says so in a log line.
Here it may do neither unasked.
"""

import contextlib
import importlib
import sys
from collections import Counter
from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from ..bus.errors import BadBundle, BadSettings, Refused
from .nowhere import nowhere
from .provider_options import CPU, NVIDIA, PLUGINS, provider_options
from .runtime_options import RuntimeOptions

BATCH_AXIS = "n"
"""Name of the free axis of a bundle's graph."""
ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    *(
        kind
        for kind in vars(onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)
"""What ONNX Runtime throws: over a dozen classes with nothing in common but `Exception`."""
_MB = 1 << 20


def session_options(threads: int, batch: int, options: RuntimeOptions) -> Any:
    """Return the options of a session: one owner's threads, which do not spin, fixed shapes, bounded memory."""
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


def loaded(model: bytes, told: Any, wanted: str, options: RuntimeOptions, batch: int) -> Any:
    """Return ONNX Runtime's session of a model. told: from `session_options`. wanted: provider, ONNX Runtime's name.

    BadBundle: the bytes are no model. BadSettings: the provider did not start, or would leave operators to the CPU.
    """
    if options.trt_cache is not None:  # what loads stands elsewhere
        options = options.model_copy(update={"trt_cache": options.trt_cache.absolute()})
    strict = wanted != CPU and not options.cpu_nodes
    if strict:
        told.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        return nowhere(lambda: _made(model, told, wanted, options, batch))
    except ERRORS as error:
        if wanted == CPU:
            raise BadBundle(f"model does not load: {first_line(error)}") from error
        raise _refusal(model, wanted, options, batch, error) from error


def _made(model: bytes, told: Any, wanted: str, options: RuntimeOptions, batch: int) -> Any:
    if wanted in PLUGINS:
        told.add_provider_for_devices(_plugin_devices(wanted), {})
        return onnxruntime.InferenceSession(model, told)
    if wanted in NVIDIA:
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
        found = nowhere(lambda: _made(model, session_options(1, batch, options), wanted, options, batch))
    except ERRORS as again:
        try:
            nowhere(lambda: _made(model, session_options(1, batch, RuntimeOptions()), CPU, RuntimeOptions(), batch))
        except ERRORS as bad:
            return BadBundle(f"model does not load: {first_line(bad)}")
        return BadSettings(f"{wanted} did not start: {first_line(again)}")
    if found.get_providers()[0] != wanted:
        return BadSettings(not_started(wanted, found.get_providers()[0]))
    lacking = ", ".join(operators_on_cpu(found))
    if not lacking:
        return BadBundle(f"model does not load on {wanted}: {first_line(error)}")
    return BadSettings(
        f"{wanted} leaves operators of this model to the CPU: {lacking}: "
        "set cpu_nodes = true to allow it, or take provider = 'cpu'"
    )


def not_started(wanted: str, ran: str) -> str:
    """What to say of a provider that another one ran in place of."""
    return f"{wanted} did not start, {ran} did: the libraries that it misses (CUDA, cuDNN, TensorRT) are in the log"


def _plugin_devices(wanted: str) -> list[Any]:
    """The devices a plug-in provider offers on this box. BadSettings: none."""
    package = importlib.import_module(PLUGINS[wanted])
    if not any(device.ep_name == wanted for device in onnxruntime.get_ep_devices()):
        try:
            onnxruntime.register_execution_provider_library(PLUGINS[wanted], package.get_library_path())
        except ERRORS as error:
            if "already" not in str(error):
                raise BadSettings(f"{wanted}: its library does not load: {first_line(error)}") from error
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == wanted]
    if not devices:
        raise BadSettings(f"{wanted} is installed, but finds no device of its maker in this box: take provider = 'cpu'")
    return devices[:1]


def operators_on_cpu(session: Any) -> tuple[str, ...]:
    """Operators of a loaded model that run on the CPU, counted: `3 TopK`."""
    found = Counter(
        node.op_type
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name == CPU
        for node in part.get_nodes()
    )
    return tuple(f"{count} {kind}" for kind, count in sorted(found.items()))


def first_line(error: Exception) -> str:
    """What an error of ONNX Runtime says, as far as it fits a line."""
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
