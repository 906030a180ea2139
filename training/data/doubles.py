"""Pictures that are in a set twice: the same file, the same pixels, a copy made anew, or the same part taken again.

On both sides of a split they make every figure a lie. Other parts of the same product are no doubles however alike
they look: what is left between a picture and its double must be small beside what is left between it and others, and
the fine detail that only one part has (grain, brushing) or one exposure (noise) must be the same.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...bus.errors import BadData
from .dataset import Dataset, Sample
from .likeness import (
    NO_MATCH,
    TURNS,
    Floats,
    Match,
    grain_picture,
    matched,
    shared_grain,
    tangents,
    thumbnails,
    unlikeness,
)

How = Literal["same file", "same pixels", "copy", "taken again"]
Progress = Callable[[float], None]

_BLOCK = 256
_NEAREST = 6
"""Most alike pictures that are looked at closely."""
_OTHERS = 20
"""The so-many-th most alike is taken for another part: it says what other parts differ by."""
_FEW = 6
"""With fewer pictures nothing says what other parts differ by."""
_CLOSE, _CLOSE_TURNED = 0.7, 0.5
"""Looked at closely below this share of what another part has."""
_SHARE = 0.3
_CONTRAST, _LEVELS = 0.025, 0.5
"""At most so much of the contrast, plus grey levels, may be left."""
_PEAK = 6.0
"""A double's difference lies everywhere; one place with so many times the average is a difference of the part."""
_BLANK = 2.0
"""Below this contrast, grey levels, a picture shows nothing that could be known again."""
_GRAIN = 0.2
"""Fine detail of a double correlates at least so much; of other parts it does not at all."""
_STILL = 0.006
"""Pictures without any fine detail are doubles only where nothing moved, share of the side."""
_SAME_LIGHT = 0.03
_GRAINS_HELD = 2000
_SHOWN = 20
_TURNED_UP_TO = 5000


@dataclass(frozen=True, slots=True)
class Double:
    """Two pictures of one set that are the same."""

    one: Sample
    other: Sample
    how: How
    detail: str
    """What is known of it, for people."""

    @property
    def across(self) -> bool:
        """True when they lie on different sides of the split."""
        return self.one.split is not None and self.other.split is not None and self.one.split != self.other.split

    @property
    def contradicts(self) -> bool:
        """True when they have different labels."""
        return self.one.label != self.other.label

    def __str__(self) -> str:
        sides = [f"{sample.name} ({sample.split or 'no side'}, {sample.label})" for sample in (self.one, self.other)]
        return f"{sides[0]} = {sides[1]}: {self.how}{', ' if self.detail else ''}{self.detail}"


def find_doubles(dataset: Dataset, *, threads: int = 0, progress: Progress | None = None) -> tuple[Double, ...]:
    """Return the doubles of a set, those across its split first. Every picture is decoded once.

    Turned and mirrored copies are looked for in sets of up to 5000 pictures. BadPicture: one does not decode any more.
    """
    samples = dataset.samples
    pixels: list[str] = []
    thumbs: list[tuple[Floats, Floats]] = []
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), "doubles") as pool:
        for at, (digest, thumb) in enumerate(pool.map(_seen, samples)):
            pixels.append(digest)
            thumbs.append(thumb)
            if progress is not None:
                progress(0.4 * (at + 1) / len(samples))
    exact = _exact(samples, pixels)
    known = {(a, b) for a, b, _ in exact}
    # One picture of each exact group is enough for the rest.
    first = {digest: place for place, digest in reversed(list(enumerate(pixels)))}
    alone = sorted(first.values())
    found = [Double(samples[a], samples[b], how, "") for a, b, how in exact]
    with ThreadPoolExecutor(threads or len(os.sched_getaffinity(0)), "doubles") as pool:
        for a, b, how, detail in _near(samples, alone, thumbs, pool, progress):
            if (a, b) not in known:
                found.append(Double(samples[a], samples[b], how, detail))
    return tuple(sorted(found, key=lambda one: (not one.across, one.one.name, one.other.name)))


