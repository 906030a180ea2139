"""Charts as inline SVG: lines and a histogram, drawn by attributes alone (no style a policy could forbid)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .page import Text, Words
from .style import DEFECT, GOOD, GRID, LIMIT, SOFT

WIDTH, HEIGHT = 560, 360
LEFT, RIGHT, TOP, BOTTOM = 66, 28, 34, 52
"""Room for the axes' words, px of the drawing."""
BINS = 36


@dataclass(frozen=True, slots=True)
class Line:
    """A curve, with its name in the legend."""

    name: Text
    points: Sequence[tuple[float, float]]
    colour: str
    dash: str = ""
    """SVG dash pattern, so that lines differ without colour; empty: a full line."""
    step: bool = False
    """True: level until the next point, as shares of counted parts are."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that is named, or (y None) an upright line."""

    name: Text
    x: float
    y: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its words and the range it shows, low < high."""

    name: Text
    low: float
    high: float
    percent: bool = False


def line_chart(
    name: Words, x: Axis, y: Axis, lines: Sequence[Line], marks: Sequence[Mark] = (), shaded_to: float | None = None
) -> str:
    """Return curves in one frame. shaded_to: the part of the x axis up to there is shaded (what counts)."""
    drawn = [_frame(x, y)]
    if shaded_to is not None:
        left, right = _x(x, x.low), _x(x, shaded_to)
        drawn.append(
            f'<rect x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" height="{HEIGHT - TOP - BOTTOM}" '
            f'fill="{GOOD}" fill-opacity="0.10"/>'
        )
    drawn += [_path(line, x, y) for line in lines]
    drawn += [_mark(mark, x, y) for mark in marks]
    drawn.append(_legend([(line.name, line.colour, line.dash) for line in lines]))
    return _svg(name, drawn)


def histogram(name: Words, goods: Sequence[float], defects: Sequence[float], threshold: float, words: "Bars") -> str:
    """Return scores as bars: goods upwards, defects downwards, the threshold an upright line.

    Scores that are not finite are left out. What lies far beyond the rest stands in the first or last bar, marked so.
    """
    scores = sorted(score for score in [*goods, *defects] if math.isfinite(score))
    low, high = _shown_range(scores, sorted(score for score in goods if math.isfinite(score)), threshold)
    up, down = _counts(goods, low, high), _counts(defects, low, high)
    most_up, most_down = _tallest(up), _tallest(down)
    x = Axis(words.score, low, high)
    room = HEIGHT - TOP - BOTTOM
    middle = TOP + room / 2 if most_down else float(HEIGHT - BOTTOM)
    tall_up, tall_down = middle - TOP, HEIGHT - BOTTOM - middle
    drawn = [_x_ticks(x)]
    wide = (WIDTH - LEFT - RIGHT) / BINS
    for counts, most, tall, colour, sign in ((up, most_up, tall_up, GOOD, -1), (down, most_down, tall_down, DEFECT, 1)):
        for at, count in enumerate(counts):
            if count:
                height = tall * min(1.0, count / most)
                top = middle - height if sign < 0 else middle
                drawn.append(
                    f'<rect x="{LEFT + at * wide + 0.5:.1f}" y="{top:.1f}" width="{wide - 1:.1f}" '
                    f'height="{height:.1f}" fill="{colour}"/>'
                )
                if count > most:  # taller than there is room for: it says how tall
                    last = at == BINS - 1
                    beside = LEFT + (at if last else at + 1) * wide + (-4 if last else 4)
                    tip = top + 11 if sign < 0 else top + height - 2
                    drawn.append(_number(str(count), beside, tip, "end" if last else "start"))
    drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="{SOFT}"/>')
    drawn.append(_number(str(most_up), LEFT - 8, TOP + 4, "end"))
    drawn.append(_number("0", LEFT - 8, middle + 4, "end"))
    if most_down:
        drawn.append(_number(str(most_down), LEFT - 8, HEIGHT - BOTTOM + 4, "end"))
    drawn.append(_upright(words.parts))
    drawn.append(_mark(Mark(words.threshold, threshold), x, Axis("", 0, 1)))
    kinds = [(words.goods, GOOD, "")] + ([(words.defects, DEFECT, "")] if most_down else [])
    drawn.append(_legend(kinds))
    return _svg(name, drawn)


@dataclass(frozen=True, slots=True)
class Bars:
    """The words of a histogram."""

    score: Text
    parts: Text
    threshold: Text
    goods: Text
    defects: Text


def _shown_range(scores: Sequence[float], goods: Sequence[float], threshold: float) -> tuple[float, float]:
    """From the lowest score to where nearly all are; a few far ones would press all others into one bar."""
    if not scores:
        return threshold - 1.0, threshold + 1.0
    low = min(scores[0], threshold)
    high = max(threshold, scores[int(0.9 * (len(scores) - 1))], goods[-1] if goods else threshold)
    high = min(scores[-1], max(high, threshold + 0.5 * (threshold - low))) if scores[-1] > threshold else threshold
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def _counts(scores: Sequence[float], low: float, high: float) -> list[int]:
    counts = [0] * BINS
    for score in scores:
        if math.isfinite(score):
            counts[min(BINS - 1, max(0, int(BINS * (score - low) / (high - low))))] += 1
    return counts


def _tallest(counts: Sequence[int]) -> int:
    """Of the bars between the first and the last, which hold all that lies far off."""
    return max(counts[1:-1]) or max(counts)


def _svg(name: Words, drawn: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name.both()}">{"".join(drawn)}</svg>'


def _x(axis: Axis, value: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (min(axis.high, max(axis.low, value)) - axis.low) / (axis.high - axis.low)


def _y(axis: Axis, value: float) -> float:
    share = (min(axis.high, max(axis.low, value)) - axis.low) / (axis.high - axis.low)
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _frame(x: Axis, y: Axis) -> str:
    lines = [_x_ticks(x)]
    for value in ticks(y.low, y.high):
        at = _y(y, value)
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{GRID}"/>')
        lines.append(_number(_label(value, y), LEFT - 8, at + 4, "end"))
    lines.append(_upright(y.name))
    return "".join(lines)


def _x_ticks(x: Axis) -> str:
    lines = []
    for value in ticks(x.low, x.high):
        at = _x(x, value)
        lines.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        lines.append(_number(_label(value, x), at, HEIGHT - BOTTOM + 18, "middle"))
    lines.append(_words(x.name, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "middle", 14))
    return "".join(lines)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values between low and high: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [low]
    raw = span / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((power * times for times in (1, 2, 5, 10)), key=lambda each: abs(each - raw))
    first = math.ceil(low / step - 1e-9)
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _label(value: float, axis: Axis) -> str:
    return (
        f"{100 * value:.4g} %" if axis.percent else f"{value:.4g}".replace("-0", "0") if value == 0 else f"{value:.4g}"
    )


def _path(line: Line, x: Axis, y: Axis) -> str:
    made, before = [], None
    for px, py in line.points:
        if not (math.isfinite(px) and math.isfinite(py)):
            continue
        if line.step and px > x.high:  # level up to the edge, and no farther
            made.append(f"H{_x(x, x.high):.1f}" if before is not None else "")
            break
        here = (_x(x, px), _y(y, py))
        if line.step and before is not None:
            made.append(f"H{here[0]:.1f}")
        made.append(f"{'L' if before is not None else 'M'}{here[0]:.1f} {here[1]:.1f}")
        before = here
    dash = f' stroke-dasharray="{escape(line.dash)}"' if line.dash else ""
    return f'<path d="{"".join(made)}" fill="none" stroke="{line.colour}" stroke-width="2.5"{dash}/>'


def _mark(mark: Mark, x: Axis, y: Axis) -> str:
    at = _x(x, mark.x)
    side, shift = ("end", -9) if at > (WIDTH + LEFT) / 2 else ("start", 9)
    if mark.y is None:
        line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 4}" y2="{HEIGHT - BOTTOM}" stroke="{LIMIT}" '
        line += 'stroke-width="2" stroke-dasharray="6 4"/>'
        return line + _words(mark.name, at + shift, TOP + 12, side, 14, halo=True)
    height = _y(y, mark.y)
    ring = f'<circle cx="{at:.1f}" cy="{height:.1f}" r="6" fill="#fff" stroke="{LIMIT}" stroke-width="3"/>'
    below = 20 if height < HEIGHT - BOTTOM - 30 else -12
    return ring + _words(mark.name, at + shift, height + below, side, 14, halo=True)


def _legend(kinds: Sequence[tuple[Text, str, str]]) -> str:
    drawn, at = [], float(LEFT)
    for name, colour, dash in kinds:
        pattern = f' stroke-dasharray="{escape(dash)}"' if dash else ""
        drawn.append(
            f'<line x1="{at:.0f}" x2="{at + 24:.0f}" y1="14" y2="14" stroke="{colour}" stroke-width="6"{pattern}/>'
        )
        drawn.append(_words(name, at + 31, 19, "start", 14))
        longest = max(_length(name.en), _length(name.zh)) if isinstance(name, Words) else _length(name)
        at += 31 + 7.4 * longest + 22
    return "".join(drawn)


def _length(text: str) -> float:
    """Width of a text in average letters; a Chinese character is as wide as two."""
    return sum(2.0 if ord(sign) > 0x2E80 else 1.0 for sign in text)


def _upright(name: Text) -> str:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return _words(name, 16, middle, "middle", 14, turned=True)


def _number(text: str, x: float, y: float, anchor: str) -> str:
    return _words(text, x, y, anchor, 13)


def _words(text: Text, x: float, y: float, anchor: str, size: int, *, turned: bool = False, halo: bool = False) -> str:
    attributes = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#1a2027"'
    if turned:
        attributes += f' transform="rotate(-90 {x:.1f} {y:.1f})"'
    if halo:
        attributes += ' stroke="#fff" stroke-width="4" stroke-linejoin="round" paint-order="stroke"'
    return text.svg(attributes) if isinstance(text, Words) else f"<text {attributes}>{escape(text)}</text>"
