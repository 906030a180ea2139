"""A signature is a person's own, of this record and no other, and the author is never the one who approves."""

from contextlib import closing
from typing import Any

import apsw
import pytest

from okng.bus.asks import Ask, new_id
from okng.identity.box_key import BoxKey
from okng.records import schema
from okng.records.seal_audit import audit_store, ledger_of
from okng.records.seal_heads import FILE, KEY_FILE, PUBLIC_FILE, read_heads
from okng.records.seal_read import SealReader, missing, short_of
from okng.records.signed_list import FILE as LIST
from okng.records.signed_list import read_signed
from okng.records.signed_writer import EVERY_NS, SignedWriter

MODEL = {"kind": "model", "name": "cap", "digest": "ab" * 32, "panel": "panel"}


def sign(room: Any, who: str, meaning: str, secret: str = "2580", reason: str = "seen", **more: Any) -> Any:
    body = {**MODEL, "who": who, "secret": secret, "meaning": meaning, **more}
    return room.desk.answer(Ask(new_id(), "signature.make", who, "", reason, body))


@pytest.fixture
def staffed(room: Any) -> Any:
    """ann administrates, eve and ed are engineers."""
    room.staff()
    room.done("account.create", "ann", name="ed", role="engineer", pin="2580")
    room.done("account.change", "ann", name="eve", full_name="EVE")
    return room


def test_a_signature_names_person_meaning_time_and_record(staffed: Any) -> None:
    answer = sign(staffed, "eve", "authored")
    assert answer.done, answer.detail
    (one,) = SealReader(staffed.store).signatures("model", digest="ab" * 32)
    assert (one.who, one.full_name, one.meaning, one.reason, one.secret) == ("eve", "EVE", "authored", "seen", "pin")
    assert one.at.endswith("Z")
    reader = SealReader(staffed.store)
    assert one.holds(reader.public_pem())
    with closing(apsw.Connection(str(staffed.store / schema.FILE))) as db:
        db.execute("drop trigger signature_no_update")
        db.execute("update signature set meaning = 'approved'")
    (other,) = reader.signatures("model")
    assert not other.holds(reader.public_pem())
    found = audit_store(ledger_of(staffed.store))
    assert found.problems[0].startswith("signature 1: is not what was sealed")
    staffed.done("audit.head")
    assert "signature 1 of eve: the box did not sign this" in audit_store(ledger_of(staffed.store)).problems
    assert "signed" in staffed.trail()


def test_who_wrote_it_approves_it_never(staffed: Any) -> None:
    assert sign(staffed, "eve", "authored").done
    assert "eve is the author" in sign(staffed, "eve", "approved").detail
    assert "eve is the author" in sign(staffed, "eve", "approved", name="cap by another name").detail
    assert "eve has signed this as authored already" in sign(staffed, "eve", "authored").detail
    reader, required = SealReader(staffed.store), ("authored", "approved")
    assert missing(reader.signatures("model"), required) == ["approved"]
    assert sign(staffed, "ed", "approved").done
    assert missing(reader.signatures("model"), required) == []
    assert missing(reader.signatures("model"), required, besides="ed") == ["approved"]
    assert "the author is another person" in sign(staffed, "ed", "authored").detail


def test_both_components_are_asked_for_and_a_wrong_one_counts(staffed: Any) -> None:
    assert sign(staffed, "eve", "approved", secret="0000").detail == "not signed: name or secret is wrong"
    assert "needs a reason" in sign(staffed, "eve", "approved", reason=" ").detail
    assert sign(staffed, "eve", "approved", panel=False).detail == "from here it takes a password"
    assert "oli has not the right model.activate" in sign(staffed, "oli", "approved").detail
    for _ in range(4):
        sign(staffed, "eve", "approved", secret="0000")
    assert "locked for" in sign(staffed, "eve", "approved").detail
    assert SealReader(staffed.store).all_signatures() == []
    trail = staffed.trail()
    assert trail.count("signature failed") == 5
    assert trail.count("signature refused") == 1


def old_signature(room: Any, who: str, meaning: str, digest: str) -> None:
    """As an okng wrote it that signed the first digits of a recipe alone."""
    with room.ledger.transaction() as db:
        db.execute(
            "insert into signature (at, who, full_name, meaning, kind, name, digest, reason, place, secret, box)"
            " values ('2026-01-02T03:04:05.000000Z', ?, ?, ?, 'recipe', 'cap', ?, 'seen', 'panel', 'pin', '')",
            (who, who, meaning, digest),
        )


