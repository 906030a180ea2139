"""The door to ONNX Runtime: the only file that knows it.

A wanted execution provider that is not there is an error that names what is there; ONNX Runtime itself would fall back
to the CPU and say so in a log line.
"""

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from ..bus.errors import BadBundle, BadSettings

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""Execution providers by their name in the settings."""
_PROVIDER_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}
"""TF32 rounds to 10 bits of mantissa: golden scores would miss their tolerance."""
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
_DTYPES = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}


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
    """Execution providers this installation offers, by their name in the settings."""
    there = onnxruntime.get_available_providers()
    return [name for name, full in PROVIDERS.items() if full in there]


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
    """One model, loaded. One thread owns it."""

    def __init__(self, model: bytes, provider: str, threads: int) -> None:
        """Load a model from bytes that were already verified.

        threads: of one inference, 1 or more.
        BadSettings: the provider is not there or did not start. BadBundle: the bytes are no model.
        """
        wanted = check_provider(provider)
        if threads < 1:
            raise BadSettings(f"threads = {threads}: expected 1 or more")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=[(wanted, _PROVIDER_OPTIONS.get(wanted, {}))]
            )
        except _ERRORS as error:
            raise BadBundle(f"model does not load: {_first_line(error)}") from error
        self._session.disable_fallback()
        self.provider: str = self._session.get_providers()[0]
        """ONNX Runtime's name of the provider that runs it."""
        if self.provider != wanted:
            raise BadSettings(f"provider = {provider!r}: {wanted} did not start, {self.provider} did")
        self.inputs = [_port(node) for node in self._session.get_inputs()]
        self.outputs = [_port(node) for node in self._session.get_outputs()]

    def run(self, outputs: list[str] | None, feeds: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Run one inference. RuntimeError: it failed."""
        try:
            found: list[npt.NDArray[Any]] = self._session.run(outputs, feeds)
        except _ERRORS as error:
            raise RuntimeError(_first_line(error)) from error
        return found


def _port(node: Any) -> Port:
    return Port(node.name, _DTYPES.get(node.type, node.type), tuple(node.shape))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
