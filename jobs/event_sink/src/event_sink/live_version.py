"""What the live version was trained on, as far as coverage and drift need it: files of its directory in, frames out.

The sink sees the models where it shares their volume; where they come from an object store it does not.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from recsys.artifact import layout
from recsys.artifact.manifest import Manifest
from recsys.artifact.reader import read_manifest
from recsys.errors import ArtifactError

_HEAD: Final = 0.5  # the most popular items that have so much of the recent window
_WITHOUT_COUNTS: Final = "popularity"  # a model whose popularity is a score, and counts nobody


@dataclass(frozen=True)
class LiveVersion:
    """Read once."""

    name: str
    items: pl.DataFrame  # item_id, available, is_trained (it had an event in training), is_head (see `head_share`)
    users: pl.Series | None  # ids; none: it holds no users
    recent_events: dict[str, int]  # by type, of the recent window; empty: not recorded
    head_share: float | None  # of people with an item in the recent window, those of the head; none: not counted


def read(volume: Path, *, before: LiveVersion | None) -> LiveVersion | None:
    """The live version: the one of `before`, where it still is. None where it cannot be read: the services say why."""
    name = layout.current_version(volume)
    if name is None or (before is not None and before.name == name):
        return before if name else None
    folder = layout.version_dir(volume, name)
    try:
        return _read(folder, read_manifest(folder))
    except (ArtifactError, OSError, pl.exceptions.PolarsError):
        return None


def _read(folder: Path, manifest: Manifest) -> LiveVersion:
    items = pl.read_ipc(folder / layout.ITEMS, columns=["item_id", "available"])
    trained = pl.lit(True)  # format 1 does not say
    if manifest.format_version > 1:
        trained = pl.lit(pl.Series(np.load(folder / layout.FIRST_SEEN, allow_pickle=False))) > 0
    popularity = np.load(folder / layout.POPULARITY, allow_pickle=False).astype(np.float64)
    is_head, head_share = _head(popularity)
    is_counted = manifest.model != _WITHOUT_COUNTS
    users = None
    if manifest.holds_users:
        users = pl.read_ipc(folder / layout.USERS, columns=["user_id"])["user_id"]
    return LiveVersion(
        name=manifest.version,
        items=items.with_columns(is_trained=trained, is_head=pl.Series(is_head)),
        users=users,
        recent_events=manifest.training.recent_events,
        head_share=head_share if is_counted else None,
    )


def _head(popularity: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[np.ndarray, float | None]:
    """Which items are the fewest that have half of it, and how much they have; none where nothing is popular."""
    total = popularity.sum()
    if total <= 0:
        return np.zeros(len(popularity), bool), None
    order = np.argsort(-popularity, kind="stable")
    count = int(np.searchsorted(popularity[order].cumsum(), _HEAD * total)) + 1
    is_head = np.zeros(len(popularity), bool)
    is_head[order[:count]] = True
    return is_head, float(popularity[is_head].sum() / total)
