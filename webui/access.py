"""Who is signed in and what they may do. Every view says who reaches it, by `needs("right")` or `open_to_all`.

Roles are data in the ledger: no view asks for a role.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import abort, current_app, g, redirect, request, url_for

from ..records.people_read import Person

View = TypeVar("View", bound=Callable[..., Any])
LOOK = ""
"""Right of what anybody may see on the panel."""


def person() -> Person | None:
    """Who is signed in on this screen (or bears the token of this request); None: nobody."""
    if "person" not in g:
        load = current_app.extensions.get("okng-who")
        g.person = load() if load is not None else None
    found: Person | None = g.person
    return found


def may(right: str) -> bool:
    """True when who is signed in has that right. The empty right is everybody's."""
    found = person()
    return not right or (found is not None and right in found.rights)


def require(right: str) -> None:
    """Abort with 401 (nobody is signed in) or 403 (they may not) unless they may."""
    if not may(right):
        abort(403 if person() else 401)


def needs(right: str) -> Callable[[View], View]:
    """Let only those to this view who have the right. A page sends others to the sign-in and brings them back."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(*given: Any, **named: Any) -> Any:
            if not may(right) and person() is None and request.method == "GET" and _is_page():
                return redirect(url_for("access.page", next=request.full_path.rstrip("?")))
            require(right)
            return view(*given, **named)

        guarded.needs = right  # type: ignore[attr-defined]  # read by the test that walks all routes
        return guarded  # type: ignore[return-value]

    return wrap


def needs_one_of(*rights: str) -> Callable[[View], View]:
    """Let those in who have one of several rights; who has none is told of the first."""

    def wrap(view: View) -> View:
        guards = {right: needs(right)(view) for right in rights}

        @wraps(view)
        def guarded(*given: Any, **named: Any) -> Any:
            return guards[next(filter(may, rights), rights[0])](*given, **named)

        guarded.needs = rights[0]  # type: ignore[attr-defined]  # read by the test that walks all routes
        guarded.any_of = frozenset(rights)  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return wrap


def open_to_all(view: View) -> View:
    """Let everybody who reaches the panel see this."""
    view.needs = LOOK  # type: ignore[attr-defined]
    return view


def _is_page() -> bool:
    if request.path.startswith(("/api/", "/metrics")):
        return False
    return request.headers.get("X-Piece") is None and request.accept_mimetypes.best != "application/json"
