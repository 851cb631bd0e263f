"""How much popularity and newness should count in a served list: a held-out window in, weights out.

The reranker orders the candidates of an answer by `recsys.blend`. The same function ranks here, over each user's best
unseen items by the personal score, as many as the gateway asks for.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.manifest import BlendInfo
from recsys.blend import BlendWeights, blend, decayed_recency, log_popularity
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import Recipe
from trainer.evaluation import bootstrap, metrics, ranking
from trainer.evaluation.bootstrap import PairedDifference
from trainer.evaluation.full_ranking import find_hits, judged_users
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings, Scorer
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions

# The gateway asks for so many unless told otherwise (GATEWAY_CANDIDATES): an index that needs more would lose there.
CANDIDATES: Final = 200
_WEIGHTS: Final = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # of popularity and of recency, beside 1 for the personal score
_K: Final = 20  # the weights are chosen by NDCG at this length


@dataclass(frozen=True)
class ChosenBlend:
    """The weights, and what they were worth on users whom they were not chosen by."""

    info: BlendInfo
    gain: PairedDifference | None  # of the best weights over the personal score alone; none where nothing was tried


NO_BLEND: Final = ChosenBlend(BlendInfo(), None)  # the personal score ranks alone


@dataclass(frozen=True)
class Values:
    """The values of some users' candidates that a blend is made of, [n, CANDIDATES] or fewer."""

    items: NDArray[np.int32]  # best by the personal score first; -1 where a user has fewer
    personal: NDArray[np.float32]
    popularity: NDArray[np.float64]
    recency: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        embeddings: Embeddings,
        known: Interactions,
        user_rows: NDArray[np.int64],
        *,
        recent_users: NDArray[np.float32],
        half_life_days: float,
    ) -> "Values":
        """Of each user's best items that `known` does not have.

        Args:
            recent_users: float32 [n_items], users in the recent window.
            half_life_days: of newness.
        """
        k = min(CANDIDATES, len(known.item_ids))
        items = ranking.top_unseen(embeddings, seen=known.weights, user_rows=user_rows, k=k)
        real = np.where(items >= 0, items, items[:, :1])  # the first once more in place of none: no extreme changes
        return cls(
            items=items,
            personal=embeddings.pair_scores(user_rows, real),
            popularity=log_popularity(recent_users)[real],
            recency=decayed_recency(known.first_seen[real], half_life_days=half_life_days),
        )

    def blended(self, info: BlendInfo) -> NDArray[np.float64]:
        """float64, the shape of `items`; -inf where there is no item."""
        weights = BlendWeights(info.personal, info.popularity, info.recency)
        scores = blend(personal=self.personal, popularity=self.popularity, recency=self.recency, weights=weights)
        return np.where(self.items >= 0, scores, -np.inf)

    def ranked(self, info: BlendInfo, k: int) -> NDArray[np.int32]:
        """Each user's best k by the blend: int32 [n, ≤ k], -1 padded."""
        order = np.argsort(-self.blended(info), axis=1, kind="stable")[:, :k]
        return np.take_along_axis(self.items, order, axis=1)


@dataclass(frozen=True)
class Blended:
    """A `Scorer` that gives candidates their blend, and -inf to everything else."""

    embeddings: Embeddings
    known: Interactions
    recent_users: NDArray[np.float32]  # [n_items] in the recent window
    info: BlendInfo

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [len(user_rows), n_items]"""
        values = Values.of(
            self.embeddings,
            self.known,
            user_rows,
            recent_users=self.recent_users,
            half_life_days=self.info.recency_half_life_days,
        )
        scores = np.full((len(user_rows), len(self.known.item_ids)), -np.inf, np.float32)
        rows, places = np.nonzero(values.items >= 0)
        scores[rows, values.items[rows, places]] = values.blended(self.info)[rows, places]
        return scores


def is_more_than_personal(info: BlendInfo) -> bool:
    """Whether anything but the personal score counts."""
    return info.popularity > 0 or info.recency > 0


def scorer(embeddings: Embeddings, known: Interactions, info: BlendInfo, *, recent_days: float) -> Scorer:
    """What a list is ranked by that is served with this blend."""
    if not is_more_than_personal(info):
        return embeddings
    return Blended(embeddings, known, known.recent_users(recipes.recent_since(known, recent_days)), info)


def choose(recipe: Recipe, fitted: Embeddings, window: Split, *, settings: Settings) -> ChosenBlend:
    """The weights of a small grid that are best on half of a window's users, if the other half confirms them.

    Confirmed means: better than the personal score alone by more than chance (paired bootstrap, the whole 95 %
    interval above 0). Otherwise the personal score stays alone. Halves, because the best of many is better by chance
    alone on the users whom it was chosen by.

    Args:
        recipe: with its strength of recency.
        fitted: its model, fitted on `window.train` by `recipe.fit_model`.
    """
    users = judged_users(window, max_users=settings.selection_users, seed=settings.seed)
    if len(users) < 2:
        return NO_BLEND
    aged = recipes.with_age(recipe, fitted, window.train, rows=users)
    scaled = recipes.with_recency(aged, window.train, recipe.recency_strength, recent_days=settings.recent_days)
    recent = window.train.recent_users(recipes.recent_since(window.train, settings.recent_days))
    half_life_days = BlendInfo().recency_half_life_days
    values = Values.of(scaled, window.train, users, recent_users=recent, half_life_days=half_life_days)
    relevant = np.diff(window.test.indptr)[users] + window.test_unknown_items[users]
    grid = [BlendInfo(popularity=popularity, recency=recency) for popularity, recency in product(_WEIGHTS, _WEIGHTS)]
    ndcg = [metrics.ndcg(find_hits(values.ranked(info, _K), window.test[users]), relevant, _K) for info in grid]
    choosing = np.random.default_rng(settings.seed).permutation(len(users)) % 2 == 0
    best = max(range(1, len(grid)), key=lambda one: float(ndcg[one][choosing].mean()))
    gain = bootstrap.paired(ndcg[best][~choosing], ndcg[0][~choosing], seed=settings.seed)
    return ChosenBlend(grid[best] if gain.low > 0 else grid[0], gain)
