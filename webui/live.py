"""The live picture and the events: `/frame.jpg`, `/overlay.png`, `/thumb/…`, `/events`.

Streams and waiting pictures are capped, because each holds a thread: without a cap twenty held streams on sixteen
threads make every page dead.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, abort, request
from flask_babel import get_translations

from ..bus.clock import MS, SECOND, now_ns
from .access import open_to_all
from .advice import localized
from .alarm_words import localized_shift
from .news import News
from .pictures import Shown
from .watch import Watch
from .words import Gettext

WAIT_S = 2.0
"""A picture is waited for this long, then 204."""
LIFETIME_NS = 15 * 60 * SECOND
"""A stream ends after this, so that its slot comes round; the browser opens a new one."""
PING_S = 5.0
SEND_TIMEOUT_S = 2.0
"""A reader that takes nothing for this long loses its stream, and its slot."""
RETRY_AFTER = {"Retry-After": "3"}


def live_views(watch: Watch, max_streams: int) -> Blueprint:
    """Make the blueprint over one watcher."""
    views = Blueprint("live", __name__)
    streams = threading.BoundedSemaphore(max_streams)
    waits = threading.BoundedSemaphore(max_streams)

    @views.get("/frame.jpg")
    @open_to_all
    def frame() -> Response:
        watch.look()
        asked = request.args.get("frame", type=int)
        if asked is not None:
            shown = watch.easel.shown(asked)
            camera = request.args.get("camera", shown.camera if shown else "")
            return _picture(shown, camera) if shown and camera in shown.views else Response(status=404)
        after = request.args.get("after", default=0, type=int)
        if not waits.acquire(blocking=False):
            return Response(status=204, headers=RETRY_AFTER)
        try:
            newer = watch.easel.newer(after, WAIT_S)
        finally:
            waits.release()
        return _picture(newer, newer.camera) if newer else Response(status=204)

    @views.get("/overlay.png")
    @open_to_all
    def overlay() -> Response:
        watch.look()
        shown = watch.easel.shown(request.args.get("frame", default=0, type=int))
        # The part is asked for as well: a map must never lie over another part's picture.
        view = shown and shown.views.get(request.args.get("camera", shown.camera))
        if not shown or not view or view.overlay is None or shown.part != request.args.get("part", type=int):
            abort(404)
        return Response(view.overlay, mimetype="image/png", headers=_marks(shown))

    @views.get("/thumb/<key>.jpg")
    @open_to_all
    def thumb(key: str) -> Response:
        small = watch.easel.thumb(key)
        if small is None:
            abort(404)
        return Response(small, mimetype="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    @views.get("/events")
    @open_to_all
    def events() -> Response:
        if not streams.acquire(blocking=False):
            return Response(status=503, headers=RETRY_AFTER)
        release = _once(streams.release)
        try:
            watch.look()
            connection = request.environ.get("gunicorn.socket")
            if connection is not None:
                connection.settimeout(SEND_TIMEOUT_S)
            answer = Response(_stream(watch, _gettext()), mimetype="text/event-stream")
        except BaseException:
            release()
            raise
        answer.headers["X-Accel-Buffering"] = "no"
        # Not in the generator: one that was never started does not run its `finally`.
        answer.call_on_close(release)
        return answer

    return views


def _gettext() -> Gettext:
    """The viewer's language, held for as long as the stream lasts."""
    translations = get_translations()
    return lambda message: str(translations.gettext(message))


def _once(action: Callable[[], None]) -> Callable[[], None]:
    done = threading.Lock()

    def act() -> None:
        if done.acquire(blocking=False):
            action()

    return act


def _marks(shown: Shown) -> dict[str, str]:
    """Age by the box's own clock: a browser's clock may be wrong."""
    return {
        "X-Frame": str(shown.frame),
        "X-Part": str(shown.part),
        "X-Age-Ms": str(max(0, (now_ns() - shown.at_ns) // MS)),
    }


def _picture(shown: Shown, camera: str) -> Response:
    return Response(shown.views[camera].jpeg, mimetype="image/jpeg", headers=_marks(shown))


def _stream(watch: Watch, gettext: Gettext) -> Iterator[str]:
    news: News = watch.news
    yield "retry: 1000\n\n"
    serial, until_ns = 0, now_ns() + LIFETIME_NS
    while not news.closed and now_ns() < until_ns:
        serial, fresh = news.since(serial, PING_S)
        watch.look()
        yield "".join(_event(topic, _in_words(topic, payload, gettext)) for topic, payload in fresh) or ": ping\n\n"


def _in_words(topic: str, payload: Mapping[str, Any], gettext: Gettext) -> Mapping[str, Any]:
    return localized_shift(payload, gettext) if topic == "shift" else localized(topic, payload, gettext)


def _event(topic: str, payload: Any) -> str:
    return f"event: {topic}\ndata: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n"
