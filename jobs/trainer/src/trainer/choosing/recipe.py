"""What a model is made by: which model, its hyper-parameters, and how strongly recency counts.

`train` takes a recipe file, `tune` writes one, and the manifest holds one: the gate fits the live version's again.
"""

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import BaseModel, Field, RootModel

from recsys import settings_file
from recsys.age import age_factors
from recsys.artifact.manifest import AgeInfo
from trainer import device
from trainer.choosing import recency
from trainer.models import als, baselines, ease, ials, lightgcn_training, sasrec_training, spectral
from trainer.models.als import ALSSettings
from trainer.models.ease import EASESettings
from trainer.models.embeddings import Embeddings
from trainer.models.epochs import Epoch
from trainer.models.ials import IALSSettings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.sasrec import SASRecSettings
from trainer.models.spectral import SpectralSettings
from trainer.shop_data.interactions import Interactions

_log = logging.getLogger(__name__)


class _Recipe(BaseModel, frozen=True, extra="forbid"):
    recency_strength: float = Field(default=0.0, ge=0)  # see `recency`; 0: season and fashion do not count


class AgedRecipe(_Recipe, frozen=True, extra="forbid"):
    """Of a model whose users are solved by a formula: what they did may count less the older it is."""

    age: AgeInfo = Field(default=AgeInfo(), exclude_if=lambda age: age.is_off)


class ALSRecipe(AgedRecipe, frozen=True, extra="forbid"):
    model: Literal["als"] = "als"
    settings: ALSSettings = ALSSettings()


class IALSRecipe(AgedRecipe, frozen=True, extra="forbid"):
    model: Literal["ials"] = "ials"
    settings: IALSSettings = IALSSettings()


class SpectralRecipe(AgedRecipe, frozen=True, extra="forbid"):
    model: Literal["spectral"] = "spectral"
    settings: SpectralSettings = SpectralSettings()


class EASERecipe(AgedRecipe, frozen=True, extra="forbid"):
    model: Literal["ease"] = "ease"
    settings: EASESettings = EASESettings()


class LightGCNRecipe(_Recipe, frozen=True, extra="forbid"):
    model: Literal["lightgcn"] = "lightgcn"
    settings: LightGCNSettings = LightGCNSettings()
    warm_start: bool = True  # from iALS vectors of the same dimension; cold takes many times as long


class SASRecRecipe(_Recipe, frozen=True, extra="forbid"):
    model: Literal["sasrec"] = "sasrec"
    settings: SASRecSettings = SASRecSettings()


class PopularityRecipe(_Recipe, frozen=True, extra="forbid"):
    """The baseline as a model of its own: the same items for everybody, without those that the user has seen."""

    model: Literal["popularity"] = "popularity"
    recency_strength: float = Field(default=1.0, ge=0)  # 0: users of all time


PersonalRecipe = ALSRecipe | IALSRecipe | SpectralRecipe | EASERecipe | LightGCNRecipe | SASRecRecipe
Recipe = Annotated[PersonalRecipe | PopularityRecipe, Field(discriminator="model")]


class _Document(RootModel[Recipe]):
    pass


def read(path: Path) -> Recipe:
    """Read a recipe file. Raises: DataError."""
    return settings_file.read(path, _Document, form="JSON").root


def parse(document: object, *, where: str) -> Recipe:
    """A recipe from what JSON says. Raises: DataError, naming `where` and the key."""
    return settings_file.check(document, _Document, where=where).root


def described(recipe: Recipe) -> str:
    """The model and its size, for a line of the log."""
    return recipe.model if isinstance(recipe, PopularityRecipe) else f"{recipe.model} d={recipe.settings.dim}"


def fit(
    recipe: Recipe, known: Interactions, *, recent_days: float, seed: int, checkpoint_dir: Path | None = None
) -> Embeddings:
    """Fit the recipe's model, weigh its users' histories by age and scale its items by recency."""
    fitted = fit_model(recipe, known, seed=seed, checkpoint_dir=checkpoint_dir)
    return with_age_and_recency(recipe, fitted, known, recent_days=recent_days)


def fit_model(recipe: Recipe, known: Interactions, *, seed: int, checkpoint_dir: Path | None = None) -> Embeddings:
    """Fit the recipe's model alone. A model that takes long keeps its progress in `checkpoint_dir`, if there is one."""
    match recipe:
        case ALSRecipe():
            return als.fit(known, recipe.settings, seed=seed)
        case IALSRecipe():
            return ials.fit(known, recipe.settings, seed=seed)
        case SpectralRecipe():
            return spectral.fit(known, recipe.settings, seed=seed)
        case EASERecipe():
            return ease.fit(known, recipe.settings)
        case LightGCNRecipe():
            return fit_lightgcn(recipe, known, seed=seed, checkpoint_dir=checkpoint_dir)
        case SASRecRecipe():
            return sasrec_training.fit(
                known,
                recipe.settings,
                seed=seed,
                checkpoint=_checkpoint(recipe, known, seed=seed, checkpoint_dir=checkpoint_dir),
                on_epoch=log_epoch,
                device=device.chosen(),
            )
        case PopularityRecipe():
            return baselines.fit(known)


