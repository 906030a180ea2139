"""Writing registers through the producer's own C function, `GCWritePort` of the GenTL standard.

genicam's write of a port keeps 32 bytes of every call for ever (1.6.0; told by malloc's own figures). Firing a camera
is such a write: at ten parts a second that is ten gigabytes a year. Its reads keep nothing.
"""

import ctypes
from pathlib import Path

_TEXT_BYTES = 1024


class RegisterWriter:
    """One open port of a producer. One thread."""

    def __init__(self, producer: Path, handle: int) -> None:
        """producer: loaded already; it stays so. handle: PORT_HANDLE. OSError, AttributeError: no such function."""
        library = ctypes.CDLL(str(producer))
        self._handle = ctypes.c_void_p(handle)
        self._write, self._last_error = library.GCWritePort, library.GCGetLastError
        self._write.restype = self._last_error.restype = ctypes.c_int32
        size = ctypes.POINTER(ctypes.c_size_t)
        self._write.argtypes = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_char_p, size)
        self._last_error.argtypes = (ctypes.POINTER(ctypes.c_int32), ctypes.c_char_p, size)

    def write(self, address: int, value: bytes) -> tuple[int, str]:
        """Write all of value; return GenTL's error code, 0 for none, and what the producer says of it."""
        size = ctypes.c_size_t(len(value))
        code = int(self._write(self._handle, address, value, ctypes.byref(size)))
        return (code, self._said()) if code else (0, "")

    def _said(self) -> str:
        code, text, size = ctypes.c_int32(), ctypes.create_string_buffer(_TEXT_BYTES), ctypes.c_size_t(_TEXT_BYTES)
        if self._last_error(ctypes.byref(code), text, ctypes.byref(size)):
            return ""
        return text.value.decode("utf-8", "replace")
