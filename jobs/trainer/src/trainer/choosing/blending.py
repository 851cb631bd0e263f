"""How much popularity, newness and transitions should count in a served list: a held-out window in, weights out.

The reranker orders the candidates of an answer by `recsys.blend`. The same function ranks here, over candidates as the
first stage proposes them: each user's best unseen items by the personal score, as many as the gateway asks for, and
popular ones; and where transitions count, also those that the user's last items lead to. What is counted as a
transition, an order or who has both items, is chosen with the weights.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recsys.artifact import layout
from recsys.artifact.manifest import BlendInfo, Manifest, TransitionsInfo
from recsys.artifact.ranker import RankedByTrees, Ranker
from recsys.artifact.reader import read_trees
from recsys.blend import blend, decayed_recency, log_popularity
from recsys.ranking_features import Shelf, TakenUp
from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import Recipe
from trainer.evaluation import bootstrap, metrics, ranking
from trainer.evaluation.bootstrap import PairedDifference
from trainer.evaluation.full_ranking import find_hits, judged_users
from trainer.evaluation.split import Split
from trainer.models import baselines, transitions
from trainer.models.embeddings import Embeddings, Scorer
from trainer.models.transitions import TransitionScores
from trainer.ranker import taste
from trainer.ranker.training import Learned
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions

# The gateway asks for so many unless told otherwise (GATEWAY_CANDIDATES): an index that needs more would lose there.
CANDIDATES: Final = 200
TRANSITIONS: Final = 100  # candidates of the first stage that the user's last items lead to,
POPULAR: Final = 20  # and popular ones
_WEIGHTS: Final = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # of popularity and of recency, beside 1 for the personal score
_OF_TRANSITIONS: Final = (0.1, 0.3, 1.0, 3.0, 10.0)  # beside 1 for the personal score; then transitions alone
_K: Final = 20  # the weights are chosen by NDCG at this length


@dataclass(frozen=True)
class Blend:
    """What lists are ranked by."""

    info: BlendInfo = field(default_factory=BlendInfo)  # the personal score alone
    transitions: TransitionsInfo | None = None  # what is counted as a transition; none: they have no weight
    ranker: Learned | None = None  # what is added to the blend; none: nothing

    @classmethod
    def of(cls, version: Manifest, volume: Path, *, catalogue: pl.DataFrame | None = None) -> "Blend":
        """A published version's, for items of a catalogue.

        Raises: ArtifactError (it has a ranker that cannot be read).
        """
        trees = None
        if version.ranker is not None:
            read = read_trees(layout.version_dir(volume, version.version), version.ranker)
            trees = Learned(version.ranker, read, catalogue)
        return cls(version.blend, version.transitions, trees)

    @property
    def is_personal_only(self) -> bool:
        """Whether the personal score ranks alone."""
        return self.info.weights.is_personal_only and self.ranker is None


@dataclass(frozen=True)
class ChosenBlend:
    """A blend, and what it was worth on users whom it was not chosen by."""

    blend: Blend
    gain: PairedDifference | None  # of the best blend over the personal score alone; none where nothing was tried


NO_BLEND: Final = ChosenBlend(Blend(), None)


@dataclass(frozen=True)
class Values:
    """The values of some users' candidates that a blend is made of, [n, most candidates of a user]."""

    items: NDArray[np.int32]  # best by the personal score first, then what others propose; -1 where there is none
    personal: NDArray[np.float32]
    popularity: NDArray[np.float64]
    recency: NDArray[np.float64]
    transitions: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        embeddings: Embeddings,
        known: Interactions,
        user_rows: NDArray[np.int64],
        *,
        recent_users: NDArray[np.float32],
        half_life_days: float,
        transitions: TransitionScores | None = None,
        nearest: NDArray[np.int32] | None = None,
    ) -> "Values":
        """Of each user's candidates that `known` does not have: popular items are proposed to everybody who is served.

        Args:
            recent_users: float32 [n_items], users in the recent window.
            half_life_days: of newness.
            transitions: none: they propose nothing, and nothing leads to an item.
            nearest: the candidates by the personal score, where they are at hand.
        """
        popular = baselines.popularity(recent_users, n_users=len(known.user_ids))
        of_others = [_best(popular, known, user_rows, POPULAR)]
        if transitions is not None:
            of_others.insert(0, _best(transitions, known, user_rows, TRANSITIONS))
        nearest = _best(embeddings, known, user_rows, CANDIDATES) if nearest is None else nearest
        items = each_once([nearest, *of_others])
        real = np.where(items >= 0, items, items[:, :1])  # the first once more in place of none: no extreme changes
        return cls(
            items=items,
            personal=embeddings.pair_scores(user_rows, real),
            popularity=log_popularity(recent_users)[real],
            recency=decayed_recency(known.first_seen[real], half_life_days=half_life_days),
            transitions=np.zeros(real.shape, np.float32) if transitions is None else transitions.of(user_rows, real),
        )

    def blended(self, info: BlendInfo) -> NDArray[np.float64]:
        """float64, the shape of `items`; -inf where there is no item."""
        scores = blend(
            personal=self.personal,
            popularity=self.popularity,
            recency=self.recency,
            transitions=self.transitions,
            weights=info.weights,
        )
        return np.where(self.items >= 0, scores, -np.inf)

    def ranked_by(
        self, ranker: Ranker, info: BlendInfo, *, histories: Iterable[TakenUp], shelf: Shelf
    ) -> Iterator[RankedByTrees]:
        """Each user's candidates by a ranker, without what stands for none."""
        for row, (blended, history) in enumerate(zip(self.blended(info), histories, strict=True)):
            real = self.items[row] >= 0
            yield ranker.ranked(
                self.items[row, real],
                blended=blended[real],
                personal=self.personal[row, real],
                transitions=self.transitions[row, real],
                history=history,
                shelf=shelf,
            )

    def ranked(self, info: BlendInfo, k: int) -> NDArray[np.int32]:
        """Each user's best k by the blend: int32 [n, ≤ k], -1 padded."""
        order = np.argsort(-self.blended(info), axis=1, kind="stable")[:, :k]
        return np.take_along_axis(self.items, order, axis=1)


