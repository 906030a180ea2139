"""The process `mqtt`: what io says on the bus goes to a broker. Nobody on the line waits for it, and it never waits.

Its loop hears the bus; paho's thread talks to the broker. While the broker is away results wait in a bounded outbox, or
in the ledger where none may be lost (`durable`); of states only the last one counts. With `[mqtt.sparkplug]` each
result is told twice on one connection: as Sparkplug, which nobody acknowledges, and right after it as JSON, whose
acknowledgement says of both that they arrived.
"""

import json
import logging
import signal
import threading
import time
from collections import deque
from pathlib import Path
from types import FrameType

from ..bus.channel import Subscriber, io_address, shift_address
from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings
from ..bus.heartbeat import Heartbeat
from ..bus.messages import Health, StationState
from ..bus.part import Record
from ..bus.shift import ShiftState
from .lots import Lots
from .mqtt_client import Acknowledged, BrokerLink, Connected, Gone, Heard
from .mqtt_ledger import LedgerResults, Source
from .mqtt_options import MqttOptions
from .mqtt_outbox import Outbox, Results
from .mqtt_sparkplug import Sparkplug
from .part_report import Json, counters_report, part_report, state_report

_LOG = logging.getLogger(__name__)
TURN_MS = 20
EARLY = 1024
"""Records kept until io has said its epoch; the oldest is dropped for one more."""
SILENT_NS = 2 * SECOND
"""io repeats its state four times a second; silent for this long, it is said to be away."""
GOODBYE_NS = SECOND
SAYINGS = 8
"""States and counters that may be under way at a time."""
ONLINE_SCHEMA = "okng.online/1"
EXIT_REFUSED = 78
"""Exit status for settings that a person has to change (EX_CONFIG)."""


