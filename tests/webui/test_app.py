"""The pages without a server and without a browser: what they answer, and what they refuse."""

import html
import math
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import ValidationError

from okng.bus.errors import BadLedger, BadPicture
from okng.bus.part import Measurement, Outcome
from okng.camera.frame import read_picture
from okng.records.image_history import ImageHistory
from okng.records.parcel import picture_path
from okng.records.read import LedgerReader, PartRow
from okng.records.views import ViewRow
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.rejects import PAGE
from okng.webui.watch import Watch

ClientOf = Callable[[Flask], FlaskClient]


@pytest.fixture
def client_of(client_class: type[FlaskClient]) -> ClientOf:
    def made(app: Flask) -> FlaskClient:
        app.test_client_class = client_class
        return app.test_client()

    return made


@pytest.fixture
def client(watch: Watch, client_on: Callable[..., FlaskClient]) -> FlaskClient:
    return client_on(watch)


def until(made: Any, what: str) -> Any:
    """Return made() as soon as it is true."""
    for _ in range(400):
        if found := made():
            return found
        time.sleep(0.02)
    raise AssertionError(what)


def said(watch: Watch, topic: str) -> Any:
    return until(lambda: watch.news.latest(topic), f"nothing was said on {topic}")


def test_every_page_carries_the_policy_and_its_language(client: FlaskClient) -> None:
    for path in ("/", "/rejects/", "/help", "/theme.css", "/nowhere"):
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/nowhere").status_code == 404
    assert b'<html lang="en"' in client.get("/").data
    client.post("/language", data={"language": "zh", "next": "/help"})
    page = client.get("/").get_data(as_text=True)
    assert '<html lang="zh-CN"' in page
    assert "运行" in page
    assert "English" in client.get("/menu").get_data(as_text=True)
    assert "剔除" in client.get("/rejects/").get_data(as_text=True)
    assert "三种判定" in client.get("/help").get_data(as_text=True)


@pytest.mark.parametrize("asked", ["https://example.org/", "//example.org", "/\\example.org", "x", "/a\r\nb", ""])
def test_language_switch_never_leaves_the_box(client: FlaskClient, asked: str) -> None:
    answer = client.post("/language", data={"language": "zh", "next": asked})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_language_switch_returns_to_its_page_and_refuses_others(client: FlaskClient) -> None:
    answer = client.post("/language", data={"language": "en", "next": "/rejects/?show=ng"})
    assert answer.headers["Location"] == "/rejects/?show=ng"
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert client.post("/language", data={"language": "xx"}).status_code == 400
    assert client.get("/language").headers["Location"] == "/menu"  # a form's answer asked for again
    assert client.put("/language").status_code == 405


def test_theme_carries_the_millimetre(line: Any, watch: Watch) -> None:
    app = create_app(WebOptions(mm=5.9), "x", watch, LedgerReader(line.store), line.store, line.run_dir)
    assert "--mm: 5.9px" in app.test_client().get("/theme.css").get_data(as_text=True)


def test_files_have_their_contents_in_their_address(client: FlaskClient) -> None:
    page = client.get("/").get_data(as_text=True)
    links = set(re.findall(r"/static/[0-9a-f]{12}/[^\"#]+", page))
    assert len(links) >= 4
    for link in links:
        answer = client.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    stale = re.sub(r"/static/[0-9a-f]{12}/", "/static/000000000000/", links.pop())
    assert client.get(stale).headers["Cache-Control"] == "no-store"
    assert client.get("/favicon.ico").status_code == 200
    for bad in ("/static/x/../app.py", "/static/x/..%2fapp.py", "/static/x/%2e%2e/app.py", "/static/x/etc/passwd"):
        assert client.get(bad).status_code == 404


