"""Interactions in, what a model may learn from and what it is judged by out: nobody's future is in train."""

from dataclasses import dataclass
from datetime import datetime

import scipy.sparse as sp

from trainer.interactions import Interactions


@dataclass(frozen=True)
class Split:
    """A train part and the held-out items that are new to each user.

    `test` has the shape of `train.weights`; a stored value means that the user had the item after the cut and not before.
    """

    train: Interactions
    test: sp.csr_matrix  # float32 [n_users, n_items], ones
    test_sizes_outside: dict[str, int]  # what cannot be judged by the matrix: pairs of users or items that train lacks
    cut: datetime | None  # none for a given train/test pair
