"""The encoder in NumPy gives what torch gives with the same weights, and looks at the order and at nothing later."""

import numpy as np
import pytest
import torch

from candidate_gen.query import fold_in
from candidate_gen.query.item_weights import NO_WEIGHTS, ItemWeights
from recsys.artifact.fold_in import FoldIn
from recsys.artifact.manifest import SequenceFoldIn
from recsys.artifact.sequence_encoder import joined, size
from trainer.models.sasrec import SASRec, SASRecSettings

N_ITEMS = 40


def model_of(**settings: int) -> tuple[SASRec, FoldIn]:
    """A model whose weights are large enough that each layer counts, and its fold-in; items are scaled by 2."""
    chosen = SASRecSettings(dim=16, most_items=6, **settings)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = SASRec(chosen, n_items=N_ITEMS).eval()
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=0.5)
    encoder = joined(model.weights())
    assert len(encoder) == size(chosen.fold_in, 16)
    scale = np.full(N_ITEMS, 2, np.float32)
    return model, FoldIn(chosen.fold_in, np.ones(N_ITEMS, np.float32), scale, np.zeros(16, np.float32), encoder)


def newest_first(*rows: int) -> ItemWeights:
    return ItemWeights(np.array(rows, np.int64), np.ones(len(rows)), -np.arange(len(rows)))


def published(model: SASRec) -> np.ndarray:
    return model.items.weight.detach().numpy() / np.float32(2)


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("heads", [1, 4])
@pytest.mark.parametrize("rows", [[7], [3, 9], [1, 2, 3, 4, 5, 6]])
def test_it_gives_what_torch_gives(blocks: int, heads: int, rows: list[int]) -> None:
    model, fold = model_of(blocks=blocks, heads=heads)
    with torch.no_grad():
        expected = model(torch.tensor([rows]))[0, -1].numpy()
    found = fold_in.vector(fold, published(model), newest_first(*reversed(rows)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_of_a_long_history_the_most_recent_items_are_encoded() -> None:
    model, fold = model_of(blocks=2)
    long, short = newest_first(*range(20)), newest_first(*range(6))
    np.testing.assert_array_equal(
        fold_in.vector(fold, published(model), long), fold_in.vector(fold, published(model), short)
    )
    assert fold_in.contributions(fold, published(model), long)[0].tolist() == list(range(6))


def test_the_order_of_a_history_counts() -> None:
    model, fold = model_of(blocks=1)
    one, other = (fold_in.vector(fold, published(model), newest_first(*rows)) for rows in ((1, 2, 3), (3, 2, 1)))
    assert not np.allclose(one, other, rtol=1e-2)


def test_nobody_is_known_by_an_empty_history() -> None:
    model, fold = model_of(blocks=1)
    np.testing.assert_array_equal(fold_in.vector(fold, published(model), NO_WEIGHTS), np.zeros(16))
    rows, parts = fold_in.contributions(fold, published(model), NO_WEIGHTS)
    assert rows.shape == (0,)
    assert parts.shape == (0, 16)


@pytest.mark.parametrize("rows", [[4], [4, 8], [1, 2, 3, 4, 5]])
def test_what_the_items_add_sums_to_the_vector_and_differs_as_it_does_without_them(rows: list[int]) -> None:
    model, fold = model_of(blocks=2)
    items = published(model)
    whole = fold_in.vector(fold, items, newest_first(*rows))
    found, parts = fold_in.contributions(fold, items, newest_first(*rows))
    assert found.tolist() == rows
    np.testing.assert_allclose(parts.sum(axis=0), whole, rtol=1e-3, atol=1e-4)
    if len(rows) > 1:
        first, second = (
            whole - fold_in.vector(fold, items, newest_first(*(row for row in rows if row != left)))
            for left in rows[:2]
        )
        np.testing.assert_allclose(parts[0] - parts[1], first - second, rtol=1e-3, atol=1e-4)


def test_a_shape_says_how_many_weights_there_are() -> None:
    """One block of 2 dimensions, 3 wide, over 4 places: 8 + (12 + 6 + 4 + 2) + (6 + 3 + 6 + 2) + 2 + 2."""
    assert size(SequenceFoldIn(blocks=1, heads=1, hidden=3, most_items=4), 2) == 53
