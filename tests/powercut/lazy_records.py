"""The records process on a disk that syncs nothing, as it must never be: so that the judge is seen to find a loss."""

import os
import runpy
from pathlib import Path

import apsw

os.fsync = lambda fd: None
_Real = apsw.Connection


class _Lazy(_Real):
    def execute(self, statements: str, *rest: object, **more: object) -> apsw.Cursor:
        if statements == "pragma synchronous = full":
            statements = "pragma synchronous = off"
        return super().execute(statements, *rest, **more)  # type: ignore[arg-type]


apsw.Connection = _Lazy  # type: ignore[misc]

if __name__ == "__main__":
    runpy.run_path(str(Path(__file__).parent.parent / "records" / "run_records.py"), run_name="__main__")
