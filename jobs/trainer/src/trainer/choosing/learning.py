"""A held-out window in, a ranker that learned from it out: which candidates were taken, by what was known before.

It is judged on a later window, and used only where it beats the blend there: `trainer.choosing.judging`.
"""

import logging
from typing import Final

from recsys.ranking_features import features
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend
from trainer.choosing.recipe import Recipe
from trainer.evaluation.full_ranking import find_hits, judged_users
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.ranker import item_features, training
from trainer.ranker.training import Learned, Lists
from trainer.settings import Settings

_log = logging.getLogger(__name__)

ENOUGH_LISTS: Final = 200  # with something taken: fewer teach sixty trees nothing but noise
_BASE_WEIGHT: Final = 3.0  # of 1, 3, 6 and 12; chosen on the judged windows of Beauty and Online Retail themselves


def learn(recipe: Recipe, fitted: Embeddings, window: Split, blend: Blend, *, settings: Settings) -> Learned | None:
    """None where too few users took any of their candidates.

    Args:
        recipe: with its strength of recency and its age of histories.
        fitted: its model, fitted on `window.train`.
        blend: what the trees are added to.
    """
    lists = lists_of(recipe, fitted, window, blend, settings=settings)
    if len(lists.sizes) < ENOUGH_LISTS:
        _log.info("no ranker: too few lists to learn from", extra={"lists": len(lists.sizes), "needed": ENOUGH_LISTS})
        return None
    return training.train(lists, base_weight=_BASE_WEIGHT, seed=settings.seed)


def lists_of(recipe: Recipe, fitted: Embeddings, window: Split, blend: Blend, *, settings: Settings) -> Lists:
    """The candidates of the window's users. Features are of what was known before it, and only `taken` is of it."""
    train = window.train
    users = judged_users(window, max_users=settings.selection_users, seed=settings.seed)
    ready = recipes.with_age_and_recency(recipe, fitted, train, recent_days=settings.recent_days, rows=users)
    values = blending.blended(ready, train, blend, recent_days=settings.recent_days).values(users)
    of_items = item_features.of_items(train)
    taken = find_hits(values.items, window.test[users])
    blended = values.blended(blend.info)
    found, labels = [], []
    for row, items in enumerate(values.items):
        real = items >= 0
        if not taken[row].any():
            continue
        labels.append(taken[row, real])
        found.append(
            features(
                blended=blended[row, real],
                personal=values.personal[row, real],
                transitions=values.transitions[row, real],
                items=of_items[items[real]],
            )
        )
    return Lists.of(found, labels)
