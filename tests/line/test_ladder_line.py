"""A model on trial on the running line: in the shadow, as a canary, swapped at rate, and kill -9 in the middle."""

import logging
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from okng.appliance.workspace import belt_for
from okng.bench.shadow import Sync, variant
from okng.bus.asks import Answer
from okng.bus.ladder import Role
from okng.bus.part import Action, Outcome, Record, Verdict
from okng.fleet.activate import activate
from okng.inspect.canary import OBJECTS
from okng.models.manifest import digest, read_manifest
from okng.tests.faults.box import DEADLINE_MS, RATE
from okng.tests.faults.line import Line
from okng.tests.faults.row import Stand

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.line, pytest.mark.timeout(420)]
SWAPS = int(os.environ.get("OKNG_SWAPS") or 100)
READY_S = 60.0


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    made = Stand(tmp_path_factory.mktemp("ladder"))
    yield made
    made.close()


class Models:
    """Bundles of one box: as it was taught, one that sees defects everywhere, and one that sees none."""

    def __init__(self, stand: Stand) -> None:
        space = stand.box.space
        limit = read_manifest(space.model).threshold.value
        self.taught, self.strict, self.blind = space.model, space.out / "strict", space.out / "blind"
        variant(space.model, self.strict, limit * 0.02)
        variant(space.model, self.blind, limit * 1000)
        self.slot = space.slot


@pytest.fixture(scope="module")
def models(stand: Stand) -> Models:
    return Models(stand)


def on_trial(line: Line, sync: Sync, bundle: Path, role: Role) -> None:
    assert line.until(lambda: sync.stations, READY_S)
    sync.tries(line.now_ns(), bundle, role)
    assert line.until(sync.is_ready, READY_S), (sync.state(), line.box.tail())


def judged(records: Iterable[Record]) -> list[tuple[Record, Verdict]]:
    """Those with a verdict of a model."""
    found = [(each, each.verdict) for each in records if each.verdict is not None]
    return [(record, verdict) for record, verdict in found if verdict.outcome is not Outcome.UNJUDGED]


def since(sync: Sync, at_ns: int) -> list[tuple[Record, Verdict]]:
    """What became of the parts that were triggered from then on."""
    return judged(each for key, each in list(sync.records.items()) if key[1] >= at_ns)


class History:
    """Which model has to judge which part, by what io answered."""

    def __init__(self, model: str) -> None:
        self.since = [(0, model)]

    def took(self, answer: Answer | None) -> None:
        assert answer is not None
        assert answer.done, answer.detail
        self.since.append((int(answer.body["since_ns"]), str(answer.body["to_model"])))

    def model_at(self, at_ns: int) -> str:
        return next(model for since, model in reversed(self.since) if at_ns >= since)


