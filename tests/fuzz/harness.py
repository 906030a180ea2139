"""Bytes that nobody meant, for every parser of what comes from outside: `python -m okng.tests.fuzz.harness NAME`.

Each file `fuzz_NAME.py` has `seeds()`, valid examples, and `one(data)`, which lets pass what the parser is to raise and
nothing else. atheris (libFuzzer) goes by the branches that the bytes reach; where it is not installed, the same files
are driven by blind mutation, which says so and finds less.

    --seconds N     how long (of all that is given to libFuzzer)
    --corpus DIR    what was found interesting before is begun with, and kept; default: nothing is
"""

import argparse
import contextlib
import hashlib
import importlib
import importlib.util
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
MOST_BYTES = 8192
MEMORY_MB = 2048
SLOWEST_S = 5
"""One input that takes longer is a finding: it would hold up a process."""
FOUND = 77
"""Exit code of libFuzzer, and of the blind way, for a finding."""


def names() -> list[str]:
    """Every harness."""
    return sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))


def module_of(name: str) -> ModuleType:
    """The harness of that name."""
    return importlib.import_module(f"okng.tests.fuzz.fuzz_{name}")


def main() -> None:
    """Fuzz one parser; exit 77 on a finding, whose bytes are printed as a line of Python."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("name", choices=names())
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blind", action="store_true", help="without atheris")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        corpus = asked.corpus or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="okng-fuzz-")))
        corpus.mkdir(parents=True, exist_ok=True)
        shm = "/dev/shm" if Path("/dev/shm").is_dir() else None
        os.environ["OKNG_FUZZ"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="okng-fuzz-", dir=shm))
        if asked.blind or importlib.util.find_spec("atheris") is None:
            say(f"{asked.name}: blind mutation, atheris is not used")
            sys.exit(_blind(module_of(asked.name), asked.seconds, asked.seed))
        _guided(asked.name, corpus, asked.seconds, asked.seed)


def _guided(name: str, corpus: Path, seconds: int, seed: int) -> None:
    """libFuzzer ends its process, so it is a child's, and what it leaves is put away here."""
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code:
            raise SystemExit(code if code > 0 else FOUND)
        return
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["okng"], enable_loader_override=False):
        target = module_of(name)
    for data in target.seeds():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def guarded(data: bytes) -> None:
        try:
            target.one(data)
        except BaseException:
            say(f"\nreproduce: {reproducer(name, data)}")
            raise

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={SLOWEST_S}",
    ]
    options += [f"-artifact_prefix={corpus}/finding-", f"-seed={seed or int(time.time())}"]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", "-verbosity=0", str(corpus)], guarded)
    atheris.Fuzz()


def _blind(target: ModuleType, seconds: float, seed: int) -> int:
    """Mutate the seeds for so long. Return an exit code."""
    drawn, end, runs = random.Random(seed), time.monotonic() + seconds, 0
    for data in mutants(target.seeds(), drawn):
        if time.monotonic() > end:
            break
        runs += 1
        begun = time.monotonic()
        try:
            target.one(data)
        except BaseException:  # noqa: BLE001 - whatever it is, it is what was looked for
            traceback.print_exc()
            say(f"reproduce: {reproducer(target.__name__.rpartition('fuzz_')[2], data)}")
            return FOUND
        if time.monotonic() - begun > SLOWEST_S:
            say(f"too slow: {reproducer(target.__name__.rpartition('fuzz_')[2], data)}")
            return FOUND
    say(f"{runs} runs")
    return 0


def say(text: str) -> None:
    """To standard output, at once: a fuzzer ends without asking."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def reproducer(name: str, data: bytes) -> str:
    """A line that does it again."""
    return f"from okng.tests.fuzz import fuzz_{name}; fuzz_{name}.one({data!r})"


def mutants(seeds: list[bytes], drawn: random.Random) -> Iterator[bytes]:
    """The seeds, then changed ones without end."""
    yield from seeds
    yield b""
    while True:
        data = bytearray(drawn.choice(seeds))
        for _ in range(drawn.randint(1, 8)):
            at = drawn.randint(0, len(data))
            match drawn.randint(0, 5):
                case 0 if data:
                    data[at % len(data)] = drawn.randint(0, 255)
                case 1:
                    data[at:at] = bytes(drawn.randint(0, 255) for _ in range(drawn.randint(1, 8)))
                case 2:
                    del data[at : at + drawn.randint(1, 32)]
                case 3:
                    other = drawn.choice(seeds)
                    data[at:at] = other[drawn.randint(0, len(other)) :][: drawn.randint(1, 64)]
                case 4:
                    data[at:at] = data[at : at + drawn.randint(1, 16)] * drawn.choice((2, 64, 512))
                case _:
                    data[at:at] = drawn.choice(
                        (b"[", b"{", b"\xff\xff", b"\0\0\0\0", b"-1", b"9" * 5000, b"NaN", b"\x80")
                    )
        yield bytes(data[:MOST_BYTES])


if __name__ == "__main__":
    main()
