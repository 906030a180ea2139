"""What holds for the tests of every room."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent
WITH_A_BROWSER = {"training", "webui"}
"""Rooms whose tests may ask pytest-playwright for a browser.

Its loop runs from then on to the end of the session, and nothing after it can `asyncio.run`. These rooms come late and
need no loop of their own; a test elsewhere starts a browser itself and ends it (tests/line/test_people.py).
"""


ONCE_MORE = pytest.mark.flaky(reruns=1)
"""For tests of what people see, with browsers and living processes around them: on two busy cores one of hundreds
meets a moment that no person would. It is tried once more, begun afresh, and pytest names each that needed it.
Where a single failure is a finding (the line, its wires, cameras, ledger, faults) nothing is tried twice.
"""
WITH_PEOPLE = {"webui", "workshop", "shift"}
"""Rooms of such tests, beside all that drive a browser."""
BESIDE_THE_LINE = {"cloud", "fleet", "records", "shift", "training", "training_data", "webui", "workshop"}
"""Rooms that one process of `make test` takes while the other one takes the line's; what is left when the line's are
through is shared. What a test starts has one core for itself on two.
"""
BY_FILE = {"webui"}
"""The last and longest of these, shared file by file so that both processes end together."""


class Shared(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Scopes for `pytest -n 2 --dist loadscope`: the line's rooms as one, in their order; the others one by one."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # rooms with browsers stay late, see WITH_A_BROWSER
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        room = nodeid.split("/")[1]
        if room not in BESIDE_THE_LINE:
            return "line"
        return nodeid.partition("::")[0] if room in BY_FILE else room


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shared | None:
    return Shared(config, log) if config.getvalue("dist") == "loadscope" else None


LONG = {
    *("cloud/test_serve.py", "cloud/test_pages_browser.py", "cloud/test_api_schema.py", "cloud/test_restore.py"),
    *("cloud/test_provider.py", "fleet/test_climb.py", "fleet/test_uplink.py", "fleet/test_uplink_s3.py"),
    *("fleet/test_uplink_machine.py", "fleet/test_enrol.py", "fleet/test_enrol_door.py"),
    *("training/test_promote.py", "training/test_chain.py", "training/test_registry.py"),
    *("training/test_tracked.py", "training_data/test_exchange.py", "training_data/test_gather_service.py"),
    *("line/test_ladder_line.py", "inspect/test_challenger_process.py"),
}
"""Long tests of the fleet, with services, boxes and lines as processes: `make test-fleet` runs them (OKNG_FLEET=1), so
that `make test` ends within the hour on two cores."""


def set_aside(items: list[pytest.Item]) -> list[pytest.Item]:
    """Those of `LONG` among them, where they were not asked for."""
    if os.environ.get("OKNG_FLEET"):
        return []
    return [item for item in items if item.path.relative_to(TESTS).as_posix() in LONG]


def browsers_too_early(items: Iterable[pytest.Item]) -> list[str]:
    """Tests that would leave the others without a loop."""
    asking = [item for item in items if "playwright" in getattr(item, "fixturenames", ())]
    return [item.nodeid for item in asking if item.path.relative_to(TESTS).parts[0] not in WITH_A_BROWSER]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if aside := set_aside(items):
        config.hook.pytest_deselected(items=aside)
        items[:] = [item for item in items if item not in aside]
    if found := browsers_too_early(items):
        rooms = ", ".join(sorted(WITH_A_BROWSER))
        raise pytest.UsageError(f"only tests of {rooms} may use pytest-playwright's browser, not {', '.join(found)}")
    for item in items:
        if item.get_closest_marker("ui") or item.path.relative_to(TESTS).parts[0] in WITH_PEOPLE:
            item.add_marker(ONCE_MORE)
