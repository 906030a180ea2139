"""The box as an edge node of Sparkplug B and its station as the node's device, pure: births, data, death, rebirth.

spBv1.0/GROUP/NBIRTH/BOX            bdSeq, Node Control/Rebirth, what the node is
spBv1.0/GROUP/DBIRTH/BOX/STATION    every metric of the station with its alias and its value now
spBv1.0/GROUP/DDATA/BOX/STATION     what has changed, by alias; each part is one message
spBv1.0/GROUP/NDEATH/BOX            bdSeq of the birth that it ends; the connection's last will
spBv1.0/GROUP/NCMD/BOX              heard: Node Control/Rebirth
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from .part_report import Json
from .sparkplug import Kind, Metric, Value, payload, read_payload

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
_BD_SEQ = "bdSeq"
_COUNTED = ("triggers", "ok", "ng", "unjudged", "challenge", "bypass", "late", "missed", "in_flight", "ordered")

METRICS: Mapping[str, Kind] = {
    "State/State": Kind.STRING,
    "State/Ready": Kind.BOOLEAN,
    "State/Reasons": Kind.STRING,
    "State/Fault": Kind.UINT32,
    "State/PlcAlive": Kind.BOOLEAN,
    "State/Job": Kind.UINT32,
    "State/Recipe": Kind.STRING,
    "State/Revision": Kind.STRING,
    "State/Model": Kind.STRING,
    "State/Mode": Kind.STRING,
    "State/Epoch": Kind.STRING,
    **{f"Counters/{name}": Kind.UINT64 for name in (*_COUNTED, "confirmed", "unconfirmed")},
    "Result/Id": Kind.STRING,
    "Result/Part": Kind.UINT32,
    "Result/Serial": Kind.STRING,
    "Result/Lot": Kind.STRING,
    "Result/Codes": Kind.STRING,
    "Result/TakenAt": Kind.DATETIME,
    "Result/Pass": Kind.BOOLEAN,
    "Result/Action": Kind.STRING,
    "Result/Why": Kind.STRING,
    "Result/Outcome": Kind.STRING,
    "Result/Reasons": Kind.STRING,
    "Result/Score": Kind.DOUBLE,
    "Result/Threshold": Kind.DOUBLE,
    "Result/Defects": Kind.UINT32,
    "Result/Recipe": Kind.STRING,
    "Result/Revision": Kind.STRING,
    "Result/Model": Kind.STRING,
    "Result/Delivery": Kind.STRING,
    "Result/LatencyMs": Kind.DOUBLE,
}
"""Metrics of the station, in the order of their aliases from 1."""
ALIASES: Mapping[str, int] = {name: alias for alias, name in enumerate(METRICS, 1)}


class Message(NamedTuple):
    """What is to be published."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class Node:
    """One session after the other. One thread, but `death` and `bd_seq`, which the client's own may ask and set."""

    group: str
    box: str
    station: str
    version: str
    bd_seq: int = 0
    """Of the session that begins next, or is under way; 0..255."""
    _seq: int = 0
    _values: dict[str, Value] = field(default_factory=dict)

    @property
    def commands(self) -> str:
        """Topic to be heard."""
        return self._topic("NCMD")

    def death(self, at_ms: int) -> Message:
        """The last will of the session that begins next, and what is said at its orderly end."""
        ended = Metric(_BD_SEQ, Kind.INT64, self.bd_seq, at_ms)
        return Message(self._topic("NDEATH"), payload([ended], at_ms, None))

    def births(self, at_ms: int) -> list[Message]:
        """What a session begins with, and every rebirth: node first, then the station as it is now."""
        self._seq = 0
        node = [
            Metric(_BD_SEQ, Kind.INT64, self.bd_seq, at_ms),
            Metric(REBIRTH, Kind.BOOLEAN, False, at_ms),
            Metric("Properties/Software", Kind.STRING, f"okng {self.version}", at_ms),
        ]
        device = [Metric(name, kind, self._values.get(name), at_ms, ALIASES[name]) for name, kind in METRICS.items()]
        born = Message(self._topic("NBIRTH"), payload(node, at_ms, self._seq))
        return [born, Message(self._topic("DBIRTH", self.station), payload(device, at_ms, self._next()))]

    def stands(self, state: Json, counters: Json | None, at_ms: int) -> Message | None:
        """The data of a state and its counters; None: nothing of it has changed."""
        said = {name: state.get(key) for name, key in _STATE.items()}
        said["State/Reasons"] = _lines(state.get("reasons"))
        if counters is not None:
            said |= {f"Counters/{name}": counters.get(name) for name in (*_COUNTED, "confirmed", "unconfirmed")}
        changed = {name: _value(value) for name, value in said.items() if self._values.get(name) != value}
        if not changed:
            return None
        self._values |= changed
        return self._data(changed, at_ms, at_ms, historical=False)

    def result(self, document: Json, at_ms: int, *, historical: bool) -> Message:
        """The data of one part. document: of schema okng.result/1. historical: it was before this session."""
        said = _result(document)
        if not historical:
            self._values |= said
        taken_ms = said["Result/TakenAt"]
        return self._data(said, at_ms, taken_ms if isinstance(taken_ms, int) else at_ms, historical=historical)

    def asks_rebirth(self, topic: str, data: bytes) -> bool:
        """Whether a message asks for all births again. ValueError: it is none of Sparkplug."""
        return topic == self.commands and any(one.name == REBIRTH and one.truth for one in read_payload(data))

    def _data(self, said: Mapping[str, Value], at_ms: int, metric_ms: int, *, historical: bool) -> Message:
        metrics = [
            Metric("", METRICS[name], value, metric_ms, ALIASES[name], historical) for name, value in said.items()
        ]
        return Message(self._topic("DDATA", self.station), payload(metrics, at_ms, self._next()))

    def _next(self) -> int:
        self._seq = (self._seq + 1) % 256
        return self._seq

    def _topic(self, kind: str, *device: str) -> str:
        return "/".join((NAMESPACE, self.group, kind, self.box, *device))


