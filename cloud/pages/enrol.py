"""Letting a box in: its screen shows a code, an administrator types it here and compares the fingerprint."""

import sqlalchemy as sa
from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .. import enrolment
from ..access import needs
from ..database import reading
from ..service import Service
from ..tables import Box, Enrolment
from .asked import asker, lines

MOST = 100


def enrol_views(service: Service) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("enrol", __name__)

    def shown(**more: object) -> str:
        with reading(service.engine) as db:
            sites = [one for one in db.scalars(sa.select(Box.site).distinct().order_by(Box.site)) if one]
            known = {"lines": lines(db), "sites": sites}
        return render_template("enrol.html", **{"code": "", "site": service.options.service.site, **known, **more})

    @views.get("/enrol")
    @needs("enrol")
    def page() -> str:
        with reading(service.engine) as db:
            box = db.scalar(sa.select(Box.id).where(Box.id == request.args.get("let_in", "")))
        return shown(let_in=box, turned_away=request.args.get("turned_away") == "1")

    @views.post("/enrol/look")
    @needs("enrol")
    def look() -> str | tuple[str, int]:
        code = request.form.get("code", "")[:20]
        found = enrolment.look(service, asker(), code)
        if isinstance(found, enrolment.Wait):
            return shown(wait_s=found.seconds), 429
        if found is None:
            return shown(unknown=True, code=code), 404
        return shown(asks=found, code=code)

    @views.post("/enrol/decide")
    @needs("enrol")
    def decide() -> AnyResponse | str | tuple[str, int]:
        code, fingerprint = request.form.get("code", "")[:20], request.form.get("fingerprint", "")[:64]
        if request.form.get("do") == "refuse":
            gone = enrolment.refuse(service, asker(), code)
            if isinstance(gone, enrolment.Wait):
                return shown(wait_s=gone.seconds), 429
            return redirect(url_for("enrol.page", turned_away=1), 303) if gone else (shown(unknown=True), 404)
        name, line, site = (request.form.get(key, "").strip() for key in ("name", "line", "site"))
        for what, said in (("name", name), ("line", line), ("site", site)):
            if len(said) > MOST or not said.isprintable() or (what == "name" and not said):
                found = enrolment.look(service, asker(), code)
                asks = found if isinstance(found, Enrolment) else None
                return shown(asks=asks, code=code, trouble=f"{what}: expected 1 to {MOST} printable characters"), 422
        box = enrolment.approve(service, asker(), code, fingerprint, name, site, line)
        if isinstance(box, enrolment.Wait):
            return shown(wait_s=box.seconds), 429
        if box is None:
            return shown(unknown=True), 404
        return redirect(url_for("enrol.page", let_in=box), 303)

    return views
