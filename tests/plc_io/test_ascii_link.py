"""Lines over real sockets and pseudo terminals: who the PLC is, what a loss costs, what is never sent."""

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import serial

from okng.bus.clock import MS, now_ns
from okng.bus.errors import BadSettings
from okng.bus.messages import Job
from okng.bus.part import Action, Outcome, Record, Trigger, Verdict
from okng.plc_io.ascii_lines import seal, unseal
from okng.plc_io.ascii_link import AsciiLink, open_ascii_link
from okng.plc_io.ascii_options import AsciiOptions
from okng.plc_io.handshake import Limits
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.link import Link
from okng.plc_io.signals import Status
from okng.plc_io.station import Event, PeerLost, Station

from .conftest import free_port, lacking

JOB = Job("cap", "0123456789ab", "f" * 64, 2000 * MS)


class Host:
    """What the process does with a link: images in, images out, each verdict 5 ms after its trigger."""

    def __init__(self, **options: object) -> None:
        limits = Limits(ack_ns=2000 * MS, stuck_ns=1000 * MS, peer_ns=2000 * MS)
        self.station = Station("cell", JOB, limits)
        self.station.allow(())
        self.link: AsciiLink = open_ascii_link(AsciiOptions.model_validate(options), self._image, self._lost)
        self.events: list[Event] = []
        self.lost: list[str] = []
        self.judges = True
        self.out = OutImage()

    def _image(self, image: InImage) -> None:
        self.station.receive(image)
        self.flush()

    def _lost(self, reason: str) -> None:
        self.lost.append(reason)
        self.station.link_lost(reason, now_ns())
        self.flush()

    def flush(self) -> None:
        """Show what has changed."""
        image = self.station.tick(now_ns())
        for event in self.station.events():
            self.events.append(event)
            if isinstance(event, Trigger) and not event.missed and self.judges:
                asyncio.get_running_loop().call_later(0.005, self.judge, event)
        if image != self.out:
            self.out = image
            self.link.publish(image)

    def judge(self, trigger: Trigger) -> None:
        """Say OK of a part."""
        at = now_ns()
        said = (Outcome.OK, (), (), 0.5, 1.0, JOB.recipe, JOB.revision, JOB.model, "top")
        self.station.submit(Verdict(trigger.part, *said, trigger.at_ns, None, (), at, at), at)
        self.flush()

    def of(self, kind: type[Event]) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def actions(self) -> list[Action]:
        """What became of the parts."""
        return [record.disposition.action for record in self.of(Record) if isinstance(record, Record)]


@asynccontextmanager
async def host(**options: object) -> AsyncIterator[Host]:
    """A host that turns every 10 ms and beats every 50."""
    made = Host(**options)
    link: Link = made.link
    await link.open()

    async def turn() -> None:
        for number in range(1_000_000):
            if number % 5 == 0:
                made.station.beat()
            made.flush()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(turn())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await link.close()
        await link.close()


