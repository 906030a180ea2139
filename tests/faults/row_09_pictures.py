"""Rows 9 and 10: pictures that are old ones again, or not what was asked for. The world knows which parts it struck."""

from collections import Counter

from okng.appliance.workspace import belt_for
from okng.simline.mishaps import Mishap

from .box import DEADLINE_MS
from .evidence import NEVER, Evidence, Strike
from .row import Finding, Stand

STRUCK_PERCENT = 15.0
LASTING_S = 1.5
FEWEST = 40
UNSAID = ("lost", "fault")
"""Why of the ledger that says little without a reason beside it."""
AFTER = 30
"""Parts that come once it is mended."""
RATE = 12.0
"""Parts a second."""


class _Struck:
    """Single parts are struck by the world at random; then the camera stays so for a while."""

    kinds: tuple[str, ...]
    lasting: Mishap
    number: int

    def run(self, stand: Stand) -> Finding:
        """Strike parts, look what became of each; then for a while every part."""
        faults = {"percent": STRUCK_PERCENT, "kinds": list(self.kinds)}
        belt = belt_for(RATE, DEADLINE_MS, varying=False)
        with stand.line(faults=faults, seed=stand.seed, belt=belt) as line:
            line.flow(stand.many(FEWEST, 10_000), timeout_s=3600)
            begun = line.strike(f"{self.lasting} for good", lambda: line.spoiler.plan(self.lasting))
            line.rest(LASTING_S)
            mended = line.strike("mended", lambda: line.spoiler.plan(self.lasting, times=0))
            line.until(line.ready)
            line.flow(AFTER)
        evidence = line.evidence
        assert evidence is not None
        return self._found(evidence, begun, mended)

    def _found(self, evidence: Evidence, begun: Strike, mended: Strike) -> Finding:
        figures: dict[str, object] = {}
        asked = 0
        complaints: list[str] = []
        whys = {int(str(line["part"])): str(line["why"]) for line in evidence.ledger}
        unsaid = (line for line in evidence.ledger if line["why"] in UNSAID and not (line["reasons"] or line["missed"]))
        silent = {int(str(line["part"])) for line in unsaid}
        for kind, parts in sorted(evidence.struck().items()):
            passed = [part.number for part in parts if part.disposition == "ok"]
            said = Counter(whys.get(part.number or 0, "not triggered") for part in parts)
            asked += (taken := sum(part.trigger == "accepted" for part in parts))
            figures[f"{kind}: parts struck, of these while READY"] = {"struck": len(parts), "READY": taken}
            figures[f"{kind}: rejected as"] = dict(said)
            if passed:
                complaints.append(f"{kind}: an OK for {passed}")
            if mute := sorted(silent.intersection(part.number for part in parts)):
                complaints.append(f"{kind}: the ledger has no reason for {mute}")
        if not asked:
            complaints.append("no part was struck while READY: let more come")
        # The first struck part itself must not pass: nothing needs a second one to be told.
        wrong = evidence.passed_between(begun.at_ns, mended.at_ns)
        figures["parts until detection"] = len(wrong)
        if len(wrong) > 1:
            complaints.append(f"{self.lasting} for good: passed {wrong}")
        back = [each.at_ns for each in evidence.states if each.state == "ready" and each.at_ns > mended.at_ns]
        good = evidence.passed_between(mended.at_ns, evidence.stopped_ns)
        figures["READY after it was mended ms"] = (back[0] - mended.at_ns) / 1e6 if back else NEVER
        if not good:
            complaints.append("nothing passed any more once it was mended")
        figures["false rejects"] = evidence.false_rejects
        return Finding(figures, tuple(complaints))


class Frozen(_Struck):
    """Old pixels under a new number, or the whole frame again."""

    number = 9
    fault = "frozen or duplicate frame"
    how = (
        f"{STRUCK_PERCENT:g} % of the parts get the pixels of the frame before (freeze) or that whole frame once more "
        "(repeat); then the camera is frozen for good, and mended"
    )
    expected = "each such part is rejected, the first one included"
    kinds = ("freeze", "repeat")
    lasting = Mishap.FREEZE


class Spoilt(_Struck):
    """Half a frame, another size, another format, no light, too much of it."""

    number = 10
    fault = "corrupt, truncated, wrong format, size or exposure"
    how = (
        f"{STRUCK_PERCENT:g} % of the parts get half a frame (incomplete), half the lines (wrong_size), another pixel "
        "format (wrong_format), no light (black) or eight times as much (bright); then all are cut short for a while"
    )
    expected = "each such part is rejected with a reason (one too bright may be judged NG)"
    kinds = ("incomplete", "wrong_size", "wrong_format", "black", "bright")
    lasting = Mishap.INCOMPLETE


ROWS = (Frozen(), Spoilt())
