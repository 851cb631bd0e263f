"""Training of LightGCN (He et al. 2020): interactions in, embeddings out; a killed run goes on from its checkpoint.

The loss is BPR over triples whose negative is the highest-scored of several random ones (dynamic negative sampling,
Zhang et al. 2013). The whole graph is smoothed once a step, so batches are large.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, Field
from torch import Tensor
from torch.nn import functional

from recsys.errors import InvalidArgumentError
from trainer.models import epochs
from trainer.models.embeddings import Embeddings
from trainer.models.epochs import Epoch
from trainer.models.lightgcn import Graph, LightGCN
from trainer.models.lightgcn_sampler import Sampler, TrainingBatch
from trainer.shop_data.interactions import Interactions

_COLD_STD = 0.1  # of each component, as in He et al.'s code
_WARM_LENGTH = 2.0  # mean, of a warm start's vectors: least-squares factors are too short for a logistic loss


class LightGCNSettings(BaseModel, frozen=True, extra="forbid"):
    dim: int = Field(default=64, ge=1)
    layers: int = Field(default=3, ge=0)
    epochs: int = Field(default=100, ge=1)  # of as many triples as there are interactions
    batch_size: int = Field(default=32_768, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)
    l2: float = Field(default=1e-3, ge=0)  # on the layer-0 embeddings of a batch
    negatives: int = Field(default=8, ge=1)  # drawn per triple, of which the highest-scored counts; 1: plain BPR
    validate_every: int = Field(default=5, ge=1)  # epochs
    patience: int = Field(default=3, ge=1)  # validations without a better score before training stops


@dataclass(frozen=True)
class Progress:
    """All that the next epoch depends on. `of` names the run: settings, seed and data."""

    of: str
    epoch: int  # epochs done
    layer0: Tensor
    optimizer: dict[str, Any]  # torch's own state dictionary
    sampler: Tensor  # state of the random generator
    best_score: float  # of the validations so far, -inf before the first
    best_epoch: int
    best_layer0: Tensor  # what `layer0` was then


def fit(
    interactions: Interactions,
    settings: LightGCNSettings,
    *,
    seed: int,
    start: Embeddings | None = None,
    validate: Callable[[Embeddings], float] | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    device: str = "cpu",
) -> Embeddings:
    """Train to the last epoch, or until the validation has stopped improving; gives the best validated embeddings.

    Args:
        start: vectors of another model, [·, settings.dim], to start from instead of random ones.
        validate: a score of embeddings, higher is better, on held-out data; without it every epoch is trained.
        checkpoint: file that is written after each epoch and read when it exists; the same run, killed and called
            again, ends with the same embeddings as one that was not.
        device: of torch; the same code runs on "cpu" and "cuda".

    Raises:
        InvalidArgumentError: the checkpoint is of another run, or `start` has another dimension.
    """
    training = _Training(interactions, settings, seed=seed, start=start, score_of=validate, device=device)
    epochs.run(training, kind=Progress, checkpoint=checkpoint, on_epoch=on_epoch)
    return training.best_embeddings()


def bpr_loss(final: Tensor, layer0: Tensor, triples: Tensor, *, l2: float) -> Tensor:
    """Mean over triples of −ln σ(u·p − u·n) + l2/2 (|u₀|² + |p₀|² + |n₀|²) (He et al. 2020, eq. 15, on a batch).

    Args:
        final: float32 [n_nodes, dim], layer-mean embeddings.
        layer0: float32 [n_nodes, dim], what is trained.
        triples: int64 [size, 3]: user, positive and negative nodes.
    """
    user, positive, negative = functional.embedding(triples.T, final)
    ranking = functional.softplus((user * (negative - positive)).sum(dim=1)).mean()
    return ranking + l2 / 2 * functional.embedding(triples, layer0).pow(2).sum() / max(len(triples), 1)


@torch.no_grad()
def hardest_triples(final: Tensor, batch: TrainingBatch, *, n_users: int) -> Tensor:
    """Of each user's random items that are not their own, the highest-scored: int64 [≤ size, 3] nodes.

    A user whose random items are all their own is skipped.
    """
    scores = torch.einsum("bd,bkd->bk", final[batch.users], final[n_users + batch.negatives])
    hardest = scores.masked_fill_(batch.seen, -torch.inf).argmax(dim=1)
    negatives = batch.negatives.gather(1, hardest[:, None])[:, 0]
    triples = torch.stack([batch.users, n_users + batch.positives, n_users + negatives], dim=1)
    return triples[~batch.seen.all(dim=1)]


class _Training:
    """The model, its optimiser and its sampler, and how far they have come."""

    def __init__(
        self,
        interactions: Interactions,
        settings: LightGCNSettings,
        *,
        seed: int,
        start: Embeddings | None,
        score_of: Callable[[Embeddings], float] | None,
        device: str,
    ) -> None:
        self._settings, self._score_of = settings, score_of
        graph = Graph.of(interactions.weights, device=device)
        layer0 = _cold(graph, settings.dim, seed=seed) if start is None else _warm(start, settings.dim)
        layer0[graph.offsets.diff().cpu() == 0] = 0  # nothing is known of them; noise would be recommended
        self._model = LightGCN(graph, layer0.to(device), layers=settings.layers)
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=settings.learning_rate, fused=True)
        self._sampler = Sampler(interactions.weights, seed=seed, device=device)
        self._steps = math.ceil(interactions.weights.nnz / settings.batch_size)
        self.progress = Progress(
            of=f"{settings.model_dump_json()} seed {seed} data {interactions.fingerprint()} warm {start is not None}",
            epoch=0,
            **self._state(),
            best_score=-math.inf,
            best_epoch=0,
            best_layer0=self._model.layer0.detach().clone(),
        )

    def resume(self, progress: Progress) -> None:
        self.progress = progress
        with torch.no_grad():
            self._model.layer0.copy_(progress.layer0)
        self._optimizer.load_state_dict(progress.optimizer)
        self._sampler.generator.set_state(progress.sampler)

    def finished(self) -> bool:
        progress, settings = self.progress, self._settings
        return progress.epoch >= settings.epochs or epochs.gave_up(
            epoch=progress.epoch,
            best_epoch=progress.best_epoch,
            patience=settings.patience,
            validate_every=settings.validate_every,
        )

    def run_epoch(self) -> float:
        """One epoch. Returns the mean loss."""
        loss = math.fsum(self._step() for _ in range(self._steps)) / max(self._steps, 1)
        self.progress = replace(self.progress, epoch=self.progress.epoch + 1, **self._state())
        return loss

    def _state(self) -> dict[str, Any]:
        """What `Progress` keeps of the model, the optimiser and the sampler."""
        state = {"optimizer": self._optimizer.state_dict(), "sampler": self._sampler.generator.get_state()}
        return {"layer0": self._model.layer0.detach(), **state}

    def _step(self) -> float:
        final = self._model()
        batch = self._sampler.draw(self._settings.batch_size, negatives=self._settings.negatives)
        triples = hardest_triples(final, batch, n_users=self._model.graph.n_users)
        if len(triples) == 0:
            return 0.0
        loss = bpr_loss(final, self._model.layer0, triples, l2=self._settings.l2)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach())

    def validate(self) -> float | None:
        """Every so many epochs and at the last, a score; the best one's weights are kept."""
        progress, settings = self.progress, self._settings
        if self._score_of is None or (progress.epoch % settings.validate_every and progress.epoch < settings.epochs):
            return None
        score = self._score_of(self._model.embeddings())
        if score > progress.best_score:
            best = self._model.layer0.detach().clone()
            self.progress = replace(progress, best_score=score, best_epoch=progress.epoch, best_layer0=best)
        return score

    def best_embeddings(self) -> Embeddings:
        if self.progress.best_epoch > 0:
            with torch.no_grad():
                self._model.layer0.copy_(self.progress.best_layer0)
        return self._model.embeddings()


def _cold(graph: Graph, dim: int, *, seed: int) -> Tensor:
    drawn = np.random.default_rng(seed).standard_normal((graph.n_nodes, dim), dtype=np.float32)
    return torch.from_numpy(drawn * np.float32(_COLD_STD))


def _warm(start: Embeddings, dim: int) -> Tensor:
    if start.item.shape[1] != dim:
        raise InvalidArgumentError(f"start: expected vectors of dimension {dim}, found {start.item.shape[1]}")
    layer0 = np.concatenate([start.user, start.item])
    lengths = np.linalg.norm(layer0, axis=1)
    return torch.from_numpy(layer0 * np.float32(_WARM_LENGTH / lengths[lengths > 0].mean()))
