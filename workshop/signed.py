"""Before a model is put in place: has everybody signed it who must? `[records] signatures_required` says who."""

from ..bus.errors import Refused
from ..records.seal_read import SealReader, missing
from .box import Box


def must_be_signed(box: Box, digest: str, who: str) -> None:
    """Refused: a signature is missing. who: puts it in place, so their own approval is none. BadLedger."""
    if not box.signatures_required:
        return
    lacking = missing(SealReader(box.store).signatures("model", digest=digest), box.signatures_required, who)
    if lacking:
        raise Refused(
            f"model {digest[:12]} is not signed as {', '.join(lacking)}: [records] signatures_required asks for it, and"
            " who puts a model in place does not approve it"
        )
