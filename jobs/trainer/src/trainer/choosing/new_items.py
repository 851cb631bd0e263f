"""Items that nobody had taken up before a window, judged by themselves: which of them reach the people who took them.

By what the catalogue says of them they get an embedding (`trainer.models.item_content`), and are ranked against each
other; today's order of new items, popular categories and chance are what that is compared with. And they are ranked
among all items, in the lists that would be served: what they take from the others must be no loss.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Final
from zlib import crc32

import numpy as np
import polars as pl
import polars.selectors as cs
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.artifact.catalogue import VECTOR
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import BlendInfo
from recsys.artifact.ranker import RankedByTrees
from recsys.blend import blend as blended_scores
from trainer.choosing import blending
from trainer.choosing import recipe as recipes
from trainer.choosing.blending import Blend, Values
from trainer.choosing.gate import with_interval
from trainer.evaluation import bootstrap, metrics, ranking
from trainer.evaluation.bootstrap import Interval, PairedDifference
from trainer.evaluation.full_ranking import find_hits, judged_users
from trainer.evaluation.split import NewItems, Split
from trainer.evaluation.windows import ENOUGH_USERS
from trainer.models import item_content
from trainer.models.embeddings import Embeddings
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions
from trainer.shop_data.shop import Shop

_log = logging.getLogger(__name__)

K: Final = 20
_OF_TURN: Final = 10  # and those by turn
PROPOSED: Final = 20  # new items among the candidates of an answer, as candidate_gen has them unless told otherwise
MOST_LOST: Final = 0.005  # of Recall@20 of all items, by the interval's lower end
FEW: Final = 5
"""An item with no more users is drawn towards what its facts say."""

STRENGTHS: Final = (2.0, 5.0, 10.0)
"""Of the map, in users: of an item with as many, half is what was learnt."""

SCALES: Final = (1.0, 1.5, 2.0, 3.0)
"""Of the map. Regression shortens vectors, and dot products let the long ones stand first."""

BY_CONTENT: Final = "by content"
TODAY: Final = "the latest first, each user's turn begins elsewhere"
OF_CATEGORIES: Final = "popular categories first"
AT_RANDOM: Final = "at random"
ORDERS: Final = (BY_CONTENT, TODAY, OF_CATEGORIES, AT_RANDOM)

_USERS_AT_ONCE: Final = 1_024


@dataclass(frozen=True)
class Facts:
    """What is known of a shop's items on their first day, and which of them nobody ever took up."""

    catalogue: pl.DataFrame
    never_sold: list[str]

    @classmethod
    def of(cls, shop: Shop) -> "Facts":
        """As events first told it: nothing that came later, by which an item is known in no window. Of vectors nobody
        says what they were."""
        told = shop.catalogue if shop.first_told is None else shop.first_told
        vectors = shop.catalogue.select("item_id", cs.by_name(VECTOR, require_all=False))
        told = told.drop(VECTOR, strict=False).join(vectors, on="item_id", how="left")
        later = shop.catalogue.join(told, on="item_id", how="anti")
        catalogue = pl.concat([told, later], how="diagonal_relaxed")
        sold = shop.events.select(pl.col("item_id").unique())
        return cls(catalogue, catalogue.join(sold, on="item_id", how="anti")["item_id"].to_list())


@dataclass(frozen=True)
class JudgedFew:
    """Embeddings of items with few users, drawn towards the map: n / (n + strength) of what was learnt of n users."""

    strength: float  # of `STRENGTHS`
    users: int  # who took some of these items up
    gain: PairedDifference  # of Recall@20 of these items, in the lists that would be served
    change: PairedDifference  # of Recall@20 of all items

    @property
    def wins(self) -> bool:
        """Whether they reach more of those who take them, by more than noise, and the rest stays as good."""
        return self.gain.low > 0 and self.change.value >= 0 and self.change.low > -MOST_LOST

    @property
    def reason(self) -> str:
        """By how much they are drawn, and why."""
        told = f"recall@{K} of them {with_interval(self.gain)}, of all items {with_interval(self.change)}"
        return f"items with up to {FEW} users are drawn towards theirs by content ({self.strength:g}): {told}"


