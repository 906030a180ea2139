"""Serves the screens in a process of its own: `python serve.py RUN_DIR STORE PORT CAMERA[,…] [KEY=VALUE …]`."""

import logging
import sys
from pathlib import Path

from okng.webui import catalogue
from okng.webui.options import WebOptions
from okng.webui.process import run

PSEUDO = "de"
"""The pseudo-locale stands in for a language that is 40 % longer, German."""


def longer(text: str) -> str:
    """A sentence in brackets, 40 % longer, with what is filled in left as it is."""
    return f"⟦{text}{'~' * max(1, round(0.4 * len(text)))}⟧" if text.strip() else text


def speak_pseudo() -> None:
    """Put the pseudo-locale in the place of Chinese, in this process."""
    catalogue.LOCALES["zh"] = PSEUDO
    build = catalogue.build

    def built(folder: Path) -> Path:
        made = catalogue.extracted()
        for message in made:
            if message.id:
                one = message.id if isinstance(message.id, str) else message.id[0]
                message.string = (
                    longer(one) if isinstance(message.id, str) else tuple(longer(each) for each in message.id)
                )
        catalogue.compile_to(folder, PSEUDO, made)
        return build(folder)

    setattr(catalogue, "build", built)  # noqa: B010 - in this process only


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    folder, store, port, cameras, *more = sys.argv[1:]
    given = dict(pair.split("=", 1) for pair in more)
    if given.pop("pseudo", ""):
        speak_pseudo()
    options = WebOptions.model_validate({"port": int(port), **given})
    sys.exit(run(options, "line 1", tuple(cameras.split(",")), Path(folder), Path(store)))
