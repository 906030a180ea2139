"""A support bundle: whole enough to help, bounded, with every part summed, and without a secret, whatever is broken."""

import hashlib
import json
import time
import tomllib
import zipfile
from base64 import b32decode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from okng.appliance.support_door import support_bundle
from okng.bus.asks import Ask, new_id
from okng.bus.degraded import give_up
from okng.bus.heartbeat import Heartbeat
from okng.bus.rights import COMMANDS
from okng.bus.stacks import stacks_folder
from okng.identity.one_time import code_of, step_at
from okng.records.bookkeeping import rows
from okng.records.ledger import Ledger
from okng.records.tasks import records_desk
from okng.settings import Settings
from okng.workshop.support_archive import Archive
from okng.workshop.support_secrets import STRUCK, cleaned, shown_settings, struck_out

PLANTED = {
    "unknown": "hunter2-unknown-key",
    "url": "geheim-in-url",
    "username": "mqtt-user-0815",
    "badge": "badge-prefix-99",
    "file": "content-of-password-file",
    "mistyped": "a-password-as-port",
    "code": "barcode-of-customer",
    "hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
    "log": "logged-bearer-token",
    "pem": "MIIEvQIBADANBgkqhkiG9w0",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "api": "okng_S3cretT0kenOfTheInterface",
    "pin": "pin=482913",
    "trap": "snmp-community-word",
    "hook": "webhook-signing-secret",
    "query": "sig-in-query-string",
}
SETTINGS = f"""
recipe = "recipe.yaml"
surprise = "{PLANTED["unknown"]}"

[box]
run_dir = "run"

[camera.top]
driver = "video"
video = "rtsp://viewer:{PLANTED["url"]}@10.0.0.9/stream?auth={PLANTED["query"]}"
must_differ = true

[records]
store = "store"

[web]
port = "{PLANTED["mistyped"]}"
badge_prefix = "{PLANTED["badge"]}"
hook = {{ secret = "{PLANTED["hook"]}", community = "{PLANTED["trap"]}" }}

[mqtt]
host = "broker.plant"
username = "{PLANTED["username"]}"
password_file = "mqtt.password"

[[shift.codes]]
text = "{PLANTED["code"]}"
"""
SAID = f"""\
2026-11-26 login {PLANTED["username"]} with {PLANTED["file"]}
Authorization: Bearer {PLANTED["log"]}
stored {PLANTED["hash"]} for ann
-----BEGIN PRIVATE KEY-----
{PLANTED["pem"]}
-----END PRIVATE KEY-----
cookie = {PLANTED["jwt"]} and again {PLANTED["jwt"]} {PLANTED["aws"]} {PLANTED["api"]}
ann typed {PLANTED["pin"]}
asked rtsp://viewer:{PLANTED["url"]}@10.0.0.9/stream?auth={PLANTED["query"]}
community {PLANTED["trap"]}, then plainly {PLANTED["hook"]} and {PLANTED["unknown"]} {PLANTED["badge"]}
{PLANTED["code"]} was read
the line was READY at part 4711
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A box whose settings are wrong, whose ledger is noise, and whose processes are all dead."""
    for name in ("run", "store"):
        (tmp_path / name).mkdir()
    (tmp_path / "okng.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "mqtt.password").write_text(PLANTED["file"] + "\n", encoding="utf-8")
    (tmp_path / "okng.log").write_text(SAID, encoding="utf-8")
    (tmp_path / "store" / "ledger.db").write_bytes(b"SQLite format 3\0" + b"\xa5" * 9000)
    stacks_folder(tmp_path / "run").mkdir()
    (stacks_folder(tmp_path / "run") / "web.7.txt").write_text(SAID + "ValueError: it broke here\n", encoding="utf-8")
    give_up(tmp_path / "run", "web", "exit code 3")
    beat = Heartbeat(tmp_path / "run", "io")
    beat.close()
    return tmp_path


def made(box: Path, *asked: str) -> tuple[str, dict[str, bytes]]:
    out = box / "out.zip"
    done = CliRunner().invoke(support_bundle, ["--settings", str(box / "okng.toml"), "--out", str(out), *asked])
    assert done.exit_code == 0, done.output
    assert out.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(out) as archive:
        return done.output, {name: archive.read(name) for name in archive.namelist()}


def test_no_planted_secret_is_in_it_and_what_helps_is(box: Path) -> None:
    said, parts = made(box)
    whole = b"\n".join(parts.values()).decode()
    assert {name: secret for name, secret in PLANTED.items() if secret in whole} == {}
    assert "482913" not in whole
    assert "READY at part 4711" in parts["logs/okng.log"].decode()
    assert "it broke here" in parts["dumps/web.7.txt"].decode()
    settings = json.loads(parts["settings.json"])
    assert settings["camera"]["top"] == {
        "driver": "video" if settings["camera"]["top"]["driver"] == "video" else STRUCK,
        "video": "rtsp://***@10.0.0.9/stream?***",
        "must_differ": True,
    }
    assert settings["surprise"] == settings["web"]["port"] == settings["web"]["hook"] == STRUCK
    assert (settings["mqtt"]["host"], settings["mqtt"]["password_file"]) == ("broker.plant", "mqtt.password")
    processes = json.loads(parts["processes.json"])
    assert processes["processes"]["io"]["health"] == "lost"
    assert processes["given_up"][0]["name"] == "web"
    assert "see trouble.txt" in said


def test_nothing_of_a_second_factor_is_in_it(box: Path) -> None:
    """The ledger is whole here: its facts are in, and neither secret nor codes nor what is kept of them."""
    store = box / "store"
    (store / "ledger.db").unlink()
    with closing(Ledger(store)) as ledger:
        desk = records_desk(ledger, store, lambda: "", lambda _: None)

        def done(command: str, by: str, **body: object) -> dict[str, Any]:
            answer = desk.answer(Ask(new_id(), command, by, COMMANDS[command].right, "", body))
            assert answer.done, answer.detail
            return answer.body

        done("account.first", "", name="ann", password="correct horse")
        told = done("account.second_begin", "ann")
        secret = told["secret"].replace(" ", "")
        with (box / "okng.log").open("a", encoding="utf-8") as log:
            log.write(f"who scanned {told['address']} did well\n")
        code = code_of(b32decode(secret), step_at(time.time()))
        codes = done("account.second_confirm", "ann", code=code, secret="correct horse")["codes"]
        with ledger.transaction() as db:
            kept = [str(value) for row in rows(db, "select secret, key from second_factor") for value in row]
            kept += [str(value) for (value,) in rows(db, "select hash from recovery_code")]
    _, parts = made(box)
    assert json.loads(parts["ledger.json"])["counts"], "it was read"
    whole = b"\n".join(parts.values()).decode()
    assert "did well" in whole
    assert [hidden for hidden in (secret, *codes, *kept) if hidden in whole] == []


def test_it_is_whole_in_itself_and_names_what_could_not_be_had(box: Path) -> None:
    _, parts = made(box, "--pictures", "5")
    sums = json.loads(parts["manifest.json"])["sha256"]
    assert set(sums) == set(parts) - {"manifest.json"}
    assert all(hashlib.sha256(parts[name]).hexdigest() == each for name, each in sums.items())
    page = parts["index.md"].decode()
    assert all(f"| {name} |" in page for name in sums if name != "index.md")
    trouble = parts["trouble.txt"].decode()
    assert "ledger.json: BadLedger" in trouble
    assert "pictures:" in trouble
    assert "ledger.json: BadLedger" in page
    names = {each["name"].lower() for each in json.loads(parts["versions.json"])["packages"]}
    assert {"pydantic", "msgspec", "apsw"} <= names
    assert {one["name"] for one in json.loads(parts["machine.json"])["findings"]} >= {"disk", "clock", "memory"}


def test_a_box_of_which_nothing_is_left_still_gives_one(tmp_path: Path) -> None:
    (tmp_path / "okng.toml").write_text('[box\nsecret = "hunter2hunter2"', encoding="utf-8")
    _, parts = made(tmp_path)
    assert "settings.json: TOMLDecodeError" in parts["trouble.txt"].decode()
    assert b"hunter2hunter2" not in b"".join(parts.values())
    assert {"versions.json", "machine.json", "processes.json"} <= set(parts)


def test_what_does_not_fit_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("okng.workshop.support_archive.MOST_BYTES", 1000)
    archive = Archive()
    for name, size in (("a.txt", 600), ("logs/b.log", 500), ("c.txt", 300)):
        archive.add(name, b"x" * size)
    holds = archive.write(tmp_path / "out.zip", {"okng": "1"})
    assert "logs/b.log" not in holds
    assert "c.txt" in holds
    assert "logs/b.log (500 bytes)" in zipfile.ZipFile(tmp_path / "out.zip").read("index.md").decode()


def test_settings_are_shown_by_what_their_fields_may_be() -> None:
    text = """
recipe = "r.yaml"
[plc]
role = "modbus_server"
port = 502
host = "10.0.0.1"
[web]
port = 8080
language = "en"
badge_prefix = "~k7"
[records]
store = "/var/lib/okng/store"
[inspect]
standby = true
provider = "a password, where a word was expected"
"""
    shown = shown_settings(tomllib.loads(text), Settings)
    assert shown == {
        "recipe": "r.yaml",
        "plc": {"role": "modbus_server", "port": 502, "host": "10.0.0.1"},
        "web": {"port": 8080, "language": "en", "badge_prefix": STRUCK},
        "records": {"store": "/var/lib/okng/store"},
        "inspect": {"standby": True, "provider": STRUCK},
    }


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("s3://AKIDEXAMPLE:wJalr/XUtnFEMI/K7@bucket/p", ["wJalr/XUtnFEMI/K7", "AKIDEXAMPLE"]),
        ("https://bob-the-box:p@ssw0rd99@minio.plant", ["p@ssw0rd99", "ssw0rd99", "bob-the-box"]),
    ],
)
def test_a_password_in_an_address_may_hold_a_slash_or_an_at(address: str, secrets: list[str]) -> None:
    said = f"sync: cannot reach {address}: refused"
    content = {"sync": {"target": address}}
    known = struck_out(content, {"sync": {"target": cleaned(address)}})
    for text in (cleaned(said), cleaned(address), cleaned(f"login with {secrets[0]} failed", known)):
        assert not any(secret in text for secret in secrets), text


HARMLESS = (
    "inspect ended with code -9; started again",
    "recipe cap revision 0123456789ab with model ffff",
    "stopping the camera, a spinning thread, session opened for lea",
    "part 17 REJECT because ng, score 7.1 of 4.0",
    'File "okng/bus/ring.py", line 12, in read',
)


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_stays_readable(line: str) -> None:
    assert cleaned(line) == line


def test_every_key_of_free_text_was_thought_of() -> None:
    """A new key of free text is struck out until somebody says here that it is no secret, or that it is one."""
    from okng.tests.appliance.free_text import free_text
    from okng.workshop.support_secrets import SHOWN

    secret = {"web.badge_prefix", "web.badge_removed", "shift.codes.*.text", "mqtt.username"}
    found: set[Any] = set(free_text(Settings))
    assert found - SHOWN - secret == set()
    assert found >= secret
    assert found >= SHOWN, "a key that is gone"
