"""Codes as every phone makes them, and a secret that opens by the box's own key alone."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from okng.bus.errors import BadKey
from okng.identity.box_key import BoxKey
from okng.identity.locked_text import lock, unlock
from okng.identity.one_time import address_of, code_of, fresh_secret, matching_step, secret_text, step_at

RFC = b"12345678901234567890"
"""RFC 6238, appendix B; its codes have eight digits, the last six are ours."""


@pytest.mark.parametrize(
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_codes_are_those_of_the_standard(at_s: int, code: str) -> None:
    assert code_of(RFC, step_at(at_s)) == code[-6:]
    assert matching_step(RFC, code[-6:], step_at(at_s)) == step_at(at_s)


def test_one_code_before_and_after_is_taken_and_no_more() -> None:
    now = step_at(1_800_000_000)
    for step, taken in ((now - 2, None), (now - 1, now - 1), (now, now), (now + 1, now + 1), (now + 2, None)):
        assert matching_step(RFC, code_of(RFC, step), now) == taken
    assert matching_step(RFC, "", now) is None
    assert matching_step(RFC, "１２３４５６", now) is None


def test_what_a_phone_scans_makes_the_same_codes() -> None:
    secret = fresh_secret()
    address = urlsplit(address_of(secret, "eve & ed", "okng line 1"))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/okng%20line%201:eve%20%26%20ed")
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert asked["issuer"] == "okng line 1"
    assert secret_text(secret).replace(" ", "") == asked["secret"]
    assert TOTP(secret, 6, SHA1(), 30).generate(1_800_000_000).decode() == code_of(secret, step_at(1_800_000_000))
    assert len(secret) == 20
    assert fresh_secret() != secret


def test_a_locked_secret_opens_by_this_box_for_this_person_and_purpose(tmp_path: Path) -> None:
    key, other = BoxKey.load_or_make(tmp_path / "a.pem"), BoxKey.load_or_make(tmp_path / "b.pem")
    locked = lock(key, "second factor", "eve", RFC)
    assert locked != lock(key, "second factor", "eve", RFC)
    assert unlock(key, "second factor", "eve", locked) == RFC
    assert unlock(BoxKey.load(tmp_path / "a.pem"), "second factor", "eve", locked) == RFC
    for who, purpose, about, text in (
        (other, "second factor", "eve", locked),
        (key, "something else", "eve", locked),
        (key, "second factor", "ed", locked),
        (key, "second factor", "eve", ("B" if locked[20] == "A" else "A").join((locked[:20], locked[21:]))),
        (key, "second factor", "eve", "no base64"),
        (key, "second factor", "eve", ""),
    ):
        with pytest.raises(BadKey, match="not locked by this box's key"):
            unlock(who, purpose, about, text)
