"""Ten thousand lines of the audit trail: whatever is done to one of them, that one is named; the rest takes a head."""

import random

import pytest

from okng.records.audit import START, Deed, _chained, link, trail_breaks

LINES = 10_000
Entry = tuple[int, str, str]


@pytest.fixture(scope="module")
def trail() -> list[Entry]:
    made: list[Entry] = []
    for number in range(LINES):
        before = (made[-1][0], made[-1][2]) if made else None
        made.append(link(before, Deed("user changed", {"name": f"人{number}"}, "ann", "because")))
    return made


def named(entries: list[Entry]) -> list[int]:
    """Lines that are named as broken or gone, the first of a gap."""
    return [int("".join(c for c in text.split()[1].split("..")[0] if c.isdigit())) for text in trail_breaks(entries)]


def test_what_was_written_is_whole(trail: list[Entry]) -> None:
    assert named(trail) == []


def test_every_flipped_byte_of_a_sample_is_found_at_its_line(trail: list[Entry]) -> None:
    pick = random.Random(11)
    for n in pick.sample(range(3, LINES), 12):
        before, (_, text, hashed), after = trail[n - 2], trail[n - 1], trail[n]
        assert named([before, trail[n - 1], after]) == [1]  # all that is wrong: the lines before are not here
        body = text.encode()
        for at in range(0, len(body), 7):
            flipped = bytearray(body)
            flipped[at] ^= 1 << pick.randrange(8)
            assert named([before, (n, bytes(flipped).decode("utf-8", "replace"), hashed), after]) == [1, n], (n, at)
        whole = [*trail[: n - 1], (n, "{}", trail[n - 1][2]), *trail[n:]]
        assert named(whole) == [n]


def test_lines_taken_out_moved_or_hashed_anew_are_found(trail: list[Entry]) -> None:
    assert named([*trail[:4999], *trail[5001:]]) == [5000]
    moved = [*trail]
    moved[100], moved[200] = (101, *trail[200][1:]), (201, *trail[100][1:])
    assert {101, 201} <= set(named(moved))
    n, body, _ = trail[6999]
    anew = body.replace("ann", "eve")
    assert named([*trail[:6999], (n, anew, _chained(trail[6998][2], anew)), *trail[7000:]]) == [7001]


def test_what_was_cut_off_or_made_anew_to_its_end_is_sound_in_itself(trail: list[Entry]) -> None:
    """So it takes a head that was kept elsewhere (see test_seal.py)."""
    assert named(trail[:9000]) == []
    made, before = list[Entry](), START
    for n, body, _ in trail:
        said = body.replace("ann", "eve") if n >= 5000 else body
        before = _chained(before, said)
        made.append((n, said, before))
    assert named(made) == []
    assert made[-1][2] != trail[-1][2]
    assert made[4998] == trail[4998]
