"""A line that speaks to the climb as io and inspect do, over the real sockets, with parts as fast as asked for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from okng.bus.asks import Ask, Desk
from okng.bus.channel import AskDoor, Publisher, Subscriber, ask_address, inspect_address, io_address, sync_address
from okng.bus.errors import Refused
from okng.bus.ladder import ChallengerOrder, ChallengerState, Compared, Role
from okng.bus.messages import Counters, Job, StationState
from okng.bus.part import Outcome, Verdict
from okng.fleet.channel_offer import Offer, Pinned, Ring, Standing, Ticket

NO_COUNTS = Counters(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def offered(bundle: str, seq: int = 1, role: str = "champion", **changes: Any) -> Offer:
    """An offer of the ring `first`, which is open for this box."""
    plan = (Ring("first", 40, 30, 5.0),)
    given = Offer(
        line="line1",
        recipe="cap",
        role=role,
        bundle=bundle,
        seq=seq,
        previous="",
        plan=plan,
        manifest=Pinned(1, bundle),
        signature=Pinned(1, "0" * 64),
        rules={"shadow_ng": 0.0},
        ring_of_this_box="first",
        ring_open=True,
    )
    return replace(given, **changes)


@dataclass
class FolderSource:
    """A channel whose bundles lie in a folder already, as a test says."""

    folder: Path
    bundles: Path
    said: Standing = field(default_factory=Standing)
    burnt: list[Ticket] = field(default_factory=list)
    broken: Exception | None = None

    def standing(self) -> Standing:
        return self.said

    def fetch(self, offer: Offer | Ticket) -> Path:
        import shutil

        if self.broken is not None:
            raise self.broken
        digest = offer.to_bundle if isinstance(offer, Ticket) else offer.bundle
        place = self.bundles / digest
        if not place.is_dir():
            shutil.copytree(self.folder / digest, place)
        return place

    def use(self, ticket: Ticket) -> None:
        self.burnt.append(ticket)


class FakeLine:
    """io, inspect and records in one: what the climb hears and asks. One thread."""

    def __init__(self, run: Path, model: str, recipe: str = "cap") -> None:
        self.io, self.inspect = Publisher(io_address(run)), Publisher(inspect_address(run))
        self.orders = Subscriber([sync_address(run)], (ChallengerOrder,))
        self.io_door, self.records_door = AskDoor(ask_address(run, "io")), AskDoor(ask_address(run, "records"))
        self.model, self.recipe, self.revision = model, recipe, "0123456789ab"
        self.order: ChallengerOrder | None = None
        self.part = 0
        self.swaps: list[tuple[str, str]] = []
        self.steps: list[dict[str, Any]] = []
        self.refuse_swap = ""
        self.deaf = False
        self.trouble = ""
        self.truth: Callable[[int], str] = lambda part: "NG" if part % 10 == 0 else "OK"
        self.challenger_says: Callable[[int], str] | None = None
        self.took_ms = 1.0
        self._io = Desk("io", {"model.swap": self._swap})
        self._records = Desk("records", {"ladder.step": self._step})

    def _swap(self, ask: Ask) -> dict[str, Any]:
        if self.refuse_swap:
            raise Refused(self.refuse_swap)
        assert ask.body["from_model"] == self.model or ask.body["to_model"] == self.model
        self.swaps.append((self.model, ask.body["to_model"]))
        self.model = ask.body["to_model"]
        return {"since_ns": time.monotonic_ns()}

    def _step(self, ask: Ask) -> dict[str, Any]:
        self.steps.append(ask.body)
        return {"n": len(self.steps)}

    def turn(self, parts: int = 0) -> None:
        """Hear the order, answer asks, tell of the station and of so many parts."""
        for order in self.orders.drain():
            self.order = order
        if not self.deaf:
            self.io_door.serve(self._io)
        self.records_door.serve(self._records)
        job = Job(self.recipe, self.revision, self.model, 100_000_000)
        state = StationState("line1", "run", "RUN", True, (), 0, True, (), job, NO_COUNTS, time.monotonic_ns(), 1)
        self.io.send(state)
        order = self.order
        if order is None:
            return
        ready = order.role is not Role.NONE and not self.trouble
        role = order.role if ready else Role.NONE
        self.inspect.send(
            ChallengerState(order.number, order.bundle, role, ready, self.trouble, 0, 0, model=order.bundle)
        )
        for _ in range(parts):
            self.part += 1
            self._tell_part(order, role)

    def _tell_part(self, order: ChallengerOrder, role: Role) -> None:
        at, truth = time.monotonic_ns(), self.truth(self.part)
        if role is not Role.NONE:
            says = (self.challenger_says or self.truth)(self.part)
            took_ns = int(self.took_ms * 1e6)
            self.inspect.send(
                Compared(self.part, at, "top", self.model, order.bundle, truth, says, 0.5, 0.5, took_ns, role)
            )
        self.inspect.send(verdict(self.part, self.model, truth, at))

    def close(self) -> None:
        for one in (self.io, self.inspect, self.orders, self.io_door, self.records_door):
            one.close()


def verdict(part: int, model: str, outcome: str, at: int, reasons: tuple[str, ...] = ()) -> Verdict:
    """A verdict on a picture, made in 1 ms."""
    from okng.bus.messages import FrameReady

    frame = FrameReady(
        part, "top", "ring", 0, 1, 1, 1, 32, 16, "Mono8", 512, at, at, None, at, at, "2026-11-27T08:00:00Z"
    )
    return Verdict(
        part=part,
        outcome=Outcome(outcome),
        reasons=reasons or (() if outcome == "OK" else ("score 2 above 1",)),
        defects=(),
        score=0.5,
        threshold=1.0,
        recipe="cap",
        revision="0123456789ab",
        model=model,
        camera="top",
        triggered_at_ns=at,
        frame=frame,
        heat=(),
        started_ns=at,
        done_ns=at + 1_000_000,
    )


def told(steps: list[dict[str, Any]], bundle: str) -> list[str]:
    """The rungs that records was told of for a bundle, in order."""
    return [one["to"] for one in steps if one["bundle"] == bundle and one["from"] != one["to"]]
