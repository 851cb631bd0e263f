"""Recall@20 and NDCG@20 of every model, full ranking: Gowalla beside published figures, Online Retail in four windows.

Run by `make benchmark-quality`; reads `../shared/data` unless `--data` says otherwise. Hyper-parameters are those that
stand here and in `trainer.models.candidates`; none is tuned on the windows that it is judged by.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from trainer import bootstrap, events, mapping, split
from trainer import recipe as recipes
from trainer.evaluation import Evaluation, evaluate
from trainer.models import item_knn
from trainer.models.als import ALSSettings
from trainer.models.baselines import popularity
from trainer.models.candidates import default_candidates
from trainer.models.embeddings import Scorer
from trainer.models.ials import IALSSettings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.spectral import SpectralSettings
from trainer.recipe import ALSRecipe, IALSRecipe, LightGCNRecipe, Recipe, SpectralRecipe
from trainer.split import Split

RECENT_DAYS = 30
METRICS = ("recall@20", "ndcg@20")
# Figures of others on the same split: see ../shared/research/quality.md, section 2.
PUBLISHED = (
    ("MF-BPR (BARS)", 64, 0.1627, 0.1378),
    ("LightGCN (He et al. 2020)", 64, 0.1830, 0.1554),
    ("UltraGCN (Mao et al. 2021)", 64, 0.1862, 0.1580),
    ("GF-CF (Shen et al. 2021)", None, 0.1849, 0.1518),
    ("SimpleX (Mao et al. 2021)", 64, 0.1872, 0.1557),
)
GOWALLA: tuple[Recipe, ...] = (
    ALSRecipe(settings=ALSSettings(dim=64, alpha=10)),
    ALSRecipe(settings=ALSSettings(dim=256, alpha=3)),
    IALSRecipe(settings=IALSSettings(dim=64)),
    IALSRecipe(settings=IALSSettings(dim=512, sweeps=4)),
    SpectralRecipe(settings=SpectralSettings(dim=512)),
    SpectralRecipe(settings=SpectralSettings(dim=768)),
)


@dataclass(frozen=True)
class Row:
    """One model on one split."""

    name: str
    dim: int | None
    fit_s: float
    evaluation: Evaluation


def judged(name: str, dim: int | None, window: Split, fit: Callable[[], Scorer]) -> Row:
    """Fit and evaluate one model, and print its line."""
    started = time.perf_counter()
    scorer = fit()
    fit_s = time.perf_counter() - started
    row = Row(name, dim, fit_s, evaluate(scorer, window, ks=(20,)))
    print(line(row), flush=True)
    return row


def line(row: Row) -> str:
    """A row of a Markdown table: figures with 95 % bootstrap intervals over users."""
    intervals = bootstrap.intervals({metric: row.evaluation.per_user[metric] for metric in METRICS})
    figures = " | ".join(f"{i.value:.4f} [{i.low:.4f}, {i.high:.4f}]" for i in intervals.values())
    return f"| {row.name} | {row.dim or '–'} | {figures} | {row.fit_s:.0f} s |"


def baselines(window: Split, *, recent_days: float) -> Iterable[tuple[str, Callable[[], Scorer]]]:
    """What every personal model must beat."""
    train = window.train
    n_users = len(train.user_ids)
    everybody = np.bincount(train.weights.indices, minlength=len(train.item_ids)).astype(np.float32)
    recent = train.recent_users(recipes.recent_since(train, recent_days))
    yield "popularity", lambda: popularity(everybody, n_users=n_users)
    if window.cut is not None:
        yield "recent popularity", lambda: popularity(recent, n_users=n_users)
    yield "item-kNN", lambda: item_knn.fit(train, item_knn.ItemKNNSettings())


def fitted(recipe: Recipe, window: Split, *, seed: int = 0) -> Callable[[], Scorer]:
    """The recipe's fit, to be timed."""
    return lambda: recipes.fit(recipe, window.train, recent_days=RECENT_DAYS, seed=seed)


