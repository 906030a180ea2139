"""`okng fleet enrol | status | resume` and `okng sync --watch` on a box, by its settings, as a person at a console."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .box_side import BoxSide, box_side
from .fault_proxy import kind
from .fleet_service import FleetService, fleet_service

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def service() -> Iterator[FleetService]:
    """The fleet service."""
    with fleet_service("") as found:
        yield found


@pytest.fixture
def box(service: FleetService) -> Iterator[BoxSide]:
    """A box with a settings file, that nobody has let in."""
    service.proxy.fate = kind
    with box_side(service) as made:
        (made.folder / "recipe.yaml").write_text("name: cap\n")
        (made.folder / "okng.toml").write_text(
            f'recipe = "recipe.yaml"\n[box]\nname = "box7"\nrun_dir = "{made.run_dir}"\n'
            '[camera.top]\nserial = "SN1"\nproducer = "p.cti"\n[records]\nstore = "store"\n'
            f'[fleet]\nservice = "{service.proxy.url}"\nca = "{service.ca}"\nline = "west"\nevery_s = 1\n'
        )
        yield made


def okng(box: BoxSide, *words: str, log: int = subprocess.STDOUT) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "okng", *words, "--settings", str(box.folder / "okng.toml")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)


def said(box: BoxSide, *words: str) -> tuple[int, str]:
    process = okng(box, *words)
    out, _ = process.communicate(timeout=60)
    return process.returncode, out


def test_a_box_joins_at_the_console_and_tells_how_it_stands(box: BoxSide, service: FleetService) -> None:
    code, out = said(box, "fleet", "status")
    assert (code, "state      none" in out) == (1, True), out
    joining = okng(box, "fleet", "enrol", "--wait", "60", log=subprocess.DEVNULL)
    assert joining.stdout is not None
    lines = [joining.stdout.readline() for _ in range(2)]
    typed = re.fullmatch(r"code +([2-9A-Z]{4}-[2-9A-Z]{4})\n", lines[0])
    print_ = re.fullmatch(r"fingerprint +([0-9a-f ]{79})\n", lines[1])
    assert typed, lines
    assert print_, lines
    name = service.approve(typed[1], print_[1].replace(" ", ""), "box7")
    out, _ = joining.communicate(timeout=60)
    assert joining.returncode == 0, out
    assert f"enrolled as {name} until" in out
    box.box = name
    box.happen(5)
    process = okng(box, "sync", "--watch", log=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while service.parts(name) < 5:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)
        while (found := said(box, "fleet", "status", "--json"))[0]:
            assert time.monotonic() < end, found
        told = json.loads(found[1])
        assert told["enrolment"]["box"] == name
        assert (told["name"], told["line"], told["leaves"]) == ("box7", "west", "records")
        code, out = said(box, "fleet", "resume", "records", "1", "--reason", "test")
        assert code != 0
        assert "does not stand still" in out
        begun = time.monotonic()
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - begun < 10
    finally:
        process.kill()
        process.communicate()
    code, out = said(box, "fleet", "status")
    assert (code, "does not run" in out) == (1, True), out


def test_without_its_section_it_says_what_is_missing(box: BoxSide) -> None:
    file = box.folder / "okng.toml"
    file.write_text(file.read_text().partition("[fleet]")[0])
    code, out = said(box, "fleet", "enrol")
    assert code != 0
    assert "[fleet]: missing" in out
    assert str(Path(file)) in out