def refuse_across(doubles: Sequence[Double]) -> None:
    """Raise BadData, naming them, when doubles lie on different sides of the split."""
    across = [one for one in doubles if one.across]
    if across:
        lines = [f"{len(across)} pairs of the same picture or part lie on different sides of the split:"]
        lines += [f"  {one}" for one in across[:_SHOWN]]
        lines += [f"  and {len(across) - _SHOWN} more"] if len(across) > _SHOWN else []
        raise BadData("\n".join([*lines, "split again (`okng data split --keep none`), or take one of each away"]))


def _seen(sample: Sample) -> tuple[str, tuple[Floats, Floats]]:
    picture = sample.read()
    # A grey picture saved in colour is the same picture.
    if picture.ndim == 3 and (picture[..., 0] == picture[..., 1]).all() and (picture[..., 1] == picture[..., 2]).all():
        picture = np.ascontiguousarray(picture[..., 0])
    digest = hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).hexdigest()
    return digest, thumbnails(picture)


def _exact(samples: Sequence[Sample], pixels: Sequence[str]) -> list[tuple[int, int, How]]:
    """Each further picture of a group with the first one."""
    found: list[tuple[int, int, How]] = []
    groups: dict[str, list[int]] = {}
    for place, digest in enumerate(pixels):
        groups.setdefault(digest, []).append(place)
    for group in groups.values():
        for place in group[1:]:
            same = samples[group[0]].sha256 == samples[place].sha256
            found.append((group[0], place, "same file" if same else "same pixels"))
        # The first of another side shows what matters most.
        sides = {samples[place].split: place for place in reversed(group)}
        for place in sides.values():
            if place != group[0] and not any(pair[:2] == (group[0], place) for pair in found):
                found.append((group[0], place, "same pixels"))
    return found


def _near(
    samples: Sequence[Sample],
    alone: Sequence[int],
    thumbs: Sequence[tuple[Floats, Floats]],
    pool: ThreadPoolExecutor,
    progress: Progress | None,
) -> Iterator[tuple[int, int, How, str]]:
    """Pairs that are the same though their pixels differ."""
    places = [place for place in alone if float(thumbs[place][1].std()) >= _BLANK]
    if len(places) < 2:
        return
    coarse = np.stack([thumbs[place][0] for place in places])
    pairs, others = _candidates(coarse, (lambda share: progress(0.4 + 0.3 * share)) if progress else None)
    turns = list(TURNS.values())

    def look(pair: tuple[int, int, int]) -> Match:
        a, b, turn = pair
        other = thumbs[places[b]]
        turned = (np.ascontiguousarray(turns[turn](other[0])), np.ascontiguousarray(turns[turn](other[1])))
        return matched(thumbs[places[a]], turned)

    @lru_cache(_GRAINS_HELD)
    def grain(place: int) -> npt.NDArray[np.uint8]:
        return grain_picture(samples[place].read()).astype(np.uint8)

    def same_grain(pair: tuple[int, int, int], seen: Match) -> bool:
        """Parts without any marks of their own look the same once they are turned alike; their grain does not."""
        a, b, turn = pair
        one, other = grain(places[a]).astype(np.float32), grain(places[b]).astype(np.float32)
        found = shared_grain(one, np.ascontiguousarray(turns[turn](other)), seen)
        return found >= _GRAIN if found is not None else turn == 0 and seen.moved <= _STILL

    reference: dict[int, float] = {}
    asked = sorted({a for a, _, _ in pairs} | {b for _, b, _ in pairs}) if len(places) >= _FEW else []
    for a, seen in zip(asked, pool.map(lambda a: look((a, int(others[a]), 0)), asked), strict=True):
        reference[a] = seen.rms
    for at, (pair, seen) in enumerate(zip(pairs, pool.map(look, pairs), strict=True)):
        a, b, turn = pair
        contrast = float(thumbs[places[a]][1].std())
        others_differ = min(reference.get(a, np.inf), reference.get(b, np.inf))
        if _is_double(seen, contrast, others_differ, few=len(places) < _FEW) and same_grain(pair, seen):
            one, other = sorted((places[a], places[b]))
            yield one, other, *_told(seen, list(TURNS)[turn], others_differ)
        if progress is not None:
            progress(0.7 + 0.3 * (at + 1) / len(pairs))


