"""Row 8: the camera's cable is pulled and put back."""

from .evidence import NEVER, spread
from .row import Finding, Stand

DETECT_MS = 500.0
"""A part that gets no picture, or the question of every 300 ms whether it is still there."""
AWAY_S = 1.0


class Unplug:
    """The cable of the only camera."""

    number = 8
    fault = "camera unplugged, replugged"
    how = "the simulated camera leaves its bus for a second or more, in the middle of the run, and comes back"
    expected = "not READY within one period, every part meanwhile rejected; the camera is found again by itself"

    def run(self, stand: Stand) -> Finding:
        """Pull it, put it back."""
        dice = stand.dice(self.number)
        with stand.line() as line:
            for _ in range(stand.many(1, 200)):
                line.rest(dice.random())
                pulled = line.strike("pulled", line.spoiler.unplug)
                line.until_fallen(pulled)
                line.rest(AWAY_S + dice.random())
                line.box.forgive()
                put_back = line.strike("put back", lambda: line.spoiler.unplug(False))
                line.until_ready(put_back)
                line.flow(3)
        evidence = line.evidence
        assert evidence is not None
        pulls, returns = evidence.effects("pulled"), evidence.effects("put back")
        complaints = []
        if max(effect.detect_ms for effect in pulls) > DETECT_MS * (3 if stand.short else 1):
            complaints.append(f"detected after {max(effect.detect_ms for effect in pulls):.0f} ms")
        if any(effect.ready_ms == NEVER for effect in returns):
            complaints.append("READY did not come back by itself")
        for pull, back in zip(pulls, returns, strict=True):
            wrong = evidence.passed_between(pull.strike.at_ns + 100_000_000, back.strike.at_ns)
            if wrong:
                complaints.append(f"passed while the camera was away: {wrong}")
        return Finding(
            {
                "times": len(pulls),
                "detect ms": spread(effect.detect_ms for effect in pulls),
                "READY after it was put back ms": spread(effect.ready_ms for effect in returns),
                "false rejects each": evidence.false_rejects / len(pulls),
            },
            tuple(complaints),
        )


ROWS = (Unplug(),)
