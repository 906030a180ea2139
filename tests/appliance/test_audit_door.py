"""`okng audit`: what it says, and how it ends."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from okng.__main__ import cli
from okng.identity.box_key import BoxKey
from okng.records import schema
from okng.records.audit import Deed
from okng.records.bookkeeping import audit
from okng.records.ledger import Ledger
from okng.records.seal_heads import FILE, append_head, sign_head


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Path]:
    """A store with three lines of the trail and a signed head."""
    place, key = tmp_path / "store", BoxKey.load_or_make(tmp_path / "key")
    ledger = Ledger(place)
    with ledger.transaction() as db:
        audit(db, Deed("user changed", {"name": "=cmd()"}, "ann", "因为"))
        audit(db, Deed("=1+1", {}, "ann"))
        head = sign_head(db, key, "daily")
    append_head(place, head)
    (tmp_path / "public.pem").write_text(key.public_pem)
    yield place
    ledger.close()


def test_a_sound_ledger_is_said_to_be_one(store: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(cli, ["audit", "verify", "--store", str(store), "--key", str(tmp_path / "public.pem")])
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[-1] == "nothing was changed"
    told = CliRunner().invoke(cli, ["audit", "verify", "--store", str(store), "--json"])
    found = json.loads(told.output)
    assert (found["sound"], found["trail"], found["heads"]) == (True, 3, 1)


def test_a_changed_line_is_named_and_the_end_says_so(store: Path) -> None:
    with closing(apsw.Connection(str(store / schema.FILE))) as db:
        db.execute("drop trigger audit_no_update")
        db.execute("update audit set body = replace(body, 'ann', 'bob') where n = 2")
    said = CliRunner().invoke(cli, ["audit", "verify", "--store", str(store)])
    assert said.exit_code == 1
    assert "WRONG: audit trail: line 2: is not what was written" in said.output
    assert said.output.splitlines()[-1] == "NOT as it was written: 1 findings"


def test_a_key_that_is_none_is_refused(store: Path, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("none")
    said = CliRunner().invoke(cli, ["audit", "verify", "--store", str(store), "--key", str(tmp_path / "none.pem")])
    assert said.exit_code not in (0, 1) or "no public key" in str(said.exception)
    assert "no public key" in (said.output + str(said.exception))


def test_the_newest_head_is_printed_where_records_does_not_run(store: Path) -> None:
    said = CliRunner().invoke(cli, ["audit", "head", "--store", str(store), "--json"])
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[-1] == (store / FILE).read_text().strip()
    words = CliRunner().invoke(cli, ["audit", "head", "--store", str(store)])
    assert "audit trail 3  " in words.output


def test_the_trail_leaves_as_it_was_hashed_or_as_a_table(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "trail.jsonl"
    said = CliRunner().invoke(cli, ["audit", "export", "--store", str(store), str(out)])
    assert said.exit_code == 0, said.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["n"] for line in lines] == [1, 2, 3]
    assert json.loads(lines[1]["body"])["why"] == "因为"
    table = tmp_path / "trail.csv"
    CliRunner().invoke(cli, ["audit", "export", "--store", str(store), "--format", "csv", str(table)])
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["what"] for row in rows] == ["ledger made", "user changed", "'=1+1"]
    assert (
        not CliRunner().invoke(cli, ["audit", "export", "--store", str(store), "--since", "2999", str(out)]).exit_code
    )
    assert out.read_text() == ""
