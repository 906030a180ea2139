"""One round of sync, and the loop that repeats it: rejects go out, the channel's bundle comes in."""

import logging
import random
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadLedger, Lost, Refused
from ..records.read import LedgerReader
from .options import SyncOptions
from .pull import pull
from .push import Pushed, push
from .stores import BlobStore, open_store

log = logging.getLogger(__name__)
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Synced:
    """What one round came to."""

    pushed: Pushed
    bundle: Path | None
    """Folder of the channel's bundle; None: no channel is set."""


def sync_once(options: SyncOptions, store: Path, bundles: Path, state: Path, blobs: BlobStore | None = None) -> Synced:
    """Push all rejects of the ledger in `store`, then pull the channel's bundle into `bundles`.

    state: folder for the cursor. StoreLost: call again later, it goes on where it was. BadStore, BadObject, BadBundle,
    BadSettings, BadLedger: a person has to act; the bundle in use is not touched by any of it.
    """
    where = blobs or open_store(options)
    pushed = push(LedgerReader(store), where, state, box=options.box, batch_events=options.batch_events)
    return Synced(pushed, pull(where, options.channel, bundles, options.authorities) if options.channel else None)


def run(options: SyncOptions, store: Path, bundles: Path, state: Path) -> int:
    """Sync every `every_s` seconds until SIGTERM or SIGINT; return 0.

    A store that is lost is tried again after a random wait of at most 1 s, doubled up to 5 minutes; what is refused is
    said once and tried again at the longest wait, since somebody may mend it.
    """
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    blobs = open_store(options)
    trouble, since_ns, tries = "", 0, 0
    while not stop.is_set():
        try:
            done = sync_once(options, store, bundles, state, blobs)
        except (Lost, Refused) as error:
            tries += 1
            if not trouble:
                since_ns = now_ns()
            if str(error) != trouble:
                log.error("sync: %s", error)
                trouble = str(error)
            longest = isinstance(error, Refused) and not isinstance(error, BadLedger)
            stop.wait(_LONGEST_WAIT_S if longest else back_off_s(tries))
            continue
        if trouble:
            log.info("sync works again after %.0f s, %d tries", (now_ns() - since_ns) / SECOND, tries)
            trouble, tries = "", 0
        if done.pushed.events:
            log.info("sync: %d records and %d pictures left the box", done.pushed.events, done.pushed.pictures)
        stop.wait(options.every_s)
    return 0


def back_off_s(tries: int) -> float:
    """Seconds to wait after so many failures in a row: full jitter, 1 s doubling to 5 minutes.

    Full jitter, so that a hundred boxes do not come back in one wave
    (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter).
    """
    return random.uniform(0, min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(tries - 1, 16)))
