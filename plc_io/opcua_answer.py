"""How a method of OPC UA answers: variants, or a status code that cannot be overlooked. Output `Error` is always 0."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from .opcua_machine import OnlyMirrorsError, WrongStateError
from .opcua_types import ua

_LOG = logging.getLogger(__name__)
Answer = Any
"""Variants in the order of the outputs."""
Method = Callable[..., Awaitable[Answer]]


class Refusal(Exception):
    """The method's answer is this status code."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.code = ua.StatusCode(getattr(ua.StatusCodes, name))


def variant(value: Any, kind: Any = None) -> Any:
    """One output; kind: None where the value tells its type itself."""
    return ua.Variant(value, kind) if kind is not None else ua.Variant(value)


def no_error() -> Any:
    """The output `Error` of what went well."""
    return ua.Variant(0, ua.VariantType.Int32)


def answering(path: str, method: Method) -> Callable[..., Awaitable[Answer]]:
    """The method as asyncua calls it: unwrapped arguments in, variants or a status code out."""

    async def call(_parent: Any, *arguments: Any) -> Answer:
        try:
            return await method(*(argument.Value for argument in arguments))
        except WrongStateError as error:
            code = ua.StatusCode(ua.StatusCodes.BadInvalidState)
            _LOG.warning("%s refused: %s", path, error)
        except OnlyMirrorsError as error:
            code = ua.StatusCode(ua.StatusCodes.BadNotSupported)
            _LOG.warning("%s refused: %s", path, error)
        except Refusal as refusal:
            code = refusal.code
            _LOG.warning("%s refused: %s", path, refusal)
        except (TypeError, ValueError) as error:  # number or kind of the arguments
            code = ua.StatusCode(ua.StatusCodes.BadInvalidArgument)
            _LOG.warning("%s refused: %s", path, error)
        return code

    return call
