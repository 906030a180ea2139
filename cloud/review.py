"""The queue of parts that people are asked to look at, over all boxes, and what they said.

A part comes into it because a challenger disagrees with the champion, because somebody at the line overrode the
verdict, or because the score lay close to its limit: the strongest ground is kept. Each person has one word on a part.
Where as many say good as say defect it is disputed and stays in the queue for one more; else the majority is its truth.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..bus.errors import Refused
from .review_labels import is_number, line_labels
from .said import BadSaid, moment
from .tables import Blob, Box, Part, Person, Picture
from .tables_rollout import Confirmed, LineLabel, Review, Sample
from .upsert import put

TRUTHS = ("good", "defect", "unsure")
WHYS = ("disagreement", "overridden", "uncertain")
"""In the order in which they are looked at."""
UNCERTAIN = 0.1
"""Share of the limit: so close to it a score is called uncertain."""
WAITING = ("open", "disputed", "unsure")
SPRT_WRONG, SPRT_RIGHT = math.log(0.65 / 0.5), math.log(0.35 / 0.5)
SPRT_LIMIT = math.log(0.99 / 0.01)
"""Of the test on disagreements: p = 0.65 that the challenger is the wrong one against 0.5, both errors 1 %."""


def queue_parts(session: Session, parts: Iterable[Mapping[str, Any]]) -> None:
    """Put newly stored parts into the queue whose score lay close to its limit."""
    rows = []
    for part in parts:
        score, limit = part.get("score"), part.get("threshold")
        judged = str(part.get("outcome", "")).upper() in ("OK", "NG")
        if judged and score is not None and limit and abs(score / limit - 1) <= UNCERTAIN:
            key = {"box": part["box"], "epoch": part["epoch"], "part_seq": part["seq"]}
            rows.append(key | {"at": part["taken_at"], "state": "open", "truth": ""} | _why("uncertain"))
    put(session, Sample, rows)


def queue_differing(session: Session, box: str, events: Iterable[Mapping[str, Any]]) -> None:
    """Put parts into the queue on which a challenger differs, by new events of the stream `ladder`.

    The part itself may come later: the streams are sent one after the other. It is shown when it is there with a
    picture. What was in the queue on weaker ground moves up, and a truth that was settled so is told to the box.
    """
    rows: dict[tuple[int, int], dict[str, Any]] = {}
    for event in events:
        body = event.get("body")
        if not isinstance(body, Mapping) or body.get("what") != "differs":
            continue
        epoch, seq, bundle = body.get("part_epoch"), body.get("seq"), body.get("bundle")
        said = (body.get("champion_outcome"), body.get("challenger_outcome"))
        if not is_number(epoch) or not is_number(seq) or said not in (("OK", "NG"), ("NG", "OK")):
            continue
        if not isinstance(bundle, str) or len(bundle) != 64 or "\0" in bundle:
            continue
        ground = _why("disagreement", bundle, said[0] == "OK")
        key = {"box": box, "epoch": epoch, "part_seq": seq}
        at = _taken(body.get("taken_at"), event["at"])
        rows.setdefault((epoch, seq), key | {"at": at, "state": "open", "truth": ""} | ground)
    put(session, Sample, list(rows.values()))
    mine = sa.tuple_(Sample.epoch, Sample.part_seq).in_(list(rows))
    weaker = sa.select(Sample).where(Sample.box == box, mine, Sample.why != "disagreement")
    known = list(session.scalars(weaker.order_by(Sample.epoch, Sample.part_seq).with_for_update())) if rows else []
    for sample in known:
        row = rows[sample.epoch, sample.part_seq]
        for name in ("why", "priority", "bundle", "champion_ok"):
            setattr(sample, name, row[name])
    session.flush()
    for sample in known:
        if sample.state == "settled":
            _confirm(session, sample)


def _taken(text: Any, otherwise: datetime) -> datetime:
    try:
        return moment(text, "taken_at")
    except BadSaid:
        return otherwise


def _why(why: str, bundle: str = "", champion_ok: bool | None = None) -> dict[str, Any]:
    return {"why": why, "priority": WHYS.index(why), "bundle": bundle, "champion_ok": champion_ok}


def queue_overridden(session: Session, box: str, labels: Iterable[Mapping[str, Any]]) -> None:
    """Put parts into the queue whose verdict somebody at the line contradicted. labels: bodies of new events."""
    wrong = {"OK": "defect", "NG": "good"}
    for body in labels:
        epoch, seq = body.get("part_epoch"), body.get("seq")
        if body.get("what") != "label" or not is_number(epoch) or not is_number(seq):
            continue
        part = session.get(Part, (box, epoch, seq))
        if part is None or wrong.get(part.outcome.upper()) != body.get("truth"):
            continue
        row = {"box": box, "epoch": epoch, "part_seq": seq, "at": part.taken_at, "state": "open", "truth": ""}
        put(session, Sample, [row | _why("overridden")])
        stronger = sa.and_(Sample.box == box, Sample.epoch == epoch, Sample.part_seq == seq, Sample.why == "uncertain")
        session.execute(sa.update(Sample).where(stronger).values(**_why("overridden")))


@dataclass(frozen=True, slots=True)
class Shown:
    """One part of the queue, with what is needed to judge it."""

    sample: Sample
    part: Part
    box: Box
    pictures: list[tuple[str, str, str]]
    """(sha256, kind, camera), whole pictures first."""
    words: list[tuple[str, str, str, datetime]]
    """(name, truth, class, when) of those who looked before."""
    labels: list[LineLabel]
    """What people at the line said, newest first."""


def waiting(session: Session, who: str, why: str = "", box: str = "", line: str = "", recipe: str = "") -> int:
    """How many parts with a picture wait for this person, 1000 at most."""
    asked = _queue(who, why, box, line, recipe).limit(1000).subquery()
    return int(session.scalar(sa.select(sa.func.count()).select_from(asked)) or 0)


def queue(
    session: Session, who: str, why: str = "", box: str = "", line: str = "", recipe: str = "", limit: int = 10
) -> list[Shown]:
    """Take the next parts that this person has not said anything of, the most telling and oldest first."""
    asked = _queue(who, why, box, line, recipe).order_by(Sample.priority, Sample.at).limit(limit)
    return _shown(session, [(box, epoch, seq) for box, epoch, seq in session.execute(asked)])


def _queue(who: str, why: str, box: str, line: str, recipe: str) -> Any:
    key = (Sample.box, Sample.epoch, Sample.part_seq)
    seen = sa.exists().where(Review.box == key[0], Review.epoch == key[1], Review.part_seq == key[2], Review.who == who)
    picture = sa.exists().where(
        Picture.box == key[0],
        Picture.epoch == key[1],
        Picture.part_seq == key[2],
        Blob.sha256 == Picture.sha256,
        Blob.state == "have",
    )
    own = sa.and_(Part.box == key[0], Part.epoch == key[1], Part.seq == key[2])  # it may not have come yet
    asked = sa.select(*key).join(Part, own).where(Sample.state.in_(WAITING), ~seen, picture)
    if why:
        asked = asked.where(Sample.why == why)
    if box:
        asked = asked.where(Sample.box == box)
    if line:
        asked = asked.join(Box, Box.id == Sample.box).where(Box.line == line)
    if recipe:
        asked = asked.where(Part.recipe == recipe)
    return asked


def shown(session: Session, box: str, epoch: int, part_seq: int) -> Shown:
    """One part of the queue. Refused: it is not in it."""
    found = _shown(session, [(box, epoch, part_seq)])
    if not found:
        raise Refused(f"part {part_seq} of epoch {epoch} of box {box[:40]!r}: expected one that waits for a review")
    return found[0]


def _shown(session: Session, keys: list[tuple[str, int, int]]) -> list[Shown]:
    if not keys:
        return []
    same = sa.and_(Part.box == Sample.box, Part.epoch == Sample.epoch, Part.seq == Sample.part_seq)
    asked = sa.select(Sample, Part, Box).join(Part, same).join(Box, Box.id == Sample.box)
    rows = session.execute(asked.where(sa.tuple_(Sample.box, Sample.epoch, Sample.part_seq).in_(keys)))
    found = {(part.box, part.epoch, part.seq): (sample, part, box) for sample, part, box in rows}
    pictures, words, labels = pictures_of(session, keys), _words(session, keys), line_labels(session, keys)
    return [
        Shown(*found[key], pictures.get(key, []), words.get(key, []), labels.get(key, []))
        for key in keys
        if key in found
    ]


def pictures_of(
    session: Session, parts: Iterable[tuple[str, int, int]]
) -> dict[tuple[str, int, int], list[tuple[str, str, str]]]:
    """(sha256, kind, camera) of the pictures that lie in the store, by (box, epoch, part seq)."""
    keys = list(parts)
    if not keys:
        return {}
    asked = (
        sa.select(Picture)
        .join(Blob, Blob.sha256 == Picture.sha256)
        .where(sa.tuple_(Picture.box, Picture.epoch, Picture.part_seq).in_(keys), Blob.state == "have")
    )
    found: dict[tuple[str, int, int], list[tuple[str, str, str]]] = {}
    for one in session.scalars(asked):
        found.setdefault((one.box, one.epoch, one.part_seq), []).append((one.sha256, one.kind, one.camera))
    return {key: sorted(rows, key=lambda row: (row[1] != "picture", row[2], row[0])) for key, rows in found.items()}


def _words(
    session: Session, keys: list[tuple[str, int, int]]
) -> dict[tuple[str, int, int], list[tuple[str, str, str, datetime]]]:
    asked = sa.select(Review).where(sa.tuple_(Review.box, Review.epoch, Review.part_seq).in_(keys))
    reviews = list(session.scalars(asked.order_by(Review.at)))
    names = names_of(session, [one.who for one in reviews])
    found: dict[tuple[str, int, int], list[tuple[str, str, str, datetime]]] = {}
    for one in reviews:
        key = (one.box, one.epoch, one.part_seq)
        found.setdefault(key, []).append((names[one.who], one.truth, one.kind, one.at))
    return found


def names_of(session: Session, whos: Iterable[str]) -> dict[str, str]:
    """Names of people, by how deeds call them; others by that itself."""
    wanted = set(whos)
    subs = [who.removeprefix("person:") for who in wanted if who.startswith("person:")]
    known: dict[str, str] = {}
    if subs:
        rows = session.execute(sa.select(Person.sub, Person.name).where(Person.sub.in_(subs)))
        known = {f"person:{sub}": name for sub, name in rows}
    return {who: known.get(who, who) for who in wanted}


def say(session: Session, who: str, box: str, epoch: int, part_seq: int, truth: str, kind: str = "") -> Sample:
    """Note what a person says of a part, and tell the box where that settles a disagreement.

    Return the sample as it is then. Refused: no such part is in the queue, or the word makes no sense.
    """
    if truth not in TRUTHS:
        raise Refused(f"truth = {truth[:20]!r}: expected one of {', '.join(TRUTHS)}")
    if len(kind) > 64 or (kind and truth != "defect"):
        raise Refused(f"kind = {kind[:20]!r}: expected the class of a defect, at most 64 characters")
    where = (Sample.box == box, Sample.epoch == epoch, Sample.part_seq == part_seq)
    sample = session.scalars(sa.select(Sample).where(*where).with_for_update()).one_or_none()
    if sample is None:
        raise Refused(f"part {part_seq} of epoch {epoch} of box {box[:40]!r}: expected one that waits for a review")
    row = {"box": box, "epoch": epoch, "part_seq": part_seq, "who": who, "truth": truth, "kind": kind}
    put(session, Review, [row | {"at": datetime.now(UTC)}], replace=("truth", "kind", "at"))
    said = session.scalars(
        sa.select(Review.truth).where(Review.box == box, Review.epoch == epoch, Review.part_seq == part_seq)
    )
    before = sample.truth if sample.state == "settled" else ""
    sample.state, sample.truth = verdict_of(Counter(said))
    if sample.why == "disagreement" and sample.truth != before:
        _confirm(session, sample)
    session.flush()
    return sample


def _confirm(session: Session, sample: Sample) -> None:
    """Tell the box what is held for true of a disagreement now."""
    # One after the other for a box: its numbers are seen in the order in which they were given. Not against those who
    # insert rows that refer to the box: each of us has just done that.
    session.execute(sa.select(Box.id).where(Box.id == sample.box).with_for_update(key_share=True))
    session.add(
        Confirmed(
            box=sample.box,
            epoch=sample.epoch,
            part_seq=sample.part_seq,
            bundle=sample.bundle,
            truth=sample.truth or "unsure",
            at=datetime.now(UTC),
        )
    )


def verdict_of(said: Mapping[str, int]) -> tuple[str, str]:
    """(state, truth) of a part by what was said of it."""
    good, defect = said.get("good", 0), said.get("defect", 0)
    if good == defect:
        return ("disputed", "") if good else ("unsure", "") if said.get("unsure") else ("open", "")
    return "settled", "good" if good > defect else "defect"


def confirmed_after(session: Session, box: str, after: int, limit: int = 200) -> list[Confirmed]:
    """What a box is told next."""
    asked = sa.select(Confirmed).where(Confirmed.box == box, Confirmed.n > after).order_by(Confirmed.n).limit(limit)
    return list(session.scalars(asked))


@dataclass(frozen=True, slots=True)
class Contest:
    """How a challenger does where it disagrees with the champion and people know the truth."""

    wrong: int
    """The challenger was."""
    right: int
    missed: int
    """Of `wrong`: it said OK and the part is defective."""
    checked_ng: int
    """Defective parts among them all."""
    open: int

    @property
    def sprt(self) -> float:
        """Above `SPRT_LIMIT`: worse than the champion; below its negative: not worse; between: not known yet."""
        return self.wrong * SPRT_WRONG + self.right * SPRT_RIGHT


def contest(session: Session, bundle: str) -> Contest:
    """Count the settled disagreements of one bundle over all boxes."""
    asked = sa.select(Sample.state, Sample.truth, Sample.champion_ok, sa.func.count()).where(
        Sample.bundle == bundle, Sample.why == "disagreement"
    )
    wrong = right = missed = ng = waits = 0
    for state, truth, champion_ok, n in session.execute(asked.group_by(Sample.state, Sample.truth, Sample.champion_ok)):
        if state != "settled":
            waits += n
            continue
        is_good = truth == "good"
        wrong, right = (wrong + n, right) if is_good == champion_ok else (wrong, right + n)
        missed += n if not is_good and not champion_ok else 0
        ng += 0 if is_good else n
    return Contest(wrong, right, missed, ng, waits)
