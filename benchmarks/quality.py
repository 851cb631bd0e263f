"""Recall and NDCG of every model, full ranking: Beauty and Gowalla beside published figures, Online Retail in windows.

And, by themselves, items that were first taken up in a window, on Online Retail and on the demo shop.

Run by `make benchmark-quality`; reads `../shared/data` unless `--data` says otherwise. Hyper-parameters are those that
stand here and in `trainer.choosing.default_recipes`. Both were written with these two data sets in view, as published
figures are: what the defaults do on other data, `trainer evaluate` tells.
"""

import argparse
import gzip
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from benchmarks.shop_source import Source
from trainer.choosing import gate, new_items, selection
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend
from trainer.choosing.default_recipes import affordable_epochs, default_recipes
from trainer.choosing.fits import KeptFits
from trainer.choosing.new_items import Facts
from trainer.choosing.recipe import (
    ALSRecipe,
    EASERecipe,
    IALSRecipe,
    LightGCNRecipe,
    Recipe,
    SASRecRecipe,
    SpectralRecipe,
)
from trainer.choosing.selection import Choice
from trainer.evaluation import bootstrap, split
from trainer.evaluation.split import Split
from trainer.evaluation.windows import of_train, rolling
from trainer.models.als import ALSSettings
from trainer.models.ease import EASESettings
from trainer.models.ials import IALSSettings
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.models.sasrec import SASRecSettings
from trainer.models.spectral import SpectralSettings
from trainer.models.transitions import IN_ORDER, TransitionScores
from trainer.report import table
from trainer.report.table import Row
from trainer.settings import Settings
from trainer.shop_data import demo_shop
from trainer.shop_data.mapping import ColumnMapping
from trainer.shop_data.shop import Shop

RECENT_DAYS = 30
WITH_RANKER = Settings(learned_ranker=True)
METRIC = "recall@20"
# Figures of others on the same split: see ../shared/research/quality.md, section 2.
PUBLISHED = (
    ("MF-BPR (BARS)", 64, 0.1627, 0.1378),
    ("LightGCN (He et al. 2020)", 64, 0.1830, 0.1554),
    ("UltraGCN (Mao et al. 2021)", 64, 0.1862, 0.1580),
    ("GF-CF (Shen et al. 2021)", None, 0.1849, 0.1518),
    ("SimpleX (Mao et al. 2021)", 64, 0.1872, 0.1557),
)
# Recall@10 and NDCG@10 of others on Beauty's last items, all items ranked, as those who measured them report them.
PUBLISHED_ON_BEAUTY = (
    ("SASRec (Kang & McAuley 2018), as first reported", 0.0605, 0.0318),
    ("TIGER (Rajput et al. 2023)", 0.0648, 0.0384),
    ("ActionPiece (Hou et al. 2025)", 0.0775, 0.0424),
    ("HSTU (Zhai et al. 2024)", 0.0788, 0.0439),
    ("SASRec with sampled softmax", 0.0921, 0.0531),
    ("eSASRec (Tikhonovich et al. 2025)", 0.0928, 0.0523),
)
GOWALLA: tuple[Recipe, ...] = (
    ALSRecipe(settings=ALSSettings(dim=64, alpha=10)),
    IALSRecipe(settings=IALSSettings(dim=64)),
    SpectralRecipe(settings=SpectralSettings(dim=768)),
)  # beside the default recipes

RANKER_SEEDS = (1, 2, 3)  # of the demo shop
FIRST_DAYS: tuple[Recipe, ...] = (
    EASERecipe(settings=EASESettings(dim=256, regularization=6)),
    ALSRecipe(settings=ALSSettings(dim=64, alpha=2, regularization=1)),
)


def printed(row: Row) -> Row:
    """Print a row as soon as it is there."""
    print(row.line(), flush=True)
    return row


