"""A candidate on stored pictures: the figures by hand, the line's own judge, here, in processes, and from a bucket."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.appliance.backtest_judge import Pack, row_of
from okng.bus.errors import BadRecipe, BadSettings
from okng.models.manifest import digest
from okng.training.backtest import Called, Prices, Seen, errors_of, figures, lines, mcnemar, parts_of
from okng.training.backtest_run import run_here, run_on_ray
from okng.training.data.sources import open_dataset
from okng.training.options import TeachOptions
from okng.training.taught_report import TeachReport
from okng.training.teach import teach

from .conftest import QUICK, SIDE

RECIPE = f"""\
name: plate
deadline_ms: 2000
bundle: now
camera: {{width: {SIDE}, height: {SIDE}, trigger: software}}
"""


def seen(part: str, label: str, before: Called, after: Called, box: str = "a", **more: object) -> Seen:
    one = Seen(f"{part}.png", "0" * 64, part, label, box, "", before, after, 0.5, 0.5, 10.0)
    return replace(one, **more)  # type: ignore[arg-type]


ALL = [
    *(seen(f"g{at}", "good", "OK", "OK") for at in range(90)),
    *(seen(f"k{at}", "good", "NG", "OK") for at in range(6)),
    *(seen(f"n{at}", "good", "OK", "UNJUDGED") for at in range(4)),
    *(seen(f"d{at}", "scratch", "NG", "NG", box="b") for at in range(18)),
    seen("e0", "scratch", "OK", "NG", box="b"),
    seen("e1", "scratch", "NG", "OK", box="b"),
    *(seen(f"u{at}", "", "OK", "NG", box="b") for at in range(3)),
]


def test_flips_escapes_overkill_and_cost_are_those_counted_by_hand() -> None:
    told = figures(ALL, Prices(escape=50.0, overkill=2.0, defect_percent=10.0))
    assert told["parts"] == 123
    assert told["labelled"] == 120
    assert told["flips"] == {"NG -> OK": 7, "OK -> NG": 4, "OK -> UNJUDGED": 4}
    assert [told[side][rate]["events"] for side in ("before", "after") for rate in ("escape", "overkill")] == [
        1,
        6,
        1,
        4,
    ]
    assert told["before"]["cost_of_1000"]["expected"] == pytest.approx(1000 * (0.1 * 0.05 * 50 + 0.9 * 0.06 * 2))
    assert told["after"]["cost_of_1000"]["low"] < told["after"]["cost_of_1000"]["expected"]
    # Right where the other is wrong: k0..k5 and e0 for the candidate, n0..n3 and e1 against it.
    assert (told["mended"], told["spoilt"]) == (7, 5)
    assert told["p_equal"] == pytest.approx(2 * sum(math.comb(12, k) for k in range(6)) / 2**12)
    assert told["by_box"]["b"]["flips"] == {"NG -> OK": 1, "OK -> NG": 4}
    assert told["by_lot"] == {}
    assert [one["label"] for one in told["flipped"]][-3:] == ["", "", ""], "what people spoke of stands first"
    assert "cost of 1,000 parts: 358.00" in "\n".join(lines(told))


def test_a_part_is_its_worst_picture() -> None:
    views = [seen("p", "good", "OK", "OK"), seen("p", "dent", "NG", "UNJUDGED"), seen("p", "", "UNJUDGED", "OK")]
    (part,) = parts_of(views)
    assert (part.label, part.before, part.after) == ("dent", "NG", "UNJUDGED")
    assert errors_of([part], after=True).escape.events == 0, "what is not judged does not pass"


def test_without_labels_there_is_no_cost_and_no_share_is_invented() -> None:
    told = figures([seen("p", "", "OK", "NG")], Prices())
    assert told["before"]["cost_of_1000"] is None
    assert told["before"]["escape"]["rate"] is None
    assert json.dumps(told, allow_nan=False)
    assert "cost: no labelled good parts" in "\n".join(lines(told))


@pytest.mark.parametrize(("one", "other", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 0.03125), (10, 0, 2 / 1024)])
def test_mcnemar_is_exact(one: int, other: int, p: float) -> None:
    assert mcnemar(one, other) == pytest.approx(p)


@pytest.fixture(scope="module")
def place(taught: TeachReport, goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with a bundle, and a candidate that sees less."""
    folder = tmp_path_factory.mktemp("backtest")
    (folder / "plate.yaml").write_text(RECIPE)
    (folder / "now").symlink_to(taught.bundle)
    blind = QUICK.model_dump() | {"size_px": 64, "bank": 16, "dimensions": 8}
    teach(goods, folder / "blind", TeachOptions.model_validate(blind))
    return folder


