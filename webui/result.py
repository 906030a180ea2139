"""What the screen knows of one part, and how the views of several cameras become one result. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..bus.agreement import Poll, alone, objector, polls
from ..bus.clock import MS
from ..bus.messages import Agreement, FrameReady
from ..bus.part import CodeRead, Defect, HeatMap, Outcome, Verdict, Why

TOO_LATE = (str(Why.LATE), str(Why.LOST), str(Why.FAULT))
"""Grounds of a disposition that no later verdict changes."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the screen knows of one part. Grows as frames, verdicts, disposition and receipt come in."""

    part: int
    """Part number; 0: a free-running picture that is nobody's part."""
    triggered_ns: int
    outcome: str = ""
    """OK, NG, UNJUDGED; empty: not judged yet, or not by all cameras."""
    action: str = ""
    """PASS, REJECT; empty: not decided yet."""
    why: str = ""
    """Ground of the action, a word of `bus.part.Why`; empty: not decided yet."""
    reasons: tuple[str, ...] = ()
    defects: tuple[Defect, ...] = ()
    score: float | None = None
    threshold: float | None = None
    camera: str = ""
    """Of the deciding view: reasons, defects, score, frame and heat are that one's."""
    frame: FrameReady | None = None
    heat: tuple[HeatMap, ...] = ()
    verdict_ms: float | None = None
    """From trigger to verdict."""
    budget_ms: float | None = None
    """From trigger to deadline; None: the trigger was not seen."""
    delivery: str = ""
    """Word of `bus.part.Delivery`; empty: not known yet."""
    confirmed: bool | None = None
    codes: tuple[CodeRead, ...] = ()
    """What was read on it, of all views."""
    frames: tuple[FrameReady, ...] = ()
    """One of each camera that has a picture of it, in the order they came."""
    verdicts: tuple[Verdict, ...] = ()
    """One of each camera that has judged it, in the order they came."""
    decided_by: str = ""
    """Camera by which io decided; empty: not known yet."""


def with_frame(known: Result, ready: FrameReady) -> Result:
    """Take up a picture. It is shown if no other camera's is, or if that camera's verdict is."""
    frames = (*(frame for frame in known.frames if frame.camera != ready.camera), ready)
    if known.frame is not None and known.camera != ready.camera:
        return replace(known, frames=frames)
    if known.verdicts and known.camera != ready.camera:
        return replace(known, frames=frames)
    return replace(known, frames=frames, frame=ready, camera=ready.camera)


def with_verdict(known: Result, verdict: Verdict, cameras: int, agreements: tuple[Agreement, ...] = ()) -> Result:
    """Take up what one camera's picture was judged as. cameras: how many judge each part. agreements: of the job.

    As io does: the first view that objects for itself decides, or an agreement that is reached, and OK needs all of
    them; until then there is no outcome.
    """
    verdicts = (*(each for each in known.verdicts if each.camera != verdict.camera), verdict)
    whole = len(verdicts) >= cameras
    standing = polls(agreements, verdicts, complete=whole)
    said = _said(verdicts, agreements, standing)
    shown = next((each for each in verdicts if each.camera == known.decided_by), None)
    shown = shown or said or max(verdicts, key=lambda each: (each.outcome is Outcome.OK, each.score - each.threshold))
    decided = said is not None or whole
    outvoted = said is None and whole and bool(agreements)
    outcome = _outcome(shown, agreements, standing) if said is not None else shown.outcome
    frozen = known.why in TOO_LATE  # closed as UNJUDGED: a verdict after that is history
    frames = known.frames
    if verdict.frame is not None:
        frames = (*(frame for frame in frames if frame.camera != verdict.camera), verdict.frame)
    return replace(
        known,
        outcome=str(Outcome.OK if outvoted else outcome) if decided and not frozen else known.outcome,
        reasons=() if outvoted else _reasons(shown, standing),
        defects=() if outvoted else shown.defects,
        score=shown.score,
        threshold=shown.threshold,
        camera=shown.camera,
        frame=shown.frame or next((frame for frame in frames if frame.camera == shown.camera), None),
        heat=shown.heat,
        verdict_ms=max((each.done_ns - each.triggered_at_ns) / MS for each in verdicts),
        codes=_codes(known.codes, verdict.codes),
        frames=frames,
        verdicts=verdicts,
    )


def _said(verdicts: Sequence[Verdict], agreements: tuple[Agreement, ...], standing: Sequence[Poll]) -> Verdict | None:
    """The view by which the part cannot be OK any more; None: it still can, or is."""
    for each in verdicts:
        if alone(each, agreements) is not Outcome.OK:
            return each
    for outcome in (Outcome.NG, Outcome.UNJUDGED):
        for one in standing:
            if one.outcome is outcome:
                return objector(one.agreement, verdicts) or verdicts[-1]
    return None


def _outcome(shown: Verdict, agreements: tuple[Agreement, ...], standing: Sequence[Poll]) -> Outcome:
    """What the part is by the view that is shown."""
    said = alone(shown, agreements)
    counted = {each.outcome for each in standing}
    if said is Outcome.NG or Outcome.NG in counted:
        return Outcome.NG
    return Outcome.UNJUDGED if Outcome.UNJUDGED in (said, *counted) else shown.outcome


def _reasons(shown: Verdict, standing: Sequence[Poll]) -> tuple[str, ...]:
    return (*(each.reason for each in standing if each.reason), *shown.reasons)


def with_codes(known: Result, codes: tuple[CodeRead, ...]) -> Result:
    """Take up what io says was read."""
    return replace(known, codes=_codes(known.codes, codes))


def _codes(known: tuple[CodeRead, ...], more: tuple[CodeRead, ...]) -> tuple[CodeRead, ...]:
    """One of each name."""
    return tuple({code.name: code for code in (*known, *more)}.values())