def beauty(data: Path) -> None:
    """The last item of every user: each default recipe, what comes next, and what the item before it chooses of all."""
    with gzip.open(data / "beauty/sequences.txt.gz", "rt") as lines:
        histories = [line.split() for line in lines]
    test = last_items(histories)
    validation = last_items([history[:-1] for history in histories])
    print(f"\n### Beauty, the last item of {test.judged_users:,} users\n\n{table.HEADER}")
    for name, recall, ndcg in PUBLISHED_ON_BEAUTY:
        print(f"| {name} | | | | {recall:.4f} | {ndcg:.4f} | published | |")
    for row in table.of_baselines(test, recent_days=RECENT_DAYS):
        printed(row)
    to_try = default_recipes(validation.train)
    for recipe in without_sequences(to_try):
        printed(table.of_recipe(recipe, test, recent_days=RECENT_DAYS))
    of_order(test)
    choice = selection.choose(None, [validation], to_try, settings=WITH_RANKER)
    print(f"\nChosen on the item before the last: {choice.recipe.model_dump_json()}, {choice.blend.blend}\n")
    print(table.HEADER)
    fits = KeptFits(0)
    personal = printed(table.of_recipe(choice.recipe, test, recent_days=RECENT_DAYS, fits=fits))
    served = printed(table.served(choice, test, recent_days=RECENT_DAYS, fits=fits))
    compare(served, personal, metric="ndcg@10")
    learned_ranker(choice, test, fits=fits, metric="ndcg@10")


def last_items(histories: Sequence[Sequence[str]]) -> Split:
    """Of a user and the items in order; a second apart, since no times are known."""
    rows = [(user, item, "interaction", second) for user, *items in histories for second, item in enumerate(items)]
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "event_type", "second"], orient="row").select(
        "user_id", "item_id", "event_type", timestamp=pl.from_epoch("second").dt.replace_time_zone("UTC")
    )
    frame = frame.with_columns(pl.col("timestamp").dt.cast_time_unit("us"), quantity=pl.lit(1.0))
    return split.leave_last_out(frame, weights={"interaction": 1.0})


def gowalla(data: Path, *, lightgcn_epochs: int) -> None:
    """The published split: every model on it, what `train` would have chosen, and the published figures."""
    window = split.given_pair(data / "gowalla/train.txt.gz", data / "gowalla/test.txt.gz")
    print(f"\n### Gowalla, published split\n\n{table.HEADER}")
    for name, dim, recall, ndcg in PUBLISHED:
        print(f"| {name} | {dim or '–'} | {recall:.4f} | {ndcg:.4f} | | | published | |")
    for row in table.of_baselines(window, recent_days=RECENT_DAYS):
        printed(row)
    defaults = default_recipes(window.train)
    others = list(GOWALLA)
    if lightgcn_epochs:
        others.append(LightGCNRecipe(settings=LightGCNSettings(epochs=lightgcn_epochs)))
    for recipe in (*defaults, *others):
        printed(table.of_recipe(recipe, window, recent_days=RECENT_DAYS))
    choice = selection.choose(None, of_train(window, seed=0), defaults, settings=Settings())
    print(f"\n`train` would have chosen, by {choice.users:,} users, a fifth of whose train was held out:\n")
    printed(table.served(choice, window, recent_days=RECENT_DAYS, fits=KeptFits(0)))


def online_retail_shop(data: Path) -> Shop:
    """Its file, read as the trainer reads it."""
    files = Source(data / "online-retail/online_retail.csv.gz", Path("examples/online_retail.toml"))
    with TemporaryDirectory() as folder:
        return files.read(Path(folder))


def shops_with_new_items(data: Path) -> dict[str, Shop]:
    """Those whose catalogues say something of items on their first day."""
    frame, catalogue = demo_shop.generate()
    return {
        "Online Retail (titles and prices)": online_retail_shop(data),
        "the demo shop": Shop(frame, catalogue, ColumnMapping().event_weights),
    }


