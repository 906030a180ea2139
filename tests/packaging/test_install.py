"""The package in a bare Debian 12: it installs, works without a network, is upgraded, refuses to go back, goes away.

`make test-deb` builds it, names it in OKNG_DEB and runs this; the steps follow one another in one root.
"""

import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from okng.records.schema import MIGRATIONS, VERSION

from .debian_root import DebianRoot, needed, repacked, root_to_begin_with

DEB = os.environ.get("OKNG_DEB", "")
pytestmark = [
    pytest.mark.deb,
    pytest.mark.needs_root,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not DEB, reason="no package: make test-deb"),
]
OLD_SCHEMA = 5
LEDGER = "/var/lib/okng/store/ledger.db"
SETTINGS = """\
# The box at the end of line 3.
recipe = "recipes/clip.yaml"

[box]
name = "box3"

[camera.top]
driver = "replay"
folder = "pictures"

[records]
store = "/var/lib/okng/store"
"""
RECIPE = """\
name: clip
deadline_ms: 150
camera: {width: 640, height: 480}
tools:
  - {name: dirt, kind: blob, box: [0, 0, 64, 64], max_count: 0, min_area: 12}
"""
INSTALL = "apt-get install -y -qq --no-install-recommends --allow-downgrades"
SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd, which does not run here: writes down what was asked of it.
echo "$@" >>/var/log/systemctl.asked
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> DebianRoot:
    """A bare Debian with this package and an older one in its root folder."""
    needed("debootstrap")
    made = root_to_begin_with(tmp_path_factory.mktemp("debian"), Path(DEB))
    older = repacked(Path(DEB), tmp_path_factory.mktemp("older"), "0.0.9", OLD_SCHEMA)
    shutil.move(older, made.path("/old.deb"))
    return made


@pytest.fixture(scope="module")
def before(root: DebianRoot) -> set[str]:
    return root.files()


def state(root: DebianRoot) -> str:
    return root.run("dpkg-query -W -f='${db:Status-Status} ${Version}' okng", check=False).stdout


