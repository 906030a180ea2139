"""Classes of defects: what people choose from, in the viewer's language."""

from ..bus.errors import BadLedger
from ..records.gallery_read import GalleryReader
from ..records.labels_read import LabelsReader
from .words import N_, Gettext

KINDS = {
    "scratch": N_("scratch"),
    "dent": N_("dent"),
    "crack": N_("crack"),
    "dirt": N_("dirt"),
    "hole": N_("hole"),
    "missing": N_("part missing"),
    "colour": N_("wrong colour"),
    "other": N_("other"),
    "anomaly": N_("not like the good parts"),
}
"""Classes that any line has. A class of a model or of a person that is not here is shown as it was called."""
PLACES = {"next station": N_("Next station"), "packing": N_("Packing"), "customer": N_("Customer")}
"""Where a missed defect was found, as the ledger holds it."""
OFFERED = 8
NO_CHOICE = "anomaly"
"""What a model says that knows no classes: nothing to choose."""


def kind_word(kind: str, gettext: Gettext) -> str:
    """A class for people."""
    return gettext(KINDS[kind]) if kind in KINDS else kind


def place_word(place: str, gettext: Gettext) -> str:
    """Where a missed defect was found, for people."""
    return gettext(PLACES[place]) if place in PLACES else place


def offered(gallery: GalleryReader, labels: LabelsReader, gettext: Gettext) -> list[tuple[str, str]]:
    """Classes to choose from, with their words: what people here use, what the model knows, what any line has."""
    try:
        known = [*labels.kinds(), *gallery.kinds()]
    except BadLedger:
        known = []
    chosen = list(dict.fromkeys(kind for kind in [*known, *KINDS] if kind not in (NO_CHOICE, "other")))
    return [(kind, kind_word(kind, gettext)) for kind in [*chosen[: OFFERED - 1], "other"]]
