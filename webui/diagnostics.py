"""The Diagnostics screen: how the box is, process by process. It asks nobody for it, so it works whoever is dead."""

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import gettext

from .. import __version__
from ..bus.clock import SECOND, now_ns, utc_text
from ..bus.degraded import GivenUp, read_degraded
from ..bus.heartbeat import Pulse
from ..bus.messages import Health
from ..bus.stacks import dumps
from .access import needs
from .answered import answered, script_words, sent
from .asking import ask
from .log_tail import cleaned, log_tail
from .machine import Power, addresses, clock, disks, gpu, gpu_fitted, load, memory, power, resident_kb, temperatures
from .made_file import pieces_of
from .web import Web
from .words import N_

RIGHT = "diagnostics.read"
STILL_NS = 2 * SECOND
"""A loop that has not turned for this long is marked."""
MOST_DUMPS, MOST_LINES = 10, 200
"""Last words that are shown, and lines of each from the end. The support bundle has all of them."""
LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "numpy", "opencv-python-headless", "pyzmq", "apsw", "flask", "genicam")
HEALTH = {
    Health.STARTING: N_("starting"),
    Health.READY: N_("ready"),
    Health.FAULT: N_("fault"),
    Health.LOST: N_("ended"),
}
SUPPLIES = {"Battery": N_("battery"), "UPS": N_("uninterruptible supply"), "Mains": N_("mains")}
STATUSES = {
    "charging": N_("charging"),
    "discharging": N_("discharging"),
    "full": N_("full"),
    "not charging": N_("not charging"),
    "online": N_("connected"),
    "offline": N_("not connected"),
}
"""What the kernel says of a supply."""


def diagnostic_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("diagnostics", __name__, url_prefix="/diagnostics")

    @views.get("/")
    @needs(RIGHT)
    def page() -> str:
        shown = {"urls": {name: url_for(f"diagnostics.{name}") for name in ("figures", "log", "bundle")}}
        shown["words"] = _words()
        return render_template("diagnostics/page.html", shown=shown, versions=_versions(), **_figures(web), **_log(web))

    @views.get("/figures")
    @needs(RIGHT)
    def figures() -> str:
        return render_template("diagnostics/figures.html", **_figures(web))

    @views.get("/log")
    @needs(RIGHT)
    def log() -> str:
        return render_template("diagnostics/log.html", **_log(web))

    @views.post("/bundle")
    @needs(RIGHT)
    def bundle() -> Response:
        with_pictures = sent().get("pictures") is True
        answer = ask(web, "support.bundle", {"pictures": with_pictures})
        work = str(answer.body.get("work", ""))
        urls = {"status": url_for("diagnostics.made", work=work), "file": url_for("diagnostics.file", work=work)}
        return answered(answer, **(urls if work else {}))

    @views.get("/bundle/<work>.json")
    @needs(RIGHT)
    def made(work: str) -> Response:
        return answered(ask(web, "work.status", {"work": work}))

    @views.get("/bundle/<work>.zip")
    @needs(RIGHT)
    def file(work: str) -> Response:
        answer = Response(pieces_of(web, work, "support.zip"), mimetype="application/zip")
        answer.headers["Content-Disposition"] = f"attachment; filename=okng-support-{work}.zip"
        return answer

    return views


def _log(web: Web) -> dict[str, Any]:
    source, lines = log_tail(web.run_dir)
    find = request.args.get("find", "").strip().lower()[:100]
    return {"source": source, "lines": [line for line in lines if find in line.lower()], "dumps": _dumps(web)}


def _figures(web: Web) -> dict[str, Any]:
    return {
        "processes": _processes(web),
        "temperatures": [*temperatures(), *gpu()],
        "memory": memory(),
        "disks": disks({gettext("ledger and pictures"): web.store, gettext("run folder"): web.run_dir}),
        "load": load(),
        "clock": clock(),
        "addresses": [(card, _link(state), own) for card, state, own in addresses()],
        "power": [_supply(one) for one in power()],
        "provider": _provider(web),
        "cameras": _cameras(web),
        "queues": _queues(web),
    }


def _link(state: str) -> str:
    """What the kernel calls the state of a network card."""
    words = {"up": gettext("connected"), "down": gettext("not connected"), "lowerlayerdown": gettext("not connected")}
    return str(words.get(state, gettext("not known")))


