"""What takes root and a kernel of our own: skipped at a desk with the reason, a failure where all checks must run."""

import os
import shutil

import pytest


def needs_root(*programs: str) -> None:
    """Skip, or fail where CI is true, without root or one of these programs."""
    lacks = [] if os.geteuid() == 0 else ["root"]
    missing([*lacks, *(name for name in programs if shutil.which(name) is None)])


def missing(lacks: list[str]) -> None:
    """Skip or fail, if anything is missing."""
    if not lacks:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"needs {', '.join(lacks)}")
    pytest.skip(f"needs {', '.join(lacks)}")