@dataclass(frozen=True)
class JudgedNewItems:
    """What the map from facts to embeddings is worth on a window. It goes live only where it wins."""

    items: int  # without an event before the window
    recall: dict[str, NDArray[np.float64]]  # name of the order → Recall@20 of new items alone, [n_users]
    scale: float  # of `SCALES`, by which their vectors are lengthened
    lists: NDArray[np.float64]  # Recall@20 of all items in the lists that would be served, [n_judged users]
    lists_today: NDArray[np.float64]  # the same users' in those of today: new items by turn, and with no fit
    share: float  # of the places of these lists that new items take
    share_today: float
    seed: int
    few: "JudgedFew | None" = None  # items with few users, shrunk towards the map; none: it gains nothing

    @property
    def users(self) -> int:
        """Who took up new items."""
        return len(self.recall[BY_CONTENT])

    @cached_property
    def gain(self) -> PairedDifference:
        """Of Recall@20 of new items, over today's order."""
        return bootstrap.paired(self.recall[BY_CONTENT], self.recall[TODAY], seed=self.seed)

    @cached_property
    def change(self) -> PairedDifference:
        """Of Recall@20 of all items."""
        return bootstrap.paired(self.lists, self.lists_today, seed=self.seed)

    @property
    def wins(self) -> bool:
        """Whether new items reach more of those who take them, by more than noise, and the rest stays as good."""
        return self.users >= ENOUGH_USERS and self.gain.low > 0 and self.change.low > -MOST_LOST

    @property
    def reason(self) -> str:
        """Why new items have embeddings, or why they have none."""
        if self.users < ENOUGH_USERS:
            return f"new items have no embeddings: {self.users} users took any up, {ENOUGH_USERS} are needed"
        has = "have embeddings by content" if self.wins else "have no embeddings"
        told = f"recall@{K} of new items {with_interval(self.gain)} over today's order"
        lengthened = "" if self.scale == 1 else f", with vectors {self.scale:g} times as long"
        few = f"; {self.few.reason}" if self.wins and self.few else ""
        return f"new items {has}: {told}, of all items {with_interval(self.change)}{lengthened}{few}"

    def intervals(self) -> dict[str, Interval]:
        """Recall@20 of new items, by each order."""
        return bootstrap.intervals(self.recall, seed=self.seed)


def judge(
    embeddings: Embeddings, window: Split, facts: Facts, blend: Blend, *, settings: Settings
) -> JudgedNewItems | None:
    """None where there is nothing to judge: no times, no new items, no facts, or a model without embeddings.

    Args:
        embeddings: fitted on `window.train`.
        facts: of the shop's items on their first day.
        blend: what lists are ranked by.
    """
    new = _with_never_sold(window, facts)
    if new is None or not new.test.nnz or not embeddings.item.any():
        return None
    content = fit(embeddings, window.train, facts.catalogue)
    if content is None:
        return None
    vectors = content.vectors(item_content.items_of(facts.catalogue, new.item_ids))
    lists_of = partial(_lists, window=window, new=new, vectors=vectors, blend=blend, settings=settings)
    lists = lists_of(embeddings, scales=SCALES)
    scale = _surest(lists, seed=settings.seed)

    def lists_shrunk(strength: float) -> _Lists:
        shrunk = shrunk_to(embeddings, window.train, facts.catalogue, content, scale=scale, strength=strength)
        return lists_of(shrunk, scales=(scale,))[scale]

    judged = JudgedNewItems(
        items=len(new.item_ids),
        recall=_recall_of_new(embeddings, window.train, new, vectors, facts, settings=settings),
        scale=scale,
        few=_few(window, lists[scale], lists_shrunk, settings=settings),
        lists=lists[scale].recall,
        lists_today=lists[0.0].recall,
        share=lists[scale].share,
        share_today=lists[0.0].share,
        seed=settings.seed,
    )
    _log.info(judged.reason)
    return judged


