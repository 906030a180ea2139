"""The page of a report: one self-contained file, two languages, no script.

Both languages stand in the file; two radio keys choose which is seen, and `report.html#zh` opens in Chinese. The page
forbids itself every request (its own Content-Security-Policy), so it may be mailed, archived and printed.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .style import STYLE

STYLE_SHA256 = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""For whoever serves a report: `style-src 'sha256-...'` lets its one style through, nothing else needs leave."""
POLICY = f"default-src 'none'; img-src data:; style-src 'sha256-{STYLE_SHA256}'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy a report can be served under."""


@dataclass(frozen=True, slots=True)
class Words:
    """One text in both languages, plain: it is escaped when it is shown."""

    en: str
    zh: str

    def put(self, **values: object) -> "Words":
        """Return the text with its `{names}` filled in; a value that is Words gives each language its own."""
        en = {name: value.en if isinstance(value, Words) else value for name, value in values.items()}
        zh = {name: value.zh if isinstance(value, Words) else value for name, value in values.items()}
        return Words(self.en.format(**en), self.zh.format(**zh))

    def html(self) -> str:
        """Return both texts as HTML; one of them is seen."""
        return (
            f'<span class="en" lang="en">{escape(self.en)}</span>'
            f'<span class="zh" lang="zh-Hans">{escape(self.zh)}</span>'
        )

    def svg(self, attributes: str) -> str:
        """Return both texts as SVG text with these attributes; one of them is seen."""
        return (
            f'<text class="en" lang="en" {attributes}>{escape(self.en)}</text>'
            f'<text class="zh" lang="zh-Hans" {attributes}>{escape(self.zh)}</text>'
        )

    def both(self) -> str:
        """Return both texts in one, for an attribute that can hold only one (`alt`), escaped."""
        return escape(f"{self.en} / {self.zh}", quote=True)


Text = Words | str
"""A text in two languages, or one that needs none: a number, a file name, a class of defect."""


def html(text: Text) -> str:
    """Return a text as HTML, escaped."""
    return text.html() if isinstance(text, Words) else escape(text)


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of the headline."""

    name: Text
    value: Text
    meaning: Text
    """One sentence: what the figure says to somebody who is no engineer of models."""
    tone: str = ""
    """`good`, `bad` or empty."""


def facts(shown: Sequence[Fact]) -> str:
    """Return the figures as a row of cards."""
    cards = "".join(
        f'<div class="fact {escape(fact.tone)}"><dt>{html(fact.name)}</dt>'
        f'<dd class="value">{html(fact.value)}</dd><dd class="meaning">{html(fact.meaning)}</dd></div>'
        for fact in shown
    )
    return f'<dl class="facts">{cards}</dl>'


def section(title: Text, *parts: str, lead: Text | None = None) -> str:
    """Return a section with its heading and one leading sentence."""
    first = f'<p class="lead">{html(lead)}</p>' if lead is not None else ""
    return f"<section><h2>{html(title)}</h2>{first}{''.join(parts)}</section>"


def note(text: Text, kind: str = "note") -> str:
    """Return a paragraph. kind: `note`, or `warning` for what must not be overlooked."""
    return f'<p class="{escape(kind)}">{html(text)}</p>'


def table(caption: Text, head: Sequence[Text], rows: Sequence[Sequence[Text]], *, numbers_from: int = 1) -> str:
    """Return a table with a caption and scoped headers; the first cell of a row is its header.

    numbers_from: from this column on, cells stand to the right.
    """
    top = "".join(f'<th scope="col"{_right(at, numbers_from)}>{html(cell)}</th>' for at, cell in enumerate(head))
    body = "".join(
        f'<tr><th scope="row">{html(row[0])}</th>'
        + "".join(f"<td{_right(at, numbers_from)}>{html(cell)}</td>" for at, cell in enumerate(row[1:], 1))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{html(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _right(column: int, numbers_from: int) -> str:
    return ' class="number"' if column >= numbers_from else ""


def figure(chart: str, caption: Text) -> str:
    """Return a chart with the sentence that says what it means."""
    return f"<figure>{chart}<figcaption>{html(caption)}</figcaption></figure>"


def figures(*shown: str) -> str:
    """Return figures side by side where there is room."""
    return f'<div class="figures">{"".join(shown)}</div>'


def page(title: Text, subtitle: Text, sections: Sequence[str]) -> bytes:
    """Return the whole file, UTF-8."""
    plain = title if isinstance(title, str) else f"{title.en} / {title.zh}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(plain)}</title><style>{STYLE}</style></head><body>"
        '<span id="zh"></span>'
        '<input type="radio" name="language" id="pick-en" class="pick"><label for="pick-en" lang="en">English</label>'
        '<input type="radio" name="language" id="pick-zh" class="pick">'
        '<label for="pick-zh" lang="zh-Hans">中文</label>'
        f"<main><header><h1>{html(title)}</h1><p>{html(subtitle)}</p></header>\n"
        + "\n".join(sections)
        + "\n</main></body></html>\n"
    ).encode()
