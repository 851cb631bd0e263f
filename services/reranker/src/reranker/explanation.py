"""Why an item stands where it stands, in numbers that add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from recsys.errors import InvalidArgumentError
from recsys.shop.catalogue import LiveCatalogue
from reranker.request import HistoryVectors, RankRequest, SourceList
from reranker.rules import Pins
from reranker.scoring import Scored

_MOST_CONTRIBUTIONS: Final = 5


@dataclass(frozen=True)
class TermValue:
    """One summand of an item's score."""

    name: str
    value: float
    weight: float


@dataclass(frozen=True)
class SourceRank:
    """Where a source had the item in its own list."""

    source: int
    rank: int  # from 1
    score: float


@dataclass(frozen=True)
class Contribution:
    """What an item of the history adds to the personal score, or to what leads to it."""

    item_id: str
    value: float


@dataclass(frozen=True)
class Explanation:
    """Of one ranked item. The score is Σ value × weight of the terms, times the boosts."""

    personal_score: float
    terms: list[TermValue]
    sources: list[SourceRank]
    rank_by_score: int  # from 1
    contributions: list[Contribution]
    rules: list[str]
    comes_after: list[Contribution]  # values before they are scaled


def explain(index: int, scored: Scored, pins: Pins, request: RankRequest) -> Explanation:
    """Why a candidate stands where it stands."""
    candidates, history = scored.candidates, request.history
    is_fitted = not request.is_for_nobody and candidates.vectors[index].any()
    pinned_by = [pins.name_of[index]] if index in pins.name_of else []
    return Explanation(
        personal_score=float(scored.fit[index]) if is_fitted else 0.0,
        terms=[TermValue(*part) for part in scored.blended.parts(index)],
        sources=_source_ranks(int(candidates.rows[index]), request.candidates.lists),
        rank_by_score=int((scored.order == index).nonzero()[0][0]) + 1,
        contributions=[] if history is None else _contributions(candidates.vectors[index], history),
        rules=[*scored.boosts.names(index), *pinned_by],
        comes_after=[] if history is None else _comes_after(int(candidates.rows[index]), history, candidates.catalogue),
    )


def check_history(history: HistoryVectors, *, dim: int) -> None:
    """Raises: InvalidArgumentError (vectors of another dimension)."""
    if history.vectors.shape[1] != dim:
        raise InvalidArgumentError(
            f"history.vectors: expected {dim} float32 values for each item, found {history.vectors.shape[1]}"
        )


def _source_ranks(row: int, lists: Sequence[SourceList]) -> list[SourceRank]:
    return [
        SourceRank(each.source, each.rows.index(row) + 1, each.scores[each.rows.index(row)])
        for each in lists
        if row in each.rows
    ]


def _contributions(vector: NDArray[np.float64], history: HistoryVectors) -> list[Contribution]:
    """The greatest by absolute value. The query vector is the sum of the history's, so all of them sum to the score."""
    values = history.vectors.astype(np.float64) @ vector
    most = np.argsort(-np.abs(values), kind="stable")[:_MOST_CONTRIBUTIONS]
    return [Contribution(history.item_ids[at], float(values[at])) for at in most.tolist()]


def _comes_after(row: int, history: HistoryVectors, catalogue: LiveCatalogue) -> list[Contribution]:
    """The items of the history that lead to a candidate most."""
    transitions, items = catalogue.artifact.transitions, catalogue.artifact.items
    if transitions is None:
        return []
    found = [
        Contribution(item_id, factor * transitions.score(source, row))
        for item_id, factor in zip(history.item_ids, history.transition_factors, strict=False)  # factors of the first
        if (source := items.row_of(item_id)) is not None
    ]
    most = sorted((one for one in found if one.value > 0), key=lambda one: -one.value)
    return most[:_MOST_CONTRIBUTIONS]
