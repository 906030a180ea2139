"""What the classes of kept pictures are called."""

from .words import N_

CLASSES = {
    "ok": N_("passed parts (sample)"),
    "uncertain": N_("uncertain parts"),
    "reject": N_("rejects"),
    "challenge": N_("test parts"),
    "golden": N_("labelled and marked parts"),
    "thumb": N_("small pictures of rejects"),
    "stray": N_("files that no row names"),
    "paper": N_("back-ups"),
    "row": N_("rows of parts"),
}
"""By the names of `records.schema_keep`, and of `given_up`."""
