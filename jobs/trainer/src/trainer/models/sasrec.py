"""SASRec (Kang & McAuley 2018): a user's last items in their order in, the vector of what comes next out.

Causal self-attention: a place sees itself and what came before. An item's vector is what it is read as and what it is
scored by. Layers are normalised before and not after (the norms of the blocks have no weights of their own: the linear
layer behind each has them). Training is in `sasrec_training`; `candidate_gen` encodes with the same weights.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from recsys.artifact.manifest import SequenceFoldIn
from recsys.artifact.sequence_encoder import BlockWeights, EncoderWeights
from trainer.models.embeddings import Embeddings
from trainer.models.sequences import Sequences

_ENCODED_AT_ONCE: Final = 16_384  # items
_STD: Final = 0.02  # of each component of a random vector


class SASRecSettings(BaseModel, frozen=True, extra="forbid"):
    dim: int = Field(default=128, ge=1)
    blocks: int = Field(default=1, ge=1)
    heads: int = Field(default=2, ge=1)
    most_items: int = Field(default=50, ge=2)  # of a history, the most recent ones
    dropout: float = Field(default=0.4, ge=0, lt=1)
    negatives: int = Field(default=512, ge=1)  # random items that each place's next one is told from
    learning_rate: float = Field(default=1e-3, gt=0)
    batch_items: int = Field(default=3_000, ge=1)  # at most; fewer where an epoch would have too few steps
    epochs: int = Field(default=200, ge=1)  # at most
    validate_every: int = Field(default=1, ge=1)  # epochs
    patience: int = Field(default=5, ge=1)  # validations without a better score before training stops

    @model_validator(mode="after")
    def _heads_divide(self) -> "SASRecSettings":
        if self.dim % self.heads:
            raise ValueError(f"heads: expected a divisor of dim {self.dim}, found {self.heads}")
        return self

    @property
    def fold_in(self) -> SequenceFoldIn:
        """The shape of the encoder."""
        return SequenceFoldIn(blocks=self.blocks, heads=self.heads, hidden=self.dim, most_items=self.most_items)


@dataclass(frozen=True)
class SequenceEmbeddings(Embeddings):
    """Vectors of users and items, and what turns a sequence of items into a user's."""

    encoder: EncoderWeights


class _Block(nn.Module):
    def __init__(self, settings: SASRecSettings) -> None:
        super().__init__()
        dim = settings.dim
        self.heads, self.dropout = settings.heads, settings.dropout
        self.project = nn.Linear(dim, 3 * dim)
        self.attended = nn.Linear(dim, dim)
        self.widen = nn.Linear(dim, dim)
        self.narrow = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        users, places, dim = x.shape
        split = (users, places, 3, self.heads, dim // self.heads)
        query, key, value = self.project(functional.layer_norm(x, (dim,))).view(split).permute(2, 0, 3, 1, 4)
        dropped = self.dropout if self.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=dropped)
        x = x + self._drop(self.attended(attended.transpose(1, 2).reshape(x.shape)))
        wide = self._drop(functional.relu(self.widen(functional.layer_norm(x, (dim,)))))
        return x + self._drop(self.narrow(wide))

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.dropout, training=self.training)

    def weights(self) -> BlockWeights:
        layers = {name: getattr(self, name) for name in ("project", "attended", "widen", "narrow")}
        matrices = {name: _array(layer.weight.T) for name, layer in layers.items()}
        return BlockWeights(**matrices, **{f"{name}_bias": _array(layer.bias) for name, layer in layers.items()})


class SASRec(nn.Module):
    """Items, places and blocks. Sequences begin at the first place, so what is padded stands behind and is not seen."""

    def __init__(self, settings: SASRecSettings, *, n_items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items, settings.dim)
        self.positions = nn.Parameter(torch.empty(settings.most_items, settings.dim))
        self.blocks = nn.ModuleList(_Block(settings) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(settings.dim)
        self.dropout = settings.dropout
        for drawn in (self.items.weight, self.positions):
            nn.init.normal_(drawn, std=_STD)

    def forward(self, sequences: Tensor) -> Tensor:
        """What comes after each place: float32 [n, places, dim] of item rows, int64 [n, places ≤ most_items]."""
        places = self.positions[: sequences.shape[1]]
        x = self.items(sequences) * math.sqrt(self.positions.shape[1]) + places
        x = functional.dropout(x, self.dropout, training=self.training)
        for block in self.blocks:
            x = block(x)
        encoded: Tensor = self.norm(x)
        return encoded

    def weights(self) -> EncoderWeights:
        """The encoder without the items' vectors."""
        blocks = tuple(block.weights() for block in self.blocks if isinstance(block, _Block))
        return EncoderWeights(_array(self.positions), blocks, _array(self.norm.weight), _array(self.norm.bias))


@torch.no_grad()
def encoded(model: SASRec, sequences: Sequences) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    """What comes after each sequence that is not empty: rows of sequences, [n], and float32 [n, dim]."""
    model.eval()
    newest = sequences.newest(model.positions.shape[0])
    filled = np.flatnonzero(newest.lengths)
    device = model.positions.device
    for batch in newest.of(filled).batches(_ENCODED_AT_ONCE):
        rows = filled[batch]
        padded = torch.as_tensor(newest.of(rows).padded(), device=device)
        last = torch.as_tensor(newest.lengths[rows] - 1, device=device)
        yield rows, model(padded.clamp(min=0))[torch.arange(len(rows), device=device), last]


def embeddings(model: SASRec, sequences: Sequences, *, known: Tensor) -> SequenceEmbeddings:
    """Vectors of all users, by their sequences, and items, of which those not in `known` have zeros."""
    items = np.zeros(tuple(model.items.weight.shape), np.float32)
    users = np.zeros((len(sequences), items.shape[1]), np.float32)
    items[known.cpu().numpy()] = _array(model.items.weight[known])
    for rows, vectors in encoded(model, sequences):
        users[rows] = vectors.cpu().numpy()
    return SequenceEmbeddings(users, items, model.weights())


def _array(weights: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(weights.detach().cpu().numpy())
