"""A settings file that people write: YAML, TOML or JSON in, a checked pydantic model out, and one wording of errors.

Every error is a `DataError` with a line for each mistake: file, key, what was expected and what was found.
"""

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails

from recsys.errors import DataError

Form = Literal["YAML", "TOML", "JSON"]
Model = TypeVar("Model", bound=BaseModel)

_LONGEST_SHOWN: Final = 80


def read(path: Path, model: type[Model], *, form: Form, is_secret: bool = False) -> Model:
    """What the file says.

    Args:
        is_secret: errors tell nothing of what was found.

    Raises:
        DataError: the file cannot be read, is not of this form, or says something that the model does not have.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8, found other bytes from byte {error.start} on") from None
    try:
        document = _PARSERS[form](text)
    except yaml.MarkedYAMLError as error:  # the text of this one is several lines, and quotes the file
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        found = "" if is_secret else f", found: {error.problem}"
        raise DataError(f"{path}: {line}expected {form}{found}") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:  # the last: nested more deeply than anybody writes
        found = "" if is_secret else f", found: {error}"
        raise DataError(f"{path}: expected {form}{found}") from None
    return check(document, model, where=str(path), is_secret=is_secret)


def check(document: object, model: type[Model], *, where: str, is_secret: bool = False) -> Model:
    """What a document, however it was read, says. Raises: DataError, its lines beginning with `where`."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        keys = [".".join(map(str, detail["loc"])) for detail in details]
        lines = [explained(each, model, key=key, is_secret=is_secret) for each, key in zip(details, keys, strict=True)]
        raise DataError(
            "\n".join(f"{where}: {line}" for line in lines)
        ) from None  # the cause would show what is secret


class _Loader(yaml.SafeLoader):
    """PyYAML's own, which raises whatever Python raises where a value is not what its tag or its look says."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
            raise yaml.constructor.ConstructorError(problem=str(error), problem_mark=node.start_mark) from error


_PARSERS: Final[Mapping[Form, Callable[[str], object]]] = {
    "YAML": lambda text: yaml.load(text, Loader=_Loader),
    "TOML": tomllib.loads,
    "JSON": json.loads,
}


def explained(detail: ErrorDetails, model: type[BaseModel], *, key: str, is_secret: bool) -> str:
    """One mistake as a line: key, what was expected and, unless it `is_secret`, what was found."""
    message = detail["msg"].removeprefix("Value error, ")
    found = "" if is_secret else f", found {_shown(detail['input'])}"
    match detail["type"]:
        case "extra_forbidden":
            possible, written = _keys_at(detail["loc"], model), str(detail["loc"][-1])
            near = "".join(f"; is {name!r} meant?" for name in get_close_matches(written, possible, n=1))
            return f"{key}: expected one of {', '.join(possible)}, found {written!r}{near}"
        case "missing":
            return f"{key}: expected a value, found none"
        case "model_type" | "model_attributes_type" | "dict_type":  # the message names a Python class
            return f"{key or 'the whole file'}: expected keys with values{found}"
        case "value_error" if isinstance(detail["input"], dict | list):  # a check of several keys names them itself
            return f"{key}: {message}" if key else message
        case _:
            return f"{key}: {message}{found}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _keys_at(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The keys that may stand where the location's last one stands."""
    models = list(_models_in(model))
    for part in location[:-1]:
        below = [each.model_fields[part].annotation for each in models if part in each.model_fields]
        models = [each for annotation in below for each in _models_in(annotation)] or models
    return list(dict.fromkeys(name for each in models for name in each.model_fields))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
        for argument in get_args(annotation):
            yield from _models_in(argument)
    elif issubclass(annotation, RootModel):
        yield from _models_in(annotation.model_fields["root"].annotation)
    else:
        yield annotation
