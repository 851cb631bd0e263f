"""What is bought together on Online Retail: given one item of a held-out basket, Recall@10 of the others.

What is counted is chosen on the 30 days before the judged ones. Reads `../shared/data` unless `--data` says otherwise.
"""

import argparse
from datetime import timedelta
from pathlib import Path

from benchmarks.quality import RECENT_DAYS, online_retail_shop
from trainer.choosing import recipe as recipes
from trainer.choosing.gate import with_interval
from trainer.choosing.recipe import IALSRecipe
from trainer.evaluation import basket_completion, bootstrap
from trainer.evaluation.windows import rolling
from trainer.models import transitions


def main() -> None:
    """Print the table of each of the last two windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    shop = online_retail_shop(parser.parse_args().data)
    for window in rolling(shop.events, weights=shop.weights, windows=2, horizon_days=RECENT_DAYS):
        if window.cut is None:
            continue
        ids, horizon = window.train.item_ids, timedelta(days=RECENT_DAYS)
        info = basket_completion.choose(
            *basket_completion.split(shop.events, ids, cut=window.cut - horizon, until=window.cut)
        )
        before, held = basket_completion.split(shop.events, ids, cut=window.cut, until=window.cut + horizon)
        together = basket_completion.together(transitions.fit(before, info))
        fitted = recipes.fit_model(IALSRecipe(), window.train, seed=0)
        similar = basket_completion.similar(fitted.item)
        lists = {
            "popular items": basket_completion.popular(before),
            "similar items (ials)": similar,
            "bought together": together,
            "bought together, then similar items": basket_completion.filled(together, similar),
        }
        figures = {name: held.recall(rows) for name, rows in lists.items()}
        print(f"\n30 days from {window.cut:%Y-%m-%d}: {len(held.items)} baskets of {len(set(held.buyers))} people")
        print(f"counted: {info.model_dump_json()}\n\n| list | Recall@10 |\n|---|---|")
        for name, one in bootstrap.intervals(figures).items():
            print(f"| {name} | {one.told()} |")
        gain = bootstrap.paired(figures["bought together"], figures["similar items (ials)"])
        print(f"\nbought together over similar items: {with_interval(gain)}", flush=True)


if __name__ == "__main__":
    main()
