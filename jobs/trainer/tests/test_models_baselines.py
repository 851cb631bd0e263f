"""The baselines by hand."""

import numpy as np
import scipy.sparse as sp

from trainer.models import item_knn
from trainer.models.baselines import popularity
from trainer.shop_data.interactions import Interactions


def test_popularity_scores_every_item_by_its_users_for_everybody() -> None:
    fitted = popularity(np.array([3, 0, 7], dtype=np.float32), n_users=2)
    np.testing.assert_array_equal(fitted.scores(np.array([0, 1])), [[3, 0, 7], [3, 0, 7]])


def test_item_knn_adds_up_the_cosines_to_the_users_items() -> None:
    weights = sp.csr_matrix(np.array([[1, 1, 0], [0, 1, 1], [0, 1, 0]], dtype=np.float32))
    known = Interactions(
        user_ids=["a", "b", "c"],
        item_ids=["x", "y", "z"],
        weights=weights,
        last_seen=np.zeros(5, dtype=np.int64),
        last_type=np.zeros(5, dtype=np.uint8),
        type_sets=np.ones(5, dtype=np.uint32),
        first_seen=np.zeros(3, dtype=np.int64),
        event_types=["view"],
    )
    fitted = item_knn.fit(known, neighbours=3)
    # Users of length 1: columns (1,0,0)/√2, (1,1,√2)/√2, (0,1,0)/√2: cosine ½ of x and y and of y and z, 0 of x and z.
    np.testing.assert_allclose(fitted.scores(np.array([2])), [[0.5, 1, 0.5]], rtol=1e-5)
