"""What io said that it shows to the PLC is remembered, in case its record dies with it."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from okng.bus.channel import Publisher, io_address
from okng.bus.part import Action, Disposition, Why
from okng.records.catcher import Catcher
from okng.records.desk import PictureDesk
from okng.records.options import RecordsOptions


def until(true: Callable[[], object]) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.01)
    return False


def test_an_ok_is_remembered_for_its_own_trigger_alone(run_dir: Path, tmp_path: Path, maker: ModuleType) -> None:
    options = RecordsOptions(store=tmp_path)
    trigger = maker.trigger_entry(1, 50, "run-1").trigger
    shown = Disposition(50, Action.PASS, Why.OK, trigger.at_ns + 1, trigger.at_ns + 2, 7)
    rejected = Disposition(51, Action.REJECT, Why.NG, trigger.at_ns + 1, trigger.at_ns + 2, 8)
    desk = PictureDesk(tmp_path, options)
    catcher = Catcher((), run_dir, desk, options)

    def heard() -> bool:
        speaker.send(rejected)
        speaker.send(shown)  # a subscriber that has just come hears nothing of before
        return catcher.shown(trigger) is not None

    try:
        with Publisher(io_address(run_dir)) as speaker:
            assert until(heard)
        assert catcher.shown(trigger) == shown
        assert catcher.shown(replace(trigger, part=51)) is None
        assert catcher.shown(replace(trigger, part=52)) is None
        later = replace(trigger, at_ns=trigger.at_ns + 10**9, deadline_ns=trigger.deadline_ns + 10**9)
        assert catcher.shown(later) is None, "the number came again: that OK was of the part before"
        assert catcher.shown(replace(trigger, deadline_ns=trigger.at_ns + 2)) is None
    finally:
        catcher.close()
        desk.close(10**9)
