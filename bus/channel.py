"""The channel: frozen dataclasses over local ZeroMQ sockets, msgpack-encoded, under their class name.

    io       PUB  io.ipc            Trigger, Disposition, Record, StationState, JobOrder, JobAnswer
    camera   PUB  camera-NAME.ipc   FrameReady, FrameLost, CameraState, JobReport
    inspect  PUB  inspect.ipc       Verdict, InspectState, JobReport, ChallengerState, Compared; a second judge at
                                    inspect-2.ipc, one at a time
    opcua    PUB  opcua.ipc         JobAsk, Hold
    shift    PUB  shift.ipc         ShiftState, LineMode, JobAsk, Hold
    workshop PUB  workshop.ipc      Work
    records  PUB  records-state.ipc RecordsState
    web      PUB  web.ipc           WebState
    sync     PUB  uplink.ipc        UplinkState
    sync     PUB  sync.ipc          ChallengerOrder (`ladder.py`)
    OWNER    ROUTER ask-OWNER.ipc   takes Ask; answers Answer (`asks.py`)
    records  ROUTER records.ipc     takes TriggerEntry, RecordEntry, CountersEntry; answers Stored

Every socket is bounded (`BOUND` messages). A PUB that is full drops for that one slow reader and never waits; whoever
misses a message finds the part late, so it is rejected. Ledger entries are not sent by PUB for that reason.
One thread owns one socket.
"""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import zmq

from . import asks, entries, ladder, messages, part, shift
from .errors import ChannelLost

_LOG = logging.getLogger(__name__)
MOST_ASKED = 64 << 20
"""Bytes of one ask: a picture may travel with it, an archive may not."""
BOUND = 1024
"""Messages a socket holds for one reader before it drops."""
MESSAGES: dict[bytes, type] = {
    kind.__name__.encode(): kind
    for kind in (
        part.Trigger,
        part.Verdict,
        part.Disposition,
        part.Record,
        messages.FrameReady,
        messages.FrameLost,
        messages.CameraState,
        messages.InspectState,
        messages.StationState,
        messages.JobOrder,
        messages.JobReport,
        messages.JobAsk,
        messages.JobAnswer,
        messages.Hold,
        messages.Stored,
        entries.TriggerEntry,
        entries.RecordEntry,
        entries.CountersEntry,
        asks.Ask,
        asks.Answer,
        shift.ShiftState,
        shift.LineMode,
        messages.Work,
        messages.RecordsState,
        messages.WebState,
        messages.UplinkState,
        ladder.ChallengerOrder,
        ladder.ChallengerState,
        ladder.Compared,
    )
}
"""Every message that may travel, by its name on the wire."""
_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[bytes, msgspec.msgpack.Decoder[Any]] = {
    name: msgspec.msgpack.Decoder(kind) for name, kind in MESSAGES.items()
}


def encode(message: object) -> list[bytes]:
    """Return the two frames of a message: its name and its msgpack body. KeyError: not a message."""
    name = type(message).__name__.encode()
    if name not in MESSAGES:
        raise KeyError(f"{type(message).__name__} is not a message of the channel")
    return [name, _ENCODER.encode(message)]


def decode(frames: list[bytes]) -> Any:
    """Return the message. ValueError: unknown name, or a body that is not of that shape."""
    if len(frames) != 2 or frames[0] not in _DECODERS:
        raise ValueError(f"not a message of the channel: {frames[:1]!r}")
    try:
        return _DECODERS[frames[0]].decode(frames[1])
    except RecursionError:
        raise ValueError(f"{frames[0]!r}: nested too deeply") from None


def io_address(run: Path) -> str:
    """Address io publishes on."""
    return f"ipc://{run}/io.ipc"


def camera_address(run: Path, camera: str) -> str:
    """Address the camera process of that name publishes on."""
    return f"ipc://{run}/camera-{camera}.ipc"


def inspect_address(run: Path, desk: int = 1) -> str:
    """Address the judge at that desk publishes on, 1 or 2."""
    return f"ipc://{run}/inspect.ipc" if desk == 1 else f"ipc://{run}/inspect-{desk}.ipc"


def inspect_addresses(run: Path) -> list[str]:
    """Where verdicts come from: two judges may be at hand, and the one that is not the judge now says nothing."""
    return [inspect_address(run), inspect_address(run, 2)]


