"""The translations of the fleet's pages: English stands in the code, Chinese in `zh_Hans_CN`.

`.po` is what people edit and git keeps; `.mo` is compiled at each start. `python -m okng.cloud.pages.catalogue` brings
the `.po` up to date with the code.
"""

import logging
import os
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

log = logging.getLogger(__name__)
HERE = Path(__file__).parents[1]
TRANSLATIONS = HERE / "translations"
DOMAIN = "messages"
LOCALES = {"en": "en", "zh": "zh_Hans_CN"}
"""Language of the cookie → locale of the catalogue."""
_METHODS = [("pages/**.py", "python"), ("templates/**.html", "jinja2")]
_KEYWORDS = {"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}


def po_file(locale: str) -> Path:
    """Where the sentences of a locale are edited."""
    return TRANSLATIONS / locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(locale: str) -> Catalog:
    """Read a locale's sentences. FileNotFoundError: there is none."""
    with po_file(locale).open("rb") as handle:
        return read_po(handle, locale=locale, domain=DOMAIN)


def extracted() -> Catalog:
    """All sentences of the pages and the templates, untranslated."""
    catalogue = Catalog(domain=DOMAIN, project="okng", fuzzy=False, header_comment="# okng, Apache-2.0")
    for name, _, message, comments, _ in extract_from_dir(str(HERE), _METHODS, keywords=_KEYWORDS):
        catalogue.add(message, locations=[(name, 0)], auto_comments=comments)
    return catalogue


def build(folder: Path) -> Path:
    """Compile every locale under folder, which flask-babel then reads. Returns folder."""
    for locale in LOCALES.values():
        if po_file(locale).exists():
            compile_to(folder, locale, read(locale))
    return folder


def compile_to(folder: Path, locale: str, catalogue: Catalog) -> None:
    """Write one locale's `.mo`, whole or not at all."""
    target = folder / locale / "LC_MESSAGES" / f"{DOMAIN}.mo"
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{DOMAIN}.{os.getpid()}.tmp")
    with fresh.open("wb") as handle:
        write_mo(handle, catalogue)
    fresh.replace(target)


def update() -> None:
    """Bring every `.po` up to date: new sentences come in empty, gone ones leave."""
    fresh = extracted()
    for locale in LOCALES.values():
        path = po_file(locale)
        if locale == "en":
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        known = read(locale) if path.exists() else Catalog(locale=locale, domain=DOMAIN, project="okng")
        known.update(fresh, no_fuzzy_matching=True, update_creation_date=False)
        known.obsolete.clear()
        known.header_comment, known.fuzzy = "# okng, Apache-2.0", False
        known.last_translator = known.language_team = "okng"
        known.project, known.version, known.msgid_bugs_address = "okng", "", "okng"
        with path.open("wb") as handle:
            write_po(handle, known, width=110, no_location=True, sort_output=True, ignore_obsolete=True)
        missing = [message.id for message in known if message.id and not message.string]
        log.info("%s: %d sentences, %d not translated %s", locale, len(known), len(missing), missing)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    update()
