"""What vectors that a shop brings add to what is known of new items: titles as vectors, beside and in place of words.

    python -m benchmarks.item_vectors      # reads ../shared/data unless --data says otherwise

A stand-in for a model of texts: TF-IDF of the words of titles, in fewer dimensions by truncated SVD. It knows nothing
that the titles do not say, so what it gains in their place is what vectors can carry.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
import scipy.sparse as sp
from scipy.sparse.linalg import svds

from benchmarks.quality import FIRST_DAYS, RECENT_DAYS, shops_with_new_items
from recsys.item_vector import packed
from trainer.choosing import new_items
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend
from trainer.choosing.gate import with_interval
from trainer.choosing.new_items import BY_CONTENT, Facts
from trainer.evaluation import bootstrap
from trainer.evaluation.windows import rolling
from trainer.settings import Settings

_WORDS = 16_384  # that are hashed into columns
_DIM = 128


def main() -> None:
    """Print a row for each shop, model and window."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    for name, shop in shops_with_new_items(parser.parse_args().data).items():
        facts = Facts.of(shop)
        catalogues = known_by(facts.catalogue)
        print(f"\n### {name}: Recall@{new_items.K} of new items\n")
        print(f"| model | window from | {' | '.join(catalogues)} | both minus words | vectors minus neither |")
        print(f"|{'---|' * (len(catalogues) + 4)}")
        for recipe in FIRST_DAYS:
            for window in rolling(shop.events, weights=shop.weights, windows=4, horizon_days=RECENT_DAYS):
                fitted = recipes.fit(recipe, window.train, recent_days=RECENT_DAYS, seed=0)
                recalls = {}
                for known, catalogue in catalogues.items():
                    of = replace(facts, catalogue=catalogue)
                    judged = new_items.judge(fitted, window, of, Blend(), settings=Settings())
                    if judged is not None:
                        recalls[known] = judged.recall[BY_CONTENT]
                if len(recalls) < len(catalogues):  # too few new items to judge by
                    continue
                told = [f"{recalls[known].mean():.4f}" for known in catalogues]
                told += [
                    with_interval(bootstrap.paired(recalls[one], recalls[other]))
                    for one, other in (("both", "words"), ("vectors", "neither"))
                ]
                print(f"| {recipe.model} | {window.cut:%Y-%m-%d} | {' | '.join(told)} |", flush=True)


def known_by(catalogue: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """A catalogue with words, with vectors beside them, with vectors alone, and with neither of both."""
    vectors = pl.Series("vector", of_titles(catalogue["title"].to_list()), dtype=pl.String)
    no_words = catalogue.with_columns(title=pl.lit(None, pl.String))
    return {
        "words": catalogue,
        "both": catalogue.with_columns(vectors),
        "vectors": no_words.with_columns(vectors),
        "neither": no_words,
    }


def of_titles(titles: Sequence[str | None]) -> list[str | None]:
    """As `recsys.item_vector` has them; none of a title without words."""
    words = [sorted(set(re.findall(r"\w+", (title or "").lower()))) for title in titles]
    columns = [crc32(word.encode()) % _WORDS for each in words for word in each]
    indptr = np.cumsum([0, *map(len, words)])
    counts = sp.csr_matrix((np.ones(len(columns)), columns, indptr), (len(titles), _WORDS))
    counts.sum_duplicates()
    rarity = np.log((1 + len(titles)) / (1 + np.bincount(counts.indices, minlength=_WORDS)))
    weighed = sp.csr_matrix(counts.multiply(rarity))
    norms = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    left, values, _ = svds(sp.diags(1 / np.maximum(norms, 1e-9)) @ weighed, k=_DIM, random_state=0)
    return [packed(row) for row in (left * values).tolist()]


if __name__ == "__main__":
    main()
