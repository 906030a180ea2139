"""One connection to one broker. paho's thread keeps it; what happens comes back through a queue to who asks for it.

paho holds the messages under way and sends them again after a reconnect; it is never handed more than the window.
"""

import logging
import queue
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, MQTTMessage
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


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody published on a topic that is heard."""

    topic: str
    payload: bytes
    retained: bool
    """The broker kept it: it was said before we came, nobody knows when."""


Happening = Connected | Gone | Acknowledged | Heard
Will = Callable[[int], tuple[str, bytes, bool]]
"""Topic, payload and whether it is retained, of the last will of the connection that is made next; it is told how many
connections there were before it."""
MOST_HEARD = 64
"""Messages that wait for who asks; one more is not kept."""


class BrokerLink:
    """A client with a last will. `start`, `publish`, `happened` and `close` are of one thread."""

    def __init__(self, options: MqttOptions, client_id: str, will: Will, hears: tuple[str, ...] = ()) -> None:
        """will: is asked before each connection, by paho's thread. hears: topics to listen to, QoS 1.

        BadSettings: a file that the settings name cannot be used.
        """
        self._options = options
        self._happened: queue.Queue[Happening] = queue.Queue()  # bounded by the window: each has its acknowledgement
        self._will, self._hears, self._heard = will, hears, 0
        self.sessions = 0
        """Connections that the broker has taken, so far."""
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311
        )
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
        client.on_message = self._on_message
        client.on_pre_connect = self._on_pre_connect
        self._client = client

    def start(self) -> None:
        """Begin to look for the broker; never waits."""
        self._client.connect_async(self._options.host, self._options.port, self._options.keepalive_s)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> int:
        """Hand over one message, QoS 1; return its token. With the broker just gone it is sent after its return."""
        return int(self._client.publish(topic, payload, QOS, retain).mid)

    def publish_once(self, topic: str, payload: bytes) -> None:
        """Hand over one message, QoS 0: nobody says whether it arrived, but none of later ones arrives before it."""
        self._client.publish(topic, payload, 0, retain=False)

    def happened(self) -> Happening | None:
        """The next happening, or None at once."""
        try:
            found = self._happened.get_nowait()
        except queue.Empty:
            return None
        if isinstance(found, Heard):
            self._heard -= 1
        return found

    def close(self) -> None:
        """Say goodbye and end the thread. Never raises; a second call does nothing."""
        if self._client.disconnect() != MQTT_ERR_SUCCESS:
            _LOG.debug("there was no broker to say goodbye to")
        self._client.loop_stop()

    # -- paho's thread -----------------------------------------------------------------------------------------------

    def _on_pre_connect(self, client: Client, _user: Any) -> None:
        topic, payload, retain = self._will(self.sessions)
        client.will_set(topic, payload, QOS, retain)

    def _on_message(self, _client: Client, _user: Any, message: MQTTMessage) -> None:
        if self._heard < MOST_HEARD:
            self._heard += 1
            self._happened.put(Heard(message.topic, bytes(message.payload), message.retain))

    def _on_connect(self, client: Client, _user: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if not code.is_failure:
            self.sessions += 1
            if self._hears:
                client.subscribe([(topic, QOS) for topic in self._hears])
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