def asked(root: DebianRoot) -> list[str]:
    """What was asked of systemd since the last time."""
    log = root.path("/var/log/systemctl.asked")
    found = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def old_ledger(root: DebianRoot) -> None:
    """A ledger as the older package left it, with one part, owned as it should be."""
    file = root.path(LEDGER)
    with sqlite3.connect(file) as db:
        for sql in MIGRATIONS[:OLD_SCHEMA]:
            db.executescript(sql)
        db.execute(f"pragma user_version = {OLD_SCHEMA}")
        db.execute("insert into meta values ('box', 1, '2026-01-01T00:00:00Z', 0)")
        db.execute("insert into epoch (n, name, first_at) values (1, 'e', '2026-01-01T00:00:00Z')")
        row = {
            **{"epoch": 1, "number": 1, "part": 4711, "station": "line1", "taken_at": "2026-01-01T00:00:00Z"},
            **{"outcome": "OK", "verdict": "OK", "action": "PASS", "why": "OK", "reasons": "[]", "defects": "[]"},
            **{"score": 0.5, "threshold": 1.0, "recipe": "clip", "revision": "0" * 12, "model": "", "camera": "top"},
            **{"missed": 0, "triggered_ns": 1, "deadline_ns": 2, "sequence": 1, "delivery": "DELIVERED"},
            **{"width": 1, "height": 1, "picture_kept": 0, "stored_at": "2026-01-01T00:00:00Z"},
        }
        db.execute(f"insert into part ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))
    db.close()
    root.run(f"chown okng-records:okng {LEDGER}; chmod 640 {LEDGER}")


def parts(root: DebianRoot) -> list[int]:
    # Read as root from outside: -wal and -shm may be there.
    with sqlite3.connect(root.path(LEDGER)) as db:
        found = [row[0] for row in db.execute("select part from part order by seq")]
    db.close()
    return found


def schema(root: DebianRoot) -> int:
    with sqlite3.connect(root.path(LEDGER)) as db:
        found = int(db.execute("pragma user_version").fetchone()[0])
    db.close()
    return found


def test_it_installs_without_a_network_and_waits_for_settings(root: DebianRoot, before: set[str]) -> None:
    said = root.run(f"{INSTALL} /old.deb")
    assert "no settings yet" in said.stdout + said.stderr
    assert state(root) == "installed 0.0.9"
    assert root.run("okng --version").stdout.startswith("okng, version ")
    places = root.run("stat -c '%n %U:%G %a' /etc/okng /var/lib/okng/store /var/lib/okng/web").stdout.splitlines()
    assert places == [
        "/etc/okng okng-workshop:okng 750",
        "/var/lib/okng/store okng-records:okng 2750",
        "/var/lib/okng/web okng-web:okng 700",
    ]
    assert root.run("systemctl is-enabled okng.target", check=False).stdout.strip() == "enabled"
    assert not root.path("/etc/okng/okng.toml").exists()


def test_nothing_is_missing_and_nothing_is_as_it_was_not_packed(root: DebianRoot) -> None:
    """Every library finds those that it links, or is one that only another machine would load."""
    found = root.run(
        "find /opt/okng -name '*.so*' -type f | while read -r f; do ldd $f 2>/dev/null | grep 'not found' | "
        'sed "s|^|$f:|"; done'
    ).stdout
    optional = ("onnxruntime_providers_cuda", "onnxruntime_providers_tensorrt")
    assert [line for line in found.splitlines() if not any(name in line for name in optional)] == []
    assert root.run("dpkg --verify okng").stdout == ""


def test_the_units_are_right_where_they_lie(root: DebianRoot) -> None:
    units = root.run("ls /usr/lib/systemd/system | grep '^okng.*[a-z]$' | grep -v '\\.d$'").stdout.split()
    assert len(units) > 12
    programs = root.run("grep -h '^Exec[A-Za-z]*=' /usr/lib/systemd/system/okng*.service").stdout.splitlines()
    for program in {re.sub(r"^Exec\w+=[-+!@:]*", "", line).split()[0] for line in programs}:
        assert root.path(program).exists() or root.path(program).is_symlink(), program
    done = root.run(
        "cd /usr/lib/systemd/system && systemd-analyze verify --man=no --recursive-errors=no " + " ".join(units),
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    shown = root.run("cat /usr/lib/systemd/system/okng-.service.d/*.conf").stdout
    assert "ConditionPathExists=/etc/okng/okng.toml" in shown


def test_papers_are_shipped(root: DebianRoot) -> None:
    text = root.path("/usr/share/doc/okng/copyright").read_text()
    assert text.count("License: ") > 90
    assert '"specVersion": "1.6"' in root.path("/usr/share/doc/okng/okng.cdx.json").read_text()
    root.run("test -s /etc/okng/okng.toml.example")
    assert root.path("/usr/share/doc/okng/install.md").is_file()


def test_a_whole_line_runs_for_a_person_without_rights(root: DebianRoot) -> None:
    """And nothing of the installation is written to by it: all was compiled."""
    root.run("id tester >/dev/null 2>&1 || useradd -m tester")
    done = root.run(
        "cd /home/tester && runuser -u tester -- env HOME=/home/tester okng demo --headless --count 20 --port 0",
        check=False,
        timeout_s=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert root.run("dpkg --verify okng").stdout == ""
    listed = set(root.run("dpkg -L okng").stdout.splitlines())
    there = set(root.run("find /opt/okng").stdout.splitlines())
    assert there - listed == set()
    root.run("userdel -r tester 2>/dev/null; rm -rf /home/tester")


def test_an_upgrade_keeps_settings_and_ledger_and_brings_them_up_to_date(root: DebianRoot) -> None:
    old_ledger(root)
    root.path("/etc/okng/recipes").mkdir()
    root.path("/etc/okng/okng.toml").write_text(SETTINGS)
    root.path("/etc/okng/recipes/clip.yaml").write_text(RECIPE)
    root.run("chown -R okng-workshop:okng /etc/okng")
    # From here on systemd is said to run; what is asked of it is written down.
    root.run("mv /usr/bin/systemctl /usr/bin/systemctl.real; mkdir -p /run/systemd/system")
    fake = root.path("/usr/bin/systemctl")
    fake.write_text(SYSTEMCTL)
    fake.chmod(0o755)
    said = root.run(f"{INSTALL} /new.deb")
    assert "/etc/okng/okng.toml: version 1: nothing to do" in said.stdout
    assert root.path("/etc/okng/okng.toml").read_text() == SETTINGS
    assert root.path("/etc/okng/recipes/clip.yaml").read_text() == RECIPE
    orders = [line for line in asked(root) if line.split()[0] in {"stop", "start", "daemon-reload"}]
    places = {
        what: next(at for at, line in enumerate(orders) if line.startswith(what))
        for what in ("stop okng-retry@", "stop okng-io", "stop okng.target", "daemon-reload", "start okng.target")
    }
    assert list(places.values()) == sorted(places.values())
    assert parts(root) == [4711]
    assert schema(root) == OLD_SCHEMA  # records brings it up to date when it starts
    root.run(
        "mkdir -p /run/okng; chown root:okng /run/okng; chmod 2770 /run/okng; "
        "timeout -s TERM 8 runuser -u okng-records -g okng -- okng records --settings /etc/okng/okng.toml",
        check=False,
    )
    assert schema(root) == VERSION
    assert parts(root) == [4711]
    names = [path.name for path in root.path(LEDGER).parent.iterdir()]
    assert [name for name in names if name.startswith(f"ledger.db.before-v{OLD_SCHEMA}-")] != []
    assert [name for name in names if "corrupt" in name] == []


def test_settings_of_a_newer_okng_hold_the_package_up_until_they_are_mended(root: DebianRoot) -> None:
    file = root.path("/etc/okng/okng.toml")
    file.write_text("version = 99\n" + SETTINGS)
    done = root.run(f"{INSTALL} --reinstall /new.deb", check=False)
    assert done.returncode != 0
    assert "version = 99: expected at most 1: a newer okng wrote it" in done.stdout + done.stderr
    assert not any(line.startswith("start") for line in asked(root))
    file.write_text(SETTINGS)
    root.run("dpkg --configure -a")
    assert state(root).startswith("installed ")


def test_an_older_package_is_refused_with_what_to_do(root: DebianRoot) -> None:
    asked(root)
    done = root.run(f"{INSTALL} /old.deb", check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "okng: refused" in said
    assert f"(schema {VERSION}; this one knows {OLD_SCHEMA})" in said
    assert "okng ledger restore" in said
    assert "touch /etc/okng/allow-downgrade" not in said  # that would not help
    assert not state(root).endswith("0.0.9")
    assert state(root).startswith("installed ")
    assert root.run("okng --version").returncode == 0
    assert root.run("dpkg --audit").stdout == ""
    # A refused one has not stopped the line.
    assert not any(line.startswith("stop") for line in asked(root))


def test_where_the_ledger_allows_it_a_person_may_go_back(root: DebianRoot) -> None:
    with sqlite3.connect(root.path(LEDGER)) as db:
        db.execute(f"pragma user_version = {OLD_SCHEMA}")
    db.close()
    done = root.run(f"{INSTALL} /old.deb", check=False)
    assert done.returncode != 0
    assert "touch /etc/okng/allow-downgrade" in done.stdout + done.stderr
    root.run("touch /etc/okng/allow-downgrade")
    asked(root)
    root.run(f"{INSTALL} /old.deb")
    assert state(root) == "installed 0.0.9"
    assert any(line.startswith("stop okng-io") for line in asked(root))
    root.run("rm /etc/okng/allow-downgrade")
    root.run(f"{INSTALL} /new.deb")


def test_removed_it_leaves_what_people_made(root: DebianRoot) -> None:
    asked(root)
    root.run("apt-get remove -y -qq okng")
    assert any(line.startswith("stop okng-io") for line in asked(root))
    assert not root.path("/opt/okng").exists()
    assert not root.path("/usr/bin/okng").is_symlink()
    assert root.path("/etc/okng/okng.toml").read_text() == SETTINGS
    assert parts(root) == [4711]


def test_installed_again_it_goes_on(root: DebianRoot) -> None:
    root.run(f"{INSTALL} /new.deb")
    assert "start okng.target" in asked(root)
    assert root.path("/etc/okng/okng.toml").read_text() == SETTINGS
    assert parts(root) == [4711]


def test_purged_the_settings_go_and_the_ledger_only_if_root_says_so(root: DebianRoot, before: set[str]) -> None:
    root.run("mv /usr/bin/systemctl.real /usr/bin/systemctl; rm -r /run/systemd/system")
    done = root.run("apt-get purge -y -qq okng")
    assert "are kept in /var/lib/okng" in done.stdout + done.stderr
    assert not root.path("/etc/okng").exists()
    assert parts(root) == [4711]
    root.run(f"{INSTALL} /new.deb")
    root.run("touch /var/lib/okng/PURGE; apt-get purge -y -qq okng")
    assert not root.path("/var/lib/okng").exists()
    left = root.files() - before
    assert {name for name in left if "okng" in name} == set()
