"""What may be asked of drafts. Body in, body out; pictures travel as bytes.

draft.list     {}                                        drafts: each as in `told`, without its pictures
draft.new      {name, base?: job, cameras are its}       draft: id
draft.read     {draft}                                   draft: all of it; wanted, more, stale, work
               {draft, shot, small?: bool}               data, kind: `image/png` or `image/jpeg`
               {draft, file}                             data, kind, policy: a heat map or a report of it
draft.change   {draft, name?, regions?, wish?, shot?, role?, kind?, region?, revision?}
draft.drop     {draft, shot?}                            without shot: all of it
draft.shoot    {draft, role, camera?, kind?, region?}    shots: of each camera, with `flags`
               {draft, role, seq}                        the same from the ledger's kept pictures
draft.teach    {draft, goods?: false}                    work: id
draft.limit    {draft, overkill_percent?, escape_percent?, region?, threshold?, keep?}   rates, claims
draft.try      {draft, live?: bool}                      work: id; judges the challenge parts, or what is seen now
draft.release  {draft, number?, despite?}                work: id
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, get_args

from ..bus.asks import Ask, Handler
from ..bus.clock import utc_now
from ..camera.frame import Frame
from ..imaging.picture import Picture
from ..inspect.recipe import ActiveRecipe, read_recipe
from . import shots, taken
from .box import Box, ReadBox
from .draft import FEWEST_GOODS, WANTED_GOODS, Draft, Role, Shot
from .drafts import Drafts, matter, new_id
from .eye import Eye
from .limits import limits_of
from .past import picture_of
from .works import Works

_ROLES: tuple[str, ...] = get_args(Role)
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".html": "text/html"}


class TeachDesk:
    """Answers what is asked of drafts. One thread: the workshop's."""

    def __init__(
        self, settings_file: Path, read_box: ReadBox, drafts: Drafts, eye: Eye, works: Works, turn: Callable[[], None]
    ) -> None:
        """turn: called between two pictures that are written: a large one takes a second."""
        self._file, self._read, self._drafts, self._eye, self._works = settings_file, read_box, drafts, eye, works
        self._turn = turn

    def _keep(self, draft: Draft, picture: Picture, fields: dict[str, Any]) -> Shot:
        self._turn()
        return shots.keep(self._drafts, draft, picture, fields)

    def handlers(self) -> dict[str, Handler]:
        """By command."""
        return {
            "draft.list": self._list,
            "draft.new": self._new,
            "draft.read": self._show,
            "draft.change": self._change,
            "draft.drop": self._drop,
            "draft.shoot": self._shoot,
            "draft.teach": self._teach,
            "draft.limit": self._limit,
            "draft.try": self._try,
            "draft.release": self._release,
        }

    def _box(self) -> Box:
        return self._read(self._file)

    def _draft(self, ask: Ask) -> Draft:
        return self._drafts.read(taken.text(ask, "draft"))

    def _list(self, ask: Ask) -> dict[str, Any]:
        told = []
        for draft in self._drafts.all():
            keys = ("id", "name", "revision", "who", "made_at", "changed_at", "base_job")
            one = {key: getattr(draft, key) for key in keys}
            first = draft.shots[0].id if draft.shots else ""
            told.append({**one, "counts": _counts(draft), "first": first, **self._state(draft)})
        return {"drafts": told}

    def _state(self, draft: Draft) -> dict[str, Any]:
        work = next((one for one in self._works.all() if one.about == draft.id), None)
        shown = (
            None if work is None else {key: getattr(work, key) for key in ("id", "what", "state", "share", "detail")}
        )
        return {
            "taught": bool(draft.taught),
            "stale": bool(draft.taught) and draft.taught_from != matter(draft),
            "released": draft.released is not None,
            "work": shown,
            "wanted": list(WANTED_GOODS),
            "fewest": FEWEST_GOODS,
        }

    def _new(self, ask: Ask) -> dict[str, Any]:
        box = self._box()
        number = taken.job(ask, box, "base")
        active = read_recipe(box.recipes[number])
        name = taken.text(ask, "name")
        if any(one.name == name and one.released is None for one in self._drafts.all()):
            raise ValueError(f"a draft named {name} is there already: go on with it, or take another name")
        draft = begun(name, number, active, box.cameras, ask.who)
        return {"draft": self._drafts.new(draft).id}

    def _show(self, ask: Ask) -> dict[str, Any]:
        draft = self._draft(ask)
        if "shot" in ask.body:
            shot = draft.shot(taken.text(ask, "shot"))
            is_small = taken.flag(ask, "small")
            place = (self._drafts.small if is_small else self._drafts.picture)(draft, shot.id)
            return {"data": place.read_bytes(), "kind": _KINDS[place.suffix]}
        if "file" in ask.body:
            return self._file_of(draft, taken.text(ask, "file"))
        return {"draft": draft.model_dump(mode="json"), **self._state(draft)}

    def _file_of(self, draft: Draft, name: str) -> dict[str, Any]:
        root = self._drafts.place(draft).resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root) or path.suffix not in _KINDS or not path.is_file():
            raise ValueError(f"{name[:100]!r}: there is no such file in this draft")
        told: dict[str, Any] = {"data": path.read_bytes(), "kind": _KINDS[path.suffix]}
        if path.suffix == ".html":
            from ..training.report.page import POLICY

            told["policy"] = POLICY
        return told

    def _change(self, ask: Ask) -> dict[str, Any]:
        draft = self._draft(ask)
        seen = taken.whole(ask, "revision", 1, 2**31)
        if seen is not None and seen != draft.revision:
            raise ValueError("this draft was changed meanwhile: look at it again")
        fields: dict[str, object] = {}
        if "name" in ask.body:
            fields["name"] = taken.text(ask, "name")
        if "regions" in ask.body:
            fields["regions"] = taken.items(ask, "regions")
        if "wish" in ask.body:
            fields["wish"] = ask.body["wish"]
        if "shot" in ask.body:
            fields["shots"] = self._relabelled(ask, draft)
        if not fields:
            raise ValueError("draft.change: expected name, regions, wish or shot")
        changed = self._drafts.change(draft, **fields)
        return {"revision": changed.revision, "stale": self._state(changed)["stale"]}

    def _relabelled(self, ask: Ask, draft: Draft) -> list[Shot]:
        wanted = draft.shot(taken.text(ask, "shot"))
        new: dict[str, Any] = {"role": taken.choice(ask, "role", _ROLES, wanted.role)}
        new["kind"] = taken.text(ask, "kind", wanted.kind)
        new["region"] = _region(ask, draft, wanted.region)
        return [shot.model_copy(update=new) if shot.id == wanted.id else shot for shot in draft.shots]

    def _drop(self, ask: Ask) -> dict[str, Any]:
        draft = self._draft(ask)
        if "shot" not in ask.body:
            if self._busy(draft):
                raise ValueError("this draft is being worked at: wait, or end the work first")
            self._drafts.drop(draft.id)
            return {"dropped": draft.id}
        gone = draft.shot(taken.text(ask, "shot"))
        left = [shot for shot in draft.shots if shot.id != gone.id]
        tried = [one for one in draft.tried if one.shot != gone.id]
        changed = self._drafts.change(draft, shots=left, tried=tried)
        for path in (self._drafts.picture(draft, gone.id), self._drafts.small(draft, gone.id)):
            path.unlink(missing_ok=True)
        return {"revision": changed.revision}

    def _busy(self, draft: Draft) -> bool:
        return any(one.about == draft.id and one.state in ("waiting", "running") for one in self._works.all())

    def _shoot(self, ask: Ask) -> dict[str, Any]:
        draft, box = self._draft(ask), self._box()
        role: Any = taken.choice(ask, "role", _ROLES, "good")
        more = {"kind": taken.text(ask, "kind", "defect"), "region": _region(ask, draft, None)}
        seq = taken.whole(ask, "seq", 1, 2**62)
        if seq is not None:
            return self._from_ledger(draft, box, role, seq, more)
        asked = taken.text(ask, "camera", "")
        names = [asked] if asked else list(draft.cameras)
        for name in names:
            if name not in draft.cameras:
                raise ValueError(f"draft.shoot: camera = {name!r}: expected one of {', '.join(draft.cameras)}")
        return self._added(draft, self._seen_now(draft, box, names, role, more))

    def _seen_now(self, draft: Draft, box: Box, names: Iterable[str], role: Role, more: dict[str, Any]) -> list[Shot]:
        """What these cameras see; nothing is kept unless all of them see something new."""
        frames: list[Frame] = [self._eye.take(name, box.options.fresh_ms) for name in names]
        fields = [shots.of_frame(draft, frame, role) for frame in frames]
        return [self._keep(draft, frame.picture, {**each, **more}) for frame, each in zip(frames, fields, strict=True)]

    def _from_ledger(self, draft: Draft, box: Box, role: Role, seq: int, more: dict[str, Any]) -> dict[str, Any]:
        if any(shot.seq == seq for shot in draft.shots):
            raise ValueError("this part is in the draft already")
        part = picture_of(box.store, seq)
        made = []
        for view in part.views:
            if draft.cameras.get(view.camera) == (view.picture.shape[1], view.picture.shape[0]):
                shot = {"role": role, "camera": view.camera, "taken_at": part.taken_at, "source": "part"}
                whole = {**shot, "part": part.part, "seq": seq, **more}
                made.append(self._keep(draft, view.picture, whole))
        if not made:
            raise ValueError("this part has no kept picture that fits this draft")
        return self._added(draft, made)

    def _added(self, draft: Draft, made: list[Shot]) -> dict[str, Any]:
        changed = self._drafts.change(draft, shots=[*draft.shots, *made])
        return {"shots": [shot.model_dump(mode="json") for shot in made], "counts": _counts(changed)}

    def _teach(self, ask: Ask) -> dict[str, Any]:
        draft = self._draft(ask)
        for region in draft.regions:
            goods = len(draft.seen_in(region, "good"))
            if goods < FEWEST_GOODS:
                raise ValueError(
                    f"{goods} pictures of good parts for region {region.name}: expected {FEWEST_GOODS} or more"
                )
        return {"work": self._works.begin("teach", draft.id, ask.who, {"draft": draft.id})}

    def _limit(self, ask: Ask) -> dict[str, Any]:
        draft = self._draft(ask)
        wish = dict(draft.wish.model_dump())
        for key in ("overkill_percent", "escape_percent"):
            if key in ask.body:
                wish[key] = taken.number(ask, key, 0.01, 50.0)
        region = taken.text(ask, "region", "")
        found = limits_of(draft, wish, region, taken.number(ask, "threshold", -1e9, 1e9))
        if taken.flag(ask, "keep"):
            moved = {
                name: one.model_copy(update={"threshold": found["regions"][name]["threshold"]})
                if name in found["regions"]
                else one
                for name, one in draft.taught.items()
            }
            self._drafts.change(draft, wish=wish, taught=moved, tried=())
        return found

    def _try(self, ask: Ask) -> dict[str, Any]:
        draft, box = self._draft(ask), self._box()
        _require_taught(draft)
        if taken.flag(ask, "live"):
            made = self._seen_now(draft, box, draft.cameras, "challenge", {})
            draft = self._drafts.change(draft, shots=[*draft.shots, *made])
        if not draft.of("challenge"):
            raise ValueError("there is no challenge part in this draft: take a picture of one")
        return {"work": self._works.begin("try", draft.id, ask.who, {"draft": draft.id})}

    def _release(self, ask: Ask) -> dict[str, Any]:
        draft = self._draft(ask)
        _require_taught(draft)
        if draft.taught_from != matter(draft):
            raise ValueError("pictures or regions were changed since the teaching: teach again first")
        challenged = {one.shot: one.outcome for one in draft.tried}
        passed = [shot.id for shot in draft.of("challenge") if challenged.get(shot.id, "OK") == "OK"]
        if passed and not taken.flag(ask, "despite"):
            raise ValueError(
                f"{len(passed)} challenge parts were let pass or not tried: try them, or release despite it"
            )
        order = {"draft": draft.id, "number": taken.whole(ask, "number", 1, 65535), "reason": ask.reason}
        return {"work": self._works.begin("release", draft.id, ask.who, order)}


