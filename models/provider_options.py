"""What ONNX Runtime is told for each execution provider, and where TensorRT keeps its engines."""

import hashlib
import re
from pathlib import Path

import onnxruntime

from ..bus.errors import BadSettings
from .runtime_options import RuntimeOptions

CPU, OPENVINO = "CPUExecutionProvider", "OpenVINOExecutionProvider"
CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
PROVIDERS = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT, "openvino": OPENVINO}
"""Execution providers by their name in the settings."""
PLUGINS = {OPENVINO: "onnxruntime_ep_openvino"}
"""Providers that come as a package of their own and are registered at run time."""
NVIDIA = (CUDA, TENSORRT)
_DRIVER = Path("/proc/driver/nvidia/version")
_MB = 1 << 20


def provider_options(full: str, options: RuntimeOptions, model: bytes, batch: int) -> list[tuple[str, dict[str, str]]]:
    """Return the providers to ask ONNX Runtime for, the wanted one first, each with its options.

    full: ONNX Runtime's name. What TensorRT does not know runs on CUDA, on the same card. BadSettings: the folder for
    the engines cannot be made.
    """
    if full == CUDA:
        return [(CUDA, _cuda(options))]
    if full == TENSORRT:
        return [(TENSORRT, _tensorrt(options, model, batch)), (CUDA, _cuda(options))]
    return [(full, {})]


def engine_folder(cache: Path, options: RuntimeOptions, model: bytes, batch: int) -> Path:
    """Return where the engines of this very model, batch, precision, runtime and driver lie.

    An engine that was built by or for anything else lies elsewhere: it is never used by mistake.
    """
    precision = "fp16" if options.trt_fp16 else "fp32"
    digest = hashlib.sha256(model).hexdigest()[:16]
    return cache / f"{digest}-ort{onnxruntime.__version__}-driver{driver_version()}-{precision}-b{batch}"


def driver_version() -> str:
    """Version of NVIDIA's kernel driver, for example `580.95.05`; `none` without one."""
    try:
        text = _DRIVER.read_text(encoding="ascii", errors="replace")
    except OSError:
        return "none"
    found = re.search(r"Kernel Module.*?(\d+\.\d+(?:\.\d+)?)", text)
    return found.group(1) if found else "unknown"


def _cuda(options: RuntimeOptions) -> dict[str, str]:
    # TF32 rounds to 10 bits of mantissa: golden scores would miss their tolerance.
    told = {"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}
    if options.gpu_mem_mb is not None:
        told["gpu_mem_limit"] = str(options.gpu_mem_mb * _MB)
    if options.cuda_graph:
        told["enable_cuda_graph"] = "1"
    return told


def _tensorrt(options: RuntimeOptions, model: bytes, batch: int) -> dict[str, str]:
    told = {"trt_fp16_enable": "1" if options.trt_fp16 else "0"}
    if options.gpu_mem_mb is not None:
        told["trt_max_workspace_size"] = str(options.gpu_mem_mb * _MB)
    if options.cuda_graph:
        told["trt_cuda_graph_enable"] = "1"
    if options.trt_cache is not None:
        folder = engine_folder(options.trt_cache, options, model, batch)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadSettings(
                f"trt_cache = {options.trt_cache}: {error.strerror}: expected a folder to write to"
            ) from error
        told |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder)}
        told |= {"trt_timing_cache_enable": "1", "trt_timing_cache_path": str(folder)}
    return told
