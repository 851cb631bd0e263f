"""Recall@20 of users whom the model was not trained on, folded in, beside what training on them gives.

    .venv/bin/python -m benchmarks.fold_in [--events FILE --mapping FILE | --pair TRAIN TEST] [--known]

A tenth of the judged users is excluded from training altogether. Their history before the cut is folded in by the
services' own arithmetic (`candidate_gen.query.fold_in`), and their test items are looked for in the list that follows.
The same users are judged with the same recipe trained on everybody. One row a model; without files: the demo shop.
With `--known` nobody is excluded, and all judged users are folded in by the model that was trained on them: what a
version loses whose users are in the feature store.
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
    "| model | d | trained on them | folded in | ratio | difference, 95 % | NDCG@20 | folded in "
    "| recent popularity | µs a fold-in |\n|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Comparison:
    """Recall@20 of the held-out users, float64 [n_users] each; of two of them NDCG@20 beside it."""

    recipe: Recipe
    dim: int
    trained: NDArray[np.float64]
    folded: NDArray[np.float64]
    trained_ndcg: NDArray[np.float64]
    folded_ndcg: NDArray[np.float64]
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
            f"| {self.trained_ndcg.mean():.4f} | {self.folded_ndcg.mean():.4f} "
            f"| {self.popular.mean():.4f} | {self.fold_in_us:.0f} |"
        )


def compare(recipe: Recipe, window: Split, *, share: float = 0.1, are_known: bool = False, seed: int = 0) -> Comparison:
    """Judge a share of the users trained on and folded in, by a model that excludes them unless they `are_known`."""
    users = judged_users(window)
    held_out = judged_users(window, max_users=max(1, round(share * len(users))), seed=seed)
    everybody = _published(recipe, window.train, seed=seed)
    without = everybody if are_known else _published(recipe, _without(window.train, held_out), seed=seed)
    folded, seconds = _folded(without, window.train, held_out)
    recent = window.train.recent_users(recipes.recent_since(window.train, RECENT_DAYS))
    trained_recall, trained_ndcg = _judged(everybody.embeddings, window, held_out)
    folded_recall, folded_ndcg = _judged(folded, window, held_out)
    return Comparison(
        recipe=recipe,
        dim=everybody.embeddings.item.shape[1],
        trained=trained_recall,
        folded=folded_recall,
        trained_ndcg=trained_ndcg,
        folded_ndcg=folded_ndcg,
        popular=_judged(popularity(recent, n_users=len(window.train.user_ids)), window, held_out)[0],
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


def _judged(scorer: Scorer, window: Split, users: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall@20 and NDCG@20 of each user."""
    ranked = ranking.top_unseen(scorer, seen=window.train.weights, user_rows=users, k=K)
    relevant = np.diff(window.test.indptr)[users] + window.test_unknown_items[users]
    hits = find_hits(ranked, window.test[users])
    return metrics.recall(hits, relevant, K), metrics.ndcg(hits, relevant, K)


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
    parser.add_argument("--share", type=float, help="of the judged users; default: a tenth, with --known all")
    parser.add_argument("--known", action="store_true", help="fold in those whom the model was trained on")
    parser.add_argument("--lightgcn-epochs", type=int, default=30, help="0: without LightGCN")
    given = parser.parse_args()
    if given.pair:
        window = split.given_pair(*given.pair)
    else:
        with TemporaryDirectory() as folder:
            shop = Source(given.events, given.mapping, given.catalogue).read(Path(folder))
        window = windows.held_out(shop.events, weights=shop.weights, settings=Settings(), most=1)[0]
    share = given.share or (1.0 if given.known else 0.1)
    users = round(share * len(judged_users(window)))
    who = "known" if given.known else "held out"
    print(f"{users:,} users {who}, {len(window.train.user_ids):,} × {len(window.train.item_ids):,}\n\n{HEADER}")
    for recipe in _recipes(window, lightgcn_epochs=given.lightgcn_epochs):
        print(compare(recipe, window, share=share, are_known=given.known).line(), flush=True)


if __name__ == "__main__":
    main()
