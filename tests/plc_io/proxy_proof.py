"""A real io process, a fast PLC on pyModbusTCP, and a bad cable between them: what became of every single part?

    .venv/bin/python tests/plc_io/proxy_proof.py --parts 100000 [--seed 1] [--cable detectable|anywhere]

`detectable`: delays, stalls, slices, resets, half-closes, orphans, swallowed directions, and one changed byte where the
protocol shows it: in the transaction, protocol or length of a Modbus TCP header, or in seq_begin or seq_end of the
block. Claimed: no verdict on a wrong part, no entry of the ledger lost or doubled, every part whose answer was lost is
rejected and counted, and the counters of PLC and box agree.

`anywhere`: besides, one byte anywhere in a message is another. Modbus TCP has no check sum of its own (TCP's is 16 bits
and is taken off before this proxy sees the bytes), so a changed byte can be a trigger that nobody gave, an acknowledge
or a number: the accounts cannot agree and are not compared. Claimed is only this: a PLC that opens for nothing but a
block that says OK in every way at once (see `proxy_plc.py`) opens for no bad part, because one byte cannot change code,
bits and part number together. Two bytes that fit each other in one message could; that is not claimed.
"""

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from okng.tests.plc_io.conftest import free_port, start_io
from okng.tests.plc_io.proxy_judge import Account, judge_account, judge_safety, read_book
from okng.tests.plc_io.proxy_plc import ProxyPlc

SPOTS = [(41, 9 + 2 * register + byte) for register in (3, 15) for byte in (0, 1)]
"""Bytes of seq_begin and seq_end in the answer to FC04 of registers 0..15."""


def cable(kind: str, seed: int, rate: float) -> dict[str, object]:
    """Faults of a cable. rate 1: something costs a connection about once in a hundred parts."""
    faults: dict[str, object] = {
        "seed": seed,
        "delay": 2e-3,
        "slice": 4e-3,
        "stall": 8e-5 * rate,
        "reset": 4e-4 * rate,
        "half_close": 2e-4 * rate,
        "orphan": 1e-4 * rate,
        "swallow": 1e-4 * rate,
        "header": 5e-4 * rate,
        "spot": 2e-3 * rate,
        "stall_ms": [20.0, 400.0],
        "spots": SPOTS,
    }
    if kind == "anywhere":
        faults["anywhere"] = 4e-3 * rate
    return faults


@dataclass(frozen=True, slots=True)
class Proof:
    """What a run showed."""

    account: Account
    plc: ProxyPlc
    proxy: dict[str, int]
    took_s: float
    io_status: int


def prove(parts: int, seed: int, kind: str = "detectable", rate: float = 1.0) -> Proof:
    """Run it. Raises nothing for a violation: the account tells."""
    run_dir = Path(tempfile.mkdtemp(prefix="okng-", dir="/tmp"))
    port, front = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, run_dir, ignore_errors=True)
        ledger = run_dir / "ledger.txt"
        box = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("proxy_box.py")), str(run_dir), str(ledger)]
        )
        stack.callback(_kill, box)
        io = start_io(run_dir, port)
        stack.callback(_kill, io)
        words = ("okng.simline.fault_proxy", str(front), "127.0.0.1", str(port), json.dumps(cable(kind, seed, rate)))
        complaints = stack.enter_context((run_dir / "proxy.txt").open("w+"))
        proxy = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            bufsize=1,
        )
        stack.callback(_kill, proxy)
        assert proxy.stdin is not None
        assert proxy.stdout is not None
        assert proxy.stdout.readline() == "ready\n"
        plc = ProxyPlc(front, 1 + seed * 1_000_003 % 4_000_000_000, parts)
        stack.callback(plc.close)
        _until("READY", plc.scan)
        plc.halted = False
        proxy.stdin.write("on\n")
        began = time.monotonic()
        while not plc.done:
            plc.scan()
            if plc.idle:
                time.sleep(0.001)
        took = time.monotonic() - began
        proxy.stdin.write("off\n")
        _until("READY at the end", plc.scan, 10)
        io.send_signal(signal.SIGTERM)
        status = io.wait(15)
        box.send_signal(signal.SIGTERM)
        box.wait(10)
        report, _ = proxy.communicate("end\n", timeout=10)
        account, book = Account(), read_book(ledger)
        judge_safety(plc.outcomes, book, account)
        if kind == "detectable":
            judge_account(plc.outcomes, book, account)
            for shown, expected in plc.mismatches:
                account.object_to(f"a result of part {shown} was shown where {expected} was next")
        complaints.seek(0)
        if said := complaints.read():
            account.object_to(f"the proxy itself: {said[-500:]}")
        if len(plc.outcomes) != parts:
            account.object_to(f"{len(plc.outcomes)} of {parts} parts have an outcome at the PLC")
        return Proof(account, plc, json.loads(report), took, status)


def _until(what: str, true: object, timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {timeout_s} s")
        time.sleep(0.002)


def _kill(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(5)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def main() -> int:
    """Run as a program: figures as JSON, exit status 1 for any objection."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0, help="how often the cable fails, as a factor")
    parser.add_argument("--cable", choices=("detectable", "anywhere"), default="detectable")
    asked = parser.parse_args()
    proof = prove(asked.parts, asked.seed, asked.cable, asked.rate)
    figures = {
        "parts": len(proof.plc.outcomes),
        "seconds": round(proof.took_s, 1),
        "parts_per_s": round(len(proof.plc.outcomes) / proof.took_s, 1),
        "outcomes": dict(sorted(proof.account.figures.items())),
        "losses": dict(sorted(proof.plc.losses.items())),
        "torn": proof.plc.torn,
        "mismatches": len(proof.plc.mismatches),
        "longest_loss_s": round(proof.plc.longest_s, 2),
        "proxy": proof.proxy,
        "objections": proof.account.objections,
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if proof.account.objections or proof.io_status else 0


if __name__ == "__main__":
    sys.exit(main())
