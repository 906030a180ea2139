"""Which processes a change of the settings asks to be started again."""

from okng.workshop.restarts import restarts


def test_both_judges_are_started_again_or_the_other_one_goes_on_by_the_old_settings() -> None:
    assert restarts({"inspect": {"threads": 1}}, {"inspect": {"threads": 2}}) == ["inspect", "inspect-standby"]
    assert restarts({}, {"inspect": {"standby": False}}) == ["inspect"]
    assert restarts({"inspect": {"standby": False}}, {"inspect": {"standby": True}}) == ["inspect", "inspect-standby"]
    assert restarts({"web": {"port": 1}}, {"web": {"port": 2}}) == ["web"]
