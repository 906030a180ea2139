"""The climb's own desk behind its door, over a ladder as a test wants it: what the Ladder page shows and asks."""

import threading
import time
from pathlib import Path
from typing import Any

from okng.bus.asks import Desk
from okng.bus.channel import AskDoor, ask_address
from okng.bus.ladder import Compared, Role, Rung
from okng.fleet import ladder as climb
from okng.fleet.channel_offer import Offer, Pinned, Ring, Standing
from okng.fleet.climb_box import ClimbBox, RecipeAt
from okng.fleet.climb_chores import Chore, Worker
from okng.fleet.climb_desk import ClimbDesk
from okng.fleet.climb_rules import Rules
from okng.fleet.climb_steps import Steps
from okng.fleet.climb_watch import ChallengerWatch
from okng.fleet.ladder_state import NEXT, Ladder, Needs
from okng.fleet.rollback import Figures

RECIPE = "bottle-cap"
A, B, C = "a" * 64, "b1" * 32, "c2" * 32
CHANNEL = f"line1/{RECIPE}/champion"


class LadderRoom:
    """A is champion, B is in the shadow, C was taken back."""

    def __init__(self, run_dir: Path) -> None:
        self.box = ClimbBox("box1", run_dir, run_dir / "store", run_dir / "bundles", lambda: self.recipes)
        self.recipes = (RecipeAt(RECIPE, 7, "0123456789ab", run_dir / "slot", 100.0),)
        self.rules = Rules()
        self.steps = Steps(self.box, Worker(self.box), self.rules)
        at = time.time()
        made = climb.adopt(Ladder(), RECIPE, A, at - 90_000)
        made = self._risen(made, C, Rung.SHADOW, 1, at - 9000)
        why = "rejects: rejects have risen towards 6 %; the champion before had 2 %"
        made = climb.roll_back(made, RECIPE, C, why, at - 5000)
        made = self._risen(made, B, Rung.SHADOW, 2, at - 3000)
        self.ladder = climb.count(made, RECIPE, B, 3120, 187)
        self.steps.say(RECIPE, "3120 of 5000 parts")
        self.watch = self.rules.challengers[RECIPE] = ChallengerWatch(B, A, Figures(), 40.0)
        self.watch.parts = 3120
        self.saved = 0
        self.why = ""
        """What is wrong with the channel."""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._desk = Desk("sync", ClimbDesk(self).handlers())
        self._door = AskDoor(ask_address(run_dir, "sync"))
        self._thread = threading.Thread(target=self._serve, name="ladder room")
        self._thread.start()

    def _risen(self, ladder: Ladder, bundle: str, to: Rung, seq: int, at: float) -> Ladder:
        made = climb.offer(ladder, RECIPE, bundle, CHANNEL, seq, at)
        while made.known(RECIPE, bundle).rung is not to:
            made = climb.rise(made, RECIPE, bundle, NEXT[made.known(RECIPE, bundle).rung], Needs(), at)
        return made

    def differ(self, part: int, seq: int, champion: str, challenger: str, truth: str = "") -> None:
        """The two said otherwise of a part of the ledger."""
        with self._lock:
            self.watch.add(Compared(part, part, "top", A, B, champion, challenger, 0.9, 1.1, 1_000_000, Role.SHADOW))
            one = self.watch.differing[-1]
            one.seq, one.truth, one.picture_kept = seq, truth, True
            self.watch.judge()

    def change(self, made: Ladder) -> None:
        with self._lock:
            self.ladder = made

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._door.wait(20)
            with self._lock:
                self._door.serve(self._desk)

    def standing(self) -> Standing:
        pinned = Pinned(1, B)
        plan = (Ring("first", 5000, 20_000, 5.0),)
        offer = Offer("line1", RECIPE, "champion", B, 2, A, plan, pinned, pinned, {}, "first", True)
        return Standing((offer,), why=self.why)

    def give(self, chore: Chore) -> bool:
        return True

    def now(self) -> float:
        return time.time()

    def save(self, at: float) -> None:
        self.saved += 1

    def trouble(self, recipe: str) -> str:
        return ""

    def rung(self, bundle: str) -> str:
        return str(self.ladder.known(RECIPE, bundle).rung)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._door.close()


def body(client: Any, path: str) -> str:
    """The text of a page."""
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return str(answer.get_data(as_text=True))
