"""The line in real time: three processes, real Modbus TCP, a box that is not ours."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from okng.simline.judge import Judgement, judge, read_log
from okng.simline.mishaps import Mishap, offset_of
from okng.simline.plan import SPOILT_KINDS, BadPlan, parse_plan, read_plan

pytestmark = pytest.mark.line
FAST = {"speed_mm_s": 1000.0, "part_length_mm": 30.0, "pitch_mm": 50.0, "eye_to_gate_mm": 500.0, "commit_mm": 70.0}


def start(plan: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "okng.simline.line", str(plan)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=plan.parent,
    )


def judged(tmp_path: Path, ledger: list[dict[str, Any]]) -> Judgement:
    return judge(read_log(tmp_path / "out" / "world.jsonl"), read_log(tmp_path / "out" / "plc.jsonl"), ledger)


def test_a_run_ends_by_itself_and_adds_up(tmp_path: Path, core: Any, modbus_box: Any, write_plan: Any) -> None:
    box = modbus_box(core(answer=lambda part: ("NG" if part % 5 == 0 else "OK", 0.02)))
    line = start(write_plan(count=60, modbus={"port": box.port}, belt=FAST, source={"kind": "rendered", "pool": 3}))
    said, complaints = line.communicate(timeout=50)
    assert (line.returncode, complaints) == (0, "")
    progress = [json.loads(each) for each in said.splitlines()]
    assert progress[-1]["state"] == "done"
    assert progress[-1]["parts"] == progress[-1]["of"] == progress[-1]["hit"] + progress[-1]["passed"] == 60
    assert {"preparing", "running"} <= {each["state"] for each in progress} | {"preparing"}
    found = judged(tmp_path, box.core.ledger)
    assert found.parts == 60
    # A starved test machine may cost yield (a late OK), and nothing else.
    assert found.passed_without_ok == found.reject_not_hit == found.off_leading_edge == found.neighbour_touched == 0
    assert found.no_disposition == found.two_dispositions == found.unseen == found.window_cut == 0
    assert found.passed + found.ok_but_hit >= 40


def test_a_metered_line_goes_as_fast_as_the_box_takes_parts_and_misses_none(
    tmp_path: Path, core: Any, modbus_box: Any, write_plan: Any
) -> None:
    """The belt alone would bring 40 parts a second; the box takes 20."""
    box = modbus_box(core(exposure_s=0.05))
    quick = FAST | {"speed_mm_s": 2000.0, "eye_to_gate_mm": 1000.0, "commit_mm": 300.0}
    line = start(write_plan(count=60, modbus={"port": box.port}, belt=quick, metered=4, prompt=True, scan_ms=2.0))
    said, complaints = line.communicate(timeout=50)
    assert (line.returncode, complaints) == (0, "")
    assert json.loads(said.splitlines()[-1])["parts"] == 60
    assert box.core.parts == list(range(1, 61))
    assert box.core.missed == 0
    found = judged(tmp_path, box.core.ledger)
    assert found.passed_without_ok == found.no_disposition == found.two_dispositions == found.unseen == 0
    assert found.passed >= 40


def test_a_metered_line_stands_while_it_is_told_to(core: Any, modbus_box: Any, write_plan: Any) -> None:
    box = modbus_box(core())
    line = start(write_plan(count=400, modbus={"port": box.port}, belt=FAST, metered=4))
    assert line.stdout is not None
    try:
        while json.loads(line.stdout.readline())["parts"] < 5:
            pass
        line.send_signal(signal.SIGUSR1)
        time.sleep(1.0)
        stood = len(box.core.parts)
        time.sleep(1.0)
        assert len(box.core.parts) == stood < 100
        line.send_signal(signal.SIGUSR2)
        time.sleep(1.5)
        assert len(box.core.parts) > stood
    finally:
        line.terminate()
        line.communicate(timeout=30)
    assert line.returncode == 0


def test_line0_is_pulsed_for_every_part_and_faults_reach_the_scene(
    tmp_path: Path, core: Any, modbus_box: Any, write_plan: Any
) -> None:
    box = modbus_box(core())
    faults = {"percent": 100.0, "kinds": ["drop", *SPOILT_KINDS]}
    places = [128, *(offset_of(Mishap(kind)) for kind in SPOILT_KINDS)]
    plan = write_plan(count=20, modbus={"port": box.port}, belt=FAST, trigger="line0", faults=faults)
    (tmp_path / "scenes").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as camera:
        camera.bind(str(tmp_path / "scenes" / "SN0000.line0"))
        camera.settimeout(30)
        line = start(plan)
        dropped = ids = 0
        for pulse in range(20):
            assert camera.recv(16)
            found = (tmp_path / "scenes" / "SN0000.scene").read_bytes()
            ids += struct.unpack_from("<Q", found, 56) == (pulse + 1,)
            dropped += sum(struct.unpack_from("<I", found, at)[0] for at in places)
        assert line.wait(30) == 0
        line.communicate()
    assert ids >= 15, "the picture is there before the pulse; a slow reader may see the next one"
    assert dropped >= 15
    left = (tmp_path / "scenes" / "SN0000.scene").read_bytes()
    assert left[128:152] == bytes(24), "faults end with the run"
    assert not any(struct.unpack_from("<I", left, at)[0] for at in places)


def test_a_box_that_is_killed_and_comes_back(tmp_path: Path, core: Any, modbus_box: Any, write_plan: Any) -> None:
    box = modbus_box(core(answer=lambda part: ("NG" if part % 5 == 0 else "OK", 0.02)))
    line = start(write_plan(count=70, modbus={"port": box.port}, belt=FAST))
    end = time.monotonic() + 30
    while len(box.core.parts) < 20 and time.monotonic() < end:
        time.sleep(0.01)
    box.stop()
    time.sleep(0.4)
    box.start()
    _, complaints = line.communicate(timeout=50)
    assert (line.returncode, complaints) == (0, "")
    found = judged(tmp_path, box.core.ledger)
    assert found.passed_without_ok == found.reject_not_hit == found.neighbour_touched == found.two_dispositions == 0
    assert found.untriggered > 0
    assert box.core.parts[-1] == 70, "it is asked again"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(
    tmp_path: Path, core: Any, modbus_box: Any, write_plan: Any, number: signal.Signals
) -> None:
    box = modbus_box(core())
    line = start(write_plan(count=100_000, modbus={"port": box.port}, belt=FAST))
    end = time.monotonic() + 30
    while len(box.core.parts) < 5 and time.monotonic() < end:
        time.sleep(0.01)
    line.send_signal(number)
    said, complaints = line.communicate(timeout=20)
    assert (line.returncode, complaints) == (0, "")
    assert json.loads(said.splitlines()[-1])["state"] == "stopped"
    world = read_log(tmp_path / "out" / "world.jsonl")
    assert world[-1]["kind"] == "end"
    assert world[-1]["finished"] is False
    assert read_log(tmp_path / "out" / "plc.jsonl")[-1]["kind"] == "end"
    assert judged(tmp_path, box.core.ledger).passed_without_ok == 0


def children_of(parent: int) -> list[int]:
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                fields = (each / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(each.name))
    return found


def test_world_and_plc_die_with_their_parent(core: Any, modbus_box: Any, write_plan: Any) -> None:
    box = modbus_box(core())
    line = start(write_plan(count=100_000, modbus={"port": box.port}, belt=FAST))
    end = time.monotonic() + 30
    while len(box.core.parts) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    children = children_of(line.pid)
    assert len(children) == 2
    line.kill()
    line.communicate(timeout=10)
    end = time.monotonic() + 10
    while any(Path(f"/proc/{each}").exists() for each in children) and time.monotonic() < end:
        time.sleep(0.02)
    assert not [each for each in children if Path(f"/proc/{each}").exists() and os.getpgid(each)]


def test_without_a_box_it_says_so_and_fails(write_plan: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = start(write_plan(modbus={"port": port}, wait_ready_s=0.5))
    said, _ = line.communicate(timeout=40)
    last = json.loads(said.splitlines()[-1])
    assert line.returncode == 1
    assert last["state"] == "failed"
    assert f"127.0.0.1:{port} was not READY in 0.5 s (no_link)" in last["why"]


def test_a_folder_without_pictures_fails_by_name(tmp_path: Path, write_plan: Any) -> None:
    line = start(write_plan(count=None, source={"kind": "folder", "folder": str(tmp_path / "nowhere")}))
    said, complaints = line.communicate(timeout=40)
    assert line.returncode == 78
    assert "nowhere" in complaints
    assert json.loads(said.splitlines()[-1])["state"] == "failed"


# -- the plan ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"speed": 3}, "speed: unknown key, expected one of out, scenes"),
        ({"belt": {"speed_mm_s": 7000}}, "belt.speed_mm_s = 7000.0: expected 10.0..6000.0 mm/s"),
        ({"belt": {"profil": "steady"}}, "belt.profil: unknown key"),
        ({"trigger": "radio"}, "trigger = 'radio': expected one of software, line0"),
        ({"seed": "x"}, "seed = 'x': expected int"),
        ({"seed": True}, "seed = True: expected int"),
        ({"belt": {"speed_mm_s": float("nan")}}, "belt.speed_mm_s = nan: expected float"),
        ({"count": None}, "count = null"),
        ({"count": 0}, "count = 0"),
        ({"source": {"kind": "folder"}}, "source.folder = null"),
        ({"source": 7}, "source = 7: expected an object"),
        ({"belt": {"pitch_mm": 42.0, "part_length_mm": 40.0}}, "belt.pitch_mm = 42.0: expected at least 53"),
        ({"belt": {"commit_mm": 10.0}}, "belt.commit_mm = 10.0: expected at least"),
        ({"belt": {"eye_to_gate_mm": 40.0}}, "belt.eye_to_gate_mm = 40.0: expected above commit_mm"),
        ({"faults": {"kinds": ["fire"]}}, "faults.kinds = ['fire']"),
        ({"faults": {"kinds": 3}}, "faults.kinds = 3: expected a list of words"),
    ],
)
def test_a_bad_plan_says_key_value_and_what_was_expected(
    make_plan: Callable[..., dict[str, Any]], over: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadPlan) as caught:
        parse_plan(make_plan(**over))
    assert said in str(caught.value)


def test_all_complaints_come_at_once(make_plan: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(BadPlan) as caught:
        parse_plan(make_plan(seed=-1, scan_ms=0, nonsense=1))
    assert all(each in str(caught.value) for each in ("seed = -1", "scan_ms = 0.0", "nonsense"))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{")
    for name, said in (("p.json", "not JSON"), ("q.json", "No such file")):
        with pytest.raises(BadPlan, match=said) as caught:
            read_plan(tmp_path / name)
        assert name in str(caught.value)
    line = start(tmp_path / "p.json")
    assert "p.json: not JSON" in line.communicate(timeout=30)[1]
    assert line.returncode == 78
