"""Who reaches what: every route with every role, signing in and out, and what a request has to get past."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from okng.records.read import LedgerReader
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

SignIn = Callable[..., None]
ELSEWHERE = {"REMOTE_ADDR": "192.168.7.9"}
OVER_TLS = {**ELSEWHERE, "wsgi.url_scheme": "https"}
FAST = WebOptions(sign_ins_a_minute=10_000, api_a_minute=1_000_000)


@pytest.fixture
def watch(people: Any) -> Iterator[Watch]:
    made = Watch(people.run_dir, ("top",), WebOptions())
    made.start()
    yield made
    made.close()


@pytest.fixture
def make(people: Any, watch: Watch, client_class: type[FlaskClient]) -> Callable[..., Flask]:
    def made(options: WebOptions = FAST) -> Flask:
        app = create_app(options, "line 1", watch, LedgerReader(people.store), people.store, people.run_dir)
        app.test_client_class = client_class
        return app

    return made


@pytest.fixture
def app(make: Callable[..., Flask]) -> Flask:
    return make()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def who(client: FlaskClient, **environ: Any) -> str:
    return str(client.get("/sign-in/who", **environ).get_json()["who"])


def cookie_of(answer: Any, name: str = "okng-session") -> str:
    (found,) = [c for c in answer.headers.getlist("Set-Cookie") if c.startswith(name + "=")]
    return str(found)


def test_a_pin_signs_in_and_sign_out_ends_every_copy_of_the_cookie(client: FlaskClient, sign_in: SignIn) -> None:
    assert who(client) == ""
    sign_in(client, "op")
    assert who(client) == "op"
    page = client.get("/").get_data(as_text=True)
    assert "Otto Operator" in page
    copied = client.get_cookie("okng-session")
    assert copied is not None
    assert client.post("/sign-out").status_code == 303
    assert who(client) == ""
    client.set_cookie("okng-session", copied.value)
    assert who(client) == ""


@pytest.mark.ui
def test_a_pin_is_typed_by_touch_and_no_field_opens_a_keyboard(page: Any, plant: Any, sign_in: SignIn) -> None:
    _, server = plant
    page.goto(server.url + "/sign-in?who=op", wait_until="commit")
    assert page.locator("#secret").get_attribute("inputmode") == "none"
    sign_in(page, "op", server.url)
    assert "Otto Operator" in page.locator("#user").inner_text()
