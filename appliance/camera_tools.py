"""What `okng camera` prints, and the small works behind it."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bus.clock import MS, SECOND, now_ns
from ..bus.errors import BadSettings
from ..camera.discovery import Listing
from ..camera.features import Feature, Visibility, read_value
from ..camera.producers import PATH
from ..camera.recorder import Recorder
from ..camera.source import Source
from ..models.pictures import encode_png
from .camera_hand import CameraHand

_PLAIN: tuple[Visibility, ...] = ("beginner", "expert")


def camera_lines(listing: Listing, devices: Sequence[tuple[str, str]]) -> Iterator[str]:
    """One line a camera: serial, maker, model, layer, whether it is free, producer."""
    rows = [
        (each.serial or each.id, each.vendor, each.model, each.layer, "free" if each.free else "in use", each.producer)
        for each in listing.cameras
    ]
    rows += [(device, "", name, "V4L2", "", "driver = video") for device, name in devices]
    if not rows:
        yield f"no camera: name its maker's GenTL producer with --producer, or put its folder into {PATH}"
    widths = [max(len(row[at]) for row in rows) for at in range(6)] if rows else []
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    yield from listing.troubles


def matching(features: Iterable[Feature], words: Sequence[str], *, whole: bool) -> list[Feature]:
    """Those that hold all words, whatever their case, in name, category, title or description."""
    found = []
    for each in features:
        text = f"{each.name} {each.category} {each.title} {each.description}".lower()
        if all(word.lower() in text for word in words) and (whole or words or each.visibility in _PLAIN):
            found.append(each)
    return found


def feature_lines(features: Sequence[Feature]) -> Iterator[str]:
    """The features under their categories: name, value, what it may be."""
    category = ""
    wide = max((len(each.name) for each in features), default=0)
    for each in features:
        if each.category != category:
            category = each.category
            yield f"[{category}]"
        value = "(command)" if each.kind == "command" else "-" if each.value is None else str(each.value)
        locked = "" if each.writable else "  (read only now)"
        allowed = f"  {each.allowed}" if each.allowed and each.writable else ""
        yield f"{each.name.ljust(wide)}  {value}{f' {each.unit}' if each.unit else ''}{allowed}{locked}"


def change(source: Source, wish: str) -> str:
    """Write one FEATURE=VALUE, or run one command; return what it is then. BadSettings."""
    name, equals, text = wish.partition("=")
    name = name.strip()
    feature = source.describe(name)
    if not equals:
        if feature.kind != "command":
            raise BadSettings(f"{name}: expected {name}=VALUE, {feature.allowed or feature.kind}")
        source.execute(name)
        return f"{name}: done"
    try:
        value = read_value(feature, text)
    except ValueError as error:
        raise BadSettings(str(error)) from error
    source.set(name, value)
    return f"{name} = {source.get(name)}"


def snapped(hand: CameraHand, file: Path, *, raw: bool) -> str:
    """Take one fresh picture and write it; return what was written. BadSettings: the file cannot be written."""
    picture = hand.fresh()
    profile = hand.profile
    if raw:
        content, what = hand.raw, f"{profile.width}x{profile.frame_height} {profile.pixel_format}, raw"
    else:
        content, what = encode_png(picture), f"{picture.shape[1]}x{picture.shape[0]}, mean {float(picture.mean()):.1f}"
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadSettings(f"{file}: cannot be written: {error.strerror}") from error
    return f"{file}: {what}"


@dataclass(frozen=True, slots=True)
class Streamed:
    """What came of a camera that ran free."""

    seconds: float
    frames: int
    frames_per_s: float
    gaps: int
    """Frame numbers skipped."""
    incomplete: int
    repeated: int
    underrun: int
    delay_p50_ms: float
    """From the end of the exposure to the pixels in the hand; 0 where the camera dates nothing."""
    delay_p99_ms: float
    clock: str
    clock_error_us: float
    drift_ppm: float
    mean_level: float
    """Of the last picture."""

    @property
    def lost(self) -> int:
        """Frames that a part would have missed."""
        return self.gaps + self.incomplete + self.repeated

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{self.frames} frames in {self.seconds:.1f} s: {self.frames_per_s:.1f} a second"
        yield (
            f"lost: {self.gaps} skipped, {self.incomplete} incomplete, {self.repeated} repeated; "
            f"no buffer: {self.underrun}"
        )
        if self.clock == "host":
            yield "clock: the host's, the camera dates no frame or cannot be asked for its time"
        else:
            yield f"clock: {self.clock}, within {self.clock_error_us:.1f} us, drift {self.drift_ppm:+.1f} ppm"
            yield f"end of exposure to pixels: p50 {self.delay_p50_ms:.2f} ms, p99 {self.delay_p99_ms:.2f} ms"
        yield f"mean level of the last picture: {self.mean_level:.1f}"


def streamed(hand: CameraHand, seconds: float, record: Path | None = None) -> Streamed:
    """Take every frame for so long; record: a new folder to keep them in. CameraLost: it is gone, or sends nothing.

    BadSettings: the folder is not empty. StoreLost: it cannot be written.
    """
    with contextlib.ExitStack() as held:
        recorder = None if record is None else held.enter_context(Recorder(record))
        return _streamed(hand, seconds, recorder)


def _streamed(hand: CameraHand, seconds: float, recorder: Recorder | None) -> Streamed:
    source, exposure_ns = hand.source, hand.profile.exposure_ns
    before, begun_ns = source.health(), now_ns()
    until_ns, delays = begun_ns + round(seconds * SECOND), []
    grab = hand.grab()
    count = 0
    while True:
        count += not grab.repeated
        if recorder is not None and not grab.repeated:
            recorder.add(grab, hand.raw)
        if now_ns() >= until_ns:
            break
        grab = hand.grab()
        delays.append((grab.received_ns - grab.exposed_at_ns - exposure_ns) / MS)
    took_s = (now_ns() - begun_ns) / SECOND
    source.probe()
    after, delays = source.health(), sorted(delays)
    dated = after.clock != "host" and bool(delays)
    return Streamed(
        seconds=took_s,
        frames=count,
        frames_per_s=count / took_s,
        gaps=after.gaps - before.gaps,
        incomplete=after.incomplete - before.incomplete,
        repeated=after.duplicates - before.duplicates,
        underrun=after.underrun - before.underrun,
        delay_p50_ms=delays[len(delays) // 2] if dated else 0.0,
        delay_p99_ms=delays[min(len(delays) * 99 // 100, len(delays) - 1)] if dated else 0.0,
        clock=after.clock,
        clock_error_us=after.clock_error_ns / 1000,
        drift_ppm=after.drift_ppm,
        mean_level=float(hand.developed(grab).mean()),
    )
