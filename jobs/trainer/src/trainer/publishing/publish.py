"""A fitted model in, a version on the volume out: written whole, and not yet live."""

import importlib.metadata
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import faiss
import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact import writer
from recsys.artifact.catalogue import VECTOR, schema_with
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.history import History
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import BlendInfo, GateInfo, IndexInfo, Manifest, MetricValue, TrainingInfo, UsersIn
from recsys.artifact.ranker import Ranker
from recsys.artifact.transitions import Transitions
from recsys.artifact.user_parts import UserPart
from trainer.choosing.gate import Verdict
from trainer.choosing.recipe import Recipe
from trainer.models.embeddings import Embeddings
from trainer.publishing.index import BuiltIndex
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions

LIBRARIES: Final = ("numpy", "scipy", "implicit", "torch", "faiss-cpu", "polars", "lightgbm")


@dataclass(frozen=True)
class ManyUsers:
    """Users in parts, where nobody holds all of them."""

    count: int
    pairs: int
    fingerprint: str  # SHA-256 (hex) over what they did: equal for equal interactions
    parts: Iterable[UserPart]


@dataclass(frozen=True)
class Fitted:
    """All that a version is made of. Rows of every part follow `known`."""

    known: Interactions  # without users, where `many_users` has them
    catalogue: pl.DataFrame  # Shop.catalogue; items that it lacks are published without a title
    embeddings: Embeddings
    fold_in: FoldIn
    transitions: Transitions | None  # none: they do not count in the blend
    retrieval: BuiltIndex
    similar: faiss.Index
    popularity: NDArray[np.float32]  # [n_items]
    blend: BlendInfo
    stream_sequence: int  # of the last event of the stream among the events
    model: str
    metrics: dict[str, MetricValue]
    training: TrainingInfo
    bought_together: Transitions | None = None  # none: nothing is, or nobody counted
    ranker: Ranker | None = None  # none: the blend alone ranks
    item_content: ItemContent | None = None  # none: items without events have no embedding
    many_users: ManyUsers | None = None
    libraries: tuple[str, ...] = LIBRARIES  # whose versions the manifest has


def training_info(
    recipe: Recipe,
    verdict: Verdict,
    *,
    event_weights: Mapping[str, float],
    data_until: str | None,
    recent_events: Mapping[str, int],
    force: bool,
    settings: Settings,
) -> TrainingInfo:
    """What the manifest says of a run.

    Args:
        data_until: time of the last event, if there is one.
        recent_events: by type, of the `recent_days` before.
    """
    return TrainingInfo(
        recipe=recipe.model_dump(mode="json"),
        event_weights=dict(event_weights),
        recent_days=settings.recent_days,
        horizon_days=settings.horizon_days,
        data_until=data_until,
        recent_events=dict(recent_events),
        seed=settings.seed,
        gate=GateInfo(passed=verdict.passed, forced=force, reasons=list(verdict.reasons), users=verdict.users),
    )


def publish(volume: Path, fitted: Fitted, *, users_in: UsersIn = "artifact") -> str:
    """Write a version beside the others and return its name; `writer.activate` makes it live.

    With its users in the feature store, it holds none: `histories.write` puts them there.

    Raises:
        ArtifactError: as `writer.write_version`.
    """
    trained_at = datetime.now(UTC)
    known = fitted.known
    many = fitted.many_users or ManyUsers(len(known.user_ids), known.weights.nnz, known.fingerprint(), ())
    version = writer.version_name(model=fitted.model, trained_at=trained_at, dataset_fingerprint=many.fingerprint)
    manifest = Manifest(
        version=version,
        model=fitted.model,
        dim=fitted.embeddings.item.shape[1],
        user_count=many.count,
        item_count=len(known.item_ids),
        interaction_count=many.pairs,
        event_types=known.event_types,
        index=IndexInfo(**asdict(fitted.retrieval.spec), recall=fitted.retrieval.recall),
        blend=fitted.blend,
        users_in=users_in,
        stream_sequence=fitted.stream_sequence,
        metrics=fitted.metrics,
        training=fitted.training,
        dataset_fingerprint=many.fingerprint,
        library_versions={name: importlib.metadata.version(name) for name in fitted.libraries},
        code_revision=_code_revision(),
        trained_at=trained_at,
        files={},
    )
    writer.write_version(volume, manifest=manifest, contents=_contents(fitted))
    return version


def history_of(known: Interactions) -> History:
    """Each user's items, most recent first; at the same second by item row."""
    order = known.most_recent_first()
    return History(
        indptr=known.weights.indptr.astype(np.int64),
        items=known.weights.indices[order].astype(np.int32),
        times=known.last_seen[order],
        types=known.last_type[order],
        weights=known.weights.data[order],
        type_sets=known.type_sets[order],
        event_types=known.event_types,
    )


def _contents(fitted: Fitted) -> writer.Contents:
    rows = pl.DataFrame({"item_id": fitted.known.item_ids}, schema={"item_id": pl.String})
    items = rows.join(fitted.catalogue, on="item_id", how="left", maintain_order="left")
    items = items.with_columns(pl.col("available").fill_null(True))
    if fitted.item_content is None or not fitted.item_content.info.vector_length:
        items = items.drop(VECTOR, strict=False)
    else:
        is_unknown = pl.Series(~fitted.embeddings.item.any(axis=1))
        items = items.with_columns(pl.when(is_unknown).then(VECTOR))
    items = items.select(schema_with(items.columns).names)
    return writer.Contents(
        user_ids=fitted.known.user_ids,
        items=items.to_arrow(),
        user_embeddings=fitted.embeddings.user,
        item_embeddings=fitted.embeddings.item,
        history=history_of(fitted.known),
        popularity=fitted.popularity,
        first_seen=fitted.known.first_seen,
        fold_in=fitted.fold_in,
        transitions=fitted.transitions,
        bought_together=fitted.bought_together,
        ranker=fitted.ranker,
        item_content=fitted.item_content,
        retrieval_index=faiss.serialize_index(fitted.retrieval.index),
        similar_index=faiss.serialize_index(fitted.similar),
        more_users=fitted.many_users.parts if fitted.many_users else (),
    )


def _code_revision() -> str:
    """The commit that trained, for the manifest; `unknown` where the code stands outside a checkout, as in an image."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
