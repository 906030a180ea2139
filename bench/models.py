"""What a taught model costs: beside its own backbone, beside anomalib's models, for one part, and to teach.

    .venv/bin/python bench/models.py [--peers bench-out/peers] [--rounds 30] [--json bench/models.json]

1 the race: our graphs, their backbones and anomalib's own exports (made by `models_peers.py` in an environment of its
  own), in turn in one process, one thread each, no spinning, on the same pictures
2 a part of 1920x1200, grey and colour, from the camera's bytes to the verdict
3 teaching 200 goods of 640x640, and adding 50, each in a fresh process

Figures are CPU time, so that a machine that others use too tells nearly the same; what passed on the clock stands
beside. An aim is met where both the ratio of minima and that of medians are within it. It prints its tables, writes
JSON, and adds its lines to bench/RESULTS.md. Peers that were not made are named as missing.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from okng.bench.line import machine
from okng.bench.models_part import HEIGHT, WIDTH, Part, judge_in_turn
from okng.bench.models_race import Runner, race
from okng.bench.models_told import OURS, aims, head, tables
from okng.bus.clock import utc_now
from okng.bus.errors import OkngError
from okng.models.bundle import open_bundle
from okng.models.runtime_options import RuntimeOptions
from okng.models.stages import measure
from okng.simline.parts import TEACH_INDEX, render
from okng.training.choice import USUAL, cut
from okng.training.features import extract
from okng.training.graph import Nodes, load_backbone
from okng.training.layout import Layout
from okng.training.lesson import Grid, learn
from okng.training.linear import LinearHead
from okng.training.options import TeachOptions
from okng.training.taught_graph import taught_graph
from okng.training.teach import teach

HERE = Path(__file__).parent
TAUGHT_FROM, SHOWN, FRAMES = 60, 4, 24
LAYOUTS = {OURS: (256, 16), "320 px": (320, 16), "256 px, map 32x32": (256, 8), "512 px": (512, 16)}
PEERS = ("padim-r18", "patchcore-r18", "patchcore-r18-default", "stfpm-r18", "efficientad-s")
GOODS, ADDED, GOODS_PX = 200, 50, 640


def goods(folder: Path, first: int, count: int, size: tuple[int, int], *, colour: bool = True) -> Path:
    """Write pictures of good parts. size: width and height, px."""
    folder.mkdir(parents=True)
    for at in range(first, first + count):
        picture = render(5, TEACH_INDEX + at, None, *size, colour).picture
        if not cv2.imwrite(str(folder / f"{at:03}.png"), picture[:, :, ::-1] if colour else picture):
            raise OkngError(f"{folder}: cannot be written")
    return folder


def taught(folder: Path, out: Path, size_px: int, step_px: int) -> Path:
    """A bundle with both heads, whatever suits these goods best: the dearer form."""
    said = {"name": "bench", "size_px": size_px, "step_px": step_px, "heads": "usual", "threads": 1}
    return teach(folder, out, TeachOptions.model_validate(said)).bundle


def with_labels(pictures: Sequence[Any], layout: Layout) -> bytes:
    """The graph that labelled defects lead to: both heads and the linear one. Its weights are drawn."""
    features = extract(np.stack([cut(each, layout) for each in pictures]), layout, 1, lambda _: None)
    options = TeachOptions(name="bench")
    lesson = learn(features, Grid(layout.columns, layout.block), options, USUAL, lambda _: lambda _: None)
    wide = lesson.heads.whitening.matrix.shape[1]
    dice = np.random.default_rng(0).normal(0, 0.05, (2, wide)).astype(np.float32)
    head = LinearHead(dice[0], dice[1], memory=0.3, gaussian=0.3, bias=0.0, keeps_unlikeness=True)
    return taught_graph(layout, replace(lesson.heads, linear=head))


def backbone(layout: Layout) -> bytes:
    """Cast, normalisation and the backbone alone, up to its last tap: the least a model on it can cost."""
    nodes = Nodes(load_backbone(), layout)
    return nodes.model([("tap10", ["n", 112, layout.height_px // 16, layout.width_px // 16])])


def our_runners(bundles: dict[str, Path]) -> tuple[dict[str, Runner], dict[str, str]]:
    """Our graphs and their backbones; and which backbone belongs to which."""
    runners: dict[str, Runner] = {}
    backbones: dict[str, str] = {}
    for name, (size_px, step_px) in LAYOUTS.items():
        layout = Layout(size_px, size_px, 3, step_px)
        own = f"backbone, {size_px} px"
        shown = [render(1, at, "scratch" if at % 2 else None, size_px, size_px, True).picture for at in range(SHOWN)]
        if own not in runners:
            runners[own] = Runner.of(own, backbone(layout), shown)
        runners[name] = Runner.of(name, open_bundle(bundles[name]).model, shown)
        backbones[name] = own
        if name == OURS:
            labelled = f"{name}, with labels"
            pictures = [render(5, TEACH_INDEX + at, None, size_px, size_px, True).picture for at in range(TAUGHT_FROM)]
            runners[labelled] = Runner.of(labelled, with_labels(pictures, layout), shown)
            backbones[labelled] = own
    return runners, backbones


def peer_runners(folder: Path) -> tuple[dict[str, Runner], dict[str, Any], list[str]]:
    """Peers whose exports are there, how they were made, and the names of those that are not."""
    index = folder / "peers.json"
    if not index.is_file():
        return {}, {}, list(PEERS)
    made = json.loads(index.read_text(encoding="utf-8"))
    size_px = LAYOUTS[OURS][0]
    if made["asked"]["size"] != size_px:
        raise SystemExit(f"{index}: made for {made['asked']['size']} px: expected {size_px}")
    shown = [render(1, at, "scratch" if at % 2 else None, size_px, size_px, True).picture for at in range(SHOWN)]
    runners = {
        name: Runner.of(name, folder / f"{name}.onnx", shown, said["pictures"])
        for name, said in made["peers"].items()
        if (folder / f"{name}.onnx").is_file()
    }
    return runners, made, [name for name in PEERS if name not in runners]


def ratio(one: Runner, other: Runner) -> dict[str, float]:
    """How many times as long one takes as the other."""
    return {
        "of_least": round(one.least_ms / other.least_ms, 3),
        "of_medians": round(one.middle_ms / other.middle_ms, 3),
    }


def race_all(options: argparse.Namespace, bundles: dict[str, Path], console: Console) -> dict[str, Any]:
    """The race; returns its figures."""
    runners, backbones = our_runners(bundles)
    peers, made, missing = peer_runners(options.peers)
    for name in missing:
        console.print(f"[bold]{name}: missing[/]: no export in {options.peers}; `make bench-models` makes it")
    console.print(f"racing {len(runners) + len(peers)} graphs, {options.rounds} rounds")
    race([*runners.values(), *peers.values()], options.rounds, seed=0)
    return {
        "graphs": {name: each.told() for name, each in (runners | peers).items()},
        "to_own_backbone": {name: ratio(runners[name], runners[own]) for name, own in backbones.items()},
        "peers_to_ours": {name: ratio(each, runners[OURS]) for name, each in peers.items()},
        "peers": made,
        "missing": missing,
    }


def part_cost(rounds: int, folder: Path) -> dict[str, Any]:
    """A part's cost by cameras of grey and of colour, and where the inference of the colour model spends its time."""
    parts = []
    for name, pixel_format in (("grey", "Mono8"), ("colour", "BayerRG8")):
        shown = goods(folder / name, 0, FRAMES, (WIDTH, HEIGHT), colour=name == "colour")
        parts.append(Part(name, pixel_format, taught(shown, folder / f"{name}-bundle", *LAYOUTS[OURS])))
    judge_in_turn(parts, rounds)
    inside = measure(open_bundle(parts[-1].bundle), (WIDTH, HEIGHT), RuntimeOptions(), seconds=1.0).inside
    return {each.name: each.told() for each in parts} | {"inside_ms": {k: round(v, 3) for k, v in inside.items()}}


