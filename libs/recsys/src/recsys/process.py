"""How a process starts: its settings out of the environment, and a sentence instead of a traceback where it cannot.

The same for every process: what is wrong stands in one line for each mistake, on stderr, and the exit status is 2.
"""

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from recsys.errors import InvalidArgumentError, RecsysError
from recsys.exit_status import Status, end
from recsys.settings_file import explained

Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings], **given: Any) -> Settings:
    """The settings as the environment has them; `given` ones, of a command line, come first.

    Raises: InvalidArgumentError, a line for each variable: its name, what was expected and what was found. What may
    hold a secret (a field with `repr=False`) is not shown.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidArgumentError("\n".join(_explained(detail, kind) for detail in details)) from None
    except SettingsError as error:  # a variable whose value should be JSON, and is not
        field = re.search(r'field "(\w+)"', str(error))
        name = _variable(kind, field[1]) if field else "settings"
        raise InvalidArgumentError(f"{name}: expected JSON, found other text") from None


@contextmanager
def ended_where_it_cannot_start() -> Iterator[None]:
    """An error of ours within the block ends the process."""
    try:
        yield
    except RecsysError as error:
        end(str(error), Status.CANNOT)


def told_to_end() -> asyncio.Event:
    """What SIGTERM and SIGINT set from now on; called in the running loop."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


async def wait_until_told(told: asyncio.Event, *, at_most_s: float) -> None:
    """A pause that ends at once when the process is told to end."""
    with suppress(TimeoutError):
        await asyncio.wait_for(told.wait(), at_most_s)


def _explained(detail: ErrorDetails, kind: type[BaseSettings]) -> str:
    if not detail["loc"]:  # a check of several settings names them itself
        return detail["msg"].removeprefix("Value error, ")
    top, *below = map(str, detail["loc"])
    field = kind.model_fields.get(top)
    key = ".".join([_variable(kind, top), *below])
    return explained(detail, kind, key=key, is_secret=field is not None and not field.repr)


def _variable(kind: type[BaseSettings], field: str) -> str:
    """A field that has an alias is named by it, which has the prefix already."""
    name, prefix = field.upper(), str(kind.model_config.get("env_prefix", ""))
    return name if prefix and name.startswith(prefix) else f"{prefix}{name}"
