"""The OpenAPI document, made from the views themselves, and the shapes all of them share."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Annotated, Any

from flask import request as asked
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, core_schema
from spectree import Response, SecurityScheme, SpecTree
from spectree.models import InType, SecureType, SecuritySchemeData

from .answers import problem

VERSION = "1.0"
"""Of the API. A change that breaks a caller is another path, `/v2`."""
Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Shape(BaseModel):
    """What travels. Unknown keys are refused: a misspelt one would be silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(Shape):
    """Words of an address. An empty one counts as one that was not said; one that is not known is refused."""

    @model_validator(mode="before")
    @classmethod
    def _said(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: word for name, word in given.items() if word != "" or name not in cls.model_fields}


class Among:
    """One of these words: `Annotated[str, Among(NAMES)]`. any_case: small letters are taken too."""

    def __init__(self, words: Iterable[str], any_case: bool = False) -> None:
        self._words, self._any_case = list(words), any_case

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        words = core_schema.literal_schema(self._words)
        if not self._any_case:
            return words
        return core_schema.no_info_before_validator_function(
            lambda said: said.upper() if isinstance(said, str) else said, words
        )


class Done(Shape):
    """It was done."""

    done: bool


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


FAILURES: dict[str, Any] = {
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


def answers(model: type[BaseModel] | None, **more: Any) -> Response:
    """The answers of an operation: 200 with model, and the ways it may fail."""
    return Response(HTTP_200=model, **{**FAILURES, **more})


def described(
    spec: SpecTree, resp: Response, tags: tuple[str, ...], query: type[BaseModel] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a view into the document whose answer is too large to be read once more before it is sent.

    The address is held against query all the same; tests hold what is answered against resp.
    """

    def wrap(view: Callable[..., Any]) -> Callable[..., Any]:
        known = spec.validate(query=query, resp=resp, tags=tags)(view)

        @wraps(known)  # the document finds it through this; it is never called, for it would hold the whole answer
        def plain(*given: Any, **named: Any) -> Any:
            if query is not None:
                try:
                    query.model_validate(_words(asked.args))
                except ValidationError as error:
                    return problem(400, complaint([dict(one) for one in error.errors(include_url=False)]))
            return view(*given, **named)

        return plain

    return wrap


def _words(args: Any) -> dict[str, Any]:
    """The words of an address; one that came twice is a list, which no word is."""
    return {name: all_of[0] if len(all_of) == 1 else all_of for name, all_of in args.lists()}


class _Files(Response):
    """The answer is a file of one of some kinds."""

    def __init__(self, kinds: Iterable[str], **failures: Any) -> None:
        super().__init__("HTTP_200", **failures)
        self._kinds = [kind.partition(";")[0] for kind in kinds]

    def generate_spec(self, naming_strategy: Any = None) -> dict[str, Any]:
        """Put the kinds into what is said of 200."""
        told = super().generate_spec(naming_strategy)
        told["200"]["content"] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in self._kinds}
        return told


def files(kinds: Mapping[str, str], **more: Any) -> Response:
    """The answers of an operation that gives a file. kinds: media types by name."""
    return _Files(kinds.values(), **FAILURES, **more)