@pytest.mark.parametrize(
    "key", [{"port": 0}, {"mm": 1.0}, {"language": "de"}, {"fps": 60}, {"max_streams": 40}, {"colour": "red"}]
)
def test_options_are_bounded(key: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebOptions.model_validate(key)


def test_nothing_is_encoded_while_nobody_looks(line: Any, watch: Watch) -> None:
    line.judge(Outcome.NG)
    until(lambda: (watch.news.latest("result") or {}).get("action") == "REJECT", "the part is not told")
    assert watch.news.latest("result")["frame"] == 0  # type: ignore[index]
    assert watch.easel.is_bare()
    assert watch.easel.newer(0, 0.0) is None


def test_picture_overlay_and_verdict_are_of_one_part(client: FlaskClient, line: Any, watch: Watch) -> None:
    watch.look()
    line.judge(Outcome.OK)
    line.judge(Outcome.NG)
    result = until(lambda: (r := said(watch, "result"))["frame"] and r["part"] == 2 and r, "no picture")
    answer = client.get("/frame.jpg?after=0")
    assert answer.status_code == 200
    assert answer.data[:2] == b"\xff\xd8"
    assert answer.headers["X-Frame"] == str(result["frame"])
    assert answer.headers["X-Part"] == "2"
    assert 0 <= int(answer.headers["X-Age-Ms"]) < 60_000
    over = client.get(f"/overlay.png?frame={result['frame']}&part=2")
    assert over.data.startswith(b"\x89PNG")
    assert (over.headers["X-Part"], over.headers["X-Frame"]) == ("2", str(result["frame"]))
    assert client.get(f"/overlay.png?frame={result['frame']}&part=1").status_code == 404
    assert client.get("/overlay.png?frame=nonsense&part=2").status_code == 404
    assert client.get(f"/frame.jpg?frame={result['frame']}").data == answer.data
    assert client.get("/frame.jpg?frame=1").status_code == 404
    assert client.get(f"/thumb/{result['key']}.jpg").data[:2] == b"\xff\xd8"
    assert client.get("/thumb/9-9.jpg").status_code == 404


def test_long_poll_waits_then_says_nothing_new(client: FlaskClient, line: Any, watch: Watch) -> None:
    watch.look()
    line.judge(Outcome.OK)
    frame = until(lambda: said(watch, "result")["frame"], "no picture")
    begun = time.monotonic()
    assert client.get(f"/frame.jpg?after={frame}").status_code == 204
    assert time.monotonic() - begun > 1.5
    # A number of another life of this process is not waited for.
    assert client.get("/frame.jpg?after=99999999999999").status_code == 200


def test_watcher_that_dies_says_so_and_ends_its_streams(line: Any, client_of: ClientOf) -> None:
    calls: list[str] = []

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    watch = Watch(line.run_dir, ("top",), WebOptions(), read=broken, died=lambda: calls.append("died"))
    app = create_app(WebOptions(), "x", watch, LedgerReader(line.store), line.store, line.run_dir)
    watch.start()
    said(watch, "heartbeat")
    watch.look()
    line.judge(Outcome.OK)
    until(lambda: not watch.alive(), "the watcher lives on")
    assert calls == ["died"]
    assert watch.news.closed
    assert client_of(app).get("/healthz").status_code == 503
    assert client_of(app).get("/").status_code == 200
    watch.close()


def test_picture_overwritten_in_the_ring_is_not_shown(line: Any, watch: Watch, client: FlaskClient) -> None:
    watch.look()
    ready = line.expose(1, 1, line.rng.integers(0, 255, (480, 640)).astype("uint8"))
    gone = replace(ready, sequence=ready.sequence + 2)
    assert read_picture(watch_shelf(line), ready) is not None
    assert read_picture(watch_shelf(line), gone) is None


def watch_shelf(line: Any) -> Any:
    from okng.bus.ring import RingShelf

    return RingShelf(line.run_dir)


def events_of(client: FlaskClient, count: int) -> list[str]:
    """The first events of a stream, which is then left like a viewer who goes away."""
    answer = client.get("/events", buffered=False)
    assert answer.mimetype == "text/event-stream"
    found: list[str] = []
    for chunk in answer.response:
        text = chunk.decode() if isinstance(chunk, bytes) else chunk
        found += [part for part in text.split("\n\n") if part]
        if len(found) >= count:
            break
    answer.close()
    return found


def test_stream_begins_with_everything_and_gives_its_slot_back(line: Any, watch: Watch) -> None:
    history = LedgerReader(line.store)
    app = create_app(WebOptions(max_streams=1), "line 1", watch, history, line.store, line.run_dir)
    line.judge(Outcome.NG)
    for topic in ("state", "counters", "heartbeat", "result", "film"):
        said(watch, topic)
    for _ in range(3):
        text = "\n".join(events_of(app.test_client(), 6))
        for topic in ("state", "counters", "heartbeat", "result", "film"):
            assert f"event: {topic}\n" in text
    assert "Score " in text
    held = app.test_client().get("/events", buffered=False)
    refused = app.test_client().get("/events")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "3")
    held.close()  # never read: its slot comes back all the same
    assert app.test_client().get("/events", buffered=False).status_code == 200


