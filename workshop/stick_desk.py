"""What may be asked of the USB sticks at the panel: which there are, and that something be written to one.

    stick.look     {}                                 sticks: name, filesystem, free_mb (null: it hangs), read_only
    stick.paper    {name}                             work: a PDF that the screens have made
    stick.rejects  {seqs}                             work: pictures and a table, as a ZIP
    stick.support  {pictures?: bool, most?}           work: a support bundle, made for it
    stick.backup   {file?}                            work: a back-up of the ledger; the newest
    stick.export   {format, since?, until?, lot?}     work: the parts as jsonl, csv or parquet

Each takes `stick`, its name, where there may be several. The result tells file, bytes and sha256: it is on the stick,
was read back, and the stick may be pulled out.
"""

from pathlib import Path
from typing import Any

from ..bus.asks import Ask, Handler
from ..records.export_files import FORMATS
from ..records.parcel import MOST_PARTS
from . import taken
from .box import ReadBox
from .stick import choose, sticks
from .works import Works

_MOST_WORD = 120


class StickDesk:
    """Answers for the sticks. One thread: the workshop's."""

    def __init__(self, settings_file: Path, read_box: ReadBox, works: Works) -> None:
        self._file, self._read, self._works = settings_file, read_box, works

    def handlers(self) -> dict[str, Handler]:
        """By command."""
        return {
            "stick.look": self._look,
            "stick.paper": lambda ask: self._begin(ask, "paper", {"name": _word(ask, "name")}),
            "stick.rejects": lambda ask: self._begin(ask, "rejects", {"seqs": _seqs(ask)}),
            "stick.support": lambda ask: self._begin(
                ask,
                "support",
                {"pictures": taken.flag(ask, "pictures"), "most": taken.whole(ask, "most", 1, 200) or 20},
            ),
            "stick.backup": lambda ask: self._begin(ask, "backup", {"file": _word(ask, "file", "")}),
            "stick.export": lambda ask: self._begin(
                ask,
                "export",
                {
                    "format": taken.choice(ask, "format", FORMATS, "csv"),
                    **{name: _word(ask, name, "") for name in ("since", "until", "lot")},
                },
            ),
        }

    def _look(self, ask: Ask) -> dict[str, Any]:
        found = sticks(self._read(self._file).options.sticks)
        shown = ("name", "filesystem", "free_mb", "read_only")
        return {"sticks": [{name: getattr(one, name) for name in shown} for one in found]}

    def _begin(self, ask: Ask, kind: str, order: dict[str, Any]) -> dict[str, Any]:
        """Refused: there is no stick that can be written."""
        stick = choose(self._read(self._file).options.sticks, _word(ask, "stick", ""))
        told = {"kind": kind, "stick": stick.name, "reason": ask.reason, **order}
        return {"work": self._works.begin("stick", kind, ask.who, told), "stick": stick.name}


def _word(ask: Ask, key: str, default: str | None = None) -> str:
    value = taken.text(ask, key, default)
    if len(value) > _MOST_WORD:
        raise ValueError(f"{ask.name}: {key}: expected at most {_MOST_WORD} letters")
    return value


def _seqs(ask: Ask) -> list[int]:
    value = ask.body.get("seqs")
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MOST_PARTS:
        raise ValueError(f"{ask.name}: seqs: expected 1..{MOST_PARTS} numbers of parts")
    if not all(type(one) is int and 0 < one < 2**53 for one in value):
        raise ValueError(f"{ask.name}: seqs: expected numbers of parts")
    return list(dict.fromkeys(value))
