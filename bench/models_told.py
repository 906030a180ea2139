"""What `bench/models.py` found, in words: aims met or missed, tables, and the section of RESULTS.md."""

from dataclasses import dataclass
from typing import Any

Rows = list[tuple[str, ...]]

OURS = "256 px"
"""The form that peers are held against: colour, both heads, the default map."""
PEER_AIMS = {"padim-r18": 5.0, "efficientad-s": 40.0}
"""Times faster."""
BACKBONE_AIM, PART_AIM_MS = 1.25, 25.0
TEACH_CPU_AIM_S, TEACH_MB_AIM, ADD_CPU_AIM_S = 15.0, 1500.0, 5.0
PART_STAGES = ("develop", "cut", "find", "judge", "part")


@dataclass(frozen=True, slots=True)
class Aim:
    """What was to be reached, and what was."""

    what: str
    aim: str
    found: str
    met: bool


def aims(result: dict[str, Any]) -> list[Aim]:
    """Every aim and whether it was met."""
    raced, taught, added = result["race"], result["teaching"]["teach"], result["teaching"]["add"]
    own = raced["to_own_backbone"][OURS]
    made = [_both("our graph to its backbone, 256 px", own, f"<= {BACKBONE_AIM}", max(own.values()) <= BACKBONE_AIM)]
    for name, times in PEER_AIMS.items():
        peer, what = raced["peers_to_ours"].get(name), f"{name} to our graph, 256 px"
        if peer is None:
            made.append(Aim(what, f">= {times:.0f}", "missing", met=False))
        else:
            made.append(_both(what, peer, f">= {times:.0f}", min(peer.values()) >= times))
    for name in ("grey", "colour"):
        part = result["part"][name]["stages_cpu_ms"]["part"]
        what = f"part of 1920x1200 {name} to verdict, core-ms"
        made.append(_both(what, part, f"<= {PART_AIM_MS:.0f}", max(part.values()) <= PART_AIM_MS))
    figures = (
        ("teach 200 goods of 640x640, CPU s", taught["cpu_s"], TEACH_CPU_AIM_S),
        ("its peak memory, MB", taught["peak_mb"], TEACH_MB_AIM),
        ("add 50, CPU s", added["cpu_s"], ADD_CPU_AIM_S),
    )
    made += [Aim(what, f"<= {most:g}", f"{found:g}", met=found <= most) for what, found, most in figures]
    return made


def _both(what: str, found: dict[str, float], aim: str, met: bool) -> Aim:
    return Aim(what, aim, " / ".join(f"{value:.2f}" for value in found.values()), met)


def head(result: dict[str, Any]) -> list[str]:
    """The section's opening."""
    on, made = result["machine"], result["race"]["peers"]
    by = ", ".join(f"{name} {version}" for name, version in made["asked"]["made_by"].items()) if made else "not made"
    holds = "; ".join(f"{name}: {said['holds']}" for name, said in made.get("peers", {}).items() if said["holds"])
    missing = result["race"]["missing"]
    return [
        "",
        f"## Models, {result['at'][:10]}",
        "",
        f"{on['cores']} cores of {on['cpu']}, load {on['load_at_start']:.1f} at the start and "
        f"{on['load_at_end']:.1f} at the end, onnxruntime {on['onnxruntime']}, Python {on['python']}. "
        f"`bench/models.py`: in turn in one process, {result['rounds']} rounds, one thread, no spinning, colour, both "
        "heads. Milliseconds are CPU time of one picture; p50 passed is on the clock. The backbone is what is left of "
        "the graph up to its last tap. Peers: anomalib's own exports at 256 px with random weights, which change no "
        f"time ({by}; {holds}), fed float pictures whose making is not counted; `-default` fixes two pictures a run. "
        "A part: from the bytes in the ring (its hand-over is not counted) by the whole frame at 256 px to the judged "
        "view, half of them good, half NG; cut is a part of find. Teaching: each in a fresh process, its start "
        "counted, every option at its default; memory is what the process held at most."
        + (f" Missing: {', '.join(missing)}." if missing else ""),
    ]


def tables(result: dict[str, Any]) -> list[tuple[str, tuple[str, ...], Rows]]:
    """Title, heads and rows of each table."""
    raced = result["race"]
    graphs: Rows = []
    for name, said in raced["graphs"].items():
        own, peer = raced["to_own_backbone"].get(name), raced["peers_to_ours"].get(name)
        graphs.append(
            (
                name,
                *(f"{said[key]:.1f}" for key in ("least_cpu_ms", "median_cpu_ms", "median_ms")),
                f"{own['of_least']:.2f} / {own['of_medians']:.2f}" if own else "",
                f"{peer['of_least']:.1f} / {peer['of_medians']:.1f}" if peer else "",
                f"{said['model_mb']:.0f}",
                str(said["runs"]),
            )
        )
    part: Rows = []
    for name in ("grey", "colour"):
        stages = result["part"][name]["stages_cpu_ms"]
        part.append((name, *(f"{stages[s]['least']:.2f} / {stages[s]['median']:.2f}" for s in PART_STAGES)))
    nodes = result["part"]["inside_ms"]
    inside: Rows = [(name, f"{100 * ms / sum(nodes.values()):.1f} %") for name, ms in nodes.items()]
    told: Rows = [
        (name, str(s["goods"]), f"{s['cpu_s']:.1f}", f"{s['seconds']:.1f}", str(s["peak_mb"]), s["chosen"])
        for name, s in result["teaching"].items()
    ]
    reached: Rows = [
        (each["what"], each["aim"], each["found"], "yes" if each["met"] else "NO") for each in result["aims"]
    ]
    graph_heads = ("graph", "least ms", "p50 ms", "p50 passed", "to its backbone", "to ours", "MB", "runs")
    return [
        ("Graphs, ratios of least / of medians", graph_heads, graphs),
        ("A part of 1920x1200, CPU ms, least / median", ("camera", *PART_STAGES), part),
        ("Inside one inference of 256 px colour", ("nodes", "share"), inside),
        ("Teaching 640x640 colour", ("what", "goods", "CPU s", "passed s", "peak MB", "chosen"), told),
        ("Aims", ("what", "aim", "found", "met"), reached),
    ]
