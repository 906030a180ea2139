"""A line lead teaches a product on the panel, with taps alone; an engineer looks ahead and puts models in place."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from okng.bus.part import Outcome
from okng.settings import read_settings
from okng.webui.teach_figures import HEIGHT, MIDDLE, WIDTH, histogram

from ..workshop.conftest import Shop
from . import page_checks as checks

pytestmark = pytest.mark.timeout(180)
SETTINGS = """\
recipe = "tile.yaml"
[box]
run_dir = "{run}"
[camera.top]
[records]
store = "{run}/store"
[workshop]
threads = 2
budget_ms = 20.0
"""
RECIPE = {
    "name": "magnetic-tile",
    "deadline_ms": 150,
    "camera": {"width": 640, "height": 480},
    "tools": [{"name": "dark", "kind": "blob", "box": [0, 0, 64, 64], "max_count": 9}],
}


def test_bars_lie_inside_the_drawing_and_the_limit_between_goods_and_defects() -> None:
    made = histogram([1.0, 1.1, 1.2, 1.9], [8.0, 900.0], 2.0)
    assert sum(bar.count for bar in made.goods) == 4
    assert sum(bar.count for bar in made.defects) == 2
    for bar in (*made.goods, *made.defects):
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH
        assert bar.y >= 0
        assert bar.y + bar.height <= HEIGHT
    assert max(bar.x for bar in made.goods) < made.limit_x < min(bar.x for bar in made.defects)
    assert all(bar.y + bar.height == MIDDLE for bar in made.goods)
    assert histogram([2.0, 2.0], [], 2.0).defects == ()


@pytest.fixture
def workshop(people: Any) -> Iterator[Shop]:
    """The process, over the run folder of the made-up line."""
    made = Shop(people.run_dir, people)
    made.settings.write_text(SETTINGS.format(run=made.folder), encoding="utf-8")
    (made.folder / "tile.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False), encoding="utf-8")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def screen(page: Page, people: Any, workshop: Shop, serve: Any, sign_in: Callable[..., None]) -> Callable[[str], Page]:
    """`screen("lead")`: the panel, with that person signed in."""
    server = serve(people.run_dir, language="en")

    def as_person(name: str) -> Page:
        page.context.add_cookies([{"name": "okng-language", "value": "en", "url": server.url}])
        sign_in(page, name, server.url)
        return page

    return as_person


def shoot(page: Page, line: Any, outcome: Outcome = Outcome.OK, more: int = 1) -> None:
    """Let a part pass and touch the shutter, as a person does."""
    for _ in range(more):
        before = page.locator("#film .teach-thumb").count()
        line.judge(outcome, **({"defect": (230, 220)} if outcome is Outcome.NG else {}))
        page.wait_for_timeout(60)
        page.locator("#shutter").tap()
        expect(page.locator("#film .teach-thumb")).to_have_count(before + 1)


@pytest.mark.ui
def test_a_product_is_taught_with_taps_alone_and_goes_on_after_a_kill(
    screen: Callable[[str], Page], people: Any, workshop: Shop
) -> None:
    page = screen("lead")
    bad: list[str] = []
    base = page.url.split("/sign-in")[0].rstrip("/")

    def look(step: str) -> None:
        if step not in ("new", "list"):
            expect(page.locator(f'#teach[data-step="{step}"]')).to_be_attached()
        page.wait_for_load_state("domcontentloaded")
        found = checks.small_targets(page, 20, 5) + checks.clipped_texts(page) + checks.axe_problems(page)
        bad.extend(f"{step}: {one}" for one in found)

    page.goto(f"{base}/teach/new", wait_until="domcontentloaded")
    look("new")
    for word in ("cap", "left"):
        page.locator(f'[data-word="{word}"]').tap()
    page.locator('[data-sign="7"]').tap()
    page.locator("button[form=naming]").tap()
    expect(page.locator(".teach-name h1")).to_have_text("cap-left7")
    look("places")
    page.locator("#next").tap()
    people.judge(Outcome.OK)
    expect(page.locator("#live")).to_be_visible()
    shoot(page, people, more=14)
    expect(page.locator("#count-good")).to_have_text("14 of 20–100")
    page.locator("#shutter").tap()
    expect(page.locator("#trouble-text")).to_contain_text("wait for the next part")
    page.locator("#film .teach-thumb").first.tap()  # one goes ...
    page.locator("#film .teach-thumb").nth(1).tap()
    page.locator("#film .teach-thumb").nth(1).tap()  # ... and one is put back
    expect(page.locator("#film .teach-thumb")).to_have_count(13, timeout=8000)
    page.locator('[data-choose="defect"]').tap()
    shoot(page, people, Outcome.NG, more=3)
    page.reload(wait_until="domcontentloaded")
    page.wait_for_load_state("load")
    page.locator("#past-key").tap()
    page.locator('[data-choose="good"]').tap()
    page.locator("#past [data-seq]").last.tap()  # the part that only started the live picture
    expect(page.locator("#count-good")).to_have_text("14 of 20–100")
    look("pictures")
    page.locator("#past-key").tap()
    workshop.kill()
    page.locator("#shutter").tap()
    expect(page.locator("#trouble-text")).to_contain_text("may or may not be done", timeout=8000)
    workshop.start()
    page.goto(f"{base}/teach/", wait_until="domcontentloaded")
    look("list")
    page.locator(".teach-draft").tap()
    expect(page.locator("#count-defect")).to_have_text("3")
    page.locator("#next").tap()
    look("teach")
    page.locator("#begin").tap()
    expect(page.locator(".teach-chart")).to_be_visible(timeout=60_000)
    page.wait_for_function("[...document.querySelectorAll('.teach-looks img')].every(one => one.naturalWidth > 0)")
    look("scores")
    page.locator("#next").tap()
    page.locator('[data-share="overkill"] [data-by="1"]').tap()
    expect(page.locator('[data-share="overkill"] output')).to_have_text("≤ 1.5 %")
    expect(page.locator('[data-share="overkill"] [data-claim]')).to_contain_text("more good parts")
    look("promise")
    page.locator("#next").tap()
    people.judge(Outcome.NG, defect=(230, 220))
    page.wait_for_timeout(60)
    page.locator("#shutter").tap()
    expect(page.locator(".thumb-mark.found")).to_be_visible(timeout=30_000)
    look("challenge")
    page.locator("#next").tap()
    look("release")
    page.locator("#begin").tap()
    expect(page.locator(".teach-huge")).to_contain_text("Released as job 2", timeout=30_000)
    assert read_settings(workshop.settings).recipes[2].name == "cap-left7.r0001.yaml"
    assert bad == []


@pytest.mark.ui
def test_who_may_not_teach_is_led_to_the_sign_in(page: Page, people: Any, serve: Any, sign_in: Any) -> None:
    server = serve(people.run_dir, language="en")
    sign_in(page, "op", server.url)
    answer = page.goto(f"{server.url}/teach/", wait_until="domcontentloaded")
    assert answer is not None
    assert answer.status == 403


def product(workshop: Shop) -> None:
    """A job 2 with a model, taught over the bus, and parts in the ledger."""
    workshop.line.judge(Outcome.NG)
    draft = workshop.draft("magnetic-tile", goods=11)
    workshop.result("draft.teach", {"draft": draft})
    workshop.result("draft.release", {"draft": draft})


@pytest.mark.ui
def test_an_engineer_looks_ahead_and_saves_a_threshold(
    screen: Callable[[str], Page], people: Any, workshop: Shop
) -> None:
    product(workshop)
    page = screen("eng")
    base = page.url.split("/sign-in")[0].rstrip("/")
    page.goto(f"{base}/models/?job=2", wait_until="domcontentloaded")
    expect(page.locator(".models-used")).to_have_count(1)
    page.locator(".models-threshold input").fill("-50")
    page.locator('[data-preview="plate"]').tap()
    expect(page.locator("#ahead-words")).to_contain_text("of the last 12 kept pictures would flip", timeout=40_000)
    flips = page.locator(".models-flip")
    assert flips.count() >= 11
    assert flips.first.locator("img").evaluate("one => one.decode().then(() => one.naturalWidth > 0)")
    assert checks.small_targets(page, 15, 5) + checks.clipped_texts(page) + checks.axe_problems(page) == []
    page.locator('[data-save="plate"]').tap()
    page.locator("#reason").fill("for the test")
    page.locator("#confirm-do").tap()
    expect(page.locator("#done-text")).to_contain_text("magnetic-tile.r0002.yaml")
    assert read_settings(workshop.settings).recipes[2].name == "magnetic-tile.r0002.yaml"
    page.goto(f"{base}/models/?job=2", wait_until="domcontentloaded")
    page.locator("#back").tap()
    page.locator("#confirm-do").tap()
    expect(page.locator("#done")).to_be_visible(timeout=30_000)
    assert read_settings(workshop.settings).recipes[2].name == "magnetic-tile.r0001.yaml"
    with page.expect_popup() as popup:
        page.goto(f"{base}/models/?job=2", wait_until="domcontentloaded")
        page.get_by_role("link", name="Report").tap()
    expect(popup.value.locator("h1").first).to_contain_text("what was taught")


@pytest.mark.ui
def test_a_second_person_proves_to_be_there_before_a_model_is_taken_back(
    screen: Callable[[str], Page], people: Any, workshop: Shop
) -> None:
    product(workshop)
    text = workshop.settings.read_text(encoding="utf-8")
    workshop.settings.write_text(text.replace("[workshop]\n", "[workshop]\nfour_eyes = true\n"), encoding="utf-8")
    people.ask("account.create", {"name": "eva", "full_name": "Eva", "role": "engineer", "pin": "5555"})
    page = screen("eng")
    base = page.url.split("/sign-in")[0].rstrip("/")
    page.goto(f"{base}/models/?job=2", wait_until="domcontentloaded")
    page.locator("#back").tap()
    assert page.locator("#second option").all_inner_texts() == ["", "Eva"], "nobody without the right, and not oneself"
    page.locator("#confirm-do").tap()
    expect(page.locator("#confirm-trouble")).to_contain_text("second person")
    page.locator("#second").select_option("eva")
    page.locator("#second-pin").fill("1234")
    page.locator("#confirm-do").tap()
    expect(page.locator("#confirm-trouble")).not_to_contain_text("second person")
    expect(page.locator("#second-pin")).to_have_value("")
    page.locator("#second-pin").fill("5555")
    page.locator("#confirm-do").tap()
    expect(page.locator("#trouble-text")).to_contain_text("nothing before this one", timeout=20_000)
    expect(page.locator("body")).to_have_attribute("data-user", "eng")
