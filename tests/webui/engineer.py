"""For tests of the engineer's screens: pages served in this process to a person with rights, made-up owners."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import werkzeug.serving
from flask import Flask, g

from okng.bus.asks import Ask, Desk
from okng.bus.channel import AskDoor, ask_address
from okng.bus.rights import ROLES
from okng.records.people_read import Person
from okng.records.read import LedgerReader
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

SIZE = (640, 480)
Handlers = dict[str, Callable[[Ask], dict[str, Any]]]


def somebody(role: str = "engineer") -> Person:
    return Person("erin", "Erin", role, ROLES[role], disabled=False, generation=1, language="")


@dataclass
class Pages:
    """The application with somebody signed in."""

    app: Flask
    watch: Watch
    url: str = ""
    who: list[Person | None] = field(default_factory=lambda: [somebody()])

    def get(self, path: str) -> Any:
        return self.app.test_client().get(path)

    def post(self, path: str, body: object) -> Any:
        return self.app.test_client().post(path, json=body)


@contextlib.contextmanager
def pages(run_dir: Path, store: Path, cameras: tuple[str, ...] = ("top",), **options: Any) -> Iterator[Pages]:
    """The screens over a run folder, served on a port of this process."""
    made_options = WebOptions.model_validate(options)
    watch = Watch(run_dir, cameras, made_options)
    app = create_app(made_options, "line 1", watch, LedgerReader(store), store, run_dir)
    app.config.update(WTF_CSRF_METHODS=[], TESTING=True)
    made = Pages(app, watch)

    @app.before_request
    def come_in() -> None:
        g.person = made.who[0]

    watch.start()
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        watch.close()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@contextlib.contextmanager
def owner(run_dir: Path, name: str, handlers: Handlers, desk: str = "") -> Iterator[list[Ask]]:
    """A process that answers asks. Yields what it was asked. desk: the owner as `rights.COMMANDS` calls it."""
    heard: list[Ask] = []

    def noted(handler: Callable[[Ask], dict[str, Any]]) -> Callable[[Ask], dict[str, Any]]:
        def note(ask: Ask) -> dict[str, Any]:
            heard.append(ask)
            return handler(ask)

        return note

    answers = Desk(desk or name, {key: noted(handler) for key, handler in handlers.items()})
    stop = threading.Event()
    ready = threading.Event()

    def serve() -> None:
        with AskDoor(ask_address(run_dir, name)) as door:
            ready.set()
            while not stop.is_set():
                door.serve(answers, 20)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(5)
    try:
        yield heard
    finally:
        stop.set()
        thread.join(timeout=5)


@contextlib.contextmanager
def trail(run_dir: Path) -> Iterator[list[Ask]]:
    """records, which takes the audit trail."""
    with owner(run_dir, "records", {"audit.add": lambda ask: {}}) as heard:
        yield heard
