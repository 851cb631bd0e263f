"""Intervals that cover what they say they cover."""

import numpy as np
import pytest
from scipy import stats

from recsys.errors import InvalidArgumentError
from trainer.evaluation import bootstrap


def test_the_value_is_the_plain_mean_inside_its_interval() -> None:
    interval = bootstrap.intervals({"recall@20": np.array([0.0, 0.5, 1.0])})["recall@20"]
    assert interval.value == 0.5
    assert 0 <= interval.low < 0.5 < interval.high <= 1


def test_users_that_all_agree_leave_no_doubt() -> None:
    interval = bootstrap.intervals({"x": np.full(20, 0.25)})["x"]
    assert (interval.low, interval.high) == pytest.approx((0.25, 0.25))


def test_the_same_seed_gives_the_same_interval_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"x": np.random.default_rng(0).random(50)}
    whole = bootstrap.intervals(values, seed=3)
    monkeypatch.setattr(bootstrap, "_CELLS_PER_CHUNK", 50 * 7)
    assert bootstrap.intervals(values, seed=3) == whole
    assert bootstrap.intervals(values, seed=4) != whole


def test_the_interval_agrees_with_the_percentile_bootstrap_of_scipy() -> None:
    values = np.random.default_rng(1).beta(0.5, 3, 400)
    ours = bootstrap.intervals({"x": values}, resamples=4000)["x"]
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_the_interval_covers_the_true_mean_about_19_times_in_20() -> None:
    rng = np.random.default_rng(5)
    samples = {f"sample {i}": rng.random(100) for i in range(400)}
    covered = [interval.low <= 0.5 <= interval.high for interval in bootstrap.intervals(samples).values()]
    assert 0.91 < np.mean(covered) < 0.98


def test_a_model_against_itself_differs_by_nothing() -> None:
    values = np.random.default_rng(0).random(30)
    assert bootstrap.paired(values, values) == bootstrap.PairedDifference(value=0, low=0, high=0, p_value=1)


def test_a_small_but_steady_gain_is_significant_where_the_separate_intervals_overlap() -> None:
    worse = np.random.default_rng(0).random(300)
    better = worse + 0.01
    separate = bootstrap.intervals({"worse": worse, "better": better})
    assert separate["worse"].high > separate["better"].low
    difference = bootstrap.paired(better, worse)
    assert difference.value == pytest.approx(0.01)
    assert difference.low == pytest.approx(0.01)
    assert difference.p_value < 0.01


def test_swapping_the_models_turns_the_difference_round() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(200), rng.random(200)
    forth, back = bootstrap.paired(a, b), bootstrap.paired(b, a)
    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))
    assert back.p_value == forth.p_value


def test_models_that_do_not_differ_are_rarely_called_different() -> None:
    rng = np.random.default_rng(11)
    p_values = [bootstrap.paired(rng.random(80), rng.random(80), resamples=500).p_value for _ in range(300)]
    assert 0.01 < np.mean(np.array(p_values) < 0.05) < 0.1


def test_figures_of_other_users_cannot_be_paired() -> None:
    with pytest.raises(InvalidArgumentError, match="same users"):
        bootstrap.paired(np.zeros(3), np.zeros(4))


def test_no_users_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="at least one user"):
        bootstrap.intervals({"x": np.array([])})
