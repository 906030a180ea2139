"""Results and names of okng as the structures of OPC 40100-1. They exist once the nodeset is loaded, not before."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncua import ua as _ua

from ..bus.clock import MS
from .opcua_shelf import Result
from .part_report import part_report

ua: Any = _ua
"""asyncua puts the structures of a nodeset here when it is loaded, so no checker can know them."""
_MS = timedelta(milliseconds=1)
_DIGEST = re.compile(r"[0-9a-f]{64}")


def text_of(structure: Any) -> str:
    """The Id of one of the id structures that a client handed in; empty: none."""
    found = getattr(structure, "Id", None)
    return found if isinstance(found, str) else ""


def recipe_id(name: str, revision: str = "") -> Any:
    """A recipe's id. revision: empty: not known."""
    return ua.RecipeIdInternalDataType(Id=name, Version=revision or None)


def configuration_id(model: str) -> Any:
    """The model bundle's id: its digest, shortened, with the whole as hash; what is no digest is the id as it is."""
    if _DIGEST.fullmatch(model) is None:
        return ua.ConfigurationIdDataType(Id=model)
    return ua.ConfigurationIdDataType(Id=model[:12], Hash=bytes.fromhex(model), HashAlgorithm="SHA-256")


def moment(text: str) -> datetime:
    """Read the UTC of a record. ValueError: it is none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def result_data(result: Result) -> Any:
    """Return the ResultDataType of one part."""
    record = result.record
    taken = moment(record.taken_at)
    latency = (record.disposition.committed_ns - record.trigger.at_ns) / MS * _MS
    return ua.ResultDataType(
        ResultId=ua.ResultIdDataType(Id=result.result_id),
        IsPartial=False,
        IsSimulated=False,
        ResultState=result.state,
        MeasId=ua.MeasIdDataType(Id=result.meas_id) if result.meas_id else None,
        PartId=ua.PartIdDataType(Id=str(record.trigger.part)),
        InternalRecipeId=recipe_id(result.recipe, result.revision),
        InternalConfigurationId=configuration_id(result.model),
        JobId=ua.JobIdDataType(Id=result.job_id),
        CreationTime=taken + latency,
        ProcessingTimes=_times(result, taken, taken + latency),
        ResultContent=content(result),
    )


def _times(result: Result, start: datetime, end: datetime) -> Any:
    verdict = result.record.verdict
    acquired = judged = None
    if verdict is not None:
        judged = (verdict.done_ns - verdict.started_ns) / MS
        if verdict.frame is not None:
            acquired = (verdict.frame.ready_ns - verdict.triggered_at_ns) / MS
    return ua.ProcessingTimesDataType(
        StartTime=start, EndTime=end, AcquisitionDuration=acquired, ProcessingDuration=judged
    )


def content(result: Result) -> list[Any]:
    """ResultContent: pass, action, why, outcome, score, threshold, number of defects, and the whole report as JSON."""
    record, verdict = result.record, result.record.verdict
    report = json.dumps(
        part_report(record, result.epoch, result.box, result.lot), ensure_ascii=False, separators=(",", ":")
    )
    kind = ua.VariantType
    return [
        ua.Variant(record.disposition.action.value == "PASS", kind.Boolean),
        ua.Variant(record.disposition.action.value, kind.String),
        ua.Variant(record.disposition.why.value, kind.String),
        ua.Variant(verdict.outcome.value if verdict else "UNJUDGED", kind.String),
        ua.Variant(verdict.score if verdict else 0.0, kind.Double),
        ua.Variant(verdict.threshold if verdict else 0.0, kind.Double),
        ua.Variant(len(verdict.defects) if verdict else 0, kind.UInt32),
        ua.Variant(report, kind.String),
    ]
