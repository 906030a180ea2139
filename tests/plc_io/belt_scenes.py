"""Scenes for the virtual line: a plain one to alter, and a hypothesis strategy over the whole world of the belt."""

from dataclasses import replace

from hypothesis import strategies as st

from okng.simline.belt_layout import CONFIRM, EYE, GATE_EYE, Gate, Ghost, Laid, Lane, Layout

from .belt_scene import Scene, Word

OK, NG = "OK", "NG"
JET_AT_MM = 300.0
GATE_EYE_AT_MM = 170.0
CONFIRM_AT_MM = 420.0


def gate(name: str = "g1", *, at_mm: float = JET_AT_MM, eye: bool = False, confirm: bool = False) -> Gate:
    """Return a gate as the design has it: valve 12 ms on and 8 ms off, jet 4 mm, link up to 4 ms."""
    return Gate(
        name,
        jet_at_mm=at_mm,
        jet_mm=4.0,
        on_s=0.012,
        off_s=0.008,
        jitter=0.25,
        link_s=0.004,
        eye_at_mm=at_mm - JET_AT_MM + GATE_EYE_AT_MM if eye else None,
        confirm_at_mm=at_mm - JET_AT_MM + CONFIRM_AT_MM if confirm else None,
    )


def plain(
    verdicts: str,
    *,
    pitch_mm: float | list[float] = 180.0,
    speed_mm_s: float = 600.0,
    after_s: float = 0.05,
    eye: bool = False,
    confirm: bool = False,
    length_mm: float = 40.0,
) -> Scene:
    """Return one lane at one speed. verdicts: a letter a part: o OK, n NG, u UNJUDGED, l LOST, - no word at all."""
    outcomes = {"o": OK, "n": NG, "u": "UNJUDGED", "l": "LOST"}
    places, at = [], 30.0
    for index in range(len(verdicts)):
        places.append(at)
        at += pitch_mm if isinstance(pitch_mm, float | int) else pitch_mm[min(index, len(pitch_mm) - 1)]
    layout = Layout(
        lanes=(Lane("a", (gate(eye=eye, confirm=confirm),)),),
        part_length_mm=length_mm,
        counts_per_mm=20.0,
        encoder_bits=32,
        encoder_start=1000,
        parts=tuple(Laid("a", place) for place in places),
    )
    words = tuple(() if each == "-" else (Word(after_s, "top", outcomes[each]),) for each in verdicts)
    return Scene(layout, words, speeds=((1.0, speed_mm_s),), rolling=True)


def alter(scene: Scene, part: int, **changes: object) -> Scene:
    """Return a scene with one part laid otherwise."""
    layout, parts = scene.layout, list(scene.layout.parts)
    parts[part] = replace(parts[part], **changes)  # type: ignore[arg-type]
    return replace(scene, layout=replace(layout, parts=tuple(parts)))


def haunted(scene: Scene, *ghosts: Ghost) -> Scene:
    """Return a scene with these ghosts."""
    return replace(scene, layout=replace(scene.layout, ghosts=ghosts))