def teaching(folder: Path) -> dict[str, Any]:
    """Teach and add, each in a process of its own, with every option at its default."""
    first, more = folder / "goods", folder / "more"
    goods(first, 0, GOODS, (GOODS_PX, GOODS_PX))
    goods(more, GOODS, ADDED, (GOODS_PX, GOODS_PX))
    base, out = folder / "base", folder / "added"
    runs = {"teach": [first, base], "add": [more, out, base]}
    found = {}
    for name, arguments in runs.items():
        done = subprocess.run(
            [sys.executable, HERE / "models_teach.py", *arguments], check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr[-2000:]}")
        found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--peers", type=Path, default=Path("bench-out/peers"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, default=HERE / "models.json")
    options = parser.parse_args()
    console = Console(width=130)
    result: dict[str, Any] = {"at": utc_now(), "machine": machine(), "rounds": options.rounds}
    with tempfile.TemporaryDirectory(prefix="okng-bench-") as place:
        folder = Path(place)
        console.print(f"teaching from {TAUGHT_FROM} rendered parts")
        shown = goods(folder / "goods", 0, TAUGHT_FROM, (256, 256))
        bundles = {name: taught(shown, folder / f"b{at}", *said) for at, (name, said) in enumerate(LAYOUTS.items())}
        result["race"] = race_all(options, bundles, console)
        console.print(f"parts of {WIDTH}x{HEIGHT}")
        result["part"] = part_cost(4 * options.rounds, folder / "parts")
        console.print(f"teaching {GOODS} goods of {GOODS_PX}x{GOODS_PX}, adding {ADDED}")
        result["teaching"] = teaching(folder / "taught")
    result["machine"]["load_at_end"] = os.getloadavg()[0]
    result["aims"] = [asdict(each) for each in aims(result)]
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    lines = head(result)
    for title, heads, rows in tables(result):
        table = Table(*heads, title=title, title_justify="left")
        lines += ["", f"{title}:", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for row in rows:
            table.add_row(*row)
            lines.append(f"| {' | '.join(row)} |")
        console.print(table)
    with (HERE / "RESULTS.md").open("a", encoding="utf-8") as results:
        results.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
