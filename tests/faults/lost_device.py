"""inspect with a device that can be lost: it installs two signal handlers round the runtime and is `okng`, unchanged.

    python -m okng.tests.faults.lost_device inspect --settings okng.toml

LOSE: every session that is open fails from now on, as after a device that was reset; a new one works.
STARVE: every session fails for STARVE_S, a new one too, as on a device whose memory somebody else holds.
"""

import signal
import sys
import time
import weakref
from types import FrameType
from typing import Any

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

LOSE, STARVE = signal.SIGRTMIN + 3, signal.SIGRTMIN + 4
STARVE_S = 2.0
_open: "weakref.WeakSet[Any]" = weakref.WeakSet()
_lost: "weakref.WeakSet[Any]" = weakref.WeakSet()
_until = 0.0
_Real = onnxruntime.InferenceSession


class _Session(_Real):  # type: ignore[misc, valid-type]
    def __init__(self, *given: Any, **named: Any) -> None:
        if time.monotonic() < _until:
            raise RuntimeException("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 2: out of memory")
        super().__init__(*given, **named)
        _open.add(self)

    def run(self, *given: Any, **named: Any) -> Any:
        self._failing()
        return super().run(*given, **named)

    def run_with_iobinding(self, *given: Any, **named: Any) -> Any:
        self._failing()
        return super().run_with_iobinding(*given, **named)

    def _failing(self) -> None:
        if time.monotonic() < _until:
            raise RuntimeException("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 2: out of memory")
        if self in _lost:
            raise RuntimeException("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : CUDA failure 719: device lost")


def _lose(number: int, frame: FrameType | None) -> None:
    _lost.update(_open)


def _starve(number: int, frame: FrameType | None) -> None:
    global _until
    _until = time.monotonic() + STARVE_S


if __name__ == "__main__":
    signal.signal(LOSE, _lose)
    signal.signal(STARVE, _starve)
    onnxruntime.InferenceSession = _Session
    from okng.__main__ import main

    sys.exit(main())  # type: ignore[func-returns-value]