def first_days(data: Path) -> None:
    """Items first taken up in each of four windows: by what is said of them, and by what does without."""
    for name, shop in shops_with_new_items(data).items():
        facts = Facts.of(shop)
        for recipe in FIRST_DAYS:
            print(f"\n### New items of {name}, {recipe.model}\n\n{table.NEW_ITEMS_HEADER}")
            for window in rolling(shop.events, weights=shop.weights, windows=4, horizon_days=RECENT_DAYS):
                fitted = recipes.fit(recipe, window.train, recent_days=RECENT_DAYS, seed=0)
                judged = new_items.judge(fitted, window, facts, Blend(), settings=Settings())
                if judged is not None and window.cut is not None:
                    print(table.NewItemsRow(window.cut, judged).line(), flush=True)


def online_retail(data: Path, *, seeds: int) -> None:
    """Five rolling 30-day windows: every default recipe, and what the window before chose, with and without recency."""
    shop = online_retail_shop(data)
    windows = rolling(shop.events, weights=shop.weights, windows=5, horizon_days=RECENT_DAYS)
    to_try = default_recipes(windows[-1].train)
    known = Facts.of(shop).catalogue
    fits = KeptFits(0)
    for number, window in enumerate(windows):
        before = windows[number - 1 : number]
        choice = selection.choose(None, before, to_try, settings=WITH_RANKER, fit=fits.of, catalogue=known)
        fits.keep_only([window])
        print(f"\n### Online Retail, 30 days from {window.cut:%Y-%m-%d}\n\n{table.HEADER}")
        rows = [printed(row) for row in table.of_baselines(window, recent_days=RECENT_DAYS)]
        for recipe in without_sequences(to_try):
            printed(table.of_recipe(recipe, window, recent_days=RECENT_DAYS, fits=fits))
        if not before:
            continue
        of_order(window)
        print(f"\nChosen on the window before: {choice.recipe.model_dump_json()}, {choice.blend.blend}")
        print(f"Then the same recipe without recency, its personal score alone\n\n{table.HEADER}")
        chosen = printed(table.served(choice, window, recent_days=RECENT_DAYS, fits=fits))
        without = choice.recipe.model_copy(update={"recency_strength": 0.0})
        compare(chosen, printed(table.of_recipe(without, window, recent_days=RECENT_DAYS, fits=fits)))
        compare(chosen, max(rows, key=lambda row: row.evaluation.mean(METRIC)))
        by_seed = [
            table.served(choice, window, recent_days=RECENT_DAYS, fits=KeptFits(seed)).evaluation.mean(METRIC)
            for seed in range(seeds)
        ]
        learned_ranker(choice, window, fits=fits, metric=METRIC)
        print(f"\n{chosen.name}, {seeds} seeds: Recall@20 {np.mean(by_seed):.4f} ± {np.std(by_seed):.4f}")


def of_order(window: Split) -> None:
    """Print the models of the order of events, whether or not the choice would try them."""
    train = window.train
    printed(table.judged("transitions", None, window, lambda: TransitionScores.fitted(train, IN_ORDER)))
    epochs = affordable_epochs(pairs=train.weights.nnz, n_items=len(train.item_ids))
    recipe = SASRecRecipe(settings=SASRecSettings(epochs=epochs))
    printed(table.of_recipe(recipe, window, recent_days=RECENT_DAYS))


def learned_ranker(choice: Choice, window: Split, *, fits: KeptFits, metric: str) -> None:
    """Print the lists that would be served with the ranker that learned on the window before, if it could, and without.

    Its settings were chosen with these windows in view (docs/adr/0019), so the gain is no evidence for other shops.
    """
    if choice.ranker is None:
        return
    blend = choice.blend.blend
    ranked = replace(choice, blend=replace(choice.blend, blend=replace(blend, ranker=choice.ranker)))
    print(f"\nWith what a ranker learned on the window before, then without\n\n{table.HEADER}")
    rows = [printed(table.served(each, window, recent_days=RECENT_DAYS, fits=fits)) for each in (ranked, choice)]
    compare(*rows, metric=metric)


