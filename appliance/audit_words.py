"""What a proof found and what a head says, in lines for a person."""

from ..records.seal_heads import Head
from ..records.seal_verify import Verified


def proof_lines(found: Verified) -> list[str]:
    """The last line is the verdict."""
    lines = [
        f"box {found.box}, lineage {found.lineage}",
        f"audit trail: {found.trail} lines",
        f"seal: {found.links} links; {found.parts} parts one by one, {found.older} in blocks, {found.unsealed} not",
        f"signed heads that it agrees with: {found.heads}"
        + (f", the newest of {found.proven_until}" if found.proven_until else ""),
        *(f"signed by key {key}" for key in found.keys),
        *(f"note: {note}" for note in found.notes),
        *(f"WRONG: {problem}" for problem in found.problems),
    ]
    if found.more:
        lines.append(f"WRONG: and {found.more} more")
    count = len(found.problems) + found.more
    lines.append("nothing was changed" if found.sound else f"NOT as it was written: {count} findings")
    return lines


def head_lines(head: Head) -> list[str]:
    """A head, short enough to be written down."""
    return [
        f"box {head.box}, lineage {head.lineage}, {head.utc} ({head.why})",
        f"audit trail {head.trail_n}  {head.trail_hash}",
        f"seal {head.link_n}, part {head.part}  {head.link_hash}",
        f"signed by key {head.fingerprint}",
        f"signature {head.signature}",
    ]
