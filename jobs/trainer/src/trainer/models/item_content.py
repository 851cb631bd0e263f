"""Item embeddings and what the catalogue says of the items in, a map from the second to the first out.

Ridge regression on hashed features and the vectors that the shop brings: W = (XᵀCX + λI)⁻¹ XᵀCY, where C weighs each
item by log(1 + its users), since an embedding says the more the more people it is made of. Items without users have no
embedding to learn from.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys import item_vector
from recsys.artifact.catalogue import ATTRIBUTE, VECTOR
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import ItemContentInfo
from recsys.item_features import COLUMNS, KINDS, features
from recsys.shop.item import Item

_log = logging.getLogger(__name__)

REGULARIZATION: Final = 10.0  # of 1, 10 and 100, chosen with the weights on the windows of Online Retail themselves
_PRICE_BUCKETS: Final = 10
_MOST_ITEMS: Final = 100_000  # with most users: seconds of hashing, and more of them teach no more words
_DIMENSIONS_AT_ONCE: Final = 64


def items_of(catalogue: pl.DataFrame, item_ids: Sequence[str]) -> list[Item]:
    """What a catalogue (`Shop.catalogue`) says of some items, in their order; nothing of one that it lacks."""
    wanted = pl.DataFrame({"item_id": item_ids}, schema={"item_id": pl.String})
    rows = wanted.join(catalogue, on="item_id", how="left", maintain_order="left").rows(named=True)
    attributes = [name for name in catalogue.columns if name.startswith(ATTRIBUTE)]
    return [
        Item(
            row["item_id"],
            title=row["title"],
            category=row["category"],
            price=row["price"],
            vector=row.get(VECTOR),
            attributes={name.removeprefix(ATTRIBUTE): row[name] for name in attributes if row[name] is not None},
        )
        for row in rows
    ]


def fit(
    embeddings: NDArray[np.float32], users: NDArray[np.integer], catalogue: pl.DataFrame, item_ids: Sequence[str]
) -> ItemContent | None:
    """None where no item has both an embedding and facts.

    Args:
        embeddings: float32 [n_items, dim].
        users: [n_items] who took each item up.
        catalogue: as of `items_of`.
        item_ids: [n_items].
    """
    most = np.argsort(-users, kind="stable")[:_MOST_ITEMS]
    rows = np.sort(most[(users[most] > 0) & embeddings[most].any(axis=1)])
    items = items_of(catalogue, [item_ids[row] for row in rows])
    info = ItemContentInfo(
        features=list(KINDS), columns=COLUMNS, price_edges=_price_edges(items), vector_length=_vector_length(items)
    )
    hashed, vectors = _features(items, info)
    if hashed.nnz == 0:
        return None
    weighing = np.sqrt(np.log1p(users[rows]))[:, None]
    used = np.flatnonzero(np.diff(hashed.tocsc().indptr))
    vectors *= weighing
    weights = np.zeros((COLUMNS + info.vector_length, embeddings.shape[1]), np.float32)
    weights[[*used, *range(COLUMNS, len(weights))]] = _solved(
        hashed[:, used].multiply(weighing).tocsr(), vectors, embeddings, rows, weighing
    )
    return ItemContent(info, weights)


def _vector_length(items: Sequence[Item]) -> int:
    """Of most vectors; 0: there are none."""
    lengths = {item.item_id: item_vector.length(item.vector) for item in items if item.vector is not None}
    usual = max(Counter(lengths.values()).items(), key=lambda pair: (pair[1], -pair[0]), default=(0, 0))[0]
    others = [item_id for item_id, length in lengths.items() if length != usual]
    if others:
        _log.warning(
            "vectors of another length than most count as none",
            extra={"items": len(others), "item": others[0], "expected": usual, "found": lengths[others[0]]},
        )
    return usual


def _price_edges(items: Sequence[Item]) -> list[float]:
    """Where the next bucket begins, so that each holds about as many of the items."""
    prices = [item.price for item in items if item.price is not None and item.price > 0]
    if not prices:
        return []
    edges: list[float] = np.unique(np.quantile(prices, np.arange(1, _PRICE_BUCKETS) / _PRICE_BUCKETS)).tolist()
    return edges


def _features(items: Sequence[Item], info: ItemContentInfo) -> tuple[sp.csr_matrix, NDArray[np.float32]]:
    """Hashed ones [n, COLUMNS], of which those that stand in an item twice are summed, and vectors [n, length]."""
    columns: list[int] = []
    values: list[float] = []
    indptr = [0]
    vectors = np.zeros((len(items), info.vector_length), np.float32)
    for row, item in enumerate(items):
        found = features(item, price_edges=info.price_edges, vector_length=info.vector_length)
        columns += found.columns
        values += found.values
        indptr.append(len(columns))
        if found.vector:
            vectors[row] = found.vector
    hashed = sp.csr_matrix((values, columns, indptr), shape=(len(items), COLUMNS), dtype=np.float64)
    hashed.sum_duplicates()
    return hashed, vectors


def _solved(
    hashed: sp.csr_matrix,
    vectors: NDArray[np.float32],
    embeddings: NDArray[np.float32],
    rows: NDArray[np.int64],
    weighing: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Weights of the used columns, then of the vectors, float64 [n_used + length, dim].

    By the smaller of the two squares, a few dimensions at once.

    Args:
        hashed: [n, n_used]; these, the vectors [n, length] and the embeddings of `rows` are times `weighing` [n, 1].
    """

    def transposed_by(right: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([hashed.T @ right, vectors.T @ right])

    is_dual = hashed.shape[0] < hashed.shape[1] + vectors.shape[1]
    if is_dual:
        gram = (hashed @ hashed.T).toarray() + vectors @ vectors.T
    else:
        both = hashed.T @ vectors
        gram = np.block([[(hashed.T @ hashed).toarray(), both], [both.T, vectors.T @ vectors]])
    gram[np.diag_indices_from(gram)] += REGULARIZATION
    factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    solved = np.empty((hashed.shape[1] + vectors.shape[1], embeddings.shape[1]))
    for start in range(0, embeddings.shape[1], _DIMENSIONS_AT_ONCE):
        part = slice(start, start + _DIMENSIONS_AT_ONCE)
        targets = embeddings[rows, part] * weighing
        if is_dual:
            solved[:, part] = transposed_by(scipy.linalg.cho_solve(factor, targets, check_finite=False))
        else:
            solved[:, part] = scipy.linalg.cho_solve(factor, transposed_by(targets), check_finite=False)
    return solved
