"""People's screens gone wild: thousands of asks a second, and one far too large. The line does not notice."""

import threading
import time
from itertools import count

from okng.bus.asks import Ask, new_id
from okng.bus.channel import Asker, ask_address, ask_once
from okng.bus.part import Action, Outcome, Why
from okng.plc_io.process import MOST_ASKED

from .conftest import Line, verdict_of

PARTS = 12


def look(**body: object) -> Ask:
    return Ask(new_id(), "io.look", "eve", "diagnostics.read", "", dict(body))


def test_a_flood_of_asks_makes_no_part_late(line: Line) -> None:
    stop, sent = threading.Event(), [0]

    def flood() -> None:
        with Asker(ask_address(line.run_dir, "io")) as door:
            while not stop.is_set():
                for _ in range(100):
                    sent[0] += door.send(look(fill="x" * 1000))
                while door.receive() is not None:
                    pass
                time.sleep(0.01)  # 10 000 a second, as far as they are taken

    line.enable()
    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for part in count(1):
            trigger = line.trigger(part)
            line.box.inspect.send(verdict_of(trigger, Outcome.OK))
            line.result()
            record = line.record(part)
            assert (record.disposition.action, record.disposition.why) == (Action.PASS, Why.OK)
            if part >= PARTS and sent[0] > 2000:
                break
    finally:
        stop.set()
        thread.join()


def test_an_ask_that_is_too_large_is_never_unpacked(line: Line) -> None:
    line.enable()
    assert ask_once(line.run_dir, "io", look(fill=[0] * (4 * MOST_ASKED)), 300) is None
    line.turn()
    answer = ask_once(line.run_dir, "io", look(), 2000)
    assert answer is not None
    assert answer.done
