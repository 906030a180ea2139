"""What may be asked of models.

    model.list      {}                                                      models: each as `shelf.told`; jobs
                    {report: digest}                                        data, policy: the report in a bundle, HTML
    model.preview   {job?, region?, threshold | bundle, most?}              work: which kept pictures would flip
    model.compare   {a, b, job?, region?, most?}                            work: champion and challenger on the same
    model.activate  {bundle, job?, region?, second?: {name}}                work; its next version, or its slot
    model.back      {job?, second?: {name}}                                 work; the version, or the slot's, before

bundle, a, b: digests of what `model.list` told. With `[workshop] four_eyes` the screen brings, as `second`, the name of
another person who has just proved to be there; the same one twice is refused.
"""

import hashlib
from pathlib import Path
from typing import Any

from ..bus.asks import Ask, Handler
from ..models.manifest import REPORT_HTML, read_manifest
from . import taken
from .box import Box, ReadBox
from .shelf import models_of, place_of
from .works import Works


class ModelDesk:
    """Answers what is asked of models. One thread: the workshop's."""

    def __init__(self, settings_file: Path, read_box: ReadBox, works: Works) -> None:
        self._file, self._read, self._works = settings_file, read_box, works

    def handlers(self) -> dict[str, Handler]:
        """By command."""
        return {
            "model.list": self._list,
            "model.preview": self._preview,
            "model.compare": self._compare,
            "model.activate": self._activate,
            "model.back": self._back,
        }

    def _list(self, ask: Ask) -> dict[str, Any]:
        box = self._read(self._file)
        if "report" in ask.body:
            return _report(place_of(box, taken.text(ask, "report")))
        return models_of(box)

    def _job(self, ask: Ask) -> tuple[Box, int]:
        box = self._read(self._file)
        return box, taken.job(ask, box)

    def _order(self, ask: Ask, box: Box, number: int) -> dict[str, Any]:
        most = taken.whole(ask, "most", 1, 2000) or box.options.past_pictures
        return {"job": number, "region": taken.text(ask, "region", ""), "most": most, "reason": ask.reason}

    def _preview(self, ask: Ask) -> dict[str, Any]:
        box, number = self._job(ask)
        order = self._order(ask, box, number)
        order["threshold"] = taken.number(ask, "threshold", -1e9, 1e9)
        order["bundle"] = taken.text(ask, "bundle", "")
        if order["threshold"] is None and not order["bundle"]:
            raise ValueError("model.preview: expected a threshold, or a bundle, to look ahead with")
        if order["bundle"]:
            place_of(box, order["bundle"])
        return {"work": self._works.begin("preview", f"job {number}", ask.who, order)}

    def _compare(self, ask: Ask) -> dict[str, Any]:
        box, number = self._job(ask)
        order = self._order(ask, box, number)
        for key in ("a", "b"):
            order[key] = taken.text(ask, key)
            place_of(box, order[key])
        return {"work": self._works.begin("compare", f"job {number}", ask.who, order)}

    def _activate(self, ask: Ask) -> dict[str, Any]:
        box, number = self._job(ask)
        order = self._order(ask, box, number) | {"second": _second(ask, box)}
        order["bundle"] = taken.text(ask, "bundle")
        place_of(box, order["bundle"])
        return {"work": self._works.begin("activate", f"job {number}", ask.who, order)}

    def _back(self, ask: Ask) -> dict[str, Any]:
        box, number = self._job(ask)
        order = self._order(ask, box, number) | {"second": _second(ask, box)}
        return {"work": self._works.begin("back", f"job {number}", ask.who, order)}


def _report(folder: Path) -> dict[str, Any]:
    """The report of a bundle, as its manifest vouches for it. ValueError: it has none, or another one."""
    from ..training.report.page import POLICY

    entry = read_manifest(folder).files.get(REPORT_HTML)
    data = (folder / REPORT_HTML).read_bytes() if entry is not None else b""
    if entry is None or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ValueError("this model has no report, or a damaged one")
    return {"data": data, "policy": POLICY}


def _second(ask: Ask, box: Box) -> str:
    """Name of the second person. ValueError: one is needed and is not there, or is the same."""
    given = ask.body.get("second")
    name = given.get("name", "") if isinstance(given, dict) else ""
    if box.options.four_eyes and (not isinstance(name, str) or not name or name == ask.who):
        raise ValueError("a second person has to confirm this: another one than who asks")
    return str(name)
