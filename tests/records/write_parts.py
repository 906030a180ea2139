"""The product's own recorder as a writer for the power-cut judge: stores parts in DIR, prints each once it is durable.

    python write_parts.py DIR

Each part has a picture of random pixels. The judge reads the ledger itself.
"""

import importlib
import sys
from pathlib import Path

import numpy as np

from okng.bus.part import Why
from okng.records.ledger import Ledger, Ripe
from okng.records.pictures import PictureShelf, encode, picture_path
from okng.records.read import LedgerReader


def main() -> None:
    maker = importlib.import_module("maker")  # beside this file
    store = Path(sys.argv[1])
    ledger, shelf, random = Ledger(store), PictureShelf(store), np.random.default_rng()
    newest = LedgerReader(store).rows(1)
    part = newest[0].part if newest else 0
    epoch = f"run-{part}"
    while True:
        part += 1
        seen = maker.frame(part)
        data = encode(random.integers(0, 256, (96, 128), dtype=np.uint8), "png", 95)
        kept = shelf.put(picture_path(seen, "png"), data)
        shelf.settle()
        ledger.store(
            [
                Ripe(maker.trigger_entry(2 * part - 1, part, epoch)),
                Ripe(maker.record_entry(2 * part, part, Why.NG, epoch), seen, (), kept),
            ]
        )
        sys.stdout.write(f"{part}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
