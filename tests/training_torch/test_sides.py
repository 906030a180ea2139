"""Sides of a split hold whole parts and lots, are the same again, and keep what the source already decided."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from okng.training.data.dataset import Dataset, Sample
from okng.training.supervised.sides import sided


def dataset(count: int = 200, views: int = 1, lots: int = 0, sides: tuple[str, ...] = ()) -> Dataset:
    """So many parts, each seen several times; three of ten scratched, one of ten stained."""
    samples = []
    for part in range(count):
        label = ("scratch", "scratch", "scratch", "stain", *["good"] * 6)[part % 10]
        for view in range(views):
            name = f"{part}-{view}"
            made = Sample(
                picture=Path(f"{name}.png"),
                sha256=f"{part * 100 + view:064x}",
                width=8,
                height=8,
                channels=1,
                label=label,
                name=name,
                part=str(part),
                lot=str(part * 7 % lots) if lots else None,
                split=sides[part % len(sides)] if sides else None,  # type: ignore[arg-type]
            )
            samples.append(made)
    return Dataset(tuple(samples), "numbers", ("scratch", "stain"))


def shares(found: Dataset) -> dict[tuple[str, str], float]:
    totals = Counter(sample.label for sample in found.samples)
    return {key: count / totals[key[0]] for key, count in found.count().items()}


@pytest.mark.parametrize("views", [1, 4])
def test_each_label_is_shared_out_and_a_part_is_on_one_side(views: int) -> None:
    found = sided(dataset(views=views), 0.2, 0.2, 0)
    for (_, side), share in shares(found).items():
        assert share == pytest.approx({"train": 0.6, "val": 0.2, "test": 0.2}[side], abs=0.06)
    for part in {sample.part for sample in found.samples}:
        assert len({sample.split for sample in found.samples if sample.part == part}) == 1
    assert "no sides: the pictures are split" in found.notes[-1]


def test_lots_stay_whole_where_there_are_enough_and_else_it_is_said() -> None:
    many = sided(dataset(lots=40), 0.2, 0.2, 0)
    for lot in {sample.lot for sample in many.samples}:
        assert len({sample.split for sample in many.samples if sample.lot == lot}) == 1
    assert {side for _, side in many.count()} == {"train", "val", "test"}
    few = sided(dataset(lots=3), 0.2, 0.2, 0)
    assert any("3 lots are too few to keep apart" in note for note in few.notes)


def test_copies_of_one_picture_stay_together() -> None:
    whole = dataset()
    copies = [replace(one, name=f"copy-{one.name}", part=None) for one in whole.samples]
    found = sided(whole.with_samples([*whole.samples, *copies]), 0.2, 0.2, 0)
    by_content: dict[str, set[str | None]] = {}
    for sample in found.samples:
        by_content.setdefault(sample.sha256, set()).add(sample.split)
    assert all(len(on) == 1 for on in by_content.values())


def test_the_same_seed_gives_the_same_sides_whatever_the_order() -> None:
    whole = dataset()
    turned = whole.with_samples(reversed(whole.samples))
    first, second, other = sided(whole, 0.2, 0.2, 1), sided(turned, 0.2, 0.2, 1), sided(whole, 0.2, 0.2, 2)
    assert {one.name: one.split for one in first.samples} == {one.name: one.split for one in second.samples}
    assert {one.name: one.split for one in first.samples} != {one.name: one.split for one in other.samples}


def test_what_the_source_decided_stays_where_it_can() -> None:
    # 11 sides against ten labels: every label comes on each of them.
    given = dataset(sides=("train", "train", "val", "test", "train", "train", "val", "train", "test", "val", "train"))
    assert sided(given, 0.2, 0.2, 0) is given
    two = dataset(sides=("train", "train", "test"))
    found = sided(two, 0.2, 0.2, 0)
    before = {sample.name for sample in two.of("test")}
    assert {sample.name for sample in found.of("test")} == before
    assert len(found.of("val")) == pytest.approx(0.25 * len(two.of("train")), abs=4)


def test_a_source_without_defects_to_train_on_is_split_anew_and_it_is_said() -> None:
    mvtec = dataset()
    mvtec = mvtec.with_samples(
        replace(one, split="train" if one.ok and at % 4 else "test") for at, one in enumerate(mvtec.samples)
    )
    found = sided(mvtec, 0.2, 0.2, 0)
    assert "split anew" in found.notes[-1]
    assert {("stain", "train"), ("stain", "val"), ("stain", "test")} <= set(found.count())
