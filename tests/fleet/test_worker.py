"""The threads of sync: which of them put themselves behind everybody else on the box."""

import os
import threading

import pytest

from okng.fleet.worker import Worker


@pytest.mark.parametrize(("yields", "policy"), [(True, os.SCHED_IDLE), (False, os.SCHED_OTHER)])
def test_a_thread_that_yields_runs_when_nobody_else_wants_to(yields: bool, policy: int) -> None:
    stop, seen = threading.Event(), []

    def step() -> float:
        seen.append(os.sched_getscheduler(threading.get_native_id()))
        stop.set()
        return 0.0

    thread = Worker("uplink", step, stop, yields=yields)
    thread.start()
    thread.join(10)
    assert seen == [policy]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER  # whoever started it is left as it was


def test_a_kernel_that_refuses_is_told_and_the_work_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(pid: int, policy: int, param: os.sched_param) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    stop = threading.Event()

    def step() -> float:
        stop.set()
        return 0.0

    thread = Worker("uplink", step, stop, yields=True)
    thread.start()
    thread.join(10)
    assert stop.is_set()
    assert "uplink: stays at the priority of its process" in caplog.text
