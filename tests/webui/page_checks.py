"""What must hold on every page, as functions of a page in the browser: each returns what is wrong, in words."""

import functools
import gzip
import re
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
AXE = HERE.parent / "peers" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
TARGETS = "button, a[href], input:not([type=hidden]), select, textarea, summary, [role=button], [role=tab]"
SENTENCE = re.compile("⟦[^⟧]*⟧")
"""A sentence of the pseudo-locale (serve.py)."""
LETTERS = re.compile(r"[A-Za-z]{3,}")


def axe_problems(page: Any) -> list[str]:
    """Violations of WCAG 2.2 A and AA and of axe's best practices."""
    # By evaluate: a script tag would be refused by our own policy.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"
        ".then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target.join(' ')).slice(0, 3).join('; ')}`))",
        RULES,
    )
    return [f"axe {one}" for one in found]


def small_targets(page: Any, mm: float, px_per_mm: float) -> list[str]:
    """Keys whose smaller side is below mm millimetres; a label counts with the field it belongs to."""
    _ready(page)
    found: list[str] = page.evaluate("([s, least]) => okngChecks.smallTargets(s, least)", [TARGETS, mm * px_per_mm])
    return [f"target below {mm:g} mm: {one}" for one in found]


def clipped_texts(page: Any) -> list[str]:
    """Texts that are cut off or stick out of their key, and a page that has to be pushed sideways."""
    _ready(page)
    found: list[str] = page.evaluate("okngChecks.clipped()")
    return found


def untranslated_texts(page: Any, data: re.Pattern[str]) -> list[str]:
    """Words that no catalogue brought: in the pseudo-locale every sentence stands in brackets. data: what is a name."""
    _ready(page)
    texts: list[str] = page.evaluate("okngChecks.texts()")
    left = {text: data.sub(" ", SENTENCE.sub(" ", text)) for text in texts}
    return [f"not translated: {text[:80]}" for text, rest in left.items() if LETTERS.search(rest)]


def broken_words(page: Any) -> list[str]:
    """Words that end on one line and go on on the next."""
    _ready(page)
    found: list[str] = page.evaluate("okngChecks.brokenWords()")
    return found


def doubled_ids(page: Any) -> list[str]:
    """Two elements of one id, and keys that belong to a form that is not there: they do nothing."""
    _ready(page)
    found: list[str] = page.evaluate("okngChecks.doubled()")
    return found


def stray_colours(page: Any) -> list[str]:
    """Colours that are not one of the tokens of the theme that is on (tokens.css)."""
    _ready(page)
    found: list[str] = page.evaluate("okngChecks.strayColours()")
    return found


def has_to_be_scrolled(page: Any, selector: str) -> list[str]:
    """A page that is meant to be seen at one glance and is not."""
    over: int = page.evaluate(
        "selector => { const one = document.querySelector(selector); return one.scrollHeight - one.clientHeight; }",
        selector,
    )
    return [f"{selector} is {over} px too high"] if over > 0 else []


def slow_or_heavy(page: Any, most_js_kb: float, most_paint_ms: float) -> list[str]:
    """Scripts that weigh more than most_js_kb together when packed, and a first paint that came late."""
    scripts, paint = page.evaluate(
        "() => [performance.getEntriesByType('resource').map(one => one.name).filter(url => /[.]js([?]|$)/.test(url)), "
        "performance.getEntriesByType('paint').map(one => one.startTime)]"
    )
    kb = sum(_packed_kb(url) for url in set(scripts))
    found = [f"its scripts weigh {kb:.0f} kB packed"] if kb > most_js_kb else []
    return found + [f"first paint after {ms:.0f} ms" for ms in paint[:1] if ms > most_paint_ms]


@functools.cache
def _packed_kb(url: str) -> float:
    with urllib.request.urlopen(url, timeout=20) as answer:
        body: bytes = answer.read()
    return len(gzip.compress(body)) / 1024


def _ready(page: Any) -> None:
    page.evaluate((HERE / "page_checks.js").read_text(encoding="utf-8"))


class Listener:
    """Notes what a page asked for and what it complained of."""

    def __init__(self, page: Any, own: str) -> None:
        self._bad: list[str] = []
        self._own = own
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._bad.append(f"error in a script: {error}"))

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self._own, "data:", "blob:")):
            self._bad.append(f"asked another host: {request.url[:100]}")

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self._bad.append(f"console: {message.text[:160]} {message.location.get('url', '')[-60:]}")

    def take(self) -> list[str]:
        """What was noted since the last call."""
        noted, self._bad = self._bad, []
        return noted
