"""The watcher: one thread that listens to the line, keeps the board, and encodes each picture once for all viewers.

It owns the bus sockets and the rings. While nobody looks it encodes nothing; the heartbeat it puts into the news is
stamped here, at each turn of this loop, from what io, inspect and the cameras stamped themselves.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..bus.channel import (
    Subscriber,
    camera_address,
    inspect_addresses,
    io_address,
    records_state_address,
    shift_address,
    workshop_address,
)
from ..bus.clock import MS, SECOND, now_ns, utc_now
from ..bus.heartbeat import Heartbeat, Pulse
from ..bus.messages import CameraState, FrameLost, FrameReady, Health, InspectState, RecordsState, StationState, Work
from ..bus.part import Disposition, Record, Trigger, Verdict
from ..bus.ring import RingShelf
from ..bus.shift import ShiftState
from ..camera.frame import read_picture
from .board import MINUTE_NS, Board
from .closeup import Closeup
from .easel import Easel, Read
from .line import assess, started_at
from .news import News
from .options import WebOptions
from .payload import counters_payload, key_of, result_payload, shift_payload, state_payload
from .result import Result

log = logging.getLogger(__name__)
HEARD = (
    Trigger,
    Verdict,
    Disposition,
    Record,
    StationState,
    InspectState,
    CameraState,
    FrameReady,
    FrameLost,
    ShiftState,
    Work,
    RecordsState,
)
WATCHED_NS = 4 * SECOND
"""A viewer that has not asked for this long is gone: encoding stops."""
STATE_EVERY_NS = 250 * MS
BEAT_EVERY_NS = 1 * SECOND
INSPECT_SILENT_NS = 3 * SECOND
"""inspect speaks every 500 ms: after this long without a word, what it said of the pictures is worth nothing."""
SHIFT_SILENT_NS = 3 * SECOND
RECORDS_SILENT_NS = 5 * SECOND
FREE_RUN_AFTER_NS = 2 * SECOND
"""A free-running picture is shown only when no part came for this long."""


class Watch:
    """Start once, in the process that serves (after gunicorn has forked)."""

    def __init__(
        self,
        run_dir: Path,
        cameras: tuple[str, ...],
        options: WebOptions,
        read: Read = read_picture,
        died: Callable[[], None] | None = None,
    ) -> None:
        """Nothing is opened yet. died: called in the thread when it ends by an error."""
        self.news = News()
        self._died = died
        self._run_dir, self._cameras, self._options = run_dir, cameras, options
        self.easel = Easel(read, options.max_edge_px)
        """The pictures, for any thread."""
        self.closeup = Closeup(read)
        """One camera's picture in full, for any thread."""
        self._board = Board(len(cameras))
        self._asked_to_stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._viewed_ns = 0
        self._said: Result | None = None
        self._said_frame = 0
        self._said_ng: Result | None = None
        self._said_film: tuple[Result, ...] = ()
        self._reasons: tuple[str, ...] = ()
        self._reasons_since = utc_now()
        self._counting_since = utc_now()
        self._counted_run = ("", 0)
        self._counted_whole = False

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the line's cameras."""
        return self._cameras

    @property
    def shift(self) -> ShiftState | None:
        """What the shift process last said; None: nothing in the last seconds."""
        board = self._board
        return board.shift if board.shift is not None and now_ns() - board.shift_at_ns < SHIFT_SILENT_NS else None

    @property
    def station(self) -> StationState | None:
        """What io last said of the line; None: nothing yet."""
        return self._board.station

    @property
    def camera_states(self) -> Mapping[str, CameraState]:
        """What each camera last said of itself."""
        return dict(self._board.cameras)

    def work(self, id: str) -> Work | None:  # noqa: A002 - as the field is called
        """How a long piece of work stands; None: not heard of."""
        return self._board.work.get(id)

    @property
    def records(self) -> RecordsState | None:
        """What records last said of the store; None: nothing in the last seconds."""
        board = self._board
        fresh = board.records is not None and now_ns() - board.records_at_ns < RECORDS_SILENT_NS
        return board.records if fresh else None

    @property
    def inspect(self) -> InspectState | None:
        """What inspect last said of itself; None: nothing yet."""
        return self._board.inspect

    def latest_state(self) -> Mapping[str, Any]:
        """What was last said on `state`; empty: nothing yet."""
        return self.news.latest("state") or {}

    # -- for the views, any thread ------------------------------------------------------------------------------

    def look(self) -> None:
        """Somebody watches: pictures are worth encoding for the next seconds."""
        self._viewed_ns = now_ns()

    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread. ValueError: it was started before."""
        if self._thread is not None:
            raise ValueError("the watcher was started before")
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the thread end, and all streams with it, without waiting for it. Fit for a signal handler."""
        self._asked_to_stop.set()

    def close(self) -> None:
        """Stop the thread and end all streams. Never raises; a second call does nothing."""
        self._asked_to_stop.set()
        self.news.close()
        if self._thread is not None:
            self._thread.join(timeout=5)

    # -- the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._listen()
        except Exception:  # the outermost frame of the thread: from here on the screens say "not updating"
            log.exception("the watcher stopped: the screens show no new result until this process is restarted")
            if self._died is not None:
                self.news.close()
                self._died()
        finally:
            self.news.close()
            self.easel.wake()

    def _listen(self) -> None:
        addresses = [io_address(self._run_dir), *inspect_addresses(self._run_dir)]
        addresses += [camera_address(self._run_dir, name) for name in self._cameras]
        addresses += [shift_address(self._run_dir), workshop_address(self._run_dir)]
        addresses.append(records_state_address(self._run_dir))
        heartbeat = Heartbeat(self._run_dir, "web")
        heartbeat.health = Health.READY
        pulse, shelf = Pulse(self._run_dir), RingShelf(self._run_dir)
        show_every_ns = SECOND // self._options.fps
        show_due = state_due = beat_due = 0
        with Subscriber(addresses, HEARD) as subscriber:
            try:
                while not self._asked_to_stop.is_set():
                    message = subscriber.receive(40)
                    for _ in range(500):  # a flood must not keep the heartbeat from turning
                        if message is None:
                            break
                        self._board.take(message, now_ns())
                        if isinstance(message, FrameReady):
                            self.closeup.hear(message)
                        message = subscriber.receive(0)
                    heartbeat.turn()
                    at_ns = now_ns()
                    if at_ns >= show_due:
                        # A part of several cameras takes the time of so many pictures.
                        show_due = at_ns + show_every_ns * self._show(shelf, at_ns)
                    self.closeup.serve(shelf, at_ns)
                    if at_ns >= state_due:
                        state_due = at_ns + STATE_EVERY_NS
                        self._tell_state(pulse, at_ns)
                    if at_ns >= beat_due:
                        beat_due = at_ns + BEAT_EVERY_NS
                        self._beat(pulse, at_ns)
            finally:
                for held in (heartbeat, pulse, shelf):
                    held.close()

    def _tell_state(self, pulse: Pulse, at_ns: int) -> None:
        line = assess(self._board, pulse.beats(), self._cameras, at_ns)
        if line.reasons[:1] != self._reasons[:1]:
            self._reasons_since = utc_now()
        self._reasons = line.reasons
        board = self._board
        heard = board.inspect is not None and at_ns - board.inspect_at_ns < INSPECT_SILENT_NS
        drift = board.inspect.alarms if board.inspect is not None and heard else ()
        self._put("state", state_payload(line, board.station, board.inspect, self._reasons_since, drift))
        self._tell_counters(pulse, at_ns)
        self._put("shift", shift_payload(self.shift))
        self._put("work", {"works": [asdict(work) for work in board.work.values()]})

    def _tell_counters(self, pulse: Pulse, at_ns: int) -> None:
        board = self._board
        if board.station is None:
            return
        run = (board.station.epoch, board.resets)
        if run != self._counted_run:
            fresh = self._counted_run[0] == run[0] or board.counted_from is None or board.counted_from.triggers == 0
            io = pulse.beats().get("io")
            # A run that was under way when this process came is as old as io's process.
            born = None if fresh or io is None else started_at(io.pid)
            self._counted_run, self._counting_since = run, born or utc_now()
            self._counted_whole = fresh or born is not None
        minute = at_ns // MINUTE_NS
        self._put("counters", counters_payload(board, minute, self._counting_since, self._counted_whole))

    def _put(self, topic: str, payload: dict[str, Any]) -> None:
        """Say only what is new."""
        if self.news.latest(topic) != payload:
            self.news.put(topic, payload)

    def _beat(self, pulse: Pulse, at_ns: int) -> None:
        line = assess(self._board, pulse.beats(), self._cameras, at_ns)
        local = time.localtime()
        self.news.put(
            "heartbeat",
            {
                "inspecting": line.inspecting,
                "moving": dict(line.moving),
                "utc_ms": time.time_ns() // MS,
                "offset_min": (local.tm_gmtoff or 0) // 60,
                "web": os.getpid(),
            },
        )

    def _show(self, shelf: RingShelf, at_ns: int) -> int:
        """Put what is new on the screens. Returns how many pictures went out, at least 1 if anything did, else 0."""
        watched = at_ns - self._viewed_ns < WATCHED_NS and self._viewed_ns > 0
        self._tell_film(shelf, watched)
        board = self._board
        result = board.fresh_ng or board.latest
        board.fresh_ng = None
        result = self._free_run(result, at_ns)
        if result is None:
            return 0
        missing = watched and bool(self.easel.missing(result))
        if result == self._said and not missing:
            self._tell_ng()
            return 0
        shown = self.easel.put(shelf, result, board.last_ng) if missing else self.easel.of(result)
        if result == self._said and (shown is None or shown.frame == self._said_frame):
            return 0
        self._said, self._said_frame = result, shown.frame if shown else 0
        self.news.put("result", result_payload(result, shown))
        self._tell_ng()
        return len(shown.views) if shown and missing else 1

    def _free_run(self, result: Result | None, at_ns: int) -> Result | None:
        ready = self._board.free_run
        if ready is None or (result is not None and at_ns - result.triggered_ns < FREE_RUN_AFTER_NS):
            return result
        if at_ns - ready.ready_ns > FREE_RUN_AFTER_NS:
            return result
        return Result(0, ready.ready_ns, camera=ready.camera, frame=ready)

    def _tell_ng(self) -> None:
        last = self._board.last_ng
        if last is None or last == self._said_ng:
            return
        self._said_ng = last
        self.news.put("last_ng", result_payload(last, self.easel.of(last)))

    def _tell_film(self, shelf: RingShelf, watched: bool) -> None:
        film = tuple(self._board.rejects)
        if film == self._said_film:
            return
        for reject in film if watched else ():
            self.easel.put_thumb(shelf, reject)
        self._said_film = film
        tiles = [
            {**result_payload(reject, None), "thumb": self.easel.thumb(key_of(reject)) is not None} for reject in film
        ]
        self.news.put("film", {"tiles": tiles})