@st.composite
def scenes(draw: st.DrawFn, *, faults: bool | None = None, simple: bool = False) -> Scene:
    """Draw a scene. faults: something goes wrong that stops a line; None: in some. simple: one gate, no second eye."""
    top = draw(st.sampled_from([120.0, 300.0, 600.0, 600.0, 1200.0, 2000.0]), label="top speed")
    eye = False if simple else draw(st.booleans(), label="second eye")
    confirm = False if simple else draw(st.booleans(), label="confirm eye")
    lanes = []
    for name in ("a", "b")[: draw(st.sampled_from([1, 1, 1, 2]), label="lanes")]:
        gates = [gate(f"g{name}1", eye=eye, confirm=confirm)]
        if not simple and draw(st.sampled_from([False, False, False, True]), label="second gate"):
            gates.append(gate(f"g{name}2", at_mm=JET_AT_MM + 200, eye=False, confirm=False))
        lanes.append(Lane(name, tuple(gates)))
    bits = draw(st.sampled_from([16, 32]), label="bits")
    length = draw(st.sampled_from([30.0, 40.0, 60.0]), label="length")
    per_mm = draw(st.sampled_from([4.0, 10.0, 20.0, 37.5]), label="counts per mm")
    start = draw(st.sampled_from([0, 1000, 2**bits - 1500, 2**bits - 5000]), label="encoder start")
    slip = draw(st.sampled_from([4.0, 8.0]), label="slip window") if eye else 0.0
    scene = Scene(
        Layout(tuple(lanes), length, per_mm, bits, start, draw(st.booleans(), label="counts down"), 2000.0),
        words=(),
        speeds=_speeds(draw, top, reverse=draw(st.sampled_from([False, False, False, True]), label="reverse")),
        kinds=tuple((lane.gates[1].name, ("scratch",)) for lane in lanes if len(lane.gates) > 1),
        cold=draw(st.booleans(), label="cold"),
        rolling=draw(st.booleans(), label="rolling"),
        views=draw(st.sampled_from([("top",), ("top",), ("top", "side"), ("top", "side", "back")]), label="views"),
        deadline_s=draw(st.sampled_from([0.3, 0.6, 3.0]), label="deadline"),
        slip_mm=slip,
        max_speed_mm_s=top,
        obeys_stop=draw(st.booleans(), label="obeys stop"),
        reset_s=draw(st.sampled_from([0.1, 0.4]), label="reset after"),
        tick_s=draw(st.sampled_from([0.001, 0.002, 0.002, 0.004]), label="tick"),
        uneven=draw(st.booleans(), label="uneven"),
        late_ticks=draw(st.sampled_from([0, 0, 1, 2, 5]), label="edges late"),
        edges_first=draw(st.booleans(), label="edges first"),
        trembles=draw(st.booleans(), label="trembles"),
        numbered=draw(st.booleans(), label="numbered"),
        seed=draw(st.integers(0, 999), label="seed"),
    )
    parts: list[Laid] = []
    for lane in lanes:
        at = draw(st.floats(20, 60), label="first part")
        for _ in range(draw(st.integers(2, 5), label="parts")):
            slips = 0.0
            if slip and draw(st.sampled_from([False, True]), label="slips"):
                slips = draw(st.floats(-slip * 0.9, slip * 0.9), label="slip")
            parts.append(Laid(lane.name, round(at, 2), slip_mm=round(slips, 2), slip_from_mm=20.0, slip_over_mm=100.0))
            least, wide = scene.min_gap_mm + 2 * slip + 1, scene.group_mm + 2 * slip + 1
            close = draw(st.sampled_from([False, False, True]), label="close") and least < wide
            gap = draw(st.floats(least, wide) if close else st.floats(max(least, wide), wide + 80), label="gap")
            at += length + gap
    words = tuple(_words(draw, scene) for _ in parts)
    scene = replace(scene, layout=replace(scene.layout, parts=tuple(parts)), words=words)
    if draw(st.booleans() if faults is None else st.just(faults), label="something goes wrong"):
        scene = _go_wrong(draw, scene)
    return scene


def _speeds(draw: st.DrawFn, top: float, *, reverse: bool) -> tuple[tuple[float, float], ...]:
    steps: list[tuple[float, float]] = []
    share = st.sampled_from([0.3, 0.6, 1.0, 1.0])
    for _ in range(draw(st.integers(1, 4), label="speed changes")):
        kind = draw(st.sampled_from(["run", "run", "stop"]), label="step")
        steps.append((draw(st.floats(0.1, 0.8)), 0.0 if kind == "stop" else top * draw(share)))
    if reverse:
        at = draw(st.integers(0, len(steps)), label="reverse at")
        steps.insert(at, (draw(st.floats(0.1, 0.4)), -min(top, 250.0) * draw(share)))
    return (*steps, (1.0, top * draw(share)))


