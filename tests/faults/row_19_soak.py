"""Row 19: parts without end, and what grows meanwhile."""

import json
import subprocess
import sys

from .row import Finding, Stand

LIMIT_S = 6 * 3600


class Endless:
    """The soak of `make soak`, shorter."""

    number = 19
    fault = "soak"
    how = "small rendered parts through every process of the box as fast as it takes them; samples of each process"
    expected = "memory, descriptors, threads, shared memory and latency do not grow; all accounts agree"

    def run(self, stand: Stand) -> Finding:
        """Run it in a process of its own."""
        stand.afresh()
        parts = stand.many(240, 100_000)
        told = stand.folder / "soak.json"
        command = [sys.executable, "-m", "okng.tests.soak", "--parts", str(parts), "--every", str(parts // 6 or 1)]
        command += ["--afresh", "--out", str(stand.folder / "soak"), "--json", str(told), "--seed", str(stand.seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        if not told.exists():
            return Finding({}, (f"the soak broke off: {done.stderr[-1000:]}",))
        found = json.loads(told.read_text(encoding="utf-8"))
        grew = [
            f"{one['of']} {one['figure']} grew by {one['over_run']:.1f}, at most {one['limit']:g}"
            for one in found.get("growth", ())
            if not one["holds"]
        ]
        figures: dict[str, object] = {
            "parts": found["parts"],
            "parts a second": found["parts_per_s"],
            "UNJUDGED": sum(one["unjudged"] for one in found["segments"]),
        }
        for figure, unit in (("rss", 1 << 20), ("fds", 1), ("threads", 1)):
            most = max((one for one in found["growth"] if one["figure"] == figure), key=lambda one: one["over_run"])
            figures[f"most {figure} grown"] = f"{most['over_run'] / unit:.1f} ({most['of']})"
        return Finding(figures, (*grew, *found["objections"]), ("a million parts: make soak, docs/soak.json",))


ROWS = (Endless(),)
