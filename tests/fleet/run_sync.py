"""The process `sync` of a box on its own: python run_sync.py PLAN_JSON."""

import json
import logging
import sys
from pathlib import Path

from okng.fleet.fleet_options import FleetOptions
from okng.fleet.fleet_sync import Plan, run
from okng.records.leaving import Leaving
from okng.records.outbox_read import OutboxReader

if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s %(threadName)s %(name)s: %(message)s", level=logging.INFO)
    said = json.loads(Path(sys.argv[1]).read_text())
    options = FleetOptions.model_validate(said["options"])
    folder = Path(said["folder"])
    rule = Leaving(options.leaves, options.ok_sample_percent, options.uncertain, options.quota_gb)
    store, state = folder / "store", folder / "sync"
    ledger = OutboxReader(store, rule)
    sys.exit(run(lambda: Plan(options, "box", "line1", folder / "run", store, state, ("top",), "0.1.0", ledger)))