def _words(draw: st.DrawFn, scene: Scene) -> tuple[Word, ...]:
    """Draw what is said of one part: mostly OK, early and once in each view."""
    words: list[Word] = []
    for view in scene.views:
        fate = draw(
            st.sampled_from(["ok"] * 12 + ["ng"] * 4 + ["unjudged", "lost", "silent", "flip", "flop"]), label=view
        )
        late = draw(st.sampled_from([False, False, False, False, True]), label="slow")
        after = draw(st.floats(0.2, 3.0) if late else st.floats(0.02, 0.12), label="latency")
        after = round(after, 4)
        if fate == "ok":
            words.append(Word(after, view, OK))
        elif fate == "ng":
            words.append(Word(after, view, NG, draw(st.sampled_from(["anomaly", "scratch"]), label="kind")))
        elif fate == "flip":
            words += [Word(after, view, NG), Word(after + 0.004, view, OK)]
        elif fate == "flop":
            words += [Word(after, view, OK), Word(after + draw(st.sampled_from([0.004, 0.1, 0.6])), view, NG)]
        elif fate != "silent":
            words.append(Word(after, view, fate.upper(), trick="any" if fate == "lost" and draw(st.booleans()) else ""))
    tricks = draw(st.sampled_from(["", "", "", "double", "moment", "number"]), label="trick")
    if tricks == "double" and words:
        words.append(replace(words[-1], after_s=words[-1].after_s + draw(st.sampled_from([0.001, 0.05, 1.0]))))
    elif tricks:
        words.append(
            Word(
                draw(st.sampled_from([0.01, 0.2])), scene.views[0], OK, trick=tricks if tricks != "double" else "number"
            )
        )
    return tuple(words)


def _go_wrong(draw: st.DrawFn, scene: Scene) -> Scene:
    layout = scene.layout
    lane = draw(st.sampled_from(layout.lanes))
    first = lane.gates[0]
    numbers = [n for n, part in enumerate(layout.parts) if part.lane == lane.name]
    number = draw(st.sampled_from(numbers), label="whose")
    part = layout.parts[number]
    kinds = ["double edge", "far ghost", "jump", "missed", "dead valve", "bin full"]
    if first.eye_at_mm is not None:
        kinds += ["gate ghost", "missed at gate", "slides"]
    if first.confirm_at_mm is not None:
        kinds += ["confirm ghost"]
    kind = draw(st.sampled_from(kinds), label="what goes wrong")
    last = max(each.at_mm for each in layout.parts)
    if kind == "double edge":
        return haunted(scene, Ghost(EYE, lane.name, part.at_mm + draw(st.floats(2, layout.part_length_mm))))
    if kind == "far ghost":
        return haunted(scene, Ghost(EYE, lane.name, last + layout.part_length_mm + scene.group_mm + 30))
    if kind == "jump":
        counts = draw(st.sampled_from([-1, 1])) * round(
            (scene.jump_mm + draw(st.floats(20, 200))) * layout.counts_per_mm
        )
        return replace(scene, jumps=((part.at_mm + draw(st.floats(5, 250)), counts),))
    if kind == "missed":
        return alter(scene, number, unseen_by=frozenset({(EYE, lane.name)}))
    if kind == "missed at gate":
        return alter(scene, number, unseen_by=frozenset({(GATE_EYE, first.name)}))
    if kind == "slides":
        return alter(scene, number, slip_mm=draw(st.sampled_from([-1.0, 1.0])) * (scene.slip_mm + 6))
    if kind == "dead valve":
        gates = tuple(replace(each, dead=True) for each in lane.gates)
        lanes = tuple(replace(each, gates=gates) if each is lane else each for each in layout.lanes)
        return replace(scene, layout=replace(layout, lanes=lanes), rules=(0, 0, 0, 0, 2))
    if kind == "bin full":
        return replace(scene, full_bins=((part.at_mm + 50, first.name),))
    place = GATE_EYE_AT_MM if kind == "gate ghost" else CONFIRM_AT_MM
    at = last + place + layout.part_length_mm + scene.min_gap_mm + 2 * scene.slip_mm + 15
    return haunted(scene, Ghost(GATE_EYE if kind == "gate ghost" else CONFIRM, first.name, at))
