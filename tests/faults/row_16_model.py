"""Rows 16 and 17: a model that gives nonsense, and bundles that must not be put in place."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

from okng.bus.channel import Subscriber, inspect_addresses
from okng.bus.errors import BadBundle
from okng.bus.messages import InspectState
from okng.fleet.activate import activate

from .doctored import SICK, sick_bundle, tampered
from .evidence import NEVER, Strike
from .line import Line
from .row import Finding, Stand

WORDS = ("NaN", "infinite", "constant", "out of range")
"""What the ledger's reasons say of each of `SICK`."""


class Nonsense:
    """A model whose output is unsound."""

    number = 16
    fault = "NaN, Inf, constant, out-of-range output of the model"
    how = (
        "a doctored ONNX model that scores its golden pictures as stored, so that it is put in place, and gives for "
        f"four parts of five: {', '.join(SICK)} (a score of -1e30, which a mere comparison calls very good)"
    )
    expected = "each such part is UNJUDGED with its reason, and rejected"

    def run(self, stand: Stand) -> Finding:
        """Put it in place, let parts come, put the sound one back."""
        space = stand.box.space
        sick = stand.folder / "sick"
        sick_bundle(space.model, sick)
        stand.afresh()
        activate(sick, space.slot)
        try:
            with stand.line() as line:
                line.flow(stand.many(30, 3000), timeout_s=3600)
        finally:
            stand.afresh()
            activate(space.model, space.slot)
        evidence = line.evidence
        assert evidence is not None
        said: Counter[str] = Counter()
        complaints = []
        for each in evidence.ledger:
            words = [word for word in WORDS if word in str(each["reasons"])]
            said.update(words[:1])
            score = each["score"]
            if each["action"] == "PASS" and (words or not isinstance(score, float) or abs(score) > 1e6):
                complaints.append(f"part {each['part']} passed with score {score} {each['reasons']}")
        unsaid = set(WORDS) - set(said) - {"infinite"}  # NaN and infinity share their words
        if unsaid:
            complaints.append(f"no part was UNJUDGED for: {', '.join(sorted(unsaid))}")
        figures = {"parts": len(evidence.ledger), "UNJUDGED for": dict(said), "whys": evidence.outcomes()}
        return Finding({**figures, "escapes": evidence.escapes}, tuple(complaints))


class BadBundles:
    """Bundles that were changed on the way, and one that is not the job's."""

    number = 17
    fault = "wrong, tampered or old bundle"
    how = (
        "while the line runs, bundles with a bit flipped, a file cut short, taken out or added are offered one by one; "
        "then another whole bundle is put behind the link, and inspect killed"
    )
    expected = (
        "each is refused, the last good one stays in place; READY is off until inspect has loaded the model of io's "
        "job whatever the link says, and nothing passes by another"
    )

    def run(self, stand: Stand) -> Finding:
        """Offer them."""
        space, dice = stand.box.space, stand.dice(self.number)
        sick, offered, refused = stand.folder / "sick", 0, 0
        sick_bundle(space.model, sick)
        complaints: list[str] = []
        with stand.line() as line:
            line.flow(2)
            before = space.slot.resolve()
            for _ in range(stand.many(6, 400)):
                bad = stand.folder / "tampered"
                shutil.rmtree(bad, ignore_errors=True)
                what = tampered(space.model, bad, dice.randrange(10_000))
                offered += 1
                refused += self._refused(bad, space.slot, what, complaints)
                line.box.turn()
            if space.slot.resolve() != before:
                complaints.append("the last good bundle is not in place any more")
            assert line.box.state is not None
            own = line.box.state.job.model
            _point(space.slot, sick)
            strike = line.strike("another model", lambda: os.kill(line.box.pid("inspect"), signal.SIGKILL))
            held = {"another model": self._held_at_ready(line, strike)}
            line.flow(3)
            swapped = line.box.state.job.model != own
            _point(space.slot, before)
            line.box.forgive()
            back = line.strike("the job's own model", lambda: os.kill(line.box.pid("inspect"), signal.SIGKILL))
            held["the job's own model"] = self._held_at_ready(line, back)
            line.flow(3)
        evidence = line.evidence
        assert evidence is not None
        complaints += [
            f"{what} behind the link: READY came on while inspect held {model or 'nothing it told of'}"
            for what, model in held.items()
            if model != own
        ]
        if swapped:
            complaints.append("io's job has the model that was put behind the link")
        passed = [each for each in evidence.ledger if each["action"] == "PASS"]
        if wrong := [each["part"] for each in passed if each["model"] != own]:
            complaints.append(f"passed by another model: {wrong}")
        effects = {each: evidence.effects(each)[0] for each in ("another model", "the job's own model")}
        complaints += [f"{what}: READY did not come back" for what, each in effects.items() if each.ready_ms == NEVER]
        figures = {
            "offered": offered,
            "refused": refused,
            "passed": len(passed),
            "passed by another model": len(wrong),
            **{f"READY, {what} behind the link, ms": each.ready_ms for what, each in effects.items()},
        }
        note = "an old bundle that is whole is kept out by the channel's floor: tests/fleet/test_channel_attacks.py"
        return Finding(figures, tuple(complaints), (note,))

    def _held_at_ready(self, line: Line, strike: Strike) -> str:
        """Go on until READY has come back; the model that the judge seated since says it holds, empty: it says none.

        READY is looked at first: whatever inspect said before that has come by the time it is read.
        """
        told: list[InspectState] = []
        with Subscriber(inspect_addresses(line.box.space.run_dir), (InspectState,)) as judges:

            def both() -> bool:
                ready = line.ready(strike.at_ns)
                told.extend(state for state in judges.drain() if state.judge_ns > strike.at_ns)
                return ready and bool(told)

            line.until(both)
        return told[-1].job.model if told else ""

    def _refused(self, bad: Path, slot: Path, what: str, complaints: list[str]) -> bool:
        try:
            activate(bad, slot)
        except BadBundle:
            return True
        complaints.append(f"put in place: {what}")
        return False


def _point(slot: Path, bundle: Path) -> None:
    """Switch the link as somebody would who is not `okng`."""
    new = slot.with_name("behind-its-back")
    new.unlink(missing_ok=True)
    new.symlink_to(bundle)
    new.rename(slot)


ROWS = (Nonsense(), BadBundles())
