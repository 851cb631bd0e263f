"""From the address of a feature store to the store."""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from recsys.errors import InvalidArgumentError
from recsys.feature_store.interface import SESSION_DAYS, FeatureStore
from recsys.feature_store.sqlite import SqliteStore
from recsys.feature_store.valkey import ValkeyStore


def open_store(url: str, *, session_days: float = SESSION_DAYS) -> FeatureStore:
    """`sqlite:///absolute/path.db` (made if it is not there) or `valkey://host:port/0`. Connects when first used.

    The path is percent-quoted, as `sqlite_url` does it: `#`, `?` and `%` are `%23`, `%3F` and `%25` there.

    Args:
        session_days: how long after their last event anonymous sessions are kept; it counts where events are written.

    Raises: InvalidArgumentError (another kind of address), StoreUnavailableError (the file cannot be opened).
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "sqlite" and not parts.netloc and parts.path and not _is_cut(url):
            return SqliteStore(Path(unquote(parts.path)), session_days=session_days)
        if parts.scheme == "valkey" and parts.hostname:
            return ValkeyStore(url, session_days=session_days)
    except ValueError:  # what is no port may be the rest of a password that has a slash
        pass
    raise InvalidArgumentError(
        "feature store: expected sqlite:///path or valkey://host:port/0, with # ? and % of a path as %23, %3F and %25; "
        f"found {without_secrets(url)!r}"
    )


def sqlite_url(path: Path) -> str:
    """The address of a file's store."""
    return f"sqlite://{quote(str(path))}"


def _is_cut(url: str) -> bool:
    """Whether a path ends before the address does: two shops, `shop#1` and `shop#2`, would share one store."""
    return "#" in url or "?" in url


def without_secrets(url: str) -> str:
    """The address as it may be shown: no user, no password, no options, which may hold both."""
    address, _, options = url.partition("?")
    before, at, place = address.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme if slashes else ''}{slashes}{'***' + at if at else ''}{place}{'?***' if options else ''}"