class Peer:
    """A PLC of plain streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.beats = 0
        self.said: list[str] = []

    @classmethod
    async def connect(cls, port: int, local: str | None = None) -> "Peer":
        """Connect as a PLC does."""
        here = None if local is None else (local, 0)
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=here))

    def say(self, *bodies: str) -> None:
        """Send lines with check sums."""
        self.writer.write("".join(seal(body) + "\r\n" for body in bodies).encode())

    def beat(self, times: int = 2) -> None:
        """Give signs of life."""
        for _ in range(times):
            self.beats += 1
            self.say(f"H,{self.beats}")

    async def line(self) -> str:
        """The next line that is no heartbeat and no status; empty: closed."""
        while True:
            try:
                raw = await asyncio.wait_for(self.reader.readline(), 8)
            except ConnectionError:
                return ""
            if not raw:
                return ""
            body = unseal(raw.decode().strip())
            assert body is not None
            self.said.append(body)
            if body[0] not in "HS":
                return body

    async def status(self, wanted: Status) -> None:
        """Read until the status says so."""
        while True:
            raw = await asyncio.wait_for(self.reader.readline(), 8)
            body = unseal(raw.decode().strip())
            assert body is not None
            self.said.append(body)
            if body[0] == "S" and wanted in Status(int(body.split(",")[1], 16)):
                return

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def run(what: Callable[[], Awaitable[None]]) -> None:
    """One test in one loop."""

    async def main() -> None:
        async with asyncio.timeout(30):
            await what()

    asyncio.run(main())


async def until(what: str, true: Callable[[], bool], timeout_s: float = 8.0) -> None:
    """Wait until the callable says so."""
    end = asyncio.get_running_loop().time() + timeout_s
    while not true():
        assert asyncio.get_running_loop().time() < end, f"{what}: not within {timeout_s} s"
        await asyncio.sleep(0.005)


# -- the box listens -------------------------------------------------------------------------------------------------


def test_parts_over_tcp() -> None:
    async def go() -> None:
        port = free_port()
        async with host(port=port) as box:
            assert not box.link.connected
            plc = await Peer.connect(port)
            plc.beat()
            await plc.status(Status.READY)
            for part in range(1, 21):
                plc.say(f"T,{part}")
                assert await plc.line() == f"R,{part},OK"
                plc.say(f"A,{part}")
                plc.beat()
            await until("records", lambda: len(box.of(Record)) == 20)
            assert box.actions() == [Action.PASS] * 20
            assert box.link.health.requests >= 60
            await plc.close()
            await until("loss", lambda: box.lost != [])
            assert not box.link.connected

    run(go)


def test_a_terminal_that_nobody_here_wrote() -> None:
    lacking("socat")

    async def go() -> None:
        port = free_port()
        async with host(port=port, dialect="festo") as box:
            terminal = await asyncio.create_subprocess_exec(
                "socat", "STDIO", f"TCP:127.0.0.1:{port}", stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            assert terminal.stdin is not None
            assert terminal.stdout is not None
            await until("READY", lambda: Status.READY in box.out.status)
            for end in (b"\r", b"\n", b"\r\n"):
                terminal.stdin.write(b"TRG" + end)
                assert await asyncio.wait_for(terminal.stdout.readuntil(b"\r"), 8) == b"TRGP\r"
            terminal.stdin.close()
            await terminal.wait()
            await until("loss", lambda: len(box.lost) == 1)
            assert box.link.place.endswith("(no id: only one part in flight)")

    run(go)


def test_one_who_only_listens_disturbs_nobody() -> None:
    async def go() -> None:
        port = free_port()
        async with host(port=port) as box:
            plc = await Peer.connect(port)
            plc.beat()
            await plc.status(Status.READY)
            other = await Peer.connect(port)
            other.writer.write(b"GET / HTTP/1.1\r\n\r\n")
            other.say("T,99", "A,1", "F,1")
            plc.say("T,1")
            assert await plc.line() == "R,1,OK"
            assert box.lost == []
            assert len(box.of(Trigger)) == 1
            await other.close()
            await plc.close()

    run(go)


def test_a_connection_that_beats_takes_the_place_and_hears_nothing_old() -> None:
    async def go() -> None:
        port = free_port()
        async with host(port=port) as box:
            old = await Peer.connect(port)
            old.beat()
            await old.status(Status.READY)
            old.say("T,1")
            assert await old.line() == "R,1,OK"
            box.judges = False
            old.say("T,2")
            await until("2 triggers", lambda: len(box.of(Trigger)) == 2)
            new = await Peer.connect(port)
            new.beat(3)
            assert await old.line() == "", "the old one is closed"
            await new.status(Status.READY)
            assert len(box.lost) == 1
            assert box.actions() == [Action.PASS, Action.REJECT]
            box.judges = True
            new.say("T,3")
            assert await new.line() == "R,3,OK"
            assert not any(body.startswith(("R,1", "R,2")) for body in new.said)
            await new.close()
            await old.close()

    run(go)


def test_only_the_named_address_and_only_a_few_of_it() -> None:
    async def go() -> None:
        port = free_port()
        async with host(port=port, peer="127.0.0.1") as box:
            stranger = await Peer.connect(port, local="127.0.0.2")
            assert await stranger.line() == ""
            peers = [await Peer.connect(port) for _ in range(6)]
            await until("two too many", lambda: box.link.health.refused == 3)
            assert box.link.health.connections == 4
            for peer in (stranger, *peers):
                await peer.close()

    run(go)


def test_a_flood_and_a_peer_that_does_not_read_are_dropped() -> None:
    async def go() -> None:
        port = free_port()
        async with host(port=port) as box:
            flood = await Peer.connect(port)
            await until("connected", lambda: box.link.connected)
            flood.writer.write(b"T,1" * 40_000)
            await until("dropped", lambda: not box.link.connected)
            await flood.close()
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", port))
            await until("connected", lambda: box.link.connected)
            for _ in range(20_000):
                box.station.beat()
                box.flush()
                if not box.link.connected:
                    break
                await asyncio.sleep(0)
            await until("dropped", lambda: not box.link.connected)
            assert box.link.health.broken >= 2
            assert "bytes at once" in box.lost[0]
            assert "does not read" in box.lost[1]
            deaf.close()

    run(go)


def test_an_address_that_cannot_be_had() -> None:
    async def go() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            link = Host(port=taken.getsockname()[1]).link
            with pytest.raises(BadSettings, match="another program listens"):
                await link.open()
            await link.close()
        with pytest.raises(BadSettings, match="no such address"):
            await Host(host="203.0.113.1", port=free_port()).link.open()

    run(go)


# -- the box connects ------------------------------------------------------------------------------------------------


def test_the_box_looks_for_the_plc_again() -> None:
    async def go() -> None:
        port = free_port()
        came: list[Peer] = []

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.append(Peer(reader, writer))

        async with host(over="tcp_client", port=port) as box:
            await until("tries", lambda: box.link.health.timeouts >= 2)
            assert not box.link.connected
            for turn in range(2):
                server = await asyncio.start_server(accept, "127.0.0.1", port)
                await until("connection", lambda turn=turn: len(came) == turn + 1)  # type: ignore[misc]
                plc = came[turn]
                plc.beat(3)
                await plc.status(Status.READY)
                plc.say(f"T,{turn + 1}")
                assert await plc.line() == f"R,{turn + 1},OK"
                assert [body for body in plc.said if body[0] == "R"] == [f"R,{turn + 1},OK"], "nothing old"
                await plc.close()
                server.close()
                await server.wait_closed()
                await until("loss", lambda turn=turn: len(box.lost) == turn + 1)  # type: ignore[misc]
            assert box.actions() == [Action.PASS, Action.PASS]

    run(go)


# -- a serial line ---------------------------------------------------------------------------------------------------


class Cable:
    """A pair of pseudo terminals by socat; or one of them whose other end is a program that gives all back."""

    def __init__(self, folder: Path) -> None:
        lacking("socat")
        self.box, self.plc = folder / "box", folder / "plc"
        self._process: subprocess.Popen[bytes] | None = None

    def plug(self, *, loop: bool = False) -> None:
        """Connect both ends."""
        other = "EXEC:cat" if loop else f"pty,raw,echo=0,link={self.plc}"
        self._process = subprocess.Popen(["socat", f"pty,raw,echo=0,link={self.box}", other])

    async def there(self) -> None:
        """Wait for the devices."""
        await until("pty", lambda: self.box.exists() and self.plc.exists())

    def unplug(self) -> None:
        """Both ends are gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(5)
            self._process = None
        for end in (self.box, self.plc):
            with suppress(FileNotFoundError):
                end.unlink()


