"""PDFs for whoever asked: made in the background, looked for by the page, handed out under a name for good."""

from pathlib import Path

from flask import Blueprint, Response, abort, current_app, jsonify, redirect, request, send_from_directory, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from ..bus.errors import BadLedger
from ..records.keep_read import StorageReader
from .access import needs
from .press import Press
from .spans import in_own_zone
from .web import Web
from .words import N_

STYLES = ("tokens.css", "paper.css")
_CSS = Path(__file__).parent / "static" / "css"


def paper_views(web: Web) -> Blueprint:
    """Make the blueprint."""
    views = Blueprint("papers", __name__, url_prefix="/papers")
    reader = StorageReader(web.store)

    def days() -> int:
        """So long a PDF is kept; 0, so that none goes by its age, where the clock is not known to be right."""
        state = web.watch.records
        if state is None or state.clock:
            return 0
        try:
            return reader.rules().papers_days
        except BadLedger:
            return 0

    press = Press(web.run_dir, days)
    views.record_once(lambda state: state.app.extensions.__setitem__("okng-press", press))
    views.add_app_template_filter(date_minute, "date_minute")
    views.add_app_template_global(paper_styles, "paper_styles")
    views.add_app_template_global(lambda uptime: uptime.told(gettext), "stops_told")

    @views.get("/<name>.json")
    @needs("report.make")
    def state(name: str) -> Response:
        now = press.state(name)
        if now == "none":
            abort(404)
        words = {
            "working": gettext(N_("The PDF is being made")),
            "missing": gettext(N_("This box cannot make PDFs: the extra 'report' or Debian's libpango is missing")),
            "failed": gettext(N_("The PDF could not be made")),
        }
        url = url_for("papers.paper", name=name) if now == "done" else ""
        return jsonify(state=now, text=words.get(now, ""), url=url)

    @views.get("/<name>.pdf")
    @needs("report.make")
    def paper(name: str) -> Response:
        file = press.file(name)
        if file is None:
            abort(404)
        return send_from_directory(file.parent.absolute(), file.name, mimetype="application/pdf", as_attachment=True)

    return views


def order_paper(title: str, html: str, back: str) -> AnyResponse:
    """Have it made. A script gets where to look for it, a form is sent back to its page, which looks."""
    press: Press = current_app.extensions["okng-press"]
    name = press.order(title, html)
    wants_json = request.accept_mimetypes.best == "application/json"
    if not name:
        return Response(status=503, headers={"Retry-After": "5"})
    if wants_json:
        return jsonify(look=url_for("papers.state", name=name))
    joint = "&" if "?" in back else "?"
    return redirect(f"{back}{joint}paper={name}", 303)


def paper_styles() -> str:
    """Colours and print styles as one text: a sheet carries them in itself."""
    return "\n".join((_CSS / name).read_text(encoding="utf-8") for name in STYLES)


def date_minute(utc: str) -> str:
    """A moment, or the name of a minute, in the box's own zone; as it stands where it is neither."""
    return in_own_zone(utc, "%Y-%m-%d %H:%M")
