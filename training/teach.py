"""Teaching from good parts, and from what defects a person has labelled: a bundle in seconds, without torch.

    pictures -> size and heads chosen -> features -> whitening -> memory + Gaussian -> calibration
             -> with labels: linear head -> threshold -> graph -> golden -> bundle

Every good is used for everything, yet none judges itself (`lesson.py`): the scores that the threshold is put on
(`threshold.py`) are those of held-out goods. The model that runs then knows all goods.

A bundle remembers its goods' features (`store.py`): `base` adds goods and labels to it without the old pictures, and
with none of their features computed again.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..bus.errors import BadPicture, BadSettings
from ..models import pictures
from ..models.bundle import check_free, open_bundle, write_bundle
from ..models.detector import Detector
from ..models.manifest import LESSON, MODEL
from ..models.parity import require_golden
from . import golden
from .base import Base, read_base
from .blas import one_thread
from .choice import Choice, candidates, choose_mix, choose_size, cut, held_for_heads, reason_of, sample, spoilt
from .data.dataset import Sample
from .features import channels_of, cut_files, extract, regarded
from .given import check_same_kind, goods_given, names_of, that_fit
from .graph import CHANNELS
from .layout import Layout
from .lesson import Grid, Lesson, learn
from .options import TeachOptions
from .phases import Phases, Progress
from .promise import Targets, promise
from .store import Remembered, packed
from .supervise import Defects, Supervision, supervise
from .targets import Labelled, labelled
from .taught_graph import taught_graph
from .taught_report import Taught, TeachReport, fields, report_files, report_of

Cuts = npt.NDArray[np.uint8]


def teach(
    goods: Path | Sequence[Path],
    out: Path,
    options: TeachOptions,
    progress: Progress | None = None,
    *,
    defects: Sequence[Sample] = (),
    base: Path | None = None,
    seen: Callable[[Taught], None] | None = None,
) -> TeachReport:
    """Teach and write the bundle to out.

    goods: a folder of pictures of good parts, or the picture files; with a base, those to add, which may be none.
    progress: called with (phase, 0..1); what it raises ends the teaching and leaves nothing behind, until
    (bundle, 1.0), when the bundle is in its place. defects: labelled pictures of defective parts; good ones among them
    are left aside. base: a bundle to add to; its size, heads and whatever else was chosen for it stay, and options say
    only name, version and what is promised. A picture it knows that is now given as the other kind, good or defective,
    is taken as what it is called now. seen: called with all that was found, before the bundle is written.
    BadPicture: no folder, no pictures, one does not decode or does not fit the others. BadSettings: too few goods, more
    than a bundle of that size holds, or a picture that is given as both kinds.
    BadBundle: something is at out already, or the base remembers no features. OSError: the bundle cannot be written.
    """
    started, phases = time.monotonic(), Phases(progress)
    check_free(out, replace=options.replace)
    called_bad = {each.sha256: each.name for each in defects if not each.ok}
    known = None if base is None else read_base(base, options).without(called_bad)
    as_they_are = not options.channels
    options = options if known is None else known.options
    given = pictures.files_in(goods) if isinstance(goods, Path) else list(goods)
    files, digests = goods_given(given, options, known, called_bad)
    if known is not None and as_they_are:
        check_same_kind(files, known)
    layout, sizes = (known.choice.layout, {}) if known else _size(files, options, phases.begin("size"))
    files, digests = that_fit(files, digests, layout, options, known, len(called_bad))
    cuts = _cuts(files, layout, options, phases.begin("pictures"))
    new = extract(cuts, layout, options.threads, phases.begin("features"))
    features = new if known is None else np.concatenate([known.remembered.features, new])
    names = names_of(known.remembered.names if known else (), files)
    with one_thread():
        grid = Grid(layout.columns, layout.block)
        choice = known.choice if known else _choice(files, features, layout, sizes, options, phases.begin("heads"))
        lesson = learn(features, grid, options, choice.mix, phases.begin)
        shown, labels, left_aside = _labelled(defects, files, digests, layout, options, known, phases)
        taught = _supervised(lesson, features, labels, grid, options, phases)
    phases.begin("threshold")
    _check_finite(lesson, names)
    limit = promise(taught.held_out, _targets(options, labels), taught.defects_by_class(labels))
    phases.begin("graph")
    model = taught_graph(layout, taught.heads)
    phases.begin("golden")
    pool = golden.Pool(cuts, lesson.held_out[len(lesson.held_out) - len(cuts) :], known.golden if known else {}, shown)
    content = {MODEL: model, **golden.made(model, pool, limit.value)}
    digests = [*(known.remembered.digests if known else ()), *digests]
    whole = Taught(names, digests, choice, lesson, taught, labels, limit, left_aside)
    if seen is not None:
        seen(whole)
    if options.keep_features:
        content[LESSON] = packed(Remembered(features, tuple(names), tuple(whole.digests), labels))
    tell = phases.begin("bundle")
    content |= report_files(whole, options, phases.seconds, cuts)
    digest = write_bundle(
        out,
        content,
        fields(whole, options, str(known.digest) if known else ""),
        replace=options.replace,
        check=lambda folder: (require_golden(Detector(open_bundle(folder))), tell(0.9)),
    )
    phases.end()
    seconds = {**phases.seconds, "total": round(time.monotonic() - started, 3)}
    share = options.overkill_percent / 100.0
    return report_of(whole, out, digest, seconds, added=len(files), given=len(given), overkill=share)


def _size(
    files: Sequence[Path], options: TeachOptions, tell: Callable[[float], None]
) -> tuple[Layout, dict[Layout, float]]:
    """The size for these goods."""
    shown = _regions([files[at] for at in sample(len(files), options.seed)], files[0], options)
    one_shape = len({picture.shape[:2] for picture in shown}) == 1
    middle = sorted((picture.shape[:2] for picture in shown), key=lambda shape: shape[0] * shape[1])[len(shown) // 2]
    channels = options.channels or channels_of(shown[0])
    with one_thread():
        return choose_size(shown, candidates(options, channels, middle, one_shape=one_shape), options, tell)


def _choice(
    files: Sequence[Path],
    features: npt.NDArray[np.float32],
    layout: Layout,
    sizes: dict[Layout, float],
    options: TeachOptions,
    tell: Callable[[float], None],
) -> Choice:
    """Size and heads for these goods."""
    held = held_for_heads(len(files), options)
    spoiled = np.empty((0, layout.cells, CHANNELS), np.float32)
    if len(held):
        goods = _regions([files[at] for at in held], files[0], options)
        copies = spoilt(goods, goods, np.random.default_rng(options.seed))
        spoiled = extract(np.stack([cut(each, layout) for each in copies]), layout, options.threads, tell)
    mix, mixes = choose_mix(features, held, spoiled, Grid(layout.columns, layout.block), options)
    return Choice(layout, mix, sizes, mixes, reason_of(mix, mixes))


def _regions(files: Sequence[Path], first_file: Path, options: TeachOptions) -> list[pictures.Picture]:
    """What is to be seen of each picture, at full size."""
    first = pictures.read(first_file)
    shown = []
    for path in files:
        picture, box = regarded(path, first_file, first, options.channels, options.region)
        shown.append(np.ascontiguousarray(picture[box.y : box.y + box.h, box.x : box.x + box.w]))
    return shown


def _cuts(files: Sequence[Path], layout: Layout, options: TeachOptions, tell: Callable[[float], None]) -> Cuts:
    size = layout.height_px, layout.width_px
    if not files:
        return np.empty((0, *size, layout.channels), np.uint8)
    return cut_files(files, size, options.channels, options.region, options.threads, tell)


def _labelled(
    defects: Sequence[Sample],
    files: Sequence[Path],
    digests: Sequence[str],
    layout: Layout,
    options: TeachOptions,
    known: Base | None,
    phases: Phases,
) -> tuple[list[Labelled], Defects | None, tuple[str, ...]]:
    """The new defect pictures, all defects as features, and names of those with nothing drawn inside the region."""
    old = known.remembered.defects if known is not None else None
    old = old.without(digests) if old is not None else None  # what was a defect and now is given as a good part
    tell = phases.begin("labels") if defects else (lambda _: None)
    used = {each.sha256: each for each in defects if not each.ok}
    if options.region is not None and files:
        height, width = pictures.read(files[0]).shape[:2]
        for one in used.values():
            if (one.width, one.height) != (width, height):
                raise BadPicture(
                    f"{one.picture}: {one.width}x{one.height} pixels: goods have {width}x{height}, "
                    f"and one region {options.region} is to fit all"
                )
    found = {
        digest: each
        for digest, sample_ in used.items()
        if (each := labelled(sample_, None, layout, options.region, scribbles=options.scribbles)) is not None
    }
    left_aside = tuple(one.name for digest, one in used.items() if digest not in found)
    if not found:
        return [], old, left_aside
    shown = list(found.values())
    new = Defects(
        names=tuple(each.name for each in shown),
        kinds=tuple(each.kind for each in shown),
        features=extract(np.stack([each.cut for each in shown]), layout, options.threads, tell),
        cells=np.stack([each.cells for each in shown]),
        exact=tuple(each.exact for each in shown),
        digests=tuple(found),
    )
    return shown, new if old is None else old.joined(new), left_aside


def _supervised(
    lesson: Lesson,
    features: npt.NDArray[np.float32],
    labels: Defects | None,
    grid: Grid,
    options: TeachOptions,
    phases: Phases,
) -> Supervision:
    if labels is None:
        return Supervision.none(lesson)
    return supervise(lesson, features, labels, grid, options, phases.begin("head"))


def _check_finite(lesson: Lesson, names: Sequence[str]) -> None:
    if not np.isfinite(lesson.held_out).all():
        raise BadPicture(f"{names[int(np.isfinite(lesson.held_out).argmin())]}: scores no finite number")


def _targets(options: TeachOptions, labels: Defects | None) -> Targets:
    """What is promised. BadSettings: escapes cannot be without defects."""
    if options.escape_percent is not None and labels is None:
        raise BadSettings(
            f"escape_percent = {options.escape_percent:g}: expected labelled defects, goods alone tell no escapes"
        )
    escape = None if options.escape_percent is None else options.escape_percent / 100.0
    return Targets(options.overkill_percent / 100.0, escape)