def test_the_same_bundle_flips_nothing_and_errs_as_the_evaluation_says(
    place: Path, taught: TeachReport, tests_folder: Path
) -> None:
    asked = ("backtest", str(taught.bundle), str(tests_folder), "--recipe", str(place / "plate.yaml"))
    done = CliRunner().invoke(cli, [*asked, "--json", str(place / "same.json")])
    assert done.exit_code == 0, done.output
    told = json.loads((place / "same.json").read_text())
    assert told["parts"] == 60
    assert told["flips"] == {}
    assert told["flipped"] == []
    assert told["before"] == told["after"]
    assert told["not_judged"] == []
    evaluated = CliRunner().invoke(cli, ["evaluate", str(taught.bundle), str(tests_folder), "--json"])
    said = json.loads(evaluated.stdout)
    for rate in ("escape", "overkill"):
        assert told["after"][rate]["events"] == said[rate]["events"]


def test_several_processes_say_what_one_says(place: Path, tests_folder: Path) -> None:
    pack = Pack.of(place / "plate.yaml", place / "blind")
    rows = [row_of(sample) for sample in open_dataset(tests_folder).samples][::3]
    alone, many = list(run_here(rows, pack.judge)), list(run_here(rows, pack.judge, workers=2))

    def without_time(found: list[dict[str, object]]) -> list[dict[str, object]]:
        return [{name: value for name, value in row.items() if name != "after_ms"} for row in found]

    assert without_time(alone) == without_time(many)
    assert len({row["after_score"] for row in alone}) > 5, "the candidate looked"
    assert any(row["after_score"] != row["before_score"] for row in alone)


def test_pictures_come_from_a_bucket_where_they_are_not_here_and_are_hashed(
    place: Path, tests_folder: Path, tmp_path: Path
) -> None:
    samples = open_dataset(tests_folder).samples[:4]
    bucket = tmp_path / "bucket"
    (bucket / "sha256").mkdir(parents=True)
    rows = [row_of(sample) | {"path": str(tmp_path / "gone.png")} for sample in samples]
    for sample in samples[:2]:
        shutil.copy(sample.picture, bucket / "sha256" / sample.sha256)
    (bucket / "sha256" / samples[2].sha256).write_bytes(samples[0].picture.read_bytes())
    pack = Pack.of(place / "plate.yaml", place / "blind", target=str(bucket))
    found = list(run_here(rows, pack.judge))
    assert [bool(row["trouble"]) for row in found] == [False, False, True, True]
    assert "changed: its bytes hash to" in found[2]["trouble"]
    assert found[3]["after"] == "UNJUDGED"


def test_a_pack_is_whole_and_refuses_what_is_not_there(place: Path, taught: TeachReport) -> None:
    pack = Pack.of(place / "plate.yaml", taught.bundle)
    assert pack.name == "now"
    assert digest(taught.bundle) == digest(place / "now")
    with pytest.raises(BadRecipe, match="--bundle 'later': expected one of now"):
        Pack.of(place / "plate.yaml", taught.bundle, name="later")


def test_a_cluster_without_ray_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(BadSettings, match=r"ray is not installed: pip install 'okng\[ray\]'"):
        list(run_on_ray([], lambda: pytest.fail("made"), "local", 1))
