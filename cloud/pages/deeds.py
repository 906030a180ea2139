"""Who did what: the trail of the service, newest first, and whether its chain holds."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session

from ..access import needs
from ..database import reading
from ..deeds import broken
from ..review import names_of
from ..search_terms import BadTerms, number_of
from ..service import Service
from ..tables import Deed, Person

PER_PAGE = 100


def deed_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("deeds", __name__)

    @views.get("/deeds")
    @needs("audit")
    def page() -> str:
        q, check = request.args.get("q", "").strip()[:100], request.args.get("check") == "1"
        trouble, before = "", 0
        try:
            before = number_of(request.args, "before", 0, 1, 2**53)
        except BadTerms as error:
            trouble = str(error)
        with reading(service.engine) as db:
            rows = found(db, q, before)
            names = names_of(db, (one.who for one in rows))
            bad = broken(db) if check else None
        older = rows[PER_PAGE - 1].id if len(rows) > PER_PAGE else 0
        return render_template(
            "deeds.html",
            rows=rows[:PER_PAGE],
            names=names,
            q=q,
            older=older,
            newer=bool(before),
            checked=check,
            broken=bad,
            trouble=trouble,
        )

    return views


def found(session: Session, text: str = "", before: int = 0, limit: int = PER_PAGE) -> list[Deed]:
    """Deeds with these words in who, what or about, below a number, newest first; one more than limit if there is."""
    asked: Any = sa.select(Deed).order_by(Deed.id.desc()).limit(limit + 1)
    if before:
        asked = asked.where(Deed.id < before)
    for word in text.split()[:5]:
        people = sa.select(sa.literal("person:").concat(Person.sub)).where(Person.name.icontains(word, autoescape=True))
        fits = [column.icontains(word, autoescape=True) for column in (Deed.who, Deed.what, Deed.subject)]
        asked = asked.where(sa.or_(*fits, Deed.who.in_(people)))
    return list(session.scalars(asked))
