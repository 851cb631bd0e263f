"""Where things stand on the volume: the names of the files of a version, which version is live, which are held."""

from pathlib import Path
from typing import Final

CURRENT: Final = "CURRENT"
LIVE: Final = "live"
"""Where a volume has a folder of this name, `CURRENT` is kept there, and the one beside it is a link: who may write
only this folder can make a version live, and change no version."""
HELD: Final = "HELD"
NEWEST: Final = "NEWEST.json"
"""Where a volume follows an object store: the manifest of the store's newest version, fetched or not."""
STORED: Final = "STORED"
"""There too: the versions that the store has, one a line."""
TRAINING_METRICS: Final = "training.prom"
"""What the trainer's last run has to tell Prometheus, in its text format."""
VERSIONS: Final = "versions"
REPORTS: Final = "reports"
"""What runs leave: `runs`, `reports` and `file_rows` say which files."""
STORE_PATTERN: Final = "^((s3|gs|az|file)://.+)?$"
"""What may name an object store of versions; empty: there is none."""

MANIFEST: Final = "manifest.json"
USER_EMBEDDINGS: Final = "user_embeddings.npy"
ITEM_EMBEDDINGS: Final = "item_embeddings.npy"
USERS: Final = "users.arrow"
ITEMS: Final = "items.arrow"
HISTORY_INDPTR: Final = "history_indptr.npy"
HISTORY_ITEMS: Final = "history_items.npy"
HISTORY_TIMES: Final = "history_times.npy"
HISTORY_TYPES: Final = "history_types.npy"
HISTORY_WEIGHTS: Final = "history_weights.npy"
HISTORY_TYPE_SETS: Final = "history_type_sets.npy"
POPULARITY: Final = "popularity.npy"
FIRST_SEEN: Final = "first_seen.npy"
FOLD_IN_ITEM_WEIGHTS: Final = "fold_in_item_weights.npy"
FOLD_IN_ITEM_SCALE: Final = "fold_in_item_scale.npy"
FOLD_IN_SPECTRUM: Final = "fold_in_spectrum.npy"
TRANSITIONS_INDPTR: Final = "transitions_indptr.npy"
TRANSITIONS_ITEMS: Final = "transitions_items.npy"
TRANSITIONS_SCORES: Final = "transitions_scores.npy"
BOUGHT_TOGETHER_INDPTR: Final = "bought_together_indptr.npy"
BOUGHT_TOGETHER_ITEMS: Final = "bought_together_items.npy"
BOUGHT_TOGETHER_SCORES: Final = "bought_together_scores.npy"
RANKER_SPLITS: Final = "ranker_splits.npy"
RANKER_THRESHOLDS: Final = "ranker_thresholds.npy"
RANKER_LEAVES: Final = "ranker_leaves.npy"
RANKER_ITEMS: Final = "ranker_items.npy"
ITEM_CONTENT: Final = "item_content.npy"  # of a version that maps items' facts to embeddings
FOLD_IN_ENCODER: Final = "fold_in_encoder.npy"  # of a `sequence` fold-in only
RETRIEVAL_INDEX: Final = "retrieval.faiss"
SIMILAR_INDEX: Final = "similar.faiss"
DATA_FILES_OF_FORMAT_1: Final = (
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
DATA_FILES: Final = (
    *DATA_FILES_OF_FORMAT_1,
    HISTORY_WEIGHTS,
    HISTORY_TYPE_SETS,
    FIRST_SEEN,
    FOLD_IN_ITEM_WEIGHTS,
    FOLD_IN_ITEM_SCALE,
    FOLD_IN_SPECTRUM,
)
TRANSITIONS: Final = (TRANSITIONS_INDPTR, TRANSITIONS_ITEMS, TRANSITIONS_SCORES)  # of a version that has transitions
BOUGHT_TOGETHER: Final = (
    BOUGHT_TOGETHER_INDPTR,
    BOUGHT_TOGETHER_ITEMS,
    BOUGHT_TOGETHER_SCORES,
)  # of one that has baskets
RANKER: Final = (RANKER_SPLITS, RANKER_THRESHOLDS, RANKER_LEAVES, RANKER_ITEMS)  # of a version that has a ranker
USER_FILES: Final = (
    USER_EMBEDDINGS,
    USERS,
    HISTORY_INDPTR,
    HISTORY_ITEMS,
    HISTORY_TIMES,
    HISTORY_TYPES,
    HISTORY_WEIGHTS,
    HISTORY_TYPE_SETS,
)  # not of a version whose users are in the feature store


def is_version_name(name: str) -> bool:
    """Whether a directory of this name is a version; one that begins with a dot is being written or removed."""
    return bool(name) and not name.startswith(".") and "/" not in name


def version_dir(volume: Path, version: str) -> Path:
    """The directory of a version, whether it exists or not."""
    return volume / VERSIONS / version


def current_version(volume: Path) -> str | None:
    """The live version's name; none where nothing was published yet."""
    try:
        return (volume / CURRENT).read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def held_versions(volume: Path) -> list[str]:
    """Versions that somebody pinned, sorted: never pruned, and kept in memory beside the live one."""
    return _lines(volume / HELD)


def stored_versions(volume: Path) -> list[str]:
    """What the object store had when it was looked at last, oldest first; none where the volume follows no store."""
    return _lines(volume / STORED)


def list_versions(volume: Path) -> list[str]:
    """Every complete version on the volume, oldest first. Names start with the time of training, so they sort by it."""
    versions = volume / VERSIONS
    if not versions.is_dir():
        return []
    return sorted(entry.name for entry in versions.iterdir() if entry.is_dir() and is_version_name(entry.name))


def _lines(path: Path) -> list[str]:
    try:
        return sorted(set(path.read_text(encoding="utf-8").split()))
    except FileNotFoundError:
        return []
