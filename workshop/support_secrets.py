"""What of a box may leave it in a support bundle. Settings by an allow-list; words by what secrets look like.

Of the settings a value is shown where its field says what it may be: a number, a switch, one of a few words, a path, a
name with a pattern. Free text is shown only where its key stands in `SHOWN`. An unknown key, or a value of another kind
than its field, is struck out: somebody may have put a password there.
"""

import re
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

STRUCK = "***"
SHOWN = frozenset(
    {
        "camera.*.serial",
        "camera.*.video",
        "plc.host",
        "plc.peer",
        "plc.tls.roles.*",
        "plc.tls.peer_name",
        "plc.client.host",
        "plc.client.tls.roles.*",
        "plc.client.tls.peer_name",
        "plc.ascii.host",
        "plc.ascii.peer",
        "plc.ascii.trigger",
        "plc.ascii.passed",
        "plc.ascii.rejected",
        "plc.ascii.unjudged",
        "plc.ascii.missed",
        "plc.ascii.result",
        "plc.belt.gate.*.kinds.*",
        "plc.pins.outputs.*.line",
        "plc.pins.inputs.*.line",
        "shift.calendar.*.name",
        "web.host",
        "opcua.host",
        "opcua.name",
        "mqtt.host",
        "sync.target",
    }
)
"""Free text that is no secret. What is not here is struck out, also every key that comes later."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)([^\s\"'@]*(?:@[^\s\"'@]+)*)@", re.IGNORECASE)
"""Who signs in, in an address: up to its last @, for a password may hold a slash or an @ of its own."""
_ASKED = re.compile(r"([a-z][a-z0-9+.-]*://[^\s?\"']+)\?[^\s\"']+", re.IGNORECASE)
_VALUE = r"""(?:(?:bearer|basic|digest)\s+)?("[^"\n]*"|'[^'\n]*'|[^\s,;}\]]+)"""
_SAID = re.compile(
    r"""(?ix)\b([\w-]*(?:passwor[dt]|passphrase|passwd|secret|token|credential|api[_-]?key|access[_-]?key
    |private[_-]?key)[\w-]*|authorization|bearer|cookie|community|pin)(["']?\s*[=:]\s*|\s+)"""
    + _VALUE
)
_SET = re.compile(r"""(?i)\b((?:session|hash|salt)[\w-]*)(["']?\s*[=:]\s*)""" + _VALUE)
_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_SHAPES = re.compile(
    r"\$(?:argon2\w*|2[aby]|scrypt|pbkdf2[\w-]*|[156y])\$[^\s\"']+"  # hashes of passwords
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"  # JSON web tokens
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # keys of S3
    r"|\bokng_[A-Za-z0-9_-]{4,}"  # tokens of our own interface
)
_SECRET_KEY = re.compile(
    r"(?i)(password|passphrase|secret|token|credential|private|community|(^|_)(key|pin|users)(_|$))"
)
LEAST = 6
"""A known secret that is shorter is not looked for: it would strike out numbers and words."""


def shown_settings(content: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The settings as they were typed, without what may be a secret. model: what they should be."""
    shown: dict[str, Any] = _shown_model(content, model, "")
    return shown


def struck_out(content: object, shown: object) -> set[str]:
    """Texts that stand in the settings and are not shown, to be looked for elsewhere."""
    if shown == STRUCK:
        return {text for text in _texts(content) if len(text) >= LEAST}
    if isinstance(content, Mapping) and isinstance(shown, Mapping):
        return set().union(*(struck_out(value, shown.get(str(key))) for key, value in content.items()))
    if isinstance(content, list) and isinstance(shown, list):
        return set().union(*(struck_out(one, other) for one, other in zip(content, shown, strict=False)))
    if isinstance(content, str) and isinstance(shown, str) and content != shown:
        said = {found for _, found in _ADDRESS.findall(content)}
        said |= {half for found in said for half in found.split(":", 1)}
        return {found for found in said if len(found) >= LEAST}
    return set()


def secret_files(content: object, key: str = "") -> Iterable[Path]:
    """Files that the settings name under a key that speaks of a secret: what stands in them is one."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from secret_files(value, str(name))
    elif isinstance(content, list):
        for value in content:
            yield from secret_files(value, key)
    elif isinstance(content, str) and _SECRET_KEY.search(key):
        yield Path(content)


def cleaned(text: str, known: Iterable[str] = ()) -> str:
    """Words without secrets. known: texts that are secrets of this box."""
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, STRUCK)
    text = _BLOCK.sub(STRUCK, text)
    text = _SHAPES.sub(STRUCK, text)
    text = _ASKED.sub(r"\1?" + STRUCK, _ADDRESS.sub(rf"\1{STRUCK}@", text))
    return _SET.sub(rf"\1\2{STRUCK}", _SAID.sub(rf"\1\2{STRUCK}", text))


def cleaned_value(value: Any, known: Iterable[str] = ()) -> Any:
    """The same with every text in it cleaned."""
    if isinstance(value, Mapping):
        return {str(key): cleaned_value(each, known) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned_value(each, known) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return cleaned(str(value), known)


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _shown_model(content: object, model: type[BaseModel], path: str) -> Any:
    if not isinstance(content, Mapping):
        return STRUCK
    return {
        str(key)[:64]: _shown(value, (field.annotation, *field.metadata), f"{path}{key}")
        if (field := model.model_fields.get(str(key))) is not None
        else STRUCK
        for key, value in content.items()
    }


def _shown(value: object, kind: tuple[Any, ...], path: str) -> Any:
    """Value as it may be shown. kind: annotation of the field, then what is said of it beside."""
    if isinstance(value, bool):
        return value
    made, *beside = kind
    origin, inner = get_origin(made), get_args(made)
    if origin is Annotated:
        return _shown(value, (inner[0], *inner[1:], *beside), path)
    if origin in (Union, types.UnionType):
        tried = [_shown(value, (each, *beside), path) for each in inner if each is not type(None)]
        return next((each for each in tried if each != STRUCK), STRUCK)
    if origin is Literal:
        return value if value in inner else STRUCK
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            return STRUCK
        return {str(key)[:64]: _shown(each, (inner[1],), f"{path}.*") for key, each in value.items()}
    if origin is not None and isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset):
        return [_shown(each, (inner[0],), f"{path}.*") for each in value] if isinstance(value, list) else STRUCK
    if isinstance(made, type):
        return _shown_plain(value, made, beside, path)
    return STRUCK


def _shown_plain(value: object, made: type, beside: list[Any], path: str) -> Any:
    if issubclass(made, BaseModel):
        return _shown_model(value, made, f"{path}.")
    if issubclass(made, int | float):
        return value if isinstance(value, int | float) else STRUCK
    if not isinstance(value, str):
        return STRUCK
    if issubclass(made, Enum):
        return value if value in {each.value for each in made} else STRUCK
    if issubclass(made, Path):
        return cleaned(value)
    bound = next((each.pattern for each in _said_of(beside) if getattr(each, "pattern", None)), None)
    named = bound is not None and re.search(str(bound), value) is not None
    return cleaned(value) if named or path in SHOWN else STRUCK


def _said_of(beside: Iterable[Any]) -> Iterable[Any]:
    """What is said beside an annotation; pydantic's own word for it holds more of them."""
    for each in beside:
        yield from _said_of(each.metadata) if hasattr(each, "metadata") else (each,)
