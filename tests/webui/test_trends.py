"""Trends, report and study without a browser: one truth on all pages, PDFs in both languages, rights."""

import json
import os
import re
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from okng.bus.errors import BadLedger
from okng.bus.part import Outcome
from okng.records.figures_read import FiguresReader
from okng.records.read import LedgerReader
from okng.webui.papers import date_minute
from okng.webui.period import days, period_of, shifts
from okng.webui.plots import histogram, pareto
from okng.webui.press import Press
from okng.webui.watch import Watch


@pytest.fixture
def client(people: Any, watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch, sign_ins_a_minute=1000, ideal_per_min=60)


def sums_of(page: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r'data-sum="(\w+)">(\d+)<', page)}


def test_run_trends_and_report_tell_the_same_sums(
    client: FlaskClient, people: Any, sign_in: Callable[..., None]
) -> None:
    for outcome in (Outcome.OK, Outcome.NG, Outcome.OK, Outcome.UNJUDGED, Outcome.NG, Outcome.OK, Outcome.OK):
        people.judge(outcome)
    counted = people.counters
    trends = client.get("/trends/?span=8h").get_data(as_text=True)
    sign_in(client, "lead")
    report = client.get("/report/?period=8h").get_data(as_text=True)
    told = sums_of(trends)
    assert told == sums_of(report)
    assert (told["triggered"], told["ok"], told["ng"]) == (counted.triggers, counted.ok, counted.ng)
    assert told["rejected"] == counted.ng + counted.unjudged
    assert told["triggered"] == told["ok"] + told["rejected"] + told["challenge"] + told["bypass"]
    series = client.get("/trends/series.json?span=8h").get_json()
    assert sum(series["yield"]["parts"]) == counted.triggers
    table = client.get("/trends/figures.csv?span=8h").get_data(as_text=True).splitlines()
    assert table[-1].split(",")[:4] == ["total", str(counted.triggers), str(counted.ok), str(counted.ng)]
    assert "attachment" in client.get("/trends/figures.csv").headers["Content-Disposition"]


