"""Sparkplug over the connection to the broker: which session it is, and what is said in it."""

import json
import logging
import time
from contextlib import suppress
from pathlib import Path

from .. import __version__
from ..bus.clock import SECOND, now_ns, utc_now
from .mqtt_client import BrokerLink, Heard
from .mqtt_options import SparkplugOptions
from .part_report import Json
from .sparkplug_node import NAMESPACE, Message, Node

_LOG = logging.getLogger(__name__)
KEPT_NS = 5 * SECOND
"""A broker that was killed says of the primary host what was before. One that comes back then says so itself by now."""
FILE = "mqtt.bdseq"
"""In the run folder: a process that is started again goes on counting its sessions."""


class Sparkplug:
    """The node in its sessions. One thread; `will` is asked by paho's."""

    def __init__(self, options: SparkplugOptions, box: str, station: str, run_dir: Path) -> None:
        self._file = run_dir / FILE
        self._begin = self._begun()
        self._node = Node(options.group, box, station, __version__, self._begin)
        self._state = f"{NAMESPACE}/STATE/{options.host}" if options.host is not None else ""
        self._host_there, self._believe_ns = False, 0
        self._since = ""

    @property
    def topics(self) -> tuple[str, ...]:
        """What has to be heard."""
        return (self._node.commands, self._state) if self._state else (self._node.commands,)

    @property
    def awaited(self) -> bool:
        """Nothing is told now: the primary host is not there."""
        return bool(self._state) and not self._host_there

    def will(self, sessions: int) -> tuple[str, bytes, bool]:
        """The node's death in the session that begins next. sessions: that were before; each has its own number."""
        self._node.bd_seq = (self._begin + sessions) % 256
        with suppress(OSError):  # then a later process may use a number again that the host has seen long ago
            self._file.write_text(str(self._node.bd_seq), encoding="ascii")
        topic, payload = self._node.death(_now_ms())
        return topic, payload, False

    def connected(self, link: BrokerLink) -> None:
        """The broker took us. Where a primary host is waited for, its STATE, which is retained, comes next."""
        self._host_there, self._believe_ns = False, 0
        if not self._state:
            self._born(link)

    def _born(self, link: BrokerLink) -> None:
        """A session begins: what has been until now is history."""
        self._since = utc_now()
        self._say(link, *self._node.births(_now_ms()))

    def stands(self, link: BrokerLink, state: Json, counters: Json | None) -> None:
        """Tell what has changed of state and counters; while nobody is there it is kept for the births."""
        changed = self._node.stands(state, counters, _now_ms())
        if changed is not None and not self.awaited:
            self._say(link, changed)

    def result(self, link: BrokerLink, report: Json) -> None:
        """Tell of one part."""
        past = str(report["taken_at"]) < self._since
        self._say(link, self._node.result(report, _now_ms(), historical=past))

    def heard(self, link: BrokerLink, heard: Heard) -> bool:
        """Obey a command, or hear of the primary host. True: a session has begun, all under way has to go again."""
        try:
            if heard.topic == self._state:
                there = bool(json.loads(heard.payload)["online"])
                self._believe_ns = now_ns() + KEPT_NS if there and heard.retained else 0
                return not heard.retained and self._host(link, there=there)
            again = self._node.asks_rebirth(heard.topic, heard.payload)
        except (ValueError, KeyError, TypeError) as error:
            _LOG.warning("%s: no message of Sparkplug: %s", heard.topic, error)
            return False
        if again and not self.awaited:
            _LOG.info("all births are told again, as was asked")
            self._say(link, *self._node.births(_now_ms()))
        return False

    def turn(self, link: BrokerLink) -> bool:
        """What the broker kept of the primary host is believed after a while. True: a session has begun."""
        if not self._believe_ns or now_ns() < self._believe_ns:
            return False
        self._believe_ns = 0
        return self._host(link, there=True)

    def _host(self, link: BrokerLink, *, there: bool) -> bool:
        if there or self._host_there:
            _LOG.info("the primary host is %s", "there" if there else "away: results wait for it")
        if there:
            self._host_there = True
            self._born(link)
        else:
            self.goodbye(link)
            self._host_there = False
        return there

    def goodbye(self, link: BrokerLink) -> None:
        """Die in order: at an orderly end the broker keeps the last will to itself."""
        if not self.awaited:
            self._say(link, self._node.death(_now_ms()))

    def _say(self, link: BrokerLink, *messages: Message) -> None:
        for topic, payload in messages:
            link.publish_once(topic, payload)

    def _begun(self) -> int:
        try:
            return (int(self._file.read_text(encoding="ascii")) + 1) % 256
        except (OSError, ValueError):
            return 0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
