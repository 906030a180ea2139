"""Serves the screens in a process of its own: `python serve.py RUN_DIR STORE PORT CAMERA[,…] [KEY=VALUE …]`.

`pseudo=1`: in the pseudo-locale. `alone=1`: of the processes that screens ask only records is there.
"""

import logging
import sys
from pathlib import Path

from okng.bus.asks import Answer, Ask
from okng.bus.channel import ask_once
from okng.tests.webui.compiled import keep_compiled
from okng.webui import asking, catalogue
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


def wait_for_records_alone() -> None:
    """A process that was not started does not answer in two seconds either: no page need wait for that."""

    def asked(run_dir: Path, owner: str, ask: Ask, timeout_ms: int) -> Answer | None:
        return ask_once(run_dir, owner, ask, timeout_ms if owner == "records" else 100)

    setattr(asking, "ask_once", asked)  # noqa: B010 - in this process only


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    keep_compiled()
    folder, store, port, cameras, *more = sys.argv[1:]
    given = dict(pair.split("=", 1) for pair in more)
    if given.pop("pseudo", ""):
        speak_pseudo()
    if given.pop("alone", ""):
        wait_for_records_alone()
    options = WebOptions.model_validate({"port": int(port), **given})
    sys.exit(run(options, "line 1", tuple(cameras.split(",")), Path(folder), Path(store)))
