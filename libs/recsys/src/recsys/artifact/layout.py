"""Where things stand on the volume: the names of the files of a version, and which version is live."""

from pathlib import Path
from typing import Final

CURRENT: Final = "CURRENT"
VERSIONS: Final = "versions"

MANIFEST: Final = "manifest.json"
USER_EMBEDDINGS: Final = "user_embeddings.npy"
ITEM_EMBEDDINGS: Final = "item_embeddings.npy"
USERS: Final = "users.arrow"
ITEMS: Final = "items.arrow"
HISTORY_INDPTR: Final = "history_indptr.npy"
HISTORY_ITEMS: Final = "history_items.npy"
HISTORY_TIMES: Final = "history_times.npy"
HISTORY_TYPES: Final = "history_types.npy"
POPULARITY: Final = "popularity.npy"
RETRIEVAL_INDEX: Final = "retrieval.faiss"
SIMILAR_INDEX: Final = "similar.faiss"
DATA_FILES: Final = (
    USER_EMBEDDINGS,
    ITEM_EMBEDDINGS,
    USERS,
    ITEMS,
    HISTORY_INDPTR,
    HISTORY_ITEMS,
    HISTORY_TIMES,
    HISTORY_TYPES,
    POPULARITY,
    RETRIEVAL_INDEX,
    SIMILAR_INDEX,
)


def version_dir(volume: Path, version: str) -> Path:
    """The directory of a version, whether it exists or not."""
    return volume / VERSIONS / version


def current_version(volume: Path) -> str | None:
    """The live version's name; none where nothing was published yet."""
    try:
        return (volume / CURRENT).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def list_versions(volume: Path) -> list[str]:
    """Every complete version on the volume, oldest first. Names start with the time of training, so they sort by it."""
    versions = volume / VERSIONS
    if not versions.is_dir():
        return []
    return sorted(entry.name for entry in versions.iterdir() if entry.is_dir() and not entry.name.startswith("."))
