"""What a process leaves when it breaks: stacks and last words, kept over restarts, bounded."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from okng.bus.stacks import KEPT, MOST_BYTES, dumps, stacks_folder

START = """
import logging, os, pathlib, signal, sys, threading, time
from okng.bus.stacks import keep_stacks, last_words
keep_stacks(pathlib.Path(sys.argv[1]), sys.argv[2])
def spinning_in_the_camera():
    time.sleep(60)
threading.Thread(target=spinning_in_the_camera, daemon=True).start()
def waiting_for_the_disk():
    print('up', flush=True)
    time.sleep(60)
"""
BREAKS = {
    "error": "raise ValueError('the lamp is gone')",
    "thread": "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); os._exit(1)",
    "caught": "\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('outermost frame')\nos._exit(1)",
    "refused": "last_words('okng: recipe.yaml: limit: missing'); os._exit(78)",
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
}


def started(run_dir: Path, name: str, then: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", START + then, str(run_dir), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def ended(run_dir: Path, name: str, then: str) -> int:
    process = started(run_dir, name, then)
    process.communicate(timeout=30)
    return process.returncode


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("error", "the lamp is gone"),
        ("thread", "ZeroDivisionError"),
        ("caught", "outermost frame"),
        ("refused", "limit: missing"),
        ("crash", "Segmentation fault"),
    ],
)
def test_every_end_leaves_words(tmp_path: Path, how: str, words: str) -> None:
    assert ended(tmp_path, "inspect", BREAKS[how]) != 0
    (left,) = dumps(tmp_path, "inspect")
    assert words in left.text
    assert "Traceback" in left.text or "Fatal" in left.text or how == "refused"


def test_a_watchdog_leaves_the_stacks_of_all_threads_and_a_signal_asks_for_them(tmp_path: Path) -> None:
    process = started(tmp_path, "camera-top", "waiting_for_the_disk()")
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGUSR1)
    end = time.monotonic() + 20
    while not dumps(tmp_path) and time.monotonic() < end:
        time.sleep(0.01)
    assert process.poll() is None
    assert "waiting_for_the_disk" in dumps(tmp_path)[0].text
    process.send_signal(signal.SIGABRT)
    process.communicate(timeout=30)
    (left,) = dumps(tmp_path, "camera-top")
    assert left.pid == process.pid
    for words in ("Aborted", "spinning_in_the_camera", "waiting_for_the_disk"):
        assert words in left.text
    assert left.text.count("waiting_for_the_disk") == 2, "asked for, and aborted"


def test_the_last_runs_that_said_something_are_kept_and_quiet_ones_go(tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        ended(tmp_path, "web", f"raise ValueError('end number {number}')")
        ended(tmp_path, "web", "os._exit(0)")
    ended(tmp_path, "web-2", "raise ValueError('somebody else')")
    texts = [dump.text for dump in dumps(tmp_path, "web")]
    assert [f"end number {KEPT + 1 - at}" in text for at, text in enumerate(texts)] == [True] * len(texts)
    assert KEPT - 1 <= len(texts) <= KEPT
    assert len(list(stacks_folder(tmp_path).glob("web.*"))) <= KEPT + 1
    assert len(dumps(tmp_path)) == len(texts) + 1


def test_words_are_bounded(tmp_path: Path) -> None:
    ended(tmp_path, "io", "for _ in range(3): last_words('x' * 60_000)\nos._exit(0)")
    (left,) = dumps(tmp_path)
    assert MOST_BYTES - 10 <= len(left.text) <= MOST_BYTES


def test_a_folder_that_cannot_be_had_stops_nobody(tmp_path: Path) -> None:
    stacks_folder(tmp_path).write_text("in the way", encoding="utf-8")
    assert ended(tmp_path, "io", "os._exit(5)") == 5
    assert dumps(tmp_path) == []


def test_the_folder_is_the_groups_and_what_lies_in_it_everybodys_own(tmp_path: Path) -> None:
    ended(tmp_path, "io", "last_words('x'); os._exit(0)")
    folder = stacks_folder(tmp_path)
    assert folder.stat().st_mode & 0o7777 == 0o3770
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.stat().st_uid == os.geteuid()


def test_names_that_somebody_else_put_there_are_not_followed(tmp_path: Path) -> None:
    stacks_folder(tmp_path).mkdir()
    (tmp_path / "shadow").write_text("root:secret", encoding="ascii")
    (stacks_folder(tmp_path) / "web.1.txt").symlink_to(tmp_path / "shadow")
    (stacks_folder(tmp_path) / "web.2.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(stacks_folder(tmp_path) / "web.3.txt")
    assert dumps(tmp_path) == []
    # The name of the next process is taken already, by a link to what it may write.
    planting = "import os, pathlib, sys; name = pathlib.Path(sys.argv[1]) / 'stacks' / f'web.{os.getpid()}.txt'\n"
    planting += "name.symlink_to(pathlib.Path(sys.argv[1]) / 'shadow')\n"
    command = [sys.executable, "-c", planting + START + BREAKS["error"], str(tmp_path), "web"]
    subprocess.run(command, check=False, capture_output=True, timeout=30)
    assert (tmp_path / "shadow").read_text(encoding="ascii") == "root:secret"
    assert "the lamp is gone" in dumps(tmp_path, "web")[0].text
