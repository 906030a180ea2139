"""Updates in two slots: the hooks say what they should, and RAUC itself makes and checks the bundle.

RAUC's service is not run: it needs a boot loader. The hooks get the variables that it sets.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RAUC = Path(__file__).parents[2] / "systemd" / "rauc"
OKNG = """\
#!/bin/sh
# Stands in for the installed program.
echo "$@" >>"$OKNG_ASKED"
case "$1 ${2:-}" in
"--version ") echo "okng, version ${OKNG_VERSION:-0.2.0}" ;;
"update prove") exit "${OKNG_PROVES:-0}" ;;
"settings migrate") exit "${OKNG_READS:-0}" ;;
esac
"""
ASKED = '#!/bin/sh\necho "$(basename $0)${1:+ $*}" >>"$OKNG_ASKED"\n'


class Box:
    """A box's files, and programs that stand in for okng, rauc, chroot and reboot."""

    def __init__(self, folder: Path) -> None:
        self.root, self.slot, self.asked_file = folder / "root", folder / "slot", folder / "asked"
        for name in ("okng", "rauc", "chroot", "reboot"):
            file = folder / name
            file.write_text(OKNG if name == "okng" else ASKED)
            file.chmod(0o755)
        self.folder = folder
        for each, number in ((self.root, 900), (self.slot, 900)):
            (each / "etc").mkdir(parents=True)
            (each / "etc/passwd").write_text(f"root:x:0:0::/:\nokng-io:x:{number}:950::/:\n")
        (self.root / "etc/okng/recipes").mkdir(parents=True)
        (self.root / "etc/machine-id").write_text("here\n")
        (self.slot / "etc/machine-id").write_text("image\n")
        (self.root / "etc/okng/okng.toml").write_text('recipe = "recipes/a.yaml"\n[records]\nstore = "/data/store"\n')
        (self.root / "data/store").mkdir(parents=True)

    def run(self, script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        stand_ins = {name.upper(): str(self.folder / name) for name in ("okng", "rauc")}
        env = {
            **{"PATH": os.environ["PATH"], "OKNG_ROOT": str(self.root), "OKNG_ASKED": str(self.asked_file)},
            **{"OKNG_CHROOT": str(self.folder / "chroot"), "OKNG_REBOOT": str(self.folder / "reboot")},
            **{"RAUC_MF_COMPATIBLE": "okng-box", "RAUC_SYSTEM_COMPATIBLE": "okng-box", "RAUC_MF_VERSION": "0.2.0"},
            **{"RAUC_SLOT_MOUNT_POINT": str(self.slot)},
            **stand_ins,
            **more,
        }
        return subprocess.run([str(RAUC / script), *arguments], env=env, check=False, capture_output=True, text=True)

    def asked(self) -> list[str]:
        return self.asked_file.read_text().splitlines() if self.asked_file.exists() else []


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_a_bundle_for_another_box_or_of_an_older_okng_is_refused(box: Box) -> None:
    assert box.run("hook", "install-check").returncode == 0
    other = box.run("hook", "install-check", RAUC_MF_COMPATIBLE="toaster")
    assert (other.returncode, other.stderr) == (10, "this bundle is for toaster, this box is okng-box\n")
    older = box.run("hook", "install-check", RAUC_MF_VERSION="0.1.9")
    assert older.returncode == 10
    assert "brings okng 0.1.9, the box has 0.2.0" in older.stderr
    (box.root / "etc/okng/allow-downgrade").write_text("")
    assert box.run("hook", "install-check", RAUC_MF_VERSION="0.1.9").returncode == 0


def test_the_new_slot_becomes_this_box_with_settings_of_its_own(box: Box) -> None:
    (box.root / "etc/okng/recipes/a.yaml").write_text("name: a\n")
    (box.root / "etc/okng/slot-proved").write_text("okng, version 0.1.0\n")
    before = (box.root / "etc/okng/okng.toml").read_bytes()
    done = box.run("hook", "slot-post-install")
    assert done.returncode == 0, done.stderr
    assert (box.slot / "etc/machine-id").read_text() == "here\n"
    assert (box.slot / "etc/okng/recipes/a.yaml").read_text() == "name: a\n"
    assert not (box.slot / "etc/okng/slot-proved").exists()
    assert box.asked() == [f"chroot {box.slot} /usr/bin/okng settings migrate --settings /etc/okng/okng.toml"]
    assert (box.root / "etc/okng/okng.toml").read_bytes() == before
    assert (box.root / "etc/okng/slot-proved").exists()


def test_a_slot_with_other_numbers_for_the_same_users_is_refused(box: Box) -> None:
    (box.slot / "etc/passwd").write_text("okng-io:x:901:950::/:\n")
    done = box.run("hook", "slot-post-install")
    assert done.returncode == 1
    assert "okng-io is 900:950 here and 901:950 in the new slot" in done.stderr
    assert not (box.slot / "etc/okng").exists()


def test_a_migration_that_is_refused_fails_the_update(box: Box) -> None:
    chroot = box.folder / "chroot"
    chroot.write_text("#!/bin/sh\nexit 78\n")
    assert box.run("hook", "slot-post-install").returncode != 0


def test_an_update_that_could_not_go_well_is_not_begun(box: Box) -> None:
    assert box.run("pre-install").returncode == 0
    (box.root / "data/store/ledger.db").write_bytes(b"x" * 1000)
    assert box.run("pre-install").returncode == 0
    with (box.root / "data/store/ledger.db").open("wb") as file:
        file.truncate(shutil.disk_usage(box.root).free // 2)  # a hole: no byte of it is on the disk
    full = box.run("pre-install")
    assert full.returncode == 1
    assert "the copy of the ledger before its migration needs" in full.stderr
    unread = box.run("pre-install", OKNG_READS="78")
    assert unread.returncode == 1
    assert "have to be mended first" in unread.stderr


def test_a_slot_is_good_once_the_line_has_shown_it(box: Box) -> None:
    assert box.run("mark-good", OKNG_PROVE="--parts 5").returncode == 0
    assert box.asked() == ["--version", "update prove --parts 5", "rauc status mark-good", "--version"][1:]
    assert (box.root / "etc/okng/slot-proved").read_text() == "okng, version 0.2.0\n"
    box.asked_file.unlink()
    assert box.run("mark-good", OKNG_PROVES="1").returncode == 0  # proved once: a plant that sleeps proves nothing more
    assert box.asked() == ["--version", "rauc status mark-good"]
    box.asked_file.unlink()
    # Another version in this slot has to show it anew.
    assert box.run("mark-good", OKNG_VERSION="0.3.0").returncode == 0
    assert "update prove" in " ".join(box.asked())


def test_a_slot_that_has_failed_is_left(box: Box) -> None:
    done = box.run("mark-good", OKNG_PROVES="1")
    assert done.returncode == 0
    assert [line for line in box.asked() if not line.startswith("--version")] == [
        "update prove",
        "rauc status mark-bad",
        "reboot",
    ]
    assert not (box.root / "etc/okng/slot-proved").exists()


def test_a_box_without_settings_has_nothing_to_show(box: Box) -> None:
    (box.root / "etc/okng/okng.toml").unlink()
    assert box.run("mark-good", OKNG_PROVES="1").returncode == 0
    assert box.asked() == ["rauc status mark-good"]


def key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    made = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-addext", "keyUsage=digitalSignature"]
    subprocess.run(
        ["openssl", "req", "-x509", *kind, "-keyout", str(made[1]), "-out", str(made[0]), "-subj", f"/CN={name}"],
        check=True,
        capture_output=True,
    )
    return made


def test_rauc_itself_makes_and_checks_the_bundle(tmp_path: Path) -> None:
    if shutil.which("rauc") is None or shutil.which("mksquashfs") is None:
        pytest.skip("no rauc: apt-get install rauc squashfs-tools")
    certificate, key = key_pair(tmp_path, "release")
    stranger, _ = key_pair(tmp_path, "stranger")
    image = tmp_path / "image"
    image.write_bytes(os.urandom(200_000))
    bundle = tmp_path / "okng.raucb"
    done = subprocess.run(
        [str(RAUC / "bundle.sh"), str(image), "0.2.0", str(certificate), str(key), str(bundle)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

    def info(keyring: Path, file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["rauc", "info", f"--keyring={keyring}", str(file)], check=False, capture_output=True, text=True
        )

    said = info(certificate, bundle)
    assert said.returncode == 0, said.stderr
    for words in ("'okng-box'", "'0.2.0'", "install-check", "post-install", "verity"):
        assert words in said.stdout, said.stdout
    assert info(stranger, bundle).returncode != 0
    data = bytearray(bundle.read_bytes())
    data[-200] ^= 1  # inside the signature
    (tmp_path / "changed.raucb").write_bytes(data)
    assert info(certificate, tmp_path / "changed.raucb").returncode != 0
