"""What a person asks of one camera while they set it up: its features, live pictures, and that all be as it was.

Set-up is a session: the camera runs free, no frame is anybody's part, and the camera is not ready, so that nothing is
judged with values that no recipe knows. It ends when it is told to, when nobody has asked for it for a while, when the
job changes, or with the process; then the whole profile is written again, and every other value as it was found.

    feature.read    {names?: [..], all?: true}         features: as in `Feature`; live, changed, inspecting
    feature.write   {values: [[name, value], ..]}      the same, read back; only in a session
                    {revert: true} / {apply: true}     ends it: all as it was / the values written are kept until the
                                                       camera is set up the next time
    camera.free_run {on, seconds?: 1..600, confirmed?} begins a session, goes on with it, ends it
"""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from ..bus.asks import Ask, Desk, Handler
from ..bus.channel import AskDoor, Subscriber, ask_address, io_address
from ..bus.clock import SECOND, now_ns
from ..bus.errors import BadSettings, CameraLost
from ..bus.messages import StationState
from .features import Feature, Value
from .sfnc import OLDER, name_of

log = logging.getLogger(__name__)
SHOWN = (
    *("ExposureTime", "ExposureAuto", "Gain", "GainAuto", "BlackLevel", "Gamma"),
    *("BalanceWhiteAuto", "BalanceRatioSelector", "BalanceRatio", "AcquisitionFrameRate"),
    *("TriggerSource", "TriggerActivation", "TriggerDelay", "LineDebouncerTime", "TriggerOverlap"),
    *("DeviceModelName", "DeviceSerialNumber", "DeviceTemperature", "SensorWidth", "SensorHeight"),
)
"""What a person sets a camera up by; those it has are shown. By the SFNC, older names are found."""
THE_RECIPES = frozenset(
    (
        *("TriggerMode", "TriggerSelector", "AcquisitionMode", "PixelFormat", "TLParamsLocked"),
        *("Width", "Height", "OffsetX", "OffsetY", "UserSetSelector", "UserSetDefault", "ComponentSelector"),
    )
)
"""Not for a preview: the picture's shape and whose it is are the recipe's to say."""
_PROFILED = (
    *("ExposureTime", "ExposureAuto", "Gain", "GainAuto", "AcquisitionFrameRate"),
    *("TriggerSource", "TriggerActivation", "TriggerOverlap", "TriggerDelay", "LineDebouncerTime"),
)
PROFILED = frozenset(each for name in _PROFILED for each in (name, *OLDER.get(name, ())))
"""What each profile writes itself: after a restart the profile's word holds, it may be another job's by now."""
SELECTED = {"BalanceRatio": "BalanceRatioSelector"}
"""Features of which there is one for each choice of another."""
INSPECTING = "the line is inspecting: confirm that the camera is set up now, its parts are rejected meanwhile"
NO_SESSION = "switch the live picture on first: values are tried only while no part is judged by them"
STALE_NS = 2 * SECOND
MOST_SECONDS = 600
_MOST_NAMES = 64


class Setting(Protocol):
    """What is asked of the camera here; as FrameSource."""

    def describe(self, name: str) -> Feature:
        """What it is and may be. BadSettings: there is none."""

    def features(self) -> list[Feature]:
        """All of them."""

    def get(self, name: str) -> Value:
        """Read it."""

    def set(self, name: str, value: Value) -> None:
        """Write it."""

    def execute(self, name: str) -> None:
        """Run a command."""


class _Features:
    """A camera's features with the question whether there is one, which not every driver answers."""

    def __init__(self, source: Setting) -> None:
        self.describe, self.features = source.describe, source.features
        self.get, self.set, self.execute = source.get, source.set, source.execute

    def has(self, name: str) -> bool:
        """It is there now."""
        try:
            self.describe(name)
        except BadSettings:
            return False
        return True


