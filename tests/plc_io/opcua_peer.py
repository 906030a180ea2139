"""An opcua process of the box, and node-opcua-client as the MES that talks to it."""

import json
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..peers.node import PEERS, node_modules
from .conftest import wait_for
from .played_line import start

SYSTEM = "ns=3;s=VisionSystem"
VISION = f"{SYSTEM}.VisionStateMachine"
AUTO = f"{VISION}.AutomaticModeStateMachine"
RECIPES = f"{SYSTEM}.RecipeManagement"
RESULTS = f"{SYSTEM}.ResultManagement"
NODESET = "http://opcfoundation.org/UA/MachineVision"
TYPES = {
    "RecipeIdExternal": "ns=2;i=3002",
    "ProductId": "ns=2;i=3003",
    "PartId": "ns=2;i=3004",
    "ConfigurationId": "ns=2;i=3008",
    "RecipeIdInternal": "ns=2;i=3013",
    "MeasId": "ns=2;i=3015",
    "JobId": "ns=2;i=3016",
    "ResultId": "ns=2;i=3021",
}
"""Data types of the nodeset, as a client writes them."""

_OPCUA = """
import json, logging, sys
from pathlib import Path
from okng.plc_io.opcua_options import OpcuaOptions
from okng.plc_io.opcua_process import run
logging.basicConfig(level=logging.INFO)
options = OpcuaOptions.model_validate(json.loads(sys.argv[1]))
jobs = {int(number): name for number, name in json.loads(sys.argv[3]).items()}
raise SystemExit(run(options, "box1", "line1", jobs, Path(sys.argv[2])))
"""


def start_opcua(run_dir: Path, port: int, **more: object) -> "subprocess.Popen[bytes]":
    """Start the opcua process, open to everybody unless told otherwise."""
    values = {"port": port, **({} if "certificate" in more else {"insecure": True}), **more}
    return start(_OPCUA, json.dumps(values), str(run_dir), json.dumps({1: "cap", 2: "lid"}))


def listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """True when the server takes connections. AssertionError: it has ended."""
    assert process.poll() is None, f"opcua ended with {process.returncode}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def id_of(kind: str, text: str) -> dict[str, Any]:
    """One of the id structures as an argument of a method."""
    return {"struct": TYPES[kind], "value": {"id": text}}


class Mes:
    """One client in a process of Node. Every call waits for its answer while the line goes on."""

    def __init__(self, port: int, turn: Callable[[], object] = lambda: None, **options: object) -> None:
        """turn: what moves the line meanwhile. AssertionError: no session; the text says why."""
        endpoint = f"opc.tcp://127.0.0.1:{port}/okng"
        node_modules()
        self._pki = tempfile.mkdtemp(prefix="okng-pki-")  # else it makes one in the home folder
        command = ["node", str(PEERS / "opcua_client.mjs"), endpoint, json.dumps({"pki": self._pki, **options})]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=PEERS, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._turn = turn
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            assert self._answer(30.0) == "connected"
        except AssertionError:
            self.close()
            raise

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(("{", "[")):  # the client's library warns on the same pipe
                self._lines.put(line)

    def _answer(self, timeout_s: float = 15.0) -> Any:
        found: list[str] = []

        def came() -> bool:
            self._turn()
            if not self._lines.empty():
                found.append(self._lines.get())
            assert found or self._process.poll() is None, "the client ended"
            return bool(found)

        wait_for("an answer of the client", came, timeout_s)
        answer = json.loads(found[0])
        assert "error" not in answer, answer["error"]
        return answer["ok"]

    def do(self, what: str, **more: object) -> Any:
        """One command of the client's script; its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def read(self, node: str) -> Any:
        """The value of a node."""
        return self.do("read", node=node)["value"]

    def names(self, node: str) -> set[str]:
        """Names of what lies below a node."""
        return {one["name"] for one in self.do("browse", node=node)}

    def call(self, owner: str, name: str, *arguments: dict[str, Any]) -> tuple[str, list[Any]]:
        """Call a method: its status and its outputs."""
        answer = self.do("call", object=owner, method=f"{owner}.{name}", arguments=list(arguments))
        return answer["status"], answer["outputs"]

    def cause(self, owner: str, name: str) -> str:
        """Call a method that takes a cause; its status."""
        status, outputs = self.call(
            owner, name, {"type": "Int32", "value": 0}, {"type": "String", "value": "a person at the MES"}
        )
        assert status != "Good" or outputs == [0]
        return status

    def begin(self, name: str, meas: str = "", recipe: str = "") -> tuple[str, str]:
        """StartSingleJob or StartContinuous: its status and the job's id."""
        status, outputs = self.call(
            AUTO,
            name,
            id_of("MeasId", meas),
            id_of("PartId", ""),
            id_of("RecipeIdExternal", recipe),
            id_of("ProductId", ""),
            {"type": "Variant", "value": []},
        )
        return status, outputs[0]["id"] if status == "Good" else ""

    def state(self) -> tuple[str, str | None]:
        """Where both machines stand; None: the automatic mode is not active."""
        return self.read(f"{VISION}.CurrentState"), self.read(f"{AUTO}.CurrentState")

    def close(self) -> None:
        """End the client."""
        self._process.kill()
        self._process.wait(5)
        shutil.rmtree(self._pki, ignore_errors=True)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
