"""A new version's indexes against its embeddings: what a few queries find, and what exact search finds.

One thread and one block of items at a time, because the service may be answering with another version meanwhile.
"""

from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from candidate_gen.search.nearest import ExactScores, Space, count_right
from recsys.artifact.paging import spread
from recsys.artifact.reader import Artifact
from recsys.errors import ArtifactError
from recsys.vectors import divided

_faiss: Any = faiss  # its stubs leave `knn` out
_SAMPLED_QUERIES: Final = 8
_BLOCK_ROWS: Final = 65_536


def check_indexes(retrieval: Space, similar: Space, artifact: Artifact) -> None:
    """Ask both indexes what exact search answers.

    Raises:
        ArtifactError: an index is not of this version's items.
    """
    faiss.omp_set_num_threads(1)
    manifest = artifact.manifest
    # of a version without users, items stand for them: also a history of one item is a vector like the item's
    asking = artifact.user_embeddings if manifest.holds_users else artifact.item_embeddings
    users = retrieval.exact.comparable(_sample(asking))
    first = min(max(manifest.item_count // 10, 1), 100)  # chance finds a tenth of them, at the most
    # half of what was measured: far below what a few users of a good index ever fall to
    _check(retrieval, users, _best_scores(retrieval.exact, users, first), floor=manifest.index.recall / 2)
    # an item is nearest to itself, however little of the catalogue the index looks at, with a cosine of 1
    items = similar.exact.comparable(_sample(artifact.item_embeddings))
    _check(similar, items, np.ones((len(items), 1), np.float32), floor=0.5)


def _check(space: Space, queries: NDArray[np.float32], best: NDArray[np.float32], *, floor: float) -> None:
    """Compare the index's first answers with the `best` scores that there are, float32 [n, first], ascending."""
    if len(queries) == 0:
        return
    n, first = best.shape
    right = 0
    for query, scores in zip(queries, best, strict=True):
        found = space.exact.of_rows(query, space.index.search(query, first).rows)
        right += count_right(found, scores)
    if right / (n * first) < floor:
        raise ArtifactError(
            f"{space.index.path}: expected {floor:.2f} of the sampled answers to agree with exact search "
            f"of the embeddings, found {right / (n * first):.2f}"
        )


def _best_scores(exact: ExactScores, queries: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    """The `first` best scores of each query among all items, float32 [n, first], ascending."""
    best = np.empty((len(queries), 0), np.float32)
    for start in range(0, exact.n_items, _BLOCK_ROWS):
        block = exact.embeddings[start : start + _BLOCK_ROWS]
        if exact.is_cosine:
            block = divided(block, exact.norms[start : start + _BLOCK_ROWS, np.newaxis])
        scores, _ = _faiss.knn(queries, block, min(first, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        best = np.sort(np.concatenate([best, scores], axis=1), axis=1)[:, -first:]
    return best


def _sample(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """A few vectors, evenly spread, without zeros: float32 [n, dim]."""
    sample = embeddings[spread(len(embeddings), _SAMPLED_QUERIES)]
    return sample[sample.any(axis=1)]
