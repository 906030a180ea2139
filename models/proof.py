"""A detector that may be used: loaded, warmed up until its times settle, and through the gate."""

import logging
from collections.abc import Callable

from .bundle import Bundle
from .detector import Detector
from .parity import golden_cut, require_gate, require_golden
from .runtime_options import RuntimeOptions
from .warmup import warm_up

log = logging.getLogger(__name__)


def proved_detector(
    bundle: Bundle,
    options: RuntimeOptions,
    *,
    batch: int = 1,
    timed: bool = True,
    between: Callable[[], None] = lambda: None,
) -> Detector:
    """Return a detector of the bundle that scores its golden pictures as stored.

    batch: see `Detector`. timed: it must also keep the time that was promised; without, scores alone are asked for: for
    a bundle that has kept it on this box already and is loaded again while the line runs. between: called before each
    inference, for who loads beside others.
    BadSettings: the provider is not there. BadBundle: it does not load or run, scores otherwise, or is too slow.
    """
    detector = Detector(bundle, options.provider, options.threads, batch=batch, options=options)
    cuts = [golden_cut(detector, golden) for golden in bundle.golden[:8]]
    turn = 0

    def run() -> None:
        nonlocal turn
        between()
        detector.find_cut(cuts[turn % len(cuts)])
        turn += 1

    # A CPU is warm after a few runs; a GPU chooses kernels and fills its caches.
    warmed = warm_up(run, most_ms=1_000 if options.provider == "cpu" else 5_000)
    report = require_gate(detector, between) if timed else require_golden(detector, between)
    log.info(
        "model %.12s on %s: %s; first run %.1f ms, after %d %.1f ms",
        bundle.digest,
        detector.provider,
        report.detail,
        warmed.first_ns / 1e6,
        warmed.runs,
        warmed.settled_ns / 1e6,
    )
    return detector
