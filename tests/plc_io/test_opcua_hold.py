"""OPC UA that starts and stops the line, and what becomes of the hold when its process dies; users and certificates."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from okng.plc_io.opcua_door import user_line

from .conftest import free_port
from .opcua_peer import AUTO, VISION, Mes, listens, start_opcua
from .played_line import PlayedLine
from .test_opcua_strangers import Holder


@contextmanager
def served(run_dir: Path, line: PlayedLine, port: int, **more: object) -> Iterator["subprocess.Popen[bytes]"]:
    """An opcua process that listens."""
    process = start_opcua(run_dir, port, **more)
    try:
        line.until("it listens", lambda: listens(process, port), 40)
        yield process
    finally:
        process.kill()
        process.wait(5)


def test_a_client_starts_and_stops_and_a_hold_does_not_end_by_dying(run_dir: Path) -> None:
    port = free_port()
    with PlayedLine(run_dir) as line:
        with served(run_dir, line, port, holds=True) as process:
            line.until("the hold", lambda: line.hold is not None and line.hold.held)
            mes = Mes(port, line.turn)
            assert mes.state() == ("Preoperational", None)
            assert mes.begin("StartContinuous")[0] == "BadInvalidState"
            assert mes.call(VISION, "SelectModeAutomatic") == ("Good", [0])
            line.until("Ready", lambda: mes.state() == ("Operational", "Ready"))
            assert mes.cause(AUTO, "Stop") == "BadInvalidState"
            assert mes.begin("StartContinuous", recipe="lid")[0] == "BadInvalidArgument"
            assert mes.begin("StartContinuous", recipe="cap")[0] == "Good"
            line.until("let go", lambda: line.hold is not None and not line.hold.held)
            assert mes.state() == ("Operational", "ContinuousExecution")
            assert mes.cause(AUTO, "Stop") == "Good"
            line.until("Ready again", lambda: mes.state() == ("Operational", "Ready"))
            assert mes.cause(VISION, "Halt") == "Good"
            assert mes.state() == ("Halted", None)
            heard = line.holds_heard
            line.during(2.2)
            assert heard + 2 <= line.holds_heard <= heard + 4  # once a second
            mes.close()
            process.kill()
            process.wait(5)
        line.during(0.5)
        assert line.hold is not None
        assert line.hold.held
        with served(run_dir, line, port, holds=False):
            line.until("a mirror lets go of what it finds", lambda: line.hold is not None and not line.hold.held)


def test_a_client_needs_a_trusted_certificate_and_a_password(run_dir: Path, tmp_path: Path) -> None:
    port = free_port()
    box = Holder(tmp_path, "box", "urn:127.0.0.1:okng:box1:line1")
    mes, stranger = (Holder(tmp_path, name, f"urn:{name}") for name in ("mes", "stranger"))
    trusted, users = tmp_path / "trusted", tmp_path / "users"
    trusted.mkdir()
    (trusted / "mes.pem").write_bytes(mes.file.read_bytes())
    users.write_text(f"# people\n{user_line('shift', 'early: bird')}\n", encoding="utf-8")
    users.chmod(0o600)
    files = {"certificate": str(box.file), "key": str(box.key), "trusted": str(trusted), "users": str(users)}
    login = {"user": "shift", "password": "early: bird"}

    def client(holder: Holder, **more: object) -> dict[str, object]:
        shown = {"certificate": str(holder.file), "key": str(holder.key), "uri": f"urn:{holder.file.stem}"}
        return {"security": True, **shown, **more}

    with PlayedLine(run_dir) as line, served(run_dir, line, port, **files):
        person = Mes(port, line.turn, **client(mes, **login))
        line.until("the mirror", lambda: person.state() == ("Operational", "ContinuousExecution"))
        person.close()
        for wrong in (
            client(mes, user="shift", password="late"),
            client(mes, user="nobody", password="early: bird"),
            client(mes),
            client(stranger, **login),
            {**login},
            {},
        ):
            with pytest.raises(AssertionError):
                Mes(port, line.turn, **wrong).close()
        again = Mes(port, line.turn, **client(mes, **login))
        assert again.state()[0] == "Operational"
        again.close()
    users.chmod(0o644)
    careless = start_opcua(run_dir, port, **files)
    assert careless.wait(20) == 78