@pytest.fixture
def cable() -> Iterator[Cable]:
    """Not plugged in yet. The settings take devices below /dev only."""
    folder = Path(tempfile.mkdtemp(prefix="okng-", dir="/dev/shm"))
    made = Cable(folder)
    yield made
    made.unplug()
    shutil.rmtree(folder, ignore_errors=True)


class SerialPlc:
    """A PLC on the other pseudo terminal, by pyserial."""

    def __init__(self, device: Path) -> None:
        self.port = serial.Serial(str(device), 115200, timeout=0)
        self.beats = 0
        self.text = ""

    def say(self, *bodies: str) -> None:
        """Send lines."""
        self.port.write("".join(seal(body) + "\r" for body in bodies).encode())

    def beat(self) -> None:
        """Give a sign of life."""
        self.beats += 1
        self.say(f"H,{self.beats}")

    def bodies(self) -> list[str]:
        """All that came so far."""
        self.text += self.port.read(4096).decode()
        return [str(unseal(line)) for line in self.text.split("\r\n")[:-1]]

    async def until(self, body: str) -> None:
        """Beat and read until this line came."""

        def came() -> bool:
            self.beat()
            return body in self.bodies()

        await until(body, came)


def test_parts_over_a_serial_line_that_is_unplugged_in_between(cable: Cable) -> None:
    async def go() -> None:
        async with host(over="serial", device=str(cable.box)) as box:
            assert not box.link.connected, "the device may come later"
            for turn in range(2):
                cable.plug()
                await cable.there()
                await until("open", lambda: box.link.connected)
                plc = SerialPlc(cable.plc)

                def ready(plc: SerialPlc = plc) -> bool:
                    plc.beat()
                    plc.bodies()
                    return Status.READY in box.out.status

                await until("READY", ready)
                first = 10 * turn
                for part in range(first + 1, first + 6):
                    plc.say(f"T,{part}")
                    await plc.until(f"R,{part},OK")
                    plc.say(f"A,{part}")
                plc.say(f"T,{first + 6}")
                await plc.until(f"R,{first + 6},OK")
                assert [b for b in plc.bodies() if b[0] == "R"] == [f"R,{p},OK" for p in range(first + 1, first + 7)]
                plc.port.close()
                cable.unplug()
                await until("loss", lambda turn=turn: len(box.lost) == turn + 1)  # type: ignore[misc]
                assert not box.link.connected
            assert box.actions() == [Action.PASS] * 12

    run(go)


