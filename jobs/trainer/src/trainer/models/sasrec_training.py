"""Training of SASRec (Kang & McAuley 2018): interactions in, embeddings and the encoder's weights out.

At each place of a user's sequence the item that comes next is to be told from random ones: sampled softmax, and a full
one where the catalogue is small. The last item of some users is nobody's target: how well it is ranked says when to
stop. So a fit needs no other window, and stops alike wherever it is called. A killed run goes on from its checkpoint.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from trainer.models import epochs, sasrec, sequences
from trainer.models.epochs import Epoch
from trainer.models.sasrec import SASRec, SASRecSettings, SequenceEmbeddings
from trainer.models.sequences import Sequences
from trainer.shop_data.interactions import Interactions

_FULL_SOFTMAX_UP_TO: Final = 1_000  # items: the whole catalogue then costs little more than a sample
_LEAST_VALIDATED: Final = 20  # users: fewer say nothing, and every epoch is trained
_MOST_VALIDATED: Final = 5_000
_VALIDATED_SHARE: Final = 0.2
_LIST_LENGTH: Final = 10
_LEAST_STEPS: Final = 40  # of an epoch, where batches would not get too small
_LEAST_BATCH: Final = 128  # items
_GROUP: Final = 128  # places that share their random items; with one draw for a whole batch it takes twice the epochs


@dataclass(frozen=True)
class Progress:
    """All that the next epoch depends on. `of` names the run: settings, seed and data."""

    of: str
    epoch: int  # epochs done
    model: dict[str, Tensor]
    optimizer: dict[str, Any]  # torch's own state dictionary
    best_score: float  # of the validations so far, -inf before the first
    best_epoch: int
    best_model: dict[str, Tensor]  # what `model` was then


def fit(
    interactions: Interactions,
    settings: SASRecSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    device: str = "cpu",
) -> SequenceEmbeddings:
    """Train to the last epoch, or until the ranking of the last items has stopped improving; gives the best weights.

    Vectors of users are what their last items are encoded to. Zeros for a user or an item without interactions.

    Args:
        checkpoint: file that is written after each epoch and read when it exists; the same run, killed and called
            again, ends with the same weights as one that was not.
        device: of torch; the same code runs on "cpu" and "cuda".

    Raises:
        InvalidArgumentError: the checkpoint is of another run.
    """
    training = _Training(interactions, settings, seed=seed, device=device)
    epochs.run(training, kind=Progress, checkpoint=checkpoint, on_epoch=on_epoch)
    return training.best_embeddings()


def next_item_loss(encoded: Tensor, targets: Tensor, items: Tensor, *, compared: Tensor) -> Tensor:
    """Mean of −ln softmax of each place's target, among itself and the items that it is compared with.

    Args:
        encoded: float32 [n, dim].
        targets: int64 [n], item rows.
        items: float32 [n_items, dim].
        compared: int64 [groups, k], item rows; the places of a group, some n / groups that follow each other, share
            them. A target among them counts once.
    """
    groups = len(compared)
    each = -(-len(targets) // groups)
    filled = functional.pad(encoded, (0, 0, 0, groups * each - len(targets))).view(groups, each, -1)
    others = (filled @ functional.embedding(compared, items).transpose(1, 2)).view(groups * each, -1)[: len(targets)]
    is_target = compared.repeat_interleave(each, dim=0)[: len(targets)] == targets[:, None]
    own = (encoded * functional.embedding(targets, items)).sum(dim=1, keepdim=True)
    logits = torch.cat([own, others.masked_fill(is_target, -torch.inf)], dim=1)
    return functional.cross_entropy(logits, torch.zeros_like(targets))


class _Training:
    """The model, its optimiser and its data, and how far they have come."""

    def __init__(self, interactions: Interactions, settings: SASRecSettings, *, seed: int, device: str) -> None:
        self._settings, self._seed, self._device = settings, seed, device
        self._everything = sequences.of_users(interactions)
        self._known = torch.as_tensor(np.flatnonzero(np.bincount(self._everything.items)), device=device)
        self._validated = _validated(self._everything, seed=seed)
        train = self._everything.without_last(self._validated)
        self._pieces = train.pieces(settings.most_items)
        self._histories = train.of(self._validated)
        places = int(self._pieces.lengths.sum())
        self._batch_items = min(settings.batch_items, max(places // _LEAST_STEPS, _LEAST_BATCH))
        with self._seeded(0):
            self._model = SASRec(settings, n_items=len(interactions.item_ids)).to(device)
        self._optimizer = torch.optim.Adam(
            self._model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), fused=True
        )
        self.progress = Progress(
            of=f"{settings.model_dump_json()} seed {seed} data {interactions.fingerprint()}",
            epoch=0,
            **self._state(),
            best_score=-math.inf,
            best_epoch=0,
            best_model={},
        )

    def resume(self, progress: Progress) -> None:
        self.progress = progress
        self._model.load_state_dict(progress.model)
        self._optimizer.load_state_dict(progress.optimizer)

    def finished(self) -> bool:
        progress, settings = self.progress, self._settings
        is_over = progress.epoch >= settings.epochs or len(self._pieces) == 0
        return is_over or epochs.gave_up(
            epoch=progress.epoch,
            best_epoch=progress.best_epoch,
            patience=settings.patience,
            validate_every=settings.validate_every,
        )

    def run_epoch(self) -> float:
        """One epoch. Returns the mean loss."""
        number = self.progress.epoch + 1
        rng = np.random.default_rng([self._seed, number])
        self._model.train()
        with self._seeded(number):
            losses = [self._step(rows) for rows in self._pieces.batches(self._batch_items, rng=rng)]
        self.progress = replace(self.progress, epoch=number, **self._state())
        return math.fsum(losses) / len(losses)

    def validate(self) -> float | None:
        """Every so many epochs and at the last, mean NDCG of the users' last items; the best one's weights are kept."""
        progress, settings = self.progress, self._settings
        if len(self._validated) == 0 or (progress.epoch % settings.validate_every and progress.epoch < settings.epochs):
            return None
        score = self._score()
        if score > progress.best_score:
            best = {name: weights.clone() for name, weights in progress.model.items()}
            self.progress = replace(progress, best_score=score, best_epoch=progress.epoch, best_model=best)
        return score

    def best_embeddings(self) -> SequenceEmbeddings:
        if self.progress.best_epoch > 0:
            self._model.load_state_dict(self.progress.best_model)
        return sasrec.embeddings(self._model, self._everything, known=self._known)

    def _state(self) -> dict[str, Any]:
        """What `Progress` keeps of the model and the optimiser."""
        return {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}

    @contextmanager
    def _seeded(self, epoch: int) -> Iterator[None]:
        """Torch's own random numbers, which dropout draws, from seed and epoch; a resumed run draws the same."""
        with torch.random.fork_rng(devices=["cuda"] if self._device == "cuda" else []):
            torch.manual_seed(int(np.random.SeedSequence([self._seed, epoch]).generate_state(1, np.uint64)[0]))
            yield

    def _step(self, rows: NDArray[np.int64]) -> float:
        padded = torch.as_tensor(self._pieces.of(rows).padded(), device=self._device)
        targets = padded[:, 1:]
        is_target = targets >= 0
        encoded = self._model(padded[:, :-1].clamp(min=0))[is_target]
        compared = self._compared(len(encoded))
        loss = next_item_loss(encoded, targets[is_target], self._model.items.weight, compared=compared)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return float(loss.detach())

    def _compared(self, places: int) -> Tensor:
        """Items that so many places are compared with: int64 [groups, k]."""
        if len(self._known) <= _FULL_SOFTMAX_UP_TO:
            return self._known[None]
        size = (-(-places // _GROUP), self._settings.negatives)
        return self._known[torch.randint(len(self._known), size, device=self._device)]

    @torch.no_grad()
    def _score(self) -> float:
        """NDCG of lists of ten, of one item each: 1 / log₂(rank + 1)."""
        last = self._everything.of(self._validated).last()
        items = self._model.items.weight[self._known]
        place = torch.searchsorted(self._known, torch.as_tensor(last, device=self._device))
        total = 0.0
        for rows, encoded in sasrec.encoded(self._model, self._histories):
            scores = encoded @ items.T
            own = scores.gather(1, place[rows][:, None])
            padded = torch.as_tensor(self._histories.of(rows).padded(), device=self._device)
            seen = torch.searchsorted(self._known, padded.clamp(min=0))
            scores[(padded >= 0).nonzero()[:, 0], seen[padded >= 0]] = -torch.inf
            ranks = (scores > own).sum(dim=1)
            total += float((1 / torch.log2(ranks[ranks < _LIST_LENGTH] + 2.0)).sum())
        return total / len(last)


def _validated(everything: Sequences, *, seed: int) -> NDArray[np.int64]:
    """Users whose last item is not learnt from: a fifth of those with three items or more, drawn by seed; int64 [n]."""
    able = np.flatnonzero(everything.lengths >= 3)
    count = min(int(len(able) * _VALIDATED_SHARE), _MOST_VALIDATED)
    if count < _LEAST_VALIDATED:
        return able[:0]
    return np.sort(np.random.default_rng(seed).permutation(able)[:count])
