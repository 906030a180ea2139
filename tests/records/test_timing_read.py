"""The moments of a part, after its trigger, as the timing screen takes them."""

from pathlib import Path

import pytest

from okng.bus.errors import BadLedger
from okng.records.timing_read import moments


def test_no_ledger_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadLedger):
        moments(tmp_path, 10)
    with pytest.raises(ValueError, match=r"1\.\.20000"):
        moments(tmp_path, 0)
