"""`okng plc monitor`: the live map of a box, read as a Modbus master would, from this box or any other.

It only reads. The box counts it as one of its connections.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pymodbus.client import ModbusTcpClient, ModbusTlsClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings, LinkLost, Refused
from .live_map import STALE_NS, LiveMap, NotThisMap, Reading, document
from .options import PlcOptions
from .regmap import Table, WordOrder, size
from .tls_options import TlsOptions

_CLEAR = "\x1b[H\x1b[J"
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    11: "no such unit",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Which box, and how its words come."""

    host: str
    port: int = 502
    unit: int = 1
    order: WordOrder = WordOrder.HIGH_FIRST
    timeout_s: float = 0.5
    tls: ssl.SSLContext | None = None

    @property
    def place(self) -> str:
        """Where, in words."""
        return f"{self.host} port {self.port} unit {self.unit}"


def target(
    options: PlcOptions | None,
    *,
    host: str | None = None,
    port: int | None = None,
    unit: int | None = None,
    word_order: str | None = None,
    tls: TlsOptions | None = None,
) -> Target:
    """Return the box of these settings, or the one at host; what is given goes before what the settings say.

    BadSettings: the box of the settings is no Modbus server, or wants a certificate and none is given.
    """
    if options is None and host is None:
        raise ValueError("expected settings or a host")
    context = None
    if tls is not None:
        from .tls import client_context  # cryptography, only where it is wanted

        context = client_context(tls)
    if host is not None or options is None:
        order = WordOrder(word_order or WordOrder.HIGH_FIRST)
        default_port = 502 if tls is None else 802
        return Target(str(host), port or default_port, 1 if unit is None else unit, order, tls=context)
    if options.role != "modbus_server":
        raise BadSettings(
            f'plc.role = "{options.role}": this box answers no Modbus TCP master; watch another one with --host, '
            "or this one's page"
        )
    if options.tls is not None and tls is None:
        raise BadSettings(
            "[plc.tls]: this box admits certificates only; give --tls-ca, --tls-certificate and --tls-key"
        )
    order = WordOrder(word_order or options.word_order)
    return Target(options.host, port or options.port, options.unit if unit is None else unit, order, tls=context)


class _TlsClient(ModbusTlsClient):
    """pymodbus' own (3.16.1) does not tell TLS which host is meant: the certificate's name could not be checked."""

    def connect(self) -> bool:
        """Connect, handshake included. OSError: refused, too slow, or not to be trusted."""
        if self.socket is None:
            to, context = self.comm_params, self.comm_params.sslctx
            assert context is not None
            plain = socket.create_connection((to.host, to.port), to.timeout_connect)
            try:
                self.socket = context.wrap_socket(plain, server_hostname=to.host)
            except OSError:
                plain.close()
                raise
        return True


class MapReader:
    """A Modbus master that reads all registers of a box. Use it in a `with`."""

    def __init__(self, target: Target) -> None:
        self.target = target
        host, port, timeout_s = target.host, target.port, target.timeout_s
        self._client: ModbusTcpClient = (
            ModbusTcpClient(host, port=port, timeout=timeout_s, retries=0)
            if target.tls is None
            else _TlsClient(host, port=port, timeout=timeout_s, retries=0, sslctx=target.tls)
        )

    def __enter__(self) -> Self:
        """Nothing is connected before the first read."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the connection."""
        self._client.close()  # type: ignore[no-untyped-call]

    def read(self) -> Reading:
        """Read input registers 0..33 as one request, then holding registers 0..6.

        LinkLost: nothing answers in time. Refused: something answers, and refuses.
        """
        self._connect()
        try:
            box = self._client.read_input_registers(0, count=size(Table.INPUT), device_id=self.target.unit)
            at = now_ns()
            plc = self._client.read_holding_registers(0, count=size(Table.HOLDING), device_id=self.target.unit)
        except (ModbusException, OSError) as error:
            self._client.close()  # type: ignore[no-untyped-call]
            raise LinkLost(f"{self.target.place}: no answer within {self.target.timeout_s * 1000:.0f} ms") from error
        return Reading(at, self._words(box, Table.INPUT), self._words(plc, Table.HOLDING))

    def _connect(self) -> None:
        why = "is okng io running, and is this its address?"
        try:
            if self._client.connected or self._client.connect():  # type: ignore[no-untyped-call]
                return
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is not to be trusted: {error.verify_message}"
        except OSError as error:
            why = f"{error.strerror or error}"
        raise LinkLost(f"{self.target.place}: nothing answers; {why}")

    def _words(self, answer: ModbusPDU, table: Table) -> tuple[int, ...]:
        if answer.isError():
            code = answer.exception_code
            said = _EXCEPTIONS.get(code, "unknown")
            raise Refused(f"{self.target.place}: the {table}s are refused by exception {code} ({said})")
        if len(answer.registers) != size(table):
            raise Refused(f"{self.target.place}: {len(answer.registers)} {table}s came instead of {size(table)}")
        return tuple(answer.registers)


def look(target: Target, write: Callable[[str], object], *, as_json: bool) -> bool:
    """Read until the heartbeat is seen to move, 300 ms at most, and write the map once. Return whether it moves.

    LinkLost: nothing answers. Refused: it is no box of this map, or its words come in the other order.
    """
    live = LiveMap(target.order)
    with MapReader(target) as reader:
        start = now_ns()
        while True:
            _take(live, target, reader.read())
            if live.alive(now_ns()) or now_ns() - start > STALE_NS:
                break
            time.sleep(0.02)
    now = now_ns()
    alive = live.alive(now)
    assert live.last is not None
    if as_json:
        write(json.dumps(document(live.last, target.order, alive=alive)))
    else:
        write("\n".join(live.lines(target.place, now, colour=False)))
    return alive


def watch(target: Target, write: Callable[[str], object], *, as_json: bool, every_ms: int, colour: bool) -> None:
    """Write the map every so often until KeyboardInterrupt; as JSON one line a reading.

    The first reading has to come (LinkLost, Refused); afterwards a box that does not answer is shown as stale, and a
    box that changes its map ends it (Refused).
    """
    live = LiveMap(target.order)
    with MapReader(target) as reader:
        _take(live, target, reader.read())
        while True:
            due = now_ns() + every_ms * SECOND // 1000
            try:
                _take(live, target, reader.read())
            except LinkLost as error:
                live.miss(str(error))
            now = now_ns()
            if not as_json:
                page = "\n".join(live.lines(target.place, now, colour=colour))
                write(f"{_CLEAR if colour else ''}{page}\n")
            elif live.last is not None and not live.why:
                write(json.dumps(document(live.last, target.order, alive=live.alive(now))))
            else:
                write(json.dumps({"alive": False, "why": live.why}))
            time.sleep(max(0.0, (due - now_ns()) / SECOND))


def _take(live: LiveMap, target: Target, reading: Reading) -> None:
    try:
        live.take(reading)
    except NotThisMap as error:
        raise Refused(f"{target.place}: {error}") from error
