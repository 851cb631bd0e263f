"""A fitted model in; the vectors to publish, and what folds a history into their space, out.

docs/artifact-format.md states the formulas that the services compute. Of the least-squares models the vectors are
rotated into the eigenbasis of the items' Gram matrix: no dot product changes, and the part of a user's system that
does not depend on the history becomes a diagonal.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.fold_in import FoldIn
from recsys.artifact.manifest import ALSFoldIn, FoldInInfo, IALSFoldIn, SumFoldIn
from recsys.artifact.sequence_encoder import joined
from recsys.errors import InvalidArgumentError
from trainer.choosing import recency
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import (
    AgedRecipe,
    ALSRecipe,
    EASERecipe,
    IALSRecipe,
    LightGCNRecipe,
    PopularityRecipe,
    Recipe,
    SASRecRecipe,
    SpectralRecipe,
)
from trainer.evaluation import ranking
from trainer.models import als, bm25, ease, ials, spectral
from trainer.models.als import ALSSettings
from trainer.models.embeddings import Embeddings
from trainer.models.ials import IALSSettings
from trainer.models.sasrec import SequenceEmbeddings
from trainer.shop_data.interactions import Interactions

_GRAM_BLOCK: Final = 65_536
_LEAST_DIAGONAL: Final = 1e-7  # of the largest: below it a direction is rounding, and nothing may be divided by it

# LightGCN has no closed form for a new user. iALS over its item vectors comes nearest, with settings that are chosen
# by how near: 94 to 100 % of its Recall@20 on three shops, where the best sum of item vectors has 86 and 87 %
# (docs/evaluation.md).
_LIGHTGCN_UNOBSERVED: Final = (0.003, 0.02, 0.1)
_LIGHTGCN_REGULARIZATION: Final = (0.003, 0.03, 0.1, 0.3)
_LIST_LENGTH: Final = 20
_SAMPLED_USERS: Final = 1_000


@dataclass(frozen=True)
class Foldable:
    """What is published of a fitted model."""

    embeddings: Embeddings  # score = user · item
    fold_in: FoldIn


def export(recipe: Recipe, fitted: Embeddings, known: Interactions, *, recent_days: float, seed: int) -> Foldable:
    """Vectors and fold-in of a model that `recipe.fit_model` fitted, with the recipe's recency and age.

    `seed` draws the users whom LightGCN's fold-in is chosen by.
    """
    n_items, dim = fitted.item.shape
    fitted = recipes.with_age(recipe, fitted, known)
    encoder = np.empty(0, np.float32)
    match recipe:
        case ALSRecipe():
            vectors, info, item_weights, spectrum = _of_als(recipe.settings, fitted, known)
        case IALSRecipe():
            vectors, info, item_weights, spectrum = _of_ials(recipe.settings, fitted, known)
        case LightGCNRecipe():
            vectors, info, item_weights, spectrum = _of_ials(nearest_ials(fitted, known, seed=seed), fitted, known)
        case SpectralRecipe():
            vectors, info, spectrum = fitted, SumFoldIn(), np.zeros(dim)
            item_weights = spectral.history_weights(known.weights, recipe.settings)
        case EASERecipe():
            vectors, info, spectrum = fitted, SumFoldIn(weight_exponent=ease.WEIGHT_EXPONENT), np.zeros(dim)
            item_weights = ease.history_weights(known.weights, recipe.settings)
        case SASRecRecipe():
            if not isinstance(fitted, SequenceEmbeddings):
                raise InvalidArgumentError("fitted: expected a model of sequences, found vectors alone")
            vectors, info, encoder = fitted, recipe.settings.fold_in, joined(fitted.encoder)
            item_weights, spectrum = np.ones(n_items), np.zeros(dim)
        case PopularityRecipe():  # zeros, which say that nothing personal is known: the services then go by popularity
            vectors = Embeddings(np.zeros_like(fitted.user), np.zeros_like(fitted.item))
            info, item_weights, spectrum = SumFoldIn(), np.zeros(n_items), np.zeros(1)
    if isinstance(recipe, AgedRecipe):
        info = info.model_copy(update={"age": recipe.age})
    factors = recipes.recency_factors(known, recipe.recency_strength, recent_days=recent_days)
    fold_in = FoldIn(
        info, item_weights.astype(np.float32), np.float32(1) / factors, spectrum.astype(np.float32), encoder
    )
    return Foldable(recency.scale(vectors, factors), fold_in)


def rotated(embeddings: Embeddings) -> tuple[Embeddings, NDArray[np.float64]]:
    """The vectors in the eigenbasis of the items' Gram matrix, and its eigenvalues, 0 or more: float64 [dim]."""
    dim = embeddings.item.shape[1]
    gram = np.zeros((dim, dim))
    for start in range(0, len(embeddings.item), _GRAM_BLOCK):
        block = embeddings.item[start : start + _GRAM_BLOCK].astype(np.float64)
        gram += block.T @ block
    eigenvalues, rotation = np.linalg.eigh(gram)
    turn = rotation.astype(np.float32)
    return Embeddings(user=embeddings.user @ turn, item=embeddings.item @ turn), np.maximum(eigenvalues, 0)


