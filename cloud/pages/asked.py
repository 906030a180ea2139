"""What a page was asked for, and what it can be narrowed down to."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import abort, request
from flask_babel import gettext
from sqlalchemy.orm import Session

from ..access import Asker, person
from ..search_terms import NAMES, SPANS, BadTerms, Terms, terms_of
from ..tables import Box
from ..tables_rollout import Hourly
from . import words


def asker() -> Asker:
    """Who asks; the view has made sure that somebody does."""
    found = person()
    if found is None:
        abort(401)
    return found


def terms(span: str = "24h") -> tuple[Terms, str]:
    """What the address says, and what is wrong with it; wrong: the span alone is taken."""
    try:
        return terms_of(request.args, span=span), ""
    except BadTerms as error:
        return terms_of({}, span=span), str(error)


def narrowed(found: Terms) -> bool:
    """Something besides the time was said."""
    return any(getattr(found, name) for name in NAMES)


def choices(session: Session, found: Terms) -> dict[str, Any]:
    """What the fields over a page offer."""
    since = min(found.since, found.until - timedelta(days=7))
    return {
        "terms": found,
        "span_names": [(name, gettext(words.SPANS[name])) for name in SPANS] + ([] if found.span else [("", "–")]),
        "lines": [(line, line) for line in lines(session)],
        "recipes": [(recipe, recipe) for recipe in recipes(session, since)],
        "narrowed": narrowed(found),
    }


def lines(session: Session) -> list[str]:
    """Of all boxes."""
    return [line for line in session.scalars(sa.select(Box.line).distinct().order_by(Box.line)) if line]


def recipes(session: Session, since: datetime) -> list[str]:
    """That were run lately."""
    asked = sa.select(Hourly.recipe).where(Hourly.hour >= since).distinct().order_by(Hourly.recipe).limit(500)
    return [recipe for recipe in session.scalars(asked) if recipe]


def one_of(given: Mapping[str, str], name: str, allowed: Mapping[str, Any] | tuple[str, ...], default: str) -> str:
    """A word of the address, or the default where it is none of those."""
    said = given.get(name, "")
    return said if said in allowed else default
