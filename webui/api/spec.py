"""The OpenAPI document, made from the views themselves, and the shapes all of them share."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field
from spectree import Response, SecurityScheme, SpecTree
from spectree.model_adapter.protocol import SchemaMode
from spectree.model_adapter.pydantic_adapter import PydanticModelAdapter
from spectree.models import InType, SecureType, SecuritySchemeData

VERSION = "1.0"
"""Of the API. A change that breaks a caller is another path, `/api/v2`."""
PREFIX = "/api/v1"


class Shape(BaseModel):
    """What travels. Unknown keys are refused: a misspelt one would be silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Shape):
    """Why it was not done."""

    error: str = Field(description="A word for programs: unauthorized, forbidden, not_found, refused, no_answer, ...")
    detail: str = Field(description="For people, in English.")


class Done(Shape):
    """It was done."""

    id: str = Field(description="Of this ask; the same id asked again is not done twice.")
    body: dict[str, Any] = Field(description="What its owner answered.")


_MADE: dict[tuple[type[Any], str, str], dict[str, Any]] = {}
"""By model, how it names others, and which way it travels; the shapes are there for as long as the process."""


class _Once(PydanticModelAdapter):
    """Makes each schema once.

    It is asked for the same few shapes at every answer of every operation, a thousand times in all, which was two
    thirds of the time that the screens take to start.
    """

    def json_schema(self, model: type[Any], *, ref_template: str, mode: SchemaMode = "validation") -> dict[str, Any]:
        key = (model, ref_template, mode)
        if key not in _MADE:
            _MADE[key] = super().json_schema(model, ref_template=ref_template, mode=mode)
        return _MADE[key]  # spectree works on a copy of its own


def make_spec() -> SpecTree:
    """One document for one application."""
    return SpecTree(
        "flask",
        model_adapter=cast(Any, _Once()),  # its own adapter is not of the type it asks for either
        mode="strict",
        annotations=False,
        title="okng",
        version=VERSION,
        description="One inspection box: what it sees, what it decided, and what people may ask of it. "
        "Every operation names the right it takes; a token carries rights.",
        page_templates={},
        validation_error_status=422,
        validation_error_model=Problem,
        before=_say_what_is_wrong,
        security_schemes=[
            SecurityScheme(name="token", data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer")),
            SecurityScheme(
                name="session",
                data=SecuritySchemeData(type=SecureType.API_KEY, field_in=InType.COOKIE, name="session"),
            ),
        ],
        security=[{"token": []}, {"session": []}],
        nested_naming_strategy=lambda _parent, child: child,
        naming_strategy=lambda model: model.__name__,
    )


def _say_what_is_wrong(request: Any, response: Any, error: Any, instance: Any, adapter: Any) -> None:
    """Put our own shape into the answer to an invalid request."""
    if error is None:
        return
    detail = complaint(adapter.validation_errors(error))
    response.set_data(json.dumps(Problem(error="invalid", detail=detail).model_dump()))


def complaint(errors: Iterable[Mapping[str, Any]]) -> str:
    """What is wrong with a request, in one line: where, and what was expected."""
    lines = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in errors]
    return "; ".join(lines)[:2000]


def answers(model: type[BaseModel] | None, **more: Any) -> Response:
    """The answers of an operation: 200 with model, and the ways it may fail."""
    failures: dict[str, Any] = {
        f"HTTP_{code}": (Problem, words)
        for code, words in (
            ("401", "Nobody is signed in, or the token is not known."),
            ("403", "The right is missing."),
            ("404", "There is no such thing."),
            ("429", "Too many requests: wait."),
            ("503", "The history cannot be read, or the process that owns this does not answer."),
        )
    }
    return Response(HTTP_200=model, **{**failures, **more})
