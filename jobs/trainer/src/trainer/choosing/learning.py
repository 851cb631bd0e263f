"""A held-out window in, a ranker that learned from it out: which candidates were taken, by what was known before.

It learns from the lists that were shown in the window too, where a log has them: what was taken counts the more, the
less often its place is looked at. It is judged on a later window, and used only where it beats the blend there:
`trainer.choosing.judging`.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.ranking_features import LIST_FEATURES, Shelf, features, of_taste
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend
from trainer.choosing.recipe import Recipe
from trainer.evaluation import off_policy
from trainer.evaluation.exposures import Shown
from trainer.evaluation.full_ranking import judged_users
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.ranker import item_features, taste, training
from trainer.ranker.training import Learned, Lists
from trainer.settings import Settings

_log = logging.getLogger(__name__)

ENOUGH_LISTS: Final = 200  # with something taken: fewer teach sixty trees nothing but noise
_BASE_WEIGHT: Final = 3.0  # of 1, 3, 6 and 12; chosen on the judged windows of Beauty and Online Retail themselves


@dataclass(frozen=True)
class Candidates:
    """Who is ranked for whom: the lists of a version that was trained before a window."""

    recipe: Recipe  # with its strength of recency and its age of histories
    fitted: Embeddings  # its model, fitted on `window.train`
    window: Split
    blend: Blend  # what the trees are added to
    settings: Settings
    catalogue: pl.DataFrame | None = None  # as it was before the window; none: nothing is known of items

    def learn(self, shown: Shown | None = None) -> Learned | None:
        """A ranker; none where too few users took any of their candidates.

        Args:
            shown: the lists that were shown in the window; none: nobody logged any.
        """
        lists = self.lists()
        if shown is not None:
            of_log = self.lists_shown(shown)
            _log.info("lists that were shown teach the ranker too", extra={"lists": len(of_log.sizes)})
            lists = lists.and_of(of_log)
        if len(lists.sizes) < ENOUGH_LISTS:
            told = {"lists": len(lists.sizes), "needed": ENOUGH_LISTS}
            _log.info("no ranker: too few lists to learn from", extra=told)
            return None
        learned = training.train(lists, base_weight=_BASE_WEIGHT, seed=self.settings.seed)
        return replace(learned, catalogue=self.catalogue)

    def lists(self) -> Lists:
        """All candidates of the window's users, and which of them they took in the window, wherever they saw them."""
        users = judged_users(self.window, max_users=self.settings.selection_users, seed=self.settings.seed)
        found, labels = [], []
        for user, (items, known) in zip(users.tolist(), self._of(users), strict=True):
            found.append(known)
            labels.append(np.isin(items, self.window.test[user].indices))
        return Lists.of(self._names, found, labels)

    def lists_shown(self, shown: Shown) -> Lists:
        """Candidates that were shown, list by list, and which of them were clicked or bought then.

        What was shown and would not be a candidate now is left out.
        """
        log, bought = shown.logs["clicked"], shown.logs["bought"]
        taken, weights = (log.earned > 0) | (bought.earned > 0), off_policy.weights_of_places(log)
        users = np.unique(shown.user_rows)
        most = min(self.settings.selection_users, len(users))
        users = np.sort(np.random.default_rng(self.settings.seed).choice(users, most, replace=False))
        bounds = np.searchsorted(log.lists, np.arange(len(shown.user_rows) + 1))
        by_user = np.argsort(shown.user_rows, kind="stable")
        starts, ends = (np.searchsorted(shown.user_rows[by_user], users, side=side) for side in ("left", "right"))
        found, labels, counts = [], [], []
        for start, end, (items, known) in zip(starts, ends, self._of(users), strict=True):
            order = np.argsort(items)
            ascending = items[order]
            for one in by_user[start:end].tolist():
                part = slice(bounds[one], bounds[one + 1])
                at = order.take(np.searchsorted(ascending, log.items[part]), mode="clip")
                is_candidate = items[at] == log.items[part]
                found.append(known[at[is_candidate]])
                labels.append(taken[part][is_candidate])
                counts.append(weights[part][is_candidate])
        return Lists.of(self._names, found, labels, counts)

    @cached_property
    def _shelf(self) -> Shelf:
        return taste.shelf_of(self.window.train, self.catalogue)

    @property
    def _names(self) -> list[str]:
        return [*LIST_FEATURES, *taste.names_of(self._shelf)]

    def _of(self, users: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """Each user's candidates, [n], and their features, which are of what was known before the window."""
        train, days = self.window.train, self.settings.recent_days
        ready = recipes.with_age_and_recency(self.recipe, self.fitted, train, recent_days=days, rows=users)
        values = blending.blended(ready, train, self.blend, recent_days=days).values(users)
        of_items, names = item_features.of_items(train), taste.names_of(self._shelf)
        now = int(train.last_seen.max(initial=0))
        blended = values.blended(self.blend.info)
        for row, history in enumerate(taste.histories(train, users)):
            real = values.items[row] >= 0
            items = values.items[row, real]
            yield (
                items,
                features(
                    blended=blended[row, real],
                    personal=values.personal[row, real],
                    transitions=values.transitions[row, real],
                    items=of_items[items],
                    taste=of_taste(names, items, history=history, shelf=self._shelf, now=now),
                ),
            )
