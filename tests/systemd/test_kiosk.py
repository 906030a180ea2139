"""The screen of the box: one window, one address, a user that reads nothing of the line."""

import configparser
import contextlib
import http.server
import json
import os
import pwd
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from okng.webui.options import WebOptions

from .test_units import needs

SYSTEMD = Path(__file__).parents[2] / "systemd"
KIOSK = SYSTEMD / "kiosk"
UNIT = SYSTEMD / "okng-kiosk.service"


def policy() -> dict[str, object]:
    found = json.loads((KIOSK / "policies.json").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def ini(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment, method-assign]
    found.read(KIOSK / name, encoding="utf-8")
    return found


def test_the_browser_reaches_this_box_and_nothing_else() -> None:
    found = policy()
    assert found["URLBlocklist"] == ["*"]
    assert found["URLAllowlist"] == [f"http://127.0.0.1:{WebOptions().port}"]
    assert found["DeveloperToolsAvailability"] == 2
    assert found["DownloadRestrictions"] == 3
    assert found["ExtensionInstallBlocklist"] == ["*"]
    assert [found[name] for name in ("PrintingEnabled", "PasswordManagerEnabled", "AllowFileSelectionDialogs")] == [
        False,
        False,
        False,
    ]
    guards = [name for name in found if name.startswith("Default") and name.endswith(("GuardSetting", "Setting"))]
    assert all(found[name] in (2, False) for name in guards)


def test_the_unit_lets_no_packet_out_and_runs_as_nobody_of_the_line() -> None:
    text = UNIT.read_text(encoding="utf-8")
    for line in ("User=okng-kiosk", "Group=okng-kiosk", "IPAddressDeny=any", "IPAddressAllow=localhost", "Type=notify"):
        assert f"\n{line}\n" in text
    assert "Group=okng\n" not in text
    assert "-/var/lib/okng" in text
    users = (KIOSK / "okng-kiosk.sysusers.conf").read_text(encoding="utf-8")
    assert "u okng-kiosk " in users
    assert "m okng-kiosk okng\n" not in users


def test_weston_shows_one_window_and_leads_to_no_login() -> None:
    found = ini("weston.ini")
    assert found["core"]["shell"] == "kiosk-shell.so"
    assert found["core"]["idle-time"] == "0"
    assert found["keyboard"]["vt-switching"] == "false"
    assert found["autolaunch"]["path"] == "/usr/lib/okng/kiosk/browser"
    assert found["autolaunch"]["watch"] == "true"


def test_the_browser_keeps_its_sandbox() -> None:
    script = (KIOSK / "browser").read_text(encoding="utf-8")
    assert "--no-sandbox" not in script
    assert "--kiosk" in script
    assert os.access(KIOSK / "browser", os.X_OK)
    assert subprocess.run(["sh", "-n", str(KIOSK / "browser")], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="needs udevadm")
def test_the_udev_rules_are_read() -> None:
    help_text = subprocess.run(["udevadm", "verify", "--help"], check=False, capture_output=True, text=True)
    if help_text.returncode != 0:
        pytest.skip("udevadm of this Debian cannot verify rules")
    rules = str(KIOSK / "70-okng-kiosk.rules")
    assert subprocess.run(["udevadm", "verify", rules], check=False).returncode == 0


class Page(http.server.BaseHTTPRequestHandler):
    """Stands in for the web process; remembers who asked."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("User-Agent", "")))  # type: ignore[attr-defined]
        script = b"onresize = onload = () => fetch('/drawn?' + innerWidth + 'x' + innerHeight)"
        body = b"<!doctype html><title>okng</title><script>" + script + b"</script>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.ui
@pytest.mark.timeout(120)
def test_weston_starts_the_browser_and_it_fills_the_screen(
    tmp_path: Path, page: http.server.ThreadingHTTPServer
) -> None:
    """With weston's headless backend, so that it needs no graphics card."""
    needs("weston", "weston")
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    found = ini("weston.ini")
    found["autolaunch"]["path"] = str(KIOSK / "browser")
    with (tmp_path / "weston.ini").open("w", encoding="utf-8") as file:
        found.write(file, space_around_delimiters=False)
    # In a container Chromium's sandbox cannot be; on a box it stays.
    flags = "--no-sandbox --disable-gpu --disable-dev-shm-usage"
    given = {"XDG_RUNTIME_DIR": str(runtime), "OKNG_PORT": str(page.server_port), "OKNG_CHROMIUM": flags}
    command = ["weston", "--backend=headless-backend.so", "--width=1280", "--height=800", "--use-pixman"]
    command += [f"--config={tmp_path / 'weston.ini'}", f"--log={tmp_path / 'weston.log'}"]
    home = {"HOME": str(tmp_path), "USER": pwd.getpwuid(os.geteuid()).pw_name}
    weston = subprocess.Popen(command, env={**os.environ, **home, **given})
    try:
        until = time.monotonic() + 90
        drawn: list[str] = []
        while "/drawn?1280x800" not in drawn and time.monotonic() < until:
            assert weston.poll() is None, (tmp_path / "weston.log").read_text(encoding="utf-8")[-2000:]
            time.sleep(0.2)
            drawn = [path for path, _ in page.asked if path.startswith("/drawn")]  # type: ignore[attr-defined]
        assert drawn[-1:] == ["/drawn?1280x800"]  # the first may be drawn before the window fills the screen
    finally:
        weston.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            weston.wait(timeout=10)
        weston.kill()
