"""Why MLlib's ALS and `implicit` do not give the same figures: Online Retail's last window, several seeds of each.

    .venv/bin/python -m benchmarks.spark_parity --data FOLDER [--seeds 5] [--without-spark]

Between the two stands an exact ALS in NumPy that takes on MLlib's terms one by one: its start (vectors of length 1
instead of a hundredth), its confidence (1 + alpha × weight instead of alpha × weight), and its regularisation (times
the pairs of the user or item). All have the same window, weights and settings, and all users are solved by the formula
that services fold in by. A difference is that of the mean over seeds, paired by users, with its 95 % interval.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.quality import online_retail_shop
from trainer.evaluation import bootstrap, windows
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.split import Split
from trainer.models import als, bm25
from trainer.models.als import ALSSettings
from trainer.models.embeddings import Embeddings
from trainer.settings import Settings

SETTINGS: Final = ALSSettings(dim=64, alpha=10, regularization=0.01, iterations=10)
_SHORT: Final = 0.01  # of a component, as `implicit` begins

Items = NDArray[np.float32]  # [n_items, dim]


@dataclass(frozen=True)
class Terms:
    """How an exact ALS is like MLlib's."""

    long_start: bool = False
    one_more: bool = False  # in the confidence of a pair
    by_pairs: bool = False  # the regularisation
    regularization: float = SETTINGS.regularization


EXACT: Final = {
    "exact": Terms(),
    "exact, long start": Terms(long_start=True),
    "exact, long start, 1 + alpha w": Terms(long_start=True, one_more=True),
    "exact, long start, reg × pairs": Terms(long_start=True, by_pairs=True),
    "exact, all three: as MLlib": Terms(long_start=True, one_more=True, by_pairs=True),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with online-retail/online_retail.csv.gz")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--without-spark", action="store_true")
    arguments = parser.parse_args()
    shop = online_retail_shop(arguments.data)
    [window] = windows.held_out(shop.events, weights=shop.weights, settings=Settings(), most=1)
    weights = window.train.weights
    scaled = sp.csr_matrix((weights.data * als.weight_scale(weights), weights.indices, weights.indptr), weights.shape)
    confidences = bm25.confidence(scaled.astype(np.float32), k1=SETTINGS.k1, b=SETTINGS.b)
    pairs_a_row = 2 * confidences.nnz / sum(confidences.shape)
    print(f"from {window.cut}, judged by {window.judged_users:,} users, {pairs_a_row:.0f} pairs a user or item\n")
    print(f"| | Recall@20 by seed | mean ± sd | minus implicit | NDCG@20 | minus implicit |\n{'|---' * 6}|")
    judged = Judged(window, confidences, range(arguments.seeds))
    judged.row("implicit", lambda seed: als.fit(window.train, SETTINGS, seed=seed).item)
    less = Terms(long_start=True, one_more=True, by_pairs=True, regularization=SETTINGS.regularization / pairs_a_row)
    for name, terms in {**EXACT, f"as MLlib, reg / {pairs_a_row:.0f}": less}.items():
        judged.row(name, partial(exact, confidences, terms))
    if not arguments.without_spark:
        with mllib(confidences) as fit:
            judged.row("MLlib", fit)


@dataclass
class Judged:
    """Rows of the table, each beside the first."""

    window: Split
    confidences: sp.csr_matrix
    seeds: range
    first: dict[str, NDArray[np.float64]] | None = None  # metric → [judged users], mean over seeds

    def row(self, name: str, items_of: Callable[[int], Items]) -> None:
        """Fit and judge by every seed, and print it."""
        by_seed = [self._per_user(items_of(seed)) for seed in self.seeds]
        mean = {metric: np.mean([one[metric] for one in by_seed], axis=0) for metric in ("recall@20", "ndcg@20")}
        self.first = self.first or mean
        cells = [" ".join(f"{one['recall@20'].mean():.4f}" for one in by_seed)]
        for metric in mean:
            values = [one[metric].mean() for one in by_seed]
            apart = bootstrap.paired(mean[metric], self.first[metric])
            cells += [f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"]
            cells += [f"{apart.value:+.4f} [{apart.low:+.4f}, {apart.high:+.4f}]"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)

    def _per_user(self, items: Items) -> dict[str, NDArray[np.float64]]:
        users = als.solver(items, SETTINGS)(self.confidences)
        return evaluate(Embeddings(users, items), self.window, ks=(20,)).per_user


def exact(confidences: sp.csr_matrix, terms: Terms, seed: int) -> Items:
    """Vectors of items, float32 [n_items, dim], by alternating least squares without a short cut."""
    by_item, rng = confidences.T.tocsr(), np.random.default_rng(seed)
    items = rng.random((confidences.shape[1], SETTINGS.dim)) * _SHORT
    if terms.long_start:
        items = rng.standard_normal(items.shape)
        items /= np.linalg.norm(items, axis=1, keepdims=True)
    items[np.diff(by_item.indptr) == 0] = 0
    for _ in range(SETTINGS.iterations):
        users = _half(confidences, items, terms)
        items = _half(by_item, users, terms)
    return items.astype(np.float32)


def _half(confidences: sp.csr_matrix, others: NDArray[np.float64], terms: Terms) -> NDArray[np.float64]:
    gram, one = others.T @ others, np.eye(others.shape[1])
    solved = np.zeros((confidences.shape[0], others.shape[1]))
    for row, (start, end) in enumerate(zip(confidences.indptr[:-1], confidences.indptr[1:], strict=True)):
        if start == end:
            continue
        theirs = others[confidences.indices[start:end]]
        confidence = SETTINGS.alpha * confidences.data[start:end].astype(np.float64) + terms.one_more
        regularization = terms.regularization * (end - start if terms.by_pairs else 1)
        system = gram + (theirs.T * (confidence - 1)) @ theirs + regularization * one
        solved[row] = np.linalg.solve(system, confidence @ theirs)
    return solved


@contextmanager
def mllib(confidences: sp.csr_matrix) -> Iterator[Callable[[int], Items]]:
    """What fits MLlib's ALS, in two threads here."""
    from pyspark.ml.recommendation import ALS

    from trainer_spark import session

    pairs = confidences.tocoo()
    table = pa.table({"user": pairs.row.astype(np.int32), "item": pairs.col.astype(np.int32), "rating": pairs.data})
    with session.opened("local[2]") as spark:
        ratings = spark.createDataFrame(table).persist()

        def fit(seed: int) -> Items:
            learner = ALS(
                rank=SETTINGS.dim,
                maxIter=SETTINGS.iterations,
                regParam=SETTINGS.regularization,
                alpha=SETTINGS.alpha,
                implicitPrefs=True,
                numUserBlocks=2,
                numItemBlocks=2,
                seed=seed,
            )
            found = learner.fit(ratings).itemFactors.toArrow()
            items = np.zeros((confidences.shape[1], SETTINGS.dim), np.float32)
            values = found.column("features").combine_chunks().flatten().to_numpy(zero_copy_only=False)
            items[found.column("id").to_numpy()] = values.reshape(-1, SETTINGS.dim)
            return items

        yield fit


if __name__ == "__main__":
    main()
