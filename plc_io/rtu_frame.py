"""Modbus RTU frames: unit, PDU, check sum. Pure; silence is the caller's to measure.

MODBUS over Serial Line 1.02, 2.5.1. A frame has no start and no length of its own: where it ends follows from the
function code, and whether it is one at all from its check sum.
"""

from pymodbus.framer.rtu import FramerRTU

SHORTEST, LONGEST = 4, 256
BROADCAST = 0
_FIXED = frozenset((1, 2, 3, 4, 5, 6))
_READS = frozenset((1, 2, 3, 4))
_COUNTED = frozenset((15, 16))
_EXCEPTION = 0x80


def seal(unit: int, pdu: bytes) -> bytes:
    """Return the frame of a PDU."""
    frame = bytes((unit,)) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def is_whole(frame: bytes) -> bool:
    """True when the check sum fits."""
    return len(frame) >= SHORTEST and FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big"))


def request_length(head: bytes | bytearray) -> int | None:
    """Length of the request that begins so; None: more bytes are needed to tell; 0: no function that we know."""
    if len(head) < 2:
        return None
    if head[1] in _FIXED:
        return 8
    if head[1] in _COUNTED:
        return 9 + head[6] if len(head) > 6 else None
    return 0


def _answer_length(head: bytes | bytearray) -> int | None:
    """Length of the answer that begins so, if it is one; None: more bytes are needed to tell; 0: none that we know."""
    if len(head) < 3:
        return None
    if head[1] in _READS:
        return 5 + head[2]
    if head[1] & _EXCEPTION:
        return 5
    return 8 if head[1] in _FIXED | _COUNTED else 0


class Requests:
    """What a slave hears. Bytes of other slaves' dialogues and noise are passed over."""

    def __init__(self, unit: int) -> None:
        """unit: ours. What another slave answers on the same line is known for an answer, and ends with its last byte.

        Otherwise it would be taken for the beginning of a request, and the next one to us be found in the silence only.
        """
        self._unit = unit
        self._buffer = bytearray()
        self.broken = 0
        """Bytes that belonged to no frame."""

    def clear(self) -> None:
        """Forget what has come: the line was opened afresh."""
        self._buffer.clear()

    @property
    def waiting(self) -> bool:
        """Bytes are there that may begin a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Take bytes as they come; return (unit, PDU) of each whole request that is at the front."""
        self._buffer += data
        found = []
        while len(self._buffer) >= SHORTEST:
            length = request_length(self._buffer)
            if length and len(self._buffer) >= length and is_whole(bytes(self._buffer[:length])):
                found.append((self._buffer[0], bytes(self._buffer[1 : length - 2])))
                del self._buffer[:length]
                continue
            other = _answer_length(self._buffer) if self._buffer[0] not in (self._unit, BROADCAST) else 0
            if other and len(self._buffer) >= other and is_whole(bytes(self._buffer[:other])):
                del self._buffer[:other]
                continue
            if length == 0 and not other:
                break  # where it ends, the silence tells
            if length is None or max(length, other or 0) > len(self._buffer):
                break
            self._drop(1)
        if len(self._buffer) > LONGEST:
            self._drop(len(self._buffer) - LONGEST)
        return found

    def silence(self) -> list[tuple[int, bytes]]:
        """The line has been silent: what is there is all there will be. Returns the frames in it, noise before them.

        A frame of an unknown function is one where its check sum fits from its first byte to the last that came.
        """
        data, found = bytes(self._buffer), []
        self._buffer.clear()
        at = 0
        while len(data) - at >= SHORTEST:
            length = request_length(data[at:]) or 0
            for end in {at + length, len(data)} if length else {len(data)}:
                if at < end <= len(data) and is_whole(data[at:end]):
                    found.append((data[at], data[at + 1 : end - 2]))
                    at = end
                    break
            else:
                at += 1
                self.broken += 1
        self.broken += len(data) - at
        return found

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self.broken += count


def find_answer(data: bytes, unit: int, function: int, length: int) -> bytes | None:
    """Return the PDU of the first answer in data, noise before it passed over; None: there is none yet.

    length: of the whole frame where the request is granted. An exception is an answer too.
    """
    for at in range(len(data) - SHORTEST):
        if data[at] != unit:
            continue
        size = 5 if data[at + 1] == function | _EXCEPTION else length if data[at + 1] == function else 0
        if size and len(data) >= at + size and is_whole(data[at : at + size]):
            return data[at + 1 : at + size - 2]
    return None
