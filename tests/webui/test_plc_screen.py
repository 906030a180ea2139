"""The PLC screen: signals as io tells them, a force in two steps with a reason, and what is said when io is silent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from okng.bus.asks import Ask
from okng.bus.errors import Refused
from okng.tests.webui.engineer import Pages, owner, pages, somebody, trail


class Io:
    """A made-up hand desk."""

    def __init__(self) -> None:
        self.forces: list[Ask] = []
        self.forced: list[str] = []

    def look(self, ask: Ask) -> dict[str, Any]:
        known = {
            "out": {"READY": 1, "OK": 0, "NG": 0, "LINE_STOP_REQ": 0, "seq": 7},
            "in": {"TRIGGER": 1, "encoder": 4711},
        }
        rows = [
            {"name": name, "value": value, "direction": direction, "age_ms": 3200}
            for direction, signals in known.items()
            for name, value in signals.items()
        ]
        wire = {"role": "modbus_server", "place": "127.0.0.1 port 502", "connected": True, "requests": 12, "broken": 0}
        told = {"outputs": ["NG", "LINE_STOP_REQ"], "gates": [], "wire": wire}
        return {"signals": rows, "forced": self.forced, **told}

    def force(self, ask: Ask) -> dict[str, Any]:
        if ask.body["output"] == "READY":
            raise Refused("READY is never forced: it could let a part pass")
        self.forces.append(ask)
        self.forced = [f"{ask.body['output']}=1, 5 s left"] if ask.body["on"] else []
        return {"forced": self.forced}


@pytest.fixture
def io() -> Io:
    return Io()


@pytest.fixture
def screens(line: Any, run_dir: Path, io: Io) -> Iterator[Pages]:
    with (
        pages(run_dir, run_dir / "store") as made,
        trail(run_dir),
        owner(run_dir, "io", {"io.look": io.look, "force.set": io.force}),
    ):
        yield made


def test_who_sees_and_who_forces(screens: Pages, io: Io) -> None:
    body = {"output": "NG", "on": True, "seconds": 5, "reason": "lamp test"}
    screens.who[0] = somebody("administrator")  # reads diagnostics, forces nothing
    assert screens.get("/plc/").status_code == 200
    assert screens.get("/plc/look.json").get_json()["done"] is True
    assert screens.post("/plc/force", body).status_code == 403
    screens.who[0] = somebody("operator")
    assert screens.get("/plc/").status_code == 403
    assert io.forces == []


def test_a_force_takes_a_reason_and_io_has_the_last_word(screens: Pages, io: Io) -> None:
    assert screens.post("/plc/force", {"output": "NG", "on": True, "seconds": 5, "reason": " "}).status_code == 400
    refused = screens.post("/plc/force", {"output": "READY", "on": True, "seconds": 5, "reason": "try"}).get_json()
    assert refused["done"] is False
    assert "never forced" in refused["detail"]
    assert screens.post("/plc/force", {"output": "NG", "on": True, "seconds": 5, "reason": "lamp"}).get_json()["done"]
    (ask,) = io.forces
    assert (ask.body, ask.reason, ask.right) == ({"output": "NG", "on": True, "seconds": 5}, "lamp", "io.force")
    assert screens.get("/plc/look.json").get_json()["offered"] == ["NG", "LINE_STOP_REQ"]


def test_a_silent_io_is_said(line: Any, run_dir: Path) -> None:
    with pages(run_dir, run_dir / "store") as made:
        assert made.get("/plc/").status_code == 200
        told = made.get("/plc/look.json").get_json()
    assert (told["done"], told["silent"]) == (False, True)


def test_the_register_map_comes_as_a_file(screens: Pages) -> None:
    answer = screens.get("/plc/map.csv")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    assert b"heartbeat" in answer.data
    assert screens.get("/plc/map.exe").status_code == 404


@pytest.mark.ui
def test_an_output_is_forced_in_two_steps(screens: Pages, io: Io, page: Any) -> None:
    page.goto(f"{screens.url}/plc/", wait_until="domcontentloaded")
    page.wait_for_selector("#plc[data-done=true]")
    expect(page.locator("#out [data-name=READY]")).to_contain_text("1")
    expect(page.locator("#in [data-name=encoder]")).to_contain_text("4711")
    expect(page.locator("#wire")).to_contain_text("127.0.0.1 port 502 · connected")
    expect(page.locator("#force")).to_be_disabled()
    page.locator("#reason").fill("stack light")
    page.locator("#output").select_option("LINE_STOP_REQ")
    page.locator("[data-seconds='10']").click()
    page.locator("#force").click()
    assert io.forces == []
    page.locator("#sure-yes").click()
    expect(page.locator("#force-list")).to_contain_text("LINE_STOP_REQ=1")
    assert io.forces[0].body == {"output": "LINE_STOP_REQ", "on": True, "seconds": 10}
    page.locator("#force-list .key").click()
    expect(page.locator("#force-list")).to_contain_text("Nothing is forced")
