"""LightGCN's training: what it draws, when it stops, and that a kill costs nothing."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from recsys.errors import InvalidArgumentError
from trainer.models import lightgcn_training
from trainer.models.embeddings import Embeddings
from trainer.models.epochs import Epoch
from trainer.models.lightgcn_sampler import Sampler
from trainer.models.lightgcn_training import LightGCNSettings
from trainer.shop_data.interactions import Interactions

SETTINGS = LightGCNSettings(dim=4, epochs=6, batch_size=64, validate_every=1, patience=2)


class KilledError(Exception):
    """Stands for a SIGKILL between two epochs."""


def kill_after_three(epoch: Epoch) -> None:
    if epoch.number == 3:
        raise KilledError


def scripted(scores: list[float]) -> tuple[list[Embeddings], "Scripted"]:
    judged: list[Embeddings] = []
    return judged, Scripted(scores, judged)


class Scripted:
    """A validation whose scores are known beforehand."""

    def __init__(self, scores: list[float], judged: list[Embeddings]) -> None:
        self._scores = scores
        self._judged = judged

    def __call__(self, embeddings: Embeddings) -> float:
        self._judged.append(embeddings)
        return self._scores[len(self._judged) - 1]


def test_a_drawn_positive_is_the_users_own_and_seen_marks_exactly_the_own_negatives(long_tail: Interactions) -> None:
    batch = Sampler(long_tail.weights, seed=0, device="cpu").draw(2000, negatives=3)
    known = torch.from_numpy(long_tail.weights.toarray() > 0)
    assert known[batch.users, batch.positives].all()
    assert torch.equal(known[batch.users[:, None], batch.negatives], batch.seen)
    assert set(batch.users.tolist()) == set(range(60))


def test_a_run_that_was_killed_ends_as_one_that_was_not(long_tail: Interactions, tmp_path: Path) -> None:
    checkpoint = tmp_path / "lightgcn.pt"
    whole = lightgcn_training.fit(long_tail, SETTINGS, seed=1)
    with pytest.raises(KilledError):
        lightgcn_training.fit(long_tail, SETTINGS, seed=1, checkpoint=checkpoint, on_epoch=kill_after_three)
    told: list[int] = []
    resumed = lightgcn_training.fit(
        long_tail, SETTINGS, seed=1, checkpoint=checkpoint, on_epoch=lambda epoch: told.append(epoch.number)
    )
    assert told == [4, 5, 6]
    np.testing.assert_array_equal(resumed.user, whole.user)
    np.testing.assert_array_equal(resumed.item, whole.item)


def test_what_a_kill_left_half_written_is_not_read(long_tail: Interactions, tmp_path: Path) -> None:
    (tmp_path / f"lightgcn.pt.{os.getpid()}.new").write_bytes(b"half")
    lightgcn_training.fit(long_tail, SETTINGS, seed=1, checkpoint=tmp_path / "lightgcn.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["lightgcn.pt"]


def test_the_checkpoint_of_another_run_is_refused(long_tail: Interactions, tmp_path: Path) -> None:
    checkpoint = tmp_path / "lightgcn.pt"
    lightgcn_training.fit(long_tail, SETTINGS, seed=1, checkpoint=checkpoint)
    with pytest.raises(InvalidArgumentError, match="of another run"):
        lightgcn_training.fit(long_tail, SETTINGS, seed=2, checkpoint=checkpoint)


def test_training_stops_when_validation_does_not_improve_and_gives_the_best_vectors(long_tail: Interactions) -> None:
    judged, validate = scripted([0.1, 0.3, 0.2, 0.2])
    fitted = lightgcn_training.fit(long_tail, SETTINGS, seed=0, validate=validate)
    assert len(judged) == 4
    np.testing.assert_array_equal(fitted.item, judged[1].item)


def test_a_resumed_run_remembers_its_best_validation(long_tail: Interactions, tmp_path: Path) -> None:
    checkpoint = tmp_path / "lightgcn.pt"
    before, validate = scripted([0.9, 0.1, 0.1])
    with pytest.raises(KilledError):
        lightgcn_training.fit(
            long_tail,
            SETTINGS.model_copy(update={"patience": 5}),
            seed=0,
            validate=validate,
            checkpoint=checkpoint,
            on_epoch=kill_after_three,
        )
    _, validate = scripted([0.2, 0.2, 0.2])
    fitted = lightgcn_training.fit(
        long_tail, SETTINGS.model_copy(update={"patience": 5}), seed=0, validate=validate, checkpoint=checkpoint
    )
    np.testing.assert_array_equal(fitted.item, before[0].item)


def test_a_warm_start_keeps_the_directions_of_the_vectors_that_it_is_given(long_tail: Interactions) -> None:
    rng = np.random.default_rng(0)
    start = Embeddings(
        user=rng.standard_normal((60, 4), dtype=np.float32), item=rng.standard_normal((40, 4), dtype=np.float32)
    )
    barely = SETTINGS.model_copy(update={"layers": 0, "epochs": 1, "learning_rate": 1e-9})
    fitted = lightgcn_training.fit(long_tail, barely, seed=0, start=start)
    ratio = fitted.item / start.item
    assert np.allclose(ratio[long_tail.weights.getnnz(axis=0) > 0], ratio[0, 0], rtol=1e-4)


def test_a_start_of_another_dimension_is_refused(long_tail: Interactions) -> None:
    start = Embeddings(user=np.ones((60, 3), dtype=np.float32), item=np.ones((40, 3), dtype=np.float32))
    with pytest.raises(InvalidArgumentError, match="dimension 4, found 3"):
        lightgcn_training.fit(long_tail, SETTINGS, seed=0, start=start)