def _bytes(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


class _Teller:
    """All that the process holds."""

    def __init__(
        self, options: MqttOptions, box: str, station: str, run_dir: Path, source: Source | None, notes: Path
    ) -> None:
        self._options, self._box = options, box
        self._root = f"{options.topic}/{box}/{station}"
        self._station = station
        self._outbox: Results = (
            LedgerResults(source, notes, options.window)
            if options.durable and source is not None
            else Outbox(options.waiting, options.window)
        )
        self._lots = Lots()
        self._early: deque[Record] = deque(maxlen=EARLY)
        self._state: StationState | None = None
        self._state_ns = 0
        self._told: bytes = b""
        self._told_ns = self._counted_ns = 0
        self._counted: bytes = b""
        self._sayings: set[int] = set()  # states and counters under way
        self._up = False
        self._down_ns = now_ns()
        self._said_down = ""
        self.stop = threading.Event()
        client_id = options.client_id or f"okng-{box}-{station}"
        run_dir.mkdir(parents=True, exist_ok=True)
        spark = options.sparkplug
        self._spark = Sparkplug(spark, box, station, run_dir) if spark is not None else None
        if self._spark is None:
            self._link = self._births = BrokerLink(options, client_id, self._will)
        else:
            # A connection has one last will, and Sparkplug takes it for the death of its node: `online` has another.
            self._link = BrokerLink(options, client_id, self._spark.will, self._spark.topics)
            self._births = BrokerLink(options, f"{client_id}-online", self._will)
        self._heart = Heartbeat(run_dir, "mqtt")
        self._ear = Subscriber([io_address(run_dir), shift_address(run_dir)], (Record, StationState, ShiftState))

    def serve(self) -> None:
        """Run until `stop` is set."""
        try:
            for link in {self._link, self._births}:
                link.start()
            self._heart.health = Health.READY
            while not self.stop.is_set():
                self._ear.wait(TURN_MS)
                self._hear()
                self._turn(now_ns())
                self._heart.turn()
            self._goodbye()
        finally:
            self._outbox.close()
            for link in {self._link, self._births}:
                link.close()
            self._ear.close()
            self._heart.close()

    # -- the bus -----------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        for message in self._ear.drain():
            if isinstance(message, StationState):
                self._state, self._state_ns = message, now_ns()
                while self._early:
                    self._keep(self._early.popleft(), message.epoch)
            elif isinstance(message, ShiftState):
                self._lots.take(message)
            elif self._state is None:
                self._early.append(message)
            else:
                self._keep(message, self._state.epoch)

    def _keep(self, record: Record, epoch: str) -> None:
        report = part_report(record, epoch, self._box, self._lots.at(record.taken_at))
        if not self._outbox.put(report) and self._outbox.dropped == 1:
            _LOG.error("%d results wait for the broker: the oldest are dropped from now on", self._options.waiting)

    # -- the broker --------------------------------------------------------------------------------------------------

    def _turn(self, at: int) -> None:
        while self._births is not self._link and (happening := self._births.happened()) is not None:
            if isinstance(happening, Connected):
                self._births.publish(f"{self._root}/online", self._online(True), retain=True)
        while (happening := self._link.happened()) is not None:
            if isinstance(happening, Acknowledged):
                self._outbox.acknowledged(happening.token)
                self._sayings.discard(happening.token)
            elif isinstance(happening, Connected):
                self._connected(at)
            elif isinstance(happening, Heard):
                if self._spark is not None and self._up and self._spark.heard(self._link, happening):
                    self._outbox.again()
            else:
                self._gone(happening, at)
        if not self._up:
            return
        self._tell(at)
        if self._spark is not None:
            if self._spark.turn(self._link):
                self._outbox.again()
            if self._spark.awaited:
                return
        while (report := self._outbox.next()) is not None:
            if self._spark is not None:
                self._spark.result(self._link, report)
            self._outbox.sent(self._link.publish(f"{self._root}/result", _bytes(report), retain=False))

    def _connected(self, at: int) -> None:
        self._up = True
        self._told = self._counted = b""  # what the broker kept may be old
        self._said_down = ""
        _LOG.info(
            "the broker takes messages after %.1f s; %d results wait", (at - self._down_ns) / SECOND, self._waiting
        )
        if self._spark is not None:
            self._outbox.again()  # of what was under way nobody knows whether its Sparkplug arrived
            self._spark.connected(self._link)
        if self._births is self._link:
            self._link.publish(f"{self._root}/online", self._online(True), retain=True)

    def _gone(self, gone: Gone, at: int) -> None:
        if self._up:
            self._down_ns = at
        self._up = False
        if gone.reason != self._said_down:  # said once, not at each attempt
            _LOG.warning("broker %s:%d: %s", self._options.host, self._options.port, gone.reason)
            self._said_down = gone.reason

    @property
    def _waiting(self) -> int:
        return self._outbox.waiting + self._outbox.under_way

    def _tell(self, at: int) -> None:
        """Publish the state when it has changed, the counters from time to time; both are retained."""
        if len(self._sayings) >= SAYINGS:
            return  # the broker is silent: the state of then, not of now, is what it gets next
        if at - self._told_ns >= self._options.state_ms * MS:
            standing = self._standing(at)
            told = _bytes(standing)
            if told != self._told:
                self._told, self._told_ns = told, at
                if self._spark is not None:
                    self._spark.stands(self._link, standing, None)
                self._say("state", told)
        if self._state is not None and at - self._counted_ns >= self._options.counters_s * SECOND:
            counters = counters_report(self._state, self._box)
            counted = _bytes(counters)
            self._counted_ns = at
            if counted != self._counted:
                self._counted = counted
                if self._spark is not None:
                    self._spark.stands(self._link, self._standing(at), counters)
                self._say("counters", counted)

    def _say(self, what: str, payload: bytes) -> int:
        token = self._link.publish(f"{self._root}/{what}", payload, retain=True)
        self._sayings.add(token)
        return token

    def _standing(self, at: int) -> Json:
        """The state of the line as far as it is known, and how the outbox stands."""
        if self._state is None or at - self._state_ns >= SILENT_NS:
            report: Json = {"schema": "okng.state/1", "box": self._box, "station": self._station, "epoch": ""}
            report |= {"state": "UNKNOWN", "ready": False, "reasons": ["io says nothing"]}
        else:
            report = state_report(self._state, self._box)
        return report | {"results_dropped": self._outbox.dropped, "results_wait": self._outbox.waiting > 0}

    def _will(self, _sessions: int) -> tuple[str, bytes, bool]:
        return f"{self._root}/online", self._online(False), True

    def _online(self, up: bool) -> bytes:
        return _bytes({"schema": ONLINE_SCHEMA, "box": self._box, "station": self._station, "online": up})

    def _goodbye(self) -> None:
        """Say offline ourselves: the last will is for who cannot. Wait a second at most for what is under way."""
        if self._up:
            if self._spark is not None:
                self._spark.goodbye(self._link)
            last = self._say("online", self._online(False))
            end = now_ns() + GOODBYE_NS
            while now_ns() < end:
                happening = self._link.happened()
                if happening is None:
                    time.sleep(TURN_MS / 1000)
                elif isinstance(happening, Acknowledged):
                    self._outbox.acknowledged(happening.token)
                    if happening.token == last:
                        break
        if self._waiting:
            _LOG.error("stopped with %d results that no broker has acknowledged", self._waiting)


def run(
    options: MqttOptions, box: str, station: str, run_dir: Path, source: Source | None = None, notes: Path | None = None
) -> int:
    """Run the mqtt process until SIGTERM or SIGINT. Return 0, 78 for settings to be changed, 1 for anything else.

    source: the ledger, for `durable`. notes: folder of our own for how far the broker has come; None: in run_dir.
    """
    try:
        teller = _Teller(options, box, station, run_dir, source, notes or run_dir)

        def end(_number: int, _frame: FrameType | None) -> None:
            teller.stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        teller.serve()
    except BadSettings as error:
        _LOG.error("%s", error)
        return EXIT_REFUSED
    except Exception:  # noqa: BLE001 - outermost frame: the broker shows the last will
        _LOG.exception("mqtt ended by an error")
        return 1
    return 0