def test_pages_say_so_when_the_history_cannot_be_read(
    client: FlaskClient, people: Any, sign_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(client, "lead")

    def broken(*_: object) -> None:
        raise BadLedger("history unavailable")

    for name in ("sums", "happened"):
        monkeypatch.setattr(FiguresReader, name, broken)
    for path in ("/trends/", "/report/?period=8h"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "History unavailable" in answer.get_data(as_text=True)
    assert client.get("/trends/series.json").get_json() is None
    assert client.get("/trends/figures.csv").status_code == 503
    assert client.get("/report/choose").status_code == 200


@pytest.mark.parametrize("path", ["/report/", "/report/choose", "/study/", "/study/new", "/papers/x.pdf"])
def test_who_may_see_what(client: FlaskClient, sign_in: Callable[..., None], path: str) -> None:
    assert client.get(path).status_code == 302
    sign_in(client, "op")
    assert client.get(path).status_code == 403
    assert client.get("/trends/").status_code == 200


@pytest.mark.parametrize(
    "key", ["x", "day:x", "day:2026-13-01", "shift:2026-01-01T00:00", "shift:'", "lot:", "lot:none", "9h", "day"]
)
def test_a_period_that_is_none_is_not_found(client: FlaskClient, sign_in: Callable[..., None], key: str) -> None:
    sign_in(client, "lead")
    assert client.get("/report/", query_string={"period": key}).status_code == 404
    assert client.get("/trends/", query_string={"span": key}).status_code == 404


def journal(people: Any, at: str, stream: str, event: str, body: dict[str, Any]) -> None:
    with people.ledger.transaction() as db:
        sql = "insert into journal (at, stream, key, event, who, body) values (?, ?, '', ?, 'lead', ?)"
        db.execute(sql, (at, stream, event, json.dumps(body)))


def test_shifts_join_and_the_last_one_runs(people: Any, watch: Watch) -> None:
    reader, now = FiguresReader(people.store), "2026-11-23T20:30:00.000Z"
    for begin, name in (("05:00", "early"), ("13:00", "late")):
        since = f"2026-11-23T{begin}:00.000Z"
        journal(people, since, "shift", "begun", {"shift": name, "since": since})
    found = shifts(reader, watch, now)
    assert [(one.name, one.since, one.until[:16], one.running) for one in found] == [
        ("late", "2026-11-23T13:00", "2026-11-23T20:30", True),
        ("early", "2026-11-23T05:00", "2026-11-23T13:00", False),
    ]
    early = period_of("shift:2026-11-23T05:00", reader, watch, now)
    assert early is not None
    assert (early.name, early.minutes, early.step_min, early.running) == ("early", 480, 10, False)
    week = period_of("7d", reader, watch, now)
    assert week is not None
    assert (week.minutes, week.step_min) == (168 * 60, 60)
    assert len(days(now)) == 7


def test_the_report_tells_what_happened(client: FlaskClient, people: Any, sign_in: Callable[..., None]) -> None:
    people.judge(Outcome.NG)
    now = time.time()

    def at(minutes: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - 60 * minutes))

    journal(people, at(60), "challenge", "started", {"recipe": "tile", "occasion": "start"})
    held = {"from": at(90), "to": at(55), "first": 3, "last": 9}
    journal(people, at(55), "challenge", "failed", {"recipe": "tile", "occasion": "start", "why": "", "hold": held})
    journal(people, at(50), "challenge", "hold released", {"recipe": "tile", **held, "reason": "looked at by hand"})
    journal(people, at(40), "bypass", "set", {"minutes": 20, "reason": "valve", "since": at(40)})
    journal(people, at(25), "bypass", "ended", {"since": at(40), "until": at(25)})
    journal(people, at(20), "alarm", "raised", {"fill": {"count": "5"}})
    journal(people, at(15), "inspection", "stopped", {"reason": "belt"})
    sign_in(client, "lead")
    page = client.get("/report/?period=8h").get_data(as_text=True)
    for words in ("FAILED", "records 3 to 9", "looked at by hand", "valve", "15.0 min in all", "belt", "9f8e7d6c" * 8):
        assert words in page
    assert "Do not sign" not in page
    client.post("/language", data={"language": "zh", "next": "/"})
    page = client.get("/report/?period=8h").get_data(as_text=True)
    assert "未通过" in page
    assert "隔离的产品" in page


def unpacked(pdf: bytes) -> bytes:
    """Every stream of a PDF, unpacked."""
    found = b""
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            found += zlib.decompress(packed)
        except zlib.error:
            continue
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_pdf_is_made_aside_and_never_overwritten(
    client: FlaskClient, people: Any, sign_in: Callable[..., None], language: str
) -> None:
    pytest.importorskip("weasyprint")
    people.judge(Outcome.NG)
    sign_in(client, "lead")
    client.post("/language", data={"language": language, "next": "/"})
    since = time.strftime("%Y-%m-%dT00:00:00.000Z", time.gmtime(time.time() - 86_400))
    until = time.strftime("%Y-%m-%dT%H:%M:00.000Z", time.gmtime(time.time() - 60))
    journal(people, since, "shift", "begun", {"shift": "early", "since": since})
    journal(people, until, "shift", "begun", {"shift": "late", "since": until})
    path = f"/report/paper?period=shift:{since[:16]}"
    begun = time.monotonic()
    answer = client.post(path, headers={"Accept": "application/json"})
    assert time.monotonic() - begun < 3  # the click does not wait for the PDF
    look = answer.get_json()["look"]
    for _ in range(400):
        state = client.get(look).get_json()
        if state["state"] != "working":
            break
        time.sleep(0.1)
    assert state["state"] == "done", state
    paper = client.get(state["url"])
    assert paper.data.startswith(b"%PDF-")
    assert len(paper.data) > 8000
    glyphs = unpacked(paper.data)
    assert b"NotoSans" in glyphs or b"DejaVu" in glyphs
    # What a reader of the file would copy out of it: the map from glyphs to letters has the character of "report".
    assert (b"62a5" in glyphs.lower()) == (language == "zh")
    held = people.run_dir / "papers" / Path(state["url"]).name
    stamp = held.stat().st_mtime_ns
    again = client.post(path, headers={"Accept": "application/json"}).get_json()["look"]
    assert again == look
    assert client.get(again).get_json()["state"] == "done"
    assert held.stat().st_mtime_ns == stamp
    assert client.get("/papers/none-1.pdf").status_code == 404
    assert client.get("/papers/none-1.json").status_code == 404


def test_the_press_makes_one_at_a_time_and_fetches_nothing(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    press = Press(run_dir)
    release = []
    monkeypatch.setattr(press, "_make", lambda name, html: release.append(name))
    first = press.order("a / b: ..", "<p>1</p>")
    assert re.fullmatch(r"a-b-[0-9a-f]{10}", first)
    assert press.order("a / b: ..", "<p>1</p>") == first
    assert press.order("c", "<p>2</p>") == ""  # busy: asked for again later
    assert press.state(first) == "working"
    assert press.state("../x") == "none"


def test_a_pdf_that_cannot_be_made_is_said(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    press = Press(run_dir)
    monkeypatch.setattr("okng.webui.press.sys.executable", "/bin/false")
    name = press.order("x", "<p>")
    for _ in range(200):
        if press.state(name) != "working":
            break
        time.sleep(0.02)
    assert press.state(name) == "failed"
    assert press.file(name) is None


def test_pdfs_go_by_number_and_by_age(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("okng.webui.press.KEPT", 2)
    days = [0]
    press = Press(run_dir, lambda: days[0])
    folder = run_dir / "papers"
    folder.mkdir()
    for age in (0, 5, 40):
        (folder / f"d{age}.pdf").touch()
        os.utime(folder / f"d{age}.pdf", (time.time() - age * 86_400,) * 2)
    press._clear()
    assert sorted(file.name for file in folder.iterdir()) == ["d0.pdf", "d5.pdf"]
    days[0] = 3
    press._clear()
    assert [file.name for file in folder.iterdir()] == ["d0.pdf"]


def test_bars_add_up_and_moments_are_local() -> None:
    from okng.records.figures_read import Bar, ScoreBins

    bars = pareto([Bar(f"k{n}", "r", 20 - n) for n in range(12)])
    assert sum(bar.parts for bar in bars) == sum(20 - n for n in range(12))
    assert bars[-1].rest == 4
    assert bars[-1].running == 1
    plot = histogram(ScoreBins((0,) * 18 + (3, 2) + (0,) * 21, (0,) * 40 + (4,)))
    assert (plot.parts, plot.near) == (9, 5)
    assert histogram(ScoreBins((0,) * 41, (0,) * 41)).ok == ""
    assert date_minute("no time") == "no time"
    assert date_minute("2026-11-23T08:15")[:10] in ("2026-11-23", "2026-11-22")


def test_a_study_is_stored_and_told(client: FlaskClient, people: Any, sign_in: Callable[..., None]) -> None:
    for n in range(12):
        people.judge(Outcome.NG if n % 2 else Outcome.OK)
    sign_in(client, "lead")
    assert "No study yet" in client.get("/study/").get_data(as_text=True)
    page = client.get("/study/reference?name=x&operator=op&operator=lead&count=20&repeats=2")
    assert page.status_code == 200
    rows = LedgerReader(people.store).rows(limit=20)
    reference = {str(row.seq): "defect" if row.outcome == "NG" else "good" for row in rows if row.picture_kept}
    about = {"name": "first", "operators": ["op", "lead"], "repeats": 2, "reference": reference}
    begun = client.post("/study/begin", json=about).get_json()
    assert begun["done"], begun
    study = begun["url"]
    assert client.get(f"{study}/look?operator=nobody").status_code == 404
    assert client.get("/study/999").status_code == 404
    for operator in ("op", "lead"):
        for number in (1, 2):
            for seq, truth in reference.items():
                wrong = operator == "op" and truth == "defect" and number == 2 and seq == min(reference)
                body = {"seq": int(seq), "round": number, "operator": operator, "took_ms": 900}
                body["truth"] = "good" if wrong else truth
                assert client.post(f"{study}/answer", json=body).get_json()["done"]
    assert client.post(f"{study}/answer", json={"seq": 1, "truth": "perhaps"}).status_code == 400
    told = client.get(study).get_data(as_text=True)
    assert "Do not judge by κ alone" in told
    assert 'data-who="box"' in told
    client.post(f"{study}/close")
    closed = client.get(study).get_data(as_text=True)
    assert "Close the study" not in closed
    assert client.get(f"{study}/look?operator=op").status_code == 404
    assert not client.post(f"{study}/answer", json=body).get_json()["done"]


def test_sheets_hold_what_the_pages_say(
    client: FlaskClient, people: Any, sign_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    people.judge(Outcome.NG)
    people.judge(Outcome.OK)
    sheets: list[str] = []

    def keep(_: Press, title: str, html: str) -> str:
        sheets.append(html)
        return title[:9]

    monkeypatch.setattr(Press, "order", keep)
    sign_in(client, "lead")
    rows = LedgerReader(people.store).rows(limit=20)
    reference = {str(row.seq): "good" for row in rows}
    study = client.post("/study/begin", json={"operators": ["op"], "reference": reference}).get_json()["url"]
    body = {"seq": rows[0].seq, "round": 1, "operator": "op", "truth": "good"}
    assert client.post(f"{study}/answer", json=body).get_json()["done"]
    for path in ("/trends/paper?span=8h", "/report/paper?period=8h", f"{study}/paper"):
        answer = client.post(path, headers={"Accept": "application/json"})
        assert answer.get_json()["look"].startswith("/papers/okng-")
        assert client.post(path).headers["Location"].partition("paper=")[2].startswith("okng-")
    for sheet in sheets:
        assert "@page" in sheet
        assert "src=" not in sheet
        assert "Lea Lead" in sheet or "Agreement study" in sheet
    told = [sums_of(sheet) for sheet in sheets[:4]]
    assert told[0] == told[2]
    assert told[0]["triggered"] == 2
    assert "Signature" in sheets[2]
    assert "Do not judge by κ alone" in sheets[4]


def test_nobody_can_learn_the_order_and_it_stays() -> None:
    from okng.webui.study_parts import order

    seqs = list(range(40))
    orders = [order(1, who, number, seqs) for who in ("a", "b") for number in (1, 2)]
    assert all(sorted(one) == seqs for one in orders)
    assert len({tuple(one) for one in orders}) == 4
    assert order(1, "a", 1, seqs) == orders[0]
