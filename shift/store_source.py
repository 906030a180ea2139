"""How the store of rows and pictures stands, as causes of alarms: told from what records says of it. Pure."""

from ..bus.clock import SECOND
from ..bus.messages import RecordsState

STALE_NS = 5 * SECOND
"""What records said is void after so long: that it is silent is an alarm of its own."""
TOLD_NS = 10 * SECOND
"""How long something that happened once counts as standing; its alarms wait for a reset."""

Causes = dict[str, dict[str, str]]


class StoreSource:
    """Alarms of the store. One thread."""

    def __init__(self) -> None:
        self._state: RecordsState | None = None
        self._at_ns = 0
        self._given_up: int | None = None
        self._lost, self._lost_ns = 0, 0
        self._salvage, self._salvage_ns = "", 0

    def hear(self, state: RecordsState, now_ns: int) -> None:
        """Take what records says."""
        if self._given_up is not None and state.given_up > self._given_up:
            self._lost += state.given_up - self._given_up
            self._lost_ns = now_ns + TOLD_NS
        self._given_up = state.given_up
        if state.salvage and state.salvage != self._salvage:
            self._salvage_ns = now_ns + TOLD_NS
        self._salvage = state.salvage
        self._state, self._at_ns = state, now_ns

    def causes(self, now_ns: int) -> Causes:
        """All that stands now, by key."""
        found: Causes = {}
        if now_ns < self._lost_ns:
            found["unsent.lost"] = {"count": str(self._lost)}
        else:
            self._lost = 0
        if now_ns < self._salvage_ns:
            found["ledger.damaged"] = {"detail": self._salvage}
        state = self._state
        if state is None or now_ns - self._at_ns >= STALE_NS:
            return found
        if state.away:
            found["records.away"] = {"detail": state.away}
        if state.pictures == "shedding":
            found["pictures.shed"] = {"free": f"{state.free_percent:.1f}"}
        elif state.pictures == "none":
            found["pictures.none"] = {"free": f"{state.free_percent:.1f}"}
        for kind, days in state.soon.items():
            found[f"pictures.soon:{kind}"] = {"kind": kind, "days": str(days)}
        if state.papers:
            found["papers.soon"] = {"count": str(state.papers), "days": str(state.papers_days)}
        if state.clock:
            found["clock.doubt"] = {"detail": state.clock}
        if state.backup:
            found["backup.failed"] = {"detail": state.backup}
        return found
