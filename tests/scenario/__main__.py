"""python -m okng.tests.scenario [--docs DIR] [--keep]: the whole plant, act by act; exit 1 where one does not hold.

Three boxes with simulated lines, one fleet service on PostgreSQL and SeaweedFS, MLflow where `.venv-mlflow` is there.
With --docs it writes scenario.md and scenario.json.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console

from okng.bus.clock import utc_now
from okng.tests.training.mlflow_server import HOME, MlflowServer

from .acts import ACTS, Scene, words
from .plant import plant


def play(folder: Path, tell: Any, only: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Play the acts in order; the first that fails ends the play."""
    found: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        if (HOME / "mlflow").exists():
            server = MlflowServer()
            stack.callback(server.stop)
            os.environ["OKNG_SCENARIO_REGISTRY"] = server.url()
        scene = Scene(stack.enter_context(plant(folder, tell)))
        for name, act in ACTS:
            if only and name not in only:
                continue
            begun = time.monotonic()
            entry: dict[str, Any] = {"act": name, "what": words(act.__doc__ or "")}
            tell(f"-- {name}: {entry['what']}")
            try:
                entry |= {"holds": True, "found": act(scene)}
            except Exception as error:  # noqa: BLE001 - told with its trace, and the play ends
                entry |= {"holds": False, "found": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
            entry["seconds"] = round(time.monotonic() - begun, 1)
            tell(f"   {'holds' if entry['holds'] else 'DOES NOT HOLD'} ({entry['seconds']} s): {entry['found']}")
            found.append(entry)
            if not entry["holds"]:
                tell(entry["trace"])
                break
    return found


def page(found: list[dict[str, Any]]) -> str:
    """The same for people."""
    lines = [
        "# The plant, act by act",
        "",
        "`make fleet-proof`: three boxes with simulated lines, each with all its processes, one fleet service on",
        "PostgreSQL and S3 (SeaweedFS), a channel with offline keys. Written by the program that played it,",
        f"{utc_now()[:10]}.",
        "",
        "| act | what is promised | held | s | what came of it |",
        "|---|---|---|---:|---|",
    ]
    for one in found:
        said = json.dumps(one["found"], ensure_ascii=False).replace("|", "/")
        lines.append(
            f"| {one['act']} | {one['what']} | {'yes' if one['holds'] else 'NO'} | {one['seconds']} | {said} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Play, tell, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--docs", type=Path, default=None)
    parser.add_argument("--keep", action="store_true", help="leave the plant's folder")
    options = parser.parse_args()
    console = Console(width=150, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="okpl", dir="/tmp"))
    try:
        found = play(folder, lambda text: console.print(text, markup=False, highlight=False))
    finally:
        if options.keep:
            console.print(f"left: {folder}")
        else:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)
    whole = len(found) == len(ACTS) and all(one["holds"] for one in found)
    if options.docs is not None:
        plain = [{key: value for key, value in one.items() if key != "trace"} for one in found]
        (options.docs / "scenario.json").write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")
        (options.docs / "scenario.md").write_text(page(found))
    console.print("the plant holds" if whole else "the plant does NOT hold")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
