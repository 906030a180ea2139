"""The climb's work that takes long, in a thread of its own: fetch, verify, try, rehearse, and read what people said.

One chore at a time; the climb looks for its result at each of its turns.
"""

import logging
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..bus.errors import BadBundle, Lost, OkngError, Refused, StoreLost
from ..models.bundle import open_bundle
from ..records.durable import make_folder, sync_folder
from .channel_offer import Offer, Standing, Ticket
from .channel_own import OwnWord
from .climb_box import ClimbBox
from .climb_trial import load, rehearse
from .ladder_state import Needs
from .signing import verify

log = logging.getLogger(__name__)
ROOM = 2
"""The disk has to hold a bundle so many times over."""


class Source(Protocol):
    """Where offers come from. Its methods may wait for the network; they are called by the worker alone."""

    def standing(self) -> Standing:
        """What the channels say now; asked often, it goes out seldom. Lost, Refused: what was said last holds."""
        ...

    def fetch(self, offer: Offer | Ticket) -> Path:
        """Bring its bundle here, every byte checked. Lost, Refused."""
        ...

    def use(self, ticket: Ticket) -> None:
        """Burn a ticket. StoreLost: not burnt."""
        ...


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done for one bundle."""

    kind: str
    """`fetch`, `verify`, `load`, `golden`, `nightly`, `bring`, `ticket`, `own`."""
    recipe: str
    bundle: str
    offer: Offer | Ticket | None = None
    folder: Path | None = None
    who: str = ""
    """Who offers what was taught here."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    chore: Chore
    trouble: str = ""
    """Why it does not pass, for people; empty: it does."""
    later: bool = False
    """It could not be done now: the trouble says nothing of the bundle."""
    figures: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """Does chores. `give` and `take` are for the climb's thread, `work` for the worker's."""

    def __init__(self, box: ClimbBox, own: OwnWord | None = None) -> None:
        """own: what this box offers itself; None: nothing."""
        self._box, self._own, self._lock = box, own, threading.Lock()
        self._chore: Chore | None = None
        self._result: Result | None = None

    @property
    def busy(self) -> bool:
        """A chore is under way, or its result was not taken yet."""
        with self._lock:
            return self._chore is not None or self._result is not None

    def give(self, chore: Chore) -> bool:
        """Begin a chore; False: another one is under way."""
        with self._lock:
            if self._chore is not None or self._result is not None:
                return False
            self._chore = chore
            return True

    def take(self) -> Result | None:
        """The result of the chore, once; None: none is there."""
        with self._lock:
            result, self._result = self._result, None
            return result

    def work(self, source: Source | None) -> bool:
        """Do what was given. False: there was nothing."""
        with self._lock:
            chore = self._chore
        if chore is None:
            return False
        result = self._done(chore, source)
        with self._lock:
            self._chore, self._result = None, result
        return True

    def _done(self, chore: Chore, source: Source | None) -> Result:
        try:
            return Result(chore, figures=self._do(chore, source))
        except Lost as error:
            return Result(chore, str(error), later=True)
        except Refused as error:
            # What the way there brings says nothing of the bundle; what lies here does.
            return Result(
                chore, str(error), later=chore.kind in ("fetch", "ticket") and not isinstance(error, BadBundle)
            )
        except (OkngError, OSError) as error:
            return Result(chore, str(error), later=True)
        except Exception as error:
            log.exception("%s of bundle %.12s", chore.kind, chore.bundle)
            return Result(chore, f"{type(error).__name__}: {error}", later=True)

    def _do(self, chore: Chore, source: Source | None) -> Mapping[str, Any]:
        box, place = self._box, self._box.place(chore.bundle)
        match chore.kind:
            case "ticket":
                if source is None or not isinstance(chore.offer, Ticket):
                    raise StoreLost("there is no channel to burn a ticket in")
                source.use(chore.offer)
                return {}
            case "own":
                if chore.folder is None:
                    raise StoreLost(f"bundle {chore.bundle[:12]}: it does not lie here any more")
                own = self._mine()
                own.prepare()
                plain = Needs()
                parts = plain.shadow_parts, plain.canary_parts
                own.offer(chore.folder, box.bundles, chore.recipe, parts, chore.who, chore.reason)
                return {}
            case "bring":
                bring_in(chore.folder or place, place, chore.bundle)
                return {}
            case "fetch":
                if isinstance(chore.offer, Offer) and chore.offer.local:
                    open_bundle(place, chore.bundle)  # it lies here since it was offered
                elif source is None or chore.offer is None:
                    raise StoreLost("there is no channel to fetch from")
                else:
                    source.fetch(chore.offer)
                return {}
            case "verify":
                opened = open_bundle(place, chore.bundle)
                if isinstance(chore.offer, Offer) and chore.offer.local:
                    self._mine().check(place, chore.bundle)
                elif box.authorities:
                    verify(place, box.authorities)
                else:
                    raise BadBundle(f"{place}: nobody is named who may vouch for it: [fleet] authorities")
                size = sum(entry.size for entry in opened.manifest.files.values())
                free = shutil.disk_usage(box.bundles).free
                if free < ROOM * size:
                    raise BadBundle(f"{place}: {free >> 20} MB of disk are free: expected {ROOM * size >> 20} MB")
                return {"bytes": size}
            case "load":
                return load(place, box.memory_mb)
            case "golden" | "nightly":
                return self._rehearsed(chore, place)
            case _:
                raise Refused(f"{chore.kind}: there is no such chore")

    def _mine(self) -> OwnWord:
        if self._own is None or not self._box.local_bundles:
            raise BadBundle("[fleet] local_bundles = false: nothing that was taught on this box may climb")
        return self._own

    def own_offers(self) -> tuple[Offer, ...]:
        """What this box offers itself. Lost, Refused."""
        if self._own is None or not self._box.local_bundles or not self._own.certificate.exists():
            return ()
        return self._own.offers()

    def _rehearsed(self, chore: Chore, place: Path) -> Mapping[str, Any]:
        box, nightly = self._box, chore.kind == "nightly"
        # Beside a line that works the time tells of the load, not of the model: at night only scores are looked at.
        runs = {"runs": 1} if nightly else {}
        found = rehearse(place, chore.bundle, box.provider, box.threads, box.memory_mb, **runs)
        budget_ms = open_bundle(place, chore.bundle).manifest.budget_ms or 0.0
        refusal = found.failed if nightly else found.refusal(budget_ms, box.memory_mb)
        if refusal:
            raise BadBundle(refusal)
        return {
            "runs": found.runs,
            "typical_ms": round(found.typical_ms, 2),
            "p99_ms": round(found.p99_ms, 2),
            "slowest_ms": round(found.slowest_ms, 2),
            "budget_ms": budget_ms,
            "peak_mb": found.peak_mb,
            "detail": found.detail,
        }


def bring_in(folder: Path, place: Path, digest: str) -> None:
    """Copy a bundle that lies elsewhere on this box to where it belongs, whole or not at all. BadBundle, StoreLost."""
    if folder == place or place.is_dir():
        open_bundle(place, digest)
        return
    opened = open_bundle(folder, digest)
    new = place.with_name(place.name + ".partial")
    try:
        shutil.rmtree(new, ignore_errors=True)
        make_folder(new)
        for path in ["manifest.json", *opened.manifest.files, *(["signature.sig"] if opened.signed else [])]:
            make_folder((new / path).parent)
            shutil.copyfile(folder / path, new / path)
            with (new / path).open("rb") as copied:
                os.fsync(copied.fileno())
        open_bundle(new, digest)
        for inside in (one for one in new.rglob("*") if one.is_dir()):
            sync_folder(inside)
        sync_folder(new)
        new.rename(place)
        sync_folder(place.parent)
    except OSError as error:
        raise StoreLost(f"{place}: {error}") from error
