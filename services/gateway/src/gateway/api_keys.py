"""The API keys that are valid: a YAML file in, the key that a caller showed out.

keys:
  - {name: shop, sha256: "9f86d0…", scopes: [read, events]}
  - {name: back office, sha256: "60303a…", scopes: [admin], rate_limit: 10/second, expires_at: 2027-01-01T00:00:00Z}

A key is 256 random bits, so its SHA-256 is as good as secret: there is nothing to guess, which is what slow hashes
such as argon2 make dear, and they would cost each request milliseconds. `python -m gateway.new_key` makes one.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from limits import RateLimitItem, parse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from recsys import settings_file
from recsys.errors import DataError
from recsys.watched_file import LOOK_EVERY_S, WatchedFile

_PREFIX_BYTES: Final = 8

logger = logging.getLogger(__name__)

ScopeName = Literal["read", "preview", "events", "admin"]
"""`preview` is for who only looks: what `read` may ask, of which nothing is recorded."""


def _rate(text: str) -> str:
    parse(text)  # raises ValueError
    return text


Rate = Annotated[str, AfterValidator(_rate)]
"""Requests in a time, such as `600/minute` or `10/second`."""


class Key(BaseModel):
    """A key as the file has it: the SHA-256 of what the caller shows, in hexadecimal, and what it is good for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: list[ScopeName] = Field(min_length=1)
    rate_limit: Rate | None = None
    expires_at: AwareDatetime | None = None  # none: never

    @cached_property
    def digest(self) -> bytes:
        return bytes.fromhex(self.sha256)

    @cached_property
    def rate(self) -> RateLimitItem | None:
        """How often it may ask; none: as often as any key."""
        return parse(self.rate_limit) if self.rate_limit else None


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[Key] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_two_are_alike(self) -> Self:
        for what in ("name", "sha256"):
            values = [getattr(key, what) for key in self.keys]
            if len(set(values)) < len(values):
                raise ValueError(f"two keys have the same {what}")
        return self


class ApiKeys:
    """The keys of a file as it is now: any number at once, so that a new one is in use before the old one goes."""

    def __init__(self, path: Path) -> None:
        """Raises: DataError."""
        self._file = WatchedFile("GATEWAY_API_KEYS_FILE", path, read)

    def find(self, secret: bytes) -> Key | None:
        """The key with this secret, unless it has expired."""
        digest = hashlib.sha256(secret).digest()
        key = self._file.content.get(digest[:_PREFIX_BYTES])
        if key is None or not hmac.compare_digest(key.digest, digest):
            return None
        return None if key.expires_at and key.expires_at.timestamp() <= time.time() else key

    async def follow(self) -> None:
        """Read the file again whenever it changes, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.refresh()

    def refresh(self) -> None:
        """Read the file again if it has changed. A bad one changes nothing, and is told in the log."""
        if self._file.look():
            logger.info("API keys read", extra={"keys": [key.name for key in self._file.content.values()]})


def read(path: Path) -> dict[bytes, Key]:
    """The keys of a file by the first bytes of their digests.

    Raises: DataError, naming file, key and what was expected, but not what was found, which may be a secret.
    """
    keys = settings_file.read(path, _Document, form="YAML", is_secret=True).keys
    by_digest = {key.digest[:_PREFIX_BYTES]: key for key in keys}
    if len(by_digest) < len(keys):
        raise DataError(f"{path}: two hashes begin alike, which random keys do not: make new ones")
    return by_digest