def nearest_ials(fitted: Embeddings, known: Interactions, *, seed: int) -> IALSSettings:
    """The iALS whose users, solved over these item vectors, are recommended most of what the model's own users are."""
    users = np.sort(np.random.default_rng(seed).permutation(len(known.user_ids))[:_SAMPLED_USERS])
    histories = known.weights[users]
    everybody = np.arange(len(users))

    def lists(vectors: NDArray[np.float32]) -> NDArray[np.int32]:
        model = Embeddings(vectors, fitted.item)
        return ranking.top_unseen(model, seen=histories, user_rows=everybody, k=_LIST_LENGTH)

    def shared(settings: IALSSettings) -> float:
        folded = lists(ials.fold_in(histories, fitted.item, known, settings))
        return float((folded[:, :, None] == own[:, None, :]).any(axis=2).mean())

    own = lists(fitted.user[users])
    tried = [
        IALSSettings(dim=fitted.item.shape[1], unobserved_weight=unobserved, regularization=regularization)
        for unobserved, regularization in product(_LIGHTGCN_UNOBSERVED, _LIGHTGCN_REGULARIZATION)
    ]
    return max(tried, key=shared)


Parts = tuple[Embeddings, FoldInInfo, NDArray[np.float64], NDArray[np.float64]]  # …, item weights, diagonal


def _of_als(settings: ALSSettings, fitted: Embeddings, known: Interactions) -> Parts:
    vectors, eigenvalues = rotated(fitted)
    scale = als.weight_scale(known.weights)
    mean_length = scale * float(known.weights.sum(dtype=np.float64)) / len(known.user_ids)
    info = als_info(settings, weight_scale=scale, mean_length=mean_length)
    return vectors, info, bm25.inverse_document_frequency(known.weights), als_spectrum(eigenvalues, settings)


def als_info(settings: ALSSettings, *, weight_scale: float, mean_length: float) -> ALSFoldIn:
    """The fold-in of an ALS model; `mean_length` is over users, of the sums of their weights × weight_scale."""
    return ALSFoldIn(
        weight_scale=weight_scale, alpha=settings.alpha, k1=settings.k1, b=settings.b, avg_length=mean_length
    )


def als_spectrum(eigenvalues: NDArray[np.float64], settings: ALSSettings) -> NDArray[np.float64]:
    """The diagonal of what does not depend on the history, above 0: float64 [dim]."""
    spectrum = eigenvalues + settings.regularization
    least = max(spectrum.max() * _LEAST_DIAGONAL, float(np.finfo(np.float32).tiny))
    return np.asarray(np.maximum(spectrum, least))


def _of_ials(settings: IALSSettings, fitted: Embeddings, known: Interactions) -> Parts:
    vectors, eigenvalues = rotated(fitted)
    same = ("user_length_exponent", "unobserved_weight", "regularization", "frequency_exponent")
    info = IALSFoldIn(
        scale=ials.confidence_scale(known.weights, settings), **{name: getattr(settings, name) for name in same}
    )
    return vectors, info, np.ones(known.weights.shape[1]), settings.unobserved_weight * eigenvalues
