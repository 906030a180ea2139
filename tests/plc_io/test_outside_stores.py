"""What is kept for the world outside: the outbox of MQTT, the shelf of OPC UA, the desk that asks for jobs. Bounded."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from okng.bus.errors import BadSettings
from okng.bus.messages import JobAnswer
from okng.plc_io.mqtt_client import read_secret
from okng.plc_io.mqtt_options import MqttOptions
from okng.plc_io.mqtt_outbox import Outbox
from okng.plc_io.opcua_door import read_users, user_line
from okng.plc_io.opcua_jobs import ASKED, JobDesk, TooManyError
from okng.plc_io.opcua_options import OpcuaOptions
from okng.plc_io.opcua_shelf import COMPLETED, FAILED, HANDLES, Shelf, Wanted, result_of
from okng.plc_io.part_report import part_report

from .played_line import PlayedLine, record_of


def test_the_outbox_keeps_the_newest_and_hands_over_one_window() -> None:
    outbox = Outbox(3, 2)
    assert outbox.next() is None
    for number in range(3):
        assert outbox.put({"part": number})
    assert not outbox.put({"part": 3})
    assert (outbox.waiting, outbox.dropped) == (3, 1)
    handed = []
    for token in (10, 11):
        result = outbox.next()
        assert result is not None
        handed.append(result["part"])
        outbox.sent(token)
    assert (handed, outbox.next(), outbox.under_way) == ([1, 2], None, 2)
    outbox.acknowledged(99)
    outbox.acknowledged(10)
    outbox.acknowledged(10)
    assert (outbox.taken, outbox.under_way, outbox.next()) == (1, 1, {"part": 3})
    outbox.again()
    assert (outbox.under_way, outbox.waiting, outbox.next()) == (0, 2, {"part": 2})


def test_the_shelf_forgets_the_oldest_results_and_handles(run_dir: Path) -> None:
    with PlayedLine(run_dir) as line:
        shelf = Shelf(3)
        made = [result_of(record_of(part, lost=part == 4), line.state, "box1", "", "") for part in range(1, 6)]
        for result in made:
            shelf.add(result)
        assert len(shelf) == 3
        assert shelf.get(made[1].result_id) is None
        assert shelf.get(made[4].result_id) is made[4]
        assert [result.state for result in made[2:]] == [COMPLETED, FAILED, COMPLETED]
        assert made[3].revision == line.job.revision
        other = replace(line.state, job=replace(line.job, recipe="lid"))
        assert result_of(record_of(4, lost=True), other, "box1", "", "").revision == ""
        assert shelf.find(Wanted(), 0, 2) == (made[2:4], False)
        assert shelf.find(Wanted(), 2, 2) == (made[4:], True)
        assert shelf.find(Wanted(state=FAILED), 0, 0) == ([made[3]], True)
        assert shelf.find(Wanted(recipe="hat"), 0, 0) == ([], True)
        handles = [shelf.open() for _ in range(HANDLES + 1)]
        assert not shelf.release(handles[0])
        assert shelf.release(handles[1])
        assert not shelf.release(handles[1])


def test_the_desk_knows_its_answers_and_gives_up_with_io() -> None:
    async def asked() -> None:
        desk = JobDesk({1: "cap", 2: "lid", 3: "cap"})
        assert desk.names == ("cap", "lid")
        assert [desk.number_of(name) for name in ("cap", "lid", "3", "4", "")] == [1, 2, 3, None, None]
        ask, answer = desk.ask(2)
        assert desk.again() == [ask]
        assert not desk.take(JobAnswer(2, ask.token, True, "", "plc"))
        assert not answer.done()
        assert desk.take(JobAnswer(2, ask.token, True, "", "opcua"))
        assert (await answer).done
        futures = [desk.ask(1)[1] for _ in range(ASKED)]
        with pytest.raises(TooManyError):
            desk.ask(1)
        desk.drop()
        assert {(await future).done for future in futures} == {False}
        assert desk.again() == []

    asyncio.run(asked())


def test_a_report_is_json_whatever_the_score() -> None:
    record = record_of(7, ok=False)
    assert record.verdict is not None
    endless = replace(record, verdict=replace(record.verdict, score=float("inf")))
    report = json.loads(json.dumps(part_report(endless, "e", "box1"), allow_nan=False))
    assert report["verdict"]["score"] is None
    assert report["verdict"]["threshold"] == 4.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "certificate, key and trusted"),
        ({"certificate": "a", "key": "b"}, "certificate, key and trusted"),
        ({"insecure": True, "users": "people"}, "everybody may connect"),
        ({"insecure": True, "key": "b"}, "expected both or neither"),
        ({"insecure": True, "colour": 1}, "Extra inputs"),
    ],
)
def test_half_a_door_of_opcua_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OpcuaOptions.model_validate(values)


def test_files_are_found_where_the_settings_lie_and_secrets_are_closed(tmp_path: Path) -> None:
    opcua = OpcuaOptions.model_validate({"certificate": "a.pem", "key": "b.pem", "trusted": "/etc/trusted"})
    rooted = opcua.rooted(tmp_path)
    assert (rooted.certificate, rooted.trusted, rooted.users) == (tmp_path / "a.pem", Path("/etc/trusted"), None)
    mqtt = MqttOptions.model_validate(
        {"host": "broker", "username": "box", "password_file": "word", "tls": {"ca": "c"}}
    )
    placed = mqtt.rooted(tmp_path)
    assert placed.tls is not None
    assert (placed.password_file, placed.tls.ca, placed.tls.key) == (tmp_path / "word", tmp_path / "c", None)
    for values in ({"host": "broker", "username": "box"}, {"host": "broker", "tls": {"key": "k"}}):
        with pytest.raises(ValidationError, match="both or neither"):
            MqttOptions.model_validate(values)
    word = tmp_path / "word"
    word.write_text("open sesame\nnot this\n", encoding="utf-8")
    word.chmod(0o644)
    with pytest.raises(BadSettings, match="open to everybody"):
        read_secret(word)
    word.chmod(0o640)
    assert read_secret(word) == "open sesame"
    people = tmp_path / "people"
    people.write_text(user_line("shift", "early") + "\n\n# later\n", encoding="utf-8")
    people.chmod(0o600)
    assert set(read_users(people)) == {"shift"}
    assert "early" not in people.read_text(encoding="utf-8")
    people.write_text("shift:early\n", encoding="utf-8")
    with pytest.raises(BadSettings, match="line 1: expected name:salt:hash"):
        read_users(people)
    for name, password in (("a b", "x"), ("a:b", "x"), ("", "x"), ("a", "")):
        with pytest.raises(ValueError, match="expected a name"):
            user_line(name, password)
