"""One page of HTML becomes one PDF, in a process of its own: `python -m okng.webui.paper PAGE.html OUT.pdf`.

The HTML carries its styles and drawings in itself; nothing is fetched, whatever it names. The file appears whole, under
a name that is not there yet, or not at all.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

WITHOUT = 3
"""Exit code: weasyprint is not installed (the extra `report`), or a library of Debian's is missing (libpango)."""


def make(page: Path, out: Path, maker: Any, fetcher: Any) -> None:
    """Write the PDF. maker, fetcher: weasyprint's `HTML` and what fetches nothing for it."""
    document = maker(string=page.read_text(encoding="utf-8"), url_fetcher=fetcher)
    fresh = out.with_suffix(f".{os.getpid()}.tmp")
    try:
        document.write_pdf(fresh)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, out)
    finally:
        fresh.unlink(missing_ok=True)


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        os.nice(15)
    try:
        from weasyprint import HTML, URLFetcher
    except (ImportError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(WITHOUT)
    make(Path(sys.argv[1]), Path(sys.argv[2]), HTML, URLFetcher(allowed_protocols=()))