class CameraDesk:
    """Answers the asks of one camera process, in its loop. One thread."""

    def __init__(
        self,
        name: str,
        source: Setting,
        run_dir: Path,
        begin: Callable[[], None],
        end: Callable[[], None],
        written: frozenset[str] = frozenset(),
    ) -> None:
        """begin: let the camera run free. end: set it up by its profile again. Both: Refused, CameraLost.

        written: further features that the profile has just written.
        """
        self._source, self._begin, self._end = _Features(source), begin, end
        self._lost: CameraLost | None = None
        self._file = run_dir / f"camera-{name}-found.json"
        self._until_ns = 0
        kept = _kept(self._file)
        self._found = [one for one in kept if one[0] not in PROFILED and one[0] not in written]
        """Name, value, selector (empty: none) and its value, as found before they were written first."""
        self._station: StationState | None = None
        self._heard = Subscriber([io_address(run_dir)], (StationState,))
        self._door = AskDoor(ask_address(run_dir, f"camera-{name}"))
        handlers = {"feature.read": self._read, "feature.write": self._write, "camera.free_run": self._run}
        self._desk = Desk("camera", {name: self._minded(handler) for name, handler in handlers.items()})
        if kept:  # the process before this one died in the middle of a session
            self._restore()

    @property
    def live(self) -> bool:
        """A session is on."""
        return self._until_ns > 0

    def turn(self) -> None:
        """Answer what is asked; end a session that nobody goes on with. CameraLost."""
        for state in self._heard.drain():
            self._station = state
        self._door.serve(self._desk, 0, 4)
        if self._lost is not None:
            raise self._lost
        if self.live and now_ns() >= self._until_ns:
            log.info("nobody looks at the camera any more: it works again as its recipe says")
            self.finish()

    def finish(self) -> None:
        """End the session, all as it was. Nothing happens where there is none. CameraLost."""
        if self.live:
            self._until_ns = 0
            self._end()
            self._restore()

    def close(self) -> None:
        """Let go of the sockets. Never raises."""
        self._heard.close()
        self._door.close()

    def _minded(self, handler: Handler) -> Handler:
        """Keep in mind that the camera was lost over an ask: the desk answers, the process has to end."""

        def handle(ask: Ask) -> dict[str, Any]:
            try:
                return handler(ask)
            except CameraLost as error:
                self._lost = error
                raise

        return handle

    # ---- handlers ----

    def _read(self, ask: Ask) -> dict[str, Any]:
        names = ask.body.get("names")
        if ask.body.get("all"):
            if not self.live:
                raise ValueError(NO_SESSION)
            return self._told(self._source.features())
        if names is None:
            names = SHOWN
        if not isinstance(names, list | tuple) or len(names) > _MOST_NAMES:
            raise ValueError(f"names: expected a list of up to {_MOST_NAMES} features")
        return self._told(self._described(str(name) for name in names))

    def _described(self, names: Any) -> list[Feature]:
        found = []
        for name in names:
            own = name_of(self._source, name)
            with suppress(BadSettings):
                if own is not None:
                    found.append(self._source.describe(own))
        return found

    def _told(self, features: list[Feature]) -> dict[str, Any]:
        return {
            "features": [
                {**asdict(each), "allowed": each.allowed, "fixed": each.name in THE_RECIPES} for each in features
            ],
            "live": self.live,
            "left_ms": max(0, self._until_ns - now_ns()) // 1_000_000 if self.live else 0,
            "changed": [{"name": name, "was": value, "of": of} for name, value, _, of in self._found],
            "inspecting": self._inspecting,
        }

    @property
    def _inspecting(self) -> bool:
        state = self._station
        return state is not None and state.ready and now_ns() - state.at_ns < STALE_NS

    def _run(self, ask: Ask) -> dict[str, Any]:
        seconds = ask.body.get("seconds", 60)
        if not ask.body.get("on"):
            self.finish()
            return self._told([])
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= MOST_SECONDS:
            raise ValueError(f"seconds = {seconds!r}: expected 1..{MOST_SECONDS}")
        if not self.live:
            if self._inspecting and ask.body.get("confirmed") is not True:
                raise ValueError(INSPECTING)
            self._begin()
            log.info("the camera is set up by hand, %s asked for it", ask.who)
        self._until_ns = now_ns() + round(seconds * SECOND)
        return self._told([])

    def _write(self, ask: Ask) -> dict[str, Any]:
        if ask.body.get("revert"):
            self.finish()
            return self._told(self._described(SHOWN))
        if ask.body.get("apply"):
            return self._apply()
        if not self.live:
            raise ValueError(NO_SESSION)
        values = ask.body.get("values")
        if isinstance(values, dict):
            values = list(values.items())
        if not isinstance(values, list) or not 1 <= len(values) <= _MOST_NAMES:
            raise ValueError(f"values: expected 1..{_MOST_NAMES} pairs of a feature and its value")
        names = []
        for pair in values:
            if (
                not isinstance(pair, list | tuple)
                or len(pair) != 2
                or not isinstance(pair[1], bool | int | float | str)
            ):
                raise ValueError(f"values: {pair!r}: expected a feature and its value")
            names.append(self._write_one(str(pair[0]), pair[1]))
        return self._told(self._described(names))

    def _write_one(self, name: str, value: Value) -> str:
        own = name_of(self._source, name) or name
        if own in THE_RECIPES:
            raise ValueError(f"{name}: the recipe says that, it is not tried here")
        feature = self._source.describe(own)
        if feature.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        fault = feature.fault(value)
        if fault:
            raise ValueError(f"{name}: {fault}")
        self._note(own)
        self._source.set(own, value)
        return name

    def _note(self, name: str) -> None:
        """Keep the value as it was found, once."""
        selector = SELECTED.get(name, "")
        choice: Value = self._source.get(selector) if selector and self._source.has(selector) else ""
        if any(known == name and of == choice for known, _, _, of in self._found):
            return
        found = [*self._found, (name, self._source.get(name), selector if choice else "", choice)]
        draft = self._file.with_suffix(".draft")
        try:
            draft.write_text(json.dumps(found), encoding="utf-8")
            draft.replace(self._file)  # whole or not at all: who comes after a crash writes back what stands there
        except OSError as error:
            raise ValueError(f"what was found cannot be kept, so nothing is written: {error.strerror}") from error
        self._found = found

    def _apply(self) -> dict[str, Any]:
        """End the session and write once more what was written in it. Not kept by any recipe."""
        if not self.live:
            raise ValueError(NO_SESSION)
        wanted = []
        for name, _, selector, choice in self._found:
            if selector:
                self._source.set(selector, choice)
            wanted.append((name, self._source.get(name), selector, choice))
        self._until_ns = 0
        self._end()
        self._put(wanted)
        self._forget()
        return self._told(self._described(SHOWN))

    def _restore(self) -> None:
        """Write everything back as it was found, the last that was changed first."""
        self._put(list(reversed(self._found)))
        self._forget()

    def _put(self, values: list[tuple[str, Value, str, Value]]) -> None:
        for name, value, selector, choice in values:
            try:
                if selector:
                    self._source.set(selector, choice)
                if self._source.get(name) != value:
                    self._source.set(name, value)
            except BadSettings as error:  # the profile has the last word on what it says
                log.warning("as it was found, this cannot be written: %s", error)

    def _forget(self) -> None:
        self._found = []
        with suppress(OSError):
            self._file.unlink(missing_ok=True)


def _kept(file: Path) -> list[tuple[str, Value, str, Value]]:
    """What a process that died in a session had found; nothing where the file does not read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return [(str(name), value, str(selector), of) for name, value, selector, of in content]
    except (OSError, ValueError, TypeError):
        return []
