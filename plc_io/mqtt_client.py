"""One connection to one broker. paho's thread keeps it; what happens comes back through a queue to who asks for it.

paho holds the messages under way and sends them again after a reconnect; it is never handed more than the window.
"""

import logging
import queue
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ..bus.errors import BadSettings
from .mqtt_options import MqttOptions, MqttTlsOptions

_LOG = logging.getLogger(__name__)
QOS = 1
CONNECT_S = 2.0
"""Longest wait for one connection; the end of the process may have to wait for it."""
_READABLE_BY_OTHERS = 0o007


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker took us."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The broker is away or does not take us; paho tries again by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has the message of this token."""

    token: int


Happening = Connected | Gone | Acknowledged


class BrokerLink:
    """A client with a last will. `start`, `publish`, `happened` and `close` are of one thread."""

    def __init__(self, options: MqttOptions, client_id: str, will_topic: str, will: bytes) -> None:
        """BadSettings: a file that the settings name cannot be used."""
        self._options = options
        self._happened: queue.Queue[Happening] = queue.Queue()  # bounded by the window: each has its acknowledgement
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
        client.will_set(will_topic, will, QOS, retain=True)
        client.reconnect_delay_set(1, options.retry_s)
        client.max_inflight_messages_set(options.window + 8)
        client.connect_timeout = CONNECT_S
        if options.username is not None and options.password_file is not None:
            client.username_pw_set(options.username, read_secret(options.password_file))
        if options.tls is not None:
            client.tls_set_context(_context(options.tls))
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        self._client = client

    def start(self) -> None:
        """Begin to look for the broker; never waits."""
        self._client.connect_async(self._options.host, self._options.port, self._options.keepalive_s)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int:
        """Hand over one message, QoS 1; return its token. With the broker just gone it is sent after its return."""
        return int(self._client.publish(topic, payload, QOS, retain).mid)

    def happened(self) -> Happening | None:
        """The next happening, or None at once."""
        try:
            return self._happened.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """Say goodbye and end the thread. Never raises; a second call does nothing."""
        if self._client.disconnect() != MQTT_ERR_SUCCESS:
            _LOG.debug("there was no broker to say goodbye to")
        self._client.loop_stop()

    # -- paho's thread -----------------------------------------------------------------------------------------------

    def _on_connect(self, _client: Client, _user: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._happened.put(Gone(f"the broker refuses: {code}") if code.is_failure else Connected())

    def _on_connect_fail(self, _client: Client, _user: Any) -> None:
        self._happened.put(Gone("no connection"))

    def _on_disconnect(self, _client: Client, _user: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._happened.put(Gone(f"the connection ended: {code}"))

    def _on_publish(self, _client: Client, _user: Any, mid: int, _code: Any, _properties: Any) -> None:
        self._happened.put(Acknowledged(mid))


def read_secret(path: Path) -> str:
    """Return the first line of a file that only its owner and group may read. BadSettings."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"mqtt.password_file: {path} cannot be read: {error}") from error
    if mode & _READABLE_BY_OTHERS:
        raise BadSettings(f"mqtt.password_file: {path} is open to everybody: expected chmod 640 or less")
    secret = text.split("\n", 1)[0].rstrip("\r")
    if not secret:
        raise BadSettings(f"mqtt.password_file: the first line of {path} is empty: expected the password")
    return secret


def _context(tls: MqttTlsOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise BadSettings(f"mqtt.tls: certificate, key or ca cannot be used: {error}") from error
    return context
