"""What a part's record and the line's state look like to systems outside the box, pure: one schema for MQTT and OPC UA.

No pixels and no heat maps. Moments are UTC for people; durations are milliseconds. `docs/mes.md` lists every key.
"""

import math

from ..bus.clock import MS
from ..bus.messages import StationState
from ..bus.part import Action, Defect, Record

RESULT_SCHEMA = "okng.result/1"
STATE_SCHEMA = "okng.state/1"
COUNTERS_SCHEMA = "okng.counters/1"
MOST_REASONS = 16
"""Reasons told of one part; the ledger has them all."""
MOST_DEFECTS = 32
"""Defects told of one part; `defect_count` tells how many there are."""

Json = dict[str, object]


def result_id(record: Record, epoch: str) -> str:
    """Name one part for good: a part number used again, or another run of io, makes another name."""
    return f"{epoch}-{record.trigger.part}-{record.trigger.at_ns}"


def part_report(record: Record, epoch: str, box: str, lot: str = "") -> Json:
    """Return the report of one part, ready for JSON. epoch: of the io that made the record. lot: empty: none."""
    codes = record.verdict.codes if record.verdict is not None else ()
    trigger, verdict, disposition = record.trigger, record.verdict, record.disposition
    found: Json = {
        "schema": RESULT_SCHEMA,
        "id": result_id(record, epoch),
        "box": box,
        "station": trigger.station,
        "epoch": epoch,
        "part": trigger.part,
        "serial": next((code.text for code in codes if code.serial and code.text), ""),
        "lot": lot,
        "codes": [{"name": code.name, "text": code.text, "kind": code.kind} for code in codes],
        "triggered_ns": trigger.at_ns,
        "taken_at": record.taken_at,
        "pass": disposition.action is Action.PASS,
        "action": disposition.action.value,
        "why": disposition.why.value,
        "missed": trigger.missed,
        "delivery": record.receipt.delivery.value,
        "recipe": trigger.recipe,
        "latency_ms": _ms(disposition.committed_ns - trigger.at_ns),
        "verdict": None,
    }
    if verdict is not None:
        found["verdict"] = {
            "outcome": verdict.outcome.value,
            "reasons": list(verdict.reasons[:MOST_REASONS]),
            "score": _finite(verdict.score),
            "threshold": _finite(verdict.threshold),
            "recipe": verdict.recipe,
            "revision": verdict.revision,
            "model": verdict.model,
            "camera": verdict.camera,
            "inference_ms": _ms(verdict.done_ns - verdict.started_ns),
            "defect_count": len(verdict.defects),
            "defects": [_defect(one) for one in verdict.defects[:MOST_DEFECTS]],
        }
    return found


def state_report(state: StationState, box: str) -> Json:
    """Return how the line stands, without its counters."""
    return {
        "schema": STATE_SCHEMA,
        "box": box,
        "station": state.station,
        "epoch": state.epoch,
        "state": state.state,
        "ready": state.ready,
        "reasons": list(state.reasons[:MOST_REASONS]),
        "fault": state.fault,
        "plc_alive": state.plc_alive,
        "job": state.job_number,
        "recipe": state.job.recipe,
        "revision": state.job.revision,
        "model": state.job.model,
        "mode": state.mode,
    }


def counters_report(state: StationState, box: str) -> Json:
    """Return the totals of this run of io. triggers = ok + ng + unjudged + challenge + bypass + in_flight."""
    totals = state.counters
    return {
        "schema": COUNTERS_SCHEMA,
        "box": box,
        "station": state.station,
        "epoch": state.epoch,
        "triggers": totals.triggers,
        "ok": totals.ok,
        "ng": totals.ng,
        "unjudged": totals.unjudged,
        "challenge": totals.challenge,
        "bypass": totals.bypass,
        "late": totals.late,
        "missed": totals.missed,
        "in_flight": totals.in_flight,
        "ordered": totals.ordered,
        "confirmed": totals.confirmed,
        "unconfirmed": totals.unconfirmed,
    }


def _defect(one: Defect) -> Json:
    return {
        "kind": one.kind,
        "region": one.region,
        "score": _finite(one.score),
        "x": one.x,
        "y": one.y,
        "w": one.w,
        "h": one.h,
    }


def _finite(value: float) -> float | None:
    """JSON knows no infinity and no NaN; None where it is one."""
    return value if math.isfinite(value) else None


def _ms(span_ns: int) -> float:
    return round(span_ns / MS, 3)
