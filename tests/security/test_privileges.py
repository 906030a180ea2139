"""What docs/security.md says of each process is what its unit lets it do."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("retry", "kiosk", "usb")


def told() -> dict[str, tuple[str, ...]]:
    """(user, network, capabilities, writes) by unit, of the table in section 6."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (okng-[\w@-]+) \| (.+) \| (.+) \| (.+) \| (.+) \|$", text, re.MULTILINE)
    return {name: tuple(rest) for name, *rest in rows}


def found() -> dict[str, tuple[str, ...]]:
    """The same of the units."""
    made: dict[str, tuple[str, ...]] = {}
    for file in sorted((ROOT / "systemd").glob("okng-*.service")):
        if any(tool in file.stem for tool in TOOLS):
            continue
        said: dict[str, list[str]] = {}
        for key, value in re.findall(r"^(\w+)=(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE):
            said.setdefault(key, []).append(value)
        assert said["NoNewPrivileges"] == ["yes"], file.name
        assert said["ProtectSystem"] == ["strict"], file.name
        assert said["ProtectHome"] == ["yes"], file.name
        assert said["SystemCallFilter"], file.name
        if said.get("PrivateNetwork") == ["yes"]:
            network = "none"
        elif said.get("IPAddressDeny") != ["any"]:
            network = "any"
        else:
            network = {"okng-camera@": "camera net", "okng-io": "PLC net"}.get(file.stem, "plant net")
        capabilities = " ".join(said["CapabilityBoundingSet"]) or "none"
        made[file.stem] = (said["User"][0], network, capabilities, " ".join(said["ReadWritePaths"]))
    return made


def test_the_table_is_true() -> None:
    assert told() == found()


def test_no_two_processes_share_a_user_but_the_judge_and_its_stand_in_and_the_two_ways_of_sync() -> None:
    shared = ("okng-inspect-standby", "okng-sync-watch")
    users = [user for name, (user, *_) in found().items() if name not in shared]
    assert len(users) == len(set(users))