def begun(name: str, number: int, active: ActiveRecipe, cameras: tuple[str, ...], who: str) -> Draft:
    """A new draft that takes cameras and timing from a recipe. pydantic's ValidationError is a ValueError."""
    sizes = {camera: active.recipe.section(camera).size for camera in cameras}
    regions: list[dict[str, Any]] = [{"name": "whole"}]
    if len(sizes) > 1:
        regions = [{"name": f"whole-{camera}", "camera": camera} for camera in sizes]
    now = utc_now()
    return Draft.model_validate(
        {
            "id": new_id(),
            "name": name,
            "who": who,
            "made_at": now,
            "changed_at": now,
            "base_job": number,
            "base_recipe": active.path.name,
            "base_revision": active.revision,
            "cameras": sizes,
            "regions": regions,
        }
    )


def _counts(draft: Draft) -> dict[str, int]:
    """Pictures of each role."""
    return {role: len(draft.of(role)) for role in get_args(Role)}


def _region(ask: Ask, draft: Draft, default: str | None) -> str | None:
    """Name of the region that was asked for. ValueError: none of the draft's."""
    name: Any = ask.body.get("region", default)
    if name is not None and name not in [one.name for one in draft.regions]:
        raise ValueError(f"{ask.name}: region = {name!r}: expected one of this draft's")
    return None if name is None else str(name)


def _require_taught(draft: Draft) -> None:
    if not draft.taught:
        raise ValueError("this draft is not taught yet")