def test_a_wire_that_gives_all_back_is_no_plc(cable: Cable) -> None:
    async def go() -> None:
        cable.plug(loop=True)
        await until("pty", cable.box.exists)
        async with host(over="serial", device=str(cable.box)) as box:
            await until("echoes", lambda: box.link.counts.echoes >= 20)
            assert not box.station.hand.alive
            assert box.link.counts.lines == 0
            assert Status.READY not in box.out.status

    run(go)


def test_a_plc_that_takes_nothing_is_gone(cable: Cable) -> None:
    async def go() -> None:
        cable.plug()
        await cable.there()
        async with host(over="serial", device=str(cable.box)) as box:
            assert box.link.connected
            plc = os.open(cable.plc, os.O_RDWR | os.O_NOCTTY)  # open, and never read
            for _ in range(400_000):
                box.station.beat()
                box.flush()
                if box.lost:
                    break
                await asyncio.sleep(0)
            assert "does not take" in box.lost[0]
            os.close(plc)

    run(go)


def test_an_adapter_that_is_pulled_out_says_nothing(cable: Cable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A USB adapter that is gone is readable and has nothing to read; a pseudo terminal tells an error instead."""

    async def go() -> None:
        cable.plug()
        await cable.there()
        async with host(over="serial", device=str(cable.box)) as box:
            plc = SerialPlc(cable.plc)
            with monkeypatch.context() as patch:
                patch.setattr("okng.plc_io.ascii_serial.os.read", lambda *_: b"")
                plc.say("H,1")
                await until("loss", lambda: len(box.lost) == 1)
            assert "gone" in box.lost[0]
            await until("found again", lambda: box.link.connected)
            plc.port.close()

    run(go)


def test_a_device_that_cannot_be_had(cable: Cable) -> None:
    async def go() -> None:
        with pytest.raises(BadSettings, match="expected a serial line"):
            await Host(over="serial", device="/dev/null").link.open()
        cable.plug()
        await cable.there()
        assert stat.S_ISCHR(cable.box.stat().st_mode)
        holder = serial.Serial(str(cable.box), exclusive=True)
        with pytest.raises(BadSettings, match="another program holds it"):
            await Host(over="serial", device=str(cable.box)).link.open()
        holder.close()

    run(go)


def test_a_silent_peer_is_lost_by_its_heartbeat() -> None:
    async def go() -> None:
        port = free_port()
        async with host(port=port) as box:
            plc = await Peer.connect(port)
            plc.beat()
            await plc.status(Status.READY)
            await until("peer lost", lambda: box.of(PeerLost) != [])
            assert box.lost == [], "the connection stands"
            await plc.close()

    run(go)
