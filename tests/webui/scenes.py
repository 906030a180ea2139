"""What the pictures of `screenshots.py` show: each scene does what people do, takes its pictures, and tidies up."""

import re
import time
from collections.abc import Callable

from okng.tests.webui.studio import LARGE, PHONE, Studio

MORE = {
    "menu": ("/menu", "engineer"),
    "reject": ("/rejects/{ng}", "operator"),
    "bypass": ("/bypass", "lead"),
    "help-run": ("/help/run", "operator"),
    "samples": ("/challenge/samples", "lead"),
    "label-draw": ("/labelling/{ng}", "engineer"),
    "admin-users": ("/admin/users", "administrator"),
    "admin-roles": ("/admin/roles", "administrator"),
    "admin-settings": ("/admin/settings", "administrator"),
    "admin-storage": ("/admin/storage", "administrator"),
    "admin-display": ("/admin/display", "administrator"),
    "admin-programs": ("/admin/programs", "administrator"),
    "admin-audit": ("/admin/audit", "administrator"),
}
"""Pages that are no screen of their own: path and who looks."""
PASSED = "document.querySelector('#verdict[data-outcome=OK] #verdict-action')?.textContent"
REJECTED = "document.querySelector('#verdict[data-outcome=NG] #verdict-action')?.textContent"
"""Hold while the Run screen shows a part with all that is known of it."""


def first(studio: Studio) -> None:
    """A box that nobody may sign in to yet."""
    studio.shot("first-boot", "/sign-in")


def alarm(studio: Studio) -> None:
    """What a shift does: a lot, some labels, an escape, whose advice is the alarm of these pictures."""
    seqs = [int(part["seq"]) for part in studio.read("/parts?outcome=NG&limit=6")["parts"]]
    studio.ng = seqs[0]
    studio.command("lot.set", {"lot": "L-2611-07"})
    for seq, truth in zip(seqs[2:], ("defect", "defect", "good", "unsure"), strict=False):
        studio.command("label.set", {"seq": seq, "truth": truth})
    studio.calm()
    studio.command("escape.set", {"seq": None, "serial": "", "found_at": "packing", "what": "scratch"})
    studio.until(lambda: bool(studio.read("/alarms")["alarms"]), "the alarm")
    studio.shot("run-alarm", "/", "operator", band=True)
    studio.shot("alarms", "/alarms", "operator", band=True)
    studio.shot("alarms-1920", "/alarms", "operator", LARGE, band=True)
    studio.calm()


def calm(studio: Studio) -> None:
    """Every screen, as the person sees it whose work it is."""
    studio.ng = studio.ng or int(studio.read("/parts?outcome=NG&limit=1")["parts"][0]["seq"])
    for name, (path, group) in studio.screens.items():
        if name not in ("run", "alarms", "access"):
            studio.shot(name, path, group)
    for name, (path, person) in MORE.items():
        studio.shot(name, path, person)
    studio.shot("access", "/sign-in?who=operator")
    studio.shot("access-people", "/sign-in")
    studio.shot("confirm-1920", studio.screens["confirm"][0], "operator", LARGE)
    studio.shot("run-ok", "/", "operator", until=PASSED)
    studio.shot("run-ng", "/", "operator", tap="#key-view", until=REJECTED)
    studio.shot("run-1920", "/", "operator", LARGE, tap="#key-view", until=REJECTED)
    studio.shot("run-phone", "/", "operator", PHONE, until=PASSED)
    studio.shot("run-night", "/", "operator", theme="night", tap="#key-view", until=REJECTED)


def challenge(studio: Studio) -> None:
    """A test that runs, with the frame round every screen; then one that has failed, with product on hold.

    The belt knows nothing of a test, and its next good part would end it: it must be slow.
    """
    page = studio.page("lead")
    page.goto(f"{studio.url}/challenge/samples", wait_until="domcontentloaded")
    page.wait_for_load_state("domcontentloaded")
    if not page.locator(".alarm-what").count():
        page.locator("input[name=name]").first.check(force=True)
        page.get_by_role("button", name="Add", exact=True).tap()
        page.locator(".alarm-what").first.wait_for()
    studio.shot("challenge-ready", "/challenge", "operator")
    for name, path in (("challenge-running", "/challenge"), ("run-challenge", "/")):
        for language in studio.languages.split(","):
            page = studio.page("operator", language)
            page.goto(studio.url + path, wait_until="domcontentloaded")
            page.wait_for_timeout(1500)
            _start_test(studio)
            page.wait_for_function("() => document.body.dataset.mode === 'challenge'", polling="raf", timeout=20_000)
            page.wait_for_timeout(600)
            studio.take(page, f"{name}-{language}.png")
            studio.command("challenge.abort", {})
            studio.until(lambda: studio.read("/line")["mode"] != "challenge", "the end of the test")
    _start_test(studio)
    studio.until(lambda: any(a["kind"] == "verify.failed" for a in studio.read("/alarms")["alarms"]), "a failed test")
    studio.shot("challenge-failed", "/challenge", "lead", band=True)


