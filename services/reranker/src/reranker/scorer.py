"""Exact scores for a few candidates, and the best of them described, for one artifact version.

Candidates come in, perhaps the same item from several sources; ranked items go out, by score, ties by item row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.artifact.catalogue import CatalogueItem
from recsys.artifact.reader import Artifact
from recsys.errors import InvalidArgumentError


@dataclass(frozen=True)
class Candidate:
    """An item as a source proposed it. The scorer passes the source's number on and reads nothing into it."""

    item_id: str
    score: float
    source: int


@dataclass(frozen=True)
class RankedItem:
    """An item with its final score and everything that proposed it."""

    item: CatalogueItem
    score: float
    sources: list[int]


@dataclass(frozen=True)
class _Merged:
    """Candidates with each item once: all [n], own scores (the best of several), and the sources by row."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]
    sources: dict[int, list[int]]


class Scorer:
    """Scores from the full-precision embeddings of one artifact version, memory-mapped."""

    def __init__(self, artifact: Artifact) -> None:
        self.artifact = artifact
        self.manifest = artifact.manifest

    def rank_for_user(self, user_id: str, candidates: list[Candidate], *, count: int) -> list[RankedItem]:
        """By the dot product of the user's and the item's embedding; by their own scores if the user is unknown.

        A user of whom the model knows nothing has a zero embedding, and popular candidates: they keep their order too.

        Raises:
            InvalidArgumentError: the version does not know a candidate.
        """
        merged = self._merge(candidates)
        user_row = self.artifact.users.row_of(user_id)
        if user_row is None:
            return self._ranked(merged, merged.scores, count)
        user = self.artifact.user_embeddings[user_row].astype(np.float64)
        if not user.any():
            return self._ranked(merged, merged.scores, count)
        return self._ranked(merged, (self._embeddings(merged) @ user).astype(np.float32), count)

    def rank_for_item(self, item_id: str, candidates: list[Candidate], *, count: int) -> list[RankedItem]:
        """By the cosine of the two items' embeddings; 0 where one of them is zero.

        Raises:
            InvalidArgumentError: the version does not know the item or a candidate.
        """
        merged = self._merge(candidates)
        query = self.artifact.item_embeddings[self._row("item_id", item_id)].astype(np.float64)
        embeddings = self._embeddings(merged)
        norms = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(query)
        cosines = np.divide(embeddings @ query, norms, out=np.zeros_like(norms), where=norms > 0)
        return self._ranked(merged, cosines.astype(np.float32), count)

    def rank_as_given(self, candidates: list[Candidate], *, count: int) -> list[RankedItem]:
        """By the candidates' own scores.

        Raises:
            InvalidArgumentError: the version does not know a candidate.
        """
        merged = self._merge(candidates)
        return self._ranked(merged, merged.scores, count)

    def _merge(self, candidates: list[Candidate]) -> _Merged:
        scores: dict[int, float] = {}
        sources: dict[int, list[int]] = {}
        for candidate in candidates:
            row = self._row("candidates.item_id", candidate.item_id)
            scores[row] = max(candidate.score, scores.get(row, candidate.score))
            named = sources.setdefault(row, [])
            if candidate.source not in named:
                named.append(candidate.source)
        return _Merged(
            rows=np.fromiter(scores.keys(), np.int64, len(scores)),
            scores=np.fromiter(scores.values(), np.float32, len(scores)),
            sources=sources,
        )

    def _embeddings(self, merged: _Merged) -> NDArray[np.float64]:
        """In double precision, so that equal vectors score equally wherever they stand in the array."""
        return np.asarray(self.artifact.item_embeddings)[merged.rows].astype(np.float64)

    def _ranked(self, merged: _Merged, scores: NDArray[np.float32], count: int) -> list[RankedItem]:
        best = np.lexsort((merged.rows, -scores))[:count]
        return [
            RankedItem(item=self.artifact.catalogue.item(row), score=score, sources=merged.sources[row])
            for row, score in zip(merged.rows[best].tolist(), scores[best].tolist(), strict=True)
        ]

    def _row(self, field: str, item_id: str) -> int:
        row = self.artifact.items.row_of(item_id)
        if row is None:
            raise InvalidArgumentError(
                f"{field}: expected an item of version {self.manifest.version}, found {item_id!r}"
            )
        return row
