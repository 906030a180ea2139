"""The folder of one demonstration: settings, recipe, plan, model, ledger and logs, each a file a person can read."""

import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..bus.errors import BadSettings

MARK = ".okng-demo"
SERIAL = "SN0000"
CAMERA = "top"
OTHERS = ("side", "rear", "low")
"""Further cameras of a demonstration, each with its own serial number."""
LARGE, SMALL = (40.0, 60.0, 3.0), (18.0, 32.0, 2.0)
"""Length, pitch and its jitter of the parts, mm: small ones where large ones would need too fast a belt."""
FAST_MM_S = 1200.0


def free_port() -> int:
    """Return a TCP port of the loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """True when the port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a demonstration keeps its things."""

    out: Path
    run_dir: Path
    """Sockets, rings, heartbeats and scenes, on a tmpfs."""

    @property
    def settings(self) -> Path:
        """The box's settings, TOML."""
        return self.out / "okng.toml"

    @property
    def recipe(self) -> Path:
        """The recipe, YAML."""
        return self.out / "recipe.yaml"

    @property
    def plan(self) -> Path:
        """The simulated line's plan, JSON."""
        return self.out / "line.json"

    @property
    def health(self) -> Path:
        """What the pictures are compared with."""
        return self.out / "health.npz"

    @property
    def goods(self) -> Path:
        """Pictures of good parts, taken by the line's camera."""
        return self.out / "goods"

    @property
    def model(self) -> Path:
        """The bundle taught from them."""
        return self.out / "model"

    @property
    def slot(self) -> Path:
        """The link the recipe's `bundle` names: what is in use."""
        return self.out / "current"

    @property
    def store(self) -> Path:
        """The ledger and its pictures."""
        return self.out / "store"

    @property
    def line_log(self) -> Path:
        """What the simulated line wrote: `world.jsonl`, `plc.jsonl`."""
        return self.out / "line"

    @property
    def scenes(self) -> Path:
        """What the simulated cameras look at."""
        return self.run_dir / "scenes"

    @property
    def ledger_lines(self) -> Path:
        """The ledger as JSON lines, for the outside judge."""
        return self.out / "ledger.jsonl"

    @property
    def log(self) -> Path:
        """What the box's processes said."""
        return self.out / "okng.log"

    def close(self) -> None:
        """Remove the run folder. Never raises."""
        shutil.rmtree(self.run_dir, ignore_errors=True)


def make_workspace(out: Path, *, keep_model: bool) -> Workspace:
    """Make the folder of a new demonstration; an earlier one at the same place is replaced.

    BadSettings: out holds something that is not an earlier demonstration.
    """
    out = out.resolve()
    if out.exists() and any(out.iterdir()) and not (out / MARK).exists():
        raise BadSettings(f"{out}: expected a new folder or one of an earlier demo; it holds other things")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.iterdir():
        if keep_model and old.name in ("model", "goods"):
            continue
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    (out / MARK).touch()
    return open_workspace(out)


def open_workspace(out: Path) -> Workspace:
    """Take a folder as it is, with a run folder of its own: an earlier run's ledger is gone on with.

    BadSettings: out is no folder of a demonstration.
    """
    out = out.resolve()
    if not (out / MARK).exists():
        raise BadSettings(f"{out}: expected the folder of an earlier demo")
    shm = Path("/dev/shm")
    run_dir = Path(tempfile.mkdtemp(prefix="okng-", dir=shm if shm.is_dir() else None))
    made = Workspace(out, run_dir)
    made.scenes.mkdir()
    made.line_log.mkdir(exist_ok=True)
    return made


