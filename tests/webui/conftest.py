import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.records.read import LedgerReader
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.products import Products, no_products
from okng.webui.watch import Watch

from . import feed as made_up
from .compiled import keep_compiled

HERE = Path(__file__).parent
keep_compiled()
# A machine under load takes longer than the five seconds a page is given by default.
expect.set_options(timeout=20_000)
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if Path(CHROMIUM).exists() or os.environ.get("CI") == "true":
        return  # on CI a missing browser is a failure, not a skip
    for item in items:
        if item.get_closest_marker("ui"):
            item.add_marker(pytest.mark.skip(reason=f"needs Debian's chromium ({CHROMIUM})"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": ARGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1280, "height": 800}, "has_touch": True}


@pytest.fixture(scope="session")
def base_url() -> str:
    """In place of pytest-base-url's own, a method, which pytest 9.2 warns of. Every test here has its own address."""
    return ""


@pytest.fixture(scope="session")
def feed() -> ModuleType:
    """tests/webui/feed.py: a made-up line on the bus."""
    return made_up


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A short name: a socket's path holds 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="okw", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run_dir() -> Iterator[Path]:
    with _folder() as folder:
        yield folder


@pytest.fixture
def line(feed: ModuleType, run_dir: Path) -> Iterator[Any]:
    """A living line without parts; `line.judge(outcome)` makes one."""
    made = feed.Line(run_dir, run_dir / "store")
    made.start()
    yield made
    made.close()


@pytest.fixture
def people(line: Any) -> Any:
    """`line` with persons op, lead, eng, admin (PINs 1111, 2222, 3333, 4444) who sign in for real, see feed.PEOPLE."""
    line.add_people()
    return line


def token_in(page: str) -> str:
    """The CSRF token that a page carries; empty: none."""
    found = re.search(r'data-csrf="([^"]+)"', page)
    return found.group(1) if found else ""


class Client(FlaskClient):
    """Sends the CSRF token that a page would, and reads every answer to its end, so that no file stays open.

    `csrf=False`: without the token. Streams ask for `buffered=False`.
    """

    def open(self, *args: Any, buffered: bool = True, csrf: bool = True, **more: Any) -> Any:
        if csrf and str(more.get("method", "GET")).upper() in ("POST", "PUT", "DELETE", "PATCH"):
            headers = dict(more.pop("headers", None) or {})
            if not any(name.lower() in ("x-csrftoken", "authorization") for name in headers):
                headers["X-CSRFToken"] = self.token(more.get("environ_overrides"))
            more["headers"] = headers
        return super().open(*args, buffered=buffered, **more)

    def token(self, environ: Any = None) -> str:
        """The token that a page of this session carries."""
        more = {"environ_overrides": environ} if environ else {}
        page = super().open("/sign-in", method="GET", buffered=True, **more).get_data(as_text=True)
        return token_in(page)


@pytest.fixture
def watch(line: Any) -> Iterator[Watch]:
    """Hears the line, for screens in this process."""
    made = Watch(line.run_dir, ("top",), WebOptions())
    made.start()
    yield made
    made.close()
    assert not made.alive()


@pytest.fixture
def client_class() -> type[FlaskClient]:
    """For `app.test_client_class`."""
    return Client


@pytest.fixture
def client_on(line: Any, client_class: type[FlaskClient]) -> Callable[..., FlaskClient]:
    """`client_on(watch, sign_ins_a_minute=1000)`: a client of screens in this process, over the line's own ledger."""

    def made(watch: Watch, products: Products = no_products, **options: Any) -> FlaskClient:
        chosen, history = WebOptions.model_validate(options), LedgerReader(line.store)
        app = create_app(chosen, "line 1", watch, history, line.store, line.run_dir, products)
        app.test_client_class = client_class
        return app.test_client()

    return made


def sign_in_as(there: FlaskClient | Page, name: str, url: str = "") -> None:
    """Sign in by name and PIN. there: a test client, or a page (url: address of its server, if it is on none yet).

    What a finger does for that is the matter of test_access.py: here the form is sent without one.
    """
    pin = made_up.PEOPLE[name][2]
    if isinstance(there, FlaskClient):
        answer = there.post("/sign-in", data={"who": name, "secret": pin, "kind": "pin"})
        assert answer.status_code == 303, (name, answer.status_code)
        return
    base = url or "/".join(there.url.split("/")[:3])
    there.context.clear_cookies(name="okng-session")  # whoever was signed in before
    asked = there.context.request  # shares the cookies of the page
    token = token_in(asked.get(f"{base}/sign-in").text())
    assert token
    form: dict[str, str | float | bool] = {"who": name, "secret": pin, "kind": "pin", "csrf_token": token}
    begun = asked.post(f"{base}/sign-in", form=form, headers={"Referer": f"{base}/sign-in"}, max_redirects=0)
    assert begun.status == 303, (name, begun.status)
    there.goto(base + begun.headers["location"], wait_until="domcontentloaded")
    expect(there.locator("body")).to_have_attribute("data-user", name)


@pytest.fixture
def sign_in() -> Callable[..., None]:
    """`sign_in(client_or_page, "op")`: by the form of the page; the line must have its `people`."""
    return sign_in_as


@dataclass
class Served:
    """The web process."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, timeout: float = 10) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


Serve = Callable[..., Served]


@contextlib.contextmanager
def _serving() -> Iterator[Serve]:
    started: list[Served] = []

    def serve(run_dir: Path, cameras: str = "top", **options: object) -> Served:
        port = free_port()
        more = [f"{key}={value}" for key, value in options.items()]
        where = [str(run_dir), str(run_dir / "store"), str(port), cameras]
        command = [sys.executable, str(HERE / "serve.py"), *where, *more]
        server = Served(subprocess.Popen(command), port)
        started.append(server)
        until = time.monotonic() + 30
        while True:
            assert server.process.poll() is None, "the web process ended"
            with contextlib.suppress(OSError):
                if server.get("/healthz")[0] == 200:
                    return server
            assert time.monotonic() < until, "the web process does not answer"
            time.sleep(0.05)

    try:
        yield serve
    finally:
        for server in started:
            if server.process.poll() is None:
                server.stop()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start the web process over a run folder; ended with the test."""
    with _serving() as start:
        yield start


@pytest.fixture(scope="module")
def plant(feed: ModuleType) -> Iterator[tuple[Any, Served]]:
    """One line and one web process for all tests of a file that change neither for good."""
    with _folder() as folder:
        made = feed.Line(folder, folder / "store")
        made.add_people()
        made.start()
        with _serving() as start:
            yield made, start(folder, hold_ng_s=1, sign_ins_a_minute=1000, badge_prefix="badge-", alone=1)
        made.close()


@pytest.fixture(scope="module")
def twins(feed: ModuleType) -> Iterator[tuple[Any, Served]]:
    """A line of two cameras whose pictures are measured, and its web process, for all tests of a file."""
    with _folder() as folder:
        made = feed.Line(folder, folder / "store", cameras=("top", "side"))
        made.measured = True
        made.add_people()
        made.start()
        with _serving() as start:
            yield made, start(folder, "top,side", hold_ng_s=1, sign_ins_a_minute=1000, alone=1)
        made.close()
