"""The API: its document, tokens, what may be read and asked, the stream that is resumed, the export, the figures."""

import csv
import http.client
import io
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from okng.bus.asks import Ask, new_id
from okng.bus.part import Outcome
from okng.bus.rights import COMMANDS, RIGHTS
from okng.records.people_read import PeopleReader
from okng.records.read import LedgerReader
from okng.webui.api.bodies import BODIES, INSIDE
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch


@pytest.fixture
def client(people: Any, watch: Watch) -> FlaskClient:
    """Without the token of a page: programs have none."""
    history = LedgerReader(people.store)
    return create_app(WebOptions(), "line 1", watch, history, people.store, people.run_dir).test_client()


def token_of(line: Any, *rights: str, name: str = "mes") -> dict[str, str]:
    """Header of a fresh token, made by the administrator."""
    answer = line.ask("token.make", {"name": name, "rights": list(rights)}, who="admin")
    assert answer.done, answer.detail
    return {"Authorization": f"Bearer {answer.body['token']}"}


def test_the_document_names_every_command_with_its_right(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").get_json()
    assert document["openapi"].startswith("3.")
    offered = {path.rpartition("/")[2] for path in document["paths"] if "/commands/" in path}
    assert offered == set(COMMANDS) - INSIDE
    for name in offered:
        right = COMMANDS[name].right
        text = document["paths"][f"/api/v1/commands/{name}"]["post"]["description"]
        assert f"`{right or 'none'}`" in text
    assert set(BODIES) <= set(COMMANDS)
    assert "http" not in json.dumps(document.get("servers", []))


def test_without_a_token_nothing_is_read_or_asked(client: FlaskClient) -> None:
    for path in ("/api/v1/parts", "/api/v1/people", "/api/v1/audit", "/api/v1/export", "/api/v1/stream", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == 401, path
    assert client.get("/api/v1/parts").get_json()["error"] == "unauthorized"
    wrong = {"Authorization": "Bearer okng_wrong"}
    assert client.get("/api/v1/parts", headers=wrong).status_code == 401
    assert client.post("/api/v1/commands/lot.set", json={"lot": "L1"}, headers=wrong).status_code == 401
    assert client.get("/api/v1/nowhere").get_json()["error"] == "not_found"


def test_a_token_does_what_its_rights_say_and_no_more(people: Any, client: FlaskClient) -> None:
    seq = _judged(people, Outcome.NG)
    bearer = token_of(people, "part.review", "part.label")
    found = client.get("/api/v1/parts?outcome=NG", headers=bearer).get_json()["parts"]
    assert [part["seq"] for part in found] == [seq]
    assert client.get(f"/api/v1/parts/{seq}", headers=bearer).get_json()["part"] == found[0]["part"]
    assert client.get("/api/v1/parts/999999", headers=bearer).status_code == 404
    assert client.get("/api/v1/people", headers=bearer).status_code == 403
    body = {"seq": seq, "truth": "good", "reason": "seen by hand"}
    first = client.post("/api/v1/commands/label.set", json={**body, "id": "a1"}, headers=bearer)
    again = client.post("/api/v1/commands/label.set", json={**body, "id": "a1"}, headers=bearer)
    assert first.status_code == again.status_code == 200, first.get_json()
    assert first.get_json() == again.get_json()  # the same id is not done twice
    rows = client.get(f"/api/v1/labels/{seq}", headers=bearer).get_json()["rows"]
    assert [(row["truth"], row["who"]) for row in rows] == [("good", "token mes")]
    assert LedgerReader(people.store).row(seq).outcome == "NG"  # type: ignore[union-attr]  # a label changes no result


def test_what_is_wrong_with_a_request_is_said(people: Any, client: FlaskClient) -> None:
    bearer = token_of(people, *RIGHTS)
    for name, body in (
        ("label.set", {"seq": 0, "truth": "good"}),
        ("label.set", {"seq": 1, "truth": "fine"}),
        ("bypass.set", {"minutes": 121}),
        ("lot.set", {"lott": "x"}),
        ("alarm.ack", {}),
    ):
        answer = client.post(f"/api/v1/commands/{name}", json=body, headers=bearer)
        assert (answer.status_code, answer.get_json()["error"]) == (422, "invalid"), (name, answer.get_json())
        assert answer.get_json()["detail"]
    assert client.get("/api/v1/parts?limit=0", headers=bearer).status_code == 422
    assert client.get("/api/v1/parts?colour=red", headers=bearer).status_code == 422
    answer = client.post("/api/v1/commands/label.set", json={"seq": 4711, "truth": "good"}, headers=bearer)
    assert (answer.status_code, answer.get_json()["error"]) == (409, "refused")
    assert "4711" in answer.get_json()["detail"]


def test_a_silent_owner_is_no_answer(people: Any, client: FlaskClient) -> None:
    force = {"output": "line_stop", "on": True, "seconds": 5}
    answer = client.post("/api/v1/commands/force.set", json=force, headers=token_of(people, "io.force"))
    assert (answer.status_code, answer.get_json()["error"]) == (503, "no_answer")


def test_what_the_api_takes_is_what_the_owner_takes(people: Any, client: FlaskClient) -> None:
    """One body for a command whose owner would refuse it for its shape is a command nobody can give."""
    shift = {"challenge.confirm": {"removed": True, "part": 7}, "challenge.start": {}, "challenge.sign": {"run": 3}}
    shift |= {"inspection.start": {"maintenance": True}}
    bearer = token_of(people, "challenge.run", "challenge.sign", "inspection.run")
    for name, body in shift.items():
        answer = client.post(f"/api/v1/commands/{name}", json=body, headers=bearer)
        assert answer.status_code in (200, 409, 503), (name, answer.get_json())  # not 422
    answer = client.post("/api/v1/commands/challenge.confirm", json={"sample": "C1"}, headers=bearer)
    assert answer.status_code == 422


def test_no_program_says_that_a_second_person_was_there(people: Any, client: FlaskClient) -> None:
    bearer = token_of(people, "model.activate")
    forged = {"job": 1, "bundle": "0" * 64, "second": {"name": "lead"}}
    for name in ("model.activate", "model.back"):
        for body in (forged, {"body": forged}):
            assert client.post(f"/api/v1/commands/{name}", json=body, headers=bearer).status_code == 422, (name, body)


def test_an_ended_token_is_nobody(people: Any, client: FlaskClient) -> None:
    bearer = token_of(people, "part.review")
    assert client.get("/api/v1/parts", headers=bearer).status_code == 200
    (token,) = PeopleReader(people.store).tokens()
    assert people.ask("token.end", {"token": token.id}, who="admin").done
    assert client.get("/api/v1/parts", headers=bearer).status_code == 401


def test_no_secret_and_no_hash_ever_leaves(people: Any, client: FlaskClient) -> None:
    bearer = token_of(people, *RIGHTS)
    hook = {"url": "http://127.0.0.1:9/x", "events": ["alarm"], "secret": "very-secret-indeed"}
    assert client.post("/api/v1/commands/webhook.set", json=hook, headers=bearer).status_code == 200
    for path in ("people", "tokens", "webhooks", "audit?limit=500"):
        text = client.get(f"/api/v1/{path}", headers=bearer).get_data(as_text=True)
        assert "very-secret-indeed" not in text
        assert not re.search(r"\$argon2|okng_[A-Za-z0-9_-]{20}", text), path


def test_the_figures_for_prometheus_add_up(people: Any, client: FlaskClient) -> None:
    for outcome in (Outcome.OK, Outcome.OK, Outcome.NG, Outcome.UNJUDGED):
        people.judge(outcome)
    bearer = token_of(people, "diagnostics.read")
    for _ in range(100):
        text = client.get("/metrics", headers=bearer).get_data(as_text=True)
        if "okng_triggers_total 4.0" in text:
            break
    found = {name: float(value) for name, value in re.findall(r"^(okng_\S+) (\S+)$", text, re.MULTILINE)}
    outcomes = [value for name, value in found.items() if name.startswith("okng_parts_total")]
    assert found["okng_triggers_total"] == sum(outcomes) + found["okng_in_flight"] == 4
    assert 'okng_heartbeat_age_seconds{process="io"}' in text


def test_the_export_is_the_ledger(people: Any, client: FlaskClient) -> None:
    for outcome in (Outcome.OK, Outcome.NG, Outcome.NG):
        people.judge(outcome)
    bearer = token_of(people, "part.export")
    answer = client.get("/api/v1/export?format=csv", headers=bearer)
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["outcome"] for row in rows] == ["OK", "NG", "NG"]
    lines = client.get("/api/v1/export?format=jsonl", headers=bearer).get_data(as_text=True).splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["OK", "NG", "NG"]
    assert client.get("/api/v1/export?format=parquet", headers=bearer).data[:4] == b"PAR1"


def test_a_stream_that_is_resumed_misses_nothing_and_repeats_nothing(people: Any, serve: Any) -> None:
    bearer = token_of(people, "part.review")
    first = [_judged(people, Outcome.OK) for _ in range(3)]
    server = serve(people.run_dir)
    got, _ = _follow(server.port, bearer, last=0, wanted=2)
    assert got == first[:2]
    server.stop()
    while_away = [_judged(people, Outcome.NG) for _ in range(2)]
    server = serve(people.run_dir)
    more, parts = _follow(server.port, bearer, last=got[-1], wanted=3)
    assert more == [first[2], *while_away]
    assert [part["outcome"] for part in parts] == ["OK", "NG", "NG"]


def _follow(port: int, bearer: dict[str, str], last: int, wanted: int) -> tuple[list[int], list[dict[str, Any]]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/v1/stream", headers={**bearer, "Last-Event-ID": str(last)})
    answer = connection.getresponse()
    assert answer.status == 200
    ids: list[int] = []
    parts: list[dict[str, Any]] = []
    while len(parts) < wanted:
        text = answer.readline().decode()
        if text.startswith("id: "):
            ids.append(int(text[4:]))
        elif text.startswith("data: "):
            parts.append(json.loads(text[6:]))
    connection.close()
    return ids, parts


def _judged(line: Any, outcome: Outcome) -> int:
    line.judge(outcome)
    return LedgerReader(line.store).rows(limit=1)[0].seq


def test_an_ask_of_the_inside_is_not_offered(people: Any, client: FlaskClient) -> None:
    bearer = token_of(people, *RIGHTS)
    for name in INSIDE:
        assert client.post(f"/api/v1/commands/{name}", json={}, headers=bearer).status_code == 404
    assert Ask(new_id(), "journal.add", "", "").name in INSIDE


def test_an_alarm_is_reset_by_its_key_as_its_owner_asks_for_it() -> None:
    assert set(BODIES["alarm.reset"].model_fields) == {"id", "reason", "key"}