def fit(
    embeddings: Embeddings, known: Interactions, catalogue: pl.DataFrame, *, scale: float = 1.0
) -> ItemContent | None:
    """The map to the embeddings of a model of these interactions; none where no item of them has facts.

    Args:
        scale: by which every vector of it is lengthened.
    """
    users = np.bincount(known.weights.indices, minlength=len(known.item_ids))
    return item_content.fit(embeddings.item * np.float32(scale), users, catalogue, known.item_ids)


def shrunk_to(
    embeddings: Embeddings,
    known: Interactions,
    catalogue: pl.DataFrame,
    content: ItemContent,
    *,
    scale: float = 1.0,
    strength: float,
) -> Embeddings:
    """Items with few users between what was learnt and `scale` times the map; all others, and users, as they are."""
    users = np.bincount(known.weights.indices, minlength=len(known.item_ids))
    rows = np.flatnonzero((users > 0) & (users <= FEW))
    mapped = scale * content.vectors(item_content.items_of(catalogue, [known.item_ids[row] for row in rows]))
    rows, mapped = rows[mapped.any(axis=1)], mapped[mapped.any(axis=1)]
    learnt = (users[rows] / (users[rows] + strength))[:, None]
    item = embeddings.item.copy()
    item[rows] = learnt * item[rows] + (1 - learnt) * mapped
    return replace(embeddings, item=item)


def _with_never_sold(window: Split, facts: Facts) -> NewItems | None:
    """The window's new items, and after them those that are never taken up: in the shop they are as new."""
    new = window.new_items
    if new is None or not facts.never_sold:
        return new
    never = len(facts.never_sold)
    return NewItems(
        item_ids=[*new.item_ids, *facts.never_sold],
        first_seen=np.concatenate([new.first_seen, np.zeros(never, np.int64)]),
        test=sp.csr_matrix(
            (new.test.data, new.test.indices, new.test.indptr), (len(window.train.user_ids), new.test.shape[1] + never)
        ),
    )


