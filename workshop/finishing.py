"""What a finished piece of work changes in a draft. Done by the workshop itself: a draft has one writer."""

import logging
from typing import Any

from ..bus.errors import OkngError
from ..bus.messages import Work
from .drafts import Drafts
from .works import Works

_LOG = logging.getLogger(__name__)
_FIELDS = {"teach": ("taught", "taught_from", "tried"), "try": ("tried",), "release": ("released",)}
"""What of the result becomes the draft's, by the kind of work."""


def finish(work: Work, works: Works, drafts: Drafts) -> None:
    """Take over what a piece of work came to. Never raises: a draft that is gone, or changed meanwhile, loses it."""
    result = works.result(work.id)
    if work.state != "done" or result is None or work.what not in _FIELDS:
        return
    try:
        draft = drafts.read(work.about)
        known = {shot.id for shot in draft.shots}
        fields: dict[str, Any] = {name: result["draft"][name] for name in _FIELDS[work.what] if name in result["draft"]}
        if "tried" in fields:
            fields["tried"] = [one for one in fields["tried"] if one["shot"] in known]
        drafts.change(draft, **fields)
    except (ValueError, KeyError, OkngError):
        _LOG.exception("%s of draft %s came to something that the draft does not take", work.what, work.about)
