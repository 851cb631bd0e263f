"""A new version's indexes against its embeddings: a few queries, all at once, since each look at all items is dear."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from candidate_gen.item_vectors import unit
from candidate_gen.nearest import Space
from recsys.artifact.reader import Artifact

_SAMPLED_QUERIES: Final = 8


def check_indexes(retrieval: Space, similar: Space, artifact: Artifact) -> None:
    """Ask both indexes what exact search answers.

    Raises:
        ArtifactError: an index is not of this version's items.
    """
    users = _sample(artifact.user_embeddings)
    retrieval.index.check_agreement(
        np.stack([unit(user) for user in users]) if retrieval.exact.is_cosine and len(users) else users,
        exact=retrieval.exact.of_all,
        first=min(max(artifact.manifest.item_count // 10, 1), 100),  # chance finds a tenth of them, at the most
        floor=artifact.manifest.index.recall / 2,  # far below what a few users of a good index ever fall to
    )
    items = _sample(artifact.item_embeddings)
    similar.index.check_agreement(
        np.stack([unit(item) for item in items]) if len(items) else items,
        exact=similar.exact.of_all,
        first=1,  # an item is nearest to itself, however little of the catalogue the index looks at
        floor=0.5,
    )


def _sample(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """A few vectors, evenly spread, without zeros: float32 [n, dim]."""
    spread = np.unique(np.linspace(0, max(len(embeddings) - 1, 0), _SAMPLED_QUERIES, dtype=int))
    sample = np.asarray(embeddings[spread[: len(embeddings)]])
    return sample[sample.any(axis=1)]
