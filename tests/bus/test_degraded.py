"""Who is given up: written once, believed while it holds, checked when read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from okng.appliance.degraded_door import degraded
from okng.bus.clock import SECOND, now_ns
from okng.bus.degraded import (
    MOST_BYTES,
    DegradedWatch,
    clear,
    degraded_file,
    give_up,
    how_it_ended,
    read_degraded,
    take_back,
)
from okng.bus.heartbeat import Beat, Heartbeat, Pulse
from okng.bus.messages import Health
from okng.bus.stacks import stacks_folder


def test_it_says_who_since_when_how_and_with_which_stack(tmp_path: Path) -> None:
    stacks_folder(tmp_path).mkdir()
    (stacks_folder(tmp_path) / "web.77.txt").write_text("x" * 9000 + " in page\nValueError: 3\n", encoding="utf-8")
    first = give_up(tmp_path, "web", "exit code 3")
    again = give_up(tmp_path, "web", "killed by SIGABRT")
    give_up(tmp_path, "mqtt", "exit code 1")
    web, mqtt = read_degraded(tmp_path)
    assert (web.name, web.ended, mqtt.name) == ("web", "killed by SIGABRT", "mqtt")
    assert (web.since, web.since_ns) == (first.since, first.since_ns) == (again.since, again.since_ns)
    assert web.stack.endswith("ValueError: 3\n")
    assert len(web.stack) == 4000
    assert mqtt.stack == ""
    take_back(tmp_path, {"web", "nobody"})
    assert [each.name for each in read_degraded(tmp_path)] == ["mqtt"]


def test_it_holds_until_the_process_is_ready_again_and_again_when_it_falls(tmp_path: Path) -> None:
    made = give_up(tmp_path, "web", "exit code 3")
    later = made.since_ns + 5 * SECOND

    def beat(health: Health, turned_ns: int) -> dict[str, Beat]:
        return {"web": Beat("web", 5, health, turned_ns, 0, 0)}

    assert made.stands({}, later)
    assert made.stands(beat(Health.READY, made.since_ns - 1), later), "the word of the run that failed"
    assert made.stands(beat(Health.STARTING, later), later)
    assert not made.stands(beat(Health.READY, later), later)
    assert made.stands(beat(Health.READY, later), later + 3 * SECOND), "it does not move any more"
    assert made.stands(beat(Health.LOST, later), later)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{}",
        b"[{}]",
        b'[{"name": 3, "since": "", "since_ns": 0, "boot": "", "ended": "", "stack": ""}]',
        b'[{"name": "a", "since": "", "since_ns": 0, "boot": "", "ended": "", "stack": "", "more": 1}]',
        b"[" + b" " * MOST_BYTES + b"]",
    ],
)
def test_a_file_that_cannot_be_believed_is_said_and_mended_by_the_next_word(tmp_path: Path, bad: bytes) -> None:
    degraded_file(tmp_path).write_bytes(bad)
    (said,) = read_degraded(tmp_path)
    assert said.name == "degraded.json"
    assert "cannot be read" in said.ended
    assert said.stands({}, now_ns())
    give_up(tmp_path, "web", "exit code 3")
    assert [each.name for each in read_degraded(tmp_path)] == ["web"]
    heals: tuple[Callable[[], None], ...] = (lambda: take_back(tmp_path, {"web"}), lambda: clear(tmp_path))
    for heal in heals:
        degraded_file(tmp_path).write_bytes(bad)
        heal()
        assert read_degraded(tmp_path) == ()


def test_who_starts_all_of_a_box_begins_with_an_empty_list(tmp_path: Path) -> None:
    give_up(tmp_path, "inspect-standby", "exit code 1")  # which is not wanted any more: nobody would take it back
    clear(tmp_path)
    assert read_degraded(tmp_path) == ()


def test_what_another_boot_left_is_not_believed(tmp_path: Path) -> None:
    give_up(tmp_path, "web", "exit code 3")
    (entry,) = json.loads(degraded_file(tmp_path).read_bytes())
    for change, believed in (
        ({"boot": "another"}, False),
        ({"boot": "unknown"}, True),
        ({"since_ns": now_ns() + 10**15}, False),
    ):
        degraded_file(tmp_path).write_text(json.dumps([entry | change]), encoding="utf-8")
        assert bool(read_degraded(tmp_path)) is believed


def test_io_looks_once_a_second_and_reads_what_has_changed(tmp_path: Path) -> None:
    watch, at = DegradedWatch(tmp_path), now_ns()
    assert watch.standing({}, at) == ()
    give_up(tmp_path, "web", "exit code 3")
    assert watch.standing({}, at + SECOND // 2) == ()
    assert [each.name for each in watch.standing({}, at + SECOND)] == ["web"]
    take_back(tmp_path, {"web"})
    assert watch.standing({}, at + 2 * SECOND) == ()
    degraded_file(tmp_path).unlink()
    assert watch.standing({}, at + 3 * SECOND) == ()


def test_the_end_of_a_process_in_words() -> None:
    said = [how_it_ended(code) for code in (1, 78, -9, -6, -99)]
    assert said == [
        "exit code 1",
        "exit code 78 (settings, recipe or model are refused)",
        "killed by SIGKILL",
        "killed by SIGABRT",
        "killed by signal 99",
    ]


@pytest.mark.parametrize(
    ("unit", "said", "name", "ended"),
    [
        (
            "okng-camera@top.service",
            {"MONITOR_SERVICE_RESULT": "start-limit-hit", "MONITOR_EXIT_CODE": "exited", "MONITOR_EXIT_STATUS": "3"},
            "camera-top",
            "exit code 3, start-limit-hit",
        ),
        (
            "okng-web.service",
            {"MONITOR_SERVICE_RESULT": "watchdog", "MONITOR_EXIT_CODE": "dumped", "MONITOR_EXIT_STATUS": "ABRT"},
            "web",
            "killed by SIGABRT, watchdog",
        ),
        ("okng-inspect.service", {}, "inspect-standby", "how it ended is not known"),
        ("okng-inspect-standby.service", {}, "inspect-standby", "how it ended is not known"),
    ],
)
def test_systemd_writes_the_same_file(tmp_path: Path, unit: str, said: dict[str, str], name: str, ended: str) -> None:
    beat = Heartbeat(tmp_path, "inspect")
    beat.health = Health.READY
    beat.turn()
    done = CliRunner().invoke(degraded, ["note", "--run-dir", str(tmp_path), unit], env=said)
    assert done.exit_code == 0, done.output
    (found,) = read_degraded(tmp_path)
    assert (found.name, found.ended) == (name, ended)
    beat.close()
    assert found.stands(Pulse(tmp_path).beats(), now_ns())


@pytest.mark.parametrize("started", ["inspect", "inspect-standby"])
def test_the_last_words_are_those_of_the_process_and_not_of_its_role(tmp_path: Path, started: str) -> None:
    stacks_folder(tmp_path).mkdir()
    for name in ("inspect", "inspect-standby"):
        (stacks_folder(tmp_path) / f"{name}.7.txt").write_text(f"left by {name}\n", encoding="utf-8")
    judge = Heartbeat(tmp_path, "inspect")
    judge.health = Health.READY
    judge.turn()
    done = CliRunner().invoke(degraded, ["note", "--run-dir", str(tmp_path), f"okng-{started}.service"])
    assert done.exit_code == 0, done.output
    (found,) = read_degraded(tmp_path)
    assert (found.name, found.stack) == ("inspect-standby", f"left by {started}\n")
    judge.close()


def test_what_is_no_unit_of_ours_is_refused(tmp_path: Path) -> None:
    for unit in ("sshd.service", "okng-web.service/../x", "okng.target"):
        assert CliRunner().invoke(degraded, ["note", "--run-dir", str(tmp_path), unit]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_person_asks_who_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "web.7.txt").write_text("ValueError: the lamp is gone\n", encoding="utf-8")
    settings = tmp_path / "okng.toml"
    text = 'recipe = "r.yaml"\n[box]\nrun_dir = "."\n[records]\nstore = "store"\n'
    settings.write_text(text + '[camera.top]\ndriver = "gentl"\nproducer = "x.cti"\nserial = "1"\n', encoding="utf-8")
    done = CliRunner().invoke(degraded, ["--settings", str(settings)])
    assert (done.exit_code, done.output) == (0, "")
    give_up(tmp_path, "web", "exit code 3")
    done = CliRunner().invoke(degraded, ["--settings", str(settings)])
    assert done.exit_code == 1
    assert done.output.startswith("web: given up since 2")
    assert "    ValueError: the lamp is gone" in done.output
