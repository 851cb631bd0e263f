"""Item embeddings and what the catalogue says of the items in, a map from the second to the first out.

Ridge regression on hashed features: W = (XᵀCX + λI)⁻¹ XᵀCY, where C weighs each item by log(1 + its users), since an
embedding says the more the more people it is made of. Items without users have no embedding to learn from.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.artifact.catalogue import ATTRIBUTE
from recsys.artifact.item_content import ItemContent
from recsys.artifact.manifest import ItemContentInfo
from recsys.item_features import COLUMNS, KINDS, features
from recsys.shop.item import Item

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
    info = ItemContentInfo(features=list(KINDS), columns=COLUMNS, price_edges=_price_edges(items))
    hashed = _hashed(items, info)
    if hashed.nnz == 0:
        return None
    weighing = np.sqrt(np.log1p(users[rows]))[:, None]
    used = np.flatnonzero(np.diff(hashed.tocsc().indptr))
    weights = np.zeros((COLUMNS, embeddings.shape[1]), np.float32)
    weights[used] = _solved(hashed[:, used].multiply(weighing).tocsr(), embeddings, rows, weighing)
    return ItemContent(info, weights)


def _price_edges(items: Sequence[Item]) -> list[float]:
    """Where the next bucket begins, so that each holds about as many of the items."""
    prices = [item.price for item in items if item.price is not None and item.price > 0]
    if not prices:
        return []
    edges: list[float] = np.unique(np.quantile(prices, np.arange(1, _PRICE_BUCKETS) / _PRICE_BUCKETS)).tolist()
    return edges


def _hashed(items: Sequence[Item], info: ItemContentInfo) -> sp.csr_matrix:
    """float64 [n, COLUMNS]; columns that stand in an item twice are summed."""
    found = [features(item, price_edges=info.price_edges) for item in items]
    indptr = np.cumsum([0, *(len(columns) for columns, _ in found)])
    columns, values = (
        ([one for part in parts for one in part] for parts in zip(*found, strict=True)) if found else ([], [])
    )
    matrix = sp.csr_matrix((values, columns, indptr), shape=(len(items), COLUMNS), dtype=np.float64)
    matrix.sum_duplicates()
    return matrix


def _solved(
    hashed: sp.csr_matrix, embeddings: NDArray[np.float32], rows: NDArray[np.int64], weighing: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of the used columns, float64 [n_used, dim]: by the smaller of the two squares, a few dimensions at once.

    Args:
        hashed: [n, n_used], and the embeddings of `rows`, both times `weighing` [n, 1].
    """
    is_dual = hashed.shape[0] < hashed.shape[1]
    gram = (hashed @ hashed.T if is_dual else hashed.T @ hashed).toarray()
    gram[np.diag_indices_from(gram)] += REGULARIZATION
    factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    solved = np.empty((hashed.shape[1], embeddings.shape[1]))
    for start in range(0, embeddings.shape[1], _DIMENSIONS_AT_ONCE):
        part = slice(start, start + _DIMENSIONS_AT_ONCE)
        targets = embeddings[rows, part] * weighing
        if is_dual:
            solved[:, part] = hashed.T @ scipy.linalg.cho_solve(factor, targets, check_finite=False)
        else:
            solved[:, part] = scipy.linalg.cho_solve(factor, hashed.T @ targets, check_finite=False)
    return solved
