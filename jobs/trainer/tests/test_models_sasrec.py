"""SASRec: what a place may see, what a batch holds, and that seed and kill decide nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import interactions_of
from pydantic import ValidationError

from recsys.errors import InvalidArgumentError
from trainer.models import sasrec_training, sequences
from trainer.models.epochs import Epoch
from trainer.models.sasrec import SASRec, SASRecSettings, SequenceEmbeddings
from trainer.models.sasrec_training import next_item_loss
from trainer.models.sequences import Sequences
from trainer.publishing import publish
from trainer.shop_data.interactions import Interactions

SETTINGS = SASRecSettings(dim=8, most_items=6, epochs=4, batch_items=64, validate_every=1, patience=4)


class KilledError(Exception):
    """Stands for a SIGKILL between two epochs."""


def kill_after_two(epoch: Epoch) -> None:
    if epoch.number == 2:
        raise KilledError


def cycle(*, n_users: int = 120, n_items: int = 12, length: int = 5) -> Interactions:
    """Each user takes the items in the order of their numbers, from one that is drawn: order decides everything."""
    rng = np.random.default_rng(0)
    dense = np.zeros((n_users, n_items), np.float32)
    seconds = np.zeros((n_users, n_items), np.int64)
    for user, first in enumerate(rng.integers(n_items, size=n_users).tolist()):
        rows = (first + np.arange(length)) % n_items
        dense[user, rows] = 1
        seconds[user, rows] = 1_000 + np.arange(length)
    known = interactions_of(dense)
    return replace(known, last_seen=seconds[dense > 0])


def same(one: SequenceEmbeddings, other: SequenceEmbeddings) -> None:
    np.testing.assert_array_equal(one.user, other.user)
    np.testing.assert_array_equal(one.item, other.item)
    np.testing.assert_array_equal(one.encoder.positions, other.encoder.positions)
    np.testing.assert_array_equal(one.encoder.blocks[0].project, other.encoder.blocks[0].project)


def test_a_later_item_changes_no_earlier_place() -> None:
    torch.manual_seed(0)
    model = SASRec(SASRecSettings(dim=8, blocks=2, most_items=6), n_items=20).eval()
    first, second = torch.tensor([[3, 4, 5, 6]]), torch.tensor([[3, 4, 9, 1]])
    with torch.no_grad():
        one, other, short = model(first), model(second), model(first[:, :2])
    assert one.shape == (1, 4, 8)
    torch.testing.assert_close(one[:, :2], other[:, :2])
    torch.testing.assert_close(one[:, :2], short)
    assert not torch.allclose(one[:, 2], other[:, 2])


def test_a_sequence_is_the_artifacts_history_the_other_way_round(long_tail: Interactions) -> None:
    seconds = np.random.default_rng(1).integers(3, size=long_tail.weights.nnz)
    known = replace(long_tail, last_seen=seconds)
    history, found = publish.history_of(known), sequences.of_users(known)
    for user in range(60):
        start, length = found.starts[user], found.lengths[user]
        assert found.items[start : start + length].tolist() == history.rows(user)[::-1].tolist()


def test_each_item_but_the_first_is_once_what_comes_next() -> None:
    of_one = Sequences(np.arange(20), np.array([0, 12, 13]), np.array([12, 1, 7]))
    pieces = of_one.pieces(5)
    padded = pieces.padded()
    assert padded.shape[1] <= 6
    targets = padded[:, 1:][padded[:, 1:] >= 0]
    assert sorted(targets.tolist()) == [*range(1, 12), *range(14, 20)]
    assert next(row[row >= 0].tolist() for row in padded) == list(range(6, 12))  # the newest piece is whole


def test_a_padded_row_holds_the_sequence_and_nothing_behind_it() -> None:
    found = Sequences(np.arange(10), np.array([0, 4, 4]), np.array([4, 0, 2])).padded()
    assert found.tolist() == [[0, 1, 2, 3], [-1, -1, -1, -1], [4, 5, -1, -1]]


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
def test_batches_have_every_sequence_once_and_little_padding(rng: np.random.Generator | None) -> None:
    lengths = np.random.default_rng(1).integers(1, 30, size=200)
    of_all = Sequences(np.zeros(lengths.sum(), np.int64), np.cumsum(lengths) - lengths, lengths)
    batches = list(of_all.batches(100, rng=rng))
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    sizes = [len(rows) * lengths[rows].max() for rows in batches]
    assert max(sizes) <= 100
    assert sum(sizes) < 1.1 * lengths.sum()


def test_the_loss_of_all_items_is_the_cross_entropy_and_a_sample_without_others_is_zero() -> None:
    encoded, items = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    logits = np.array([1.0, 2.0, 3.0])
    expected = np.log(np.exp(logits).sum()) - logits[1]
    of_all = next_item_loss(encoded, torch.tensor([1]), items, compared=torch.tensor([[0, 1, 2]]))
    assert float(of_all) == pytest.approx(expected, rel=1e-5)
    of_itself = next_item_loss(encoded, torch.tensor([1]), items, compared=torch.tensor([[1]]))
    assert float(of_itself) == 0


def test_each_group_of_places_is_compared_with_its_own_items() -> None:
    """Three places in two groups: the first two are compared with item 0, the last one with item 2."""
    rng = np.random.default_rng(0)
    encoded = torch.tensor(rng.standard_normal((3, 2)), dtype=torch.float32)
    items = torch.tensor(rng.standard_normal((4, 2)), dtype=torch.float32)
    found = next_item_loss(encoded, torch.tensor([1, 3, 1]), items, compared=torch.tensor([[0], [2]]))
    scores = (encoded @ items.T).numpy().astype(float)
    pairs = [(0, 1, 0), (1, 3, 0), (2, 1, 2)]
    expected = np.mean([np.log1p(np.exp(scores[place, other] - scores[place, own])) for place, own, other in pairs])
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_it_learns_what_comes_next() -> None:
    """Everybody's next item is the next number, which nobody's favourites say: each user has five of twelve."""
    known = cycle()
    settings = SASRecSettings(dim=16, epochs=60, batch_items=128, dropout=0, learning_rate=0.01)
    fitted = sasrec_training.fit(known, settings, seed=0)
    scores = np.where(known.weights.toarray() > 0, -np.inf, fitted.scores(np.arange(120)))
    last = sequences.of_users(known).last()
    assert (scores.argmax(axis=1) == (last + 1) % 12).mean() > 0.95


def test_the_same_seed_gives_the_same_weights_and_another_one_others(long_tail: Interactions) -> None:
    first, second = (sasrec_training.fit(long_tail, SETTINGS, seed=3) for _ in range(2))
    same(first, second)
    assert not np.allclose(first.item, sasrec_training.fit(long_tail, SETTINGS, seed=4).item)


def test_a_fit_leaves_torchs_own_random_numbers_as_they_were(long_tail: Interactions) -> None:
    before = torch.random.get_rng_state()
    sasrec_training.fit(long_tail, SETTINGS, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path: Path) -> None:
    known, checkpoint = cycle(), tmp_path / "sasrec.pt"
    whole = sasrec_training.fit(known, SETTINGS, seed=1)
    with pytest.raises(KilledError):
        sasrec_training.fit(known, SETTINGS, seed=1, checkpoint=checkpoint, on_epoch=kill_after_two)
    told: list[int] = []
    resumed = sasrec_training.fit(
        known, SETTINGS, seed=1, checkpoint=checkpoint, on_epoch=lambda epoch: told.append(epoch.number)
    )
    assert told == [3, 4]
    same(resumed, whole)


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    known, checkpoint = cycle(), tmp_path / "sasrec.pt"
    sasrec_training.fit(known, SETTINGS, seed=1, checkpoint=checkpoint)
    with pytest.raises(InvalidArgumentError, match="of another run"):
        sasrec_training.fit(known, SETTINGS, seed=2, checkpoint=checkpoint)


@pytest.mark.parametrize("validate_every", [1, 2])
def test_training_stops_when_so_many_validations_rank_the_last_items_no_better_and_gives_the_best_weights(
    validate_every: int,
) -> None:
    """Without an order there is nothing to learn about the next item: the best validation comes early."""
    rng = np.random.default_rng(0)
    known = interactions_of((rng.random((200, 30)) < 0.3).astype(np.float32))
    known = replace(known, last_seen=rng.integers(1_000_000, size=known.weights.nnz))
    curve: list[Epoch] = []
    patient = SETTINGS.model_copy(update={"epochs": 100, "patience": 3, "validate_every": validate_every})
    fitted = sasrec_training.fit(known, patient, seed=0, on_epoch=curve.append)
    scores = [epoch.score for epoch in curve if epoch.score is not None]
    assert len(curve) < 100
    assert int(np.argmax(scores)) == len(scores) - 1 - 3
    best_epoch = validate_every * (int(np.argmax(scores)) + 1)
    stopped_there = patient.model_copy(update={"epochs": best_epoch, "patience": 100})
    same(fitted, sasrec_training.fit(known, stopped_there, seed=0))


def test_vectors_are_zeros_of_whom_nothing_is_known(checkerboard_with_strangers: Interactions) -> None:
    fitted = sasrec_training.fit(checkerboard_with_strangers, SETTINGS, seed=0)
    assert not fitted.user[-1].any()
    assert not fitted.item[-1].any()
    assert fitted.user[:-1].any(axis=1).all()
    assert fitted.item[:-1].any(axis=1).all()
    for vectors in (fitted.user, fitted.item):
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous


def test_heads_divide_the_dimension() -> None:
    with pytest.raises(ValidationError, match="divisor of dim 8, found 3"):
        SASRecSettings(dim=8, heads=3)


def test_order_matters_where_items_follow_each_other_and_not_where_they_were_shuffled() -> None:
    known = cycle()
    assert sequences.order_matters(known, seed=0)
    rng = np.random.default_rng(0)
    assert not sequences.order_matters(replace(known, last_seen=rng.integers(10**6, size=known.weights.nnz)), seed=0)
    assert not sequences.order_matters(replace(known, last_seen=np.zeros(known.weights.nnz, np.int64)), seed=0)
