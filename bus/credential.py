"""Secrets that systemd hands to a service: `credential:NAME` in place of a file's name in the settings.

`LoadCredentialEncrypted=NAME:/etc/okng/credentials/NAME.cred` puts the plain bytes into a folder in memory that this
service alone may read, `$CREDENTIALS_DIRECTORY`. What lies on the disk is of use on this machine only.
"""

import os
import re
from pathlib import Path

PREFIX = "credential:"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


def is_credential(path: Path) -> bool:
    """Whether the settings name a credential in place of a file."""
    return str(path).startswith(PREFIX)


def rooted_file(folder: Path, path: Path) -> Path:
    """The file that the settings mean: a relative one is counted from `folder`, a credential lies where systemd put it.

    One that this service was not given stays as it is written: whoever opens it names it in the complaint, and a
    process that has no use for it reads the same settings without it.
    """
    if not is_credential(path):
        return folder / path
    name, given = str(path).removeprefix(PREFIX), os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not given or not _NAME.fullmatch(name):
        return path
    return Path(given) / name
