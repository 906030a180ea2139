"""`okng dataset` as a person meets it: versions are made, shown, verified and split anew by commands."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from okng.__main__ import cli

from .conftest import picture, put


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for number in range(40):
        put(tmp_path / f"src/good/l{number // 4}_p{number // 2}_{number}.png", picture(number))
    for number in range(12):
        put(tmp_path / f"src/scratch/l{number // 2}_q{number}.png", picture(500 + number))
    return tmp_path / "src"


def okng(*words: object) -> Result:
    return CliRunner().invoke(cli, ["dataset", *map(str, words)])


def names(source: Path, *more: object) -> tuple[object, ...]:
    return (
        source,
        "--store",
        source.parent / "sets",
        "--lot-from",
        "(l[0-9]+)_",
        "--part-from",
        "_([pq][0-9]+)",
        *more,
    )


def test_a_version_is_made_shown_and_verified(source: Path) -> None:
    made = okng("build", "plates", *names(source))
    assert made.exit_code == 0, made.output
    assert "plates@1: digest " in made.output
    assert "by both: 10 groups" in made.output
    store = ("--store", source.parent / "sets")
    assert okng("show", *store).output == "plates: @1\n"
    shown = json.loads(okng("show", "plates", *store, "--json").output)
    assert (shown["name"], shown["base"], shown["pictures"]) == ("plates@1", None, 52)
    verified = okng("verify", "plates", *store)
    assert (verified.exit_code, verified.output) == (0, f"plates@1: 52 pictures, digest {shown['digest']}\n")
    again = okng("build", "plates", *names(source))
    assert again.output.splitlines()[-1] == f"plates@1: says just this already; digest {shown['digest']}"


def test_what_is_wrong_with_a_version_is_named_and_ends_with_1(source: Path) -> None:
    okng("build", "plates", *names(source))
    gone, spoilt = sorted((source.parent / "sets/sha256").iterdir())[:2]
    gone.unlink()
    spoilt.write_bytes(b"other")
    verified = okng("verify", "plates@1", "--store", source.parent / "sets")
    assert verified.exit_code == 1
    assert verified.output.startswith("2 files are missing or changed\n")
    assert f"sha256/{gone.name}: missing" in verified.output
    assert f"sha256/{spoilt.name}: changed: sha256 " in verified.output


def test_a_set_grows_and_is_split_anew_only_when_asked(source: Path) -> None:
    okng("build", "plates", *names(source))
    put(source / "good/l3_p900_x.png", picture(900))
    grown = json.loads(okng("build", "plates", *names(source, "--add", "--json")).output)
    assert (grown["name"], grown["pictures"], grown["contradictions"], grown["tying"]) == ("plates@2", 53, [], [])
    anew = okng("split", "plates", "--store", source.parent / "sets", "--seed", 5, "--json")
    assert json.loads(anew.output)["name"] == "plates@3"


def test_a_version_is_a_source_like_any_other(source: Path, tmp_path: Path) -> None:
    okng("build", "plates", *names(source))
    done = CliRunner().invoke(
        cli, ["data", "export", str(tmp_path / "sets/plates@1.json"), str(tmp_path / "out"), "--to", "mvtec"]
    )
    assert done.exit_code == 0, done.output
    # Files in the store have no endings; those that are written have.
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.suffix != ".csv"]
    assert {path.suffix for path in written} == {".png"}
    back = okng("build", "back", tmp_path / "out", "--store", tmp_path / "sets", "--as-they-are", "--json")
    assert json.loads(back.output)["pictures"] == 52


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--train", "0.9"), "train + val + test"),
        (("--s3", "bucket"), "expected s3://BUCKET"),
        (("--endpoint", "http://127.0.0.1:9"), "expected --s3"),
    ],
)
def test_wrong_options_are_told_in_words(source: Path, words: tuple[str, ...], why: str) -> None:
    done = okng("build", "plates", *names(source, *words))
    assert done.exit_code == 1
    assert why in str(done.exception)
