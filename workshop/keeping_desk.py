"""What may be asked of the box's settings, of labels, of support bundles, and of all long work.

    settings.read    {}                                        text, sha256, values, file, backups
    settings.change  {changes: [{section, key, value}], sha256}    or {text, sha256}; restart: processes to start again
    support.bundle   {pictures?: bool, most?}                  work: a zip, `support.zip`
    labels.export    {format, seqs? | most?}                   work: a zip, `labels.zip`
    labels.import    {format, data: bytes}                     work: drawings, by part
    work.status      {}                                        works, the newest first
                     {work}                                    work, result when it is done
                     {work, file, offset?}                     data (1 MiB at most), size: for who began it
                     {work, abort: true}                       for who began it

A value of null takes a key away. What the settings refuse is refused with `errors` (loc, type, ctx, msg, input).
"""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..bus.asks import Ask, Handler, Objection
from ..bus.errors import BadSettings
from . import taken
from .box import ReadBox
from .recipe_text import told
from .restarts import restarts
from .settings_text import Change, backups, changed_text, read_text, write_checked
from .works import Works

PIECE = 1 << 20
MOST_LABELS = 32 << 20
_FORMATS = ("label-studio", "coco", "masks")
_HIDDEN = ("password", "secret", "token", "key")


class KeepingDesk:
    """Answers the rest. One thread: the workshop's."""

    def __init__(self, settings_file: Path, read_box: ReadBox, works: Works) -> None:
        self._file, self._read, self._works = settings_file, read_box, works

    def handlers(self) -> dict[str, Handler]:
        """By command."""
        return {
            "settings.read": self._settings,
            "settings.change": self._change,
            "support.bundle": self._support,
            "labels.export": self._export,
            "labels.import": self._import,
            "work.status": self._status,
        }

    def _settings(self, ask: Ask) -> dict[str, Any]:
        text, digest = read_text(self._file)
        kept = [path.name for path in backups(self._file)]
        return {
            "text": text,
            "sha256": digest,
            "values": _plain(tomllib.loads(text)),
            "file": str(self._file),
            "backups": kept,
        }

    def _change(self, ask: Ask) -> dict[str, Any]:
        before, _ = read_text(self._file)
        if "text" in ask.body:
            text = ask.body["text"]
            if not isinstance(text, str) or len(text) > PIECE:
                raise ValueError("settings.change: text: expected the whole text of the settings")
        else:
            text = changed_text(before, [_changed(one) for one in taken.items(ask, "changes")])
        try:
            write_checked(self._file, text, taken.text(ask, "sha256"), self._read)
        except BadSettings as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                raise Objection(
                    str(error), {"errors": [told(one) for one in cause.errors(include_url=False)]}
                ) from error
            raise
        found = read_text(self._file)[1]
        return {"sha256": found, "restart": restarts(tomllib.loads(before), tomllib.loads(text))}

    def _support(self, ask: Ask) -> dict[str, Any]:
        order = {"pictures": taken.flag(ask, "pictures"), "most": taken.whole(ask, "most", 1, 200) or 20}
        return {"work": self._works.begin("bundle", "support", ask.who, order)}

    def _export(self, ask: Ask) -> dict[str, Any]:
        seqs = ask.body.get("seqs")
        if seqs is not None and not (isinstance(seqs, list | tuple) and all(isinstance(one, int) for one in seqs)):
            raise ValueError("labels.export: seqs: expected a list of numbers")
        order: dict[str, Any] = {
            "format": taken.choice(ask, "format", _FORMATS),
            "seqs": None if seqs is None else list(seqs)[:10_000],
            "most": taken.whole(ask, "most", 1, 10_000) or 500,
        }
        return {"work": self._works.begin("export", order["format"], ask.who, order)}

    def _import(self, ask: Ask) -> dict[str, Any]:
        data = ask.body.get("data")
        if not isinstance(data, bytes) or len(data) > MOST_LABELS:
            raise ValueError(f"labels.import: data: expected at most {MOST_LABELS >> 20} MB of a file")
        form = taken.choice(ask, "format", _FORMATS)
        return {"work": self._works.begin("import", form, ask.who, {"format": form}, {"given": data})}

    def _status(self, ask: Ask) -> dict[str, Any]:
        if "work" not in ask.body:
            return {"works": [asdict(one) for one in self._works.all()]}
        work = self._works.known(taken.text(ask, "work"))
        if work is None:
            raise ValueError("there is no such work (any more)")
        if taken.flag(ask, "abort") or "file" in ask.body:
            if not ask.who or ask.who != work.who:
                raise ValueError(f"this work is {work.who}'s")
            if "file" in ask.body:
                return self._piece(ask, work.id)
            self._works.abort(work.id)
            return {}
        result = self._works.result(work.id)
        return {"work": asdict(work), **({} if result is None else {"result": result})}

    def _piece(self, ask: Ask, id_: str) -> dict[str, Any]:
        root = self._works.folder(id_).resolve()
        path = (root / taken.text(ask, "file")).resolve()
        if path.parent != root or not path.is_file():
            raise ValueError("this work has no such file")
        offset = taken.whole(ask, "offset", 0, 2**53) or 0
        with path.open("rb") as file:
            file.seek(offset)
            return {"data": file.read(PIECE), "size": path.stat().st_size}


def _changed(one: dict[str, Any]) -> Change:
    section, key = one.get("section", ""), one.get("key")
    if not isinstance(section, str) or not isinstance(key, str) or not key or "value" not in one:
        raise ValueError("settings.change: changes: expected section, key and value of each")
    if any(sign in section + key for sign in '\n"[]=#'):
        raise ValueError(f"settings.change: [{section}] {key}: expected plain names")
    return Change(section, key, one["value"])


def _plain(value: Any) -> Any:
    """TOML's dates as text; secrets stand in files of their own, and no key that looks like one is shown."""
    if isinstance(value, dict):
        hidden = {name: "***" for name in value if any(word == name.rpartition("_")[2] for word in _HIDDEN)}
        return {
            name: hidden.get(name, _plain(each)) if isinstance(each, str) else _plain(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str) else str(value)
