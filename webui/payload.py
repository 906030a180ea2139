"""What goes to the browser as JSON. Words stay codes here; `words.py` turns them into the viewer's language."""

from dataclasses import asdict
from typing import Any

from ..bus.clock import now_ns
from ..bus.messages import Counters, InspectState, StationState
from ..bus.part import Defect
from ..bus.shift import ShiftState
from .board import MINUTE_NS, Board
from .line import Line
from .pictures import Shown
from .result import Result

TREND_MINUTES = 60
PARETO = 5
RATE_MINUTES = 5


def key_of(result: Result) -> str:
    """Name of one part for the browser: a number used again is another part."""
    return f"{result.part}-{result.triggered_ns}"


def result_payload(result: Result, shown: Shown | None) -> dict[str, Any]:
    """One part. shown: its pictures on the screen, None for none."""
    width, height = (0, 0)
    if result.frame is not None:
        width, height = result.frame.width, result.frame.height
    if shown is not None:  # a developed picture may be smaller than its frame
        width, height = shown.main.width, shown.main.height
    return {
        "key": key_of(result),
        "part": result.part,
        "outcome": result.outcome,
        "action": result.action,
        "why": result.why,
        "reasons": list(result.reasons),
        "defects": _boxes(result.defects),
        "score": result.score,
        "threshold": result.threshold,
        "camera": result.camera,
        "width": width,
        "height": height,
        "frame": shown.frame if shown else 0,
        "overlay": bool(result.heat),
        "verdict_ms": result.verdict_ms,
        "budget_ms": result.budget_ms,
        "delivery": result.delivery,
        "confirmed": result.confirmed,
        "codes": [[code.name, code.text, code.serial] for code in result.codes],
        "views": _views(result, shown),
    }


def _boxes(defects: tuple[Defect, ...]) -> list[list[Any]]:
    return [[d.kind, d.x, d.y, d.w, d.h, d.score] for d in defects]


def _views(result: Result, shown: Shown | None) -> list[dict[str, Any]]:
    """The pictures of the other cameras."""
    if shown is None:
        return []
    found = []
    said = {verdict.camera: verdict for verdict in result.verdicts}
    for camera, view in sorted(shown.views.items()):
        if camera != shown.camera:
            verdict = said.get(camera)
            found.append(
                {
                    "camera": camera,
                    "outcome": str(verdict.outcome) if verdict else "",
                    "defects": _boxes(verdict.defects if verdict else ()),
                    "overlay": view.overlay is not None,
                    "width": view.width,
                    "height": view.height,
                }
            )
    return found


def counters_payload(board: Board, now_minute: int, since: str, whole: bool) -> dict[str, Any]:
    """Totals of this run of io and the trend. since: UTC; whole: nothing was counted before it."""
    counters = board.station.counters if board.station else None
    trend = [[now_minute - m.number, m.ok, m.ng, m.unjudged] for m in board.minutes]
    return {
        **_totals(counters),
        "trend": [minute for minute in trend if minute[0] < TREND_MINUTES],
        "pareto": _pareto(board, now_minute),
        "rate": _rate(board, now_minute),
        "since": since,
        "whole": whole,
    }


def _pareto(board: Board, now_minute: int) -> list[list[Any]]:
    """The most frequent classes of the NG parts of the trend: class, region, parts; at most five."""
    sums: dict[tuple[str, str], int] = {}
    for minute in board.kinds:
        if now_minute - minute.number < TREND_MINUTES:
            for key, count in minute.counts.items():
                sums[key] = sums.get(key, 0) + count
    first = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:PARETO]
    return [[kind, region, count] for (kind, region), count in first]


def _rate(board: Board, now_minute: int) -> float | None:
    """Parts a minute over the last whole minutes, up to five; None: none of them was seen whole."""
    begun = board.minutes[0].number if board.minutes else now_minute
    whole = min(RATE_MINUTES, now_minute - begun)
    if whole < 1:
        return None
    parts = sum(m.ok + m.ng + m.unjudged for m in board.minutes if 1 <= now_minute - m.number <= whole)
    return parts / whole


def _totals(counters: Counters | None) -> dict[str, Any]:
    if counters is None:
        return {"known": False}
    judged = counters.ok + counters.ng + counters.unjudged
    apart = counters.challenge + counters.bypass
    return {
        "known": True,
        "triggers": counters.triggers,
        "ok": counters.ok,
        "ng": counters.ng,
        "unjudged": counters.unjudged,
        "late": counters.late,
        "missed": counters.missed,
        "in_flight": counters.in_flight,
        "challenge": counters.challenge,
        "bypass": counters.bypass,
        "rejected": counters.ng + counters.unjudged,  # as in trends and reports: test and bypass stand beside it
        "unconfirmed": counters.unconfirmed,
        "consecutive_ng": counters.consecutive_ng,
        "yield": counters.ok / judged if judged else None,
        "balanced": counters.triggers == judged + apart + counters.in_flight
        and counters.ordered == counters.ng + counters.unjudged + apart,
    }


def state_payload(
    line: Line, station: StationState | None, inspect: InspectState | None, stated: str, drift: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The top bar and the alarm band. stated: UTC since when the first reason holds. drift: of the pictures."""
    job = station.job if station else inspect.job if inspect else None
    return {
        "state": line.state,
        "inspecting": line.inspecting,
        "reasons": list(line.reasons),
        "since": stated,
        "drift": list(drift),
        "station": station.station if station else "",
        "recipe": job.recipe if job else "",
        "revision": job.revision if job else "",
        "model": job.model if job else "",
        "provider": inspect.provider if inspect else "",
        "plc_alive": station.plc_alive if station else False,
        "mode": station.mode if station else "",
        "forced": list(station.forced) if station else [],
    }


def shift_payload(shift: ShiftState | None) -> dict[str, Any]:
    """Alarms, test, change-over, mode and lot. Moments of the monotonic clock stay out: they change at every word."""
    if shift is None:
        return {"known": False}
    said = asdict(shift)
    del said["at_ns"]
    until_ns = said["mode"].pop("until_ns")
    said["mode"]["left_min"] = max(0, -(-(until_ns - now_ns()) // MINUTE_NS)) if until_ns else None
    return {"known": True, **said}
