"""The climb's sockets: what io and inspect say, what is ordered of inspect, what is asked of io and records.

Nothing here waits.

io, inspect  SUB  StationState, ChallengerState, Compared, Verdict
sync.ipc     PUB  ChallengerOrder
io           ask  model.swap          records  ask  ladder.step, ladder.floor
"""

import hashlib
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..bus.asks import Answer, Ask, new_id
from ..bus.channel import Asker, Publisher, Subscriber, ask_address, inspect_addresses, io_address, sync_address
from ..bus.clock import MS, SECOND
from ..bus.ladder import ChallengerOrder, ChallengerState, Compared
from ..bus.messages import StationState
from ..bus.part import Verdict
from .ladder_state import Step

log = logging.getLogger(__name__)
_STALE_NS = 3 * SECOND
_ANSWER_NS = 5 * SECOND
_REPEAT_NS = 250 * MS
_AGAIN_NS = SECOND


class Line:
    """One thread's view of the line."""

    def __init__(self, run: Path, *, publisher: Publisher | None = None) -> None:
        """run: folder of sockets. publisher: that of `sync.ipc`, if somebody has it already. ChannelLost."""
        self._publisher, self._mine = publisher or Publisher(sync_address(run)), publisher is None
        self._heard = Subscriber(
            [io_address(run), *inspect_addresses(run)], (StationState, ChallengerState, Compared, Verdict)
        )
        self._io, self._records = Asker(ask_address(run, "io")), Asker(ask_address(run, "records"))
        self._station: tuple[int, StationState] | None = None
        self._challenger: tuple[int, ChallengerState] | None = None
        self._order: ChallengerOrder | None = None
        self._ordered_ns = 0
        self._swap: tuple[str, int] | None = None
        self._swapped: Answer | None = None
        self._step: tuple[str, int, int] | None = None
        self._refused = ""
        """Why records does not take it, so that it is said once."""
        self.taken: set[int] = set()
        """Numbers of steps that records has taken since they were last looked at."""
        self.compared: deque[Compared] = deque(maxlen=100_000)
        self.verdicts: deque[Verdict] = deque(maxlen=100_000)

    def turn(self, now_ns: int) -> None:
        """Take in what has come, and repeat the order. ChannelLost."""
        for said in self._heard.drain():
            match said:
                case StationState():
                    self._station = (now_ns, said)
                case ChallengerState():
                    known = self._challenger
                    if known is None or said.judge_ns >= known[1].judge_ns or now_ns - known[0] > _STALE_NS:
                        self._challenger = (now_ns, said)
                case Compared():
                    self.compared.append(said)
                case Verdict():
                    self.verdicts.append(said)
        self._answers()
        if self._order is not None and now_ns - self._ordered_ns >= _REPEAT_NS:
            self._publisher.send(self._order)
            self._ordered_ns = now_ns

    def station(self, now_ns: int) -> StationState | None:
        """What io last said; None: nothing for 3 s."""
        return None if self._station is None or now_ns - self._station[0] > _STALE_NS else self._station[1]

    def challenger(self, now_ns: int) -> ChallengerState | None:
        """What inspect last said of the challenger; None: nothing for 3 s."""
        return None if self._challenger is None or now_ns - self._challenger[0] > _STALE_NS else self._challenger[1]

    @property
    def order(self) -> ChallengerOrder | None:
        """What is ordered; None: nothing yet."""
        return self._order

    def command(self, order: ChallengerOrder) -> None:
        """Order this from now on."""
        self._order, self._ordered_ns = order, 0

    # -- asks

    def ask_swap(self, body: Mapping[str, Any], now_ns: int) -> None:
        """Ask io for a change of the model that decides, unless one is asked already."""
        if self._swap is not None and now_ns - self._swap[1] < _ANSWER_NS:
            return
        ask = Ask(new_id(), "model.swap", "sync", "", "", dict(body))
        self._swapped = None
        self._swap = (ask.id, now_ns) if self._io.send(ask) else None

    def swap_answer(self, now_ns: int) -> Answer | None:
        """What io said to it, once; an answer that does not come in 5 s is a refusal. None: nothing yet."""
        if self._swapped is not None:
            said, self._swapped, self._swap = self._swapped, None, None
            return said
        if self._swap is not None and now_ns - self._swap[1] >= _ANSWER_NS:
            asked, self._swap = self._swap, None
            return Answer(asked[0], False, "io did not answer")
        return None

    @property
    def swap_asked(self) -> bool:
        """An ask is under way."""
        return self._swap is not None

    def tell(self, box: str, step: Step, now_ns: int) -> None:
        """Tell records of a step; the same one again is the same ask, so that it is kept once."""
        if self._step is not None and (self._step[1] == step.n and now_ns - self._step[2] < _AGAIN_NS):
            return
        body = {
            "bundle": step.bundle,
            "recipe": step.recipe,
            "from": step.before or None,
            "to": step.after,
            "reason": step.reason,
            "figures": {**step.figures, "step": step.n, "at": step.at},
        }
        ask = Ask(_id(box, step), "ladder.step", step.who or "sync", "", step.reason, body)
        if self._records.send(ask):
            self._step = (ask.id, step.n, now_ns)

    def _answers(self) -> None:
        while (said := self._io.receive()) is not None:
            if self._swap is not None and said.id == self._swap[0]:
                self._swapped = said
        while (said := self._records.receive()) is not None:
            if self._step is None or said.id != self._step[0]:
                continue
            if said.done:
                self.taken.add(self._step[1])
                self._step, self._refused = None, ""
            else:
                if said.detail != self._refused:
                    log.error("records does not take a step of the ladder: %s", said.detail)
                self._refused = said.detail

    def close(self) -> None:
        """Let go of all sockets. Never raises."""
        for one in (self._heard, self._io, self._records, *([self._publisher] if self._mine else [])):
            one.close()


def _id(box: str, step: Step) -> str:
    """Made of the step itself, so that a repeat after a stop of sync is the same ask still."""
    told = {name: value for name, value in asdict(step).items() if name != "figures"}
    return hashlib.sha256(f"{box} {sorted(told.items())}".encode()).hexdigest()[:32]
