"""Which model judged before the last swap, written down in the run folder: who starts again has it at hand again."""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from ..bus.clock import boot_id
from ..bus.messages import BundleAt

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastGood:
    """One bundle that another one has taken the place of."""

    job: int
    revision: str
    replaces: str
    """Digest of the bundle that decides now."""
    bundle: str
    """Digest of the one before."""
    folder: str
    """Where that one lies."""
    until_ns: int
    """Monotonic: so long it is kept."""


def changed(before: tuple[BundleAt, ...], now: tuple[BundleAt, ...]) -> tuple[BundleAt, BundleAt] | None:
    """The bundle that was exchanged, as it was and as it is; None: it is not known."""
    there = {each.name: each for each in now}
    pairs = ((each, there[each.name]) for each in before if each.name in there)
    return next(((old, new) for old, new in pairs if old.digest != new.digest), None)


def last_good_file(run: Path) -> Path:
    """Where it is written down."""
    return run / "last-good.json"


def write_last_good(run: Path, kept: LastGood | None) -> None:
    """Write it down; None: there is none. A disk that does not let us costs the way back after a restart, no more."""
    path = last_good_file(run)
    try:
        if kept is None:
            path.unlink(missing_ok=True)
            return
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({"boot": boot_id(), **asdict(kept)}), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        _LOG.warning("%s: cannot be written: %s", path, error.strerror)


def read_last_good(run: Path) -> LastGood | None:
    """What is written there; None: nothing of this boot."""
    path = last_good_file(run)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        if known.pop("boot") != boot_id():
            return None
        return LastGood(**known)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _LOG.warning("%s does not read (%s): the model before is loaded when it is asked for", path, error)
        return None
