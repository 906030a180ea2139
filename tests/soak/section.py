"""A soak's figures as a section of `bench/RESULTS.md`: `python -m okng.tests.soak.section docs/soak.json`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MB = 1 << 20
_ALWAYS, _IF_SLOPING = ("rss", "shared", "latency p50 ms"), ("fds", "threads")


def section(found: Mapping[str, Any]) -> str:
    """Markdown."""
    segments = found["segments"]
    ended = [one for one in segments if one["parts"]]
    samples = [sample for one in ended for sample in one["samples"]]
    sums = {name: sum(one["tally"][name] for one in ended) for name in (ended[0]["tally"] if ended else ())}
    machine, last = found["machine"], samples[-1] if samples else {}
    with_standby = "with" if found["asked"]["standby"] else "without"
    lines = [
        f"## Soak: {found['parts']:,} parts",
        "",
        f"`make soak`, {found['at'][:10]}, {machine['cores']} cores, load {machine['load']} at the end; every process "
        f"of the box, {with_standby} the second judge; rendered parts of 96 px, a model of 64 px, the belt metered by "
        "READY. "
        f"{len(segments)} segment(s) (each begins the processes afresh), {found['parts_per_s']} parts/s, "
        f"{sum(one['held_s'] for one in ended):.0f} s stood for the ledger. "
        f"Verdict: {'holds' if found['holds'] else 'does NOT hold: ' + '; '.join(found['objections'])}.",
        "",
        f"Accounts: {sums.get('triggered', 0):,} triggered, {sums.get('rendered', 0):,} photographed, "
        f"{sums.get('judged', 0):,} judged, {sums.get('passed', 0):,} passed, {sums.get('hit', 0):,} blown off; "
        f"escapes {sums.get('escapes', 0)}, without a disposition {sums.get('no_disposition', 0)}, with two "
        f"{sums.get('two_dispositions', 0)}, unknown {sums.get('unknown', 0)}. "
        f"UNJUDGED {sum(one['unjudged'] for one in ended)}. Of the defective parts the small model called "
        f"{sums.get('defective_passed', 0):,} OK, and {sums.get('good_rejected', 0):,} good ones NG: the soak looks at "
        "accounts and growth, not at how well so coarse a model sees.",
        "",
        f"WAL at most {max((one['wal'] for one in samples), default=0) / MB:.1f} MB, ledger "
        f"{last.get('ledger', 0) / MB:.0f} MB, pictures {last.get('pictures', 0) / MB:.0f} MB (quotas), latency p50 "
        f"{samples[0]['latency_p50_ms']:.1f} ms at first, {last['latency_p50_ms']:.1f} ms at last, p99 at most "
        f"{max(one['latency_p99_ms'] for one in samples):.0f} ms."
        if samples
        else "No samples.",
        "",
        "| of | figure | first | last | per 100,000 parts | limit over the run |",
        "|---|---|---:|---:|---:|---:|",
        *(_row(one) for one in found["growth"] if _tells(one)),
        "",
        "Descriptors and threads that are not in the table have no slope.",
        "Core-ms a part: " + ", ".join(f"{name} {ms:.2f}" for name, ms in found["cpu_ms_per_part"].items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _tells(one: Mapping[str, Any]) -> bool:
    return one["figure"] in _ALWAYS or (one["figure"] in _IF_SLOPING and one["per_100000_parts"] != 0)


def _row(one: Mapping[str, Any]) -> str:
    unit = MB if one["figure"] in ("rss", "shared") else 1
    name = f"{one['figure']}, MB" if unit == MB else one["figure"]
    values = (one["first"] / unit, one["last"] / unit, one["per_100000_parts"] / unit, one["limit"] / unit)
    mark = "" if one["holds"] else " **grows**"
    return f"| {one['of']} | {name} | " + " | ".join(f"{value:.2f}" for value in values) + f"{mark} |"


def main() -> int:
    """Print the section of a file."""
    (file,) = map(Path, sys.argv[1:])
    sys.stdout.write(section(json.loads(file.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
