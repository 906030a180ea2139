"""The end of the log: of the box's units from the journal, else of the newest log file beside the run folder.

What looks like a password, a token or a key is not shown.
"""

import re
import stat
import subprocess
from pathlib import Path

LINES = 200
MOST_BYTES = 256 << 10
_ASKED_S = 3
_SAID = re.compile(
    r"(?i)\b(password|secret|token|pin|authorization|bearer|api[_-]?key|cookie)"
    r"""(["']?\s*[=:]\s*|\s+)((bearer|basic)\s+)?\S+"""
)
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s:@]+:[^/\s@]+@", re.IGNORECASE)


def log_tail(run_dir: Path, lines: int = LINES) -> tuple[str, list[str]]:
    """Where it is from (empty: there is none to read), and the last lines, the oldest first."""
    command = ["journalctl", "-q", "-u", "okng-*", "--no-pager", "-o", "short-iso", "-n", str(lines)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_ASKED_S, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return "journal", cleaned(done.stdout, lines)
    except (OSError, subprocess.SubprocessError):
        pass
    folders = [run_dir] if _is_shared(run_dir.parent) else [run_dir, run_dir.parent]
    files = [path for folder in folders for path in folder.glob("*.log") if path.is_file()]
    for path in sorted(files, key=_age, reverse=True):
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - MOST_BYTES))
                return path.name, cleaned(file.read(MOST_BYTES), lines)
        except OSError:
            continue
    return "", []


def cleaned(data: bytes, lines: int) -> list[str]:
    """The last lines as text, without secrets and control characters."""
    text = data[-MOST_BYTES:].decode("utf-8", errors="replace")
    text = _SAID.sub(r"\1\2***", _ADDRESS.sub(r"\1***@", text))
    kept = ["".join(sign if sign.isprintable() or sign == "\t" else "?" for sign in line) for line in text.splitlines()]
    return [line[:500] for line in kept[-lines:]]


def _is_shared(folder: Path) -> bool:
    """Anybody writes there, as in the folder for temporary files: its logs are not ours to show."""
    try:
        return bool(folder.stat().st_mode & (stat.S_ISVTX | stat.S_IWOTH))
    except OSError:
        return True


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
