"""Of two judges that speak, the later one is believed."""

from okng.plc_io.fence import Fence


def test_a_later_judge_shuts_out_the_earlier_one() -> None:
    fence = Fence()
    assert [fence.admits(judge, 100) for judge in (10, 10, 20, 10, 20, 0)] == [True, True, True, False, True, False]


def test_whoever_says_nothing_of_its_seat_is_believed_while_nobody_else_speaks() -> None:
    fence = Fence()
    assert fence.admits(0, 100)
    assert fence.admits(5, 100)
    assert not fence.admits(0, 100)


def test_a_seat_in_the_future_shuts_out_nobody() -> None:
    fence = Fence()
    assert not fence.admits(2**64, 100)
    assert fence.admits(7, 100)
