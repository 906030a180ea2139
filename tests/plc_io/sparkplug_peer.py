"""A host of Sparkplug that is not ours: Google's protobuf by the published schema, on a client of its own."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_KINDS = {"uint64": 4, "uint32": 13, "string": 9, "bool": 8, "float": 2, "double": 1, "bytes": 12, "message": 11}
_PAYLOAD = (("timestamp", 1, "uint64"), ("metrics", 2, "message"), ("seq", 3, "uint64"), ("uuid", 4, "string"))
_METRIC = (
    *(("name", 1, "string"), ("alias", 2, "uint64"), ("timestamp", 3, "uint64"), ("datatype", 4, "uint32")),
    *(("is_historical", 5, "bool"), ("is_transient", 6, "bool"), ("is_null", 7, "bool")),
    *(("int_value", 10, "uint32"), ("long_value", 11, "uint64"), ("float_value", 12, "float")),
    *(("double_value", 13, "double"), ("boolean_value", 14, "bool"), ("string_value", 15, "string")),
    ("bytes_value", 16, "bytes"),
)
"""Of sparkplug_b.proto of Eclipse Tahu (package org.eclipse.tahu.protobuf, proto2)."""


def _payload_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="org.eclipse.tahu.protobuf")
    file.syntax = "proto2"
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for message, fields in ((payload, _PAYLOAD), (metric, _METRIC)):
        for name, number, kind in fields:
            made = message.field.add(name=name, number=number, type=_KINDS[kind], label=3 if name == "metrics" else 1)
            if kind == "message":
                made.type_name = ".org.eclipse.tahu.protobuf.Payload.Metric"
            if number >= 10:
                made.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("org.eclipse.tahu.protobuf.Payload"))


Payload = _payload_class()
VALUES = {"int_value", "long_value", "double_value", "boolean_value", "string_value"}


def value_of(metric: Any) -> Any:
    """What a metric says; None: it is null."""
    which = metric.WhichOneof("value")
    return None if metric.is_null or which is None else getattr(metric, which)


@dataclass
class Message:
    """One message as it arrived."""

    kind: str
    """NBIRTH, DDATA, ..."""
    topic: str
    retained: bool
    payload: Any
    names: dict[int, str] = field(default_factory=dict)
    """By alias, of the births before it."""

    def values(self) -> dict[str, Any]:
        """What its metrics say, by name."""
        return {one.name or self.names[one.alias]: value_of(one) for one in self.payload.metrics}


class Host:
    """Hears a group, keeps the births' aliases, and may ask for a rebirth."""

    def __init__(self, port: int, group: str = "plant", host_id: str = "scada") -> None:
        self.heard: list[Message] = []
        self._names: dict[int, str] = {}
        self._lock, self._there = threading.Lock(), threading.Event()
        self._group = group
        self._state = f"spBv1.0/STATE/{host_id}"
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="host", protocol=MQTTProtocolVersion.MQTTv311)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(f"spBv1.0/{group}/#", 1)
        self._client.on_subscribe = self._on_subscribe
        self._client.will_set(self._state, self._online(up=False), 1, retain=True)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._there.wait(10)

    def _online(self, *, up: bool) -> bytes:
        return json.dumps({"online": up, "timestamp": int(time.time() * 1000)}).encode()

    def _on_subscribe(self, *_: Any) -> None:
        """Only who hears the group says that it is there."""
        self._client.publish(self._state, self._online(up=True), 1, retain=True)
        self._there.set()

    def away(self) -> None:
        """Leave for a while."""
        self._client.publish(self._state, self._online(up=False), 1, retain=True).wait_for_publish(5)

    def back(self) -> None:
        """Come back."""
        self._client.publish(self._state, self._online(up=True), 1, retain=True)

    def _on_message(self, _client: Any, _user: Any, message: Any) -> None:
        kind = message.topic.split("/")[2]
        if kind == "NCMD":
            return
        payload = Payload()
        payload.ParseFromString(message.payload)
        assert payload.IsInitialized()
        with self._lock:
            if kind.endswith("BIRTH"):
                self._names |= {one.alias: one.name for one in payload.metrics if one.HasField("alias")}
            self.heard.append(Message(kind, message.topic, message.retain, payload, dict(self._names)))

    def of(self, *kinds: str) -> list[Message]:
        """What has arrived of these kinds, in order."""
        with self._lock:
            return [one for one in self.heard if one.kind in kinds]

    def command(self, box: str, name: str, *, value: bool = True) -> None:
        """Send a command to the node."""
        payload = Payload(timestamp=int(time.time() * 1000))
        payload.metrics.add(name=name, datatype=11, boolean_value=value, timestamp=payload.timestamp)
        self._client.publish(f"spBv1.0/{self._group}/NCMD/{box}", payload.SerializeToString(), 1)

    def raw(self, box: str, data: bytes) -> None:
        """Send what is no command."""
        self._client.publish(f"spBv1.0/{self._group}/NCMD/{box}", data, 1)

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()


Until = Callable[[str, Callable[[], bool]], None]