def gowalla(data: Path, *, lightgcn_epochs: int) -> None:
    """The published split: every model on it, and the published figures."""
    window = split.given_pair(data / "gowalla/train.txt.gz", data / "gowalla/test.txt.gz")
    print("\n### Gowalla, published split\n\n| model | dim | Recall@20 | NDCG@20 | fit |\n|---|---|---|---|---|")
    for name, dim, recall, ndcg in PUBLISHED:
        print(f"| {name} | {dim or '–'} | {recall:.4f} | {ndcg:.4f} | published |")
    for name, fit in baselines(window, recent_days=RECENT_DAYS):
        judged(name, None, window, fit)
    for recipe in GOWALLA:
        judged(recipe.model, recipe.settings.dim, window, fitted(recipe, window))
    if lightgcn_epochs:
        graph = LightGCNRecipe(settings=LightGCNSettings(epochs=lightgcn_epochs))
        judged(f"lightgcn, warm, {lightgcn_epochs} epochs", graph.settings.dim, window, fitted(graph, window))


def online_retail(data: Path, *, seeds: int) -> None:
    """Four rolling 30-day windows, with and without recency, and what recency wins in each."""
    shop = mapping.read(Path("examples/online_retail.toml"))
    with TemporaryDirectory() as folder:
        path = data / "online-retail/online_retail.csv.gz"
        loaded = events.load(path, mapping=shop, quarantine_path=Path(folder) / "quarantine.csv")
    for window in split.rolling(loaded.frame, weights=shop.event_weights, windows=4, horizon_days=30):
        print(f"\n### Online Retail, 30 days from {window.cut:%Y-%m-%d}\n")
        print("| model | dim | Recall@20 | NDCG@20 | fit |\n|---|---|---|---|---|")
        rows = [judged(name, None, window, fit) for name, fit in baselines(window, recent_days=RECENT_DAYS)]
        for recipe in default_candidates(len(window.train.user_ids), len(window.train.item_ids)):
            plain = judged(recipe.model, recipe.settings.dim, window, fitted(recipe, window))
            recent = recipe.model_copy(update={"recency_strength": 1.0})
            rows += [plain, judged(f"{recipe.model} × recency", recipe.settings.dim, window, fitted(recent, window))]
        first, with_recency = rows[3], rows[4]
        compare(with_recency, first)
        compare(with_recency, rows[1])
        recipe = default_candidates(1, 1)[0].model_copy(update={"recency_strength": 1.0})
        by_seed = [
            evaluate(fitted(recipe, window, seed=seed)(), window, ks=(20,)).mean(METRICS[0]) for seed in range(seeds)
        ]
        print(
            f"seeds 0–{seeds - 1} of {recipe.model} × recency: Recall@20 {np.mean(by_seed):.4f} ± {np.std(by_seed):.4f}"
        )


def compare(row: Row, other: Row) -> None:
    """Print the paired difference of two rows."""
    metric = METRICS[0]
    a, b = row.evaluation, other.evaluation
    difference = bootstrap.paired(a.per_user[metric], b.per_user[metric])
    lift = a.mean(metric) / b.mean(metric) - 1
    print(
        f"\n{row.name} d={row.dim} minus {other.name}: {difference.value:+.4f} [{difference.low:+.4f}, "
        f"{difference.high:+.4f}], p = {difference.p_value:.3f}, lift {lift:+.0%}"
    )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--lightgcn-epochs", type=int, default=40, help="0 leaves LightGCN out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["gowalla", "online-retail"])
    arguments = parser.parse_args()
    if arguments.only != "gowalla":
        online_retail(arguments.data, seeds=arguments.seeds)
    if arguments.only != "online-retail":
        gowalla(arguments.data, lightgcn_epochs=arguments.lightgcn_epochs)


if __name__ == "__main__":
    main()