def _start_test(studio: Studio) -> None:
    """Right after a part, so that there is time before the next."""
    before = studio.read("/line")["counters"]["triggers"]
    studio.until(lambda: studio.read("/line")["counters"]["triggers"] != before, "the next part")
    said = studio.command("challenge.start", {})
    if "id" not in said:
        raise SystemExit(f"no test: {said}")


def bypass(studio: Studio) -> None:
    """A declared bypass."""
    studio.command("bypass.set", {"minutes": 5, "reason": "ejector is being mended"})
    studio.until(lambda: studio.read("/line")["mode"] == "bypass", "the bypass")
    studio.shot("bypass-on", "/bypass", "lead")
    studio.shot("run-bypass", "/", "operator")
    studio.command("bypass.end", {})
    studio.until(lambda: studio.read("/line")["mode"] == "production", "its end")
    studio.calm()


def teach(studio: Studio) -> None:
    """A product taught by fingers, then the change-over to it, which is broken off at its last step."""
    page = studio.page("lead")
    page.goto(f"{studio.url}/teach/new", wait_until="domcontentloaded")
    studio.shot("teach-1-name", "/teach/new", "lead")
    page = studio.page("lead")
    page.goto(f"{studio.url}/teach/new", wait_until="domcontentloaded")
    page.locator("[data-word]").first.tap()
    for sign in f"{time.time_ns() // 10**9 % 900 + 100}":
        page.locator(f"[data-sign='{sign}']").tap()
    page.get_by_role("button", name="Begin").tap()
    page.locator("#teach").wait_for()
    draft = page.url.partition("/teach/")[2].partition("?")[0]
    steps = f"/teach/{draft}?step="
    studio.shot("teach-2-places", steps + "places", "lead")
    page.goto(studio.url + steps + "pictures", wait_until="domcontentloaded")
    count, end = page.locator("#count-good"), time.monotonic() + 120
    while int(count.get_attribute("data-n") or 0) < 24 and time.monotonic() < end:
        page.locator("#shutter:enabled").tap()
        page.wait_for_timeout(450)
    studio.shot("teach-3-pictures", steps + "pictures", "lead")
    page.goto(studio.url + steps + "teach", wait_until="domcontentloaded")
    studio.shot("teach-4-teach", steps + "teach", "lead")
    page.goto(studio.url + steps + "teach", wait_until="domcontentloaded")
    page.locator("#begin").tap()
    page.wait_for_url(re.compile("scores"), timeout=240_000)
    for name in ("5-scores", "6-promise", "7-challenge", "8-release"):
        studio.shot(f"teach-{name}", steps + name[2:], "lead")
    page.goto(studio.url + steps + "release", wait_until="domcontentloaded")
    page.locator("#begin, #release").first.tap()
    page.get_by_text("Released as job").wait_for(timeout=120_000)
    number = int(re.findall(r"job (\d+)", page.locator(".teach-huge").inner_text())[0])
    studio.shot("teach-9-done", steps + "release", "lead")
    _change(studio, number)


def _change(studio: Studio, number: int) -> None:
    studio.shot("change-1-pick", "/change-over", "lead")
    studio.command("change.begin", {"number": number})
    studio.shot("change-2-compare", "/change-over", "lead")
    studio.command("change.step", {"step": 2})
    studio.shot("change-3-lot", "/change-over", "lead")
    studio.command("change.step", {"step": 3, "lot": "L-2611-08"})
    studio.shot("change-4-apply", "/change-over", "lead")
    studio.command("change.step", {"step": 4})
    page = studio.page("lead")
    page.goto(f"{studio.url}/change-over", wait_until="domcontentloaded")
    page.get_by_role("button", name="Release").wait_for(timeout=90_000)
    studio.shot("change-6-release", "/change-over", "lead")
    studio.command("change.abort", {})
    studio.until(lambda: bool(studio.read("/line")["ready"]), "the product before", 90)
    studio.calm()


SCENES: dict[str, Callable[[Studio], None]] = {
    "first": first,
    "alarm": alarm,
    "calm": calm,
    "teach": teach,
    "bypass": bypass,
    "challenge": challenge,
}
"""In the order they are played."""
OF_THEIR_OWN = {"first": ("--no-people",), "challenge": ("--rate", "0.5")}
"""Scenes that need a line of their own, and what is said to it."""
