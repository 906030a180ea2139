"""Which processes have to be started again before a change of the settings holds."""

from collections.abc import Mapping
from typing import Any

_OF = {
    "plc": ("io",),
    "inspect": ("inspect",),
    "records": ("records", "web", "workshop"),
    "web": ("web",),
    "opcua": ("opcua",),
    "mqtt": ("mqtt",),
    "sync": ("sync",),
    "shift": ("shift",),
    "workshop": ("workshop",),
    "recipe": (),
    "jobs": ("io", "inspect"),
}
"""By section. `jobs` and `recipe`: a change-over reads them afresh, but a new number has to be known."""
_ALL = ("io", "inspect", "records", "web", "shift", "workshop")


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
    return sorted(found)
