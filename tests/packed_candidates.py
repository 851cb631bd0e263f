"""Sets of candidates out of plain numbers, as candidate_gen packs them, and back."""

import struct
from collections.abc import Iterable, Sequence

from recsys.v1.item_pb2 import CandidateSet, SourceList


def candidate_set(
    rows: Sequence[int],
    *,
    scores: Sequence[float] | None = None,
    sources: Sequence[int] | None = None,
    new_item_ids: Iterable[str] = (),
    lists: Iterable[SourceList] = (),
) -> CandidateSet:
    """Parallel arrays; of the index with a score of 0, where nothing is said."""
    scores = [0.0] * len(rows) if scores is None else scores
    sources = [2] * len(rows) if sources is None else sources
    return CandidateSet(
        rows=struct.pack(f"<{len(rows)}I", *rows),
        scores=struct.pack(f"<{len(scores)}f", *scores),
        sources=struct.pack(f"<{len(sources)}I", *sources),
        new_item_ids=new_item_ids,
        lists=lists,
    )


def rows_of(candidates: CandidateSet) -> list[int]:
    """The rows of the candidates, in their order."""
    return list(struct.unpack(f"<{len(candidates.rows) // 4}I", candidates.rows))
