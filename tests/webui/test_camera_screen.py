"""The Camera screen: live, measured, stepped, reverted, saved; it says what the camera says and invents nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from okng.bus.asks import Ask
from okng.bus.part import Outcome
from okng.tests.webui.engineer import Handlers, Pages, owner, pages, somebody, trail


def feature(name: str, kind: str, value: Any, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "low": None,
        "high": None,
        "step": None,
        "choices": [],
        "writable": True,
        "unit": "",
        "allowed": "",
    }
    return {"name": name, "kind": kind, "value": value, "fixed": False, **empty, **more}


class Camera:
    """A made-up camera desk."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"ExposureTime": 1000.0, "Gain": 0.0, "TriggerActivation": "RisingEdge"}
        self.found: dict[str, Any] = {}
        self.live = self.inspecting = False

    def told(self) -> dict[str, Any]:
        exposure = feature("ExposureTime", "float", self.values["ExposureTime"], low=20.0, high=10000.0, unit="us")
        edge = feature(
            "TriggerActivation", "choice", self.values["TriggerActivation"], choices=["RisingEdge", "FallingEdge"]
        )
        gain = feature("Gain", "float", self.values["Gain"], low=0.0, high=24.0, unit="dB", allowed="0..24 dB")
        changed = [{"name": name, "was": value, "of": ""} for name, value in self.found.items()]
        told = {"features": [exposure, gain, edge], "live": self.live, "changed": changed}
        return {**told, "inspecting": self.inspecting, "left_ms": 0}

    def read(self, ask: Ask) -> dict[str, Any]:
        return self.told()

    def write(self, ask: Ask) -> dict[str, Any]:
        if ask.body.get("revert"):
            self.values |= self.found
        if ask.body.get("revert") or ask.body.get("apply"):
            self.found, self.live = {}, False
            return self.told()
        for name, value in ask.body["values"]:
            if name == "Gain" and value > 24:
                raise ValueError("Gain: expected 0..24 dB")
            self.found.setdefault(name, self.values[name])
            self.values[name] = value
        return self.told()

    def run(self, ask: Ask) -> dict[str, Any]:
        if ask.body["on"] and self.inspecting and not ask.body["confirmed"]:
            raise ValueError("the line is inspecting: confirm that the camera is set up now")
        self.live = ask.body["on"]
        return {**self.told(), "features": []}


@pytest.fixture
def camera() -> Camera:
    return Camera()


@pytest.fixture
def screens(line: Any, run_dir: Path, camera: Camera) -> Iterator[tuple[Pages, list[Ask]]]:
    handlers: Handlers = {"feature.read": camera.read, "feature.write": camera.write, "camera.free_run": camera.run}
    saved: list[Ask] = []

    def save(ask: Ask) -> dict[str, Any]:
        saved.append(ask)
        return {"revision": "rev-2", "job": 3}

    recipe = {"name": "tile", "camera": {"width": 640, "height": 480, "features": {"Gamma": 1.0}}}
    read = {"job": 3, "revision": "rev-1", "recipe": recipe, "whole": recipe}
    with (
        pages(run_dir, run_dir / "store") as made,
        trail(run_dir),
        owner(run_dir, "camera-top", handlers, "camera"),
        owner(run_dir, "workshop", {"recipe.read": lambda ask: read, "recipe.camera": save}),
    ):
        yield made, saved


def test_only_who_sets_cameras_gets_in(screens: tuple[Pages, list[Ask]]) -> None:
    made, _ = screens
    assert made.get("/camera/").status_code == 200
    assert made.get("/camera/?camera=none").status_code == 404
    made.who[0] = somebody("lead")
    assert made.get("/camera/").status_code == 403
    assert made.post("/camera/write", {"values": [["Gain", 1.0]]}).status_code == 403


def test_a_dead_camera_process_is_no_answer(line: Any, run_dir: Path) -> None:
    with pages(run_dir, run_dir / "store") as made:
        assert made.get("/camera/").status_code == 200
        answer = made.get("/camera/features.json").get_json()
    assert (answer["done"], answer["silent"]) == (False, True)
    assert "camera-top" in answer["detail"]


def test_the_close_picture_is_whole_and_measured(line: Any, run_dir: Path) -> None:
    with pages(run_dir, run_dir / "store") as made:
        for _ in range(40):
            line.judge(Outcome.OK)
            answer = made.get("/closeup/top.jpg?box=100,100,200,150")
            if answer.status_code == 200:
                break
        assert answer.status_code == 200
        assert answer.headers["X-Size"] == "640,480"
        found = made.get("/closeup/top.json?box=100,100,200,150").get_json()
        assert sum(found["channels"][0][1]) == 200 * 150
        assert 0 < found["focus"] <= found["peak"]
        assert made.get("/closeup/side.jpg").status_code == 404
        made.who[0] = somebody("operator")
        assert made.get("/closeup/top.json").status_code == 403


def test_saving_keeps_what_else_the_recipe_says(screens: tuple[Pages, list[Ask]]) -> None:
    made, saved = screens
    values = {"ExposureTime": 1500.0, "BlackLevel": 2.0}
    assert made.post("/camera/save", {"values": values, "reason": "new lens"}).get_json()["revision"] == "rev-2"
    (ask,) = saved
    features = {"Gamma": 1.0, "BlackLevel": 2.0}
    assert ask.body["section"] == {"width": 640, "height": 480, "features": features, "exposure_us": 1500.0}
    assert (ask.body["base"], ask.reason, ask.who) == ("rev-1", "new lens", "erin")


@pytest.mark.ui
def test_values_are_tried_live_and_reverted(
    screens: tuple[Pages, list[Ask]], line: Any, camera: Camera, page: Any
) -> None:
    made, _ = screens
    camera.inspecting = True
    page.goto(f"{made.url}/camera/", wait_until="domcontentloaded")
    page.locator(".feature").first.wait_for()
    assert page.locator("#f-ExposureTime").is_disabled()
    page.locator("#live").click()
    assert not camera.live  # it asks first
    page.locator("#sure-yes").click()
    page.wait_for_selector("#camera[data-live=true]")
    page.locator("[data-name=ExposureTime] .key").nth(1).click()
    expect(page.locator("[data-name=ExposureTime]")).to_have_class("feature changed")
    assert camera.values["ExposureTime"] == 1100.0
    page.locator("#f-Gain").fill("99")
    page.locator("#f-Gain").press("Enter")
    expect(page.locator("#trouble-text")).to_contain_text("expected 0..24")
    expect(page.locator("#f-Gain")).to_have_value("0")
    page.locator("#revert").click()
    page.wait_for_selector("#camera[data-live=false]")
    assert camera.values["ExposureTime"] == 1000.0
    assert json.loads(page.locator("#camera").get_attribute("data-changed")) == []
