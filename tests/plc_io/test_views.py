"""One part, one verdict, from N views."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from okng.bus.messages import Agreement, FrameReady
from okng.bus.part import CodeRead, HeatMap, ImageHealth, Measurement, Outcome, Placement, Verdict, Vote
from okng.plc_io.views import Views, no_picture

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


def test_a_missing_view_says_why_there_is_no_picture() -> None:
    views = Views(CAMERAS)
    views.add(verdict("top"))
    merged = views.lost("side", no_picture("overexposed"))
    assert merged is not None
    assert merged.reasons == ("no picture by camera side", "no picture: overexposed")
    assert no_picture("") == ""


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


def seen(camera: str, outcome: Outcome = Outcome.OK, score: float = 1.0) -> Verdict:
    """A verdict with all that a view may carry, each bearing the camera's name."""
    frame = FrameReady(7, camera, f"ring-{camera}", 0, 2, 7, 1, 64, 48, "Mono8", 3072, 1000, 1100, None, 1200, 1300, "")
    return replace(
        verdict(camera, outcome, score),
        frame=frame,
        heat=(HeatMap(0, 0, 64, 48, 1, 1, camera[:1].encode()),),
        image=(ImageHealth(camera, 1.0, 120.0, 30.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0),),
        placements=(Placement(camera, True, 0.9, 1.0, 2.0, 0.0),),
        codes=(CodeRead(f"code-{camera}", camera.upper(), "DataMatrix", camera == "back"),),
    )


@pytest.mark.parametrize("order", list(permutations(CAMERAS)))
def test_an_ok_of_all_views_carries_what_each_of_them_saw(order: tuple[str, ...]) -> None:
    views = Views(CAMERAS)
    scores = {"top": 1.0, "side": 3.5, "back": 2.0}
    merged = [views.add(seen(camera, score=scores[camera])) for camera in order][-1]
    assert merged is not None
    assert merged.frame is not None
    assert merged.frame.camera == "side"
    assert [frame.camera for frame in merged.views] == ["top", "back"]
    assert [health.camera for health in merged.image] == list(CAMERAS)
    assert [placement.camera for placement in merged.placements] == list(CAMERAS)
    assert [(code.name, code.serial) for code in merged.codes] == [
        ("code-top", False),
        ("code-side", False),
        ("code-back", True),
    ]
    assert [one.levels for one in merged.heat] == [b"s"]


def test_the_view_that_decides_comes_with_the_pictures_of_those_heard_before_it() -> None:
    views = Views(CAMERAS)
    assert views.add(seen("back")) is None
    merged = views.add(seen("top", Outcome.NG))
    assert merged is not None
    assert merged.frame is not None
    assert (merged.frame.camera, [frame.camera for frame in merged.views]) == ("top", ["back"])
    assert [code.name for code in merged.codes] == ["code-top", "code-back"]

    views = Views(CAMERAS)
    views.add(seen("top", score=1.0))
    views.add(seen("back", score=2.0))
    lost = views.lost("side")
    assert lost is not None
    assert lost.frame is not None
    assert (lost.frame.camera, [frame.camera for frame in lost.views]) == ("back", ["top"])
    assert [health.camera for health in lost.image] == ["top", "back"]


def test_a_deciding_view_without_a_picture_still_brings_those_of_the_others() -> None:
    views = Views(("top", "side"))
    views.add(seen("top"))
    merged = views.add(replace(seen("side", Outcome.UNJUDGED), frame=None))
    assert merged is not None
    assert merged.frame is None
    assert [frame.camera for frame in merged.views] == ["top"]


def test_one_camera_is_its_own_whole_verdict() -> None:
    said = seen("top", Outcome.NG)
    assert Views(("top",)).add(said) == said


def weld(needed: int = 2) -> tuple[Agreement, ...]:
    return (Agreement("weld", tuple(f"{camera}/seam" for camera in CAMERAS), needed),)


