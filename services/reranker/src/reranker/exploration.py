"""One slot for an item of which the model knows nothing: without being shown, it could never be learnt about."""

from collections.abc import Container
from dataclasses import dataclass
from random import Random

import numpy as np

from reranker.candidates import Candidates
from reranker.request import Exploration
from reranker.rules import Pins


@dataclass(frozen=True)
class Explored:
    """What chance put where."""

    index: int  # of the candidate
    position: int  # from 0
    propensity: float  # probability of just this item at just this position


def explored(
    candidates: Candidates, exploration: Exploration, *, pins: Pins, size: int, full: Container[str | None]
) -> Explored | None:
    """With probability `share`, one new candidate at one position of the second half, both drawn uniformly.

    Pinned items and their positions take no part. The same seed makes the same choice from the same candidates.

    Args:
        size: positions that there are; a single one has no second half.
        full: categories that can take no further item.
    """
    is_new = ~candidates.vectors.any(axis=1)
    new = [index for index in np.flatnonzero(is_new).tolist() if index not in pins.name_of]
    new = [index for index in new if candidates.categories[index] not in full] if full else new
    positions = [position for position in range((size + 1) // 2, size) if position not in pins.index_at]
    chance = Random(exploration.seed)
    if not new or not positions or chance.random() >= exploration.share:
        return None
    return Explored(
        index=chance.choice(new),
        position=chance.choice(positions),
        propensity=exploration.share / (len(new) * len(positions)),
    )
