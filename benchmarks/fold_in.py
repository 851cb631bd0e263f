"""Recall@20 of users whom the model was not trained on, folded in, beside what training on them gives.

    .venv/bin/python -m benchmarks.fold_in [--events FILE --mapping FILE | --pair TRAIN TEST]

A tenth of the judged users is excluded from training altogether. Their history before the cut is folded in by the
services' own arithmetic (`candidate_gen.query.fold_in`), and their test items are looked for in the list that follows.
The same users are judged with the same recipe trained on everybody. One row a model; without files: the demo shop.
"""

import argparse
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.shop_source import Source
from candidate_gen.query.fold_in import vector
from candidate_gen.query.item_weights import ItemWeights
from trainer.choosing import recipe as recipes
from trainer.choosing.default_recipes import default_recipes
from trainer.choosing.recipe import LightGCNRecipe, Recipe
from trainer.evaluation import bootstrap, metrics, ranking, split, windows
from trainer.evaluation.full_ranking import find_hits, judged_users
from trainer.evaluation.split import Split
from trainer.models.baselines import popularity
from trainer.models.embeddings import Embeddings, Scorer
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.publishing import foldable, publish
from trainer.publishing.foldable import Foldable
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions

K = 20
RECENT_DAYS = 30
HEADER = (
    "| model | d | trained on them | folded in | ratio | difference, 95 % | recent popularity | µs a fold-in |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Comparison:
    """Recall@20 of the held-out users, float64 [n_users] each."""

    recipe: Recipe
    dim: int
    trained: NDArray[np.float64]
    folded: NDArray[np.float64]
    popular: NDArray[np.float64]
    fold_in_us: float  # mean of one vector, one thread

    @property
    def ratio(self) -> float:
        """What folding in keeps of the recall."""
        return float(self.folded.mean() / self.trained.mean())

    def line(self) -> str:
        """The row of the table."""
        name = self.recipe.model + (f", recency {self.recipe.recency_strength:g}" * (self.recipe.recency_strength > 0))
        difference = bootstrap.paired(self.folded, self.trained)
        return (
            f"| {name} | {self.dim} | {self.trained.mean():.4f} | {self.folded.mean():.4f} | {self.ratio:.3f} "
            f"| {difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}] "
            f"| {self.popular.mean():.4f} | {self.fold_in_us:.0f} |"
        )


def compare(recipe: Recipe, window: Split, *, share: float = 0.1, seed: int = 0) -> Comparison:
    """Hold out a share of the judged users, and judge them trained on and folded in."""
    users = judged_users(window)
    held_out = judged_users(window, max_users=max(1, round(share * len(users))), seed=seed)
    everybody = _published(recipe, window.train, seed=seed)
    without = _published(recipe, _without(window.train, held_out), seed=seed)
    folded, seconds = _folded(without, window.train, held_out)
    recent = window.train.recent_users(recipes.recent_since(window.train, RECENT_DAYS))
    return Comparison(
        recipe=recipe,
        dim=everybody.embeddings.item.shape[1],
        trained=_recall(everybody.embeddings, window, held_out),
        folded=_recall(folded, window, held_out),
        popular=_recall(popularity(recent, n_users=len(window.train.user_ids)), window, held_out),
        fold_in_us=seconds / len(held_out) * 1e6,
    )


def _published(recipe: Recipe, known: Interactions, *, seed: int) -> Foldable:
    fitted = recipes.fit_model(recipe, known, seed=seed)
    return foldable.export(recipe, fitted, known, recent_days=RECENT_DAYS, seed=seed)


def _without(known: Interactions, users: NDArray[np.int64]) -> Interactions:
    """The interactions of the others; every item keeps its column."""
    stays = np.ones(len(known.user_ids), dtype=bool)
    stays[users] = False
    pairs = np.repeat(stays, np.diff(known.weights.indptr))
    return replace(
        known,
        user_ids=[user_id for user_id, other in zip(known.user_ids, stays, strict=True) if other],
        weights=known.weights[np.flatnonzero(stays)],
        last_seen=known.last_seen[pairs],
        last_type=known.last_type[pairs],
        type_sets=known.type_sets[pairs],
    )


def _folded(model: Foldable, known: Interactions, users: NDArray[np.int64]) -> tuple[Embeddings, float]:
    """The users' vectors by the services' arithmetic, zeros for everybody else, and the seconds that they took."""
    history = publish.history_of(known)
    vectors = np.zeros((len(known.user_ids), model.embeddings.item.shape[1]), np.float32)
    with threadpool_limits(1):
        started = time.perf_counter()
        for user in users.tolist():
            part = slice(history.indptr[user], history.indptr[user + 1])
            seen = ItemWeights(
                history.items[part].astype(np.int64), history.weights[part].astype(np.float64), history.times[part]
            )
            vectors[user] = vector(model.fold_in, model.embeddings.item, seen)
        seconds = time.perf_counter() - started
    return Embeddings(user=vectors, item=model.embeddings.item), seconds


def _recall(scorer: Scorer, window: Split, users: NDArray[np.int64]) -> NDArray[np.float64]:
    ranked = ranking.top_unseen(scorer, seen=window.train.weights, user_rows=users, k=K)
    relevant = np.diff(window.test.indptr)[users] + window.test_unknown_items[users]
    return metrics.recall(find_hits(ranked, window.test[users]), relevant, K)


def _recipes(window: Split, *, lightgcn_epochs: int) -> list[Recipe]:
    """The first default recipe of each model, and where there are times the first of all with recency."""
    first_of_model: dict[str, Recipe] = {}
    for one in default_recipes(window.train):
        first_of_model.setdefault(one.model, one)
    chosen = list(first_of_model.values())
    if window.cut is not None:
        chosen.insert(1, chosen[0].model_copy(update={"recency_strength": 1.0}))
    if lightgcn_epochs:
        chosen.append(LightGCNRecipe(settings=LightGCNSettings(epochs=lightgcn_epochs)))
    return chosen


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("events", "mapping", "catalogue"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--pair", type=Path, nargs=2, help="a train and a test file, as LightGCN's authors write")
    parser.add_argument("--share", type=float, default=0.1, help="of the judged users, to hold out")
    parser.add_argument("--lightgcn-epochs", type=int, default=30, help="0: without LightGCN")
    given = parser.parse_args()
    if given.pair:
        window = split.given_pair(*given.pair)
    else:
        with TemporaryDirectory() as folder:
            shop = Source(given.events, given.mapping, given.catalogue).read(Path(folder))
        window = windows.held_out(shop.events, weights=shop.weights, settings=Settings(), most=1)[0]
    users = round(given.share * len(judged_users(window)))
    print(f"{users:,} users held out, {len(window.train.user_ids):,} × {len(window.train.item_ids):,}\n\n{HEADER}")
    for recipe in _recipes(window, lightgcn_epochs=given.lightgcn_epochs):
        print(compare(recipe, window, share=given.share).line(), flush=True)


if __name__ == "__main__":
    main()
