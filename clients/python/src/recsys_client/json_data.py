"""JSON to dataclasses and back, by their annotations."""

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from recsys_client.errors import UnexpectedAnswerError
from recsys_client.requests import UNSET

T = TypeVar("T")
_Decoder = Callable[[Any], Any]


def decoded(kind: type[T], value: object) -> T:
    """The JSON value as a `kind`. Unknown fields are ignored. Raises: UnexpectedAnswerError, naming the field."""
    decode: _Decoder = _decoder_of(cast(Any, kind))
    try:
        return cast(T, decode(value))
    except TypeError as error:
        raise UnexpectedAnswerError(f"{kind.__name__}: {error}") from error


def encoded(value: object) -> Any:
    """What `json.dumps` takes. Of a dataclass, what stands at its default is left out; UNSET is left out anywhere."""
    if is_dataclass(value):
        given = {field.name: getattr(value, field.name) for field in fields(value) if _is_said(value, field.name)}
        return encoded(given)
    if isinstance(value, Mapping):
        return {name: encoded(each) for name, each in value.items() if each is not UNSET}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [encoded(each) for each in value]
    return value


def _is_said(value: Any, name: str) -> bool:
    field = value.__dataclass_fields__[name]
    if not field.init:  # a constant, such as the kind of a change
        return True
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return bool(getattr(value, name) != default)


@functools.cache
def _decoder_of(kind: Any) -> _Decoder:
    if is_dataclass(kind):
        return _object_decoder(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (some,) = (each for each in arguments if each is not type(None))
        of_some = _decoder_of(some)
        return lambda value: None if value is None else of_some(value)
    if origin is tuple:
        of_each = _decoder_of(arguments[0])
        return lambda value: tuple(of_each(each) for each in _expected(list, value))
    if origin is dict:
        of_value = _decoder_of(arguments[1])
        return lambda value: {name: of_value(each) for name, each in _expected(dict, value).items()}
    if origin is Literal:
        return functools.partial(_expected, str)
    if kind is datetime:
        return lambda value: datetime.fromisoformat(_expected(str, value).replace("Z", "+00:00"))
    if kind is float:
        return lambda value: float(_expected((int, float), value))
    return functools.partial(_expected, kind)


def _object_decoder(kind: Any) -> _Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder_of(hints[field.name]) for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING}

    def decode(value: Any) -> Any:
        found = _expected(dict, value)
        if missing := required - found.keys():
            raise UnexpectedAnswerError(f"{kind.__name__}: expected {', '.join(sorted(missing))}, found nothing")
        given = {}
        for name, decoder in decoders.items():
            if name in found:
                try:
                    given[name] = decoder(found[name])
                except (ValueError, TypeError) as error:
                    raise UnexpectedAnswerError(f"{kind.__name__}.{name}: {error}") from error
        return kind(**given)

    return decode


def _expected(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
        raise TypeError(f"expected {names}, found {value!r:.100}")
    return value