def write_settings(
    space: Workspace,
    *,
    modbus_port: int,
    web_port: int,
    language: str,
    producer: Path,
    bench: bool,
    others: dict[str, str],
    keep: Mapping[str, float] | None = None,
    cloud: bool = True,
) -> None:
    """Write the box's settings of this demonstration. others: serial numbers of the further cameras by name.

    keep: further keys of `[records.retention]`. cloud: False: nothing is owed to one, so pictures may go unsent.
    """
    kept = "".join(f"{key} = {value}\n" for key, value in (keep or {}).items())
    further = "".join(
        f'[camera.{name}]\ndriver = "gentl"\nproducer = "{producer}"\nserial = "{serial}"\nring_slots = 32\n\n'
        for name, serial in others.items()
    )
    sync = '[sync]\ntarget = "cloud"\n' if cloud else ""
    text = f"""\
# Settings of the demonstration, written by `okng demo`. A real box has /etc/okng/okng.toml.
recipe = "recipe.yaml"

[box]
name = "demo"
station = "line1"
run_dir = "{space.run_dir}"

[camera.{CAMERA}]
driver = "gentl"
producer = "{producer}"
serial = "{SERIAL}"
ring_slots = 32
must_differ = true

{further}[plc]
role = "modbus_server"
host = "127.0.0.1"
port = {modbus_port}
realtime = true

[inspect]
provider = "cpu"
threads = 1

[records]
store = "store"
ng_format = "jpeg"
ok_sample_percent = {0.0 if bench else 2.0}
[records.retention]
# A desk's disk may be fuller than a box's: what was just shown stays.
low_percent = 97
high_percent = 98
hard_cap_percent = 99
{kept}
[web]
host = "127.0.0.1"
port = {web_port}
language = "{language}"

{sync}"""
    space.settings.write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """What the recipe of a demonstration says of the product."""

    name: str
    view: tuple[int, int]
    """Width and height of the camera's picture, px."""
    colour: bool
    deadline_ms: int
    health: str = ""
    """File of the reference that pictures are compared with, beside the recipe; empty: none."""
    others: tuple[str, ...] = ()
    """Further cameras, which see the same in half the size."""
    loose: float | None = None
    """Limit of the further cameras' regions; None: the model's own."""


def write_recipe(space: Workspace, facts: RecipeFacts, belt: dict[str, Any]) -> None:
    """Write the recipe of this demonstration."""
    content: dict[str, Any] = {
        "name": facts.name,
        "description": "Written by okng demo.",
        "deadline_ms": facts.deadline_ms,
        "bundle": "current",
        "camera": _section(facts, 1),
        "regions": [{"name": "whole", "box": "full"}],
        "distances": {
            "eye_to_gate_mm": belt["eye_to_gate_mm"],
            "gate_to_confirm_mm": belt["gate_to_confirm_mm"],
            "max_speed_mm_s": belt["speed_mm_s"],
            "margin_ms": 200.0,
        },
    }
    if facts.others:
        del content["camera"]
        content["cameras"] = {CAMERA: _section(facts, 1), **{name: _section(facts, 2) for name in facts.others}}
        content["regions"] = [{"name": "whole", "camera": CAMERA, "box": "full"}]
        content["regions"] += [
            {
                "name": f"whole-{name}",
                "camera": name,
                "box": "full",
                **({"threshold": facts.loose} if facts.loose else {}),
            }
            for name in facts.others
        ]
    if facts.health:
        content["health"] = {CAMERA: {"reference": facts.health}}
    space.recipe.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def seen_size(view: tuple[int, int], shrink: int) -> tuple[int, int]:
    """Width and height of a camera that sees the view so many times smaller, in steps the simulated camera takes."""
    return view[0] // shrink // 4 * 4, view[1] // shrink // 2 * 2


def _section(facts: RecipeFacts, shrink: int) -> dict[str, Any]:
    """How one camera is set; shrink: how many times smaller it sees."""
    width, height = seen_size(facts.view, shrink)
    return {
        "pixel_format": "RGB8" if facts.colour else "Mono8",
        "width": width,
        "height": height,
        "trigger": "software",
        "exposure_us": 200.0,
    }


def belt_for(rate: float, deadline_ms: int, *, varying: bool) -> dict[str, Any]:
    """Return the belt that brings `rate` parts a second and leaves the gate late enough for deadline and margin."""
    length, pitch, jitter = LARGE if rate * LARGE[1] <= FAST_MM_S else SMALL
    speed = max(20.0, rate * pitch)
    commit_mm = speed * 0.06 + 12.0
    return {
        "part_length_mm": length,
        "pitch_mm": pitch,
        "pitch_jitter_mm": jitter,
        "speed_mm_s": speed,
        "profile": "varying" if varying else "steady",
        "eye_to_gate_mm": round(speed * (deadline_ms + 300) / 1000 + commit_mm, 1),
        "gate_to_confirm_mm": 100.0,
        "commit_mm": round(commit_mm, 1),
    }


def write_plan(space: Workspace, plan: dict[str, Any]) -> None:
    """Write the simulated line's plan."""
    whole = {"out": str(space.line_log), "scenes": str(space.scenes), "serial": SERIAL, **plan}
    space.plan.write_text(json.dumps(whole, indent=2), encoding="utf-8")


def removed(folder: Path) -> None:
    """Remove a folder if it is there."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
