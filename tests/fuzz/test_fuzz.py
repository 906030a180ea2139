"""Every parser of bytes from outside, for a few seconds; `make fuzz` takes an hour for each.

A finding prints a line of Python that does it again. `OKNG_FUZZ_S`: seconds for each.
"""

import os
import subprocess
import sys

import pytest

from okng.tests.fuzz import harness

SECONDS = int(os.environ.get("OKNG_FUZZ_S", "2"))


@pytest.mark.parametrize("name", harness.names())
def test_nothing_but_refusals(name: str) -> None:
    command = [sys.executable, "-m", "okng.tests.fuzz.harness", name, "--seconds", str(SECONDS), "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 45, check=False, errors="replace")
    said = done.stdout + done.stderr
    told = [line for line in said.splitlines() if line.startswith(("reproduce:", "too slow"))]
    assert done.returncode == 0, "\n".join([*told, said[-3000:]])


@pytest.mark.parametrize("name", ["gentl", "messages"])
def test_the_blind_way_runs_too(name: str) -> None:
    command = [sys.executable, "-m", "okng.tests.fuzz.harness", name, "--seconds", "1", "--blind"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "blind mutation" in done.stdout


@pytest.mark.parametrize("more", [[], ["--blind"]])
def test_a_finding_is_one(more: list[str]) -> None:
    """A parser that is broken on purpose is found, and its bytes are printed."""
    code = (
        "from okng.tests.fuzz import fuzz_messages, harness\n"
        "def decode(frames):\n if frames[1][:1] == b'\\x91': raise KeyError('broken on purpose')\n raise ValueError\n"
        "import sys, importlib\n"
        "real = harness.module_of\n"
        "def module_of(name):\n found = real(name)\n found.decode = decode\n return found\n"
        "harness.module_of = module_of\n"
        f"sys.argv = ['fuzz', 'messages', '--seconds', '20', *{more!r}]\n"
        "harness.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == harness.FOUND, done.stdout + done.stderr
    assert "reproduce: from okng.tests.fuzz import fuzz_messages" in done.stdout
