"""Keys of a pydantic model where people may type anything."""

import types
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def free_text(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Dotted names of fields that are text without a pattern; `*` for what people name or number themselves."""
    for name, field in model.model_fields.items():
        yield from _free((field.annotation, *field.metadata), f"{path}{name}")


def _free(kind: tuple[Any, ...], path: str) -> Iterator[str]:
    made, *beside = kind
    origin, inner = get_origin(made), get_args(made)
    if origin is Annotated:
        yield from _free((inner[0], *inner[1:], *beside), path)
    elif origin in (Union, types.UnionType):
        for each in inner:
            yield from _free((each, *beside), path)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from _free((inner[1],), f"{path}.*")
    elif isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset):
        yield from _free((inner[0],), f"{path}.*")
    elif isinstance(made, type) and issubclass(made, BaseModel):
        yield from free_text(made, f"{path}.")
    elif isinstance(made, type) and issubclass(made, str) and not issubclass(made, Enum | Path):
        yield from () if any(getattr(each, "pattern", None) for each in _flat(beside)) else (path,)


def _flat(beside: Iterable[Any]) -> Iterator[Any]:
    for each in beside:
        yield from _flat(each.metadata) if hasattr(each, "metadata") else (each,)
