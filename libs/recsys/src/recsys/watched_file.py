"""A settings file that is read again whenever it changes. What it said before stays until it says something better."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from recsys.errors import DataError

_log = logging.getLogger(__name__)

Content = TypeVar("Content")

LOOK_EVERY_S: Final = 1.0
"""How often whoever follows a file looks at it."""

refused: Final[dict[str, bool]] = {}
"""Whether a file of this process, by its name in the settings, cannot be used as it is now."""
refusals: Final[Counter[str]] = Counter()
"""How often its content was refused; `recsys.observability.metrics` shows both."""


class WatchedFile(Generic[Content]):
    """A file, and what it said when it could be read last."""

    def __init__(self, name: str, path: Path, read: Callable[[Path], Content]) -> None:
        """`read` raises a DataError, as this does at the start."""
        self._name = name
        self._path = path
        self._read = read
        self._stamp = _stamp(path)
        self._reason = ""  # why it cannot be used as it is now
        self.content = read(path)
        refused[name] = False
        refusals[name] += 0  # shown from the start

    async def follow(self, taken: Callable[[Content], None]) -> None:
        """Look every second until cancelled, and hand over what the file says whenever that is new."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self.look():
                _log.info("settings file read", extra={"file": str(self._path), "setting": self._name})
                taken(self.content)

    def look(self) -> bool:
        """Read the file again if it has changed or could not be used; whether it said something new.

        Content that cannot be used changes nothing; the log says why once for each reason, and when it is over.
        """
        stamp = _stamp(self._path)
        if stamp == self._stamp and not self._reason:
            return False
        try:
            self.content = self._read(self._path)
        except DataError as error:
            self._refuse(str(error))
            return False
        self._stamp, self._reason = stamp, ""
        refused[self._name] = False
        return True

    def _refuse(self, reason: str) -> None:
        if reason == self._reason:
            return
        self._reason = reason
        refused[self._name] = True
        refusals[self._name] += 1
        fields = {"file": str(self._path), "setting": self._name, "reason": reason}
        _log.error("a settings file cannot be used; what it said before stays", extra=fields)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs once a file was written or replaced; none: it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
