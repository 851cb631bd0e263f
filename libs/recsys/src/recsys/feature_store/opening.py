"""From the address of a feature store to the store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import FeatureStore
from recsys.feature_store.sqlite import SqliteStore
from recsys.feature_store.valkey import ValkeyStore


def open_store(url: str) -> FeatureStore:
    """`sqlite:///absolute/path.db` (made if it is not there) or `valkey://host:port/0`. Connects when first used.

    The path is percent-quoted, as in any address: `#` is `%23`. A query or a fragment is refused, never cut off.

    Raises: InvalidArgumentError (another kind of address), StoreUnavailableError (the file cannot be opened).
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "sqlite" and parts.path and not (parts.netloc or parts.query or parts.fragment):
            return SqliteStore(Path(unquote(parts.path)))
        if parts.scheme == "valkey" and parts.hostname:
            return ValkeyStore(url)
    except ValueError:  # what is no port may be the rest of a password that has a slash
        pass
    raise InvalidArgumentError(
        f"feature store: expected sqlite:///path or valkey://host:port/0, found {without_secrets(url)!r}"
    )


def without_secrets(url: str) -> str:
    """The address as it may be shown: no user, no password, no options, which may hold both."""
    address, _, options = url.partition("?")
    before, at, place = address.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme if slashes else ''}{slashes}{'***' + at if at else ''}{place}{'?***' if options else ''}"
