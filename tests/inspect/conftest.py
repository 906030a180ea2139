"""What a judge that stands by does to its process is undone: here that process is the tests' own."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

SOONER = Path("/proc/self/oom_score_adj")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    nice, sooner = os.getpriority(os.PRIO_PROCESS, 0), SOONER.read_text(encoding="ascii")
    yield
    if os.getpriority(os.PRIO_PROCESS, 0) != nice:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, int(thread.name), nice)
    with suppress(PermissionError):
        SOONER.write_text(sooner, encoding="ascii")
