"""The box from outside: what is open for cameras, PLC and plant is what docs/ports.md says, and the rules make it so.

Three networks and a box, as namespaces of this machine, with the real processes in the box.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .roots import missing, needs_root

ROOT = Path(__file__).parents[2]
RULES = ROOT / "systemd" / "nftables" / "okng.nft"
NETS = {"camera": "10.91.1", "plc": "10.91.2", "plant": "10.91.3"}
DECOYS = (22, 23, 53, 80, 111, 443, 802, 1883, 5555, 8000, 8443, 8500)
SCAN = """
import asyncio, json, sys
async def open_at(host, port):
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1.0)
    except (OSError, asyncio.TimeoutError):
        return None
    writer.close()
    return [host, port]
async def main():
    hosts, ports = json.loads(sys.argv[1])
    found = await asyncio.gather(*(open_at(h, p) for h in hosts for p in ports))
    print(json.dumps([one for one in found if one]))
asyncio.run(main())
"""
IO = """
import sys
from pathlib import Path
from okng.plc_io.options import PlcOptions
from okng.plc_io.process import run
from okng.bus.messages import Job
job = Job("r", "1", "m" * 64, 1_000_000_000)
options = PlcOptions.model_validate({"host": "10.91.2.1", "realtime": False})
sys.exit(run(options, "line1", ("top",), job, Path(sys.argv[1])))
"""
WEB = """
import sys
from pathlib import Path
from okng.webui.options import WebOptions
from okng.webui.process import run
sys.exit(run(WebOptions(host="0.0.0.0"), "line1", ("top",), Path(sys.argv[1]), Path(sys.argv[1]) / "store"))
"""
OPCUA = """
import sys
from pathlib import Path
from okng.plc_io.opcua_options import OpcuaOptions
from okng.plc_io.opcua_process import run
options = OpcuaOptions.model_validate({"host": "10.91.3.1", "insecure": True})
sys.exit(run(options, "box7", "line1", {1: "r"}, Path(sys.argv[1])))
"""


def listed() -> dict[str, set[int]]:
    """TCP ports by side, of docs/ports.md."""
    text = (ROOT / "docs" / "ports.md").read_text(encoding="utf-8")
    found: dict[str, set[int]] = {side: set() for side in NETS}
    for side, port in re.findall(r"^\| (\w+) \| (\d+)/tcp \|", text, re.MULTILINE):
        found[side].add(int(port))
    return found


def sh(*words: str, inside: str = "") -> str:
    command = ["ip", "netns", "exec", inside, *words] if inside else [*words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@pytest.fixture(scope="module")
def box() -> Iterator[str]:
    """The name of the box; the sides are called NAME-camera and so on."""
    needs_root("ip", "nft", "ss")
    name = f"okp{os.getpid()}"
    try:
        try:
            sh("ip", "netns", "add", name)
            for n, (side, net) in enumerate(NETS.items()):
                sh("ip", "netns", "add", f"{name}-{side}")
                far = f"{name[-8:]}{n}"
                sh("ip", "link", "add", f"{side}0", "netns", name, "type", "veth", "peer", "name", far)
                sh("ip", "link", "set", far, "netns", f"{name}-{side}")
                sh("ip", "addr", "add", f"{net}.1/24", "dev", f"{side}0", inside=name)
                sh("ip", "link", "set", f"{side}0", "up", inside=name)
                sh("ip", "addr", "add", f"{net}.2/24", "dev", far, inside=f"{name}-{side}")
                sh("ip", "link", "set", far, "up", inside=f"{name}-{side}")
                sh("ip", "route", "add", "default", "via", f"{net}.1", inside=f"{name}-{side}")
            sh("ip", "link", "set", "lo", "up", inside=name)
        except OSError as error:
            missing([str(error)])
        yield name
    finally:
        for side in ("", *(f"-{side}" for side in NETS)):
            subprocess.run(["ip", "netns", "del", name + side], capture_output=True, check=False)


@pytest.fixture(scope="module")
def lived_in(box: str) -> Iterator[str]:
    """The box with its processes, listening."""
    with tempfile.TemporaryDirectory(prefix="okp", dir="/tmp") as folder:
        (Path(folder) / "store").mkdir()
        log = (Path(folder) / "log").open("w")
        started = [
            subprocess.Popen(["ip", "netns", "exec", box, sys.executable, "-c", code, folder], stdout=log, stderr=log)
            for code in (IO, WEB, OPCUA)
        ]
        try:
            end = time.monotonic() + 40
            while len(listening(box)) < 3:
                dead = [one for one in started if one.poll() is not None]
                assert not dead, (Path(folder) / "log").read_text()[-3000:]
                assert time.monotonic() < end, (Path(folder) / "log").read_text()[-3000:]
                time.sleep(0.3)
            yield box
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(20)
            log.close()


def listening(box: str) -> set[int]:
    return {int(line.split()[3].rpartition(":")[2]) for line in sh("ss", "-Hltn", inside=box).splitlines()}


def seen(box: str, side: str) -> set[tuple[str, int]]:
    """Address and port of all that answers to that side, at any address of the box."""
    hosts = [f"{net}.1" for net in NETS.values()]
    ports = sorted(listening(box) | set(DECOYS) | set().union(*listed().values()))
    out = sh(sys.executable, "-c", SCAN, json.dumps([hosts, ports]), inside=f"{box}-{side}")
    return {(host, port) for host, port in json.loads(out)}


@pytest.mark.needs_root
def test_what_is_open_is_what_is_listed(lived_in: str) -> None:
    sh("nft", "flush", "ruleset", inside=lived_in)
    # Without rules every card shows everything, through every address: so the scan sees what there is to see.
    for side in NETS:
        bare = seen(lived_in, side)
        assert {(f"{net}.1", 8080) for net in NETS.values()} <= bare
        assert ("10.91.2.1", 502) in bare
    sh("nft", "-f", str(RULES), inside=lived_in)
    wanted = listed()
    assert listening(lived_in) == set().union(*wanted.values())
    for side, net in NETS.items():
        assert seen(lived_in, side) == {(f"{net}.1", port) for port in wanted[side]}, side
    assert wanted["camera"] == set()
    # The panel's own browser, and the next load of the same rules.
    sh("nft", "-f", str(RULES), inside=lived_in)
    told = sh(
        *(sys.executable, "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/healthz').status)"),
        inside=lived_in,
    )
    assert told.strip() == "200"


@pytest.mark.needs_root
def test_who_hammers_waits_and_nothing_is_routed(lived_in: str) -> None:
    sh("nft", "flush", "ruleset", inside=lived_in)
    sh("sysctl", "-qw", "net.ipv4.ip_forward=1", inside=lived_in)
    ping = ("ping", "-c", "1", "-W", "1", "10.91.2.2")
    if subprocess.run(["which", "ping"], capture_output=True, check=False).returncode == 0:
        sh(*ping, inside=f"{lived_in}-plant")  # a router, before the rules
    sh("nft", "-f", str(RULES), inside=lived_in)
    with pytest.raises(OSError, match="ping"):
        sh(*ping, inside=f"{lived_in}-plant")
    code = (
        "import socket\nopened = 0\n"
        "for _ in range(150):\n"
        " with socket.socket() as s:\n"
        "  s.settimeout(0.2)\n"
        "  try: s.connect(('10.91.3.1', 4840))\n"
        "  except OSError: break\n"
        "  opened += 1\nprint(opened)"
    )
    opened = int(sh(sys.executable, "-c", code, inside=f"{lived_in}-plant"))
    assert 40 <= opened < 150
