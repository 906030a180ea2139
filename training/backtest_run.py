"""Many pictures through one judge: in this process, in several, or on a Ray cluster; the same judge, the same rows.

A judge is made from what can be pickled, by a function at the top of a module; it takes rows and gives rows, plain
dictionaries of text and numbers, so that nothing here knows pictures or models.
"""

import atexit
import multiprocessing
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from multiprocessing.util import Finalize
from typing import Any, Protocol

from ..bus.errors import BadSettings

Row = dict[str, Any]
BATCH = 16
_REACH_S = 10.0
_JUDGE: list["Judge"] = []


class Judge(Protocol):
    """Judges pictures one after the other."""

    def __call__(self, row: Row) -> Row:
        """Return what is to be said of one. Never raises for a bad picture: `trouble` of the row says why."""
        ...

    def close(self) -> None:
        """Let go of all it holds."""
        ...


MakeJudge = Callable[[], Judge]


def run_here(
    rows: Sequence[Row], make: MakeJudge, workers: int = 1, progress: Callable[[float], None] = lambda _: None
) -> Iterator[Row]:
    """Yield what the judge says of each row, in order. workers: processes; 1: this one alone.

    What making the judge raises is raised here.
    """
    if workers <= 1:
        judge = make()
        try:
            for at, row in enumerate(rows):
                yield judge(row)
                progress((at + 1) / len(rows))
        finally:
            judge.close()
        return
    context = multiprocessing.get_context("spawn")  # a runtime with threads does not outlive a fork
    with ProcessPoolExecutor(workers, context, _begin, (make,)) as pool:
        done = 0
        for found in pool.map(_judged, _batches(rows)):
            yield from found
            done += len(found)
            progress(done / len(rows))


def run_on_ray(
    rows: Sequence[Row],
    make: MakeJudge,
    address: str,
    workers: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Iterator[Row]:
    """Yield what the judge says of each row, in any order, from actors of a Ray cluster (docs.ray.io, Ray Data).

    address: `auto`, `local`, `HOST:PORT` or `ray://HOST:PORT`. workers: actors, each with a judge of its own. The
    environment of the cluster has okng installed. BadSettings: ray is not installed, or no cluster answers.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise BadSettings("ray is not installed: pip install 'okng[ray]' in an environment of its own") from error
    if address not in ("auto", "local"):
        _reach(address)
    try:
        ray.init(None if address == "local" else address, ignore_reinit_error=True, log_to_driver=False)
    except (ConnectionError, TimeoutError, ValueError, RuntimeError) as error:
        raise BadSettings(f"--ray {address}: no cluster answers: {str(error)[:300]}") from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        blocks = max(1, min(len(rows), workers * 4))
        found = ray.data.from_items(list(rows), override_num_blocks=blocks).map(
            _Actor, fn_constructor_args=(make,), compute=ray.data.ActorPoolStrategy(size=workers), num_cpus=1
        )
        for at, row in enumerate(found.iter_rows()):
            yield dict(row)
            progress((at + 1) / len(rows))
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Ray asks an address where nobody listens again and again, for minutes. BadSettings."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise BadSettings(f"--ray {address}: no cluster answers: {error}") from error


class _Actor:
    """A judge inside an actor: made once, then asked row by row, by one thread, which a model belongs to."""

    def __init__(self, make: MakeJudge) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._judge = self._thread.submit(make).result()
        atexit.register(self._judge.close)

    def __call__(self, row: Row) -> Row:
        return self._thread.submit(self._judge, row).result()


def _begin(make: MakeJudge) -> None:
    _JUDGE[:] = [make()]
    Finalize(None, _JUDGE[0].close, exitpriority=10)  # a process of a pool ends without what atexit holds


def _judged(rows: Sequence[Row]) -> list[Row]:
    return [_JUDGE[0](row) for row in rows]


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch
