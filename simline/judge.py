"""What happened to each part, judged from outside: by physics, the PLC's own log, and the box's exported ledger.

    python -m okng.simline.judge OUT LEDGER.jsonl [--joined FILE]

OUT holds `world.jsonl` and `plc.jsonl`. World and PLC are joined by the encoder count latched at the eye, PLC and
ledger by the part number. Prints one JSON object; exit 0 when it has nothing to object to, else 1. Shares no code
with what it judges.
"""

import argparse
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

CONTACT_LIMIT_MM = 5.0
"""The jet has to meet a reject this close to its leading edge (I7 of the protocol page)."""
SHOWN = 20
NO_PICTURE = ("drop", "incomplete", "freeze", "repeat", "wrong_size", "wrong_format", "black")
"""Faults after which no true picture of the part can have been there."""

Line = Mapping[str, object]


class BadLog(ValueError):
    """A log that cannot be judged by. The text names file and line."""


@dataclass(frozen=True, slots=True)
class JoinedPart:
    """One part as world, PLC and box saw it."""

    index: int
    """The world's count, from 0."""
    label: str
    """The truth: `good` or a defect."""
    number: int | None
    """The PLC's part number; None: the PLC never saw it."""
    end: str
    """`bin`, `outfeed`, or `belt` where the run ended first."""
    contact_mm: float | None
    faults: tuple[str, ...]
    trigger: str
    action: str
    """What the PLC ordered: `pass`, `reject`, or nothing."""
    why: str
    window_whole: bool
    written_ns: int | None
    read_ns: int | None
    disposition: str
    """What the PLC read."""
    ledger: tuple[str, ...]
    """Every action the ledger holds for the number."""

    @property
    def said_pass(self) -> bool:
        """Return whether the ledger lets it pass, and says so once."""
        return self.ledger == ("PASS",)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome. Each count in `OBJECTIONS` has to be 0."""

    parts: int
    hit: int
    passed: int
    left_on_belt: int
    """Parts whose fate the end of the run cut short; they are judged only by their ledger lines."""
    passed_without_ok: int
    """Went on down the belt though the ledger does not say PASS."""
    ok_but_hit: int
    """Blown off though the ledger says PASS."""
    no_disposition: int
    """The box took or missed their trigger, and the ledger knows nothing of them."""
    two_dispositions: int
    """More than one ledger line for the number."""
    neighbour_touched: int
    """Touched though the PLC let them pass: the jet was meant for another."""
    off_leading_edge: int
    """Rejects met further than CONTACT_LIMIT_MM behind the leading edge, though their window was whole."""
    reject_not_hit: int
    """Ordered out with a whole window, and not touched."""
    unseen: int
    """Parts that passed the eye and that the PLC has no line of."""
    unknown_parts: int
    """Ledger lines of numbers the PLC never gave."""
    ok_without_picture: int
    """PASS for parts whose only picture was dropped, incomplete, frozen or an old one again."""
    untriggered: int
    """The PLC did not ask the box about them (channel busy, no link, dead box), and rejected them."""
    missed: int
    unanswered: int
    """Triggers that were written, and neither acknowledged nor seen to be missed (the link went down)."""
    window_cut: int
    """Rejects whose window reached the output module late."""
    contact_max_mm: float | None
    held_ms: float
    slowed_ms: float
    trigger_to_ok_ms: Mapping[str, float] = field(default_factory=dict)
    """The PLC's own view: trigger written to OK read; p50, p99, p999, max, n."""
    trigger_to_result_ms: Mapping[str, float] = field(default_factory=dict)
    """The same for every result."""
    offenders: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Per count the first numbers (of unseen parts the world's index)."""

    @property
    def clean(self) -> bool:
        """Return whether there is nothing to object to."""
        return not any(getattr(self, each) for each in OBJECTIONS)


OBJECTIONS = (
    "passed_without_ok",
    "ok_but_hit",
    "no_disposition",
    "two_dispositions",
    "neighbour_touched",
    "off_leading_edge",
    "reject_not_hit",
    "unseen",
    "unknown_parts",
    "ok_without_picture",
)


def read_log(path: Path) -> list[Line]:
    """Read a JSONL file. Raises BadLog; a last line cut short by a kill is no error."""
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except OSError as why:
        raise BadLog(f"{path}: {why.strerror}") from why
    found: list[Line] = []
    for at, text in enumerate(texts):
        try:
            line = json.loads(text)
        except ValueError as why:
            if at == len(texts) - 1:
                break
            raise BadLog(f"{path}:{at + 1}: not JSON: {why}") from why
        if not isinstance(line, dict):
            raise BadLog(f"{path}:{at + 1}: expected an object")
        found.append(line)
    return found


def join(world: Iterable[Line], plc: Iterable[Line], ledger: Iterable[Line]) -> list[JoinedPart]:
    """Return every physical part with what PLC and box know of it, in belt order."""
    seen = {_whole(line, "eye"): line for line in plc if line["kind"] == "part"}
    said: dict[int, list[str]] = defaultdict(list)
    for line in ledger:
        said[_whole(line, "part")].append(str(line["action"]))
    joined = []
    for line in sorted((each for each in world if each["kind"] == "part"), key=lambda each: _whole(each, "index")):
        own = seen.get(_whole(line, "eye"), {})
        number = _whole(own, "part") if own else None
        faults = line.get("faults") or ()
        assert isinstance(faults, Iterable)
        joined.append(
            JoinedPart(
                index=_whole(line, "index"),
                label=str(line["label"]),
                number=number,
                end=str(line["end"]),
                contact_mm=_number(line, "contact_mm"),
                faults=tuple(str(each) for each in faults),
                trigger=str(own.get("trigger") or ""),
                action=str(own.get("action") or ""),
                why=str(own.get("why") or ""),
                window_whole=bool(own.get("window_whole")),
                written_ns=_maybe(own, "written_ns"),
                read_ns=_maybe(own, "read_ns"),
                disposition=str(own.get("disposition") or ""),
                ledger=tuple(said.get(number, ())) if number is not None else (),
            )
        )
    return joined


def judge(world: Sequence[Line], plc: Sequence[Line], ledger: Sequence[Line]) -> Judgement:
    """Judge a run by its three logs."""
    parts = join(world, plc, ledger)
    numbered = [each for each in parts if each.number is not None]
    hit = [each for each in parts if each.end == "bin"]
    passed = [each for each in parts if each.end == "outfeed"]
    rejects = [each for each in numbered if each.action == "reject" and each.window_whole]
    given = {_whole(line, "part") for line in plc if line["kind"] == "part"}
    objections = {
        "passed_without_ok": [each for each in passed if not each.said_pass],
        "ok_but_hit": [each for each in hit if "PASS" in each.ledger],
        "no_disposition": [each for each in numbered if each.trigger in ("accepted", "missed") and not each.ledger],
        "two_dispositions": [each for each in numbered if len(each.ledger) > 1],
        "neighbour_touched": [each for each in hit if each.action == "pass"],
        "off_leading_edge": [
            each for each in rejects if each.contact_mm is not None and each.contact_mm > CONTACT_LIMIT_MM
        ],
        "reject_not_hit": [each for each in rejects if each.end == "outfeed"],
        "unseen": [each for each in parts if each.number is None],
        "ok_without_picture": [each for each in numbered if each.said_pass and set(each.faults) & set(NO_PICTURE)],
    }
    offenders = {
        name: [each.number if each.number is not None else each.index for each in found[:SHOWN]]
        for name, found in objections.items()
    }
    unknown = sorted({_whole(line, "part") for line in ledger} - given)
    ends = [line for line in world if line["kind"] == "end"]
    contacts = [each.contact_mm for each in rejects if each.contact_mm is not None]
    results = [each for each in numbered if each.written_ns is not None and each.read_ns is not None]
    return Judgement(
        parts=len(parts),
        hit=len(hit),
        passed=len(passed),
        left_on_belt=len(parts) - len(hit) - len(passed),
        **{name: len(found) for name, found in objections.items()},
        unknown_parts=len(unknown),
        untriggered=sum(each.trigger.startswith("untriggered") for each in numbered),
        missed=sum(each.trigger == "missed" for each in numbered),
        unanswered=sum(each.trigger == "unanswered" for each in numbered),
        window_cut=sum(each.action == "reject" and not each.window_whole for each in numbered),
        contact_max_mm=max(contacts, default=None),
        held_ms=sum(_number(line, "held_ms") or 0.0 for line in ends),
        slowed_ms=sum(_number(line, "slowed_ms") or 0.0 for line in ends),
        trigger_to_ok_ms=_spread([each for each in results if each.disposition == "ok"]),
        trigger_to_result_ms=_spread(results),
        offenders=offenders | {"unknown_parts": unknown[:SHOWN]},
    )


def _spread(parts: Sequence[JoinedPart]) -> dict[str, float]:
    """Return the nearest-rank percentiles of trigger written to result read, in ms."""
    took = sorted((each.read_ns or 0) - (each.written_ns or 0) for each in parts)
    if not took:
        return {"n": 0}
    found: dict[str, float] = {"n": len(took)}
    for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)):
        found[name] = round(took[max(0, math.ceil(share * len(took)) - 1)] / 1e6, 3)
    return found


def _whole(line: Line, key: str) -> int:
    value = line[key]
    if not isinstance(value, int):
        raise BadLog(f"{key} = {value!r}: expected a whole number")
    return value


def _maybe(line: Line, key: str) -> int | None:
    return None if line.get(key) is None else _whole(line, key)


def _number(line: Line, key: str) -> float | None:
    value = line.get(key)
    return float(value) if isinstance(value, int | float) else None


def as_json(judgement: Judgement) -> dict[str, object]:
    """Return a judgement as JSON takes it, with `clean`."""
    return asdict(judgement) | {"clean": judgement.clean}


def main(arguments: list[str] | None = None) -> int:
    """Judge the logs of a run and print the judgement."""
    parser = argparse.ArgumentParser(prog="okng.simline.judge", description="Judge a run of the simulated line.")
    parser.add_argument("out", type=Path, help="folder with world.jsonl and plc.jsonl")
    parser.add_argument("ledger", type=Path, help="the box's ledger, exported as JSONL")
    parser.add_argument("--joined", type=Path, help="write every part, joined, to this JSONL file")
    asked = parser.parse_args(arguments)
    try:
        logs = [read_log(each) for each in (asked.out / "world.jsonl", asked.out / "plc.jsonl", asked.ledger)]
        judgement = judge(*logs)
        if asked.joined is not None:
            lines = (json.dumps(asdict(each)) + "\n" for each in join(*logs))
            asked.joined.write_text("".join(lines), encoding="utf-8")
    except BadLog as why:
        sys.stderr.write(f"{why}\n")
        return 78
    sys.stdout.write(json.dumps(as_json(judgement)) + "\n")
    return 0 if judgement.clean else 1


if __name__ == "__main__":
    sys.exit(main())