def opcua_address(run: Path) -> str:
    """Address the OPC UA process publishes on."""
    return f"ipc://{run}/opcua.ipc"


def records_address(run: Path) -> str:
    """Address records takes ledger entries at."""
    return f"ipc://{run}/records.ipc"


def records_state_address(run: Path) -> str:
    """Address records publishes on."""
    return f"ipc://{run}/records-state.ipc"


def shift_address(run: Path) -> str:
    """Address the shift process publishes on."""
    return f"ipc://{run}/shift.ipc"


def uplink_address(run: Path) -> str:
    """Address the sync process publishes its way to the fleet service on."""
    return f"ipc://{run}/uplink.ipc"


def web_address(run: Path) -> str:
    """Address the web process publishes on."""
    return f"ipc://{run}/web.ipc"


def sync_address(run: Path) -> str:
    """Address the sync process publishes on."""
    return f"ipc://{run}/sync.ipc"


def workshop_address(run: Path) -> str:
    """Address the workshop process publishes on."""
    return f"ipc://{run}/workshop.ipc"


def ask_address(run: Path, owner: str) -> str:
    """Address a process takes asks at. owner: name of its heartbeat, for example `io`, `camera-top`."""
    return f"ipc://{run}/ask-{owner}.ipc"


class _Socket:
    """A socket with a bound, closed without lingering."""

    def __init__(self, kind: int) -> None:
        """ChannelLost: there is no socket to be had."""
        try:
            self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
        except zmq.ZMQError as error:
            raise ChannelLost(f"a socket of the channel: {error}") from error
        self._socket.setsockopt(zmq.SNDHWM, BOUND)
        self._socket.setsockopt(zmq.RCVHWM, BOUND)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._address = ""

    @property
    def socket(self) -> zmq.Socket[bytes]:
        """For a `zmq.Poller` (or its FD for asyncio)."""
        return self._socket

    def wait(self, timeout_ms: int) -> bool:
        """True when a message can be received within timeout_ms (0: at once). ChannelLost."""
        try:
            return bool(self._socket.poll(timeout_ms))
        except zmq.ZMQError as error:
            raise self._lost(error) from error

    def _bind(self, address: str) -> None:
        self._address = address
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise self._lost(error) from error

    def _connect(self, address: str) -> None:
        self._address = address
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise self._lost(error) from error

    def _take(self, timeout_ms: int) -> list[bytes] | None:
        """The next message as it came, or None when none came in timeout_ms."""
        if not self.wait(timeout_ms):
            return None
        try:
            return self._socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return None  # what was there was taken back: a sender that died in between
        except zmq.ZMQError as error:
            raise self._lost(error) from error

    def _put(self, frames: list[bytes]) -> bool:
        """Hand over without waiting. False: full, or nobody is there."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            raise self._lost(error) from error
        return True

    def _lost(self, error: zmq.ZMQError) -> ChannelLost:
        return ChannelLost(f"{self._address}: {error}")

    def close(self) -> None:
        """Let go of the socket. Never raises; a second call does nothing."""
        with contextlib.suppress(zmq.ZMQError):
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Publisher(_Socket):
    """The one speaker at an address. Never waits: a full or absent reader misses the message."""

    def __init__(self, address: str) -> None:
        super().__init__(zmq.PUB)
        self._bind(address)

    def send(self, message: object) -> None:
        """Publish one message. KeyError: not a message. ChannelLost."""
        self._put(encode(message))


class Subscriber(_Socket):
    """A listener at one or more addresses, which need not exist yet."""

    def __init__(self, addresses: list[str], kinds: tuple[type, ...]) -> None:
        super().__init__(zmq.SUB)
        self._kinds = {kind.__name__.encode() for kind in kinds}
        self.bad = 0
        """What came and was no message, as far as `drain` read it."""
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        for name in self._kinds:
            self._socket.setsockopt(zmq.SUBSCRIBE, name)
        for address in addresses:
            self._connect(address)

    def receive(self, timeout_ms: int) -> Any | None:
        """Return the next message of the asked kinds, or None when none came in timeout_ms (0: at once)."""
        while (frames := self._take(timeout_ms)) is not None:
            if frames[0] in self._kinds:  # ZeroMQ matches by prefix: `Record` would bring `RecordEntry` too
                return decode(frames)
        return None

    def drain(self) -> Iterator[Any]:
        """Yield all that has come, without waiting.

        The descriptor tells only of the first message: ZeroMQ has to be read until it is empty. What is no message is
        counted in `bad` and told once.
        """
        while True:
            try:
                message = self.receive(0)
            except ValueError as error:  # msgspec's errors are ValueErrors
                self.bad += 1
                if self.bad == 1:
                    _LOG.warning("the bus brought what is no message: %s", error)
                continue
            if message is None:
                return
            yield message


class _Dealer(_Socket):
    """Speaks to one door, which need not be there yet."""

    def __init__(self, address: str) -> None:
        super().__init__(zmq.DEALER)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        self._connect(address)

    def _send(self, message: object) -> bool:
        """Hand over one message without waiting. False: the door is full or closed, try again later."""
        return self._put(encode(message))


class EntrySender(_Dealer):
    """io's side of the ledger's door. Keeping what is not yet Stored is the caller's work."""

    def send(self, entry: object) -> bool:
        """Hand over one entry without waiting. False: the door is full or closed, try again later."""
        return self._send(entry)

    def receive(self) -> messages.Stored | None:
        """Return the next Stored, or None at once."""
        frames = self._take(0)
        stored = decode(frames) if frames is not None else None
        return stored if isinstance(stored, messages.Stored) else None