@dataclass(frozen=True)
class _Order:
    """A `Scorer` of new items out of a function of users' rows."""

    of: Callable[[NDArray[np.int64]], NDArray[np.floating]]

    def scores(self, user_rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32 [len(user_rows), n_new]"""
        return self.of(user_rows).astype(np.float32)


def _recall_of_new(
    embeddings: Embeddings,
    train: Interactions,
    new: NewItems,
    vectors: NDArray[np.float32],
    facts: Facts,
    *,
    settings: Settings,
) -> dict[str, NDArray[np.float64]]:
    """Recall@20 of new items alone, by each order, of those who took some up (a seeded sample of many)."""
    rng, n_new = np.random.default_rng(settings.seed), len(new.item_ids)
    users = np.flatnonzero(np.diff(new.test.indptr))
    if len(users) > settings.judging_users:
        users = np.sort(rng.choice(users, settings.judging_users, replace=False))
    by_category = _of_categories(train, new, facts, settings=settings)
    by_chance = rng.random(n_new)  # breaks the ties of a category; each user's own order is drawn below

    def at_random(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.stack([np.random.default_rng((settings.seed, row)).random(n_new) for row in rows.tolist()])

    orders = {
        BY_CONTENT: _Order(lambda rows: embeddings.user[rows] @ vectors.T),
        TODAY: _today(train, new),
        OF_CATEGORIES: _Order(lambda rows: np.tile(by_category + 1e-6 * by_chance, (len(rows), 1))),
        AT_RANDOM: _Order(at_random),
    }
    none = np.zeros(0, np.int64)
    nothing_seen = sp.csr_matrix((none.astype(np.float32), (none, none)), new.test.shape)
    test = new.test[users]
    relevant = np.diff(test.indptr)
    return {
        name: metrics.recall(
            find_hits(ranking.top_unseen(order, seen=nothing_seen, user_rows=users, k=K), test), relevant, K
        )
        for name, order in orders.items()
    }


def _today(train: Interactions, new: NewItems) -> _Order:
    """The order in which candidate_gen proposes new items without a map."""
    n_new = len(new.item_ids)
    latest = np.empty(n_new, np.int64)
    latest[np.argsort(-new.first_seen, kind="stable")] = np.arange(n_new)
    turns = np.array([crc32(user_id.encode()) % n_new for user_id in train.user_ids])
    return _Order(lambda rows: -((latest - turns[rows, None]) % n_new))


def _of_categories(train: Interactions, new: NewItems, facts: Facts, *, settings: Settings) -> NDArray[np.float64]:
    """Recent users of an item of each new item's category, from 0 to 1; 0 where it has none: [n_new]."""
    recent = train.recent_users(recipes.recent_since(train, settings.recent_days))
    categories = [item.category for item in item_content.items_of(facts.catalogue, train.item_ids)]
    told = pl.DataFrame({"category": categories, "users": recent}, schema_overrides={"category": pl.String})
    mean = dict(told.drop_nulls().group_by("category").agg(pl.col("users").mean()).iter_rows())
    popular = np.array([mean.get(item.category, 0.0) for item in item_content.items_of(facts.catalogue, new.item_ids)])
    return np.asarray(popular / max(popular.max(initial=0.0), 1.0), np.float64)


@dataclass(frozen=True)
class _Lists:
    """Of some users: those that would be served, and what was taken of them."""

    items: NDArray[np.int32]  # [n_judged, K] rows; new items follow those of the window
    recall: NDArray[np.float64]  # [n_judged] Recall@20 of all items
    share: float  # of the places that new items take


def _lists(
    embeddings: Embeddings,
    window: Split,
    new: NewItems,
    vectors: NDArray[np.float32],
    blend: Blend,
    *,
    scales: Sequence[float],
    settings: Settings,
) -> dict[float, _Lists]:
    """With the map times each of the scales; and those of today, under 0."""
    users = judged_users(window, max_users=settings.judging_users, seed=settings.seed)
    served = blending.blended(embeddings, window.train, blend, recent_days=settings.recent_days)
    turns = _today(window.train, new)
    has_facts = vectors.any(axis=1)  # of any other the reranker knows no fit either
    is_launched = new.first_seen > 0  # an item that the API brings has a day; one of the catalogue has none
    made: dict[float, list[NDArray[np.int32]]] = {scale: [] for scale in (0.0, *scales)}
    for start in range(0, len(users), _USERS_AT_ONCE):
        rows = users[start : start + _USERS_AT_ONCE]
        values = served.values(rows)
        of_turn = ranking.top_k(turns.scores(rows), min(_OF_TURN, len(is_launched)))
        lowest = np.broadcast_to(values.personal.min(axis=1, keepdims=True), (len(rows), len(is_launched)))
        by_trees = list(served.by_trees(values, rows) or ())
        ranked_with = partial(_ranked_with, is_launched=is_launched, values=values, info=blend.info, by_trees=by_trees)
        made[0.0].append(ranked_with(of_turn, lowest))
        of_new = embeddings.user[rows] @ vectors.T
        for scale in scales:
            fit = np.where(has_facts, scale * of_new, lowest).astype(np.float32)
            best = ranking.top_k(fit, min(PROPOSED, len(is_launched)))
            made[scale].append(ranked_with(blending.each_once([best, of_turn]), fit))
    test = sp.hstack([window.test, new.test], format="csr")[users]
    n_items, relevant = window.test.shape[1], np.diff(test.indptr)
    found = {}
    for scale, parts in made.items():
        items = np.concatenate(parts)
        items = np.where(items < -1, n_items - 2 - items, items)  # new items are rows below -1: -2 is the first of them
        recall = metrics.recall(find_hits(items, test), relevant, K)
        found[scale] = _Lists(items, recall, float((items >= n_items).mean()))
    return found


def _surest(lists: Mapping[float, _Lists], *, seed: int) -> float:
    """The scale whose gain over the map as it is has the highest lower end; 1 where none has one above 0."""
    as_it_is = lists[1.0].recall
    longer = {scale: bootstrap.paired(lists[scale].recall, as_it_is, seed=seed).low for scale in lists if scale > 1}
    low = {1.0: 0.0} | longer
    return max(low, key=lambda scale: low[scale])


def _few(
    window: Split, as_it_is: _Lists, lists_shrunk: Callable[[float], _Lists], *, settings: Settings
) -> JudgedFew | None:
    """Of the strengths that win, the one whose gain is surest; none where none wins, or few users can tell."""
    users = judged_users(window, max_users=settings.judging_users, seed=settings.seed)
    of_train = np.bincount(window.train.weights.indices, minlength=window.test.shape[1])
    test = sp.csr_matrix(window.test[users].multiply((of_train > 0) & (of_train <= FEW)))
    test.eliminate_zeros()
    took = np.flatnonzero(np.diff(test.indptr))
    if len(took) < ENOUGH_USERS:
        return None
    test, relevant = test[took], np.diff(test[took].indptr)

    def recall(lists: _Lists) -> NDArray[np.float64]:
        known = np.where(lists.items[took] < test.shape[1], lists.items[took], -1)
        return metrics.recall(find_hits(known, test), relevant, K)

    def judged(strength: float) -> JudgedFew:
        lists = lists_shrunk(strength)
        gain = bootstrap.paired(recall(lists), recall(as_it_is), seed=settings.seed)
        change = bootstrap.paired(lists.recall, as_it_is.recall, seed=settings.seed)
        return JudgedFew(strength, len(took), gain, change)

    winning = [each for each in map(judged, STRENGTHS) if each.wins]
    return max(winning, key=lambda each: each.gain.low, default=None)


def _ranked_with(
    proposed: NDArray[np.int32],
    personal: NDArray[np.float32],
    is_launched: NDArray[np.bool_],
    values: Values,
    info: BlendInfo,
    by_trees: Sequence[RankedByTrees] = (),
) -> NDArray[np.int32]:
    """Each user's best among the candidates and some new items, which are -2 for the first, -3, …: int32 [n, ≤ K].

    As the reranker has it: the scale of each value is that of the candidates without them. A new item is popular with
    nobody, as new as can be if it was launched, and nothing leads to it.

    Args:
        proposed: [n, any] new items, -1 padded.
        personal: [n, n_new] their personal scores.
        is_launched: [n_new].
        by_trees: [n] each user's candidates by a ranker; none: the blend ranks them.
    """
    items = np.concatenate([values.items, np.where(proposed < 0, -1, -2 - proposed)], axis=1)
    over = np.arange(items.shape[1]) < values.items.shape[1]
    none = np.zeros(proposed.shape)
    columns = {
        "personal": np.concatenate([values.personal, np.take_along_axis(personal, np.maximum(proposed, 0), 1)], axis=1),
        "popularity": np.concatenate([values.popularity, none], axis=1),
        "recency": np.concatenate([values.recency, is_launched[proposed].astype(np.float64)], axis=1),
        "transitions": np.concatenate([values.transitions, none], axis=1),
    }
    lists = np.empty((len(items), min(K, items.shape[1])), np.int32)
    for row, of_user in enumerate(items):
        scores = blended_scores(**{name: of[row] for name, of in columns.items()}, weights=info.weights, over=over)
        is_ranked = over & (of_user != -1)
        if by_trees and is_ranked.any():
            others = by_trees[row].scores_of_others(scores[~is_ranked], blended=scores[is_ranked])
            scores[is_ranked], scores[~is_ranked] = by_trees[row].scores, others
        scores[of_user == -1] = -np.inf
        lists[row] = of_user[np.argsort(-scores, kind="stable")[: lists.shape[1]]]
    return lists
