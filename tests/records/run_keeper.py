"""Retention in a process of its own, as records runs it: python run_keeper.py STORE OPTIONS_JSON."""

import sys
import time
from pathlib import Path

from okng.records.keeper import Errands, Keeper
from okng.records.ledger import Ledger
from okng.records.retention import Retention
from okng.records.retention_options import RetentionOptions
from okng.records.retention_plan import Disk

if __name__ == "__main__":
    store, options = Path(sys.argv[1]), RetentionOptions.model_validate_json(sys.argv[2])
    ledger, errands = Ledger(store), Errands()
    keeper = Keeper(Retention(store, options, errands.write, disk=lambda: Disk(100, 90)), errands, begin_s=0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        errands.serve(ledger)
        time.sleep(0.001)
