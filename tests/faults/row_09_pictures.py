"""Rows 9 and 10: pictures that are old ones again, or not what was asked for. The world knows which parts it struck."""

from collections import Counter

from okng.simline.mishaps import Mishap

from .evidence import NEVER, Evidence
from .line import Line
from .row import Finding, Stand

STRUCK_PERCENT = 40.0
LASTING_S = 1.5


class _Struck:
    """Single parts are struck by the world at random; then the camera stays so for a while."""

    kinds: tuple[str, ...]
    lasting: Mishap
    number: int

    def run(self, stand: Stand) -> Finding:
        """Strike parts, look what became of each."""
        faults = {"percent": STRUCK_PERCENT, "kinds": list(self.kinds)}
        with stand.line(faults=faults, seed=stand.seed) as line:
            line.flow(stand.many(12 * len(self.kinds), 4000), timeout_s=3600)
        single = line.evidence
        assert single is not None
        with stand.line() as line:
            ended_ns = self._last(line)
        lasting = line.evidence
        assert lasting is not None
        return self._found(single, lasting, ended_ns)

    def _last(self, line: Line) -> int:
        line.flow(3)
        line.strike(f"{self.lasting} for good", lambda: line.spoiler.plan(self.lasting))
        line.rest(LASTING_S)
        ended = line.strike("mended", lambda: line.spoiler.plan(self.lasting, times=0))
        line.until(line.ready)
        line.flow(4)
        return ended.at_ns

    def _found(self, single: Evidence, lasting: Evidence, ended_ns: int) -> Finding:
        figures: dict[str, object] = {}
        complaints: list[str] = []
        whys = {int(str(line["part"])): str(line["why"]) for line in single.ledger}
        for kind, parts in sorted(single.struck().items()):
            passed = [part.number for part in parts if part.disposition == "ok"]
            said = Counter(whys.get(part.number or 0, "not triggered") for part in parts)
            figures[f"{kind}: parts struck"] = len(parts)
            figures[f"{kind}: rejected as"] = dict(said)
            if passed:
                complaints.append(f"{kind}: an OK for {passed}")
        absent = set(self.kinds) - set(single.struck())
        if absent:
            complaints.append(f"never struck: {', '.join(sorted(absent))}: let more parts come")
        # The first struck part itself must not pass: nothing needs a second one to be told.
        wrong = lasting.passed_between(lasting.strikes[0].at_ns, ended_ns)
        figures["parts until detection"] = len(wrong)
        if len(wrong) > 1:
            complaints.append(f"{self.lasting} for good: passed {wrong}")
        back = lasting.effects("mended")[0]
        figures["READY after it was mended ms"] = back.ready_ms
        if back.ready_ms == NEVER:
            complaints.append("READY did not come back once it was mended")
        figures["false rejects"] = single.false_rejects + lasting.false_rejects
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
        "format (wrong_format), no light (black) or eight times as much (bright); then the size stays wrong for a while"
    )
    expected = "each such part is rejected with a reason (one too bright may be judged NG)"
    kinds = ("incomplete", "wrong_size", "wrong_format", "black", "bright")
    lasting = Mishap.WRONG_SIZE


ROWS = (Frozen(), Spoilt())
