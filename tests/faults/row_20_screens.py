"""Row 20: the screens are hammered. Nobody on the line may notice."""

import http.client
import json
import math
import subprocess
import sys
import time
from collections import Counter

from .evidence import Evidence
from .line import Line
from .row import Finding, Stand
from .row_14_clock import fallen

WARM_S = 1.0
RATIO, FLOOR_MS = 2.0, 10.0
"""The middle latency under the hammer may be so many times that of before, or so much longer where both are tiny."""
AFTER_S = 10.0


class Hammered:
    """Pages, slow readers, bad JSON, 20 held streams; in turns with nobody, on the same line."""

    number = 20
    fault = "UI hammered"
    how = (
        "8 clients ask for pages as fast as they come, 6 write a letter a second and read nothing, 2 send what is no "
        "JSON, 20 hold streams; in turns with stretches where nobody looks"
    )
    expected = (
        "the PLC's time from trigger to result is unchanged (side by side in one run), streams beyond the cap get 503, "
        "no page ends in 500, afterwards the screens answer"
    )

    def run(self, stand: Stand) -> Finding:
        """In turns."""
        calm: list[tuple[int, int]] = []
        loud: list[tuple[int, int]] = []
        codes: Counter[str] = Counter()
        seconds = 4.0 if stand.short else 60.0
        with stand.line() as line:
            host = f"127.0.0.1:{line.box.web_port}"
            up = line.until(lambda: _answers(host), 15.0)
            for _ in range(stand.many(1, 10)):
                calm.append(self._span(line, seconds))
                command = ["nice", "-n", "19", sys.executable, "-m", "okng.tests.faults.hammer", host]
                hammer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                line.rest(WARM_S)
                loud.append(self._span(line, seconds))
                said, _ = hammer.communicate("", timeout=60)
                codes.update(json.loads(said))
            begun = time.monotonic()
            after = line.until(lambda: _answers(host), AFTER_S)
            took_s = time.monotonic() - begun
        evidence = line.evidence
        assert evidence is not None
        quiet, under = _ms(evidence, calm), _ms(evidence, loud)
        ratio = {name: _at(under, share) / _at(quiet, share) for name, share in SHARES.items()}
        complaints = [] if up else ["the screens did not answer before anything was done to them"]
        if not after:
            complaints.append(f"the screens do not answer {AFTER_S:g} s after")
        complaints += noticed(evidence, quiet, under)
        if codes["stream 503"] == 0:
            complaints.append("no stream was refused with 503")
        if codes["500"]:
            complaints.append(f"{codes['500']} pages ended in an error of ours")
        return Finding(
            {
                "nobody looks ms": {name: _at(quiet, share) for name, share in SHARES.items()},
                "hammered ms": {name: _at(under, share) for name, share in SHARES.items()},
                "ratio": ratio,
                "parts": {"nobody": len(quiet), "hammered": len(under)},
                "answers": dict(sorted(codes.items())),
                "the screens answer again after s": took_s,
                "false rejects": evidence.false_rejects,
            },
            tuple(complaints),
        )

    def _span(self, line: Line, seconds: float) -> tuple[int, int]:
        begun = line.now_ns()
        line.rest(seconds)
        return begun, line.now_ns()


SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def _ms(evidence: Evidence, spans: list[tuple[int, int]]) -> list[float]:
    """Trigger written to result read by the PLC, of the parts of those spans, in order."""
    return sorted(
        (part.read_ns - part.written_ns) / 1e6
        for part in evidence.parts
        if part.written_ns is not None
        and part.read_ns is not None
        and any(begin <= part.written_ns < end for begin, end in spans)
    )


def noticed(evidence: Evidence, quiet: list[float], under: list[float]) -> list[str]:
    """What the line noticed of it."""
    found = [f"no part came {when}" for when, times in (("unhammered", quiet), ("hammered", under)) if not times]
    before, with_it = _at(quiet, 0.5), _at(under, 0.5)
    if with_it > RATIO * before and with_it - before > FLOOR_MS:
        found.append(f"trigger to result took {with_it / before:.1f} times as long")
    if fell := fallen(evidence):
        found.append(f"READY fell {fell} times")
    return found


def _at(ordered: list[float], share: float) -> float:
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _answers(host: str) -> bool:
    connection = http.client.HTTPConnection(host, timeout=2)
    try:
        connection.request("GET", "/menu")
        return connection.getresponse().status in (200, 302)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


ROWS = (Hammered(),)
