"""The whole line in real time: simulated camera through real GenTL, real Modbus, real processes, judged from outside.

These are the short forms; `make proof` runs 10,000 parts with 2 % faults and 20 kills of each process.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from okng.records.read import LedgerReader

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
pytestmark = [pytest.mark.line, pytest.mark.timeout(420)]


def demo(out: Path, *asked: str, expect: int = 0) -> dict[str, Any]:
    """Run `okng demo --headless` and return its JSON."""
    results = out.parent / "out.json"
    command = [
        sys.executable,
        "-m",
        "okng",
        "demo",
        "--headless",
        "--port",
        "0",
        "--out",
        str(out),
        "--json",
        str(results),
    ]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, timeout=400, check=False)
    log = out / "okng.log"
    assert done.returncode == expect, (
        done.stdout[-3000:] + done.stderr[-3000:] + (log.read_text(encoding="utf-8")[-3000:] if log.exists() else "")
    )
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


def zeros(found: dict[str, Any]) -> None:
    assert found["gate"] == {"passed_without_ok": 0, "ok_but_hit": 0, "no_disposition": 0, "two_dispositions": 0}
    assert found["judge"]["clean"], found["judge"]
    assert found["balanced"], found["ledger"]["problems"]
    assert found["parts"] == found["ok"] + found["ng"] + found["unjudged"]


def test_a_steady_line_passes_good_parts_and_balances(tmp_path: Path) -> None:
    found = demo(tmp_path / "out", "--count", "120", "--rate", "8", "--size", "128")
    zeros(found)
    assert found["parts"] == 120
    assert found["ok"] > 60  # rejecting everything would be safe, and useless
    assert found["unjudged"] <= 40  # a busy machine is late now and then, and rejects
    for stage in ("trigger_to_frame", "frame_to_verdict", "trigger_to_register", "plc_trigger_to_ok"):
        assert found["latency_ms"][stage]["n"] > 60
        assert 0 < found["latency_ms"][stage]["p50"] < 400
    check = subprocess.run(
        [sys.executable, "-m", "okng", "ledger", "check", "--settings", str(tmp_path / "out" / "okng.toml"), "--full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (check.returncode, check.stdout.splitlines()[-1]) == (0, "ledger balanced")


def test_speed_changes_stops_faults_and_kills_leave_the_zeros(tmp_path: Path) -> None:
    found = demo(
        tmp_path / "out",
        *(
            "--count",
            "300",
            "--rate",
            "10",
            "--size",
            "128",
            "--faults",
            "4",
            "--varying",
            "--kills",
            "1",
            "--port",
            "0",
        ),
    )
    zeros(found)
    assert found["ok"] > 60


def test_two_cameras_of_different_sizes_see_each_part_and_one_of_them_fails(tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ("--cameras", "2", "--count", "260", "--rate", "7", "--size", "128", "--faults", "6", "--kills", "1")
    found = demo(out, *asked)
    zeros(found)
    assert found["ok"] > 40
    reader = LedgerReader(out / "store")
    rows = reader.rows(300)
    judged = [row for row in rows if row.outcome in ("OK", "NG")]
    assert len(judged) > 60
    two = [row for row in rows if {view.camera for view in row.views} | {row.camera} >= {"top", "side"}]
    assert len(two) > 40, "both views of a part are known"
    kept = [view.picture for row in rows for view in row.views if view.picture]
    assert kept
    assert all((out / "store" / picture).is_file() for picture in kept)
    sizes = {(row.camera, row.width, row.height) for row in rows if row.width}
    sizes |= {(view.camera, view.width, view.height) for row in rows for view in row.views if view.width}
    assert sizes == {("top", 320, 320), ("side", 160, 160)}


@pytest.mark.data
def test_real_pictures_of_an_easy_set_are_told_apart(tmp_path: Path) -> None:
    folder = DATA / "mvtec_bottle"
    if not folder.exists():
        pytest.skip(f"{folder} is not here: the real pictures are not part of this repository")
    found = demo(tmp_path / "out", "--parts", str(folder), "--rate", "6", "--size", "192")
    zeros(found)
    assert found["parts"] == 83
    assert found["auroc"] > 0.97
    assert found["escape"]["n"] == 63


def test_ctrl_c_stops_everything_and_prints_the_balance(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "okng",
        "demo",
        "--headless",
        "--port",
        "0",
        "--out",
        str(out),
        "--count",
        "100000",
    ]
    child = subprocess.Popen(
        [*command, "--rate", "8", "--size", "128"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        end = time.monotonic() + 180
        assert child.stdout is not None
        for line in child.stdout:
            if "first verdict" in line:
                break
            assert time.monotonic() < end
        time.sleep(3)
        os.kill(child.pid, signal.SIGINT)
        rest, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 0, rest
    assert "ledger balanced" in rest
    left = subprocess.run(["pgrep", "-f", str(out)], capture_output=True, text=True, check=False)
    assert left.stdout == "", "processes of the demo are left over"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--parts", "{empty}"), "empty/train/good: no such folder, expected pictures in MVTec layout"),
        (("--parts", "{broken}"), "bad.png"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, asked: tuple[str, str], said: str) -> None:
    empty, broken = tmp_path / "empty", tmp_path / "broken"
    empty.mkdir()
    for part in ("train/good", "test/good"):
        (broken / part).mkdir(parents=True)
        (broken / part / "bad.png").write_bytes(b"not a picture")
    option, value = asked
    command = [sys.executable, "-m", "okng", "demo", "--headless", "--port", "0", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, option, value.format(empty=empty, broken=broken)], capture_output=True, text=True, check=False
    )
    assert done.returncode not in (0, 1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "okng", "demo", "--headless", "--port", str(port), "--out", str(tmp_path / "out")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 78
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
