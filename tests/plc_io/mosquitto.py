"""A real broker, mosquitto, and its own mosquitto_sub as the one who says what arrived."""

import getpass
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from .conftest import free_port, lacking, wait_for

NEEDED = ("mosquitto", "mosquitto_sub", "mosquitto_pub")


class Broker:
    """mosquitto on one port of the loopback. Sessions and retained messages survive its death on the disk."""

    def __init__(self, folder: Path, *more: str, login: bool = False) -> None:
        for tool in NEEDED:
            lacking(tool)
        self.folder, self.port = folder, free_port()
        kept = folder / "kept"
        kept.mkdir()
        kept.chmod(0o777)
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if login else 'true'}",
            "persistence true",
            f"persistence_location {kept}/",
            "autosave_on_changes true",
            "autosave_interval 1",
            "max_queued_messages 100000",
            f"user {getpass.getuser()}",  # started by root it would become another user, who may not read this folder
            *more,
        ]
        self.config = folder / "mosquitto.conf"
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.config)], stdout=log, stderr=log)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("mosquitto listens", listens)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)
            self.process = None


class Judge:
    """mosquitto_sub with a session of its own: what it prints has arrived."""

    def __init__(self, broker: Broker, name: str, topic: str = "okng/#", *more: str) -> None:
        self.file = broker.folder / f"{name}.txt"
        self._out = self.file.open("wb")
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "-q", "1", "-i", name, "-c"]
        self.process = subprocess.Popen([*command, "-F", "%t\t%r\t%p", *more], stdout=self._out)

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """The documents of one kind of topic (`result`, `state`, ...) in the order of their arrival."""
        found = []
        for line in self.file.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # the rest is still being written
            topic, retained, payload = line.rstrip("\n").split("\t", 2)
            if topic.endswith(f"/{kind}"):
                found.append({**json.loads(payload), "_retained": retained == "1", "_topic": topic})
        return found

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(5)
        self._out.close()


def retained(broker: Broker, topic: str, *more: str) -> dict[str, Any]:
    """What a consumer that comes now is told at once."""
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", topic, "-q", "1", "-C", "1", "-W", "3"]
    found: list[str] = []

    def came() -> bool:
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=10)
        found[:] = [done.stdout.strip()] if done.returncode == 0 and done.stdout.strip() else []
        return bool(found)

    wait_for(f"a retained message on {topic}", came, 10)
    document: dict[str, Any] = json.loads(found[0])
    return document
