"""A part or a lot lies on one side of a split, whole; every class has its share on every side."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadData
from okng.training.data.dataset import SPLITS, Dataset, Sample, Split
from okng.training.data.doubles import Double
from okng.training.data.split import SplitOptions, split, torn


def sample(
    number: int, label: str, part: str | None = None, lot: str | None = None, side: Split | None = None
) -> Sample:
    return Sample(Path(f"{number}.png"), f"{number:064x}", 4, 4, 1, label, f"{number}.png", part, lot, side)


def dataset(*samples: Sample) -> Dataset:
    return Dataset(samples, "test", tuple(sorted({one.label for one in samples} - {"good"})))


def parts() -> Dataset:
    """Two hundred parts of three pictures each in twenty lots; one in ten has a dent, one in twenty a scratch."""
    made = []
    for number in range(600):
        label = "scratch" if number // 3 % 20 == 0 else "dent" if number // 3 % 10 == 1 else "good"
        made.append(sample(number, label, f"p{number // 3}", f"lot{number // 30}"))
    return dataset(*made)


@pytest.mark.parametrize("by", ["part", "lot"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_is_torn_and_shares_hold(by: str, seed: int) -> None:
    done = split(parts(), SplitOptions.model_validate({"by": by, "seed": seed}))
    said = torn(done.dataset.samples)
    assert [line for line in said if line.startswith(f"{by} ") or line.startswith("part ")] == []
    count = done.dataset.count()
    for label, total in (("good", 510), ("dent", 60), ("scratch", 30)):
        for side, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
            assert count[label, side] == pytest.approx(share * total, abs=0.08 * total + 3)


def test_the_seed_decides_and_nothing_else() -> None:
    one, same = (split(parts(), SplitOptions(seed=5)).dataset for _ in range(2))
    assert one == same
    assert split(parts(), SplitOptions(seed=6)).dataset != one


def test_lots_are_taken_where_every_picture_has_one() -> None:
    assert split(parts(), SplitOptions()).by == "lot"
    some = (*parts().samples[:-1], sample(999, "good", "p999"))
    assert split(dataset(*some), SplitOptions()).by == "part"
    with pytest.raises(BadData, match=r"by lot: 999\.png has none"):
        split(dataset(*some), SplitOptions(by="lot"))


def test_existing_sides_stay() -> None:
    old = [sample(n, "good", f"p{n}", side="test" if n < 5 else None) for n in range(50)]
    done = split(dataset(*old), SplitOptions())
    assert [one.split for one in done.dataset.samples[:5]] == ["test"] * 5
    assert None not in {one.split for one in done.dataset.samples}
    assert done.dataset.count()["good", "train"] == pytest.approx(35, abs=3)


def test_a_part_goes_where_the_rest_of_it_is() -> None:
    old = [sample(n, "good", f"p{n % 10}", side="test" if n == 3 else None) for n in range(30)]
    done = split(dataset(*old), SplitOptions(by="part"))
    assert {one.split for one in done.dataset.samples if one.part == "p3"} == {"test"}


def test_a_lot_on_both_sides_is_refused_by_name() -> None:
    old = [sample(n, "good", f"p{n}", f"lot{n % 3}", "train" if n < 20 else "test") for n in range(30)]
    with pytest.raises(BadData) as caught:
        split(dataset(*old), SplitOptions(by="lot"))
    assert "3 groups by lot are on several sides already" in str(caught.value)
    assert "lot lot0" in str(caught.value)
    assert torn(old)[0].startswith("lot lot0 lies on test (")
    assert split(dataset(*old), SplitOptions(by="lot", keep="none")).groups == 3
    assert split(dataset(*old), SplitOptions(by="part")).dataset.samples == tuple(old)


def test_the_test_side_alone_may_stay() -> None:
    old = [sample(n, "good", f"p{n}", side="test" if n < 6 else "train") for n in range(40)]
    done = split(dataset(*old), SplitOptions(keep="test", train=0.7, val=0.15, test=0.15))
    assert all(one.split == "test" for one in done.dataset.samples[:6])
    assert done.dataset.count()["good", "val"] == 6


def test_doubles_go_to_one_side() -> None:
    all_parts = [sample(n, "good") for n in range(40)]
    pairs = [Double(all_parts[n], all_parts[n + 20], "copy", "") for n in range(20)]
    done = split(dataset(*all_parts), SplitOptions(), pairs)
    sides = [one.split for one in done.dataset.samples]
    assert sides[:20] == sides[20:]
    assert done.notes[0].startswith("the part of 40 pictures is not known")


def test_a_class_too_rare_for_all_sides_is_said() -> None:
    rare = [sample(n, "good", f"p{n}") for n in range(40)] + [sample(99, "hole", "p99")]
    assert "hole: none on" in " ".join(split(dataset(*rare), SplitOptions()).notes)


def test_fewer_groups_than_sides_are_refused() -> None:
    two = dataset(*(sample(n, "good", f"p{n % 2}") for n in range(10)))
    with pytest.raises(BadData, match="2 groups by part: expected 3 or more"):
        split(two, SplitOptions())


def test_shares_must_add_up() -> None:
    with pytest.raises(ValidationError, match="expected 1"):
        SplitOptions(train=0.9)
