"""From the address of a feature store to the store."""

from pathlib import Path
from urllib.parse import urlsplit

from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import FeatureStore
from recsys.feature_store.sqlite import SqliteStore
from recsys.feature_store.valkey import ValkeyStore


def open_store(url: str) -> FeatureStore:
    """`sqlite:///absolute/path.db` (made if it is not there) or `valkey://host:port/0`. Connects when first used.

    Raises: InvalidArgumentError (another kind of address), StoreUnavailableError (the file cannot be opened).
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite" and not parts.netloc and parts.path:
        return SqliteStore(Path(parts.path))
    if parts.scheme == "valkey" and parts.hostname:
        return ValkeyStore(url)
    raise InvalidArgumentError(f"feature store: expected sqlite:///path or valkey://host:port/0, found {url!r}")
