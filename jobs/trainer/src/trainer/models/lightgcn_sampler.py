"""Training triples of LightGCN: interactions in, batches of (user, an item of theirs, items drawn at random) out."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


@dataclass(frozen=True)
class TrainingBatch:
    """Rows of users and items. A random item can turn out to be one of the user's own: `seen` says where."""

    users: Tensor  # int64 [size]
    positives: Tensor  # int64 [size]
    negatives: Tensor  # int64 [size, negatives]
    seen: Tensor  # bool [size, negatives]


class Sampler:
    """Draws users uniformly among those with interactions, then one of their items, as He et al.'s own code does."""

    def __init__(self, interactions: sp.csr_matrix, *, seed: int, device: str) -> None:
        n_users, self._n_items = interactions.shape
        lengths = np.diff(interactions.indptr).astype(np.int64)
        rows = np.repeat(np.arange(n_users, dtype=np.int64), lengths)
        self._active = torch.as_tensor(np.flatnonzero(lengths), device=device)
        self._lengths = torch.as_tensor(lengths, device=device)
        self._starts = torch.as_tensor(interactions.indptr[:-1].astype(np.int64), device=device)
        self._items = torch.as_tensor(interactions.indices.astype(np.int64), device=device)
        self._pairs = torch.as_tensor(np.sort(rows * self._n_items + interactions.indices), device=device)
        self.generator = torch.Generator(device=device).manual_seed(seed)

    def draw(self, size: int, *, negatives: int) -> TrainingBatch:
        """One batch; the generator's state is all that it depends on."""
        device = self._items.device
        users = self._active[torch.randint(len(self._active), (size,), generator=self.generator, device=device)]
        share = torch.rand(size, generator=self.generator, device=device, dtype=torch.float64)
        positives = self._items[self._starts[users] + (share * self._lengths[users]).long()]
        drawn = torch.randint(self._n_items, (size, negatives), generator=self.generator, device=device)
        pairs = users[:, None] * self._n_items + drawn
        at = torch.searchsorted(self._pairs, pairs).clamp_(max=len(self._pairs) - 1)
        return TrainingBatch(users, positives, drawn, seen=self._pairs[at] == pairs)
