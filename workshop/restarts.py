"""Which processes have to be started again before a change of the settings holds."""

from collections.abc import Mapping
from typing import Any

STANDBY = "inspect-standby"
"""Restarted together with inspect: by itself it would take over, and judge by the settings of before."""
_OF = {
    "plc": ("io",),
    "inspect": ("inspect", STANDBY),
    "records": ("records", "web", "workshop"),
    "web": ("web",),
    "opcua": ("opcua",),
    "mqtt": ("mqtt",),
    "sync": ("sync",),
    "shift": ("shift",),
    "workshop": ("workshop",),
    "recipe": (),
    "jobs": ("io", "inspect", STANDBY),
}
"""By section. `jobs` and `recipe`: a change-over reads them afresh, but a new number has to be known."""
_ALL = ("io", "inspect", STANDBY, "records", "web", "shift", "workshop")


def restarts(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names of the processes whose settings are others now, sorted."""
    found: set[str] = set()
    for section in {*before, *after}:
        old, new = before.get(section), after.get(section)
        if old == new:
            continue
        if section == "camera":
            names = {*(old or {}), *(new or {})}
            if set(old or {}) != set(new or {}):
                found |= {*_ALL, *(f"camera-{name}" for name in names)}
            else:
                found |= {f"camera-{name}" for name in names if (old or {})[name] != (new or {})[name]}
        elif section == "jobs":
            if set(old or {}) != set(new or {}):
                found |= set(_OF["jobs"])
        else:
            found |= set(_OF.get(section, _ALL))
    told = after.get("inspect")
    if isinstance(told, Mapping) and told.get("standby") is False:
        found.discard(STANDBY)
    return sorted(found)