def _candidates(coarse: Floats, progress: Progress | None) -> tuple[list[tuple[int, int, int]], npt.NDArray[np.intp]]:
    """Pairs worth a close look, each once, with how the second lies; and for each picture one that is another part."""
    count = len(coarse)
    bases = np.stack([tangents(one) for one in coarse])
    other_at = min(_OTHERS, count - 2) if count > 2 else 0
    turns = list(TURNS.values())[: len(TURNS) if count <= _TURNED_UP_TO else 1]
    turned = [np.ascontiguousarray(turn(coarse)) for turn in turns]
    others = np.zeros(count, np.intp)
    found: dict[tuple[int, int], tuple[float, int]] = {}

    def note(a: int, b: int, turn: int, far: float) -> None:
        key = (min(a, b), max(a, b))
        if a != b and (key not in found or far < found[key][0]):
            # Laid the other way round, a quarter turn is the other quarter turn.
            back = {4: 5, 5: 4}.get(turn, turn)
            found[key] = (far, turn if a < b else back)

    for start in range(0, count, _BLOCK):
        rows = slice(start, min(start + _BLOCK, count))
        upright = unlikeness(bases[rows], turned[0])
        upright[np.arange(upright.shape[0]), np.arange(rows.start, rows.stop)] = np.inf
        order = np.argsort(upright, 1)[:, : max(other_at + 1, _NEAREST)]
        for line in range(upright.shape[0]):
            others[start + line] = order[line, min(other_at, count - 2)]
            limit = float(upright[line, others[start + line]])
            for b in order[line, :_NEAREST]:
                if float(upright[line, b]) <= _CLOSE * limit or count < _FEW:
                    note(start + line, int(b), 0, float(upright[line, b]))
        for turn in range(1, len(turns)):
            far = unlikeness(bases[rows], turned[turn])
            far[np.arange(far.shape[0]), np.arange(rows.start, rows.stop)] = np.inf
            for line, b in enumerate(far.argmin(1)):
                limit = float(upright[line, others[start + line]])
                if float(far[line, b]) <= _CLOSE_TURNED * limit:
                    note(start + line, int(b), turn, float(far[line, b]))
        if progress is not None:
            progress(rows.stop / count)
    return [(a, b, turn) for (a, b), (_, turn) in sorted(found.items())], others


def _is_double(seen: Match, contrast: float, others_differ: float, *, few: bool) -> bool:
    if seen is NO_MATCH or not np.isfinite(seen.rms):
        return False
    limit = _CONTRAST * contrast + _LEVELS
    if few:
        return seen.rms <= 0.5 * limit and seen.most <= _PEAK * seen.rms + 1.0
    return seen.rms <= min(limit, _SHARE * others_differ) and seen.most <= _PEAK * seen.rms + 1.0


def _told(seen: Match, turn: str, others_differ: float) -> tuple[How, str]:
    words = [] if turn == next(iter(TURNS)) else [turn]
    if seen.moved > 0.004:
        words.append(f"shifted or cropped by {100 * seen.moved:.1f} %")
    words.append(f"{seen.rms:.2f} grey levels apart")
    if np.isfinite(others_differ):
        words.append(f"other parts {others_differ:.1f}")
    again = abs(np.log(seen.gain)) > _SAME_LIGHT
    if again:
        words.insert(0, f"{seen.gain:.2f} times the contrast")
    return ("taken again" if again else "copy"), ", ".join(words)
