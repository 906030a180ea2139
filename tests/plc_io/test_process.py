"""The io process over the real bus and a real socket."""

from okng.bus.part import Action, Delivery, Outcome, Why

from .conftest import Line, verdict_of


def test_ok_passes(line: Line) -> None:
    line.enable()
    trigger = line.trigger(77)
    line.box.inspect.send(verdict_of(trigger))
    block = line.result()
    assert block[4:7] == [0, 77, 1]
    record = line.record(77)
    assert record.disposition.action is Action.PASS
    assert record.receipt.delivery is Delivery.DELIVERED
