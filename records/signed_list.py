"""Which recipes are signed, and as what: a small file beside the ledger, for io, which opens no ledger.

Records writes it from the ledger: at its start, with each signature, and when signatures came or went otherwise (a copy
put back, rows salvaged). It can be behind for a moment or say too little, never for longer too much. Nothing heavy.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..bus.errors import BadLedger
from .durable import sync_folder, write_synced

FILE = "signed-recipes.json"
_VERSION = 1
_MOST_BYTES = 8 << 20


def write_signed(store: Path, signed: Mapping[str, Iterable[str]]) -> None:
    """Replace the list: meanings by the whole digest of a recipe. OSError: the old one stands."""
    waiting = store / (FILE + ".tmp")
    content = {"version": _VERSION, "recipes": {digest: sorted(meanings) for digest, meanings in signed.items()}}
    write_synced(waiting, json.dumps(content, indent=0).encode("ascii"))
    waiting.rename(store / FILE)
    sync_folder(store)


def read_signed(store: Path) -> dict[str, frozenset[str]]:
    """Meanings by digest. BadLedger: there is no list, or it does not read; nothing counts as signed then."""
    path = store / FILE
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise BadLedger(f"{path}: more than {_MOST_BYTES >> 20} MiB: records writes it afresh at its next start")
        content = json.loads(raw)
        if content["version"] != _VERSION:
            raise BadLedger(f"{path}: version = {content['version']!r}: expected {_VERSION}")
        return {str(digest): frozenset(map(str, meanings)) for digest, meanings in content["recipes"].items()}
    except OSError as error:
        raise BadLedger(f"{path}: {error.strerror}: records writes it at its start") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadLedger(f"{path}: is no list of signatures ({error!r}): records writes it at its next start") from error


def unsigned(store: Path, digest: str, required: Iterable[str]) -> str:
    """Why a recipe of that digest is not signed as the settings ask for; empty: it is, or nothing is asked for."""
    wanted = tuple(required)
    if not wanted:
        return ""
    try:
        there = read_signed(store).get(digest, frozenset())
    except BadLedger as error:
        return f"cannot be told to be signed: {error}"
    lacking = [meaning for meaning in wanted if meaning not in there]
    return f"is not signed as {', '.join(lacking)}" if lacking else ""
