"""A USB stick is mounted where the workshop looks, so that nothing on it is run, and is let go of when it is pulled."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from okng.workshop.options import WorkshopOptions

from ..records.conftest import missing

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNIT = SYSTEMD / "okng-usb@.service"
RULES = SYSTEMD / "udev" / "71-okng-usb.rules"


def values(key: str, unit: Path = UNIT) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def test_it_is_mounted_where_the_workshop_looks_and_runs_nothing() -> None:
    (mount,) = [line for line in values("ExecStart") if line.startswith("/bin/mount")]
    place = mount.split()[-1]
    assert Path(place).parent == WorkshopOptions().sticks
    options = mount.split(" -o ")[1].split()[0].split(",")
    assert {"nosuid", "nodev", "noexec", "uid=okng-workshop", "gid=okng", "dmask=0027"} <= set(options)
    (written,) = values("ReadWritePaths", SYSTEMD / "okng-workshop.service")
    assert str(WorkshopOptions().sticks) in written.split()
    others = [unit for unit in SYSTEMD.glob("okng-*.service") if "workshop" not in unit.name and unit != UNIT]
    assert not [unit.name for unit in others if "/run/media" in unit.read_text(encoding="utf-8")]


def test_it_is_let_go_of_when_it_is_pulled_out() -> None:
    assert values("BindsTo") == ["dev-%i.device"]
    assert values("ExecStop") == ["-/bin/umount --lazy /run/media/okng/%I"]


def test_the_mount_is_seen_by_others() -> None:
    """None of these may stand in the unit: each gives it a mount namespace of its own."""
    text = UNIT.read_text(encoding="utf-8")
    for key in ("Protect", "Private", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "TemporaryFileSystem"):
        assert not re.search(rf"^{key}", text, re.MULTILINE), key


def test_a_stick_is_taken_and_the_boxs_own_disk_is_not() -> None:
    text = RULES.read_text(encoding="utf-8")
    assert 'ATTRS{removable}!="1", GOTO="okng_usb_end"' in text
    assert "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" in text  # the partition a box boots from is vfat as well
    assert 'ENV{SYSTEMD_WANTS}+="okng-usb@%k.service"' in text
    assert text.rstrip().endswith('LABEL="okng_usb_end"')
    if shutil.which("udevadm") is not None:
        known = subprocess.run(["udevadm", "verify", "--help"], check=False, capture_output=True)
        if known.returncode == 0:
            assert subprocess.run(["udevadm", "verify", str(RULES)], check=False).returncode == 0


@pytest.mark.needs_root
def test_a_stick_plugged_in_later_is_seen_and_written_in_the_closed_workshop(tmp_path: Path) -> None:
    """What ProtectSystem=strict makes of ReadWritePaths, by hand: a bind in a namespace that follows the box's."""
    media = tmp_path / "media"
    (media / "sda1").mkdir(parents=True)
    script = f"""
        set -e
        mount -t tmpfs none {tmp_path}/media
        mount --make-shared {tmp_path}/media
        mkdir {media}/sda1
        unshare --mount --propagation slave sh -c '
            mount --bind {media} {media}
            mount -o remount,ro,bind {tmp_path}/media || true
            mount -o remount,rw,bind {media}
            echo ready > {tmp_path}/ready
            while [ ! -e {tmp_path}/plugged ]; do sleep 0.05; done
            echo whole > {media}/sda1/paper
            while [ ! -e {tmp_path}/pulled ]; do sleep 0.05; done
            test ! -e {media}/sda1/paper && echo gone > {tmp_path}/gone' &
        while [ ! -e {tmp_path}/ready ]; do sleep 0.05; done
        mount -t tmpfs none {media}/sda1
        touch {tmp_path}/plugged
        while [ ! -s {media}/sda1/paper ]; do sleep 0.05; done
        umount --lazy {media}/sda1
        touch {tmp_path}/pulled
        wait
        test -e {tmp_path}/gone
    """
    if os.geteuid() != 0:
        missing("needs root")
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    if "permission denied" in done.stderr.lower():
        missing("this machine lets nobody mount")
    assert done.returncode == 0, done.stderr
