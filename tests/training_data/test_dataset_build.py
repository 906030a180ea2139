"""Versions grow: old members keep their side, no part, lot or picture is on two, and no contradiction is learnt."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from okng.bus.errors import BadData
from okng.training.data.dataset import Dataset, SaidBy, Sample
from okng.training.data.dataset_build import Built, Growing, build
from okng.training.data.dataset_store import DatasetStore
from okng.training.data.merge import merged
from okng.training.data.split import SplitOptions

EVEN = SplitOptions(train=0.5, val=0.25, test=0.25, keep="all")


class Shelf:
    """Makes samples whose files are a few bytes of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.store = DatasetStore(folder / "sets")

    def sample(
        self, content: int, label: str = "good", part: str | None = None, lot: str | None = None, by: SaidBy = "file"
    ) -> Sample:
        import hashlib

        data = f"picture {content}".encode()
        path = self._folder / f"{content}.png"
        path.write_bytes(data)
        name = f"{label}/{content}.png"
        return Sample(path, hashlib.sha256(data).hexdigest(), 4, 4, 1, label, name, part, lot, said_by=by)

    def build(
        self,
        samples: Sequence[Sample],
        options: SplitOptions | None = EVEN,
        *,
        add: bool = False,
        relabel: bool = False,
    ) -> Built:
        data = Dataset(tuple(samples), "test", tuple(sorted({one.label for one in samples} - {"good"})))
        return build(self.store, "plates", [data], options, Growing(add=add, relabel=relabel, doubles=False))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


def sides(dataset: Dataset) -> dict[str, str | None]:
    return {one.sha256: one.split for one in dataset.samples}


def leaks(dataset: Dataset) -> list[str]:
    """Parts, lots and pictures on several sides, told by a count of this test's own."""
    seen: dict[tuple[str, str | None], set[str | None]] = {}
    for one in dataset.samples:
        for key in (("part", one.part), ("lot", one.lot), ("picture", one.sha256)):
            if key[1] is not None:
                seen.setdefault(key, set()).add(one.split)
    return [f"{key}: {where}" for key, where in seen.items() if len(where) > 1 or None in where]


def test_what_grows_keeps_its_sides(shelf: Shelf) -> None:
    old = [shelf.sample(n, part=f"p{n // 2}", lot=f"l{n // 8}") for n in range(64)]
    first = shelf.build(old)
    assert leaks(first.dataset) == []
    assert {"train", "val", "test"} == set(sides(first.dataset).values())
    new = [shelf.sample(n, part=f"p{n // 2}", lot=f"l{n // 8}") for n in range(60, 160)]
    grown = shelf.build(new, add=True)
    assert grown.before == "plates@1"
    assert leaks(grown.dataset) == []
    before, after = sides(first.dataset), sides(grown.dataset)
    assert {key: after[key] for key in before} == before
    assert len(after) == 160
    assert shelf.store.open("plates@2").digest == grown.stored.digest


def test_it_comes_out_alike_wherever_it_is_made(tmp_path: Path) -> None:
    made = []
    for place in ("here", "there"):
        shelf = Shelf(tmp_path / place)
        samples = [shelf.sample(n, part=f"p{n // 2}", lot=f"l{n // 8}") for n in range(48)]
        made.append(shelf.build(samples).stored.digest)
    assert made[0] == made[1]


def test_a_part_seen_again_goes_to_its_side_even_when_the_old_picture_is_gone(shelf: Shelf) -> None:
    first = shelf.build([shelf.sample(n, part=f"p{n}", lot=f"l{n}") for n in range(12)])
    side = {one.part: one.split for one in first.dataset.samples}
    lots = {one.lot: one.split for one in first.dataset.samples}
    again = [shelf.sample(100 + n, part=f"p{n}") for n in range(12)]
    again += [shelf.sample(200 + n, part=f"new{n}", lot=f"l{n}") for n in range(12)]
    second = shelf.build(again)
    for one in second.dataset.samples:
        assert one.split == (side[one.part] if one.part in side else lots[one.lot])


def test_a_picture_that_ties_two_sides_together_is_left_out_by_name(shelf: Shelf) -> None:
    first = shelf.build([shelf.sample(n, part=f"p{n}", lot=f"l{n}") for n in range(12)])
    by_side = {one.split: one for one in first.dataset.samples}
    one, other = by_side["train"], by_side["test"]
    tie = shelf.sample(500, part=one.part, lot=other.lot)
    # Two new pictures of one new part, each of a known lot: only together they tie.
    pair = [shelf.sample(501, part="q", lot=one.lot), shelf.sample(502, part="q", lot=other.lot)]
    fine = shelf.sample(503, part="r", lot=one.lot)
    grown = shelf.build([tie, *pair, fine], add=True)
    assert {each.file for each in grown.tying} == {tie.name, pair[1].name}
    assert f"part {one.part} of lot {other.lot} would tie test and train together" in str(grown.tying[0])
    assert leaks(grown.dataset) == []
    assert sides(grown.dataset)[fine.sha256] == sides(grown.dataset)[pair[0].sha256] == "train"
    assert {each.file for each in grown.dataset.left_out} == {each.file for each in grown.tying}


