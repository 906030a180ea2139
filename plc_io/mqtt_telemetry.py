"""What is published, and when: results once each, the newest state and counters. Pure, the clock is given.

Topics below `<prefix>/<box>/<station>/`: `result` (every part), `state` and `counters` (retained, the newest only),
`status` (retained: online, or offline by the last will).
"""

from dataclasses import asdict
from typing import Any

from ..bus.clock import SECOND
from ..bus.messages import StationState
from ..bus.part import Record
from .mqtt_outbox import Outbox
from .part_report import SCHEMA, Naming, as_json, report

SILENT_NS = 2 * SECOND
"""io says its state four times a second; silent for this long, its last word is no longer true."""
RETELL_NS = SECOND
"""Queue and drops alone are told this often at most."""


class Telemetry:
    """Takes what io says, keeps results until they are acknowledged, tells what else is due."""

    def __init__(self, prefix: str, box: str, station: str, outbox: Outbox, counters_ns: int) -> None:
        self._box, self._station = box, station
        self._root = f"{prefix}/{box}/{station}"
        self.outbox = outbox
        self._counters_ns = counters_ns
        self._naming = Naming()
        self._state: StationState | None = None
        self._heard_ns = 0
        self._silent = True
        self._told: dict[str, tuple[Any, int]] = {}

    @property
    def result_topic(self) -> str:
        """Topic of the results."""
        return f"{self._root}/result"

    @property
    def status_topic(self) -> str:
        """Topic of birth and last will."""
        return f"{self._root}/status"

    def status(self, *, online: bool) -> bytes:
        """Payload of birth, last word and last will."""
        return as_json({"schema": SCHEMA, "box": self._box, "station": self._station, "online": online}).encode()

    def heard(self, message: StationState | Record, now_ns: int) -> None:
        """Take one message of io."""
        if isinstance(message, StationState):
            self._state, self._heard_ns = message, now_ns
            found = self._naming.state(message)
        else:
            found = self._naming.record(message)
        for epoch, record in found:
            self.outbox.put(as_json(report(epoch, record, self._box)).encode())

    def connected(self) -> None:
        """A new connection: what is retained is told afresh."""
        self._told.clear()

    @property
    def dropped(self) -> int:
        """Results nobody will get by this way."""
        return self.outbox.dropped + self._naming.dropped

    def due(self, now_ns: int) -> list[tuple[str, bytes]]:
        """Return topic and payload of what is to be retained now."""
        found = []
        for name, document, key, wait_ns in self._documents(now_ns):
            told, at_ns = self._told.get(name, (None, -wait_ns))
            if key != told and (now_ns - at_ns >= wait_ns or told is None or key[0] != told[0]):
                self._told[name] = (key, now_ns)
                found.append((f"{self._root}/{name}", as_json(document).encode()))
        return found

    def _documents(self, now_ns: int) -> list[tuple[str, dict[str, Any], tuple[Any, Any], int]]:
        """Name, document, (what is told at once, what may wait), and how long it may wait."""
        state, head = self._state, {"schema": SCHEMA, "box": self._box, "station": self._station}
        queue = {"queued": self.outbox.waiting, "dropped": self.dropped}
        if state is None or now_ns - self._heard_ns >= SILENT_NS:
            silent = {"state": "SILENT", "ready": False, "reasons": ["io: says nothing"], "fault": 0}
            return [("state", {**head, **silent, **queue}, ("SILENT", self.dropped), RETELL_NS)]
        words = {
            "epoch": state.epoch,
            "state": state.state,
            "ready": state.ready,
            "reasons": list(state.reasons),
            "fault": state.fault,
            "plc_alive": state.plc_alive,
            "job": state.job_number,
            "recipe": state.job.recipe,
            "revision": state.job.revision,
            "model": state.job.model,
        }
        counters = {"epoch": state.epoch, **asdict(state.counters)}
        return [
            ("state", {**head, **words, **queue}, (words, self.dropped), RETELL_NS),
            ("counters", {**head, **counters}, (state.epoch, counters), self._counters_ns),
        ]
