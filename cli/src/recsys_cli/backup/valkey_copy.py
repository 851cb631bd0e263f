"""A Valkey store as one file of keys, as they were at one moment, while it serves.

All keys are dumped while the server tells which of them change (client-side caching's invalidations); those are
dumped again, and the last of them while writes wait for some milliseconds. So it works wherever a client may connect,
and needs neither the server's disk nor a fork. A record of a key that comes later in the file replaces an earlier one.
"""

import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from valkey import Valkey
from valkey.exceptions import ValkeyError

from recsys import durable_file
from recsys.errors import DataError, StoreUnavailableError
from recsys.feature_store.opening import without_secrets
from recsys_cli.backup.manifest import Position

FILE: Final = "valkey.dump"

_RECORD: Final = struct.Struct(">IqI")  # bytes of the key, Unix milliseconds at which it expires, bytes of its dump
_NEVER: Final = 0
_GONE: Final = -2  # the key was deleted after an earlier record
_KEYS_AT_ONCE: Final = 500
_ROUNDS: Final = 5  # over what has changed, before writes wait
_PAUSE_MS: Final = 5_000  # writes wait no longer than that, whatever becomes of this process
_TIMEOUT_S: Final = 60.0
_POSITIONS: Final = ("sequence:stream", "sequence:items")


def take(url: str, folder: Path) -> Position:
    """Copy the store at an address. Raises: StoreUnavailableError."""
    with _connected(url) as client, durable_file.replacing(folder / FILE) as file:
        changed = _tell_changes(client)
        for keys in _scanned(client):
            _dump(client, keys, file)
        for _ in range(_ROUNDS):
            client.ping()  # what was told so far is read with the answer
            if len(changed) <= _KEYS_AT_ONCE:
                break
            _dump_changed(client, changed, file)
        started_s = time.monotonic()
        client.execute_command("CLIENT", "PAUSE", _PAUSE_MS, "WRITE")
        try:
            client.ping()
            _dump_changed(client, changed, file)
            stream, items = (int(number or 0) for number in client.mget(_POSITIONS))
            first = client.xrange("stream", count=1)
        finally:
            client.execute_command("CLIENT", "UNPAUSE")
        if time.monotonic() - started_s > _PAUSE_MS / 1000:
            raise StoreUnavailableError(f"{without_secrets(url)}: changes faster than it can be copied; try again")
    trimmed = int(first[0][0].split(b"-")[0]) - 1 if first else stream
    return Position(stream=stream, trimmed=trimmed, items=items)


def cluster_not_copied(url: str) -> DataError:
    """The nodes of a cluster cannot be copied as of one moment; says what to do instead."""
    return DataError(
        f"{without_secrets(url)}: expected one Valkey server or the embedded store, found a Valkey Cluster, which "
        "backup and restore do not copy: stop the services, then take or put back a snapshot of every node "
        "(BGSAVE, or your provider's) together with a copy of the volume"
    )


def is_empty(url: str) -> bool:
    """Whether the store has no key. Raises: StoreUnavailableError."""
    with _connected(url) as client:
        return not client.dbsize()


def restore(folder: Path, url: str) -> None:
    """Put every key of a copy into a store, in place of what is there. Raises: StoreUnavailableError, DataError."""
    with _connected(url) as client:
        client.flushdb()
        with client.pipeline(transaction=False) as pipeline:
            for key, expires_ms, dump in _records(folder / FILE):
                if expires_ms == _GONE:
                    pipeline.delete(key)
                else:
                    pipeline.restore(key, expires_ms, dump, replace=True, absttl=expires_ms != _NEVER)
                if len(pipeline) >= _KEYS_AT_ONCE:
                    pipeline.execute()
            pipeline.execute()


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    """A connection of its own, on which the server may tell what changes. ValkeyError → StoreUnavailableError.

    Raises: DataError (a node of a cluster).
    """
    try:
        client: Any = Valkey.from_url(  # the library's own types leave out half of what it takes
            url,
            protocol=3,
            single_connection_client=True,
            decode_responses=False,
            socket_timeout=_TIMEOUT_S,
        )
        try:
            if client.info("cluster").get("cluster_enabled"):
                raise cluster_not_copied(url)
            yield client
        finally:
            client.close()
    except (ValkeyError, OSError) as error:
        raise StoreUnavailableError(f"{without_secrets(url)}: {str(error) or type(error).__name__}") from error


def _tell_changes(client: Any) -> set[bytes]:
    """Keys that change from now on, as the server tells them with its answers."""
    changed: set[bytes] = set()
    client.connection._parser.set_invalidation_push_handler(lambda message: changed.update(message[1] or ()))
    client.execute_command("CLIENT", "TRACKING", "ON", "BCAST")
    return changed


def _scanned(client: Any) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        cursor, keys = client.scan(cursor, count=_KEYS_AT_ONCE)
        yield keys
        if not cursor:
            return


def _dump_changed(client: Any, changed: set[bytes], file: IO[bytes]) -> None:
    keys = sorted(changed)
    changed.clear()  # what changes again is told again
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        _dump(client, keys[start : start + _KEYS_AT_ONCE], file)


def _dump(client: Any, keys: list[bytes], file: IO[bytes]) -> None:
    with client.pipeline(transaction=True) as pipeline:  # dump and expiry of one moment
        for key in keys:
            pipeline.dump(key)
            pipeline.pexpiretime(key)
        answers = pipeline.execute()
    for key, dump, expires_ms in zip(keys, answers[::2], answers[1::2], strict=True):
        expires = _GONE if dump is None else max(expires_ms, _NEVER)
        file.write(_RECORD.pack(len(key), expires, len(dump or b"")) + key + (dump or b""))


def _records(path: Path) -> Iterable[tuple[bytes, int, bytes]]:
    with path.open("rb") as file:
        while head := file.read(_RECORD.size):
            try:
                of_key, expires_ms, of_dump = _RECORD.unpack(head)
                key, dump = file.read(of_key), file.read(of_dump)
                if len(key) < of_key or len(dump) < of_dump:
                    raise struct.error("the file ends within a key")
            except struct.error as error:
                raise DataError(f"{path}: expected records of keys: {error}") from error
            yield key, expires_ms, dump
