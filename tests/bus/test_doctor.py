"""The doctor's look at the host: what is well, what is worse than it could be, what is broken."""

import importlib.metadata
import os
import resource
from pathlib import Path

import pytest

from okng.bus import clock, doctor
from okng.bus.doctor import Finding


def test_this_host_is_looked_at_whole_and_left_as_it_was(tmp_path: Path) -> None:
    scheduler = os.sched_getscheduler(0)
    found = doctor.host_findings(tmp_path / "run", tmp_path / "store")
    assert [f.name for f in found] == [
        "python", "cores", "memory", "disk", "disk speed", "run folder", "clock", "punctuality", "model runtime",
    ]  # fmt: skip
    assert all(f.found for f in found)
    assert all(f.advice for f in found if f.ok is not True)
    assert not any(f.advice for f in found if f.ok)
    assert list(tmp_path.iterdir()) == []
    assert os.sched_getscheduler(0) == scheduler


def test_a_store_nobody_can_write_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    (found,) = doctor.disk_findings(tmp_path / "store")
    assert found.ok is False
    assert "okng-records" in found.advice
    assert doctor.run_dir_finding(tmp_path / "run").ok is False


def test_a_store_that_is_a_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert doctor.disk_findings(tmp_path / "file" / "store")[0].ok is False


@pytest.mark.parametrize(("free_mb", "ok"), [(5_000, True), (1_000, None), (10, False)])
def test_a_full_disk_is_told(free_mb: int, ok: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = os.statvfs_result((4096, 1_000_000, 10**6, 10**6, free_mb, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    found = doctor.disk_findings(tmp_path)[0]
    assert (found.ok, f"{free_mb} MB free" in found.found) == (ok, True)


def test_a_disk_that_refuses_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    found = doctor.fsync_finding(tmp_path)
    assert found.ok is False
    assert "Input/output error" in found.found


def test_a_slow_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 10**12, 80 * clock.MS))
    monkeypatch.setattr(doctor, "now_ns", lambda: next(ticks))
    found = doctor.fsync_finding(tmp_path)
    assert (found.ok, "SSD" in found.advice) == (None, True)


def test_the_filesystem_is_that_of_the_nearest_mount() -> None:
    mounts = "overlay / overlay rw 0 0\ntmpfs /run tmpfs rw 0 0\ndisk /run/a\\040b ext4 rw 0 0\n"
    assert doctor._filesystem(Path("/run/okng"), mounts) == "tmpfs"
    assert doctor._filesystem(Path("/run/a b/c"), mounts) == "ext4"
    assert doctor._filesystem(Path("/srv"), mounts) == "overlay"
    assert doctor._filesystem(Path("/srv"), "") == "unknown"


def test_a_user_without_rights_is_told_and_nothing_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (8_000_000, 8_000_000))
    found = doctor.realtime_finding()
    assert found.ok is None
    assert found.found == "not allowed: real-time priority, locked memory"


@pytest.mark.parametrize(
    ("installed", "ok"), [(("onnxruntime",), True), (("onnxruntime-gpu",), True), ((), False), (doctor.RUNTIMES, False)]
)
def test_one_runtime_and_not_two(installed: tuple[str, ...], ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.32.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = doctor.runtime_finding()
    assert found.ok is ok
    assert isinstance(found, Finding)
