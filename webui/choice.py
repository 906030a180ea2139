"""What the gallery is to show, as it stands in the address: result, time, lot, class, score, looked at or not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..bus.errors import BadLedger
from ..records.gallery_read import NEAR, SHOWS, GalleryReader, Lot, Wanted
from .spans import HOURS, SPANS, since_of
from .watch import Watch
from .words import N_

TIMES = {"hour": N_("Last hour"), **SPANS}
SCORES = {
    "near": N_("close to the limit"),
    "above": N_("above it"),
    "far": N_("far above it"),
    "below": N_("well below it"),
}
LOTS = 6
"""The newest are offered."""
MOST_LETTERS = 64


@dataclass(frozen=True, slots=True)
class Choice:
    """As the person chose. Empty: any."""

    show: str = "rejects"
    span: str = ""
    lot: str = ""
    kind: str = ""
    near: str = ""
    open: str = ""
    """`1`: only what nobody has looked at."""
    golden: str = ""
    """`1`: only what was marked as golden."""
    since: str = ""
    until: str = ""
    """UTC, of a page that leads here; in place of span and lot."""

    def address(self) -> dict[str, Any]:
        """For `url_for`: what is set."""
        return {name: value for name, value in asdict(self).items() if value and (name, value) != ("show", "rejects")}

    def count(self) -> int:
        """How many conditions narrow it."""
        return len(set(self.address()) - {"show", "until"})


def chosen(args: Mapping[str, str]) -> Choice | None:
    """Read an address; None: a word in it is none."""
    choice = Choice(**{name: args.get(name, "")[:MOST_LETTERS] for name in Choice.__dataclass_fields__})
    choice = replace(choice, show=choice.show or "rejects", open="1" if choice.open else "")
    choice = replace(choice, golden="1" if choice.golden else "")
    right = choice.show in SHOWS and choice.span in ("", *HOURS) and choice.near in ("", *NEAR)
    return choice if right else None


def wanted_of(choice: Choice, watch: Watch, gallery: GalleryReader) -> Wanted:
    """The question for the ledger. BadLedger."""
    since, until = choice.since, choice.until
    if choice.lot:
        lot = next((lot for lot in gallery.lots(100) if lot.name == choice.lot), None)
        if lot is None:  # no such lot: nothing is found
            return Wanted(choice.show, since="9999", kind=choice.kind)
        since, until = max(since, lot.since), min(filter(None, (until, lot.until)), default="")
    if choice.span:
        since = max(since, since_of(choice.span, watch))
    return Wanted(
        choice.show, since, until, choice.kind, choice.near, unreviewed=bool(choice.open), golden=bool(choice.golden)
    )


def lots_of(gallery: GalleryReader) -> list[Lot]:
    """The lots that are offered, each name once."""
    try:
        found = gallery.lots()
    except BadLedger:
        return []
    return list({lot.name: lot for lot in reversed(found)}.values())[::-1][:LOTS]
