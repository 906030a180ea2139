"""The doctor's look at the cameras. A producer is foreign code: it is looked at by a process of its own.

python -m okng.camera.doctor [PRODUCER]      what that producer sees, as JSON
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from ..bus.clock import now_ns
from ..bus.doctor import Finding
from ..bus.errors import OkngError
from ..bus.heartbeat import Pulse
from .options import CameraOptions
from .producers import PATH, producers_in_path
from .source import CameraInfo

LOOK_S = 30.0
"""Longest time a producer gets to list its cameras; those of a network wait for answers."""
_MOVING_NS = 10**9


def camera_findings(name: str, options: CameraOptions, run_dir: Path) -> list[Finding]:
    """Look at one camera of the settings: its driver, and whether it is seen. Opens none."""
    if options.driver == "replay":
        return [_folder_finding(name, options.folder)]
    if options.driver in ("video", "aravis"):
        return [_driver_finding(name, options)]
    producer = _producer_finding(name, options)
    if producer.ok is False:
        return [producer]
    return [producer, _seen_finding(name, options, run_dir)]


def _folder_finding(name: str, folder: Path | None) -> Finding:
    if folder is None or not folder.is_dir():
        advice = f"Set camera.{name}.folder to a folder of pictures."
        return Finding(f"camera {name}", False, f"{folder}: no such folder", advice)
    return Finding(f"camera {name}", True, f"plays the pictures of {folder}")


def _driver_finding(name: str, options: CameraOptions) -> Finding:
    """Whether the driver is there, and a camera's device or file; a stream shows only when it is opened."""
    what = f"camera {name}"
    if options.driver == "aravis":
        from .aravis_nodes import PACKAGES, load

        try:
            load()
        except OkngError as error:
            return Finding(what, False, str(error), f"Install {PACKAGES}, and let this Python see Debian's `gi`.")
        return Finding(what, True, f"camera {options.serial or '(the only one)'} through Aravis")
    from .capture import parse_address

    try:
        address = parse_address(options.video)
    except OkngError as error:
        return Finding(what, False, str(error), f"Mend camera.{name}.video.")
    if address.kind != "stream" and not Path(address.text).exists():
        advice = f"Plug it in, or mend camera.{name}.video."
        return Finding(what, False, f"{address.name}: no such {address.kind}", advice)
    return Finding(what, True, f"{address.kind} {address.name}")


def _unnamed() -> list[Path]:
    """Producers that a camera without one of its own is looked for with; a link and its file are one."""
    return sorted({file.resolve() for file in producers_in_path()})


def _producer_finding(name: str, options: CameraOptions) -> Finding:
    what, producer = f"camera {name}: driver", options.producer
    if producer is None:
        files = _unnamed()
        if not files:
            advice = f"Install the camera maker's GenTL producer and set camera.{name}.producer to its .cti file."
            return Finding(what, False, f"0 producers in {PATH}, none named in the settings", advice)
        if len(files) > 1:
            names = ", ".join(file.name for file in files)
            found = f"{len(files)} producers in {PATH}, none named in the settings: {names}"
            if not options.serial:
                advice = f"Set camera.{name}.producer to the .cti of its maker, or camera.{name}.serial."
                return Finding(what, False, found, advice)
            # What runs asks all of them for the serial number: it works, and takes longer.
            advice = f"Set camera.{name}.producer to the .cti of its maker: the others are not loaded then."
            return Finding(what, None, found, advice)
        producer = files[0]
    if not producer.is_file():
        advice = f"Install the camera maker's GenTL producer, or mend camera.{name}.producer."
        return Finding(what, False, f"{producer}: no such file", advice)
    return Finding(what, True, str(producer))


def _seen_finding(name: str, options: CameraOptions, run_dir: Path) -> Finding:
    what = f"camera {name}"
    pulse = Pulse(run_dir)
    beat = pulse.beats().get(f"camera-{name}")
    pulse.close()
    if beat is not None and beat.has_moved(now_ns(), _MOVING_NS, _MOVING_NS):
        # Looking loads the producer anew, and some tear the open camera away.
        return Finding(what, True, f"held by okng camera {name} (process {beat.pid}), which says {beat.health}")
    troubles: tuple[str, ...] = ()
    try:
        files = [] if options.producer else _unnamed()
        if len(files) > 1:
            from .discovery import list_cameras

            listing = list_cameras(files)
            cameras, troubles = [*listing.cameras], listing.troubles
        else:
            cameras = look(options.producer)
    except OkngError as error:
        return Finding(what, False, str(error), "Ask the camera maker for a producer that fits this system.")
    seen = ", ".join(f"{each.vendor} {each.model} {each.serial}".strip() for each in cameras) or "none"
    chosen = [each for each in cameras if options.serial in ("", each.serial, each.id)]
    if not chosen:
        wanted = options.serial or "any"
        advice = "Look at its power and its cable, and whether its network card has an address in its network."
        return Finding(what, False, "; ".join((f"camera {wanted} is not seen; seen: {seen}", *troubles)), advice)
    if len(chosen) > 1:
        advice = f"Set camera.{name}.serial to the serial number of the right one."
        return Finding(what, False, f"more than one is seen: {seen}", advice)
    if not chosen[0].free:
        advice = "Close the maker's viewer, or whatever else has it open."
        return Finding(what, False, f"{seen}: held by another program", advice)
    return Finding(what, True, seen)


def look(producer: Path | None) -> list[CameraInfo]:
    """List what a producer sees, by a process of its own. OkngError: it does not load, crashes or does not answer."""
    command = [sys.executable, "-m", f"{__package__}.doctor", *([str(producer)] if producer else [])]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=LOOK_S)
    except subprocess.TimeoutExpired as error:
        raise OkngError(f"{producer}: no answer within {LOOK_S:.0f} s") from error
    if done.returncode < 0:
        raise OkngError(f"{producer}: the producer crashed (signal {-done.returncode})")
    try:
        said = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        last = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise OkngError(f"{producer}: {last}") from error
    if "refused" in said:
        raise OkngError(said["refused"])
    return [CameraInfo(**each) for each in said["cameras"]]


def main(arguments: list[str]) -> int:
    """Print what a producer sees as one line of JSON; return the exit code."""
    from .look import discover

    try:
        cameras = discover(Path(arguments[0]) if arguments else None)
    except OkngError as error:
        sys.stdout.write(json.dumps({"refused": str(error)}) + "\n")
        return 1
    sys.stdout.write(json.dumps({"cameras": [dataclasses.asdict(each) for each in cameras]}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
