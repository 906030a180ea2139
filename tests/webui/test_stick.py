"""At the panel everything that can be taken out goes onto a USB stick; the page says when it may be pulled out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from okng.bus.asks import Ask
from okng.bus.errors import Refused
from okng.bus.part import Outcome
from okng.tests.webui import page_checks
from okng.tests.webui.engineer import Handlers, Pages, owner, pages, somebody, trail
from okng.webui.stick_words import stick_words

THERE = {"name": "sda1", "filesystem": "vfat", "free_mb": 3200, "read_only": False}
DONE = {"work": {"state": "done", "share": 1.0, "detail": ""}, "result": {"file": "a.pdf", "bytes": 5, "sha256": "0"}}


@pytest.fixture
def screens(line: Any, run_dir: Path) -> Iterator[Pages]:
    line.judge(Outcome.NG)
    with pages(run_dir, run_dir / "store") as made:
        made.who[0] = somebody("lead")
        yield made


@pytest.mark.parametrize(
    ("kind", "role", "other", "body"),
    [
        ("paper", "lead", "operator", {"name": "shift-1"}),
        ("rejects", "lead", "operator", {"seqs": [1, 2]}),
        ("support", "engineer", "lead", {"pictures": True}),
        ("backup", "administrator", "engineer", {}),
        ("export", "engineer", "administrator", {"format": "csv", "since": "2026-01-01"}),
    ],
)
def test_each_kind_takes_its_own_right(
    screens: Pages, run_dir: Path, kind: str, role: str, other: str, body: dict[str, Any]
) -> None:
    begin = {f"stick.{kind}": lambda ask: {"work": "w1", "stick": "sda1"}}
    with trail(run_dir) as told, owner(run_dir, "workshop", begin) as heard:
        screens.who[0] = somebody(other)
        assert screens.post(f"/sticks/{kind}", body).status_code == 403
        assert heard == []
        screens.who[0] = somebody(role)
        answer = screens.post(f"/sticks/{kind}", {**body, "stick": "sda1", "path": "/etc"}).get_json()
        assert (answer["done"], answer["state"]) == (True, "/sticks/state/w1.json")
        assert heard[0].body == {**body, "stick": "sda1"}
        assert told[0].body["what"] == f"stick.{kind} asked"


def test_what_is_plugged_in_is_told_in_the_viewers_words(screens: Pages, run_dir: Path) -> None:
    found = [THERE, {**THERE, "name": "sdb1", "read_only": True}, {**THERE, "name": "sdc1", "free_mb": None}]
    with owner(run_dir, "workshop", {"stick.look": lambda ask: {"sticks": found}}):
        shown = screens.get("/sticks/").get_json()["shown"]
    assert [(one["name"], one["ok"]) for one in shown] == [("sda1", True), ("sdb1", False), ("sdc1", False)]
    assert shown[0]["text"] == "sda1: 3200 MB free"
    silent = screens.get("/sticks/").get_json()
    assert (silent["done"], silent["silent"]) == (False, True)


def test_a_refusal_and_a_failure_are_told(screens: Pages, run_dir: Path) -> None:
    def refuse(ask: Ask) -> dict[str, Any]:
        raise Refused("no USB stick is plugged in, or it is formatted neither as FAT32 nor as exFAT")

    words = "the USB stick was pulled out or is broken (Input/output error)"
    failed = {"work": {"state": "failed", "share": 0.4, "detail": words}}
    with trail(run_dir), owner(run_dir, "workshop", {"stick.paper": refuse, "work.status": lambda ask: failed}):
        answer = screens.post("/sticks/paper", {"name": "a"}).get_json()
        assert (answer["done"], "No USB stick is plugged in" in answer["detail"]) == (False, True)
        now = screens.get("/sticks/state/w1.json").get_json()
        assert (now["state"], now["said"]) == ("failed", "The stick was pulled out too early, or is broken.")


def test_every_sentence_of_the_workshop_about_sticks_has_words(screens: Pages) -> None:
    """Their texts as they stand in the code: one that is changed there is found here."""
    room = Path(__file__).parents[2] / "workshop"
    text = "".join((room / name).read_text(encoding="utf-8") for name in ("stick.py", "sticking.py"))
    said = re.findall(r'(?:Refused|StoreLost)\(\s*f?"([^"]+)"', text) + re.findall(r'_inside\(.*"([^"]+)"\)', text)
    assert len(said) > 12
    with screens.app.test_request_context():
        for one in said:
            filled = re.sub(r"\{[^}]*\}", "7", one)
            if "files called" not in one:
                assert stick_words(filled) != filled, one


def test_from_elsewhere_no_stick_is_offered(screens: Pages) -> None:
    assert b'id="stick"' in screens.get("/rejects/").data
    away = screens.app.test_client().get("/rejects/", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert b'id="stick"' not in away.data
    screens.who[0] = somebody("operator")
    assert b"mark-stick" not in screens.get("/rejects/").data


@pytest.mark.ui
def test_rejects_go_onto_the_stick_by_touch(screens: Pages, run_dir: Path, page: Page) -> None:
    there: list[dict[str, Any]] = []
    now: dict[str, Any] = {"work": {"state": "running", "share": 0.5, "detail": "written"}}
    handlers: Handlers = {
        "stick.look": lambda ask: {"sticks": there},
        "stick.rejects": lambda ask: {"work": "w1", "stick": "sda1"},
        "work.status": lambda ask: now,
    }
    page.set_viewport_size({"width": 1280, "height": 800})
    with trail(run_dir), owner(run_dir, "workshop", handlers) as heard:
        page.goto(f"{screens.url}/rejects/", wait_until="domcontentloaded")
        page.wait_for_load_state("domcontentloaded")  # by then every script has run
        page.locator("#key-mark").click()
        assert page.locator("#mark-stick").is_disabled()
        page.locator(".card[data-seq]").first.click()
        page.locator("#mark-stick").click()
        expect(page.locator("#stick-told")).to_contain_text("Plug one in")
        assert page.locator("#stick-go").is_disabled()
        there.append(THERE)  # plugged in while the dialog stands there
        expect(page.locator("#stick-choice")).to_contain_text("3200 MB free")
        for key in ("#stick-go", "#stick-close", "#mark-stick"):
            box = page.locator(key).bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 99
        page.locator("#stick-go").click()
        expect(page.locator("#stick-told")).to_contain_text("50 %")
        assert page.locator("#stick-close").is_disabled()
        now.clear()
        now.update(DONE)
        expect(page.locator("#stick-told")).to_contain_text("You may pull the stick out now")
        page.locator("#stick-close").click()
        expect(page.locator("#stick")).to_be_hidden()
    (asked,) = [ask for ask in heard if ask.name == "stick.rejects"]
    assert asked.body == {"seqs": [1], "stick": "sda1"}


@pytest.mark.ui
@pytest.mark.parametrize(
    ("path", "role", "least_mm"),
    [
        ("/rejects/", "lead", 20.0),
        ("/report", "lead", 20.0),
        ("/diagnostics/", "engineer", 15.0),
        ("/admin/", "administrator", 15.0),
    ],
)
def test_the_keys_and_the_dialog_are_large_and_whole(
    line: Any, run_dir: Path, page: Page, path: str, role: str, least_mm: float
) -> None:
    line.judge(Outcome.NG)
    page.set_viewport_size({"width": 1280, "height": 800})
    look: Handlers = {"stick.look": lambda ask: {"sticks": [THERE, {**THERE, "name": "sdb1", "read_only": True}]}}
    with pages(run_dir, run_dir / "store") as made, owner(run_dir, "workshop", look):
        made.who[0] = somebody(role)
        for language in ("en", "zh"):
            page.context.add_cookies([{"name": "okng-language", "value": language, "url": made.url}])
            page.goto(made.url + path, wait_until="domcontentloaded")
            page.wait_for_load_state("domcontentloaded")  # by then every script has run
            if path == "/rejects/":
                page.locator("#key-mark").click()
                page.locator(".card[data-seq]").first.click()
            assert page_checks.clipped_texts(page) == []
            assert page_checks.small_targets(page, least_mm, 5.0) == []
            page.locator("[data-stick]:visible").first.click()
            page.locator("#stick[data-state=ready]").wait_for()
            assert page_checks.clipped_texts(page) == []
            assert page_checks.small_targets(page, least_mm, 5.0) == []


@pytest.mark.ui
def test_a_pdf_that_was_made_goes_onto_the_stick_by_its_name(screens: Pages, run_dir: Path, page: Page) -> None:
    handlers: Handlers = {
        "stick.look": lambda ask: {"sticks": [THERE]},
        "stick.paper": lambda ask: {"work": "w1", "stick": "sda1"},
        "work.status": lambda ask: {"work": {"state": "failed", "share": 0.4, "detail": "the USB stick is full"}},
    }
    made = {"state": "done", "text": "", "url": "/papers/shift-A-ab12.pdf"}
    page.route("**/report/**", lambda route: route.fulfill(json={"look": "/papers/shift-A-ab12.json"}))
    page.route("**/papers/*.json", lambda route: route.fulfill(json=made))
    with trail(run_dir), owner(run_dir, "workshop", handlers) as heard:
        page.goto(f"{screens.url}/report", wait_until="domcontentloaded")
        page.wait_for_load_state("domcontentloaded")  # by then every script has run
        assert page.locator("#paper-stick").is_hidden()
        page.locator("form.paper-order button").click()
        page.locator("#paper-stick").click()
        page.locator("#stick[data-state=ready]").wait_for()
        page.locator("#stick-go").click()
        expect(page.locator("#stick-told")).to_contain_text("Not saved: The USB stick is full")
        expect(page.locator("#stick-go")).to_be_enabled()
    assert [ask.body for ask in heard if ask.name == "stick.paper"] == [{"name": "shift-A-ab12", "stick": "sda1"}]
