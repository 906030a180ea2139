"""A bare Debian 12 in a folder, and what is done inside it: a chroot with processes and mounts of its own."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

BASE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HOME": "/"}
NOT_OURS = (
    "/proc",
    "/dev",
    "/sys",
    "/tmp",
    "/var/lib/dpkg",
    "/var/lib/apt",
    "/var/cache",
    "/var/log",
    "/var/lib/systemd",
)
"""Kept by others, or gone with the next boot."""


@dataclass(frozen=True, slots=True)
class DebianRoot:
    """Root of a Debian."""

    folder: Path

    def run(
        self, script: str, *, network: bool = False, check: bool = True, timeout_s: int = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script inside. What it starts ends with it. Without network there is a loopback, and no more."""
        inside = 'mount -t proc proc "$0/proc"; mount -t tmpfs tmpfs "$0/dev/shm"; exec chroot "$0" sh -c "$1"'
        if not network:
            inside = f"ip link set lo up; {inside}"
        spaces = ["--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"])]
        command = ["unshare", *spaces, "sh", "-ec", inside, str(self.folder), script]
        proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        done = subprocess.run(
            command, env={**BASE, **proxies}, check=False, capture_output=True, text=True, timeout=timeout_s
        )
        assert not check or done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def path(self, place: str) -> Path:
        """A file inside, seen from outside."""
        return self.folder / place.lstrip("/")

    def files(self) -> set[str]:
        """Every name there is, but of what is kept by others."""
        found = set()
        for folder, folders, files in os.walk(self.folder):
            here = "/" + str(Path(folder).relative_to(self.folder))
            here = "" if here == "/." else here
            folders[:] = [name for name in folders if not f"{here}/{name}".startswith(NOT_OURS)]
            found |= {f"{here}/{name}" for name in (*folders, *files)}
        return found


def make_root(folder: Path) -> DebianRoot:
    """Fetch and unpack a minimal Debian 12. It reaches the archive the way this machine does."""
    subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(folder)], check=True, capture_output=True, timeout=600
    )
    return settled(folder)


def settled(folder: Path) -> DebianRoot:
    """Make an unpacked Debian usable: this machine's ways to the archive, no services."""
    (folder / "etc/apt/sources.list").unlink(missing_ok=True)
    for name in ("sources.list", "sources.list.d", "apt.conf.d"):
        source, place = Path("/etc/apt") / name, folder / "etc/apt" / name
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy(source, place)
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    for name in ("etc/ssl", "usr/share/ca-certificates", "usr/local/share/ca-certificates"):
        if Path("/", name).is_dir():  # a mirror may be behind a certificate of its own
            shutil.copytree(Path("/", name), folder / name, dirs_exist_ok=True, symlinks=True)
    root = DebianRoot(folder)
    root.run("apt-get update -qq", network=True, timeout_s=600)
    return root


def needed(program: str) -> None:
    """Skip at a desk without root or the program; fail where all the checks must run."""
    if os.geteuid() == 0 and shutil.which(program):
        return
    why = f"needs root and {program}"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def root_to_begin_with(folder: Path, deb: Path) -> DebianRoot:
    """A bare Debian with a package in it as /new.deb and all that it stands on: the rest is done without a network.

    OKNG_ROOT: an unpacked Debian to copy, in place of fetching one.
    """
    given = os.environ.get("OKNG_ROOT")
    if given:
        subprocess.run(["cp", "-a", f"{given}/.", str(folder)], check=True)
    made = settled(folder) if given else make_root(folder)
    shutil.copy(deb, folder / "new.deb")
    ask = ["dpkg-deb", "-f", str(deb), "Depends"]
    depends = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
    names = " ".join(re.sub(r"\(.*?\)", "", one).strip() for one in depends.split(","))
    made.run(f"apt-get install -y -qq --no-install-recommends {names}", network=True, timeout_s=900)
    return made


def repacked(deb: Path, out: Path, version: str, schema: int) -> Path:
    """The same package under another version, which knows another schema of the ledger."""
    tree = out / "tree"
    subprocess.run(["dpkg-deb", "-R", str(deb), str(tree)], check=True)
    for name in ("control", "preinst", "prerm"):
        file = tree / "DEBIAN" / name
        text = re.sub(r'^(Version: |VERSION=")[^"\n]*', rf"\g<1>{version}", file.read_text(), flags=re.MULTILINE)
        file.write_text(re.sub(r"^SCHEMA=\d+", f"SCHEMA={schema}", text, flags=re.MULTILINE))
    made = out / f"okng_{version}_amd64.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", str(tree), str(made)],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(tree)
    return made
