"""Serves the screens in a process of its own: `python serve.py RUN_DIR STORE PORT CAMERA[,…] [KEY=VALUE …]`."""

import logging
import sys
from pathlib import Path

from okng.webui.options import WebOptions
from okng.webui.process import run

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    folder, store, port, cameras, *more = sys.argv[1:]
    given = dict(pair.split("=", 1) for pair in more)
    options = WebOptions.model_validate({"port": int(port), **given})
    sys.exit(run(options, "line 1", tuple(cameras.split(",")), Path(folder), Path(store)))