def test_stream_speaks_the_viewers_language(client: FlaskClient, line: Any, watch: Watch) -> None:
    line.reasons = ("PLC: TRIG_ENABLE is 0",)
    until(lambda: said(watch, "state")["reasons"] == ["PLC: TRIG_ENABLE is 0"], "the reason is not told")
    client.post("/language", data={"language": "zh"})
    assert "设备已关闭触发" in "\n".join(events_of(client, 4))


def test_heartbeat_tells_of_a_dead_inspect(line: Any, watch: Watch) -> None:
    until(lambda: said(watch, "heartbeat")["inspecting"], "the line does not come up")
    line.dead.add("inspect")
    beat = until(lambda: not (b := said(watch, "heartbeat"))["inspecting"] and b, "a dead inspect is not seen")
    assert beat["moving"] == {"camera": True, "inspect": False, "io": True}
    until(lambda: said(watch, "state")["reasons"] == ["inspect is silent"], "the reason is not told")


def test_run_asks_the_ledger_for_film_and_last_ng(client: FlaskClient, line: Any) -> None:
    assert client.get("/last-ng.json").json is None
    for outcome in (Outcome.NG, Outcome.OK, Outcome.UNJUDGED):
        line.judge(outcome)
    tiles = client.get("/film.json").json["tiles"]  # type: ignore[index]
    assert [(tile["part"], tile["outcome"]) for tile in tiles] == [(3, "UNJUDGED"), (1, "NG")]
    last = client.get("/last-ng.json").json
    assert last is not None
    assert last["part"] == 1
    assert client.get(last["picture_url"]).data.startswith(b"\x89PNG")
    assert client.get(last["thumb_url"]).data[:2] == b"\xff\xd8"
    assert client.get(last["overlay_url"]).data.startswith(b"\x89PNG")


def test_gallery_filters_and_pages(client: FlaskClient, line: Any) -> None:
    for number in range(PAGE + 6):
        line.judge(Outcome.OK if number % 10 == 9 else Outcome.UNJUDGED if number % 5 == 4 else Outcome.NG)

    def cards(query: str) -> tuple[list[int], str]:
        page = client.get(f"/rejects/?{query}").get_data(as_text=True)
        return [int(seq) for seq in re.findall(r'data-seq="(\d+)"', page)], page

    first, page = cards("show=rejects")
    assert len(first) == PAGE
    more = re.search(r'data-next="([^"]+)"', page)
    assert more is not None
    rest = client.get(more[1].replace("&amp;", "&")).get_data(as_text=True)
    assert "<html" not in rest
    second = [int(seq) for seq in re.findall(r'data-seq="(\d+)"', rest)]
    assert first + second == sorted({*first, *second}, reverse=True)
    assert len(first + second) == PAGE + 6 - 3
    assert len(cards("show=ok")[0]) == 3
    assert len(cards("show=unjudged")[0]) == 3
    assert client.get("/rejects/?show=nonsense").status_code == 404
    found, page = cards("part=7")
    assert len(found) == 1
    assert "No part with this number" in cards("part=99999")[1]
    moved = client.get("/rejects/part/7")
    assert moved.headers["Location"] == f"/rejects/{found[0]}"
    assert client.get("/rejects/part/99999").headers["Location"] == "/rejects/?find=99999"


def test_detail_shows_everything_of_a_part(client: FlaskClient, line: Any) -> None:
    line.judge(Outcome.NG, score=7.123)
    page = client.get("/rejects/1").get_data(as_text=True)
    for wanted in ("7.123", "4.000", "defect found", "ms from trigger to result", "acknowledged in time", "3f2a91c0"):
        assert wanted in page
    assert client.get("/rejects/2").status_code == 404
    assert client.get("/rejects/nonsense").status_code == 404


