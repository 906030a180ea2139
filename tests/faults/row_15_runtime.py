"""Row 15: the runtime has no memory, its device is lost, or it is not there at all."""

import os
import signal
from collections.abc import Callable

import psutil

from okng.bus.errors import OkngError
from okng.models.bundle import open_bundle
from okng.models.detector import Detector

from .disks import instead
from .evidence import NEVER, Evidence, spread
from .line import Line
from .lost_device import LOSE, STARVE, STARVE_S
from .row import Finding, Stand

KINDS = ("device lost", "device starved", "address space")


class Runtime:
    """The model's session fails under the running line."""

    number = 15
    fault = "runtime or GPU out of memory, device lost, provider falls back"
    how = (
        "every open session of the runtime fails as after a lost device; every session, new ones too, fails for "
        f"{STARVE_S:g} s as for want of the device's memory; RLIMIT_AS of inspect at what it has; a provider not here"
    )
    expected = "parts meanwhile are rejected; it is built anew, or inspect started anew; no CPU stands in unasked"

    def run(self, stand: Stand) -> Finding:
        """Each in turn."""
        times, complaints = stand.many(1, 20), list[str]()
        with stand.line() as line:
            _inspect(line, "lost_device")
            for _ in range(times):
                self._fail(line, "device lost", lambda: os.kill(line.box.pid("inspect"), LOSE))
                self._fail(line, "device starved", lambda: os.kill(line.box.pid("inspect"), STARVE))
                self._fail(line, "address space", lambda: _narrow(line.box.pid("inspect")))
                self._widen(line)
            _inspect(line, "hurt")
            line.flow(2)
        assert line.evidence is not None
        figures: dict[str, object] = {"times each": times}
        states = line.evidence.states
        for kind in KINDS:
            effects = [one for one in line.evidence.effects(kind) if one.ready_ms]
            figures[f"{kind}: READY again ms"] = spread(one.ready_ms for one in effects)
        complaints += unfelt(line.evidence)
        if not states or states[-1].state not in ("ready", "done"):
            complaints.append("READY did not come back")
        silent = self._fallback(stand)
        figures["a provider that is not here"] = silent or "it runs on another"
        if not silent:
            complaints.append("a provider that is not here was replaced in silence")
        notes = ("no GPU here: its own out-of-memory and a real lost device are to be tried on the target",)
        return Finding(figures, tuple(complaints), notes)

    def _fail(self, line: Line, what: str, do: Callable[[], object]) -> None:
        line.flow(3)
        line.strike(what, do)
        line.flow(4)
        line.until_ready()

    @staticmethod
    def _widen(line: Line) -> None:
        with_limit = psutil.Process(line.box.pid("inspect"))
        with_limit.rlimit(psutil.RLIMIT_AS, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))

    @staticmethod
    def _fallback(stand: Stand) -> str:
        """What is said of a provider that this machine does not have; empty: nothing."""
        try:
            Detector(open_bundle(stand.box.space.slot), "cuda", 1)
        except OkngError as error:
            return f"refused: {error}"
        return ""


def unfelt(evidence: Evidence) -> list[str]:
    """What is wrong with what the line saw: a device that was lost must be missed, and READY must come back.

    A process at the limit of its address space may have all it needs: nobody has to feel that.
    """
    found = []
    ends = [strike.at_ns for strike in evidence.strikes[1:]] + [evidence.stopped_ns]
    for kind in KINDS:
        spans = [(strike.at_ns, end) for strike, end in zip(evidence.strikes, ends, strict=True) if strike.what == kind]
        effects = evidence.effects(kind)
        missed = any(
            part.trigger == "accepted" and part.disposition not in ("ok", "ng") and begin <= part.written_ns < end
            for part in evidence.parts
            if part.written_ns is not None
            for begin, end in spans
        )
        fell = any(effect.detect_ms != NEVER for effect in effects)
        if kind != "address space" and not (fell or missed):
            found.append(f"{kind}: READY stayed and every part was judged: nothing was lost")
        if any(effect.ready_ms == NEVER for effect in effects):
            found.append(f"{kind}: READY did not come back")
    return found


def _narrow(pid: int) -> None:
    """No byte more than it has mapped now."""
    one = psutil.Process(pid)
    one.rlimit(psutil.RLIMIT_AS, (one.memory_info().vms, psutil.RLIM_INFINITY))


def _inspect(line: Line, module: str) -> None:
    """Start inspect anew behind a module of these tests."""
    assert line.box.supervisor is not None
    (child,) = (each for each in line.box.supervisor.children if each.name == "inspect")
    before = line.beat("inspect")
    child.command = instead(module, child.command)
    strike = line.strike("inspect started anew", lambda: os.kill(line.box.pid("inspect"), signal.SIGKILL))
    line.until_back("inspect", before)
    line.until_ready(strike)
    line.box.forgive()


ROWS = (Runtime(),)
