"""iALS against its own normal equations, written out densely in double precision."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from trainer.models import ials
from trainer.models.ials import IALSSettings, RowSolver
from trainer.shop_data.interactions import Interactions

PENALTY = IALSSettings(unobserved_weight=0.05, regularization=0.02, frequency_exponent=0.7)


def dense_solution(vectors: NDArray[np.float32], confidences: NDArray[np.float32]) -> NDArray[np.float64]:
    """(α₀YᵀY + Σ c y yᵀ + λ(Σc + α₀n)^ν I)⁻¹ Σ c y, one row of confidences."""
    y, c = vectors.astype(np.float64), confidences.astype(np.float64)
    ridge = PENALTY.regularization * (c.sum() + PENALTY.unobserved_weight * len(y)) ** PENALTY.frequency_exponent
    system = PENALTY.unobserved_weight * y.T @ y + (y.T * c) @ y + ridge * np.eye(y.shape[1])
    return np.asarray(np.linalg.solve(system, y.T @ c))


@pytest.mark.parametrize("lengths", [[1, 3, 3, 7], [8, 9, 20, 30], [0, 1, 2, 7, 8, 30, 0]])
def test_rows_shorter_and_longer_than_the_dimension_solve_the_normal_equations(lengths: list[int]) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 8)).astype(np.float32)
    confidences = np.zeros((len(lengths), 30), dtype=np.float32)
    for row, length in enumerate(lengths):
        confidences[row, rng.choice(30, size=length, replace=False)] = rng.uniform(0.2, 3.0, size=length)
    solved = RowSolver.of(vectors, PENALTY).solve(sp.csr_matrix(confidences))
    expected = np.array([dense_solution(vectors, row) for row in confidences])
    np.testing.assert_allclose(solved, expected, rtol=1e-4, atol=1e-5)


def test_one_observed_pair_in_one_dimension_is_what_paper_and_pencil_give() -> None:
    # Items 2 and 1, the first observed with c=1: x = 2 / (.5 (4 + 1) + 4 + .1 (1 + .5·2)) = 2 / 6.7.
    penalty = IALSSettings(unobserved_weight=0.5, regularization=0.1, frequency_exponent=1.0)
    solver = RowSolver.of(np.array([[2.0], [1.0]], dtype=np.float32), penalty)
    solved = solver.solve(sp.csr_matrix(np.array([[1.0, 0.0]], dtype=np.float32)))
    np.testing.assert_allclose(solved, [[2 / 6.7]], rtol=1e-6)


def test_confidences_shrink_with_the_length_of_the_history_and_have_mean_one() -> None:
    weights = sp.csr_matrix(np.array([[1, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32))
    settings = IALSSettings(user_length_exponent=0.5)
    scale = ials.confidence_scale(weights, settings)
    confidences = ials.weights_to_confidences(weights, settings, scale=scale)
    # Unscaled 1 and four times 4^-.5 = .5: mean .6.
    np.testing.assert_allclose(confidences.data, np.array([1, 0.5, 0.5, 0.5, 0.5]) / 0.6, rtol=1e-6)


def test_folding_in_the_history_of_a_known_user_gives_the_vector_that_they_have(long_tail: Interactions) -> None:
    settings = IALSSettings(dim=8)
    fitted = ials.fit(long_tail, settings, seed=0)
    folded = ials.fold_in(long_tail.weights[10:20], fitted.item, long_tail, settings)
    np.testing.assert_allclose(folded, fitted.user[10:20], rtol=1e-4, atol=1e-5)


def test_folding_in_an_empty_history_gives_zeros(long_tail: Interactions) -> None:
    settings = IALSSettings(dim=8)
    item = ials.fit(long_tail, settings, seed=0).item
    folded = ials.fold_in(sp.csr_matrix(np.zeros((1, 40), dtype=np.float32)), item, long_tail, settings)
    np.testing.assert_array_equal(folded, np.zeros((1, 8)))
