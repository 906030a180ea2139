"""What goes to the browser as JSON. Words stay codes here; `words.py` turns them into the viewer's language."""

from typing import Any

from ..bus.messages import Counters, InspectState, StationState
from .board import Board, Result
from .line import Line

TREND_MINUTES = 60


def key_of(result: Result) -> str:
    """Name of one part for the browser: a number used again is another part."""
    return f"{result.part}-{result.triggered_ns}"


def result_payload(result: Result, frame: int) -> dict[str, Any]:
    """One part. frame: number of its picture on the screen, 0 for none."""
    ready = result.frame
    return {
        "key": key_of(result),
        "part": result.part,
        "outcome": result.outcome,
        "action": result.action,
        "why": result.why,
        "reasons": list(result.reasons),
        "defects": [[d.kind, d.x, d.y, d.w, d.h, d.score] for d in result.defects],
        "score": result.score,
        "threshold": result.threshold,
        "camera": result.camera,
        "width": ready.width if ready else 0,
        "height": ready.height if ready else 0,
        "frame": frame,
        "overlay": bool(result.heat),
        "verdict_ms": result.verdict_ms,
        "budget_ms": result.budget_ms,
        "delivery": result.delivery,
        "confirmed": result.confirmed,
    }


def counters_payload(board: Board, now_minute: int, since: str, whole: bool) -> dict[str, Any]:
    """Totals of this run of io and the trend. since: UTC; whole: nothing was counted before it."""
    counters = board.station.counters if board.station else None
    trend = [[now_minute - m.number, m.ok, m.ng, m.unjudged] for m in board.minutes]
    return {
        **_totals(counters),
        "trend": [minute for minute in trend if minute[0] < TREND_MINUTES],
        "since": since,
        "whole": whole,
    }


def _totals(counters: Counters | None) -> dict[str, Any]:
    if counters is None:
        return {"known": False}
    judged = counters.ok + counters.ng + counters.unjudged
    return {
        "known": True,
        "triggers": counters.triggers,
        "ok": counters.ok,
        "ng": counters.ng,
        "unjudged": counters.unjudged,
        "late": counters.late,
        "missed": counters.missed,
        "in_flight": counters.in_flight,
        "unconfirmed": counters.unconfirmed,
        "consecutive_ng": counters.consecutive_ng,
        "yield": counters.ok / judged if judged else None,
        "balanced": counters.triggers == judged + counters.in_flight
        and counters.ordered == counters.ng + counters.unjudged,
    }


def state_payload(
    line: Line, station: StationState | None, inspect: InspectState | None, stated: str
) -> dict[str, Any]:
    """The top bar and the alarm band. stated: UTC since when the first reason holds."""
    job = station.job if station else inspect.job if inspect else None
    return {
        "state": line.state,
        "inspecting": line.inspecting,
        "reasons": list(line.reasons),
        "since": stated,
        "station": station.station if station else "",
        "recipe": job.recipe if job else "",
        "revision": job.revision if job else "",
        "model": job.model if job else "",
        "provider": inspect.provider if inspect else "",
        "plc_alive": station.plc_alive if station else False,
    }