def test_detail_shows_figures_with_unit_and_limits_what_is_outside_first(client: FlaskClient, line: Any) -> None:
    line.figures = (
        Measurement("top", "gap", "width max", 10.1, "mm", 9.8, 10.2),
        Measurement("top", "dirt", "count", 3, "count", None, 0),
        Measurement("top", "<pin>", "likeness", math.nan, "", 0.5, None),
    )
    line.judge(Outcome.NG)
    for language, wanted in (
        ("en", ("gap · width, largest", "10.10 mm</b> · allowed 9.80 … 10.20", "3</b> · allowed ≤ 0 · outside")),
        ("zh", ("gap · 宽度, 最大", "10.10 mm</b> · 允许 9.80 … 10.20", "3</b> · 允许 ≤ 0 · 超限")),
    ):
        client.set_cookie("okng-language", language)
        page = html.unescape(client.get("/rejects/1").get_data(as_text=True))
        for words in wanted:
            assert words in page, words
        assert page.index("dirt · ") < page.index("gap · ")
        assert "–</b>" in page
    assert "&lt;pin&gt;" in client.get("/rejects/1").get_data(as_text=True)


def test_every_view_of_a_part_is_served_by_its_own_digest(
    feed: Any, run_dir: Path, tmp_path: Path, client_of: ClientOf
) -> None:
    line = feed.Line(run_dir, tmp_path / "store", cameras=("top", "side"))
    watch = Watch(run_dir, line.cameras, WebOptions())
    client = client_of(create_app(WebOptions(), "x", watch, LedgerReader(line.store), line.store, run_dir))
    line.judge(Outcome.NG, serial='A"<b>1')
    line.judge(Outcome.NG, serial='A"<b>1')
    (row,) = LedgerReader(line.store).rows(1)
    assert (row.camera, [view.camera for view in row.views]) == ("top", ["side"])
    all_held: tuple[PartRow | ViewRow, ...] = (row, *row.views)
    for held in all_held:
        answer = client.get(f"/rejects/{row.seq}/picture/{held.picture_sha256}")
        assert answer.data == (line.store / str(held.picture)).read_bytes()
        assert client.get(f"/rejects/{row.seq}/thumb/{held.picture_sha256}.jpg").data[:2] == b"\xff\xd8"
    other = row.views[0].picture_sha256
    assert client.get(f"/rejects/{row.seq - 1}/picture/{other}").status_code == 404
    page = client.get(f"/rejects/{row.seq}").get_data(as_text=True)
    assert "A&#34;&lt;b&gt;1" in page
    assert 'A"<b>1' not in page
    assert "A&#34;<b>1" not in page
    assert "read before: part 1" in page
    assert re.search(r"side: [+-][\d.]+, [+-][\d.]+ px, [+-][\d.]+° off", page)
    assert client.get("/film.json").json["tiles"][0]["views"][0]["camera"] == "side"  # type: ignore[index]
    (line.store / str(row.views[0].picture)).unlink()
    assert client.get(f"/rejects/{row.seq}/picture/{other}").status_code == 404
    line.close()


def test_each_camera_has_its_picture_and_its_heat_map_on_the_screen(
    feed: Any, run_dir: Path, client_of: ClientOf
) -> None:
    line = feed.Line(run_dir, run_dir / "store", cameras=("top", "side"))
    watch = Watch(run_dir, line.cameras, WebOptions())
    client = client_of(create_app(WebOptions(), "x", watch, LedgerReader(line.store), line.store, run_dir))
    watch.start()
    line.start()
    watch.look()
    said(watch, "state")
    line.judge(Outcome.NG)
    result = until(lambda: (r := said(watch, "result"))["views"] and r["frame"] and r, "no second view")
    assert (result["camera"], [view["camera"] for view in result["views"]]) == ("top", ["side"])
    frame, part = result["frame"], result["part"]
    pictures = {camera: client.get(f"/frame.jpg?frame={frame}&camera={camera}").data for camera in line.cameras}
    assert all(data[:2] == b"\xff\xd8" for data in pictures.values())
    assert pictures["top"] != pictures["side"]
    assert client.get(f"/frame.jpg?frame={frame}").data == pictures["top"]
    maps = [client.get(f"/overlay.png?frame={frame}&part={part}&camera={camera}").data for camera in line.cameras]
    assert maps[0] != maps[1]
    for address in (f"/frame.jpg?frame={frame}&camera=x", f"/overlay.png?frame={frame}&part={part}&camera=x"):
        assert client.get(address).status_code == 404
    watch.close()
    line.close()