@dataclass(frozen=True)
class Blended:
    """A `Scorer` that gives candidates their blend, and -inf to everything else."""

    embeddings: Embeddings
    known: Interactions
    recent_users: NDArray[np.float32]  # [n_items] in the recent window
    info: BlendInfo
    transitions: TransitionScores | None = None  # none: they do not count
    ranker: Ranker | None = None  # none: nothing is added
    shelf: Shelf | None = None  # of the known items, where there is a ranker

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [len(user_rows), n_items]"""
        values = self.values(user_rows)
        scores = np.full((len(user_rows), len(self.known.item_ids)), -np.inf, np.float32)
        by_trees = self.by_trees(values, user_rows)
        if by_trees is not None:
            for row, ranked in enumerate(by_trees):
                scores[row, values.items[row][values.items[row] >= 0]] = ranked.scores
            return scores
        rows, places = np.nonzero(values.items >= 0)
        scores[rows, values.items[rows, places]] = values.blended(self.info)[rows, places]
        return scores

    def by_trees(self, values: Values, user_rows: NDArray[np.int64]) -> Iterator[RankedByTrees] | None:
        """Each user's candidates, those that stand for none left out, by the ranker; none: there is no ranker."""
        if self.ranker is None or self.shelf is None:
            return None
        histories = taste.histories(self.known, user_rows)
        return values.ranked_by(self.ranker, self.info, histories=histories, shelf=self.shelf)

    def values(self, user_rows: NDArray[np.int64]) -> Values:
        """What the candidates are ranked by."""
        return Values.of(
            self.embeddings,
            self.known,
            user_rows,
            recent_users=self.recent_users,
            half_life_days=self.info.recency_half_life_days,
            transitions=self.transitions,
        )


def scorer(embeddings: Embeddings, known: Interactions, blend: Blend, *, recent_days: float) -> Scorer:
    """What a list is ranked by that is served with this blend."""
    if blend.is_personal_only:
        return embeddings
    return blended(embeddings, known, blend, recent_days=recent_days)


def blended(embeddings: Embeddings, known: Interactions, blend: Blend, *, recent_days: float) -> Blended:
    """The same with its candidates, also where the personal score ranks them alone."""
    recent = known.recent_users(recipes.recent_since(known, recent_days))
    following = TransitionScores.fitted(known, blend.transitions) if blend.transitions else None
    if blend.ranker is None:
        return Blended(embeddings, known, recent, blend.info, following)
    shelf = taste.shelf_of(known, blend.ranker.catalogue)
    return Blended(embeddings, known, recent, blend.info, following, blend.ranker.over(known), shelf)


