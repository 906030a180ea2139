"""Good parts before the camera, one after another, to teach from.

    python -m okng.simline.present PLAN.json

Says `{"of": 40, "width": 320, "height": 320, "colour": false}`, then for each line `next` on stdin puts the next
good part before the camera and says `{"index": 0}`; after the last one `{"done": true}`.
"""

import json
import sys
from pathlib import Path

from .pictures import BadPictures, Looks, open_looks
from .plan import BadPlan, read_plan
from .scene import BadScene, Scene


def present(looks: Looks, scene: Scene, noise: int, reference_exposure_us: float) -> None:
    """Show part after part as stdin asks. Ends with the last one or with stdin. Raises BadPictures, BadScene."""
    view = looks.view
    _say({"of": len(looks), "width": view.width, "height": view.height, "colour": view.colour})
    for index in range(len(looks)):
        if not _asked():
            return
        scene.show(looks.picture(index), index + 1, noise=noise, reference_exposure_us=reference_exposure_us)
        _say({"index": index})
    if _asked():
        _say({"done": True})


def _asked() -> bool:
    for line in sys.stdin:
        if line.strip() == "next":
            return True
        _say({"why": f"{line.strip()!r}: expected next"})
    return False


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: list[str] | None = None) -> int:
    """Show the good parts of a plan."""
    (path,) = map(Path, sys.argv[1:] if arguments is None else arguments)
    try:
        plan = read_plan(path)
        looks = open_looks(plan, teach=True)
        with Scene(Path(plan.scenes), plan.serial, looks.view.size_bytes) as scene:
            present(looks, scene, plan.noise, plan.reference_exposure_us)
    except (BadPlan, BadPictures, BadScene) as why:
        sys.stderr.write(f"{why}\n")
        return 78
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
