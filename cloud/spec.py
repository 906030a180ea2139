"""The OpenAPI document, made from the views themselves, and the shapes all of them share."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from spectree import Response, SecurityScheme, SpecTree
from spectree.models import InType, SecureType, SecuritySchemeData

VERSION = "1.0"
"""Of the API. A change that breaks a caller is another path, `/v2`."""
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Shape(BaseModel):
    """What travels. Unknown keys are refused: a misspelt one would be silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Shape):
    """Why it was not done."""

    error: str = Field(description="A word for programs: unauthorized, forbidden, refused, busy, no_answer, …")
    detail: str = Field(description="For people, in English: what was expected.")


def make_spec() -> SpecTree:
    """One document for one application."""
    return SpecTree(
        "flask",
        mode="strict",
        annotations=False,
        title="okng fleet",
        version=VERSION,
        description="What boxes say and ask, and what people and programs may do. A box shows its certificate, a "
        "program a token that carries rights, a person the cookie of the sign-in and the CSRF token in X-CSRFToken.",
        page_templates={},
        validation_error_status=400,
        validation_error_model=Problem,
        before=_say_what_is_wrong,
        security_schemes=[
            SecurityScheme(name="token", data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer")),
            SecurityScheme(
                name="session",
                data=SecuritySchemeData(type=SecureType.API_KEY, field_in=InType.COOKIE, name="__Host-okng-fleet"),
            ),
        ],
        security=[{"token": []}, {"session": []}],
        nested_naming_strategy=lambda _parent, child: child,
        naming_strategy=lambda model: model.__name__,
    )


BY_BOX: Any = [{}]
"""OpenAPI 3.0 has no word for mutual TLS: the tag `box` says it."""
OPEN: Any = [{}]


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
            ("400", "It is not of the shape below."),
            ("401", "Nobody proved who they are, or the box is retired."),
            ("403", "The right is missing, or the CSRF token."),
            ("404", "There is no such thing, or no such address."),
            ("413", "It is larger than may be."),
            ("429", "Too many requests: wait as Retry-After says."),
            ("503", "Database or store do not answer: wait as Retry-After says."),
        )
    }
    return Response(HTTP_200=model, **{**failures, **more})
