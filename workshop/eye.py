"""What the cameras see now: the newest picture of each, taken out of its ring when a person presses the shutter."""

from pathlib import Path

from ..bus.channel import Subscriber, camera_address
from ..bus.clock import MS, now_ns
from ..bus.messages import FrameReady
from ..bus.ring import RingShelf
from ..camera.frame import Frame, read_frame

STALE = "no fresh picture of camera {camera}: trigger a part or switch free run on"
_HEARD_AT_ONCE = 256


class Eye:
    """Hears of pictures, keeps none. One thread."""

    def __init__(self, run_dir: Path, cameras: tuple[str, ...]) -> None:
        self._heard = Subscriber([camera_address(run_dir, name) for name in cameras], (FrameReady,))
        self._shelf = RingShelf(run_dir)
        self._newest: dict[str, FrameReady] = {}

    def listen(self) -> None:
        """Take in what was said since. Never waits."""
        for count, ready in enumerate(self._heard.drain(), 1):
            self._newest[ready.camera] = ready
            if count >= _HEARD_AT_ONCE:
                return

    def take(self, camera: str, fresh_ms: int) -> Frame:
        """Return the newest whole picture of a camera, developed. ValueError: there is none fresh. BadPicture."""
        self.listen()
        ready = self._newest.get(camera)
        if ready is None or now_ns() - ready.ready_ns > fresh_ms * MS:
            raise ValueError(STALE.format(camera=camera))
        frame = read_frame(self._shelf, ready)
        if frame is None:  # overwritten while it was read: another has come
            raise ValueError(STALE.format(camera=camera))
        return frame

    def close(self) -> None:
        """Let go of sockets and rings."""
        self._heard.close()
        self._shelf.close()
