"""The units are whole, closed as far as they were measured to be, and open the doors that exist."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from okng.__main__ import cli

UNITS = Path(__file__).parents[2] / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PROCESSES = [unit for unit in SERVICES if not re.search("retry|kiosk|usb", unit.name)]
"""Those that open a door of okng. The screen is weston and Chromium: `test_kiosk.py`; a stick: `test_usb.py`."""
GATES = {
    "okng-io.service": 20,
    "okng-camera@.service": 20,
    "okng-inspect.service": 15,
    "okng-inspect-standby.service": 15,
    "okng-records.service": 10,
    "okng-shift.service": 10,
    "okng-web.service": 15,
    "okng-workshop.service": 15,
    "okng-sync.service": 15,
    "okng-sync-watch.service": 17,  # the trial of a model runs in it, with the devices and kernels that takes
    "okng-opcua.service": 15,
    "okng-mqtt.service": 15,
    "okng-kiosk.service": 40,
    "okng-retry@.service": 15,
    "okng-usb@.service": 40,  # it mounts for others: no namespace of its own
}
"""Highest exposure allowed, in tenths of systemd-analyze's score; a unit without any sandbox has 96."""


WANTED = ("records", "io", "inspect", "inspect-standby", "shift", "web", "workshop")
"""Processes of every box; cameras and the doors to others are enabled by name."""


def needs(tool: str, package: str = "systemd") -> None:
    """Skip at a desk without the tool; fail where all the checks must run."""
    if shutil.which(tool) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{tool} is missing: apt-get install {package}")
        pytest.skip(f"{tool} is missing: apt-get install {package}")


