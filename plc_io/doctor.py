"""The doctor's look at the way to the PLC: is the address ours, who holds the port, is the PLC there."""

import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from ..bus.channel import Subscriber, io_address
from ..bus.clock import now_ns
from ..bus.doctor import Finding
from ..bus.heartbeat import Pulse
from ..bus.messages import StationState
from .options import PlcOptions

STATE_WAIT_MS = 700
"""io says its state every 250 ms."""
_LISTEN, _ESTABLISHED = "0A", "01"
_STALE_LIMIT_NS = 10**9


def plc_findings(options: PlcOptions, run_dir: Path) -> list[Finding]:
    """Look at the address, port or device, and the PLC. Opens a port for a moment where nobody holds it."""
    pulse = Pulse(run_dir)
    beat = pulse.beats().get("io")
    pulse.close()
    io_pid = beat.pid if beat and beat.has_moved(now_ns(), _STALE_LIMIT_NS, _STALE_LIMIT_NS) else None
    found = []
    if options.role == "ascii" and options.ascii.over == "tcp_server":
        options = options.model_copy(update={"host": options.ascii.host, "port": options.ascii.port})
    if options.role == "modbus_server" or (options.role == "ascii" and options.ascii.over == "tcp_server"):
        found.append(port_finding(options, io_pid))
    elif device := _device(options):
        found.append(device_finding(device))
    return [*found, plc_finding(options, run_dir, running=io_pid is not None)]


def _device(options: PlcOptions) -> str:
    """The device of this role; empty: it has none."""
    if options.role in ("rtu_server", "rtu_client"):
        return options.serial.device
    if options.role == "ascii" and options.ascii.over == "serial":
        return options.ascii.device
    return options.pins.chip if options.role == "gates" else ""


def device_finding(device: str) -> Finding:
    """Whether the serial line or the pins are there for this user."""
    path = Path(device)
    if not path.exists():
        advice = "Look at the cable, at `ls -l /dev/serial/by-id /dev/gpiochip*`, and at the settings."
        return Finding("PLC device", False, f"{device} is not there", advice)
    if not os.access(path, os.R_OK | os.W_OK):
        advice = "The user of okng io has to be in the group that owns it (dialout for serial lines)."
        return Finding("PLC device", None, f"{device}: not allowed for this user", advice)
    return Finding("PLC device", True, f"{device} is there")


def port_finding(options: PlcOptions, io_pid: int | None) -> Finding:
    """Whether io can listen, or does already. io_pid: its process where it runs."""
    place = f"{options.host} port {options.port}"
    family = socket.AF_INET6 if ip_address(options.host).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
            probe.listen(1)
        except OSError as error:
            return _refused(options, place, error, io_pid)
    return Finding("PLC port", True, f"{place} is free for okng")


def _refused(options: PlcOptions, place: str, error: OSError, io_pid: int | None) -> Finding:
    if error.errno == errno.EADDRINUSE:
        holder = _holder(options.port)
        if io_pid is not None and (holder is None or holder[0] == io_pid):
            return Finding("PLC port", True, f"{place}: okng io listens there")
        who = f"{holder[1]} (process {holder[0]})" if holder else "another program"
        return Finding(
            "PLC port", False, f"{place} is taken by {who}", "Stop it, or set another plc.port here and in the PLC."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        advice = "No network card has this address. Look at `ip address`, at the cable, and at plc.host."
        return Finding("PLC port", False, f"{place}: not an address of this box", advice)
    if error.errno in {errno.EACCES, errno.EPERM}:
        advice = "Ports below 1024 need a right that the unit okng-io has. By hand: use a port of 1024 or more."
        return Finding("PLC port", None, f"{place}: not allowed for this user", advice)
    return Finding("PLC port", False, f"{place}: {error.strerror}", "Look at plc.host and plc.port.")


def _sockets(port: int, state: str) -> Iterator[tuple[str, int]]:
    """Yield (peer's address, inode) of the TCP sockets of that local port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, found, *rest = line.split()
            if found == state and int(local.rpartition(":")[2], 16) == port:
                yield _address(remote.partition(":")[0]), int(rest[5])


def _address(text: str) -> str:
    """`0100007F` is 127.0.0.1: the kernel prints 32-bit words in the host's order."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    address = ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address)


def _holder(port: int) -> tuple[int, str] | None:
    """(process, its name) that listens on a port, as far as this user may see."""
    inodes = {f"socket:[{inode}]" for _, inode in _sockets(port, _LISTEN)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return int(process.name), (process / "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
    return None


def plc_finding(options: PlcOptions, run_dir: Path, *, running: bool) -> Finding:
    """Whether the PLC is connected and its heartbeat is seen. running: okng io is up."""
    if not running:
        return Finding("PLC", None, "okng io is not running, so nobody looks", "Start it: systemctl start okng-io.")
    with Subscriber([io_address(run_dir)], (StationState,)) as ear:
        state = ear.receive(STATE_WAIT_MS)
    peers = sorted({peer for peer, _ in _sockets(options.port, _ESTABLISHED)})
    seen = f"connected: {', '.join(peers)}" if peers else "nobody connected"
    if not isinstance(state, StationState):
        return Finding("PLC", None, f"{seen}; okng io says nothing", "Look at `journalctl -u okng-io`.")
    if state.plc_alive:
        why = "ready" if state.ready else "not ready: " + (state.reasons[0] if state.reasons else state.state)
        return Finding("PLC", True, f"{seen}, its heartbeat is seen, the station is {why}")
    if peers:
        advice = "The PLC is connected but its heartbeat register does not change: is its program running (RUN)?"
    elif options.role in ("modbus_server", "ascii"):
        advice = f"Look at the PLC, the cable and its settings: it must connect to {options.host} port {options.port}."
    else:
        advice = "Look at the PLC, the cable, and the settings of both sides."
    return Finding("PLC", False, f"{seen}, no heartbeat", advice)
