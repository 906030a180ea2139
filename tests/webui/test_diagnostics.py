"""The Diagnostics screen tells what is, whoever is dead, and shows no secret."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from okng.bus.asks import Ask
from okng.bus.degraded import give_up, take_back
from okng.bus.stacks import stacks_folder
from okng.tests.webui.engineer import Pages, owner, pages, somebody, trail
from okng.webui.log_tail import cleaned, log_tail
from okng.webui.machine import clock, disks, memory, power, temperatures

BEATS = ("io", "inspect", "camera-top")


@pytest.fixture
def screens(line: Any, run_dir: Path) -> Iterator[Pages]:
    with pages(run_dir, run_dir / "store") as made:
        yield made


def lamp(text: str, process: str) -> str:
    """`ok` or `bad`, as the table shows that process."""
    row = text.split(f'data-process="{process}"')[1]
    return row.split('class="')[1].split('"')[0]


@pytest.mark.parametrize("dead", BEATS)
def test_it_works_with_any_process_dead(screens: Pages, line: Any, dead: str) -> None:
    line.die(dead)
    answer = screens.get("/diagnostics/")
    assert answer.status_code == 200
    assert lamp(answer.text, dead) == "bad"
    assert all(lamp(answer.text, other) == "ok" for other in BEATS if other != dead)
    assert lamp(answer.text, "workshop") == "bad"
    assert "never started" in answer.text


def test_it_works_with_everything_dead_and_no_ledger(run_dir: Path) -> None:
    with pages(run_dir, run_dir / "nothing") as made:
        answer = made.get("/diagnostics/")
        assert answer.status_code == 200
        assert "inspect was not heard" in answer.text
        bundle = made.post("/diagnostics/bundle", {}).get_json()
    assert bundle["done"] is False


@pytest.mark.parametrize("fitted", [True, False])
def test_a_cpu_that_judges_is_said(screens: Pages, monkeypatch: pytest.MonkeyPatch, fitted: bool) -> None:
    monkeypatch.setattr("okng.webui.diagnostics.gpu_fitted", lambda: fitted)
    for _ in range(50):
        text = screens.get("/diagnostics/figures").text
        if "CPUExecutionProvider" in text:
            break
    assert ("this is a fallback" in text) is fitted
    assert ("no GPU was found" in text) is not fitted


def test_who_may_not(screens: Pages) -> None:
    screens.who[0] = somebody("lead")
    for path in ("/diagnostics/", "/diagnostics/log", "/diagnostics/figures"):
        assert screens.get(path).status_code == 403
    screens.who[0] = somebody("administrator")
    assert screens.get("/diagnostics/").status_code == 200


def test_the_log_shows_no_secret_and_not_too_much(tmp_path: Path) -> None:
    said = b"start\nasked http://anna:geheim@box/x\npassword = hunter2\nAuthorization: Bearer abc\n\x1b[31mred\n"
    said += b'{"token": "okng_0815", "who": "ann"}\n'
    found = "\n".join(cleaned(said, 200))
    assert "geheim" not in found
    assert "hunter2" not in found
    assert "abc" not in found
    assert "okng_0815" not in found
    assert "ann" in found
    assert "\x1b" not in found
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "okng.log").write_text("\n".join(f"line {number}" for number in range(1000)))
    source, lines = log_tail(run, 50)
    if source != "journal":  # else this machine has a journal of its own
        assert lines == [f"line {number}" for number in range(950, 1000)]
        tmp_path.chmod(0o1777)  # somebody else's logs may lie in a folder for all
        assert log_tail(run, 50) == ("", [])


def test_the_machine_is_read_or_left_out(tmp_path: Path) -> None:
    zone = tmp_path / "class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("91000\n")
    (zone / "type").write_text("x86_pkg_temp\n")
    (hot,) = temperatures(tmp_path)
    assert (hot.name, hot.celsius, hot.bad) == ("x86_pkg_temp", 91.0, True)
    battery = tmp_path / "class/power_supply/ups0"
    battery.mkdir(parents=True)
    for name, text in (("type", "Battery"), ("status", "Discharging"), ("capacity", "80")):
        (battery / name).write_text(text)
    assert [(one.name, one.status, one.percent) for one in power(tmp_path)] == [("ups0", "Discharging", 80)]
    assert temperatures(tmp_path / "none") == []
    assert memory()[0].total > 0
    assert disks({"here": tmp_path, "gone": tmp_path / "gone"})[0].name == "here"
    assert clock().synchronized in (True, False, None)


@pytest.mark.ui
def test_a_support_bundle_is_made_and_fetched(screens: Pages, run_dir: Path, page: Any) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("versions.json", "{}")
    asked: list[Ask] = []

    def bundle(ask: Ask) -> dict[str, Any]:
        asked.append(ask)
        return {"work": "w1"}

    def status(ask: Ask) -> dict[str, Any]:
        if "file" in ask.body:
            start = ask.body.get("offset", 0)
            return {"data": data.getvalue()[start : start + 50], "size": len(data.getvalue())}
        return {"work": {"state": "done", "share": 1.0}, "result": {"size": 5000}}

    with trail(run_dir), owner(run_dir, "workshop", {"support.bundle": bundle, "work.status": status}):
        page.goto(f"{screens.url}/diagnostics/", wait_until="domcontentloaded")
        page.wait_for_selector("#diagnostics[data-ready]")
        page.locator("#bundle").click()
        expect(page.locator("#bundle-file")).to_be_visible()
        assert asked[0].body == {"pictures": False}
        address = page.locator("#bundle-file").get_attribute("href")
        got = screens.get(address)
    assert got.data == data.getvalue()
    page.wait_for_selector("#diagnostics[data-figures]")


def test_who_does_not_stay_up_is_shown_with_its_last_words(screens: Pages, run_dir: Path) -> None:
    stacks_folder(run_dir).mkdir()
    said = 'File "sync.py", line 3 in send\nValueError: token = geheim is refused <b>\n'
    (stacks_folder(run_dir) / "mqtt.99.txt").write_text(said, encoding="utf-8")
    assert "data-given-up" not in screens.get("/diagnostics/").text
    give_up(run_dir, "mqtt", "exit code 1")
    text = screens.get("/diagnostics/").text
    assert lamp(text, "mqtt") == "bad"
    assert "does not stay up: ended again and again, last with exit code 1" in text
    assert "it is started only once a minute" in text.split('data-given-up="mqtt"')[1]
    words = text.split('data-dump="mqtt"')[1]
    assert "line 3 in send" in words
    assert "<b>" not in words
    assert "geheim" not in words
    take_back(run_dir, {"mqtt"})
    text = screens.get("/diagnostics/").text
    assert "data-given-up" not in text
    assert 'data-dump="mqtt"' in text, "what broke stays readable"
