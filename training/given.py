"""The pictures a teaching is given: each once, of one kind, and no more of them than a bundle remembers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..bus.errors import BadPicture, BadSettings
from ..models import pictures
from .base import Base
from .digests import digest_of
from .features import channels_of
from .graph import CHANNELS
from .layout import Layout
from .options import FEWEST_GOODS, TeachOptions
from .store import most_pictures


def goods_given(
    files: Sequence[Path], options: TeachOptions, known: Base | None, called_bad: Mapping[str, str]
) -> tuple[list[Path], list[str]]:
    """Return the files to teach from, and their digests. Those the base knows already are left out, and copies.

    A copy left in would be judged by a model that knows it, and the threshold would come out too low for new goods.
    Where hardly anything but copies is there, they are what there is. called_bad: names of defects by their digest.
    BadPicture: nothing was given. BadSettings: too few, or a good that is given as a defect too.
    """
    if known is None and not files:
        raise BadPicture("no pictures of good parts were given")
    there = frozenset(known.remembered.digests) if known else frozenset()
    pairs = [(path, digest_of(path)) for path in files]
    for path, digest in pairs:
        if digest in called_bad:
            raise BadSettings(f"{path}: given as a good part and, as {called_bad[digest]}, as a defect: expected one")
    pairs = [(path, digest) for path, digest in pairs if digest not in there]
    once = list({digest: (path, digest) for path, digest in reversed(pairs)}.values())[::-1]
    if len(there) + len(once) >= FEWEST_GOODS:
        pairs = once
    if len(there) + len(pairs) < FEWEST_GOODS:
        raise BadSettings(f"{len(there) + len(pairs)} pictures of good parts: expected {FEWEST_GOODS} or more")
    if known is None:
        pairs = _drawn(pairs, options.goods_max, options)
    return [path for path, _ in pairs], [digest for _, digest in pairs]


def check_same_kind(files: Sequence[Path], known: Base) -> None:
    """BadPicture: the first of the goods to add is grey and the base was taught colour, or the other way round."""
    if not files:
        return
    found, wanted = channels_of(pictures.read(files[0])), known.choice.layout.channels
    if found != wanted:
        kinds = {1: "grey", 3: "colour"}
        raise BadPicture(f"{files[0]}: {kinds[found]}: the bundle to add to was taught from {kinds[wanted]} pictures")


def that_fit(
    files: list[Path], digests: list[str], layout: Layout, options: TeachOptions, known: Base | None, defects: int
) -> tuple[list[Path], list[str]]:
    """Return as many of the goods as a lesson of this size holds. BadSettings: no room for more beside the base's."""
    taken = defects
    if known is not None:
        old = known.remembered
        taken += len(old.names) + (len(old.defects.names) if old.defects else 0)
    room = most_pictures(layout.cells, CHANNELS) - taken
    if len(files) <= room:
        return files, digests
    if known is not None or room < FEWEST_GOODS:
        raise BadSettings(
            f"{taken + len(files)} pictures: expected at most {taken + room} at {layout.words}: teach anew from fewer"
        )
    pairs = _drawn(list(zip(files, digests, strict=True)), room, options)
    return [path for path, _ in pairs], [digest for _, digest in pairs]


def _drawn(pairs: list[tuple[Path, str]], most: int, options: TeachOptions) -> list[tuple[Path, str]]:
    if len(pairs) <= most:
        return pairs
    places = np.random.default_rng(options.seed).choice(len(pairs), most, replace=False)
    return [pairs[place] for place in np.sort(places)]


def names_of(known: Sequence[str], files: Sequence[Path]) -> list[str]:
    """Return names of all goods, as text that any file can hold; one that another has too is told with its folder."""
    count = Counter([*known, *(path.name for path in files)])
    new = [path.name if count[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in files]
    return [*known, *(name.encode("utf-8", "replace").decode() for name in new)]
