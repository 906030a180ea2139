"""`okng train` as a person runs it: killed, stopped, over two processes, and where torch is not there."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from okng.bus.errors import BadSettings
from okng.models.bundle import open_bundle
from okng.training.supervised.options import OWN_BACKBONE

HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed: make test-train")
TRAIN = ("train", "--task", "classification", "--size", "96", "--threads", "1", "--keep")


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """End what a test that failed left behind."""
    yield
    while STARTED:
        process = STARTED.pop()
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def okng(*arguments: str | Path, launcher: tuple[str, ...] = ("-m",)) -> subprocess.Popen[str]:
    command = [sys.executable, *launcher, "okng", *map(str, arguments)]
    # Without the second, workers that are started again read the addresses of the attempt that died.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    STARTED.append(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    )
    return STARTED[-1]


def done(process: subprocess.Popen[str], code: int = 0) -> str:
    out, err = process.communicate(timeout=280)
    assert process.returncode == code, err[-3000:]
    return out + err


def state(work: Path) -> dict[str, object]:
    import torch

    loaded: dict[str, object] = torch.load(work / "checkpoint.pt", weights_only=True)
    return loaded


def wait_for_epoch(work: Path, epoch: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 200
    while time.monotonic() < until and process.poll() is None:
        if (work / "checkpoint.pt").exists() and int(str(state(work)["epoch"])) >= epoch:
            return
        time.sleep(0.02)
    raise AssertionError(f"epoch {epoch} never came: {process.stderr and process.stderr.read()[-2000:]}")


def differences(one: dict[str, object], other: dict[str, object], which: str) -> float:
    mine, theirs = one[which], other[which]
    assert isinstance(mine, dict)
    assert isinstance(theirs, dict)
    return max(float((value.double() - theirs[name].double()).abs().max()) for name, value in mine.items())


@pytest.mark.train
@needs_torch
@pytest.mark.timeout(900)
def test_after_a_kill_it_goes_on_and_ends_as_if_nothing_had_been(plates_folder: Path, tmp_path: Path) -> None:
    asked = (*TRAIN, "--epochs", "8", plates_folder)
    whole = done(okng(*asked, "--out", tmp_path / "whole"))
    assert "8 epochs; all 8 epochs are done" in whole
    process = okng(*asked, "--out", tmp_path / "cut")
    wait_for_epoch(tmp_path / "cut.training", 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.training", "whole", "whole.training"]
    before = state(tmp_path / "cut.training")
    assert 2 <= int(str(before["epoch"])) < 8
    assert f"8 epochs, {before['epoch']} of them before" in done(okng(*asked, "--out", tmp_path / "cut"))
    one, other = (state(tmp_path / f"{name}.training") for name in ("whole", "cut"))
    assert differences(one, other, "net") <= 1e-6
    assert differences(one, other, "best") <= 1e-6
    models = [open_bundle(tmp_path / name).model for name in ("whole", "cut")]
    assert models[0] == models[1]


@pytest.mark.train
@needs_torch
@pytest.mark.timeout(900)
def test_two_processes_learn_what_one_learns(plates_folder: Path, tmp_path: Path) -> None:
    for task in ("classification", "detection"):
        asked = (*TRAIN, "--task", task, "--epochs", "2", "--rate", "0.0005", "--device", "cpu", plates_folder)
        done(okng(*asked, "--out", tmp_path / task))
        launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
        done(okng(*asked, "--out", tmp_path / f"{task}-two", launcher=launcher))
        one, two = (state(tmp_path / f"{name}.training") for name in (task, f"{task}-two"))
        assert differences(one, two, "net") < 2e-4
        open_bundle(tmp_path / f"{task}-two")


@pytest.mark.train
@needs_torch
def test_more_processes_than_gpus_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from okng.training.supervised.options import options_of
    from okng.training.supervised.ranks import joined

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(BadSettings, match=r"1 GPU\(s\).*--nproc-per-node=1 at most, or --device cpu"):
        joined(options_of(task="detection")).__enter__()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.train
@needs_torch
@pytest.mark.skipif(not os.environ.get("OKNG_FLEET"), reason="two hosts take minutes: OKNG_FLEET=1 make test-train")
@pytest.mark.timeout(900)
def test_two_hosts_learn_what_one_learns_though_one_of_them_dies(plates_folder: Path, tmp_path: Path) -> None:
    """Two launchers meet at an address as on two machines; a process of one is killed: both begin again together at the
    last whole epoch, and end with the weights that an unbroken run ends with."""
    asked = (*TRAIN, "--task", "classification", "--epochs", "5", "--rate", "0.0005", "--device", "cpu", plates_folder)
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    def hosts(out: Path, port: int) -> list[subprocess.Popen[str]]:
        launcher = (
            *("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--max-restarts=3"),
            *("--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=plates", "-m"),
        )
        return [okng(*asked, "--out", out, launcher=launcher) for _ in range(2)]

    for host in hosts(whole, free_port()):
        done(host)
    both = hosts(broken, free_port())
    wait_for_epoch(tmp_path / "broken.training", 2, both[0])
    workers = psutil.Process(both[1].pid).children()
    assert workers, "the second host has no process to kill"
    workers[0].kill()
    for host in both:
        done(host)
    assert differences(state(tmp_path / "whole.training"), state(tmp_path / "broken.training"), "net") == 0.0
    open_bundle(broken)


@pytest.mark.train
@needs_torch
@pytest.mark.timeout(400)
def test_ctrl_c_leaves_a_checkpoint_and_says_so(plates_folder: Path, tmp_path: Path) -> None:
    # What a shell starts in the background ignores Ctrl-C, and its children with it: this one must not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = okng(*TRAIN, "--epochs", "500", plates_folder, "--out", tmp_path / "plate")
    signal.signal(signal.SIGINT, before)
    wait_for_epoch(tmp_path / "plate.training", 1, process)
    process.send_signal(signal.SIGINT)
    said = done(process, 1)
    assert "stopped: no bundle was made; the same command goes on from" in said
    assert [path.name for path in tmp_path.iterdir()] == ["plate.training"]


@pytest.mark.train
@needs_torch
@pytest.mark.timeout(400)
def test_what_cannot_be_is_refused_in_words(plates_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "plate"
    for more, said in (
        (("--backbone", "resnet9000"), "backbone = 'resnet9000'"),
        (("--device", "cuda"), "torch sees no GPU"),
        (("--size", "100"), "size_px"),
    ):
        if "cuda" in more and Path("/dev/nvidia0").exists():
            continue
        assert said in done(okng(*TRAIN, *more, plates_folder, "--out", out), 78)
        assert not out.exists()


@pytest.mark.train
@needs_torch
@pytest.mark.timeout(400)
def test_a_foreign_backbone_and_its_weights_are_named_by_digest_only(plates_folder: Path, tmp_path: Path) -> None:
    import torch
    import torchvision

    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "secret-place.pt")
    asked = ("--backbone", "resnet18", "--weights", tmp_path / "secret-place.pt", "--epochs", "1", "--batch", "40")
    done(okng(*TRAIN, *asked, plates_folder, "--out", tmp_path / "plate"))
    bundle = open_bundle(tmp_path / "plate")
    told = json.dumps(bundle.report) + bundle.manifest.model_dump_json()
    assert "secret-place" not in told
    assert len(str(bundle.manifest.train["weights_sha256"])) == 64


@pytest.mark.skipif(HAS_TORCH, reason="torch is installed here")
def test_without_torch_it_says_what_to_install(plates_folder: Path, tmp_path: Path) -> None:
    said = done(okng("train", "--task", "detection", plates_folder, "--out", tmp_path / "plate"), 78)
    assert "torch is not installed: pip install 'okng[train]'" in said
    assert OWN_BACKBONE in done(okng("train", "--help"))