def _supply(one: Power) -> dict[str, Any]:
    kind, status = SUPPLIES.get(one.kind), STATUSES.get(one.status.lower())
    said = {"kind": gettext(kind) if kind else one.kind, "status": gettext(status) if status else one.status}
    return {"name": one.name, "percent": one.percent, **said}


def _processes(web: Web) -> list[dict[str, Any]]:
    """Every process that ever claimed a heartbeat, and whether its loop turns."""
    pulse = Pulse(web.run_dir)
    beats = pulse.beats()
    pulse.close()
    wanted = ("io", *(f"camera-{name}" for name in web.cameras), "inspect", "records", "shift", "workshop", "web")
    found, at_ns = [], now_ns()
    given_up = {one.name: one for one in read_degraded(web.run_dir) if one.stands(beats, at_ns)}
    wanted = (*wanted, *given_up)
    for name in dict.fromkeys((*wanted, *sorted(beats))):
        beat = beats.get(name)
        if beat is None:
            found.append({"name": name, "known": False, "ok": False, "word": gettext("never started")})
            found[-1] |= _given_up(given_up.get(name))
            continue
        age_s = (at_ns - beat.turned_ns) / SECOND
        turns = beat.has_moved(at_ns, 10 * SECOND, STILL_NS)
        ok = turns and beat.health is Health.READY
        word = gettext(HEALTH[beat.health]) if turns or beat.health is Health.LOST else gettext("does not move")
        kept = {"name": name, "known": True, "ok": ok, "word": word, "pid": beat.pid, "age_s": age_s}
        found.append({**kept, "done": beat.done, "rss_kb": resident_kb(beat.pid) if turns else None})
        found[-1] |= _given_up(given_up.get(name))
    return found


def _given_up(one: GivenUp | None) -> dict[str, Any]:
    """What is said beside a process that is started only once a minute."""
    if one is None:
        return {}
    words = gettext("does not stay up: ended again and again, last with %(end)s", end=one.ended)
    return {"ok": False, "word": words, "since": one.since[:16].replace("T", " ")}


def _dumps(web: Web) -> list[dict[str, str]]:
    """Last words of processes that broke, newest first."""
    found = [(one.name, one.at_ns, one.text) for one in dumps(web.run_dir)[:MOST_DUMPS]]
    return [
        {"name": name, "at": _minute(at_ns), "text": "\n".join(cleaned(text.encode(), MOST_LINES))}
        for name, at_ns, text in found
    ]


def _minute(at_ns: int) -> str:
    return utc_text(datetime.fromtimestamp(at_ns / SECOND, UTC))[:19].replace("T", " ")


def _provider(web: Web) -> dict[str, Any]:
    """What runs the models. A CPU where a GPU could be is said, not hidden."""
    inspect = web.watch.inspect
    if inspect is None:
        return {"known": False}
    cpu = "CPUExecutionProvider" in inspect.provider
    told = {"known": True, "name": inspect.provider, "cpu": cpu, "fallback": cpu and gpu_fitted()}
    return {**told, "detail": inspect.detail, "judged": inspect.judged}


def _cameras(web: Web) -> list[dict[str, Any]]:
    states = web.watch.camera_states
    found = []
    for name in web.cameras:
        state = states.get(name)
        found.append({"name": name, "known": state is not None, **(asdict(state) if state else {})})
    return found


def _queues(web: Web) -> list[tuple[str, int | None]]:
    station = web.watch.station
    counters = station.counters if station else None
    works = web.watch.news.latest("work") or {}
    waiting = sum(work.get("state") == "waiting" for work in works.get("works", []))
    return [
        (gettext("parts in flight"), counters.in_flight if counters else None),
        (gettext("stale verdicts"), counters.stale_verdicts if counters else None),
        (gettext("late verdicts"), counters.late if counters else None),
        (gettext("works that wait"), waiting),
    ]


def _versions() -> list[tuple[str, str]]:
    found = [("okng", __version__), ("Python", platform.python_version()), ("Linux", platform.release())]
    for name in LIBRARIES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def _words() -> dict[str, str]:
    words = {
        "making": N_("Being made … %(share)s %%"),
        "made": N_("Ready: %(size)s kB"),
    }
    return script_words(words)
