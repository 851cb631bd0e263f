"""The first few candidates are those that a sort of all of them has first, whatever the scores are."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reranker.scoring import Scored

ANYTHING: Any = None
scores = st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.0, np.inf, -np.inf, np.nan]) | st.floats()


@given(st.lists(scores, max_size=40), st.randoms(use_true_random=False), st.integers(0, 45))
def test_the_best_come_first_and_equal_ones_by_their_rows(listed: list[float], chance: Any, count: int) -> None:
    rows = list(range(len(listed)))
    chance.shuffle(rows)
    of_all = Scored(ANYTHING, ANYTHING, ANYTHING, ANYTHING, np.array(listed), np.array(rows, np.int64))
    expected = sorted(range(len(rows)), key=lambda at: (np.isnan(listed[at]), -listed[at], rows[at]))
    plain = [at for at in expected if not np.isnan(listed[at])]
    assert of_all.order.tolist()[: len(plain)] == plain
    assert of_all.best(count).tolist() == of_all.order.tolist()[:count]
