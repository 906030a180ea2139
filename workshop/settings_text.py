"""The settings' file, changed key by key: comments and order stay, and what comes out is what was meant, or nothing.

The new text is read back before it takes the file's place: it has to say exactly the old values with the changes, and
the box has to take it. The file before is kept beside it.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bus.errors import BadSettings
from .box import Box, ReadBox
from .last_good import keep
from .whole import put

BACKUPS = 10
_WRITTEN_OTHERWISE = "the file is written in a way that cannot be changed by single keys: change its text"
_BARE = re.compile(r"^[A-Za-z0-9_-]+$")
_HEAD = re.compile(r"^\s*\[(?P<name>\[?[^\[\]]+)\]\]?\s*(#.*)?$")


@dataclass(frozen=True, slots=True)
class Change:
    """One key. `section` is dotted, empty for the top of the file; value None: the key goes."""

    section: str
    key: str
    value: Any


def read_text(path: Path) -> tuple[str, str]:
    """Text and sha256 of the file. BadSettings."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8"), hashlib.sha256(data).hexdigest()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: cannot be read: {error}") from error


def changed_text(text: str, changes: Sequence[Change]) -> str:
    """Return the text with the changes. BadSettings: it would not say what was meant."""
    lines, meant = text.splitlines(), tomllib.loads(text)
    for change in changes:
        _apply(meant, change)
        _edit(lines, change)
    made = "\n".join(lines) + "\n"
    try:
        found = tomllib.loads(made)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(f"{_WRITTEN_OTHERWISE} ({error})") from error
    if found != meant:
        raise BadSettings(_WRITTEN_OTHERWISE)
    return made


def write_checked(path: Path, text: str, base: str, read_box: ReadBox) -> Box:
    """Put a new text in place of the settings, if the box takes it; return the box by it.

    base: sha256 of the file it was made from. BadSettings: it was changed meanwhile, or is refused. StoreLost.
    """
    before, digest = read_text(path)
    if digest != base:
        raise BadSettings("the settings were changed meanwhile: look at them again")
    trial = path.with_name(f".{path.name}.trial")  # beside it: relative paths mean the same
    put(trial, text.encode())
    try:
        read_box(trial)
    except BadSettings as error:
        raise BadSettings(str(error).replace(str(trial), path.name)) from error.__cause__
    finally:
        with suppress(OSError):
            trial.unlink()
    if text != before:
        put(path.with_name(f"{path.name}.{digest[:12]}.bak"), before.encode())
        _drop_old(path)
        put(path, text.encode())
    box = read_box(path)
    keep(path, text.encode())
    return box


def backups(path: Path) -> list[Path]:
    """What the file was before, the newest first."""
    found = path.parent.glob(f"{path.name}.*.bak")
    return sorted(found, key=lambda each: each.stat().st_mtime_ns, reverse=True)


def toml_value(value: Any) -> str:
    """A value as TOML writes it. BadSettings: no value of the settings."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(sign, _escaped(sign)) for sign in value) + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {toml_value(each)}" for name, each in value.items()) + "}"
    raise BadSettings(f"{value!r}: expected a text, number, true or false, list or table")


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _escaped(sign: str) -> str:
    return f"\\u{ord(sign):04x}" if ord(sign) < 32 or ord(sign) == 127 else sign


def _key(name: str) -> str:
    return name if _BARE.match(name) else toml_value(name)


def _parts(section: str) -> list[str]:
    return section.split(".") if section else []


def _apply(meant: dict[str, Any], change: Change) -> None:
    table: Any = meant
    for part in _parts(change.section):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise BadSettings(f"[{change.section}]: is no section of the settings")
    if change.value is None:
        table.pop(change.key, None)
    else:
        table[change.key] = change.value


def _edit(lines: list[str], change: Change) -> None:
    """Change, add or take away one key's lines."""
    begin, end = _section(lines, change.section)
    if begin is None:
        if change.value is None:
            return
        head = ".".join(_key(part) for part in _parts(change.section))
        lines += ["", f"[{head}]", f"{_key(change.key)} = {toml_value(change.value)}"]
        return
    name = re.compile(rf'^\s*("{re.escape(change.key)}"|{re.escape(change.key)})\s*=')
    for at in range(begin, end):
        if name.match(lines[at]):
            last = _last_line(lines, at, end)
            new = [] if change.value is None else [f"{_key(change.key)} = {toml_value(change.value)}"]
            lines[at : last + 1] = new
            return
    if change.value is not None:
        while end > begin and not lines[end - 1].strip():
            end -= 1
        lines.insert(end, f"{_key(change.key)} = {toml_value(change.value)}")


def _section(lines: list[str], section: str) -> tuple[int | None, int]:
    """First line inside a section, and the one after it; None: it is not there as a head of its own."""
    heads = [(at, match.group("name")) for at, line in enumerate(lines) if (match := _HEAD.match(line))]
    if not section:
        return 0, heads[0][0] if heads else len(lines)
    for place, (at, name) in enumerate(heads):
        if [part.strip().strip('"') for part in name.split(".")] == _parts(section):
            return at + 1, heads[place + 1][0] if place + 1 < len(heads) else len(lines)
    return None, len(lines)


def _last_line(lines: list[str], at: int, end: int) -> int:
    """Where the value that begins there ends: the first line with which it reads as TOML."""
    for last in range(at, end):
        with suppress(tomllib.TOMLDecodeError):
            tomllib.loads("\n".join(lines[at : last + 1]))
            return last
    return at


def _drop_old(path: Path) -> None:
    for old in backups(path)[BACKUPS:]:
        with suppress(OSError):
            old.unlink()
