"""Parts that several cameras have to agree about, at both cores: the PLC's handshake and the box's own gates."""

from dataclasses import replace

import pytest

from okng.bus.clock import MS
from okng.bus.messages import Agreement, Job
from okng.bus.part import Disposition, Outcome, Trigger, Verdict, Vote, Why
from okng.plc_io.handshake import Limits
from okng.plc_io.images import InImage
from okng.plc_io.signals import Command, Status
from okng.plc_io.station import Station
from okng.plc_io.tracker import Belt, Gate, Lane, StopRules, Tracker

AGREED = Agreement("weld", ("top/seam", "side/seam"), 2)
LIMITS = Limits(ack_ns=500 * MS, stuck_ns=50 * MS, peer_ns=1000 * MS)
JOB = Job("cap", "0123456789ab", "f" * 64, 100 * MS, (AGREED,))


def view(trigger: Trigger, camera: str, vote: Outcome) -> Verdict:
    return Verdict(
        part=trigger.part,
        outcome=vote,
        reasons=() if vote is Outcome.OK else ("score 9.00 above 4.00 in region seam",),
        defects=(),
        score=1.0 if vote is Outcome.OK else 9.0,
        threshold=4.0,
        recipe=JOB.recipe,
        revision=JOB.revision,
        model=JOB.model,
        camera=camera,
        triggered_at_ns=trigger.at_ns,
        frame=None,
        heat=(),
        started_ns=1,
        done_ns=2,
        votes=(Vote("weld", "seam", vote, 0.25 if vote is Outcome.OK else 2.25),),
        apart=Outcome.OK,
    )


CASES = [
    ((Outcome.NG, Outcome.OK), Why.OK),
    ((Outcome.OK, Outcome.NG), Why.OK),
    ((Outcome.NG, Outcome.NG), Why.NG),
    ((Outcome.NG, Outcome.UNJUDGED), Why.LOST),
    ((Outcome.NG,), Why.LATE),
    ((Outcome.OK,), Why.LATE),
]


def triggered(job: Job = JOB) -> tuple[Station, Trigger, InImage]:
    station = Station("cell", job, LIMITS, views=("top", "side"))
    station.allow(())
    station.receive(InImage(1))
    words = InImage(2, command=Command.TRIG_ENABLE, heartbeat=1)
    station.receive(words)
    station.tick(2)
    words = replace(words, at_ns=3, command=Command.TRIG_ENABLE | Command.TRIGGER, heartbeat=2, part=7)
    station.receive(words)
    (trigger,) = [event for event in station.events() if isinstance(event, Trigger)]
    assert not trigger.missed
    words = replace(words, at_ns=4, command=Command.TRIG_ENABLE, heartbeat=3)
    station.receive(words)
    return station, trigger, words


@pytest.mark.parametrize(("votes", "why"), CASES)
def test_the_station_counts_the_views(votes: tuple[Outcome, ...], why: Why) -> None:
    station, trigger, words = triggered()
    for camera, vote in zip(("top", "side"), votes, strict=False):
        station.submit(view(trigger, camera, vote), 5)
    if len(votes) == 1:
        assert station.tick(6).status & Status.BUSY
        station.receive(replace(words, at_ns=trigger.deadline_ns, heartbeat=4))
    image = station.tick(trigger.deadline_ns if len(votes) == 1 else 6)
    assert bool(image.status & Status.OK) == (why is Why.OK)
    (disposition,) = [event for event in station.events() if isinstance(event, Disposition)]
    assert disposition.why is why


def test_a_station_whose_job_names_no_agreement_rejects_by_the_first_view() -> None:
    station, trigger, _ = triggered(replace(JOB, agreements=()))
    station.submit(view(trigger, "top", Outcome.NG), 5)
    station.tick(6)
    (disposition,) = [event for event in station.events() if isinstance(event, Disposition)]
    assert disposition.why is Why.NG


@pytest.mark.parametrize(("votes", "why"), CASES[:4])
def test_the_tracker_counts_them_too(votes: tuple[Outcome, ...], why: Why) -> None:
    belt = Belt(counts_per_mm=10.0, lanes=(Lane("a", (Gate("out", 200.0),)),), max_speed_mm_s=500.0)
    tracker = Tracker(belt, StopRules(), views=("top", "side"), deadline_ns=10_000 * MS)
    tracker.agreements = JOB.agreements
    tracker.belt_is_clear()
    tracker.move(1000, 0)
    tracker.eye("a", 1000, 0)
    (trigger,) = [event for event in tracker.events() if isinstance(event, Trigger)]
    for camera, vote in zip(("top", "side"), votes, strict=True):
        tracker.submit(view(trigger, camera, vote), 1)
    now, counts = 1, 1000
    while tracker.open and now < 60_000 * MS:
        now, counts = now + 2 * MS, counts + 8
        tracker.move(counts, now)
        tracker.tick(now)
    dispositions = [event for event in tracker.events() if isinstance(event, Disposition)]
    assert [each.why for each in dispositions] == [why]
