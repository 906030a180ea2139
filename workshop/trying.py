"""Challenge parts judged by a draft, as the line would judge them once it is released."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..bus.part import Outcome
from ..inspect.seen import LEVEL_AT_THRESHOLD
from ..models.box import Box as Place
from ..models.pictures import read
from ..training.report.looks import Look, drawn
from ..training.report.page import Words
from .draft import Draft, Tried
from .drafts import HEAT, Drafts
from .jobs import Bench
from .judging import MOST_REASONS, Judge, judging
from .recipe_of import base_of, recipe_data
from .recipe_text import as_text, drafted
from .whole import put

_MOST_BYTES = 200_000


def try_draft(bench: Bench) -> dict[str, Any]:
    """Judge the challenge parts of a draft."""
    drafts = Drafts(bench.box.drafts)
    draft = drafts.read(bench.order["draft"])
    base = base_of(bench.box, draft)
    places = {name: str((drafts.place(draft) / one.bundle).resolve()) for name, one in draft.taught.items()}
    tried = []
    bench.tell(0.0, "loading the model")
    with drafted(base.path, as_text(recipe_data(draft, base, places))) as active, judging(bench.box, active) as judge:
        shots = draft.of("challenge")
        for number, shot in enumerate(shots):
            bench.tell(number / len(shots), "judging challenge parts")
            tried.append(_tried(judge, drafts, draft, shot.id, shot.camera))
    return {"draft": {"tried": [one.model_dump(mode="json") for one in tried]}}


def _tried(judge: Judge, drafts: Drafts, draft: Draft, shot: str, camera: str) -> Tried:
    picture = read(drafts.picture(draft, shot))
    word = judge.word_of({camera: picture})
    name = f"{HEAT}/try-{shot[:16]}.jpg"
    verdict = word.verdicts[0]
    heat = max(verdict.heat, key=lambda each: max(each.levels, default=0), default=None)
    look = Look("", "", Words("", ""), picture)
    if heat is not None:
        cells = np.frombuffer(heat.levels, np.uint8).reshape(heat.rows, heat.columns).astype(np.float32)
        look = replace(look, heat=cells / np.float32(LEVEL_AT_THRESHOLD), region=Place(heat.x, heat.y, heat.w, heat.h))
    data = drawn(look, _MOST_BYTES)
    if data:
        put(drafts.place(draft) / name, data)
    outcome: Any = str(Outcome(word.outcome))
    return Tried(
        shot=shot,
        outcome=outcome,
        score=word.score,
        threshold=word.threshold,
        reasons=word.reasons[:MOST_REASONS],
        overlay=name if data else "",
    )
