"""How much the figures of a product change from one teaching to the next: the same pictures, several bundles."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

FIGURES = {
    "auroc": ("image", "auroc"),
    "ap": ("image", "ap"),
    "aupro_0.3": ("pixels", "aupro", "0.3"),
    "aupro_0.05": ("pixels", "aupro", "0.05"),
    "escape": ("escape", "rate"),
    "overkill": ("overkill", "rate"),
}
"""What is compared, and where it stands in an evaluation."""


def stability(evaluations: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return mean and spread of several evaluations on the same pictures, the first one's own among them.

    None: there is one only. spread: standard deviation of a sample. A figure that one of them lacks is left out.
    """
    if len(evaluations) < 2:
        return None
    found: dict[str, Any] = {}
    for name, keys in FIGURES.items():
        values = [_at(one, keys) for one in evaluations]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            mean = math.fsum(known) / len(known)
            spread = math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))
            found[name] = {"mean": mean, "spread": spread, "low": min(known), "high": max(known), "values": known}
    bundles = [{"digest": one["bundle"]["digest"], "seed": one["bundle"]["train"].get("seed")} for one in evaluations]
    return {"bundles": bundles, "figures": found}


def _at(found: Mapping[str, Any], keys: Sequence[str]) -> float | None:
    value: Any = found
    for key in keys:
        if value is None:
            return None
        value = value[key]
    return None if value is None else float(value)