_STATE = {
    "State/State": "state",
    "State/Ready": "ready",
    "State/Fault": "fault",
    "State/PlcAlive": "plc_alive",
    "State/Job": "job",
    "State/Recipe": "recipe",
    "State/Revision": "revision",
    "State/Model": "model",
    "State/Mode": "mode",
    "State/Epoch": "epoch",
}


def _result(document: Json) -> dict[str, Value]:
    found = document.get("verdict")
    verdict: Json = found if isinstance(found, dict) else {}
    codes = document.get("codes")
    texts = [one.get("text") for one in codes if isinstance(one, dict)] if isinstance(codes, list) else []
    said = {
        "Result/Id": document["id"],
        "Result/Part": document["part"],
        "Result/Serial": document.get("serial"),
        "Result/Lot": document.get("lot"),
        "Result/Codes": _lines(texts),
        "Result/TakenAt": _ms(document.get("taken_at")),
        "Result/Pass": document["pass"],
        "Result/Action": document["action"],
        "Result/Why": document["why"],
        "Result/Outcome": verdict.get("outcome"),
        "Result/Reasons": _lines(verdict.get("reasons")),
        "Result/Score": verdict.get("score"),
        "Result/Threshold": verdict.get("threshold"),
        "Result/Defects": verdict.get("defect_count"),
        "Result/Recipe": document["recipe"],
        "Result/Revision": verdict.get("revision"),
        "Result/Model": verdict.get("model"),
        "Result/Delivery": document["delivery"],
        "Result/LatencyMs": document["latency_ms"],
    }
    return {name: _value(value) for name, value in said.items()}


def _lines(value: object) -> str:
    return "\n".join(str(one) for one in value) if isinstance(value, list) else ""


def _value(value: object) -> Value:
    return value if isinstance(value, bool | int | float | str) else None


def _ms(text: object) -> int | None:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return None
