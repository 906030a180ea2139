"""Runs the records process again and again with its Nth operation failing: imports once, forks for each run.

    python nth_server.py

Takes lines of JSON `{"at": N, "how": ERRNO, "run": FOLDER, "options": {...}}` and answers each, when that process has
ended, with `{"code": EXIT, "count": OPERATIONS}`; a further line `stop` on the way is SIGTERM for it.
"""

import json
import os
import select
import signal
import sys
from pathlib import Path

from okng.bus.errors import Lost, OkngError
from okng.records.leaving import Leaving
from okng.records.options import RecordsOptions
from okng.records.process import LOST, run
from okng.tests.nth import NTH, armed, failing

UNNAMED = 70
"""Exit code of a process that ended by an error that has no name of ours."""


def records(at: int, how: int, run_dir: Path, options: str, counted: int) -> int:
    """One run of the process, as `okng records` ends it."""
    code = 0
    with failing():
        try:
            with armed(at, how):
                code = run(RecordsOptions.model_validate_json(options), ("cam0",), run_dir, leaving=Leaving())
        except OkngError as error:
            code = LOST if isinstance(error, Lost) else 2
        except BaseException:  # noqa: BLE001 - the outermost frame: whatever it is, it is told by the exit code
            import traceback

            traceback.print_exc()
            code = UNNAMED
        os.write(counted, str(NTH.count).encode())
    return code


def main() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        asked = json.loads(line)
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reads)
            os._exit(records(asked["at"], asked["how"], Path(asked["run"]), json.dumps(asked["options"]), writes))
        os.close(writes)
        status = None
        while status is None:
            if select.select([sys.stdin], [], [], 0.01)[0] and sys.stdin.readline().strip() == "stop":
                os.kill(child, signal.SIGTERM)
            ended, found = os.waitpid(child, os.WNOHANG)
            status = os.waitstatus_to_exitcode(found) if ended else None
        count = os.read(reads, 32)
        os.close(reads)
        sys.stdout.write(json.dumps({"code": status, "count": int(count or 0)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