def voted(camera: str, vote: Outcome, *, alone: Outcome = Outcome.OK, share: float = 0.5) -> Verdict:
    outcome = next(each for each in (Outcome.NG, Outcome.UNJUDGED, Outcome.OK) if each in (vote, alone))
    return replace(verdict(camera, outcome, share * 4.0), votes=(Vote("weld", "seam", vote, share),), apart=alone)


@pytest.mark.parametrize("order", list(permutations(CAMERAS)))
def test_a_defect_that_two_views_have_to_see_is_outvoted_when_one_does(order: tuple[str, ...]) -> None:
    views = Views(CAMERAS, weld())
    said = [
        views.add(voted(each, Outcome.NG if each == "side" else Outcome.OK, share=2.0 if each == "side" else 0.5))
        for each in order
    ]
    assert said[:2] == [None, None]
    assert said[2] is not None
    assert (said[2].outcome, said[2].reasons, said[2].defects) == (Outcome.OK, (), ())
    assert said[2].camera != "side"
    assert said[2].measures == (Measurement("", "weld", "objections", 1.0, "count", None, 1.0),)


@pytest.mark.parametrize("order", list(permutations(CAMERAS)))
def test_it_is_ng_as_soon_as_two_do_and_the_worse_of_them_is_shown(order: tuple[str, ...]) -> None:
    views, shares = Views(CAMERAS, weld()), {"top": 0.5, "side": 2.0, "back": 3.0}
    found = None
    for camera in order:
        if found is None:
            share = shares[camera]
            found = views.add(voted(camera, Outcome.NG if share > 1 else Outcome.OK, share=share))
    assert found is not None
    assert (found.outcome, found.camera) == (Outcome.NG, "back")
    assert found.reasons == ("2 of 3 views object to weld, limit 2", "back says so")
    assert not views.open


def test_what_a_view_objects_to_by_itself_decides_at_once() -> None:
    for alone in (Outcome.NG, Outcome.UNJUDGED):
        found = Views(CAMERAS, weld()).add(voted("top", Outcome.OK, alone=alone))
        assert found is not None
        assert found.outcome is alone


def test_a_vote_that_could_not_be_judged_never_passes() -> None:
    found = Views(CAMERAS, weld()).add(voted("top", Outcome.UNJUDGED))
    assert found is not None
    assert (found.outcome, found.reasons[0]) == (Outcome.UNJUDGED, "not all views of weld could be judged")


def test_a_view_that_forgets_its_vote_or_is_missing_never_passes() -> None:
    views = Views(CAMERAS, weld())
    assert views.add(voted("top", Outcome.OK)) is None
    assert views.add(verdict("side")) is None
    found = views.add(voted("back", Outcome.OK))
    assert found is not None
    assert found.outcome is Outcome.UNJUDGED

    views = Views(CAMERAS, weld())
    assert views.add(voted("top", Outcome.NG, share=2.0)) is None
    lost = views.lost("side")
    assert lost is not None
    assert (lost.outcome, lost.reasons) == (Outcome.UNJUDGED, ("no picture by camera side", "top says so"))


@given(
    st.lists(st.tuples(st.sampled_from(Outcome), st.sampled_from(Outcome)), min_size=3, max_size=3), st.integers(1, 3)
)
def test_a_part_passes_only_when_all_views_are_there_and_too_few_object(
    words: list[tuple[Outcome, Outcome]], needed: int
) -> None:
    views, found = Views(CAMERAS, weld(needed)), None
    for camera, (vote, alone) in zip(CAMERAS, words, strict=True):
        assert found is None or not views.open
        if found is None:
            found = views.add(voted(camera, vote, alone=alone, share=2.0 if vote is Outcome.NG else 0.5))
    assert found is not None
    votes = [vote for vote, _ in words]
    fine = all(alone is Outcome.OK for _, alone in words) and Outcome.UNJUDGED not in votes
    assert (found.outcome is Outcome.OK) == (fine and votes.count(Outcome.NG) < needed)
