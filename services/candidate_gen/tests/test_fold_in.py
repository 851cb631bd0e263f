"""Vectors from histories: known answers by hand, against plain least squares, and against what a model trained."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_artifact import publish, random_shop, with_als_fold_in

from candidate_gen.query import fold_in
from candidate_gen.query.item_weights import ItemWeights
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.manifest import AgeInfo, ALSFoldIn, FoldInInfo, IALSFoldIn, SumFoldIn
from recsys.artifact.reader import open_artifact

ALS = ALSFoldIn(weight_scale=0.5, alpha=3, k1=2, b=0.5, avg_length=1.5)
IALS = IALSFoldIn(
    scale=0.7, user_length_exponent=0.5, unobserved_weight=0.1, regularization=0.2, frequency_exponent=0.5
)
SUM = SumFoldIn(weight_exponent=0.5, user_exponent=0.5)
AGED_ALS, AGED_IALS, AGED_SUM = (info.model_copy(update={"age": AgeInfo(step_decay=0.5)}) for info in (ALS, IALS, SUM))


def history(rows: list[int], weights: list[float]) -> ItemWeights:
    """Of items that were taken up one second after the other, the last one first."""
    times = np.arange(len(rows), 0, -1, dtype=np.int64)
    return ItemWeights(np.array(rows, np.int64), np.array(weights, np.float64), times)


def of(info: FoldInInfo, n_items: int, dim: int, *, seed: int) -> tuple[FoldIn, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    arrays = FoldIn(
        info=info,
        item_weights=rng.uniform(0.1, 2, n_items).astype(np.float32),
        item_scale=rng.uniform(0.5, 2, n_items).astype(np.float32),
        spectrum=rng.uniform(0.5, 5, dim).astype(np.float32),
    )
    return arrays, rng.standard_normal((n_items, dim), dtype=np.float32)


def test_one_item_of_one_dimension_is_what_als_gives_by_hand() -> None:
    fold = FoldIn(ALS, np.float32([2]), np.float32([0.5]), np.float32([10]))
    # y = 4 × 0.5 = 2; r = 3 × 0.5 = 1.5; length norm: 2 × (0.5 + 0.5 × 1.5 / 1.5) = 2; c = 3 × 2 × 1.5 × 3 / (1.5 + 2)
    c = 3 * 2 * 1.5 * 3 / 3.5
    found = fold_in.vector(fold, np.float32([[4]]), history([0], [3]))
    assert found == pytest.approx([c * 2 / (10 + (c - 1) * 4)], rel=1e-6)


def test_one_item_of_one_dimension_is_what_ials_gives_by_hand() -> None:
    fold = FoldIn(IALS, np.float32([1]), np.float32([0.5]), np.float32([10]))
    c = 0.7 * 3
    ridge = 0.2 * (c + 0.1 * 1) ** 0.5
    found = fold_in.vector(fold, np.float32([[4]]), history([0], [3]))
    assert found == pytest.approx([c * 2 / (10 + ridge + c * 4)], rel=1e-6)


def test_a_sum_is_what_stands_in_its_name() -> None:
    fold = FoldIn(SUM, np.float32([2, 3]), np.float32([1, 0.5]), np.zeros(1, np.float32))
    # √4 × 2 × 1 + √9 × 3 × (4 × 0.5), over √2 items
    found = fold_in.vector(fold, np.float32([[1], [4]]), history([0, 1], [4, 9]))
    assert found == pytest.approx([(4 + 18) / 2**0.5], rel=1e-6)


def test_the_item_before_the_last_one_counts_by_its_age() -> None:
    fold = FoldIn(AGED_SUM, np.float32([2, 3]), np.float32([1, 0.5]), np.zeros(1, np.float32))
    found = fold_in.vector(fold, np.float32([[1], [4]]), history([0, 1], [4, 9]))
    assert found == pytest.approx([(4 + 18 * 0.5) / 2**0.5], rel=1e-6)


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(0, 30),
    info=st.sampled_from([ALS, IALS, SUM, AGED_ALS, AGED_IALS, AGED_SUM]),
)
def test_few_items_and_many_give_what_plain_least_squares_gives_and_the_parts_add_up(
    seed: int, size: int, info: FoldInInfo
) -> None:
    dim = 12  # below and above it another system is solved
    fold, items = of(info, 40, dim, seed=seed)
    rng = np.random.default_rng(seed)
    had = history(rng.permutation(40)[:size].tolist(), rng.uniform(0.1, 6, size).tolist())
    found = fold_in.vector(fold, items, had)
    np.testing.assert_allclose(found, by_the_formula(fold, items, had), rtol=1e-3, atol=1e-4)
    rows, parts = fold_in.contributions(fold, items, had)
    assert rows.tolist() == had.rows.tolist()
    np.testing.assert_allclose(parts.sum(axis=0), found, rtol=1e-3, atol=1e-4)


def by_the_formula(fold: FoldIn, items: NDArray[np.float32], had: ItemWeights) -> NDArray[np.float64]:
    """docs/artifact-format.md, line by line, over a dense system of dim unknowns."""
    y = items[had.rows].astype(np.float64) * fold.item_scale[had.rows, None]
    n, info, w = len(had.rows), fold.info, had.weights
    a = np.maximum(info.age.step_decay ** np.arange(n), 1e-6)
    if isinstance(info, SumFoldIn):
        by_item = a * w**info.weight_exponent * fold.item_weights[had.rows]
        return np.asarray(by_item @ y / max(n, 1) ** info.user_exponent)
    system = np.diag(fold.spectrum.astype(np.float64))
    if isinstance(info, ALSFoldIn):
        r = w * info.weight_scale
        norm = info.k1 * (1 - info.b + info.b * r.sum() / info.avg_length)
        c = a * info.alpha * fold.item_weights[had.rows] * r * (info.k1 + 1) / (r + norm)
        system += (y.T * (c - 1)) @ y
    else:
        c = a * info.scale * w * max(n, 1) ** -info.user_length_exponent
        frequency = c.sum() + info.unobserved_weight * len(items)
        system += np.eye(len(system)) * info.regularization * frequency**info.frequency_exponent + (y.T * c) @ y
    return np.asarray(np.linalg.solve(system, c @ y))


def test_a_trained_user_is_folded_in_to_where_training_put_them(tmp_path: Path) -> None:
    shop = with_als_fold_in(random_shop(seed=5, users=6, items=30), recency=np.linspace(0.5, 2, 30, dtype=np.float32))
    artifact = open_artifact(publish(shop, tmp_path))
    assert artifact.fold_in is not None
    for user, rows in enumerate(shop.histories):
        found = fold_in.vector(artifact.fold_in, artifact.item_embeddings, history(rows, [1.0] * len(rows)))
        np.testing.assert_allclose(found, shop.user_embeddings[user], rtol=1e-3, atol=1e-4)


def test_of_a_long_history_the_most_recent_items_count() -> None:
    fold, items = of(ALS, 5_000, 64, seed=1)
    every = history(list(range(5_000)), [1.0] * 5_000)
    most = fold_in.most_items(64)
    recent = history(list(range(most)), [1.0] * most)
    np.testing.assert_array_equal(fold_in.vector(fold, items, every), fold_in.vector(fold, items, recent))
    assert len(fold_in.contributions(fold, items, every)[0]) == most


def test_what_a_vector_costs_is_bounded_whatever_the_dimension() -> None:
    for dim in (1, 8, 64, 128, 200, 256, 512, 1024, 4096):
        most = fold_in.most_items(dim)
        assert 1 <= most <= 1_000
        assert most * dim * min(most, dim) <= 8_000_000
    assert fold_in.most_items(64) == 1_000
