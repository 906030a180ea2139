"""The connection to the broker: paho's thread does the network, this process's own thread asks what happened.

paho waits between attempts to connect, from 1 s, doubling up to the settings' limit. Nothing here waits for it.
"""

import logging
import ssl
import stat
import threading
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ..bus.errors import BadSettings
from .mqtt_options import MqttOptions, MqttTlsOptions

_LOG = logging.getLogger(__name__)
QOS = 1


class Broker:
    """One client. `poll` and `publish` belong to one thread; paho calls back in its own."""

    def __init__(self, options: MqttOptions, name: str, will: tuple[str, bytes]) -> None:
        """name: client id, unique at the broker. will: topic and payload it retains when this box vanishes."""
        self._lock = threading.Lock()
        self._generation = 0  # odd: connected; rises with each change
        self._acknowledged: list[int] = []  # bounded by the window: nothing more is under way
        self._refusal = ""
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=True)
        self._client.will_set(will[0], will[1], qos=QOS, retain=True)
        if options.password_file is not None:
            self._client.username_pw_set(*credentials(options.password_file))
        if options.tls is not None:
            self._client.tls_set_context(tls_context(options.tls))
        self._client.max_queued_messages_set(options.window + 16)
        self._client.max_inflight_messages_set(options.window + 16)
        self._client.reconnect_delay_set(1, options.backoff_max_s)
        self._client.connect_timeout = 5.0
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._place = f"{options.host}:{options.port}"
        self._client.connect_async(options.host, options.port, options.keepalive_s)

    def start(self) -> None:
        """Begin to connect, and go on for good."""
        self._client.loop_start()

    def poll(self) -> tuple[int, list[int]]:
        """Return (generation, message ids acknowledged since). An odd generation is a connection, an even one none."""
        with self._lock:
            acknowledged, self._acknowledged = self._acknowledged, []
            return self._generation, acknowledged

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        """Hand a message to paho with QoS 1; return its id. None: it was not taken, try later."""
        done = self._client.publish(topic, payload, qos=QOS, retain=retain)
        return done.mid if done.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def stop(self, last: tuple[str, bytes], timeout_s: float) -> None:
        """Say the last word (retained), wait timeout_s at most for its acknowledgement, and let go."""
        if self._client.is_connected():
            done = self._client.publish(last[0], last[1], qos=QOS, retain=True)
            if done.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                done.wait_for_publish(timeout_s)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            if str(reason) != self._refusal:
                self._refusal = str(reason)
                _LOG.error("the broker at %s refuses: %s", self._place, reason)
            return
        # What is owed is kept, and sent again, by the outbox alone (paho counts from zero at each connection).
        client.drop_out_messages()
        _LOG.info("connected to the broker at %s", self._place)
        with self._lock:
            self._refusal = ""
            self._acknowledged.clear()
            self._generation += 1 + self._generation % 2

    def _on_disconnect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        client.drop_out_messages()
        with self._lock:
            if self._generation % 2 == 0:
                return
            self._generation += 1
            self._acknowledged.clear()
        _LOG.warning("the broker at %s is gone (%s); results are kept until it is back", self._place, reason)

    def _on_publish(self, _client: mqtt.Client, _data: Any, mid: int, _reason: ReasonCode, _props: Any) -> None:
        with self._lock:
            self._acknowledged.append(mid)


def credentials(file: Path) -> tuple[str, str]:
    """Read user and password. BadSettings: not two lines, or others may read it."""
    try:
        mode = file.stat().st_mode
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"mqtt.password_file = {str(file)!r}: cannot be read: {error}") from error
    if mode & (stat.S_IRWXO):
        raise BadSettings(
            f"mqtt.password_file = {str(file)!r}: mode {stat.S_IMODE(mode):04o}, expected 0600 or 0640: no access "
            "for others"
        )
    if len(lines) != 2 or not lines[0]:
        raise BadSettings(f"mqtt.password_file = {str(file)!r}: expected two lines, user and password")
    return lines[0], lines[1]


def tls_context(options: MqttTlsOptions) -> ssl.SSLContext:
    """TLS 1.2 or later, the broker's certificate and name checked. BadSettings: a file does not read."""
    try:
        context = ssl.create_default_context(cafile=str(options.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.certificate is not None:
            context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise BadSettings(f"[mqtt.tls]: expected certificates and an unencrypted key in PEM: {error}") from error
    return context
