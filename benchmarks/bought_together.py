"""What is bought together on Online Retail: given one item of a held-out basket, Recall@10 of the others.

As `trainer evaluate` has it, beside items that are alike by the default ials recipe. Reads `../shared/data` unless
`--data` says otherwise.
"""

import argparse
from pathlib import Path

from benchmarks.quality import RECENT_DAYS, online_retail_shop
from trainer.choosing import baskets
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import IALSRecipe
from trainer.evaluation.windows import rolling
from trainer.report import table
from trainer.report.table import BasketsRow
from trainer.settings import Settings


def main() -> None:
    """Print a row for each of the last two windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    shop = online_retail_shop(parser.parse_args().data)
    windows = rolling(shop.events, weights=shop.weights, windows=2, horizon_days=RECENT_DAYS)
    of_windows = baskets.of_windows(shop.events, windows, settings=Settings(horizon_days=RECENT_DAYS))
    print(table.BASKETS_HEADER)
    for window in windows:
        if window.cut in of_windows:
            fitted = recipes.fit_model(IALSRecipe(), window.train, seed=0)
            judged = baskets.judge(of_windows[window.cut], fitted.item, seed=0)
            print(BasketsRow(judged).line(), judged.counted, flush=True)


if __name__ == "__main__":
    main()
