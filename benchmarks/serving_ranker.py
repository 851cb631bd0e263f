"""What a learned ranker costs a request in the reranker: the same candidates ranked with and without it, in turns.

    make benchmark-serving-ranker     # or: .venv/bin/python -m benchmarks.serving_ranker [--items 1000000]

One version with a blend of everything (`serving_volume`), opened once, and ranked with as it is and with trees as the
trainer makes them, learnt here from made lists. Processor time of `reranker.ranker.Ranker.rank` for 200 candidates and
a page of 10, for users and items drawn at random, so that caches are as cold as requests find them.
"""

import argparse
import random
import time
from dataclasses import replace
from statistics import fmean, median
from typing import Final

import numpy as np

from benchmarks import serving_volume
from recsys.artifact import ranker
from recsys.artifact.reader import Artifact
from recsys.ranking_features import FEATURES, HISTORY_ITEMS, ITEM_FEATURES, LIST_FEATURES, TakenUp, features
from recsys.shop.sources import Source
from reranker.ranker import Ranker
from reranker.request import Proposed, RankRequest
from trainer.choosing.blending import CANDIDATES, POPULAR
from trainer.ranker import training
from trainer.ranker.training import Lists

ITEMS: Final = 40_000
COUNT: Final = 10
MOST_US: Final = 500
"""What was aimed at."""
_REQUESTS: Final = 2_000
_WARMING: Final = 200
_LISTS: Final = 500  # that the trees learn from
_TRANSITIONS: Final = 50  # candidates that the history leads to


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=ITEMS)
    n_items = parser.parse_args().items
    print(table(n_items))


def table(n_items: int) -> str:
    """Markdown: what a request takes with and without a ranker, the ratio, and what the ranker adds."""
    volume = serving_volume.volume_of(n_items=n_items, n_users=n_items, is_blended=True)
    artifact = serving_volume.live_artifact(volume)
    with_trees = replace(artifact, ranker=learned(n_items))
    without, ranked = measure(artifact, with_trees)
    lines = [f"{n_items:,} items, {CANDIDATES} candidates\n", "| reranker | p50 µs | mean µs | ÷ the blend alone |"]
    lines.append("|---|---|---|---|")
    for name, took_us in (("the blend alone", without), ("with a learned ranker", ranked)):
        ratio = median(took_us) / median(without)
        lines.append(f"| {name} | {median(took_us):.0f} | {fmean(took_us):.0f} | {ratio:.2f} |")
    added = median(with_it - without_it for with_it, without_it in zip(ranked, without, strict=True))
    return "\n".join([*lines, f"\nthe ranker adds {added:.0f} µs a request (aim: {MOST_US} at the most)"])


def measure(*artifacts: Artifact) -> list[list[float]]:
    """µs of each request by each version: all rank the same candidates, one after the other, in an order by chance."""
    rankers = [Ranker(artifact) for artifact in artifacts]
    for each in rankers:
        each.warm()
    took_us: list[list[float]] = [[] for _ in rankers]
    rng, chance = np.random.default_rng(1), random.Random(1)
    for number in range(_WARMING + _REQUESTS):
        request = _request(artifacts[0], rng)
        for at in chance.sample(range(len(rankers)), len(rankers)):
            started = time.thread_time()
            rankers[at].rank(request)
            spent = time.thread_time() - started
            if number >= _WARMING:
                took_us[at].append(spent * 1e6)
    return took_us


def learned(n_items: int) -> ranker.Ranker:
    """A ranker with as many trees and leaves as the trainer's, and features for so many items."""
    rng = np.random.default_rng(0)
    items = rng.lognormal(1, 1, (n_items, len(ITEM_FEATURES))).astype(np.float32)
    names = list(FEATURES[len(LIST_FEATURES) :])
    found = []
    for _ in range(_LISTS):
        personal = np.sort(rng.random(CANDIDATES, np.float32))[::-1]
        transitions = np.where(rng.random(CANDIDATES) < _TRANSITIONS / CANDIDATES, rng.random(CANDIDATES), 0)
        rows = items[rng.integers(n_items, size=CANDIDATES)]
        blended, taste = personal + transitions, rng.random((CANDIDATES, len(names)), np.float32)
        found.append(features(blended=blended, personal=personal, transitions=transitions, items=rows, taste=taste))
    liked = [
        each[:, FEATURES.index("blend")]
        + 0.1 * each[:, FEATURES.index("item_users_7_days")]
        + 0.1 * each[:, FEATURES.index("user_category_share")]
        for each in found
    ]
    taken = [each + rng.gumbel(size=CANDIDATES) > 4 for each in liked]
    of_lists = training.train(Lists.of(list(FEATURES), found, taken), base_weight=3.0, seed=0)
    return ranker.Ranker(of_lists.info, of_lists.trees, items)


def _request(artifact: Artifact, rng: np.random.Generator) -> RankRequest:
    n_items = len(artifact.items)
    rows = rng.choice(n_items, CANDIDATES, replace=False)
    sources = np.full(CANDIDATES, 1 << Source.ANN, np.uint32)
    sources[-POPULAR:] = 1 << Source.POPULAR
    leads_to = rng.choice(CANDIDATES, _TRANSITIONS, replace=False)
    sources[leads_to] |= 1 << Source.TRANSITIONS
    transitions = np.zeros(CANDIDATES, np.float32)
    transitions[leads_to] = rng.random(_TRANSITIONS, np.float32)
    user = np.asarray(artifact.user_embeddings[rng.integers(len(artifact.users))])
    history = TakenUp(rng.choice(n_items, HISTORY_ITEMS, replace=False), np.arange(HISTORY_ITEMS, 0, -1))
    candidates = Proposed(rows, np.zeros(CANDIDATES, np.float32), sources, transitions=transitions, history=history)
    return RankRequest(candidates=candidates, count=COUNT, query_vector=user)


if __name__ == "__main__":
    main()