def test_a_signature_over_the_first_digits_is_shown_and_counts_no_more(staffed: Any) -> None:
    recipe = {"kind": "recipe", "digest": "0123456789ab" + "c" * 52}
    for digest in ("0123456789ab", "0123456789ab" + "c" * 51, "0123456789AB" + "c" * 52):
        answer = sign(staffed, "eve", "authored", **{**recipe, "digest": digest})
        assert not answer.done
        assert "digest" in answer.detail
    old_signature(staffed, "eve", "authored", short_of(recipe["digest"]))
    reader = SealReader(staffed.store)
    (old,) = reader.signatures("recipe", digest="0123456789ab")
    assert (old.who, old.whole) == ("eve", False)
    assert missing([old], ("authored",)) == ["authored"]
    assert reader.signatures("recipe", digest=recipe["digest"]) == []
    assert "eve is the author" in sign(staffed, "eve", "approved", **recipe).detail, "she stays who wrote it"
    assert sign(staffed, "eve", "authored", **recipe).done, "and signs it again, whole"
    assert missing(reader.signatures("recipe", digest=recipe["digest"]), ("authored",)) == []


def test_the_list_for_io_follows_the_ledger(staffed: Any) -> None:
    recipe = {"kind": "recipe", "digest": "01" * 32}
    assert sign(staffed, "eve", "authored", **recipe).done
    assert sign(staffed, "ed", "approved", **recipe).done
    assert sign(staffed, "eve", "authored").done, "of a model: none of io's"
    assert read_signed(staffed.store) == {recipe["digest"]: {"authored", "approved"}}
    (staffed.store / LIST).unlink()
    writer = SignedWriter(staffed.ledger, staffed.store)
    writer.look(0)
    assert read_signed(staffed.store) == {recipe["digest"]: {"authored", "approved"}}
    old_signature(staffed, "ed", "reviewed", "02" * 32)
    old_signature(staffed, "ed", "reviewed", "02" * 6)
    writer.look(EVERY_NS - 1)
    assert "02" * 32 not in read_signed(staffed.store)
    writer.look(EVERY_NS)
    assert read_signed(staffed.store).keys() == {"01" * 32, "02" * 32}


def test_a_list_that_cannot_be_written_is_written_later(staffed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("okng.records.signed_writer.write_signed", full)
        assert sign(staffed, "eve", "authored", kind="recipe").done, "it is signed: the ledger has it"
    writer = SignedWriter(staffed.ledger, staffed.store)
    writer.look(0)
    assert read_signed(staffed.store) == {"ab" * 32: {"authored"}}


def test_a_repeat_of_the_same_ask_signs_once(staffed: Any) -> None:
    ask = Ask(
        new_id(), "signature.make", "eve", "", "seen", {**MODEL, "who": "eve", "secret": "2580", "meaning": "released"}
    )
    assert staffed.desk.answer(ask).done
    assert staffed.desk.answer(ask).done
    assert len(SealReader(staffed.store).all_signatures()) == 1


def test_who_may_change_the_line_leaves_a_signed_head(staffed: Any) -> None:
    before = len(read_heads(staffed.store / FILE)) if (staffed.store / FILE).exists() else 0
    staffed.done("account.sign_in", who="oli", secret="2580", kind="pin", panel="panel")
    assert before == (len(read_heads(staffed.store / FILE)) if (staffed.store / FILE).exists() else 0)
    staffed.done("account.sign_in", who="eve", secret="2580", kind="pin", panel="panel")
    head = read_heads(staffed.store / FILE)[-1]
    assert (head.why, head.holds()) == ("sign-in", True)
    assert head.holds((staffed.store / PUBLIC_FILE).read_text())
    assert head.fingerprint == BoxKey.load(staffed.store / KEY_FILE).fingerprint
    assert SealReader(staffed.store).head() == head
    assert staffed.done("audit.head")["fingerprint"] == head.fingerprint


def test_a_proof_is_made_and_kept(staffed: Any) -> None:
    staffed.done("account.change", "ann", name="oli", role="auditor")
    assert staffed.done("audit.verify", "oli") == {"finished": True}
    at, told = SealReader(staffed.store).proof() or ("", {})
    assert at
    assert (told["wrong"], told["problems"], told["who"]) == (0, [], "oli")
    assert staffed.trail()[-2:] == ["audit check begun", "audit checked"]
    assert "ed has not the right audit.read" in staffed.refused("audit.verify", "ed")