class EntryReceiver(_Socket):
    """records' side of the ledger's door."""

    def __init__(self, address: str) -> None:
        super().__init__(zmq.ROUTER)
        self._bind(address)

    def receive(self, timeout_ms: int) -> tuple[bytes, Any] | None:
        """Return (who, entry), or None when none came in timeout_ms (0: at once)."""
        came = self._take(timeout_ms)
        return None if came is None else (came[0], decode(came[1:]))

    def answer(self, who: bytes, stored: messages.Stored) -> None:
        """Tell the sender what is on disk. A sender that is gone asks again after its restart."""
        self._put([who, *encode(stored)])


class AskDoor(_Socket):
    """An owner's side of the asks. The asks of one sender come in order."""

    def __init__(self, address: str, most_bytes: int = MOST_ASKED) -> None:
        """most_bytes: of one frame of an ask; who sends more is cut off, and its ask is never unpacked."""
        super().__init__(zmq.ROUTER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, most_bytes)
        self._bind(address)

    def take(self, timeout_ms: int = 0) -> tuple[bytes, asks.Ask] | None:
        """The next ask and who asked, for who answers later; None: none came in timeout_ms (0: at once)."""
        while (came := self._take(timeout_ms)) is not None:
            who, *frames = came
            try:
                ask = decode(frames)
            except ValueError as error:
                _LOG.warning("what came to be asked is no message: %s", error)
                continue
            if isinstance(ask, asks.Ask):
                return who, ask
        return None

    def give(self, who: bytes, answer: asks.Answer) -> None:
        """Answer. Who asked may be gone, or its socket is full: it asks again."""
        with contextlib.suppress(ChannelLost):
            self._put([who, *encode(answer)])

    def serve(self, desk: asks.Desk, timeout_ms: int = 0, most: int = 16) -> int:
        """Answer what waits, up to `most` asks; wait for the first one up to timeout_ms. Return how many came."""
        served = 0
        while served < most and (asked := self.take(0 if served else timeout_ms)) is not None:
            served += 1
            self.give(asked[0], desk.answer(asked[1]))
        return served


class Asker(_Dealer):
    """Asks one owner without waiting: send, go on, take the answers as they come. One thread."""

    def send(self, ask: asks.Ask) -> bool:
        """Hand over one ask. False: the door is full, try again later. Asking again under its id is harmless."""
        return self._send(ask)

    def receive(self) -> asks.Answer | None:
        """The next answer, or None at once."""
        while (frames := self._take(0)) is not None:
            answer = decode(frames)
            if isinstance(answer, asks.Answer):
                return answer
        return None


def ask_once(run: Path, owner: str, ask: asks.Ask, timeout_ms: int = 2000) -> asks.Answer | None:
    """Ask and wait for the answer; None: none came in time, so it may or may not have been done. Any thread."""
    with Asker(ask_address(run, owner)) as door:
        if not door.send(ask):
            return None
        while door.wait(timeout_ms):
            answer = door.receive()
            if answer is not None and answer.id == ask.id:
                return answer
        return None