def settings_of(unit: Path) -> dict[str, list[str]]:
    """Every key of a unit with all its values (systemd allows a key many times)."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


SLICES = {
    "okng-io": "line",
    "okng-camera@": "line",
    "okng-inspect": "line",
    "okng-inspect-standby": "line",
    "okng-shift": "line",
    "okng-records": "store",
    "okng-web": "office",
    "okng-workshop": "office",
    "okng-sync": "office",
    "okng-sync-watch": "office",
    "okng-opcua": "office",
    "okng-mqtt": "office",
}
"""In which group of the machine each process is: where they want the same CPU, disk or memory, the office starves."""


def door_of(unit: Path) -> str:
    """The door of okng that a unit opens: `inspect` for both judges."""
    (command,) = settings_of(unit)["ExecStart"]
    return command.split()[1]


def test_all_units_pass_verify(tmp_path: Path) -> None:
    needs("systemd-analyze")
    for unit in (one for one in UNITS.iterdir() if one.is_file()):
        # The packages are not installed here: a program that is stands in for them.
        text = unit.read_text(encoding="utf-8").replace("/usr/bin/okng", "/bin/true")
        text = text.replace("/usr/bin/weston", "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    units = [str(f) for f in sorted(tmp_path.iterdir()) if f.suffix in {".service", ".timer", ".target", ".slice"}]
    assert len(units) == len(SERVICES) + 2 + 4
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_sandbox_is_as_closed_as_measured(unit: Path) -> None:
    needs("systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={GATES[unit.name]}", str(unit)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_gate_catches_an_open_unit(tmp_path: Path) -> None:
    needs("systemd-analyze")
    plain = tmp_path / "plain.service"
    plain.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", str(plain)],
        check=False,
        capture_output=True,
    )
    assert done.returncode != 0


@pytest.mark.parametrize("unit", PROCESSES, ids=lambda unit: unit.name)
def test_each_unit_opens_a_door_that_exists(unit: Path) -> None:
    (command,) = settings_of(unit)["ExecStart"]
    program, door, *arguments = command.split()
    assert program == "/usr/bin/okng"
    opened = cli.commands[door]
    if isinstance(opened, click.Group):  # `okng camera NAME` is the process, beside the tools of that name
        opened = opened.commands["run"]
    options = {name for option in opened.params for name in option.opts if isinstance(option, click.Option)}
    positional = [option for option in opened.params if isinstance(option, click.Argument)]
    assert {word for word in arguments if word.startswith("--")} <= options
    assert len([word for word in arguments if word == "%i"]) == len(positional)


@pytest.mark.parametrize("unit", PROCESSES, ids=lambda unit: unit.name)
def test_each_process_has_its_own_user_and_no_right_it_does_not_use(unit: Path) -> None:
    found = settings_of(unit)
    door = door_of(unit)
    assert re.split(r"[@.]", unit.name)[0].removeprefix("okng-").startswith(door)
    assert found["User"] == [f"okng-{door}"]
    assert found["Group"] == ["okng"]
    assert found["UMask"] == ["0007"]
    rights = ["CAP_NET_BIND_SERVICE"] if door == "io" else [""]  # Modbus' own port is 502
    assert found["CapabilityBoundingSet"] == found["AmbientCapabilities"] == rights
    users = (UNITS / "okng.sysusers.conf").read_text(encoding="utf-8")
    assert f"u okng-{door} " in users


def test_io_never_gives_up_and_the_others_have_a_budget() -> None:
    for unit in PROCESSES:
        found = settings_of(unit)
        if unit.name in {"okng-io.service", "okng-camera@.service"}:
            assert found["StartLimitIntervalSec"] == ["0"]
        elif unit.name != "okng-sync.service":
            assert found["StartLimitIntervalSec"] == ["60s"]
            assert found["StartLimitBurst"] == ["5"]
            assert found["OnFailure"] == ["okng-retry@%n.service"]
        if unit.name != "okng-sync.service":
            assert found["Restart"] == ["always"]
            # The standby ends well where nobody wants it.
            prevents = "0 78" if unit.name == "okng-inspect-standby.service" else "78"
            assert found["RestartPreventExitStatus"] == [prevents]
            assert found["LimitCORE"] == ["0"]


def test_the_ledger_is_not_written_beneath_the_disk_that_it_belongs_on() -> None:
    said = settings_of(UNITS / "okng-records.service")
    store = next(path for path in said["ReadWritePaths"][0].split() if path.endswith("/store"))
    assert said["RequiresMountsFor"] == [store]


def test_only_four_processes_write_outside_the_run_folder() -> None:
    writes = {unit.name: settings_of(unit)["ReadWritePaths"] for unit in PROCESSES}
    assert writes.pop("okng-records.service") == ["/run/okng /var/lib/okng/store -/var/lib/okng/backup"]
    assert writes.pop("okng-sync.service") == ["/run/okng /var/lib/okng/bundles /var/lib/okng/sync"]
    assert writes.pop("okng-sync-watch.service") == ["/run/okng /var/lib/okng/bundles /var/lib/okng/sync"]
    assert writes.pop("okng-workshop.service") == ["/run/okng /var/lib/okng/workshop /etc/okng /run/media/okng"]
    assert writes.pop("okng-web.service") == ["/run/okng /var/lib/okng/web"]  # the key of its cookies
    assert writes.pop("okng-mqtt.service") == ["/run/okng /var/lib/okng/mqtt"]  # how far the broker has come
    assert set(map(tuple, writes.values())) == {("/run/okng",)}


def test_the_office_starves_first() -> None:
    assert {unit.stem: settings_of(unit)["Slice"] for unit in PROCESSES} == {
        name: [f"okng-{group}.slice"] for name, group in SLICES.items()
    }
    weight = {
        group: {key: int(settings_of(UNITS / f"okng-{group}.slice")[key][0]) for key in ("CPUWeight", "IOWeight")}
        for group in ("line", "store", "office")
    }
    assert weight["line"]["CPUWeight"] >= 50 * weight["office"]["CPUWeight"]
    assert weight["store"]["IOWeight"] >= 50 * weight["office"]["IOWeight"]
    for unit in PROCESSES:
        found = settings_of(unit)
        # A weight on one unit of a group would part all of them, and niceness would hold between them no more.
        assert not {"CPUWeight", "CPUQuota", "StartupCPUWeight"} & set(found), unit.name
        assert found["MemoryMax"][0]
    adjusted = {unit.stem: int(settings_of(unit).get("OOMScoreAdjust", ["0"])[0]) for unit in PROCESSES}
    assert adjusted["okng-io"] < adjusted["okng-camera@"] < adjusted["okng-inspect"] < adjusted["okng-records"] + 1
    assert max(adjusted.values()) == adjusted["okng-workshop"]


def test_the_two_judges_are_of_one_make_and_do_not_drag_each_other_down() -> None:
    judge, standby = (settings_of(UNITS / f"okng-inspect{name}.service") for name in ("", "-standby"))
    assert standby["ExecStart"] == [judge["ExecStart"][0].replace("okng inspect", "okng inspect --standby")]
    differ = {"Description", "ExecStart", "RestartPreventExitStatus", "After"}
    assert {k: v for k, v in judge.items() if k not in differ} == {k: v for k, v in standby.items() if k not in differ}
    for unit in (judge, standby):
        assert unit["PartOf"] == ["okng.target"]
        assert not {"BindsTo", "Requires", "Conflicts"} & set(unit)
        assert unit["LimitNICE"] == ["+0"], "it steps aside, and has to come back"
        assert unit["WatchdogSec"] == ["2s"]


def test_a_crash_loop_is_written_down_before_the_next_try() -> None:
    found = settings_of(UNITS / "okng-retry@.service")
    assert found["ExecStart"][0] == "-/usr/bin/okng degraded note %i"
    assert found["ExecStart"][-1].endswith("start %i")
    assert found["Group"] == ["okng"], "it writes into the run folder of the group"
    assert found["ReadWritePaths"] == ["/run/okng"]


@pytest.mark.needs_root
def test_users_and_folders_are_made_as_planned(tmp_path: Path) -> None:
    needs("systemd-sysusers")
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("needs root")
        pytest.skip("needs root")
    for folder in ("etc", "run", "var/lib"):
        (tmp_path / folder).mkdir(parents=True)
    for tool, conf in (
        (["systemd-sysusers"], "okng.sysusers.conf"),
        (["systemd-tmpfiles", "--create"], "okng.tmpfiles.conf"),
    ):
        done = subprocess.run(
            [*tool, f"--root={tmp_path}", str(UNITS / conf)], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    users = dict(line.split(":")[:3:2] for line in (tmp_path / "etc/passwd").read_text().splitlines())
    group = int((tmp_path / "etc/group").read_text().split("okng:")[1].split(":")[1])
    assert set(users) == {f"okng-{door_of(unit)}" for unit in PROCESSES}
    for place, owner, mode in (
        ("run/okng", "root", 0o2770),
        ("run/okng/stacks", "root", 0o3770),
        ("etc/okng", "okng-workshop", 0o750),
        ("var/lib/okng/store", "okng-records", 0o2750),
        ("var/lib/okng/web", "okng-web", 0o700),
        ("var/lib/okng/bundles", "okng-sync", 0o2750),
        ("var/lib/okng/workshop", "okng-workshop", 0o2750),
        ("run/media/okng", "root", 0o750),
    ):
        found = (tmp_path / place).stat()
        assert (found.st_mode & 0o7777, found.st_gid) == (mode, group), place
        assert found.st_uid == (0 if owner == "root" else int(users[owner]))


def test_every_file_of_the_folder_is_known() -> None:
    kinds = {unit.name for unit in UNITS.iterdir()} - set(GATES)
    assert kinds == {
        "okng.target",
        "okng-sync.timer",
        "okng.sysusers.conf",
        "okng.tmpfiles.conf",
        "kiosk",
        "udev",
        "rauc",
        "nftables",
        "okng.slice",
        *(f"okng-{name}.slice" for name in ("line", "store", "office")),
    }
    screen = {"README.md", "weston.ini", "browser", "policies.json", "okng-kiosk.sysusers.conf", "70-okng-kiosk.rules"}
    assert {file.name for file in (UNITS / "kiosk").iterdir()} == screen
    target = configparser.ConfigParser(strict=False, interpolation=None)
    target.optionxform = str  # type: ignore[assignment, method-assign]
    target.read(UNITS / "okng.target")
    wanted = set(target["Unit"]["Wants"].split())
    assert wanted == {f"okng-{n}.service" for n in WANTED} | {"okng-sync.timer"}
