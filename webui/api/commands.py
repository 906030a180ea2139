"""Every command of the box as `POST /api/v1/commands/NAME`: what the keys of the screens do."""

import base64
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, request
from spectree import SpecTree

from ...bus.rights import COMMANDS, RIGHTS
from ..access import needs
from ..asking import SILENT, ask
from ..web import Web
from .bodies import BODIES, INSIDE, Free, Said
from .spec import Done, Problem, answers


def _text(value: Any) -> Any:
    """Bytes of a file, as JSON takes them."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def offered() -> list[str]:
    """Names of the commands that other programs may give."""
    return [name for name in COMMANDS if name not in INSIDE]


def add_commands(views: Blueprint, spec: SpecTree, web: Web) -> None:
    """Add a view for each."""
    for name in offered():
        shape = BODIES.get(name, Free)
        view = _view(web, name, shape)
        made = spec.validate(
            json=shape,
            resp=answers(Done, HTTP_409=(Problem, "Its owner refuses, and says why."), HTTP_422=Problem),
            tags=(name.partition(".")[0],),
            security=None if COMMANDS[name].right else [{}],
            operation_id=name.replace(".", "_"),
        )(view)
        guarded = needs(COMMANDS[name].right)(made)
        views.add_url_rule(f"/commands/{name}", endpoint=name.replace(".", "_"), view_func=guarded, methods=["POST"])


def _view(web: Web, name: str, shape: type[Said]) -> Callable[[], tuple[Response, int]]:
    right = COMMANDS[name].right

    def view() -> tuple[Response, int]:
        given = shape.model_validate(request.get_json(silent=True) or {})
        body: dict[str, Any] = given.model_dump(exclude={"id", "reason"}, exclude_none=True)
        if shape is Free:
            body = body["body"]
        owner = f"camera-{body.pop('camera')}" if COMMANDS[name].owner == "camera" else ""
        if owner and owner.removeprefix("camera-") not in web.cameras:
            return jsonify(error="not_found", detail=f"there is no {owner}: {', '.join(web.cameras)}"), 404
        answer = ask(web, name, body, reason=given.reason, id=given.id, owner=owner)
        if answer.done:
            return jsonify(id=answer.id, body={name: _text(value) for name, value in answer.body.items()}), 200
        if SILENT in answer.detail:  # its owner, or records that was to write it down before
            return jsonify(error="no_answer", detail=answer.detail), 503
        return jsonify(error="refused", detail=answer.detail), 409

    what = RIGHTS.get(right, "asks nothing of its caller")
    view.__doc__ = f"{name}\n\n{shape.__doc__} Right: `{right or 'none'}` ({what}). Done by `{COMMANDS[name].owner}`."
    return view
