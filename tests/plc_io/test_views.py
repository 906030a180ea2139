"""One part, one verdict, from N views."""

from itertools import permutations

import pytest

from okng.bus.part import Outcome, Verdict
from okng.plc_io.views import Views

CAMERAS = ("top", "side", "back")


def verdict(camera: str, outcome: Outcome = Outcome.OK, score: float = 1.0) -> Verdict:
    return Verdict(
        part=7,
        outcome=outcome,
        reasons=() if outcome is Outcome.OK else (f"{camera} says so",),
        defects=(),
        score=score,
        threshold=4.0,
        recipe="cap",
        revision="0123456789ab",
        model="f" * 64,
        camera=camera,
        triggered_at_ns=1000,
        frame=None,
        heat=(),
        started_ns=2000 + len(camera),
        done_ns=3000 + len(camera),
    )


@pytest.mark.parametrize("order", list(permutations(CAMERAS)))
def test_ok_needs_every_view_and_the_nearest_to_its_limit_is_shown(order: tuple[str, ...]) -> None:
    views = Views(CAMERAS)
    scores = {"top": 1.0, "side": 3.5, "back": 2.0}
    said = [views.add(verdict(camera, score=scores[camera])) for camera in order]
    assert said[:2] == [None, None]
    assert said[2] is not None
    assert (said[2].outcome, said[2].camera, said[2].score) == (Outcome.OK, "side", 3.5)
    assert (said[2].started_ns, said[2].done_ns) == (2003, 3004)


@pytest.mark.parametrize("outcome", [Outcome.NG, Outcome.UNJUDGED])
@pytest.mark.parametrize("at", range(3))
def test_the_first_view_that_says_no_decides_at_once(outcome: Outcome, at: int) -> None:
    views = Views(CAMERAS)
    for camera in CAMERAS[:at]:
        assert views.add(verdict(camera)) is None
    merged = views.add(verdict(CAMERAS[at], outcome))
    assert merged is not None
    assert merged.outcome is outcome
    assert merged.reasons == (f"{CAMERAS[at]} says so",)


def test_a_missing_view_is_unjudged_and_names_the_camera() -> None:
    views = Views(CAMERAS)
    assert views.add(verdict("top")) is None
    merged = views.lost("side")
    assert merged is not None
    assert (merged.outcome, merged.reasons) == (Outcome.UNJUDGED, ("no picture by camera side",))
    assert Views(CAMERAS).lost("top") is None


def test_a_view_speaks_once_and_a_foreign_one_never() -> None:
    views = Views(("top", "side"))
    views.add(verdict("top"))
    assert views.open == {"side"}
    for camera in ("top", "else"):
        with pytest.raises(ValueError, match="expected one of side"):
            views.add(verdict(camera))
        with pytest.raises(ValueError, match="expected one of side"):
            views.lost(camera)
    with pytest.raises(ValueError, match="one camera or more"):
        Views(())
