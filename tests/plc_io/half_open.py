"""Run inside a network of its own (`unshare -n`): a PLC in another one, and a cable that swallows everything.

half_open.py FOLDER SLAVE SECONDS: prints one line of JSON with what the link did.
The cable is a pair of virtual network cards; it is cut by giving each end a neighbour that is not there, so that both
sides go on sending and nothing arrives: no reset, no error, as with a switch that lost its power.
"""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from okng.bus.clock import MS
from okng.plc_io.client_cycle import ClientCycle
from okng.plc_io.client_options import TcpClientOptions
from okng.plc_io.images import InImage, OutImage
from okng.plc_io.modbus_client import modbus_client
from okng.plc_io.regmap import WordOrder
from okng.plc_io.signals import Status, WireCode

BOX, PLC, PORT = "10.99.0.1", "10.99.0.2", "5020"
AT = ("300", "400")
NOBODY = "02:00:00:00:00:99"


def sh(*words: str) -> None:
    """Run a command; its failure is ours."""
    subprocess.run(words, check=True)


class Cable:
    """Two cards, one in the PLC's network."""

    def __init__(self, holder: int) -> None:
        self._inside = ("nsenter", "-t", str(holder), "-n")
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "box0", "type", "veth", "peer", "name", "plc0")
        sh("ip", "link", "set", "plc0", "netns", str(holder))
        sh("ip", "addr", "add", f"{BOX}/24", "dev", "box0")
        sh("ip", "link", "set", "box0", "up")
        sh(*self._inside, "ip", "addr", "add", f"{PLC}/24", "dev", "plc0")
        sh(*self._inside, "ip", "link", "set", "plc0", "up")

    def cut(self) -> None:
        """From now on nothing arrives."""
        sh("ip", "neigh", "replace", PLC, "lladdr", NOBODY, "dev", "box0", "nud", "permanent")
        sh(*self._inside, "ip", "neigh", "replace", BOX, "lladdr", NOBODY, "dev", "plc0", "nud", "permanent")

    def mend(self) -> None:
        """All that is still under way may arrive."""
        sh("ip", "neigh", "del", PLC, "dev", "box0")
        sh(*self._inside, "ip", "neigh", "del", BOX, "dev", "plc0")


async def play(cable: Cable, rest_s: float) -> dict[str, object]:
    """Cut the cable while a result stands, mend it rest_s after the loss was found."""
    lost: list[float] = []
    heard: list[InImage] = []
    options = TcpClientOptions(host=PLC, port=int(PORT), result_at=int(AT[0]), answer_at=int(AT[1]))
    link: ClientCycle = modbus_client(
        options, WordOrder.HIGH_FIRST, on_image=heard.append, on_lost=lambda _: lost.append(time.monotonic())
    )
    await link.open()

    async def until(connected: bool) -> float:
        end = time.monotonic() + 8
        while link.connected is not connected:
            if time.monotonic() > end:
                raise TimeoutError(f"connected is not {connected}")
            await asyncio.sleep(0.002)
        return time.monotonic()

    await until(True)
    link.publish(OutImage(Status.RESULT_VALID | Status.OK, 1, seq=7, part=9, disposition=WireCode.OK))
    await asyncio.sleep(0.2)
    seen = heard[-1].seen_seq
    await asyncio.to_thread(cable.cut)
    at = time.monotonic()
    gone = await until(False)
    await asyncio.sleep(rest_s)
    await asyncio.to_thread(cable.mend)
    mended = time.monotonic()
    back = await until(True)
    await asyncio.sleep(1.2)
    await link.close()
    return {"seen": seen, "lost_ms": (gone - at) * 1000, "losses": len(lost), "back_ms": (back - mended) * 1000,
            "mended_ns": int(mended * 1000 * MS)}  # fmt: skip


def main() -> None:
    """Build the two networks, start the PLC, play."""
    folder, program = Path(sys.argv[1]), sys.argv[2]
    log = folder / "half-open.log"
    script = 'read go; exec "$0" "$@"'
    plc = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", script, program, PLC, PORT, log, *AT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert plc.stdin is not None
    assert plc.stdout is not None
    try:
        own = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{plc.pid}/ns/net").readlink() == own:
            time.sleep(0.01)
        cable = Cable(plc.pid)
        plc.stdin.write("go\n")
        assert plc.stdout.readline() == "ready\n"
        sys.stdout.write(json.dumps(asyncio.run(play(cable, float(sys.argv[3])))) + "\n")
    finally:
        plc.kill()
        plc.wait(5)


main()
