"""What is judged is what is served: lists by the blend; and a blend is taken only where it is proved to be better."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from conftest import interactions_of
from numpy.typing import NDArray

from recsys.artifact.manifest import BlendInfo
from trainer.choosing import blending
from trainer.choosing.blending import Blend
from trainer.choosing.recipe import ALSRecipe
from trainer.evaluation import split
from trainer.evaluation.full_ranking import evaluate
from trainer.evaluation.split import Split
from trainer.models.embeddings import Embeddings
from trainer.models.transitions import IN_ORDER, TOGETHER, TransitionScores
from trainer.settings import Settings
from trainer.shop_data.interactions import Interactions

DAY = 86_400
USERS, ITEMS = 400, 60


def one_user(personal: list[float], *, seen: list[int], users: list[int], days: list[int]) -> blending.Blended:
    """One user, items with these personal scores, recent users and days of their first event."""
    known = np.zeros((1, len(personal)), np.float32)
    known[0, seen] = 1
    return blending.Blended(
        embeddings=Embeddings(np.ones((1, 1), np.float32), np.array(personal, np.float32)[:, None]),
        known=replace(interactions_of(known), first_seen=np.array(days, np.int64) * DAY),
        recent_users=np.array(users, np.float32),
        info=BlendInfo(popularity=0.5, recency=0.25, recency_half_life_days=10),
    )


def test_a_blend_of_three_candidates_by_hand() -> None:
    blended = one_user([4, 3, 2], seen=[], users=[0, 1, 3], days=[100, 110, 90])
    # Personal 1, ½, 0; popularity log 1, log 2, log 4: 0, ½, 1; recency 2^-1, 1, 2^-2: ⅓, 1, 0.
    expected = [[1 + 0.25 / 3, 0.5 + 0.25 + 0.25, 0.5]]
    np.testing.assert_allclose(blended.scores(np.array([0])), expected, rtol=1e-6)


def test_what_the_user_has_seen_is_no_candidate_and_stretches_no_scale() -> None:
    blended = one_user([900, 4, 3, 2], seen=[0], users=[999, 0, 1, 3], days=[500, 100, 110, 90])
    expected = [[-np.inf, 1 + 0.25 / 3, 1.0, 0.5]]
    np.testing.assert_allclose(blended.scores(np.array([0])), expected, rtol=1e-6)


def test_who_has_seen_everything_has_no_candidate() -> None:
    blended = one_user([1, 2], seen=[0, 1], users=[1, 1], days=[1, 1])
    assert np.isneginf(blended.scores(np.array([0]))).all()


def test_as_many_are_blended_as_the_gateway_asks_for_and_what_is_most_popular() -> None:
    n = blending.CANDIDATES + 50
    blended = one_user(list(range(n)), seen=[], users=[999] * 50 + [0] * (n - 50), days=[1] * n)
    scores = blended.scores(np.array([0]))[0]
    is_candidate = np.isfinite(scores)
    assert is_candidate[50:].all()
    assert is_candidate[:50].tolist() == [True] * blending.POPULAR + [False] * (50 - blending.POPULAR)


def test_the_personal_score_alone_is_the_model_itself() -> None:
    fitted = Embeddings(np.ones((1, 1), np.float32), np.ones((2, 1), np.float32))
    known = interactions_of(np.ones((1, 2), np.float32))
    assert blending.scorer(fitted, known, Blend(), recent_days=30) is fitted


def test_values_ranked_are_what_the_scorer_ranks(long_tail: Interactions) -> None:
    rng = np.random.default_rng(0)
    fitted = Embeddings(rng.random((60, 4), np.float32), rng.random((40, 4), np.float32))
    known = replace(long_tail, first_seen=rng.integers(100, size=40) * DAY)
    info = BlendInfo(popularity=0.3, recency=0.2, recency_half_life_days=30)
    recent = known.recent_users(datetime(1970, 1, 1, tzinfo=UTC))
    everybody = np.arange(60)
    window = split.hold_out(known, interactions_of(np.ones((60, 40), np.float32)), cut=None)
    by_scorer = evaluate(blending.Blended(fitted, known, recent, info), window, ks=(20,)).ranked
    values = blending.Values.of(fitted, known, everybody, recent_users=recent, half_life_days=30)
    np.testing.assert_array_equal(values.ranked(info, 20)[:, : by_scorer.shape[1]], by_scorer)


def window_of(taken: NDArray[np.int64]) -> Split:
    """Everybody had one of the first thirty items, the lower ones more often, and takes these items next."""
    rng = np.random.default_rng(5)
    before = np.zeros((USERS, ITEMS), np.float32)
    before[np.arange(USERS), np.minimum(rng.geometric(0.1, size=USERS) - 1, 29)] = 1
    after = np.zeros_like(before)
    after[np.arange(USERS), taken] = 1
    return split.hold_out(interactions_of(before), interactions_of(after), cut=None)


def a_cycle(*, length: int = 4, shuffled: bool = False) -> Split:
    """Everybody goes from an item to the next one of a circle, and takes the one that follows; or in any order."""
    rng = np.random.default_rng(3)
    before, after = np.zeros((USERS, ITEMS), np.float32), np.zeros((USERS, ITEMS), np.float32)
    moments = np.zeros((USERS, ITEMS), np.int64)
    for user in range(USERS):
        walk = (rng.integers(ITEMS) + np.arange(length + 1)) % ITEMS
        walk = rng.permutation(ITEMS)[: length + 1] if shuffled else walk
        before[user, walk[:-1]], after[user, walk[-1]] = 1, 1
        moments[user, walk[:-1]] = np.arange(length) + 1
    known = replace(interactions_of(before), last_seen=moments[before > 0])
    return split.hold_out(known, interactions_of(after), cut=None)


@pytest.fixture
def settings() -> Settings:
    return Settings(recent_days=30)


def test_popularity_counts_where_a_model_knows_nothing_and_popular_items_are_taken(settings: Settings) -> None:
    rng = np.random.default_rng(0)
    window = window_of(np.minimum(rng.geometric(0.1, size=USERS) - 1, 29))
    chosen = blending.choose(ALSRecipe(), noise(), window, settings=settings)
    assert chosen.blend.info.popularity == 0.8  # the most that is tried
    assert chosen.gain is not None
    assert chosen.gain.low > 0


def test_a_model_that_knows_better_ranks_alone(settings: Settings) -> None:
    taken = np.arange(USERS) % 30 + 30  # what nobody had before
    window = window_of(taken)
    oracle = Embeddings(np.eye(ITEMS, dtype=np.float32)[taken], np.eye(ITEMS, dtype=np.float32))
    chosen = blending.choose(ALSRecipe(), oracle, window, settings=settings)
    assert chosen.blend == Blend()
    assert chosen.gain is not None
    assert chosen.gain.low <= 0


def noise() -> Embeddings:
    """A model that knows nothing."""
    rng = np.random.default_rng(0)
    return Embeddings(rng.standard_normal((USERS, 8), np.float32), rng.standard_normal((ITEMS, 8), np.float32))


def test_where_the_order_decides_what_comes_next_counts_most(settings: Settings) -> None:
    window = a_cycle()
    chosen = blending.choose(ALSRecipe(), noise(), window, settings=settings)
    assert chosen.blend.transitions == IN_ORDER
    assert chosen.blend.info.transitions > chosen.blend.info.personal
    assert chosen.gain is not None
    assert chosen.gain.low > 0.5
    lists = evaluate(blending.scorer(noise(), window.train, chosen.blend, recent_days=30), window, ks=(1,))
    assert lists.mean("recall@1") > 0.95


def test_what_people_have_together_counts_most_where_nobody_noted_when(settings: Settings) -> None:
    window = a_cycle()
    undated = replace(window.train, last_seen=np.ones_like(window.train.last_seen))
    window = replace(window, train=undated)
    chosen = blending.choose(ALSRecipe(), noise(), window, settings=settings)
    assert chosen.blend.transitions in TOGETHER
    assert chosen.blend.info.transitions > chosen.blend.info.personal
    lists = evaluate(blending.scorer(noise(), undated, chosen.blend, recent_days=30), window, ks=(2,))
    assert lists.mean("recall@2") > 0.95  # a circle without an order has two ends that may be next


def test_where_the_order_says_nothing_transitions_do_not_count(settings: Settings) -> None:
    chosen = blending.choose(ALSRecipe(), noise(), a_cycle(shuffled=True), settings=settings)
    assert chosen.blend.transitions is None


def test_what_comes_next_is_a_candidate_however_the_model_ranks_it_and_no_candidate_stands_twice() -> None:
    n = blending.CANDIDATES + blending.POPULAR + 30
    rng = np.random.default_rng(1)
    dense, moments = np.zeros((2, n), np.float32), np.zeros((2, n), np.int64)
    dense[0, [0, n - 1]], moments[0, [0, n - 1]] = 1, (1, 2)  # from the first item to the last
    dense[1, 0], moments[1, 0] = 1, 1
    known = replace(interactions_of(dense), last_seen=moments[dense > 0], first_seen=np.ones(n, np.int64))
    fitted = Embeddings(np.ones((2, 1), np.float32), np.arange(n, 0, -1, dtype=np.float32)[:, None])
    values = blending.Values.of(
        fitted,
        known,
        np.array([1]),
        recent_users=rng.permutation(n).astype(np.float32),
        half_life_days=30,
        transitions=TransitionScores.fitted(known, IN_ORDER),
    )
    items = values.items[values.items >= 0]
    assert n - 1 in items
    assert len(np.unique(items)) == len(items) >= blending.CANDIDATES + 1
    assert values.transitions[values.items == n - 1] > 0
    assert np.count_nonzero(values.transitions) == 1
    [[first]] = values.ranked(BlendInfo(transitions=3), 1)
    assert first == n - 1


def test_a_window_with_one_user_shows_nothing(settings: Settings) -> None:
    window = split.hold_out(
        interactions_of(np.eye(2, dtype=np.float32)), interactions_of(np.array([[0, 1], [0, 0]], np.float32)), cut=None
    )
    fitted = Embeddings(np.ones((2, 1), np.float32), np.ones((2, 1), np.float32))
    assert blending.choose(ALSRecipe(), fitted, window, settings=settings) == blending.NO_BLEND
