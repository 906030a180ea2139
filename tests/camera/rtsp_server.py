"""A network camera nobody here wrote: Debian's GStreamer RTSP server, H.264 over RTP.

    /usr/bin/python3 rtsp_server.py WIDTH HEIGHT RATE PORT

PORT 0 takes any. Prints `port N`. Each frame shows when it was made: 32 blocks, white for 1, are the milliseconds of
the monotonic clock, the highest bit first. Runs by the system's Python, for the bindings are Debian's.
"""

import importlib
import sys
import time
from typing import Any

gi = importlib.import_module("gi")
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
Gst = importlib.import_module("gi.repository.Gst")
GLib = importlib.import_module("gi.repository.GLib")
GstRtspServer = importlib.import_module("gi.repository.GstRtspServer")
COLUMNS, ROWS = 8, 4
LAUNCH = (
    "( appsrc name=camera is-live=true format=time do-timestamp=true "
    "caps=video/x-raw,format=GRAY8,width={width},height={height},framerate={rate}/1 "
    "! videoconvert ! video/x-raw,format=I420 "
    "! x264enc tune=zerolatency speed-preset=ultrafast sliced-threads=false key-int-max={rate} bitrate=4000 "
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


def stamped(width: int, height: int) -> bytes:
    """A grey picture that shows the present moment."""
    ms = time.monotonic_ns() // 1_000_000
    rows = []
    for row in range(ROWS):
        bits = [ms >> (31 - row * COLUMNS - column) & 1 for column in range(COLUMNS)]
        line = b"".join((b"\xe6" if bit else b"\x1e") * (width // COLUMNS) for bit in bits)
        rows.append(line * (height // ROWS))
    return b"".join(rows)


def feed(media: Any, width: int, height: int, rate: int) -> None:
    """Push a frame into the camera's pipeline at the rate, until it is torn down."""
    source = media.get_element().get_by_name("camera")

    def push() -> bool:
        flow = source.emit("push-buffer", Gst.Buffer.new_wrapped(stamped(width, height)))
        return bool(flow == Gst.FlowReturn.OK)

    GLib.timeout_add(1000 // rate, push)


def main(width: int, height: int, rate: int, port: int) -> None:
    Gst.init(None)
    server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
    server.set_address("127.0.0.1")
    server.set_service(str(port))
    factory.set_launch(LAUNCH.format(width=width, height=height, rate=rate))
    factory.set_shared(True)
    factory.connect("media-configure", lambda _factory, media: feed(media, width, height, rate))
    server.get_mount_points().add_factory("/cam", factory)
    server.attach(None)
    sys.stdout.write(f"port {server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:5]))
