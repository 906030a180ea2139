"""Scenes by name, each one situation of the field: the right tracker holds in all, and each wrong one fails in some."""

from dataclasses import replace

from okng.simline.belt_layout import CONFIRM, EYE, GATE_EYE, Gate, Ghost, Lane

from .belt_scene import Scene, Word
from .belt_scenes import CONFIRM_AT_MM, GATE_EYE_AT_MM, JET_AT_MM, alter, gate, haunted, plain


def told(scene: Scene, part: int, *words: Word) -> Scene:
    """Return a scene with other words about one part."""
    return replace(scene, words=(*scene.words[:part], words, *scene.words[part + 1 :]))


def rolled(scene: Scene, bits: int, start: int, *, down: bool = False) -> Scene:
    """Return a scene with another encoder."""
    layout = replace(scene.layout, encoder_bits=bits, encoder_start=start, encoder_reversed=down)
    return replace(scene, layout=layout)


def paced(scene: Scene, *speeds: tuple[float, float]) -> Scene:
    """Return a scene at other speeds."""
    return replace(scene, speeds=speeds)


def gated(scene: Scene, *gates: Gate) -> Scene:
    """Return a scene with other gates on its one lane."""
    return replace(scene, layout=replace(scene.layout, lanes=(Lane("a", gates),)))


def _two_lanes() -> Scene:
    one, other = plain("onoon"), plain("noono", pitch_mm=171.0)
    lanes = (Lane("a", (gate("ga"),)), Lane("b", (gate("gb"),)))
    parts = (*one.layout.parts, *(replace(part, lane="b", at_mm=part.at_mm + 3) for part in other.layout.parts))
    return replace(one, layout=replace(one.layout, lanes=lanes, parts=parts), words=one.words + other.words)


def _backs_off_fast() -> Scene:
    """Return good parts that come back under the jet right behind where a bad one was blown off."""
    scene = gated(plain("onoo", pitch_mm=[64.0, 250.0]), replace(gate(), off_s=0.012, jitter=0.0))
    scene = replace(scene, max_speed_mm_s=600.0, layout=replace(scene.layout, ramp_mm_s2=8000.0))
    return paced(scene, (0.7, 600.0), (0.4, -600.0), (1.0, 600.0))


def _told_after_a_jump() -> Scene:
    """Return an edge that is latched before the encoder loses its count, and told after that.

    Added to the count that is left, its place is just that of the part behind it.
    """
    scene = plain("ooooo", pitch_mm=[103.93, 110.0, 100.0, 100.0], speed_mm_s=300.0, length_mm=60.0)
    scene = replace(rolled(scene, 16, 0, down=True), max_speed_mm_s=300.0, late_ticks=5, tick_s=0.004)
    layout = replace(scene.layout, counts_per_mm=4.0)
    return replace(scene, layout=layout, jumps=((348.93, -400),), reset_s=0.1)


MIXED = plain("onoouolo-o")
WATCHED = plain("onoono", eye=True, confirm=True)
SLIDING = replace(WATCHED, slip_mm=20.0)
SCRATCH = Word(0.05, "top", "NG", "scratch")
GROUP_MM = plain("o").group_mm

