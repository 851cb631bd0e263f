"""What is asked of the ranking, as plain values.

`wire` reads them from a request, and checks what can be checked without a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.blend import BlendWeights
from recsys.ranking_features import NOTHING_TAKEN_UP, TakenUp
from recsys.shop.filter import NO_FILTER, Filter


@dataclass(frozen=True)
class SourceList:
    """What one source proposed, best first."""

    source: int
    rows: list[int]
    scores: list[float]


@dataclass(frozen=True)
class Proposed:
    """Candidates as they came: parallel arrays, [n] each. A row of n_items or more is `new_item_ids[row - n_items]`."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    sources: NDArray[np.uint32]  # bit 1 << source
    new_item_ids: Sequence[str] = ()
    lists: Sequence[SourceList] = ()
    transitions: NDArray[np.float32] | None = None  # how much the history leads to each; none: 0 of each
    history: TakenUp = NOTHING_TAKEN_UP  # by the user, of the version's items


@dataclass(frozen=True, slots=True)
class Rule:
    """What the shop wants seen: exactly one of category and item_id, and one of boost and pin_position."""

    name: str
    category: str | None = None
    item_id: str | None = None
    boost: float | None = None  # above 0
    pin_position: int | None = None  # from 1


@dataclass(frozen=True, slots=True)
class Diversity:
    """How alike the answers may be."""

    mmr_lambda: float = 1.0  # 1: relevance alone, 0: difference alone
    max_per_category: int = 0  # 0: no cap


ANY_DIVERSITY: Final = Diversity()


@dataclass(frozen=True, slots=True)
class Exploration:
    """How often one slot goes to an item of which the model knows nothing."""

    share: float
    seed: int


@dataclass(frozen=True)
class HistoryVectors:
    """The query vector as a sum: `vectors[n]` is what `item_ids[n]` adds to it."""

    item_ids: Sequence[str]
    vectors: NDArray[np.float32]  # [len(item_ids), dim]
    transition_factors: Sequence[float] = ()  # what the first of the items count for transitions


@dataclass(frozen=True, kw_only=True)
class RankRequest:
    """Candidates, what they are ranked for, and what else counts. At most one of query_vector and item_id."""

    candidates: Proposed
    count: int
    query_vector: NDArray[np.float32] | None = None  # [dim]
    item_id: str | None = None
    blend: BlendWeights | None = None  # none: what the trainer found best
    diversity: Diversity | None = None
    rules: Sequence[Rule] = ()
    filter: Filter = NO_FILTER  # what a pinned item must be
    excluded_item_ids: frozenset[str] = frozenset()  # that no pin may bring in
    exploration: Exploration | None = None
    explain: bool = False
    history: HistoryVectors | None = None

    @property
    def is_for_nobody(self) -> bool:
        """Whether the candidates have no order but their own."""
        return self.query_vector is None and self.item_id is None