def test_in_the_shadow_swapped_at_rate_and_as_a_canary(stand: Stand, models: Models) -> None:
    taught, strict, blind = (digest(each) for each in (models.taught, models.strict, models.blind))
    pair = (models.taught, models.strict)
    sync, history = Sync(stand.box.space.run_dir), History(taught)
    with stand.line(belt=belt_for(RATE, DEADLINE_MS, varying=False)) as line, sync.open():
        # It calls every part bad, and changes nothing.
        on_trial(line, sync, models.strict, Role.SHADOW)
        line.flow(20)  # the period is known by then
        shadow_ns = line.now_ns()
        line.flow(30)

        swap_ns, before = line.now_ns(), sync.stations[-1].counters
        for turn in range(SWAPS):
            old, new = pair[turn % 2], pair[1 - turn % 2]
            history.took(sync.swap(digest(old), digest(new), new))
            line.rest(0.2)
        line.flow(3)
        line.rest(0.6)
        after, swapped_ns = sync.stations[-1].counters, line.now_ns()
        states = [each for each in sync.stations if swap_ns < each.at_ns < swapped_ns]

        # The one that decides sees no defect any more; the other one does.
        on_trial(line, sync, models.blind, Role.SHADOW)
        history.took(sync.swap(taught, blind, models.blind))
        assert line.until(lambda: sync.stations[-1].job.model == blind)
        on_trial(line, sync, models.taught, Role.CANARY)
        line.flow(2)
        canary_ns = line.now_ns()
        line.flow(50)
        line.rest(0.6)
        canary_end_ns = line.now_ns()
        history.took(sync.swap(blind, taught, models.taught))
        line.flow(2)
    evidence = line.evidence
    assert evidence is not None
    assert evidence.objections == []
    wrong = [
        (record.trigger.part, verdict.model[:12])
        for record, verdict in judged(sync.records.values())
        if verdict.model != history.model_at(record.trigger.at_ns)
    ]
    assert wrong == [], "each part is judged by the model of its trigger"

    shadow = [each for each in since(sync, shadow_ns) if each[0].trigger.at_ns < swap_ns]
    passed = sum(record.disposition.action is Action.PASS for record, _ in shadow)
    assert passed > len(shadow) // 2
    assert ("OK", "NG") in {(each.champion_outcome, each.challenger_outcome) for each in sync.compared}
    assert not any(OBJECTS in verdict.reasons for _, verdict in shadow)

    swaps = [verdict.model for record, verdict in since(sync, swap_ns) if record.trigger.at_ns < swapped_ns]
    log.info("%d swaps, %d parts: %d and %d", SWAPS, len(swaps), swaps.count(taught), swaps.count(strict))
    assert min(swaps.count(taught), swaps.count(strict)) > SWAPS // 10
    assert after.missed == before.missed
    assert after.triggers - before.triggers >= SWAPS
    assert {reason for each in states for reason in each.reasons if "another job" in reason} == set()

    canary = [each for each in since(sync, canary_ns) if each[0].trigger.at_ns < canary_end_ns]
    caught = [record for record, verdict in canary if OBJECTS in verdict.reasons]
    log.info("%d parts before a canary, %d rejected by it alone", len(canary), len(caught))
    assert {each.disposition.action for each in caught} == {Action.REJECT}
    by_both = {(each.part, each.at_ns) for each in sync.compared if each.challenger_outcome == "OK"}
    let_go = {(r.trigger.part, r.trigger.at_ns) for r, _ in canary if r.disposition.action is Action.PASS}
    assert let_go
    assert let_go <= by_both, "what passed both have called OK"


def test_kill_9_in_the_middle_leaves_one_model_that_decides(stand: Stand, models: Models) -> None:
    taught, strict = digest(models.taught), digest(models.strict)
    sync = Sync(stand.box.space.run_dir)
    with stand.line() as line, sync.open():
        on_trial(line, sync, models.strict, Role.SHADOW)

        def goes_by(model: str, when: str) -> None:
            """io says that this model decides, and a part has been judged by it since."""
            at = line.now_ns()
            assert line.until(lambda: sync.stations[-1].job.model == model and sync.stations[-1].at_ns > at), when
            assert line.until(lambda: any(verdict.model == model for _, verdict in since(sync, at)), READY_S), when

        def kill(name: str, *, wait: bool = True) -> None:
            beat = line.beat(name)
            line.strike(f"kill {name}", lambda: os.kill(line.box.pid(name), signal.SIGKILL))
            assert not wait or line.until_back(name, beat), line.box.tail()

        History(taught).took(sync.swap(taught, strict, models.strict))
        goes_by(strict, "before any harm")
        kill("inspect")
        goes_by(strict, "inspect comes back: the slot is the old one, and io's word holds")
        line.rest(2)  # what io owes the ledger is there
        kill("io")
        goes_by(taught, "io comes back before the slot was switched: the old one decides")

        assert line.until(lambda: strict in sync.trials[-1].at_hand, READY_S), sync.trials[-1]
        History(taught).took(sync.swap(taught, strict, models.strict))
        activate(models.strict, models.slot)
        goes_by(strict, "swapped and switched")
        line.box.forgive()
        kill("io", wait=False)
        line.rest(0.2)
        kill("inspect")
        goes_by(strict, "both come back after the slot was switched: the new one decides")
    evidence = line.evidence
    assert evidence is not None
    assert (evidence.escapes, evidence.objections) == (0, [])
    assert {verdict.model for _, verdict in judged(sync.records.values())} == {taught, strict}