def test_lots_of_a_set_split_by_part_stay_split_by_part(shelf: Shelf) -> None:
    first = shelf.build([shelf.sample(n, part=f"p{n}", lot="l1") for n in range(40)])
    assert first.split is not None
    assert first.split.by == "part"
    grown = shelf.build([shelf.sample(n, part=f"p{n}", lot="l1") for n in range(40, 80)], add=True)
    assert grown.tying == ()
    assert len(grown.dataset.samples) == 80
    assert {one.split for one in grown.dataset.samples if one.sha256 not in sides(first.dataset)} > {"train"}


def test_a_picture_that_the_store_lost_is_taken_from_the_source_again(shelf: Shelf) -> None:
    samples = [shelf.sample(n, part=f"p{n}") for n in range(12)]
    shelf.build(samples)
    shelf.store.blob(samples[3].sha256).unlink()
    assert [one.reason for one in shelf.store.check("plates")] == ["missing"]
    shelf.build([*samples, shelf.sample(50, part="p50")], add=True)
    assert shelf.store.check("plates") == shelf.store.check("plates@1") == []


def test_without_a_split_what_leaks_is_refused(shelf: Shelf) -> None:
    torn = [replace(shelf.sample(1, part="p"), split="train"), replace(shelf.sample(2, part="p"), split="test")]
    with pytest.raises(BadData, match="part p lies on test"):
        shelf.build(torn, None)
    assert shelf.build(torn[:1], None).dataset.samples[0].split == "train"


def test_people_who_disagree_are_kept_apart_by_name(shelf: Shelf) -> None:
    good, dent = shelf.sample(1, "good", by="operator"), shelf.sample(1, "dent", by="operator")
    model, file = shelf.sample(2, "good", by="verdict"), shelf.sample(2, "dent", by="file")
    same = shelf.sample(3, "good")
    other = Dataset((replace(dent, name="box2/1.png"), file, same), "b", ("dent",))
    found = merged([Dataset((good, model, same), "a", ()), other])
    assert [(one.sha256, one.label) for one in found.dataset.samples] == [(file.sha256, "dent"), (same.sha256, "good")]
    (said,) = found.contradictions
    assert str(said) == (
        "good/1.png: contradiction: good (good/1.png, by operator) against dent (box2/1.png, by operator)"
    )
    assert said in found.dataset.left_out
    assert found.twice == 2


def test_a_person_who_looked_again_is_believed_when_asked(shelf: Shelf) -> None:
    rest = [shelf.sample(n, part=f"p{n}") for n in range(10, 30)]
    shelf.build([shelf.sample(1, "good", by="operator"), *rest])
    later = shelf.sample(1, "dent", by="operator")
    assert [one.file for one in shelf.build([later], add=True).contradictions] == ["good/1.png"]
    again = shelf.build([later], add=True, relabel=True)
    assert again.contradictions == ()
    found = {one.sha256: one.label for one in again.dataset.samples}
    assert found[later.sha256] == "dent"
    assert len(found) == 21


def test_two_pictures_of_one_name_get_names_of_their_own(shelf: Shelf) -> None:
    one, two = replace(shelf.sample(1), name="a.png"), replace(shelf.sample(2), name="a.png")
    names = [each.name for each in merged([Dataset((one,), "a", ()), Dataset((two,), "b", ())]).dataset.samples]
    assert names == [f"a-{one.sha256[:12]}.png", f"a-{two.sha256[:12]}.png"]


DRAWN = st.lists(
    st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(0, 25)), st.sampled_from([None, *[0] * 12, 1, 2])),
    min_size=12,
    max_size=40,
)
"""Picture, part, and how far its lot is off the one that its part usually is of."""


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(DRAWN, min_size=2, max_size=4), by=st.sampled_from(["auto", "both", "part"]))
def test_however_it_grows_nothing_leaks_and_nothing_moves(
    rounds: list[list[tuple[int, int | None, int | None]]], by: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shelf = Shelf(tmp_path_factory.mktemp("grown"))
    options = EVEN.model_copy(update={"by": by})
    before: dict[str, str | None] = {}
    for drawn in rounds:
        samples = []
        for content, part, off in {one[0]: one for one in drawn}.values():
            lot = None if off is None or part is None else f"l{part // 3 + off}"
            samples.append(shelf.sample(content, part=None if part is None else f"p{part}", lot=lot))
        try:
            made = shelf.build(samples, options, add=True)
        except BadData as error:
            assert "expected 3 or more, one a side" in str(error)  # noqa: PT017  # what was drawn is too little to split
            return
        by_part = made.split is not None and made.split.by == "part"
        assert [line for line in leaks(made.dataset) if not (by_part and line.startswith("('lot'"))] == []
        after = sides(made.dataset)
        both = before.keys() & after.keys()
        assert {key: after[key] for key in both} == {key: before[key] for key in both}
        before = after