def rankers(data: Path, of: Sequence[str]) -> None:
    """What a learned ranker does on shops and windows that its settings were not chosen by, each with one recipe."""
    print("\n| shop, window | lists judged | Recall@20 without | with | NDCG@20, with minus without | it ranks |")
    print("|---|---|---|---|---|---|")
    ease, als = FIRST_DAYS
    if "demo" in of:
        for seed in RANKER_SEEDS:
            frame, catalogue = demo_shop.generate(seed=seed)
            shop = Shop(frame, catalogue, ColumnMapping().event_weights)
            _rankers_of(f"demo shop, seed {seed}", shop, als, judged=1)
    if "online-retail" in of:
        _rankers_of("Online Retail", online_retail_shop(data), ease, judged=2)
    if "gowalla" in of:
        whole = split.given_pair(data / "gowalla/train.txt.gz", data / "gowalla/test.txt.gz")
        _ranker_row("Gowalla", of_train(whole, seed=0)[-1], whole, GOWALLA[0], catalogue=None)


def _rankers_of(name: str, shop: Shop, recipe: Recipe, *, judged: int) -> None:
    """The newest windows of a shop, in each of which a ranker is judged that learned on the one before."""
    windows = rolling(shop.events, weights=shop.weights, windows=judged + 1, horizon_days=RECENT_DAYS)
    for before, window in pairwise(windows):
        told = f"{name}, from {window.cut:%Y-%m-%d}"
        _ranker_row(told, before, window, recipe, catalogue=Facts.of(shop).catalogue)


def _ranker_row(name: str, before: Split, window: Split, recipe: Recipe, *, catalogue: pl.DataFrame | None) -> None:
    fits = KeptFits(0)
    choice = selection.choose(None, [before], [recipe], settings=WITH_RANKER, fit=fits.of, catalogue=catalogue)
    if choice.ranker is None:
        print(f"| {name} | too few lists to learn from |", flush=True)
        return
    found = choice.blend.blend
    ranked = replace(choice, blend=replace(choice.blend, blend=replace(found, ranker=choice.ranker)))
    with_it, without = (
        table.served(each, window, recent_days=RECENT_DAYS, fits=fits).evaluation for each in (ranked, choice)
    )
    gain = bootstrap.paired(with_it.per_user["ndcg@20"], without.per_user["ndcg@20"])
    print(
        f"| {name} | {len(with_it.per_user[METRIC]):,} | {without.mean(METRIC):.4f} | "
        f"{with_it.mean(METRIC):.4f} | {gate.with_interval(gain)} | {'yes' if gain.low > 0 else 'no'} |",
        flush=True,
    )


def without_sequences(of: Sequence[Recipe]) -> list[Recipe]:
    """All but the models that `of_order` prints."""
    return [one for one in of if not isinstance(one, SASRecRecipe)]


def compare(row: Row, other: Row, *, metric: str = METRIC) -> None:
    """Print the paired difference of two rows."""
    a, b = row.evaluation, other.evaluation
    difference = bootstrap.paired(a.per_user[metric], b.per_user[metric])
    lift = a.mean(metric) / b.mean(metric) - 1
    print(
        f"\n{metric} of {row.name} d={row.dim} minus {other.name}: {difference.value:+.4f} [{difference.low:+.4f}, "
        f"{difference.high:+.4f}], p = {difference.p_value:.3f}, lift {lift:+.0%}"
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--lightgcn-epochs", type=int, default=40, help="0: without LightGCN")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=["beauty", "gowalla", "online-retail", "new-items", "ranker"])
    parser.add_argument("--ranker-of", nargs="+", default=["demo", "online-retail", "gowalla"])
    arguments = parser.parse_args()
    if arguments.only in (None, "beauty"):
        beauty(arguments.data)
    if arguments.only in (None, "online-retail"):
        online_retail(arguments.data, seeds=arguments.seeds)
    if arguments.only in (None, "new-items"):
        first_days(arguments.data)
    if arguments.only in (None, "ranker"):
        rankers(arguments.data, arguments.ranker_of)
    if arguments.only in (None, "gowalla"):
        gowalla(arguments.data, lightgcn_epochs=arguments.lightgcn_epochs)


if __name__ == "__main__":
    main()
