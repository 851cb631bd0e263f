"""Fewer users compare recipes and judge: who is in a sample, and that it says what all of them say."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_shops import small_shop

from trainer import pipeline, threads
from trainer.choosing import recipe as recipes
from trainer.choosing import selection
from trainer.choosing.recipe import ALSRecipe, PersonalRecipe, Recipe, SpectralRecipe
from trainer.evaluation import bootstrap, ranking, sample, windows
from trainer.evaluation.full_ranking import evaluate, judged_users
from trainer.evaluation.split import Split
from trainer.models.als import ALSSettings
from trainer.models.spectral import SpectralSettings
from trainer.settings import Settings

PAIRS = 8_000
TO_TRY: list[PersonalRecipe] = [
    ALSRecipe(settings=ALSSettings(dim=1, regularization=1000)),
    ALSRecipe(settings=ALSSettings(dim=16)),
    SpectralRecipe(settings=SpectralSettings(dim=2)),
]


@pytest.fixture(scope="module")
def window() -> Split:
    """Of 3,000 users and 40,000 events of six tastes."""
    shop = small_shop(n_users=3_000, n_events=40_000)
    return windows.held_out(shop.events, weights=shop.weights, settings=Settings())[-1]


def test_a_window_of_few_pairs_is_compared_on_whole(window: Split) -> None:
    assert sample.of_users(window, judged_users=100, seed=0) is window


def test_a_sample_has_whole_histories_and_all_items_and_as_many_judges_as_are_asked_for(window: Split) -> None:
    part = sample.of_users(window, judged_users=300, seed=0, pairs=PAIRS)
    whole = window.train
    rows = np.searchsorted(whole.user_ids, part.train.user_ids)
    assert part.train.user_ids == [whole.user_ids[row] for row in rows]
    assert set(judged_users(window, max_users=300, seed=0)) <= set(rows)
    assert part.judged_users >= 300
    assert 0.98 * PAIRS < part.train.weights.nnz <= PAIRS
    assert part.train.item_ids == whole.item_ids
    np.testing.assert_array_equal(part.train.weights.toarray(), whole.weights[rows].toarray())
    np.testing.assert_array_equal(part.test.toarray(), window.test[rows].toarray())
    np.testing.assert_array_equal(part.test_unknown_items, window.test_unknown_items[rows])
    longest = int(np.diff(part.train.weights.indptr).argmax())
    mine, theirs = (
        slice(*one.weights.indptr[row : row + 2]) for one, row in ((part.train, longest), (whole, rows[longest]))
    )
    for name in ("last_seen", "last_type", "type_sets"):
        np.testing.assert_array_equal(getattr(part.train, name)[mine], getattr(whole, name)[theirs])


def test_those_who_judge_are_in_the_sample_however_long_their_histories(window: Split) -> None:
    part = sample.of_users(window, judged_users=500, seed=0, pairs=10)
    assert part.judged_users == len(part.train.user_ids) == 500


def test_a_seed_draws_the_same_sample_again_and_another_seed_another(window: Split) -> None:
    first, again, other = (
        sample.of_users(window, judged_users=100, seed=seed, pairs=PAIRS).train.user_ids for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_sample_of_the_users_chooses_the_recipe_that_all_of_them_choose(window: Split) -> None:
    settings = Settings(selection_users=500)
    part = sample.of_users(window, judged_users=500, seed=0, pairs=PAIRS)
    chosen = [selection.best_of(TO_TRY, [one], settings=settings)[0].recipe.settings for one in (window, part)]
    assert chosen[0] == chosen[1] == TO_TRY[1].settings


def test_the_pipeline_compares_on_the_sample_and_fits_the_winner_on_everything(
    tmp_path: Path, fits: list[tuple[Recipe, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "of_users", partial(sample.of_users, pairs=PAIRS))
    shop = small_shop(n_users=3_000, n_events=40_000)
    settings = Settings(artifact_dir=tmp_path, selection_users=300)
    assert pipeline.train(shop, settings=settings, recipe=TO_TRY[1], force=False).activated
    fitted_on = [pairs for _, pairs in fits]
    assert fitted_on[0] == fitted_on[1] <= PAIRS  # the baseline's strength of recency, then the blend
    assert fitted_on[-1] == shop.events.select("user_id", "item_id").n_unique()


def test_a_search_compares_on_the_sample_that_train_compares_on(
    tmp_path: Path, fits: list[tuple[Recipe, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "of_users", partial(sample.of_users, pairs=PAIRS))
    monkeypatch.setattr(pipeline, "default_recipes", lambda known: TO_TRY[1:])
    shop = small_shop(n_users=3_000, n_events=40_000)
    settings = Settings(artifact_dir=tmp_path, selection_users=300)
    pipeline.tune(shop, settings=settings, models=[], budget_s=0)
    assert len(fits) >= 2 * len(TO_TRY[1:])  # on two windows
    assert all(pairs <= PAIRS for _, pairs in fits)


def test_sampled_users_judge_as_all_of_them_do(window: Split) -> None:
    settings = Settings()
    models = [recipes.fit(one, window.train, recent_days=settings.recent_days, seed=0) for one in TO_TRY[:2]]
    everybody, some = (
        [evaluate(one, window, ks=(20,), max_users=users).per_user["ndcg@20"] for one in models]
        for users in (None, 500)
    )
    assert len(some[0]) == 500 < len(everybody[0])
    for all_figures, few_figures in zip(everybody, some, strict=True):
        interval = bootstrap.intervals({"ndcg@20": few_figures})["ndcg@20"]
        assert interval.low <= all_figures.mean() <= interval.high
    gain = bootstrap.paired(some[1], some[0])
    assert 0 < gain.low <= (everybody[1] - everybody[0]).mean() <= gain.high


@pytest.mark.parametrize("recipe", TO_TRY[1:])
def test_lists_do_not_depend_on_the_number_of_threads(recipe: PersonalRecipe, window: Split) -> None:
    lists = []
    for count in (1, 2):
        with threads.limited(count):
            fitted = recipes.fit_model(recipe, window.train, seed=0)
            rows = judged_users(window, max_users=300, seed=0)
            lists.append(ranking.top_unseen(fitted, seen=window.train.weights, user_rows=rows, k=20))
    np.testing.assert_array_equal(*lists)
