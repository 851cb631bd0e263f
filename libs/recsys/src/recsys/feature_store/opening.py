"""From the address of a feature store to the store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import SESSION_DAYS, FeatureStore
from recsys.feature_store.measured import measured
from recsys.feature_store.sqlite import SqliteStore
from recsys.feature_store.valkey import ValkeyStore
from recsys.feature_store.valkey_cluster import SCHEME, ValkeyClusterStore


def open_store(url: str, *, session_days: int = SESSION_DAYS) -> FeatureStore:
    """`sqlite:///absolute/path.db` (made if it is not there), `valkey://host:port/0` or, of any node of a cluster,
    `valkey+cluster://host:port`. Connects when first used.

    A path is quoted as in any URL (`urllib.parse.quote`): `%23` is `#`, `%3F` is `?`, `%25` is `%`. After
    `session_days` days without an event or a merge a session is forgotten.

    Raises: InvalidArgumentError (another kind of address), StoreUnavailableError (the file cannot be opened).
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "sqlite" and not parts.netloc and parts.path and not _has_more(url):
            return measured(SqliteStore(Path(unquote(parts.path)), session_days=session_days))
        if parts.scheme == "valkey" and parts.hostname:
            return measured(ValkeyStore(url, session_days=session_days))
        if parts.scheme == SCHEME and parts.hostname and parts.path in ("", "/", "/0"):
            return measured(ValkeyClusterStore(url, session_days=session_days))
    except ValueError:  # what is no port may be the rest of a password that has a slash
        pass
    raise InvalidArgumentError(
        "feature store: expected sqlite:///path, valkey://host:port/0 or valkey+cluster://host:port, "
        f"found {without_secrets(url)!r}"
        + ("; write # as %23 and ? as %3F in a path" if url.startswith("sqlite:") and _has_more(url) else "")
    )


def _has_more(url: str) -> bool:
    """Whether a path would be cut: two files that differ behind it only would be one."""
    return "?" in url or "#" in url


def without_secrets(url: str) -> str:
    """The address as it may be shown: no user, no password, no options, which may hold both."""
    address, _, options = url.partition("?")
    before, at, place = address.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme if slashes else ''}{slashes}{'***' + at if at else ''}{place}{'?***' if options else ''}"