CASES: dict[str, Scene] = {
    "mixed": MIXED,
    "begins with the first part": replace(MIXED, cold=True),
    "60 mm/s": plain("onon", speed_mm_s=60.0, after_s=1.0),
    "2 m/s": plain("onoonon", speed_mm_s=2000.0, after_s=0.03),
    "bad, good, bad": plain("nonon", pitch_mm=40 + GROUP_MM + 3, speed_mm_s=2000.0, after_s=0.03),
    "bad, good, bad, slowly": plain("nonon", pitch_mm=40 + GROUP_MM + 3, speed_mm_s=150.0),
    "ramps": paced(MIXED, (0.3, 600.0), (0.3, 150.0), (0.2, 1500.0), (0.4, 300.0), (1.0, 900.0)),
    "speeds up on the way": paced(plain("non", pitch_mm=330.0), (0.9, 100.0), (1.0, 1600.0)),
    "stops": paced(MIXED, (0.45, 600.0), (1.2, 0.0), (0.3, 600.0), (0.8, 0.0), (1.0, 500.0)),
    "stops with air on": paced(
        plain("ono", pitch_mm=150.0), (0.81, 600.0), (0.5, 0.0), (0.02, 300.0), (0.3, 0.0), (1.0, 600.0)
    ),
    "creeps up to the gate": paced(plain("ono"), (0.6, 600.0), (1.5, 20.0), (1.0, 600.0)),
    "backs off before the gate": paced(plain("onon"), (0.5, 600.0), (0.5, -200.0), (1.0, 600.0)),
    "backs off behind the gate": paced(plain("onoon"), (1.0, 600.0), (0.55, -200.0), (1.0, 600.0)),
    "backs off a close pair": paced(
        plain("oonoon", pitch_mm=[180, 118, 160]), (1.1, 300.0), (0.5, -250.0), (1.0, 600.0)
    ),
    "backs off fast from close pairs": _backs_off_fast(),
    "backs off before a late OK": replace(
        paced(told(plain("oooo"), 1, Word(1.3, "top", "OK")), (1.0, 600.0), (0.5, -300.0), (1.0, 600.0)),
        deadline_s=3.0,
    ),
    "16 bits go round": rolled(MIXED, 16, 60_000),
    "16 bits go round, down": rolled(MIXED, 16, 3_000, down=True),
    "32 bits go round": rolled(MIXED, 32, 2**32 - 4_000),
    "counts down": rolled(MIXED, 32, 1_000_000, down=True),
    "edges before samples": replace(MIXED, edges_first=True),
    "edges 10 ms late": replace(MIXED, late_ticks=5),
    "edges 10 ms late at 2 m/s": replace(plain("onoonon", speed_mm_s=2000.0, after_s=0.02), late_ticks=5),
    "edges 10 ms late at all eyes": replace(plain("onoono", eye=True, confirm=True), late_ticks=5),
    "trembles at a stop": paced(replace(MIXED, trembles=True), (0.45, 600.0), (1.2, 0.0), (1.0, 600.0)),
    "numbers of the PLC": replace(MIXED, numbered=True),
    "late by the clock": replace(told(MIXED, 3, Word(0.15, "top", "OK")), deadline_s=0.1),
    "at the very deadline": replace(told(MIXED, 3, Word(0.1, "top", "OK")), deadline_s=0.1),
    "words after the next trigger": plain("onono", after_s=0.35),
    "late by the belt": told(replace(MIXED, deadline_s=3.0), 3, Word(0.47, "top", "OK")),
    "late by seconds": told(replace(MIXED, deadline_s=3.0), 3, Word(2.5, "top", "OK")),
    "in time by a hair": told(plain("oooo"), 2, Word(0.40, "top", "OK")),
    "NG and then OK": told(MIXED, 3, Word(0.05, "top", "NG"), Word(0.06, "top", "OK")),
    "UNJUDGED and then OK": told(MIXED, 3, Word(0.05, "top", "UNJUDGED"), Word(0.06, "top", "OK")),
    "OK and then NG": told(MIXED, 3, Word(0.05, "top", "OK"), Word(0.06, "top", "NG")),
    "OK and then NG, another view open": replace(
        told(
            plain("oooo"),
            1,
            Word(0.05, "side", "OK"),
            Word(0.06, "side", "NG"),
            Word(0.1, "top", "OK"),
        ),
        views=("top", "side"),
    ),
    "OK and then lost": told(MIXED, 3, Word(0.05, "top", "OK"), Word(0.06, "top", "LOST")),
    "lost and then OK": told(MIXED, 3, Word(0.05, "top", "LOST"), Word(0.06, "top", "OK")),
    "OK twice": told(MIXED, 3, Word(0.05, "top", "OK"), Word(0.06, "top", "OK"), Word(1.0, "top", "OK")),
    "OK of another moment": told(MIXED, 1, Word(0.03, "top", "OK", trick="moment")),
    "OK of a number nobody gave": told(MIXED, 1, Word(0.03, "top", "OK", trick="number")),
    "out of order": told(told(plain("oooo", pitch_mm=150), 0, Word(0.38, "top", "OK")), 1, Word(0.02, "top", "NG")),
    "two views, one NG": replace(
        told(plain("oooo"), 1, Word(0.05, "top", "OK"), Word(0.06, "side", "NG")), views=("top", "side")
    ),
    "three views, all OK": replace(
        plain("oo"),
        views=("top", "side", "back"),
        words=((Word(0.2, "back", "OK"), Word(0.03, "side", "OK"), Word(0.1, "top", "OK")),) * 2,
    ),
    "a view of no camera": told(plain("oooo"), 1, Word(0.05, "elsewhere", "OK")),
    "close pair, second bad": plain("onooon", pitch_mm=[58.0, 180.0], speed_mm_s=2000.0, after_s=0.02),
    "close pair, first bad": plain("noonoo", pitch_mm=[58.0, 180.0], speed_mm_s=2000.0, after_s=0.02),
    "close pairs, second bad": plain("on" * 6, pitch_mm=[58.0, 180.0] * 6, speed_mm_s=2000.0, after_s=0.02),
    "close pairs of short parts, first bad": plain(
        "no" * 6, pitch_mm=[36.0, 180.0] * 6, speed_mm_s=2000.0, after_s=0.02, length_mm=20.0
    ),
    "close pair, both good": plain("ooon", pitch_mm=[60.0, 180.0], speed_mm_s=2000.0, after_s=0.02),
    "close three, last bad": plain("oonoon", pitch_mm=[58.0, 58.0, 180.0], speed_mm_s=1200.0, after_s=0.02),
    "close pair, both bad": plain("nnoonn", pitch_mm=[58.0, 180.0, 180.0, 180.0, 58.0], speed_mm_s=1200.0),
    "close pair, one silent": plain("-ooo-o", pitch_mm=[58.0, 180.0, 180.0, 180.0, 58.0], speed_mm_s=600.0),
    "two lanes": _two_lanes(),
    "two gates": gated(plain("onoon"), gate("g1"), gate("g2", at_mm=JET_AT_MM + 150)),
    "two gates, by the kind of defect": replace(
        told(
            told(gated(plain("onoonno"), gate("g1"), gate("g2", at_mm=JET_AT_MM + 150)), 1, SCRATCH),
            5,
            SCRATCH,
        ),
        kinds=(("g2", ("scratch",)),),
    ),
    "first gate by the kind of defect": replace(
        told(gated(plain("onoonno"), gate("g1"), gate("g2", at_mm=JET_AT_MM + 150)), 1, SCRATCH),
        kinds=(("g1", ("scratch",)),),
    ),
    "watched by all eyes": WATCHED,
    "slips behind": alter(alter(SLIDING, 1, slip_mm=19.0), 2, slip_mm=19.0),
    "runs ahead": alter(alter(SLIDING, 1, slip_mm=-19.0), 4, slip_mm=-19.0),
    "slips too far": alter(SLIDING, 1, slip_mm=28.0),
    "runs too far ahead": replace(alter(SLIDING, 1, slip_mm=-28.0), obeys_stop=False),
    "bounces at the eye": haunted(WATCHED, Ghost(EYE, "a", 220.0)),
    "bounces at the eye and runs on": replace(haunted(MIXED, Ghost(EYE, "a", 220.0)), obeys_stop=False, reset_s=0.5),
    "a fault with a good part at the gate": replace(
        haunted(plain("oooo", pitch_mm=280.0), Ghost(EYE, "a", 320.0)), obeys_stop=False
    ),
    "a fault with a good part before the gate": haunted(plain("oooo", pitch_mm=230.0), Ghost(EYE, "a", 275.0)),
    "a ghost behind all": haunted(WATCHED, Ghost(EYE, "a", 1100.0)),
    "a ghost at the gate": haunted(WATCHED, Ghost(GATE_EYE, "g1", 1040.0 + GATE_EYE_AT_MM)),
    "a ghost at the confirm eye": haunted(WATCHED, Ghost(CONFIRM, "g1", 1040.0 + CONFIRM_AT_MM)),
    "unseen by the eye": alter(WATCHED, 1, unseen_by=frozenset({(EYE, "a")})),
    "unseen by the gate's eye": alter(WATCHED, 1, unseen_by=frozenset({(GATE_EYE, "g1")})),
    "encoder jumps": replace(WATCHED, jumps=((260.0, 3000),)),
    "an edge told after a jump": _told_after_a_jump(),
    "encoder falls back": replace(MIXED, jumps=((260.0, -3000),), obeys_stop=False),
    "the belt is faster than told": replace(plain("onoonono", speed_mm_s=700.0), max_speed_mm_s=600.0),
    "the belt is much faster than told": replace(plain("onoono", speed_mm_s=2600.0, after_s=0.02), obeys_stop=False),
    "the valve is dead": replace(
        gated(plain("onnnon", confirm=True), replace(gate(confirm=True), dead=True)), rules=(0, 0, 0, 0, 2)
    ),
    "one reject is not blown off": gated(plain("ono", confirm=True), replace(gate(confirm=True), dead=True)),
    "the bin is full": replace(MIXED, full_bins=((400.0, "g1"),)),
}
"""What each scene is about, and the scene."""