def fit_lightgcn(
    recipe: LightGCNRecipe,
    known: Interactions,
    *,
    seed: int,
    checkpoint_dir: Path | None = None,
    validate: Callable[[Embeddings], float] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Embeddings:
    """Fit LightGCN from the start that the recipe names; see `lightgcn_training.fit`."""
    start = ials.fit(known, IALSSettings(dim=recipe.settings.dim), seed=seed) if recipe.warm_start else None
    return lightgcn_training.fit(
        known,
        recipe.settings,
        seed=seed,
        start=start,
        validate=validate,
        checkpoint=_checkpoint(recipe, known, seed=seed, checkpoint_dir=checkpoint_dir),
        on_epoch=on_epoch,
        device=device.chosen(),
    )


def log_epoch(epoch: Epoch) -> None:
    """A line of the log."""
    _log.info("epoch", extra={"epoch": epoch.number, "loss": epoch.loss, "score": epoch.score})


def _checkpoint(recipe: Recipe, known: Interactions, *, seed: int, checkpoint_dir: Path | None) -> Path | None:
    """The file that a killed fit goes on from; none without a directory."""
    if checkpoint_dir is None:
        return None
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    of = hashlib.sha256(f"{recipe.model_dump_json()} {seed} {known.fingerprint()}".encode()).hexdigest()[:16]
    return checkpoint_dir / f"{recipe.model}-{of}.pt"


def with_age_and_recency(
    recipe: Recipe,
    fitted: Embeddings,
    known: Interactions,
    *,
    recent_days: float,
    rows: NDArray[np.int64] | None = None,
) -> Embeddings:
    """All of the recipe, of its fitted model. `rows` as of `with_age`."""
    aged = with_age(recipe, fitted, known, rows=rows)
    return with_recency(aged, known, recipe.recency_strength, recent_days=recent_days)


def with_age(
    recipe: Recipe, fitted: Embeddings, known: Interactions, *, rows: NDArray[np.int64] | None = None
) -> Embeddings:
    """The recipe's fitted model with users whose histories are weighed by age; items stay as they are.

    Args:
        rows: the users that matter, ascending; the others keep their vectors. None: everybody.
    """
    if not isinstance(recipe, AgedRecipe) or recipe.age.is_off:
        return fitted
    weights = known.weights
    owners = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    ages = age_factors(known.last_seen, owners, recipe.age)
    rows = np.arange(weights.shape[0]) if rows is None else rows
    user = fitted.user.copy()
    user[rows] = _users(recipe, fitted.item, known, ages=ages, rows=rows)
    return Embeddings(user=user, item=fitted.item)


def _users(
    recipe: AgedRecipe,
    item: NDArray[np.float32],
    known: Interactions,
    *,
    ages: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Vectors of some users, by the formulas that the services fold in by: float32 [len(rows), dim]."""
    weights = known.weights
    match recipe:
        case ALSRecipe():
            return als.fold_in(known, item, recipe.settings, ages=ages, rows=rows)
        case IALSRecipe():
            return ials.fold_in(aged(weights, ages)[rows], item, known, recipe.settings)
        case SpectralRecipe():
            summed = item * spectral.history_weights(weights, recipe.settings).astype(np.float32)[:, None]
            return np.asarray(aged(weights, ages)[rows] @ summed)
        case EASERecipe():
            summed = item * ease.history_weights(weights, recipe.settings).astype(np.float32)[:, None]
            return np.asarray(aged(ease.shares(weights), ages)[rows] @ summed)
    raise AssertionError(f"a recipe without users by age: {recipe.model_dump()}")


def aged(weights: sp.csr_matrix, ages: NDArray[np.float64]) -> sp.csr_matrix:
    """Weights × ages of the pairs, float32."""
    return sp.csr_matrix(((weights.data * ages).astype(np.float32), weights.indices, weights.indptr), weights.shape)


def without_recency_and_age(recipe: Recipe) -> Recipe:
    """The recipe of the model alone: all that `fit_model` goes by."""
    off: dict[str, object] = {"recency_strength": 0.0}
    return recipe.model_copy(update=off | ({"age": AgeInfo()} if isinstance(recipe, AgedRecipe) else {}))


def with_recency(embeddings: Embeddings, known: Interactions, strength: float, *, recent_days: float) -> Embeddings:
    """Scale items by `recency_factors`."""
    if strength == 0:
        return embeddings
    return recency.scale(embeddings, recency_factors(known, strength, recent_days=recent_days))


def recency_factors(known: Interactions, strength: float, *, recent_days: float) -> NDArray[np.float32]:
    """Of each item, by its users in the last `recent_days` of what is known, over all its users: float32 [n_items]."""
    return recency.factors(
        recent_users=known.recent_users(recent_since(known, recent_days)),
        all_users=known.recent_users(datetime.fromtimestamp(0, UTC)),
        strength=strength,
    )


def recent_since(known: Interactions, recent_days: float) -> datetime:
    """Where the last `recent_days` of what is known begin; earlier, where fewer than one pair in 200 is of them.

    Else the first live events after a pause of months would be all that is popular.
    """
    last = int(known.last_seen.max(initial=0))
    since = datetime.fromtimestamp(last, UTC) - timedelta(days=recent_days)
    least = len(known.last_seen) // 200
    if not least:
        return since
    return min(since, datetime.fromtimestamp(int(np.partition(known.last_seen, -least)[-least]), UTC))
