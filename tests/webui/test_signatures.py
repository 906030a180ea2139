"""Electronic signatures and tamper evidence on the screens: what is signed, by whom, and what a proof says."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from okng.bus.part import Outcome
from okng.records.read import LedgerReader
from okng.records.seal_read import SealReader
from okng.webui.app import create_app
from okng.webui.options import WebOptions
from okng.webui.watch import Watch

from . import page_checks as checks

FAST = WebOptions(sign_ins_a_minute=10_000, api_a_minute=1_000_000)
MODEL = {"kind": "model", "name": "cap 1.0", "digest": "cd" * 32}


@pytest.fixture
def as_(people: Any, client_class: type[FlaskClient], sign_in: Any) -> Any:
    """`as_("eng")`: a client of that person at the panel."""

    def make(name: str) -> FlaskClient:
        watch = Watch(people.run_dir, ("top",), WebOptions())
        app = create_app(FAST, "line 1", watch, LedgerReader(people.store), people.store, people.run_dir)
        app.test_client_class = client_class
        made = app.test_client()
        sign_in(made, name)
        return made

    return make


def text_of(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def test_a_model_is_signed_with_the_pin_given_again(as_: Any, people: Any) -> None:
    eng = as_("eng")
    assert "Nobody has signed this yet." in text_of(eng.get("/signatures/", query_string=MODEL))
    form = {**MODEL, "who": "eng", "meaning": "authored", "reason": "taught on Monday"}
    wrong = eng.post("/signatures/", data={**form, "secret": "0000"})
    assert wrong.status_code == 409
    assert "Name or secret is wrong." in text_of(wrong)
    answer = eng.post("/signatures/", data={**form, "secret": "3333"})
    assert answer.status_code == 303
    page = text_of(eng.get(answer.location))
    assert "Emil Engineer" in page
    assert "taught on Monday" in page
    assert "just this" in page
    (one,) = SealReader(people.store).signatures("model")
    assert (one.who, one.meaning, one.digest) == ("eng", "authored", "cd" * 32)
    again = eng.post("/signatures/", data={**form, "meaning": "approved", "secret": "3333"})
    assert "eng is the author: another person has to sign." in text_of(again)


def test_an_old_signature_over_the_first_digits_is_shown_and_said_to_count_no_more(as_: Any, people: Any) -> None:
    recipe = {"kind": "recipe", "name": "cap.yaml", "digest": "0123456789ab" + "c" * 52}
    with people.ledger.transaction() as db:
        db.execute(
            "insert into signature (at, who, full_name, meaning, kind, name, digest, reason, place, secret, box)"
            " values ('2026-01-02T03:04:05.000000Z', 'x', 'Xu Old', 'approved', 'recipe', 'cap', ?, 'r', 'panel',"
            " 'pin', 'AA==')",
            (recipe["digest"][:12],),
        )
    eng = as_("eng")
    page = text_of(eng.get("/signatures/", query_string=recipe))
    assert "Xu Old" in page
    assert "its first digits alone: counts no more" in page
    assert recipe["digest"] in page
    for short in (recipe["digest"][:12], recipe["digest"].upper(), ""):
        assert eng.get("/signatures/", query_string={**recipe, "digest": short}).status_code == 404


def test_who_may_not_release_may_not_sign(as_: Any) -> None:
    assert as_("lead").get("/signatures/", query_string=MODEL).status_code == 403
    assert as_("eng").get("/signatures/", query_string={"kind": "lunch", "name": "x"}).status_code == 404


def test_a_report_that_is_over_is_signed_and_says_so_on_paper(as_: Any, people: Any) -> None:
    people.judge(Outcome.OK)
    lead = as_("lead")
    day = {"kind": "report", "name": "day:2026-11-20"}
    page = text_of(lead.get("/signatures/", query_string=day))
    (digest,) = re.findall(r'name="digest" value="([0-9a-f]{64})"', page)
    form = {**day, "who": "lead", "meaning": "reviewed", "reason": "seen", "secret": "2222"}
    other = lead.post("/signatures/", data={**form, "digest": "0" * 64})
    assert "It was changed meanwhile" in text_of(other)
    assert lead.post("/signatures/", data={**form, "digest": digest}).status_code == 303
    report = text_of(lead.get("/report/", query_string={"period": "day:2026-11-20"}))
    assert "Electronic signatures" in report
    assert "Lea Lead" in report
    assert "just this" in report
    running = text_of(lead.get("/signatures/", query_string={"kind": "report", "name": "24h"}))
    assert "It goes on: sign it when it is over." in running


def test_the_administrator_proves_that_nothing_was_changed(as_: Any, people: Any) -> None:
    people.judge(Outcome.NG)
    admin = as_("admin")
    assert admin.post("/admin/prove").status_code == 303
    page = text_of(admin.get("/admin/"))
    assert "Nothing was changed" in page
    head = SealReader(people.store).head()
    assert head is not None
    assert head.trail_hash[:16] in page
    assert head.line in text_of(admin.get("/admin/seal/heads.jsonl"))
    assert text_of(admin.get("/admin/seal/box-key.pub.pem")).startswith("-----BEGIN PUBLIC KEY-----")
    for name in ("box-key.pem", "ledger.db", "..%2Fledger.db"):
        assert admin.get(f"/admin/seal/{name}").status_code == 404
    assert as_("op").post("/admin/prove").status_code == 403


@pytest.mark.ui
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_fits_and_takes_a_finger(language: str, page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    people.judge(Outcome.OK)
    server = serve(people.run_dir, sign_ins_a_minute=1000)
    sign_in(page, "eng", server.url)
    page.context.add_cookies([{"name": "okng-language", "value": language, "url": server.url}])
    bad: list[str] = []
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{server.url}/signatures/?{urlencode(MODEL)}")
        if width == 1280:
            page.select_option("#meaning", "reviewed")
            page.fill("#secret", "3333")
            page.fill("#reason", "looked at the report and at forty rejects")
            page.locator(".page-foot .key.go").click()
            expect(page.locator(".signatures")).to_contain_text("Emil Engineer")
            bad += checks.axe_problems(page)
        bad += [*checks.clipped_texts(page), *checks.small_targets(page, 15, 5.0)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            bad.append(f"{width}: wider than the screen")
    assert bad == []
