"""The example of the settings reads, what it shows as a default is the default, and nothing of it is stale."""

import re
from pathlib import Path

from okng.settings import Settings, read_settings

EXAMPLE = Path(__file__).parents[2] / "packaging" / "okng.toml.example"
NO_DEFAULT = re.compile(r"^# (?P<key>[a-z_]+) = (?P<value>[0-9].*?)\s*(?:# .*)?$")
"""A commented key with a number: the default. Those with a text are examples."""


def as_written(text: str) -> str:
    """The example with every commented key and section switched on."""
    return re.sub(r"^# (?=(?:[a-z_0-9]+ = |\[)[^`]*$)", "", text, flags=re.MULTILINE)


def test_the_example_reads() -> None:
    found = read_settings(EXAMPLE)
    assert found.cameras == ("top",)
    assert found.recipes == {1: EXAMPLE.parent / "recipes/product.yaml"}
    assert str(found.records.store) == "/var/lib/okng/store"


def test_with_everything_switched_on_it_reads_too(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    whole = tmp_path / "okng.toml"
    whole.write_text(as_written(text), encoding="utf-8")
    found = read_settings(whole)
    assert found.sync is not None
    assert found.opcua is not None
    assert found.mqtt is not None
    assert found.mqtt.tls is not None
    assert found.shift.challenge.occasions == ("start", "changeover", "interval")
    assert sorted(found.recipes) == [1, 2]
    told = set(re.findall(r"^#? ?\[+([a-z]+)", text, re.MULTILINE)) | set(
        re.findall(r"^([a-z]+) = ", text, re.MULTILINE)
    )
    assert set(Settings.model_fields) - told == set()  # a section nobody is told of


def test_what_it_shows_as_a_default_is_the_default(tmp_path: Path) -> None:
    """A commented number is what the box does without it: written or not, the settings are the same."""
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = [
        line[2:] if (match := NO_DEFAULT.match(line)) and match["key"] not in {"port", "interval_min"} else line
        for line in text.splitlines()
    ]
    assert len([line for line, old in zip(lines, text.splitlines(), strict=True) if line != old]) >= 10
    (tmp_path / "plain.toml").write_text(text, encoding="utf-8")
    (tmp_path / "shown.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read_settings(tmp_path / "plain.toml") == read_settings(tmp_path / "shown.toml")
