"""Data whose right answer is known."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from trainer.choosing import recipe as recipes
from trainer.choosing.recipe import Recipe
from trainer.models.embeddings import Embeddings
from trainer.shop_data.interactions import Interactions

_SIDE = 20


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread() -> None:
    """Tiny problems on a busy machine: threads that wait for each other cost more than they bring."""
    torch.set_num_threads(1)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, int]]:
    """What was fitted, and on how many pairs, in order."""
    fits: list[tuple[Recipe, int]] = []
    fit_model = recipes.fit_model

    def noted(recipe: Recipe, known: Interactions, **named: Any) -> Embeddings:
        fits.append((recipe, known.weights.nnz))
        return fit_model(recipe, known, **named)

    monkeypatch.setattr(recipes, "fit_model", noted)
    return fits


def interactions_of(dense: NDArray[np.float32]) -> Interactions:
    """Interactions of a dense users × items array, all at one moment."""
    weights = sp.csr_matrix(np.asarray(dense, dtype=np.float32))
    return Interactions(
        user_ids=[f"u{row:03}" for row in range(weights.shape[0])],
        item_ids=[f"i{column:03}" for column in range(weights.shape[1])],
        weights=weights,
        last_seen=np.zeros(weights.nnz, dtype=np.int64),
        last_type=np.zeros(weights.nnz, dtype=np.uint8),
        type_sets=np.ones(weights.nnz, dtype=np.uint32),
        first_seen=np.zeros(weights.shape[1], dtype=np.int64),
        event_types=["purchase"],
    )


def checkerboard_array() -> NDArray[np.float32]:
    """Even users have the even items and odd users the odd ones, but nobody has the item of their own number.

    So the best item that user u does not have is item u.
    """
    rows = np.arange(_SIDE)
    same_parity = rows[:, None] % 2 == rows % 2
    return np.asarray(same_parity & ~np.eye(_SIDE, dtype=bool), dtype=np.float32)


@pytest.fixture
def checkerboard() -> Interactions:
    return interactions_of(checkerboard_array())


@pytest.fixture
def checkerboard_with_strangers() -> Interactions:
    """The checkerboard, a last user without interactions, and a last item that nobody has."""
    return interactions_of(np.pad(checkerboard_array(), ((0, 1), (0, 1))))


@pytest.fixture
def long_tail() -> Interactions:
    """60 users with histories of 1 to 25 of 40 items, and weights from 1 to 5."""
    rng = np.random.default_rng(7)
    dense = np.zeros((60, 40), dtype=np.float32)
    for row in range(60):
        columns = rng.choice(40, size=1 + row * 25 // 60, replace=False)
        dense[row, columns] = rng.integers(1, 6, size=len(columns))
    return interactions_of(dense)
