"""Who signs, when, and who is asked to prove: the box's key in the hands of records.

A head is signed each day, when somebody signs in who may change what the line goes by, at a clean stop, and when it is
asked for. A proof is a thread of its own, read-only and in small bites: the line's rows go on between.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import apsw

from ..bus.asks import Ask
from ..bus.clock import SECOND, now_ns, utc_now
from ..bus.errors import OkngError, Refused
from ..identity.box_key import BoxKey
from .audit import Deed
from .bookkeeping import audit, rows
from .clerk import allowed, answered, keep_answer
from .durable import sync_folder, write_synced
from .ledger import Ledger
from .rows import as_json
from .schema import FILE as LEDGER
from .seal import seal_older
from .seal_audit import Asked, audit_store
from .seal_heads import KEY_FILE, PUBLIC_FILE, Head, append_head, sign_head
from .seal_prune import Pruner
from .seal_verify import Verified
from .signed_writer import SignedWriter

log = logging.getLogger(__name__)
DAY_S = 24 * 3600
CHANGERS = frozenset(("recipe.edit", "model.activate", "settings.edit", "user.edit"))
"""Whoever has one of these rights may change what the line goes by: their sign-in is worth a head."""
KEEP = "audit.verify"
"""Under this name the ledger keeps what the last proof found."""
_SOON_S = 0.2
"""A small ledger is waited for."""
_BITE_S = 0.004


class Sealing:
    """Signs heads and runs proofs. The ledger's thread; a proof has one of its own."""

    def __init__(self, ledger: Ledger, store: Path) -> None:
        self._ledger, self._store = ledger, store
        self.key, self.trouble = _key(store)
        self.signed = SignedWriter(ledger, store)
        self._signed_ns = 0
        self._pruner = Pruner()
        self._thread: threading.Thread | None = None
        self._found: tuple[str, Verified | str] | None = None
        self._share = 0.0
        self._stop = threading.Event()

    def sign(self, why: str) -> Head | None:
        """Sign a head; None: there is no key, or the file beside does not take it. LedgerStuck, LedgerDamaged."""
        if self.key is None:
            return None
        with self._ledger.transaction() as db:
            head = sign_head(db, self.key, why)
        self._signed_ns = now_ns()
        try:
            append_head(self._store, head)
        except OSError as error:
            log.warning("%s: %s: the head of %s is in the ledger alone", self._store, error, head.utc)
        return head

    def head(self, ask: Ask) -> dict[str, Any]:
        """`audit.head`: sign one now. Refused: there is no key."""
        head = self.sign("asked")
        if head is None:
            raise Refused(f"no head is signed: {self.trouble}")
        return {"line": head.line, "fingerprint": head.fingerprint}

    def signed_in(self, told: Mapping[str, Any]) -> None:
        """Somebody has: sign a head if they may change what the line goes by. LedgerStuck, LedgerDamaged."""
        if CHANGERS & set(told.get("rights", ())):
            self.sign("sign-in")

    def prove(self, ask: Ask) -> dict[str, Any]:
        """`audit.verify`: begin a proof; full: every picture too. Answers whether it is finished. Refused."""
        with self._ledger.transaction() as db:
            if (kept := answered(db, ask)) is not None:
                return kept
            allowed(db, ask)
            if self._thread is not None:
                raise Refused("a proof is under way already")
            full = ask.body.get("full") is True
            audit(db, Deed("audit check begun", {"full": full}, ask.who, ask.reason))
            keep_answer(db, ask, done=True, body={"finished": False})
        self._thread = threading.Thread(target=self._prove, args=(ask.who, full), name="proof", daemon=True)
        self._thread.start()
        self._thread.join(_SOON_S)
        self.settle(now_ns())
        return {"finished": self._thread is None}

    def settle(self, now: int) -> None:
        """Write down what a proof found, sign the day's head, list what is signed. LedgerStuck, LedgerDamaged."""
        self.signed.look(now)
        if self._thread is not None and not self._thread.is_alive() and self._found is not None:
            self._write_down(*self._found)
            self._thread = self._found = None
        if self.key is not None and self._due(now):
            self.sign("daily")

    def idle(self) -> None:
        """There is nothing else to do: put older parts under a hash, or let links go whose rows retention deleted.

        LedgerStuck, LedgerDamaged.
        """
        with self._ledger.transaction() as db:
            if not seal_older(db):
                self._pruner.step(db)

    def close(self) -> None:
        """Break off a proof. Never raises."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    def _due(self, now: int) -> bool:
        if self._signed_ns:
            return now - self._signed_ns >= DAY_S * SECOND
        with self._ledger.transaction() as db:
            fresh = rows(
                db,
                "select 1 from head where n = (select max(n) from head)"
                " and abs(julianday(?) - julianday(json_extract(body, '$.utc'))) < 1",
                (utc_now(),),
            )
        self._signed_ns = now if fresh else 0
        return not fresh

    def _prove(self, who: str, full: bool) -> None:
        def tell(share: float) -> None:
            self._share = share
            time.sleep(_BITE_S)
            if self._stop.is_set():
                raise Refused("broken off: records is being stopped")

        try:
            # By the keys that the heads bring: a copy that was put back on a new disk has heads of the key before.
            found = audit_store(Asked(self._store / LEDGER, self._store, (), "", full), tell)
            others = [key for key in found.keys if self.key is not None and key != self.key.fingerprint]
            if others:
                named = ", ".join(key[:16] for key in others)
                found.notes.append(f"the box has another key now than signed some of the heads: {named}")
            self._found = who, found
        except Exception as error:  # outermost frame of the thread: it is told, and another one may be asked for
            if not isinstance(error, OkngError | OSError | apsw.Error):
                log.exception("the proof ended")
            self._found = who, str(error) or type(error).__name__

    def _write_down(self, who: str, found: Verified | str) -> None:
        told: dict[str, object]
        if isinstance(found, str):
            told = {"failed": found}
        else:
            told = {name: value for name, value in asdict(found).items() if name not in ("problems", "notes")}
            told = {**told, "problems": found.problems[:20], "notes": found.notes[:20], "wrong": len(found.problems)}
        with self._ledger.transaction() as db:
            about = {"wrong": told.get("wrong", 0), "failed": told.get("failed", "")}
            audit(db, Deed("audit checked", {**about, "problems": told.get("problems", [])}, who))
            db.execute(
                "insert into keep values (?, ?, ?) on conflict (name) do update set body = excluded.body,"
                " at = excluded.at",
                (KEEP, as_json({**told, "who": who}), utc_now()),
            )


def _key(store: Path) -> tuple[BoxKey | None, str]:
    """The box's key, and why there is none. The line goes on without: heads are then not signed."""
    try:
        key = BoxKey.load_or_make(store / KEY_FILE)
        public = store / PUBLIC_FILE
        if not public.exists() or public.read_text(encoding="ascii") != key.public_pem:
            write_synced(public, key.public_pem.encode())
            sync_folder(store)
    except (OkngError, OSError, UnicodeDecodeError) as error:
        log.error("no box key, so no head is signed: %s", error)
        return None, str(error)
    return key, ""
