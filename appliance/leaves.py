"""What may leave this box, for those who number, keep and send it: one rule, of `[fleet]`."""

from ..records.leaving import Leaving
from ..settings import Settings


def leaving_of(settings: Settings) -> Leaving | None:
    """The rule; None: there is no fleet service."""
    fleet = settings.fleet
    if fleet is None:
        return None
    return Leaving(fleet.leaves, fleet.ok_sample_percent, fleet.uncertain, fleet.quota_gb)