def choose(recipe: Recipe, fitted: Embeddings, window: Split, *, settings: Settings) -> ChosenBlend:
    """The weights of a small grid that are best on half of a window's users, if the other half confirms them.

    Confirmed means: better than without by more than chance (paired bootstrap, the whole 95 % interval above 0). First
    the weight of transitions is chosen beside the personal score, and what is counted as one; then the weights of
    popularity and recency beside both. Otherwise the personal score stays alone. Halves, because the best of many is
    better by chance alone on the users whom it was chosen by.

    Args:
        recipe: with its strength of recency and its age of histories.
        fitted: its model, fitted on `window.train` by `recipe.fit_model`.
    """
    users = judged_users(window, max_users=settings.selection_users, seed=settings.seed)
    if len(users) < 2:
        return NO_BLEND
    scaled = recipes.with_age_and_recency(recipe, fitted, window.train, recent_days=settings.recent_days, rows=users)
    values_of = partial(
        Values.of,
        scaled,
        window.train,
        users,
        recent_users=window.train.recent_users(recipes.recent_since(window.train, settings.recent_days)),
        half_life_days=BlendInfo().recency_half_life_days,
        nearest=_best(scaled, window.train, users, CANDIDATES),
    )
    search = _Search(window, users, settings.seed)
    alone = _Option(Blend(), values_of())
    found, gain = search.best(_with_transitions(values_of, window.train), over=alone)
    blended, more = search.best(_with_popularity_and_recency(found), over=found)
    if blended.blend == alone.blend:
        return ChosenBlend(alone.blend, max(gain, more, key=lambda each: each.value))
    return ChosenBlend(blended.blend, search.gain(blended, over=alone))


@dataclass(frozen=True)
class _Option:
    """A blend, and the values that it is made of."""

    blend: Blend
    values: Values


def _with_transitions(values_of: Callable[..., Values], known: Interactions) -> list[_Option]:
    """Each weight of transitions beside the personal score, and transitions alone, of each that may be counted."""
    infos = [BlendInfo(transitions=weight) for weight in _OF_TRANSITIONS] + [BlendInfo(personal=0, transitions=1)]
    options = []
    for counted in transitions.worth_trying(known):
        values = values_of(transitions=TransitionScores.fitted(known, counted))
        options += [_Option(Blend(info, counted), values) for info in infos]
    return options


def _with_popularity_and_recency(option: _Option) -> list[_Option]:
    """Each pair of weights of popularity and recency beside what was found, but for 0 of both."""
    infos = (
        option.blend.info.model_copy(update={"popularity": popularity, "recency": recency})
        for popularity, recency in list(product(_WEIGHTS, _WEIGHTS))[1:]
    )
    return [replace(option, blend=replace(option.blend, info=info)) for info in infos]


@dataclass(frozen=True)
class _Search:
    """The users of a window, half of whom choose, and the other half confirm."""

    window: Split
    users: NDArray[np.int64]
    seed: int

    def best(self, options: Sequence[_Option], *, over: _Option) -> tuple[_Option, PairedDifference]:
        """The best of some where it is confirmed to be better than `over`; else that. And what the best gains."""
        chooses = self._chooses()
        best = max(options, key=lambda option: float(self._ndcg(option)[chooses].mean()))
        gain = self.gain(best, over=over)
        return (best if gain.low > 0 else over), gain

    def gain(self, option: _Option, *, over: _Option) -> PairedDifference:
        """By so much one blend is better than another for those who did not choose."""
        confirms = ~self._chooses()
        ours, others = (self._ndcg(each)[confirms] for each in (option, over))
        return bootstrap.paired(ours, others, seed=self.seed)

    def _chooses(self) -> NDArray[np.bool_]:
        return np.asarray(np.random.default_rng(self.seed).permutation(len(self.users)) % 2 == 0)

    def _ndcg(self, option: _Option) -> NDArray[np.float64]:
        test = self.window.test
        relevant = np.diff(test.indptr)[self.users] + self.window.test_unknown_items[self.users]
        return metrics.ndcg(find_hits(option.values.ranked(option.blend.info, _K), test[self.users]), relevant, _K)


def _best(by: Scorer, known: Interactions, user_rows: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """Each user's best that `known` does not have: int32 [n, at most count], -1 padded."""
    return ranking.top_unseen(by, seen=known.weights, user_rows=user_rows, k=min(count, len(known.item_ids)))


def each_once(lists: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
    """Lists of items side by side, [n, any] each; -1 in place of what stands further left already."""
    items = np.concatenate(lists, axis=1)
    order = np.argsort(items, axis=1, kind="stable")
    ordered = np.take_along_axis(items, order, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -1
    once = np.empty_like(items)
    np.put_along_axis(once, order, ordered, axis=1)
    return once
