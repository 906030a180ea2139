"""Where things lie in a store.

sha256/<hex>                                        pictures and files of bundles, by their content
bundles/<digest>/manifest.json                      what a bundle consists of
channels/<name>.json                                which bundle a channel stands at; the only object that changes
records/<box>/<stream>/<lineage>/<first>-<last>.jsonl   records of rejected parts, one a line; of the
                                                    stream `heads` the signed heads of trail and seal
"""

import re

_BATCH = re.compile(r"/(\d{12})-(\d{12})\.jsonl$")


def blob_key(sha256: str) -> str:
    """Key of bytes by their digest."""
    return f"sha256/{sha256}"


def manifest_key(digest: str) -> str:
    """Key of a bundle's manifest."""
    return f"bundles/{digest}/manifest.json"


def channel_key(channel: str) -> str:
    """Key of a channel."""
    return f"channels/{channel}.json"


def stream_prefix(box: str, stream: str, lineage: int) -> str:
    """What the keys of one stream of one ledger begin with."""
    return f"records/{box}/{stream}/{lineage}/"


def batch_key(box: str, stream: str, lineage: int, first: int, last: int) -> str:
    """Key of the events first..last."""
    return f"{stream_prefix(box, stream, lineage)}{first:012d}-{last:012d}.jsonl"


def batch_range(key: str) -> tuple[int, int] | None:
    """The events of a key made by `batch_key`; None: it is none."""
    found = _BATCH.search(key)
    return (int(found[1]), int(found[2])) if found else None
