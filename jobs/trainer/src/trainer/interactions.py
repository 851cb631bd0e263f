"""Events in, a users × items matrix of confidence weights out, with the ids of its rows and columns."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@dataclass(frozen=True)
class Interactions:
    """What is known of every user–item pair.

    Rows and columns are sorted by id (UTF-8 bytes), and column indices within a row are sorted.
    """

    user_ids: list[str]  # row → id
    item_ids: list[str]  # column → id
    weights: sp.csr_matrix  # float32 [n_users, n_items], summed event weights, every stored value > 0
    last_seen: NDArray[np.int64]  # [nnz] Unix seconds of the pair's last event, aligned with weights.data
    last_type: NDArray[np.uint8]  # [nnz] index into event_types of the pair's last event
    event_types: list[str]
