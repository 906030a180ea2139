"""Every sentence of the screens is in both languages, and every colour is a token."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from okng.camera.picture_faults import ADVICE
from okng.plc_io.signals import FaultCode
from okng.webui import catalogue, words
from okng.webui.app import STATIC

CHINESE = re.compile(r"[\u4e00-\u9fff]")
TEMPLATES = Path(catalogue.HERE) / "templates"
SAME = {"PIN", "PLC", "READY"}
"""Sentences that are the same in both languages."""


def test_chinese_is_complete_and_up_to_date() -> None:
    known = {message.id: message for message in catalogue.read("zh_Hans_CN") if message.id}
    wanted = {message.id for message in catalogue.extracted() if message.id}
    assert wanted - known.keys() == set(), "run python -m okng.webui.catalogue, then translate"
    assert known.keys() - wanted == set(), "run python -m okng.webui.catalogue"
    for text, message in known.items():
        assert message.string, f"not translated: {text!r}"
        assert not message.fuzzy, text
        assert CHINESE.search(str(message.string)) or text in SAME or "%" in str(text), text
        fields = re.compile(r"%\(\w+\)s|\{\w+\}")
        assert sorted(fields.findall(str(text))) == sorted(fields.findall(str(message.string))), text


def test_catalogue_compiles_into_a_folder(tmp_path: Path) -> None:
    catalogue.build(tmp_path)
    assert (tmp_path / "zh_Hans_CN" / "LC_MESSAGES" / "messages.mo").stat().st_size > 1000
    assert not list(tmp_path.rglob("*.tmp"))


SENTENCES = [
    *(f"camera top has a fault: {advice}" for advice in ADVICE.values()),
    "camera top is lost: camera SN0000 is in use by another program (Resource is in use)",
    "io is silent",
    "inspect is silent",
    "camera top is silent",
    "camera top does not answer: its process has ended",
    "camera top is stuck: work waits longer than a part may take",
    "camera top: its process runs, but says nothing yet",
    "camera top is lost: no device SN0000",
    "inspect does not answer: no sign of life from its process",
    "inspect is starting: a model failed and is loaded again: the model did not run: device lost",
    "inspect has a fault: golden picture scores wrong",
    "inspect has another job than io: a, expected b",
    "io: starting",
    "PLC: nothing is connected to 127.0.0.1 port 1502",
    "PLC: its heartbeat does not change",
    "PLC: TRIG_ENABLE is 0",
    "PLC: JOB_EXEC is 1, a job change is under way",
    "PLC: TRIGGER is still 1, it has to fall first",
    "line: 3 rejects in a row; mend it, then reset",
    "machine: input enable is not active",
    "commissioning: the gate is 30 mm too near: 300 mm from the eye, 330 mm needed (550 ms at 600 mm/s); "
    "it would do at up to 545 mm/s",
    "commissioning: this recipe was not checked yet: run parts, then `okng plc check --save`",
    "job change to 7, asked by plc: its recipe is read",
    "job change refused: recipe b.yaml: cannot be read",
    "job change refused: recipe 0123456789ab of job 8 is not signed as authored, approved",
    "recipe 0123456789ab of job 7 is not signed as approved",
    "recipe 0123456789ab of job 7 cannot be told to be signed: store/signed-recipes.json: No such file",
    "io: the job has changed, cameras and inspect have not been looked at since",
    "camera top is set up for another job than io's",
    "opcua holds the line: stopped by the MES",
    "records does not answer: 4 entries of the ledger are lost",
    *(f"FAULT {code.value}: {code.words}; then set FAULT_RESET" for code in FaultCode if code),
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_alarm_of_another_process_has_words_and_advice(sentence: str) -> None:
    chinese = {m.id: str(m.string) for m in catalogue.read("zh_Hans_CN")}
    said = words.alarm(sentence, lambda text: chinese[text])
    assert CHINESE.search(said["what"])
    assert CHINESE.search(said["todo"])
    assert "%(" not in said["what"]


@pytest.mark.parametrize(
    "sentence",
    [
        "score 7.10 above 4.00 in region cap",
        "brightness 12 outside 30..220 in region cap",
        "no finding in region cap",
        "canary: the model on trial objects",
        "canary: the model on trial gave no verdict: NaN in the heat map in region cap",
        "the model gave no number in region cap",
        "too late to be judged",
        "picture gone from the ring before it was read",
        "picture is 640x480, not 1280x960",
        "no picture: timeout",
        "no picture: camera lost",
        "no picture: job change",
        "no picture: missed trigger",
        "no picture: black",
        "no picture: overexposed",
        "no picture by camera side",
        "part not found in the picture",
        "code sn unreadable",
        "code lot-2 does not match",
        "box restarted",
        "scratch 0.92 above 0.60 in region body",
        "width 10.42 mm outside 9.80..10.20 in gap",
        "position -0.61 mm outside -0.50..0.50 in gap",
        "width min 9 px below 12 in gap",
        "count 3 above 0 in dirt",
        "2 of 3 views object to weld, limit 2",
        "mean 1.20 above 1.00 over the views of weld",
        "not all views of weld could be judged",
        "the model did not run: device lost in region bore",
        "no model at hand: device lost in region bore",
        "gap: no pair of edges as asked for",
    ],
)
def test_reason_of_a_verdict_has_words(sentence: str) -> None:
    chinese = {m.id: str(m.string) for m in catalogue.read("zh_Hans_CN")}
    assert CHINESE.search(words.reason_words(sentence, lambda text: chinese[text]))


def test_a_figure_is_said_whole() -> None:
    for sentence, wanted in (
        ("width 10.42 mm outside 9.80..10.20 in gap", "width 10.42 mm is outside 9.80 to 10.20 (gap)"),
        ("count 3 above 0 in dirt", "count 3 is above the limit 0 (dirt)"),
        ("scratch 0.92 above 0.60 in region body", "scratch 0.92 is above the limit 0.60 (body)"),
        ("score 7.10 above 4.00 in region cap", "Score 7.10 is above the limit 4.00 (cap)"),
    ):
        assert words.reason_words(sentence, str) == wanted


def test_each_fault_of_a_camera_has_words_of_its_own() -> None:
    said = {words.alarm(f"camera top has a fault: {advice}", str)["what"] for advice in ADVICE.values()}
    assert len(said) == len(ADVICE)
    assert words.alarm("camera top has a fault: something new", str)["what"] == "Camera top has a fault"


def test_unknown_sentence_is_shown_as_it_came() -> None:
    assert words.alarm("the moon is full", str) == {"what": "the moon is full", "todo": words.CALL}
    assert words.reason_words("the moon is full", str) == "the moon is full"


def test_colours_stand_only_in_the_tokens() -> None:
    colour = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?|hsla?)\(|:\s*(?:red|green|blue|black|white|grey|gray)\b")
    for path in sorted((STATIC / "css").glob("*.css")):
        if path.name != "tokens.css":
            assert not colour.findall(path.read_text(encoding="utf-8")), path.name
    for path in sorted(STATIC.glob("js/*.js")):
        assert not re.findall(r"[\"']#[0-9a-fA-F]{3,8}[\"']", path.read_text(encoding="utf-8")), path.name


def test_vendored_files_are_as_they_came_and_have_their_licence() -> None:
    vendor = STATIC / "vendor"
    listed = json.loads((vendor / "vendor.json").read_text(encoding="utf-8"))
    found = {path.relative_to(vendor).as_posix() for path in vendor.rglob("*.js")}
    assert found == listed.keys()
    for name, entry in listed.items():
        digest = base64.b64encode(hashlib.sha384((vendor / name).read_bytes()).digest()).decode()
        assert digest == entry["sha384"], name
        assert entry["licence"] == "MIT"
        assert "Permission is hereby granted" in (vendor / entry["licence_file"]).read_text(encoding="utf-8")


def test_pages_need_nothing_from_outside_and_nothing_inline() -> None:
    own = [*TEMPLATES.rglob("*.html"), *STATIC.glob("css/*.css"), *STATIC.glob("js/*.js"), *STATIC.glob("img/*.svg")]
    assert len(own) > 10
    for path in own:
        text = path.read_text(encoding="utf-8")
        outside = [link for link in re.findall(r"https?://[^\s\"'<>)]+", text) if "www.w3.org" not in link]
        assert not outside, path
        if path.name != "sheet.html":  # printed, not shown by a browser
            assert not re.search(r"\sstyle=|<style|\son\w+=\"|<script(?![^>]*\ssrc=)", text), path