def test_what_a_scanner_sends_is_looked_for(client: FlaskClient, line: Any) -> None:
    line.judge(Outcome.OK, serial="(01)0401<GS>21A7")
    line.judge(Outcome.OK, serial="21A7")
    for query, count in (("(01)0401%1D21A7", 1), ("(01)0401%3CGS%3E21A7", 1), ("%20(01)0401", 1), ("2", 1), ("zz", 0)):
        page = client.get(f"/rejects/?find={query}").get_data(as_text=True)
        assert page.count('class="card"') == count, query
    assert client.get(f"/rejects/?find={'9' * 5000}").status_code == 200


def test_a_picture_that_cannot_be_read_is_complained_of_once(line: Any, caplog: pytest.LogCaptureFixture) -> None:
    def unreadable(*_: object) -> None:
        raise BadPicture("plan-1.json: there is no such plan")

    watch = Watch(line.run_dir, ("top",), WebOptions(), read=unreadable)
    watch.start()
    watch.look()
    said(watch, "heartbeat")
    for _ in range(3):
        line.judge(Outcome.NG)
        until(lambda: (watch.news.latest("result") or {}).get("part") == line.part, "the part is not told")
    assert watch.news.latest("result")["frame"] == 0  # type: ignore[index]
    watch.close()
    assert caplog.text.count("without its picture") == 1


def test_part_number_of_the_ledger_is_escaped(client: FlaskClient, line: Any) -> None:
    page = client.get('/rejects/?part="><b>x').get_data(as_text=True)
    assert "<b>x" not in page


def row_of(line: Any) -> PartRow:
    line.judge(Outcome.NG)
    return LedgerReader(line.store).rows(1)[0]


def test_picture_needs_its_own_digest_and_says_when_it_was_shed(client: FlaskClient, line: Any) -> None:
    row = row_of(line)
    assert client.get(f"/rejects/1/picture/{row.picture_sha256}").status_code == 200
    assert client.get(f"/rejects/1/picture/{'0' * 64}").status_code == 404
    assert client.get("/rejects/1/picture/..%2f..%2fledger.db").status_code == 404
    assert row.picture is not None
    (line.store / row.picture).unlink()
    assert client.get(f"/rejects/1/picture/{row.picture_sha256}").status_code == 404
    assert "was shed" in client.get("/rejects/1").get_data(as_text=True)


def test_path_of_a_row_never_leaves_the_store(line: Any, tmp_path: Path) -> None:
    row = row_of(line)
    assert picture_path(line.store, row) is not None
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"x")
    link = line.store / "link.png"
    link.symlink_to(secret)
    for bad in (str(secret), "../../etc/passwd", f"pictures/../../{secret}", "link.png", ".", "gone.png"):
        assert picture_path(line.store, replace(row, picture=bad)) is None
    assert picture_path(line.store, replace(row, picture_kept=False)) is None


def test_picture_that_does_not_decode_is_no_thumbnail(client: FlaskClient, line: Any) -> None:
    row = row_of(line)
    assert row.picture is not None
    (line.store / row.picture).write_bytes(b"not a picture")
    assert client.get(f"/rejects/1/thumb/{row.picture_sha256}.jpg").status_code == 404


class NoHistory:
    """A ledger that cannot be read."""

    def rows(
        self,
        limit: int,
        before_seq: int | None = None,
        action: str | None = None,
        outcome: str | None = None,
        text: str | None = None,
        find: str | None = None,
    ) -> list[PartRow]:
        raise BadLedger("history unavailable: locked")

    def row(self, seq: int) -> PartRow | None:
        raise BadLedger("history unavailable: locked")

    def image(self, camera: str, limit: int) -> ImageHistory:
        raise BadLedger("history unavailable: locked")

    def alarm_since(self, camera: str, cause: str) -> str | None:
        raise BadLedger("history unavailable: locked")


def test_without_history_live_goes_on(line: Any, watch: Watch, client_of: ClientOf) -> None:
    client = client_of(create_app(WebOptions(), "x", watch, NoHistory(), line.store / "none", line.run_dir))
    assert client.get("/").status_code == 200
    assert client.get("/film.json").json == {"tiles": [], "history": False}
    assert client.get("/last-ng.json").json is None
    page = client.get("/rejects/")
    assert page.status_code == 200
    assert "History unavailable" in page.get_data(as_text=True)
    assert "History unavailable" in client.get("/image/").get_data(as_text=True)
    detail = client.get("/rejects/1")
    assert detail.status_code == 503
    assert "History unavailable" in detail.get_data(as_text=True)
    watch.look()
    line.judge(Outcome.OK)
    assert until(lambda: said(watch, "result")["frame"], "no picture")
